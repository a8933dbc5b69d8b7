//! What the backend adds to a model's stream: each event's arrival at a client
//! against the moment when the last token in it left the model server.
//!
//! A tap between backend and model server notes when each byte passes, so both
//! ends are read off one clock.

pub(super) mod tap;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Bench, Row, workflow};
use crate::{clock::Stopwatch, crew::Crew, http};

/// Rate of the scripted model.
const TOKENS_PER_SECOND: u32 = 100;

/// Longest silence of the stream.
const EVENT_WAIT: Duration = Duration::from_secs(60);

struct AddedLatency {
    name: &'static str,
    /// Share of events that are at least as fast.
    quantile: f64,
}

/// The rows.
pub fn rows() -> Vec<Box<dyn Row>> {
    vec![
        Box::new(AddedLatency {
            name: "added latency per streamed event: p50",
            quantile: 0.50,
        }),
        Box::new(AddedLatency {
            name: "added latency per streamed event: p99",
            quantile: 0.99,
        }),
    ]
}

impl Row for AddedLatency {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn unit(&self) -> &'static str {
        "ms"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| {
            let mut latencies = latencies(bench, crew, dir)?;
            latencies.sort_by(f64::total_cmp);
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a position among a few hundred"
            )]
            let at = ((latencies.len() - 1) as f64 * self.quantile).round() as usize;
            latencies.get(at).copied().context("no event came")
        })
    }
}

/// Milliseconds of every event of one generation.
fn latencies(bench: &Bench, crew: &mut Crew, dir: &Path) -> anyhow::Result<Vec<f64>> {
    let clock = Stopwatch::start();
    let model = workflow::start_model(bench, crew, dir, TOKENS_PER_SECOND)?;
    let tap = tap::Tap::start(&model, clock)?;
    workflow::start_backend(bench, crew, dir, &tap.url())?;
    let backend = workflow::wait_backend(crew, dir)?;
    let id = workflow::submit(&backend, dir)?;
    let stream = http::events(&backend, &format!("/api/workflow/{id}/stream?mode=delta"))?;
    stream.set_read_timeout(Some(EVENT_WAIT))?;
    let mut arrivals: Vec<(Duration, usize)> = Vec::new();
    let mut text = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let Some(data) = line.strip_prefix("data:") else {
            continue;
        };
        let at = clock.elapsed();
        let event: Value = serde_json::from_str(data.trim())?;
        if event["type"] == "agent_streaming_update" && event["stage_id"] == "code_generation" {
            let delta = event["delta"].as_str().unwrap_or_default();
            text.push_str(delta);
            if !delta.is_empty() {
                arrivals.push((at, text.len()));
            }
        }
        if event["type"] == "diff_ready" {
            break;
        }
        if event["type"] == "failed" {
            bail!("the workflow failed: {}", event["message"]);
        }
    }
    let tokens = tap
        .answer(&text)
        .context("the model's answer did not pass the tap")?;
    let left = |length: usize| tokens.iter().find(|(_, end)| *end >= length).map(|(at, _)| *at);
    let added = arrivals.iter().filter_map(|(at, length)| {
        let left = left(*length)?;
        Some((at.as_secs_f64() - left.as_secs_f64()) * 1_000.0)
    });
    Ok(added.collect())
}
