//! From starting a killed backend again to the next event of its workflow.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{Bench, Row, workflow};
use crate::{clock::Stopwatch, crew::Crew, http};

/// Longest wait for an event.
const EVENT_WAIT: Duration = Duration::from_secs(60);

struct Resume;

/// The row.
pub fn rows() -> Vec<Box<dyn Row>> {
    vec![Box::new(Resume)]
}

impl Row for Resume {
    fn name(&self) -> String {
        "resume after kill -9: start to the next event".to_owned()
    }

    fn unit(&self) -> &'static str {
        "ms"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| sample(bench, crew, dir))
    }
}

fn sample(bench: &Bench, crew: &mut Crew, dir: &Path) -> anyhow::Result<f64> {
    let model = workflow::start_model(bench, crew, dir, 0)?;
    // The model stays silent, so that the workflow is in the middle of a stage.
    http::post(&model, "/_scripted/gate", &json!({ "close": {} }))?;
    workflow::start_backend(bench, crew, dir, &model)?;
    let backend = workflow::wait_backend(crew, dir)?;
    let id = workflow::submit(&backend, dir)?;
    let seen = wait_event(&backend, &id, 0, |event| {
        event["type"] == "stage_started" && event["stage_id"] == "planning"
    })?;
    let pid = crew.program("agentic-ide-backend")?.pid().to_string();
    let killed = Command::new("kill").args(["-9", &pid]).status()?;
    if !killed.success() {
        bail!("the backend could not be killed");
    }
    crew.forget("agentic-ide-backend");
    let watch = Stopwatch::start();
    workflow::start_backend(bench, crew, dir, &model)?;
    let backend = workflow::wait_backend(crew, dir)?;
    wait_event(&backend, &id, seen, |_| true)?;
    Ok(super::millis(watch.elapsed()))
}

/// The seq of the first event after `after` that `wanted` accepts.
fn wait_event(backend: &str, id: &str, after: u64, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<u64> {
    let stream = http::events(
        backend,
        &format!("/api/workflow/{id}/stream?mode=delta&after={after}"),
    )?;
    stream.set_read_timeout(Some(EVENT_WAIT))?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let Some(data) = line.strip_prefix("data:") else {
            continue;
        };
        let event: Value = serde_json::from_str(data.trim())?;
        if wanted(&event) {
            return event["seq"].as_u64().context("an event without a seq");
        }
    }
    bail!("the stream ended before the event came")
}
