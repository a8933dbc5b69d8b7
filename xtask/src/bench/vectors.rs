//! The vector database with points in it: upserts, hybrid searches, memory and
//! start, for the embedded engine and, where `QDRANT_BIN` names a program or
//! `QDRANT_URL` an address, for a real Qdrant beside it.
//!
//! The measuring itself is `vectordb-launcher/examples/vectors`, which speaks
//! Qdrant's gRPC. It runs once for each server, and every row reads its figures.

use std::{cell::OnceCell, ffi::OsString, rc::Rc};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::{Bench, Row};
use crate::cargo::{self, Profile};

const EXAMPLE: &str = "vectors";

/// Points that are stored; a debug build takes minutes for what a release build
/// does in seconds.
const POINTS_RELEASE: u32 = 100_000;
const POINTS_DEBUG: u32 = 2_000;

/// Longest wait for the graph index.
const INDEX_SECONDS_MAX: u32 = 900;

/// Its figures, as it calls them, with their units.
const FIGURES: &[(&str, &str)] = &[
    ("upsert", "points/s"),
    ("hybrid query, p50", "ms"),
    ("hybrid query, p99", "ms"),
    ("recall@10, hybrid", ""),
    ("hybrid query while upserts go on, p50", "ms"),
    ("hybrid query while upserts go on, p99", "ms"),
    ("ready after a stop", "s"),
    ("ready after kill -9", "s"),
    ("idle memory", "MiB"),
];

/// One server and what was measured of it.
struct Server {
    label: &'static str,
    arguments: Vec<OsString>,
    figures: OnceCell<Result<Value, String>>,
}

struct Figure {
    server: Rc<Server>,
    key: &'static str,
    unit: &'static str,
}

/// A row for each figure of each server.
pub fn rows() -> Vec<Box<dyn Row>> {
    let mut servers = vec![Server::new("embedded", Vec::new())];
    if let Some(url) = std::env::var_os("QDRANT_URL") {
        servers.push(Server::new("Qdrant", vec!["--url".into(), url]));
    } else if let Some(program) = std::env::var_os("QDRANT_BIN") {
        servers.push(Server::new("Qdrant", vec!["--qdrant".into(), program]));
    }
    let mut rows: Vec<Box<dyn Row>> = Vec::new();
    for server in servers.into_iter().map(Rc::new) {
        rows.extend(FIGURES.iter().map(|(key, unit)| {
            let server = Rc::clone(&server);
            Box::new(Figure { server, key, unit }) as Box<dyn Row>
        }));
    }
    rows
}

impl Row for Figure {
    fn name(&self) -> String {
        format!("vectors, {}: {}", self.server.label, self.key)
    }

    fn unit(&self) -> &'static str {
        self.unit
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        let figures = self
            .server
            .figures
            .get_or_init(|| self.server.measure(bench).map_err(|error| format!("{error:#}")));
        let figures = figures.as_ref().map_err(|error| anyhow!("{error}"))?;
        let value = figures[self.key].as_f64();
        Ok(vec![value.context("this server has no such figure")?])
    }
}

impl Server {
    fn new(label: &'static str, arguments: Vec<OsString>) -> Self {
        Self {
            label,
            arguments,
            figures: OnceCell::new(),
        }
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Value> {
        cargo::build_example(&bench.paths, bench.profile, EXAMPLE)?;
        let (points, index_seconds) = match bench.profile {
            Profile::Release => (POINTS_RELEASE, INDEX_SECONDS_MAX),
            // So few points get no index.
            Profile::Debug => (POINTS_DEBUG, 0),
        };
        let output = std::process::Command::new(bench.binary(&format!("examples/{EXAMPLE}")))
            .args(["--json", "--points", &points.to_string()])
            .args(["--index-wait", &index_seconds.to_string()])
            .args(&self.arguments)
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("cannot start the measuring program")?;
        if !output.status.success() {
            bail!("the measuring program ended with {}", output.status);
        }
        serde_json::from_slice(&output.stdout).context("the figures are no JSON")
    }
}
