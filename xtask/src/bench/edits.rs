//! Applying an answer to a file of 5,000 lines, in every format of edits.
//!
//! The measuring itself is `agents/examples/edits`; it runs once, and every row
//! reads its figures.

use std::{cell::OnceCell, process::Command, rc::Rc};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::{Bench, Row};
use crate::cargo;

const EXAMPLE: &str = "edits";

/// What it measures, as it calls it.
const FORMATS: &[&str] = &[
    "whole file",
    "search and replace",
    "unified diff",
    "unified diff, misremembered",
    "apply_patch",
    "whole function",
];

struct Format {
    name: &'static str,
    figures: Rc<OnceCell<Result<Value, String>>>,
}

/// A row for each format.
pub fn rows() -> Vec<Box<dyn Row>> {
    let figures = Rc::new(OnceCell::new());
    let row = |name: &&'static str| {
        Box::new(Format {
            name,
            figures: Rc::clone(&figures),
        }) as Box<dyn Row>
    };
    FORMATS.iter().map(row).collect()
}

impl Row for Format {
    fn name(&self) -> String {
        format!("edits: 5000 lines, {}", self.name)
    }

    fn unit(&self) -> &'static str {
        "ms"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        let figures = self
            .figures
            .get_or_init(|| measure(bench).map_err(|error| format!("{error:#}")));
        let figures = figures.as_ref().map_err(|error| anyhow!("{error}"))?;
        let samples = figures[self.name].as_array().context("there is no such figure")?;
        Ok(samples.iter().filter_map(Value::as_f64).collect())
    }
}

fn measure(bench: &Bench) -> anyhow::Result<Value> {
    cargo::build_example(&bench.paths, bench.profile, EXAMPLE)?;
    let output = Command::new(bench.binary(&format!("examples/{EXAMPLE}")))
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot start the measuring program")?;
    if !output.status.success() {
        bail!("the measuring program ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("the figures are no JSON")
}
