//! The Agent Client Protocol: what it adds to the plain stream of events, how long
//! a long session takes to be told, what sessions cost that nobody uses, and
//! whether many clients of one session all get everything.

mod client;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashMap},
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Barrier,
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use client::Client;
use serde_json::{Value, json};

use super::{Bench, Row, memory, millis, once, quantile, workflow};
use crate::{clock::Stopwatch, crew::Crew, http};

/// Updates of the long session.
const UPDATES: usize = 10_000;

/// Rate of the scripted model, tokens a second: each is an update of its own.
const RATE: u32 = 160;

/// Clients of one session.
const CLIENTS: usize = 200;

/// Sessions that nobody uses, and on how many connections.
const IDLE_SESSIONS: usize = 1_000;
const CONNECTIONS: usize = 5;

/// Time for what a start allocates for a moment to be given back.
const SETTLE: Duration = Duration::from_secs(5);

/// Longest silence of the plain stream.
const EVENT_WAIT: Duration = Duration::from_secs(60);

/// The rows.
pub fn rows() -> Vec<Box<dyn Row>> {
    let session = Rc::<OnceCell<Long>>::default();
    let long = |what, name, unit| {
        Box::new(LongSession {
            what,
            name,
            unit,
            session: session.clone(),
        }) as Box<dyn Row>
    };
    vec![
        long(
            What::P50,
            "acp: added to the plain stream, 10000 updates, p50",
            "ms",
        ),
        long(
            What::P99,
            "acp: added to the plain stream, 10000 updates, p99",
            "ms",
        ),
        long(What::Load, "acp: session/load of 10000 updates", "ms"),
        Box::new(ManyClients),
        Box::new(IdleSession),
    ]
}

/// What was measured of one long session.
struct Long {
    /// Of each update, in order of size, in ms.
    added: Vec<f64>,
    load_ms: f64,
}

#[derive(Clone, Copy)]
enum What {
    P50,
    P99,
    Load,
}

struct LongSession {
    what: What,
    name: &'static str,
    unit: &'static str,
    /// Measured once for all rows that are about it: it takes minutes.
    session: Rc<OnceCell<Long>>,
}

impl Row for LongSession {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn unit(&self) -> &'static str {
        self.unit
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        if self.session.get().is_none() {
            let long = once(|crew, dir| Place::new(bench, crew, dir, RATE)?.long_session())?;
            // Rows are measured one after the other.
            let _first = self.session.set(long);
        }
        let long = self.session.get().context("it was measured")?;
        let value = match self.what {
            What::P50 => quantile(&long.added, 50),
            What::P99 => quantile(&long.added, 99),
            What::Load => Some(long.load_ms),
        };
        Ok(vec![value.context("no update came")?])
    }
}

/// A backend with a folder to work in.
struct Place {
    clock: Stopwatch,
    backend: String,
    folder: PathBuf,
}

/// When each update came, by the workflow and its number there.
type Arrivals = HashMap<(String, u64), Duration>;

impl Place {
    fn new(bench: &Bench, crew: &mut Crew, dir: &Path, rate: u32) -> anyhow::Result<Self> {
        let model = workflow::start_model(bench, crew, dir, rate)?;
        workflow::start_backend(bench, crew, dir, &model)?;
        let backend = workflow::wait_backend(crew, dir)?;
        let folder = dir.join("workspace");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("app.py"), "def main():\n    pass\n")?;
        Ok(Self {
            clock: Stopwatch::start(),
            backend,
            folder,
        })
    }

    /// Turn after turn of one session until it has so many updates, each also read
    /// from the plain stream; then the session is loaded.
    fn long_session(&self) -> anyhow::Result<Long> {
        let mut client = Client::connect(&self.backend)?;
        let session = client.begin(&self.folder)?;
        let (mut added, mut updates) = (Vec::new(), 0);
        while updates < UPDATES {
            let (acp, plain) = self.turn(&mut client, &session)?;
            updates += acp.len();
            for (key, came) in acp {
                let plain = plain
                    .get(&key)
                    .with_context(|| format!("{key:?} is not in the stream"))?;
                added.push(millis(came) - millis(*plain));
            }
        }
        added.sort_by(f64::total_cmp);
        let mut later = Client::connect(&self.backend)?;
        let (begin, mut told) = (self.clock.elapsed(), 0);
        later.go_to("session/load", &session, &self.folder, |message| {
            told += usize::from(message["method"] == "_agentic_ide/streaming_update");
            Ok(())
        })?;
        let load_ms = millis(self.clock.elapsed()) - millis(begin);
        anyhow::ensure!(told >= updates, "{told} of {updates} updates were told");
        Ok(Long { added, load_ms })
    }

    /// One turn, and when each update of code came here and there.
    fn turn(&self, client: &mut Client, session: &str) -> anyhow::Result<(Arrivals, Arrivals)> {
        thread::scope(|scope| {
            let (mut acp, mut plain) = (Arrivals::new(), None);
            let text = json!([{ "type": "text", "text": "Add steps acp" }]);
            let params = json!({ "sessionId": session, "prompt": text });
            client.call("session/prompt", &params, |message| {
                let came = self.clock.elapsed();
                if message["method"] != "_agentic_ide/streaming_update" {
                    return Ok(());
                }
                let params = &message["params"];
                let workflow = params["workflow_id"].as_str().unwrap_or_default().to_owned();
                // The plain stream is opened while the plan is written.
                plain.get_or_insert_with(|| {
                    let workflow = workflow.clone();
                    scope.spawn(move || self.plain(&workflow))
                });
                if is_of_code(message) {
                    acp.insert((workflow, params["seq"].as_u64().unwrap_or_default()), came);
                }
                Ok(())
            })?;
            let plain = plain.context("nothing was streamed")?.join();
            Ok((acp, plain.map_err(|_| anyhow!("the reader stopped"))??))
        })
    }

    /// When each update of a workflow came on the plain stream.
    fn plain(&self, workflow: &str) -> anyhow::Result<Arrivals> {
        let path = format!("/api/workflow/{workflow}/stream?mode=delta");
        let stream = http::events(&self.backend, &path)?;
        stream.set_read_timeout(Some(EVENT_WAIT))?;
        let mut arrivals = Arrivals::new();
        for line in BufReader::new(stream).lines() {
            let line = line?;
            let Some(data) = line.strip_prefix("data:") else {
                continue;
            };
            let came = self.clock.elapsed();
            let event: Value = serde_json::from_str(data.trim())?;
            if event["type"] == "agent_streaming_update" {
                let seq = event["seq"].as_u64().unwrap_or_default();
                arrivals.insert((workflow.to_owned(), seq), came);
            }
        }
        Ok(arrivals)
    }

    /// One turn that so many clients follow; how many updates each missed, in all.
    fn followed(&self, clients: usize) -> anyhow::Result<usize> {
        let mut first = Client::connect(&self.backend)?;
        let session = first.begin(&self.folder)?;
        let ready = Barrier::new(clients + 1);
        thread::scope(|scope| {
            let followers: Vec<_> = (0..clients)
                .map(|_| scope.spawn(|| self.follow(&session, &ready)))
                .collect();
            ready.wait();
            let mut expect = BTreeMap::new();
            let text = json!([{ "type": "text", "text": "Add steps acp" }]);
            let params = json!({ "sessionId": session, "prompt": text });
            first.call("session/prompt", &params, |message| {
                note(message, &mut expect);
                Ok(())
            })?;
            anyhow::ensure!(!expect.is_empty(), "nothing was streamed");
            let mut missed = 0;
            for follower in followers {
                let got = follower.join().map_err(|_| anyhow!("a client stopped"))??;
                missed += expect
                    .iter()
                    .filter(|(seq, text)| got.get(*seq) != Some(*text))
                    .count();
            }
            Ok(missed)
        })
    }

    /// What one client is told of the code.
    fn follow(&self, session: &str, ready: &Barrier) -> anyhow::Result<BTreeMap<u64, String>> {
        let connected = Client::connect(&self.backend).and_then(|mut client| {
            client.go_to("session/resume", session, &self.folder, |_| Ok(()))?;
            Ok(client)
        });
        ready.wait();
        let mut client = connected?;
        let mut got = BTreeMap::new();
        loop {
            let message = client.next()?;
            note(&message, &mut got);
            if is_of_code(&message) && message["params"]["is_final"] == true {
                return Ok(got);
            }
        }
    }
}

fn is_of_code(message: &Value) -> bool {
    message["method"] == "_agentic_ide/streaming_update" && message["params"]["stage_id"] == "code_generation"
}

/// Notes an update's text by its number.
fn note(message: &Value, updates: &mut BTreeMap<u64, String>) {
    if is_of_code(message)
        && let Some(seq) = message["params"]["seq"].as_u64()
    {
        let text = message["params"]["delta"].as_str().unwrap_or_default();
        updates.insert(seq, text.to_owned());
    }
}

struct ManyClients;

impl Row for ManyClients {
    fn name(&self) -> String {
        format!("acp: {CLIENTS} clients on one session, updates that were missed")
    }

    fn unit(&self) -> &'static str {
        "updates"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| {
            let missed = Place::new(bench, crew, dir, RATE)?.followed(CLIENTS)?;
            #[expect(clippy::cast_precision_loss, reason = "a count of some thousands")]
            let missed = missed as f64;
            Ok(missed)
        })
    }
}

struct IdleSession;

impl Row for IdleSession {
    fn name(&self) -> String {
        format!("acp: memory of a session that nobody uses, of {IDLE_SESSIONS}")
    }

    fn unit(&self) -> &'static str {
        "KiB"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| {
            let place = Place::new(bench, crew, dir, RATE)?;
            let mut clients = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut client = Client::connect(&place.backend)?;
                client.begin(&place.folder)?;
                clients.push(client);
            }
            thread::sleep(SETTLE);
            let pid = crew.program("agentic-ide-backend")?.pid();
            let before = memory::resident_mib(pid)?;
            let more = IDLE_SESSIONS - CONNECTIONS;
            for n in 0..more {
                let client = clients.get_mut(n % CONNECTIONS).context("there is a client")?;
                client.begin(&place.folder)?;
            }
            thread::sleep(SETTLE);
            let grown = memory::resident_mib(pid)? - before;
            #[expect(clippy::cast_precision_loss, reason = "a count of some thousands")]
            let more = more as f64;
            Ok(grown * 1_024.0 / more)
        })
    }
}
