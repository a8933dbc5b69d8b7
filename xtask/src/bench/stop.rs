//! How long a stopped workflow keeps its model: from the request to cancel to
//! the moment when the backend's connection to the model server closes.
//!
//! A tap between backend and model server notes that moment, so both ends are
//! read off one clock.

use std::{
    io::{BufRead as _, BufReader},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::{Bench, Row, stream::tap::Tap, workflow};
use crate::{clock::Stopwatch, crew::Crew, http};

/// Workflows that are stopped for one row, one after the other.
const STOPS: usize = 20;

/// Rate of the scripted model.
const TOKENS_PER_SECOND: u32 = 100;

/// Longest wait for an event, or for a connection to close.
const WAIT: Duration = Duration::from_secs(30);

/// Between two looks at the list of closed connections; they carry their own time.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Between the moment when the model has been asked and the request to stop.
const SETTLE: Duration = Duration::from_millis(100);

/// When a workflow is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// The model reads the prompt: not a byte of an answer has come.
    Reading,
    /// The model writes.
    Writing,
}

struct Stop(When);

/// The rows.
pub fn rows() -> Vec<Box<dyn Row>> {
    vec![Box::new(Stop(When::Reading)), Box::new(Stop(When::Writing))]
}

impl Row for Stop {
    fn name(&self) -> String {
        let when = match self.0 {
            When::Reading => "reads",
            When::Writing => "writes",
        };
        format!("cancel to disconnect: a model that {when}")
    }

    fn unit(&self) -> &'static str {
        "ms"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        let dir = tempfile::tempdir()?;
        let mut crew = Crew::new(&dir.path().join("logs"))?;
        let clock = Stopwatch::start();
        let faults = match self.0 {
            When::Reading => json!([{ "stall": { "tokens": 0 } }]),
            When::Writing => json!([]),
        };
        let model = workflow::start_faulty_model(bench, &mut crew, dir.path(), TOKENS_PER_SECOND, &faults)?;
        let tap = Tap::start(&model, clock)?;
        workflow::start_backend(bench, &mut crew, dir.path(), &tap.url())?;
        let backend = workflow::wait_backend(&mut crew, dir.path())?;
        (0..STOPS)
            .map(|number| {
                let id = workflow::submit_as(&backend, dir.path(), &format!("stop{number}"))?;
                self.one(&backend, &id, &tap, clock)
            })
            .collect()
    }
}

impl Stop {
    /// Milliseconds from the request to the closed connection.
    fn one(&self, backend: &str, id: &str, tap: &Tap, clock: Stopwatch) -> anyhow::Result<f64> {
        self.wait(backend, id)?;
        thread::sleep(SETTLE);
        let begun = clock.elapsed();
        let answer = http::post(backend, &format!("/api/workflow/{id}/cancel"), &Value::Null)?;
        ensure!(
            answer.status == 204,
            "cancel answered {}: {}",
            answer.status,
            answer.body
        );
        while clock.elapsed() < begun + WAIT {
            if let Some(at) = tap.hung_up().into_iter().find(|at| *at > begun) {
                return Ok((at.as_secs_f64() - begun.as_secs_f64()) * 1_000.0);
            }
            thread::sleep(LOOK_EVERY);
        }
        bail!("the connection to the model server did not close")
    }

    /// Waits until the model is where it is stopped.
    fn wait(&self, backend: &str, id: &str) -> anyhow::Result<()> {
        let stream = http::events(backend, &format!("/api/workflow/{id}/stream?mode=delta"))?;
        stream.set_read_timeout(Some(WAIT))?;
        let wanted = match self.0 {
            When::Reading => "stage_started",
            When::Writing => "agent_streaming_update",
        };
        for line in BufReader::new(stream).lines() {
            let line = line?;
            let Some(data) = line.strip_prefix("data:") else {
                continue;
            };
            let event: Value = serde_json::from_str(data.trim())?;
            if event["type"] == wanted && event["stage_id"] == "code_generation" {
                return Ok(());
            }
        }
        None.context("the workflow ended before it could be stopped")
    }
}
