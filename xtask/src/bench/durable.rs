//! Durable steps, beside what the disk allows and beside LangGraph with its
//! SQLite checkpointer; and many unfinished workflows in one backend.

use std::{cell::OnceCell, fs, path::Path, process::Command, rc::Rc, thread, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use python_environment::Dependencies;
use serde_json::Value;

use super::{Bench, Row, memory, workflow};
use crate::{cargo, clock::Stopwatch, crew::Crew, http};

/// What LangGraph is measured with.
const LANGGRAPH: &str = "langgraph==1.2.22\nlanggraph-checkpoint-sqlite==3.1.2\n";

/// The program that measures it.
const STEPS: &str = include_str!("langgraph_steps.py");

/// Seconds for each of its numbers.
const SECONDS: u32 = 4;

/// Workflows at once.
const MANY: u32 = 64;

/// Unfinished workflows in one backend.
const UNFINISHED: u32 = 1_000;

/// Longest wait for all of them to go on.
const RESUME_WAIT: Duration = Duration::from_secs(60);

/// Until what a start allocates for a moment is given back.
const SETTLE: Duration = Duration::from_secs(5);

/// All numbers of one run, so that they were measured under the same sky.
type Shared = Rc<OnceCell<Result<Vec<Value>, String>>>;

struct Steps {
    name: &'static str,
    unit: &'static str,
    key: &'static str,
    shared: Shared,
}

struct Memory;

struct Resume {
    name: &'static str,
    count: u32,
}

/// The rows.
pub fn rows() -> Vec<Box<dyn Row>> {
    let shared = Shared::default();
    let step = |name, unit, key| {
        let shared = shared.clone();
        Box::new(Steps {
            name,
            unit,
            key,
            shared,
        }) as Box<dyn Row>
    };
    vec![
        step(
            "durable steps: the disk alone, synced pages",
            "1/s",
            "syncs_per_s",
        ),
        step("durable steps: one workflow", "1/s", "steps_per_s_1"),
        step("durable steps: 64 workflows", "1/s", "steps_per_s_64"),
        step("durable steps: LangGraph, one workflow", "1/s", "langgraph_1"),
        step("durable steps: LangGraph, 64 workflows", "1/s", "langgraph_64"),
        step("durable streams: 1000 workflows, events", "1/s", "events_per_s"),
        step(
            "durable streams: 1000 workflows, p99 of an event",
            "ms",
            "latency_p99_ms",
        ),
        step("durable history of 2000 tokens", "KiB", "history_kib"),
        step(
            "durable history of 2000 tokens, in pieces of 2",
            "KiB",
            "history_2_kib",
        ),
        Box::new(Memory),
        Box::new(Resume {
            name: "durable: 1000 unfinished, start to the first that goes on",
            count: 1,
        }),
        Box::new(Resume {
            name: "durable: 1000 unfinished, start to the last that goes on",
            count: UNFINISHED,
        }),
    ]
}

impl Row for Steps {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn unit(&self) -> &'static str {
        self.unit
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        let runs = self
            .shared
            .get_or_init(|| measure(bench).map_err(|error| format!("{error:#}")));
        let runs = runs.as_ref().map_err(|error| anyhow!("{error}"))?;
        let number = |run: &Value| {
            run[self.key]
                .as_f64()
                .with_context(|| format!("no {} in {run}", self.key))
        };
        runs.iter().map(number).collect()
    }
}

fn measure(bench: &Bench) -> anyhow::Result<Vec<Value>> {
    cargo::build_example(&bench.paths, bench.profile, "durable")?;
    let folder = python_environment::folder("AGENTIC_IDE_LANGGRAPH_VENV", "langgraph-venv");
    let python = python_environment::interpreter(&folder, LANGGRAPH, Dependencies::Installed)
        .map_err(anyhow::Error::msg)?;
    (0..bench.samples())
        .map(|_| {
            let dir = tempfile::tempdir()?;
            let mut durable = Command::new(bench.binary("examples/durable"));
            let mut run = answer(durable.arg("measure").arg(dir.path()))?;
            fs::write(dir.path().join("steps.py"), STEPS)?;
            let mut langgraph = Command::new(&python);
            langgraph
                .arg(dir.path().join("steps.py"))
                .arg(dir.path().join("langgraph.db"));
            let other = answer(langgraph.args([SECONDS, MANY].map(|number| number.to_string())))?;
            (run["langgraph_1"], run["langgraph_64"]) = (other["one"].clone(), other["many"].clone());
            Ok(run)
        })
        .collect()
}

fn answer(command: &mut Command) -> anyhow::Result<Value> {
    let text = python_environment::output(command, b"").map_err(anyhow::Error::msg)?;
    serde_json::from_str(&text).with_context(|| format!("{command:?} said {text}"))
}

/// A data folder with unfinished workflows, in `dir`.
fn fill(bench: &Bench, dir: &Path, count: u32, until: &str) -> anyhow::Result<()> {
    cargo::build_example(&bench.paths, bench.profile, "durable")?;
    let workspace = dir.join("workspace");
    fs::create_dir_all(&workspace)?;
    fs::write(workspace.join("app.py"), "def main():\n    pass\n")?;
    let mut command = Command::new(bench.binary("examples/durable"));
    command.arg("fill").arg(dir.join("data")).arg(workspace);
    answer(command.args([&count.to_string(), until])).map(drop)
}

impl Row for Memory {
    fn name(&self) -> String {
        "durable: memory of a workflow that waits for a person".to_owned()
    }

    fn unit(&self) -> &'static str {
        "KiB"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        let resident = |count| {
            bench.each(|crew, dir| {
                fill(bench, dir, count, "asked")?;
                start(bench, crew, dir)?;
                thread::sleep(SETTLE);
                memory::resident_mib(crew.program("agentic-ide-backend")?.pid())
            })
        };
        let (empty, full) = (resident(1)?, resident(UNFINISHED)?);
        let each = |(empty, full): (f64, f64)| (full - empty) * 1_024.0 / f64::from(UNFINISHED);
        Ok(empty.into_iter().zip(full).map(each).collect())
    }
}

/// Starts a model that stays silent and the backend; its base URL.
fn start(bench: &Bench, crew: &mut Crew, dir: &Path) -> anyhow::Result<String> {
    let model = workflow::start_model(bench, crew, dir, 1)?;
    workflow::start_backend(bench, crew, dir, &model)?;
    workflow::wait_backend(crew, dir)
}

impl Row for Resume {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn unit(&self) -> &'static str {
        "ms"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| {
            fill(bench, dir, UNFINISHED, "running")?;
            let model = workflow::start_model(bench, crew, dir, 1)?;
            let watch = Stopwatch::start();
            workflow::start_backend(bench, crew, dir, &model)?;
            let backend = workflow::wait_backend(crew, dir)?;
            while watch.elapsed() < RESUME_WAIT {
                if resumed(&http::get(&backend, "/debug/metrics")?.body) >= f64::from(self.count) {
                    return Ok(super::millis(watch.elapsed()));
                }
                thread::sleep(Duration::from_millis(2));
            }
            bail!("not all of them went on");
        })
    }
}

fn resumed(metrics: &str) -> f64 {
    let lines = metrics.lines();
    let number = |line: &str| {
        line.strip_prefix("agentic_ide_workflows_resumed_total ")?
            .trim()
            .parse()
            .ok()
    };
    lines.filter_map(number).next_back().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_gone_on_is_counted() {
        let text =
            "# TYPE agentic_ide_workflows_resumed_total counter\nagentic_ide_workflows_resumed_total 12\n";
        assert_eq!(resumed(text), 12.0);
        assert_eq!(resumed(""), 0.0);
    }
}
