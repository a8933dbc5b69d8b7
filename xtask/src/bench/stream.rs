//! What the backend adds to models' streams: each token's arrival at a client
//! against the moment when it left the model server; the processor time that
//! takes; and how much longer a fast stream is under way.
//!
//! A tap between backend and model server notes when each byte passes, so both
//! ends are read off one clock.

pub(super) mod tap;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::{Bench, Row, millis, quantile, workflow};
use crate::{clock::Stopwatch, crew::Crew, http};

/// Rate of the scripted model, tokens a second.
const RATE: u32 = 100;

/// Rate of a fast one.
const FAST: u32 = 1_000;

/// Streams at once, for the rows of many.
const MANY: usize = 50;

/// Longest silence of a stream.
const EVENT_WAIT: Duration = Duration::from_secs(60);

/// How a line with an event begins.
const DATA: &str = "data:";

/// The events after which nobody reads on.
const LAST: &[&str] = &["\"type\":\"diff_ready\"", "\"type\":\"failed\""];

/// Ticks of `/proc/PID/stat` in a second (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

struct AddedLatency {
    streams: usize,
    /// So many of a hundred tokens are at least as fast.
    percent: usize,
}

struct ProcessorTime;

struct Throughput;

/// The rows.
pub fn rows() -> Vec<Box<dyn Row>> {
    let added = |streams, percent| Box::new(AddedLatency { streams, percent }) as Box<dyn Row>;
    vec![
        added(1, 50),
        added(1, 99),
        added(MANY, 50),
        added(MANY, 99),
        Box::new(ProcessorTime),
        Box::new(Throughput),
    ]
}

impl Row for AddedLatency {
    fn name(&self) -> String {
        let Self { streams, percent } = self;
        format!("model streams: added latency per token, {streams} at once, p{percent}")
    }

    fn unit(&self) -> &'static str {
        "ms"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| {
            let run = Run::new(bench, crew, dir, RATE)?;
            let streams = run.streams(self.streams)?;
            let (from, to) = all_at_once(&streams).context("the streams did not overlap")?;
            let tokens = streams.iter().flatten();
            let meanwhile = tokens.filter(|token| (from..=to).contains(&token.left));
            let mut added: Vec<f64> = meanwhile
                .map(|token| millis(token.came) - millis(token.left))
                .collect();
            added.sort_by(f64::total_cmp);
            quantile(&added, self.percent).context("no token came")
        })
    }
}

impl Row for ProcessorTime {
    fn name(&self) -> String {
        format!("model streams: the backend's processor time for 1000 tokens, {MANY} at once")
    }

    fn unit(&self) -> &'static str {
        "ms"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| {
            let run = Run::new(bench, crew, dir, RATE)?;
            let pid = crew.program("agentic-ide-backend")?.pid();
            let before = processor_seconds(pid)?;
            let streams = run.streams(MANY)?;
            let spent = processor_seconds(pid)? - before;
            let tokens: usize = streams.iter().map(Vec::len).sum();
            #[expect(clippy::cast_precision_loss, reason = "a count of some thousands")]
            let thousands = tokens as f64 / 1_000.0;
            Ok(spent * 1_000.0 / thousands)
        })
    }
}

impl Row for Throughput {
    fn name(&self) -> String {
        format!("model streams: one of {FAST} tokens a second, share of the direct rate")
    }

    fn unit(&self) -> &'static str {
        "of 1"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| {
            let run = Run::new(bench, crew, dir, FAST)?;
            let mut streams = run.streams(1)?;
            let tokens = streams.pop().context("there is no stream")?;
            let (first, last) = tokens.first().zip(tokens.last()).context("no token came")?;
            let direct = millis(last.left) - millis(first.left);
            Ok(direct / (millis(last.came) - millis(first.left)))
        })
    }
}

/// A token on its way.
struct Token {
    /// When it left the model server.
    left: Duration,
    /// When the event with its end was at the client.
    came: Duration,
}

/// A model server, a tap, a backend.
struct Run<'a> {
    clock: Stopwatch,
    tap: tap::Tap,
    backend: String,
    dir: &'a Path,
}

impl<'a> Run<'a> {
    fn new(bench: &Bench, crew: &mut Crew, dir: &'a Path, rate: u32) -> anyhow::Result<Self> {
        let clock = Stopwatch::start();
        let model = workflow::start_model(bench, crew, dir, rate)?;
        let tap = tap::Tap::start(&model, clock)?;
        workflow::start_backend(bench, crew, dir, &tap.url())?;
        let backend = workflow::wait_backend(crew, dir)?;
        Ok(Self {
            clock,
            tap,
            backend,
            dir,
        })
    }

    /// So many workflows at once, each with a client: the way of its tokens.
    fn streams(&self, count: usize) -> anyhow::Result<Vec<Vec<Token>>> {
        let ids = (0..count).map(|n| workflow::submit_as(&self.backend, self.dir, &format!("bench{n}")));
        let ids = ids.collect::<anyhow::Result<Vec<String>>>()?;
        let read: Vec<_> = thread::scope(|scope| {
            let readers: Vec<_> = ids.iter().map(|id| scope.spawn(|| self.read(id))).collect();
            readers.into_iter().map(|reader| reader.join()).collect()
        });
        let answers = self.tap.answers();
        read.into_iter()
            .map(|read| {
                let lines = read.map_err(|_| anyhow!("a client stopped"))??;
                let (text, arrivals) = arrivals(&lines)?;
                let tokens = answers.find(&text).context("the answer did not pass the tap")?;
                let tokens = tokens.into_iter().filter_map(|(left, end)| {
                    let at = arrivals.partition_point(|(_, length)| *length < end);
                    let came = arrivals.get(at)?.0;
                    Some(Token { left, came })
                });
                Ok(tokens.collect())
            })
            .collect()
    }

    /// The events of one workflow up to its proposal, with when each came. They are
    /// understood afterwards: that takes longer than to read them, and the
    /// programs that are measured need the processor.
    fn read(&self, id: &str) -> anyhow::Result<Vec<(Duration, String)>> {
        let stream = http::events(&self.backend, &format!("/api/workflow/{id}/stream?mode=delta"))?;
        stream.set_read_timeout(Some(EVENT_WAIT))?;
        let mut lines = Vec::new();
        for line in BufReader::new(stream).lines() {
            let line = line?;
            let at = self.clock.elapsed();
            if !line.starts_with(DATA) {
                continue;
            }
            let is_last = LAST.iter().any(|kind| line.contains(kind));
            lines.push((at, line));
            if is_last {
                return Ok(lines);
            }
        }
        bail!("the stream of {id} ended early")
    }
}

/// The text of one workflow's code, with when how much of it had come.
fn arrivals(lines: &[(Duration, String)]) -> anyhow::Result<(String, Vec<(Duration, usize)>)> {
    let mut arrivals = Vec::new();
    let mut text = String::new();
    for (at, line) in lines {
        let data = line.strip_prefix(DATA).unwrap_or(line);
        let event: Value = serde_json::from_str(data.trim())?;
        if event["type"] == "agent_streaming_update" && event["stage_id"] == "code_generation" {
            text.push_str(event["delta"].as_str().unwrap_or_default());
            arrivals.push((*at, text.len()));
        }
        if event["type"] == "failed" {
            bail!("the workflow failed: {}", event["message"]);
        }
    }
    Ok((text, arrivals))
}

/// From when to when all streams ran, by the tokens that left.
fn all_at_once(streams: &[Vec<Token>]) -> Option<(Duration, Duration)> {
    let firsts = streams.iter().map(|tokens| Some(tokens.first()?.left));
    let lasts = streams.iter().map(|tokens| Some(tokens.last()?.left));
    let from = firsts.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let to = lasts.collect::<Option<Vec<_>>>()?.into_iter().min()?;
    (from < to).then_some((from, to))
}

/// Processor time of a process so far, user and system (proc(5)).
fn processor_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("there is no /proc")?;
    ticks(&stat)
        .map(|ticks| ticks / TICKS_PER_SECOND)
        .context("/proc tells no processor time")
}

fn ticks(stat: &str) -> Option<f64> {
    // The second field is a name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time() {
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(ticks("42 (a) S 1"), None);
    }
}
