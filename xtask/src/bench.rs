//! `cargo xtask bench`: measures the programs from outside and prints a table.
//!
//! A row is anything that gives samples of one number. `docs/benchmarks.md`
//! says what each row means and how it is measured.

mod acp;
mod durable;
mod edits;
mod launch;
mod memory;
mod resume;
mod start;
mod stop;
mod stream;
mod vectors;
mod workflow;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;

use crate::{
    cargo::{self, Profile},
    crew::Crew,
    needs,
    paths::Paths,
    say,
};

/// What is measured.
const PROGRAMS: &[&str] = &[
    "agentic-ide-backend",
    "agentic-ide-gui",
    "scripted-ollama",
    "agentic-ide-vectordb",
];

/// Options of the benchmark.
#[derive(Debug, Args)]
pub struct Options {
    /// Measure release builds, as they are shipped.
    #[arg(long)]
    release: bool,
    /// Samples of each row.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    samples: u32,
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// What a row may use.
#[derive(Debug)]
pub struct Bench {
    paths: Paths,
    profile: Profile,
    samples: u32,
}

impl Bench {
    /// A binary of the build that is measured.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.paths.binary(self.profile.folder(), name)
    }

    /// How many samples a row should take.
    pub fn samples(&self) -> u32 {
        self.samples
    }

    /// Runs `measure` in a fresh directory, with a fresh crew, once per sample.
    pub fn each(
        &self,
        mut measure: impl FnMut(&mut Crew, &std::path::Path) -> anyhow::Result<f64>,
    ) -> anyhow::Result<Vec<f64>> {
        (0..self.samples()).map(|_| once(&mut measure)).collect()
    }
}

/// Runs `measure` in a fresh directory, with a fresh crew.
fn once<T>(measure: impl FnOnce(&mut Crew, &std::path::Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let dir = tempfile::tempdir()?;
    let mut crew = Crew::new(&dir.path().join("logs"))?;
    measure(&mut crew, dir.path())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The sample that so many percent of the others do not exceed.
fn quantile(sorted: &[f64], percent: usize) -> Option<f64> {
    sorted
        .get(sorted.len().saturating_sub(1) * percent / 100)
        .copied()
}

/// One line of the table.
pub trait Row {
    /// What is measured, for example `cold start: backend`.
    fn name(&self) -> String;
    /// Unit of the samples, for example `ms`.
    fn unit(&self) -> &'static str;
    /// Takes the samples.
    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>>;
}

fn rows() -> Vec<Box<dyn Row>> {
    let mut rows: Vec<Box<dyn Row>> = Vec::new();
    rows.extend(start::rows());
    rows.extend(memory::rows());
    rows.extend(resume::rows());
    rows.extend(durable::rows());
    rows.extend(stream::rows());
    rows.extend(stop::rows());
    rows.extend(acp::rows());
    rows.extend(edits::rows());
    rows.extend(vectors::rows());
    rows
}

/// Builds, measures, prints.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let profile = if options.release {
        Profile::Release
    } else {
        Profile::Debug
    };
    let bench = Bench {
        paths: Paths::find(),
        profile,
        samples: options.samples,
    };
    cargo::build(&bench.paths, profile, PROGRAMS)?;

    let mut results = Vec::new();
    for row in rows()
        .into_iter()
        .filter(|row| row.name().contains(&options.only))
    {
        if !options.json {
            say::note(&format!("measuring {}", row.name()));
        }
        let samples = row
            .measure(&bench)
            .with_context(|| format!("cannot measure `{}`", row.name()));
        results.push((row.name(), row.unit(), samples));
    }
    if options.json {
        println!("{:#}", json(&bench, &results));
    } else {
        say::step(&format!("{} build, {}", profile.folder(), machine()));
        say::table(&table(&results));
    }
    for (_, _, samples) in results {
        samples?;
    }
    Ok(())
}

type Measured = (String, &'static str, anyhow::Result<Vec<f64>>);

fn table(results: &[Measured]) -> Vec<Vec<String>> {
    let mut rows = vec![
        ["row", "median", "least", "most", "unit", "samples"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (name, unit, samples) in results {
        let mut cells = vec![name.clone()];
        match samples {
            Ok(samples) => {
                let summary = Summary::of(samples);
                cells.extend([summary.median, summary.least, summary.most].map(number));
                cells.extend([(*unit).to_owned(), samples.len().to_string()]);
            }
            Err(error) => cells.push(format!("failed: {}", error.root_cause())),
        }
        rows.push(cells);
    }
    rows
}

fn json(bench: &Bench, results: &[Measured]) -> serde_json::Value {
    let rows: Vec<serde_json::Value> = results
        .iter()
        .map(|(name, unit, samples)| match samples {
            Ok(samples) => serde_json::json!({"row": name, "unit": unit, "samples": samples}),
            Err(error) => serde_json::json!({"row": name, "error": format!("{error:#}")}),
        })
        .collect();
    serde_json::json!({"profile": bench.profile.folder(), "machine": machine(), "rows": rows})
}

/// Numbers are shown with three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[derive(Debug, PartialEq)]
struct Summary {
    median: f64,
    least: f64,
    most: f64,
}

impl Summary {
    fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            at(middle)
        } else {
            (at(middle.wrapping_sub(1)) + at(middle)) / 2.0
        };
        Self {
            median,
            least: at(0),
            most: at(sorted.len().wrapping_sub(1)),
        }
    }
}

/// The machine, as far as it matters for comparing numbers.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let system = needs::output("uname", &["-srm"]).unwrap_or_default();
    format!("{cores} cores, {}", system.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries() {
        fn check(samples: &[f64], median: f64, least: f64, most: f64) {
            assert_eq!(Summary::of(samples), Summary { median, least, most });
        }
        check(&[3.0, 1.0, 2.0], 2.0, 1.0, 3.0);
        check(&[4.0, 1.0], 2.5, 1.0, 4.0);
        check(&[7.0], 7.0, 7.0, 7.0);
        assert!(Summary::of(&[]).median.is_nan());
    }

    #[test]
    fn a_row_that_fails_is_shown_and_the_others_too() {
        let results: Vec<Measured> = vec![
            ("a".to_owned(), "ms", Ok(vec![1.0, 2.0, 30.25])),
            ("b".to_owned(), "ms", Err(anyhow::anyhow!("no display"))),
        ];
        let rows = table(&results);
        assert_eq!(rows[1], ["a", "2.00", "1.00", "30.2", "ms", "3"]);
        assert_eq!(rows[2], ["b", "failed: no display"]);
    }
}
