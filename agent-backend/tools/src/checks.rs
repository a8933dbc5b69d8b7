//! Checks of a proposal, each a piece of its evidence: syntax, compilation of
//! Python, leftover merge markers, credentials, formatters that the project
//! uses. Only problems that the proposal brings count; what was wrong before is
//! not held against it.
//!
//! Nothing of the proposal is executed and nothing is written to the workspace:
//! programs get the contents through standard input, and run in an empty
//! directory, so that neither a configuration found there nor a toolchain file
//! of the repository chooses what runs. Configuration that runs code is not
//! used. It must never know what is done about a failed check.

mod content;
mod dependencies;
mod format;
mod python;
mod security;
mod syntax;

use std::time::Duration;

pub use self::format::{Formatted, Formatter, format};

use engine::{
    artifact::{CheckReport, CheckStatus, FileChange},
    blob::BlobId,
};
use shared::clock::Stopwatch;

use crate::{
    Workspace,
    limits::{CHECK_OUTPUT_BYTES_MAX, CHECK_PROBLEMS_MAX, CHECK_TIMEOUT, CHECKS_TIMEOUT},
    process, trial,
};

/// Name of the check for calls that can do harm.
const DANGEROUS_CALLS: &str = "dangerous-calls";

/// How long checks may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// One program on one file.
    pub each: Duration,
    /// Everything; what has not begun by then is skipped.
    pub all: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            each: CHECK_TIMEOUT,
            all: CHECKS_TIMEOUT,
        }
    }
}

/// A changed file with its contents as text.
#[derive(Debug)]
struct Changed {
    path: String,
    /// Empty for a new file.
    old: String,
    new: String,
}

/// What a check has found, before it is timed and cut.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    status: CheckStatus,
    command: Option<String>,
    output: String,
}

impl Finding {
    fn skipped(reason: impl Into<String>) -> Self {
        Self {
            status: CheckStatus::Skipped,
            command: None,
            output: reason.into(),
        }
    }

    /// Failed if there are problems, one a line.
    fn of(problems: &[String], command: Option<String>) -> Self {
        let status = if problems.is_empty() {
            CheckStatus::Passed
        } else {
            CheckStatus::Failed
        };
        let mut output = problems
            .iter()
            .take(CHECK_PROBLEMS_MAX)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n");
        if problems.len() > CHECK_PROBLEMS_MAX {
            output.push_str(&format!("\nand {} more", problems.len() - CHECK_PROBLEMS_MAX));
        }
        Self {
            status,
            command,
            output,
        }
    }
}

/// Whether a failed check means that the proposal is wrong, and not merely
/// something for the person to judge: its format, a call that can do harm,
/// tests that show too little.
pub fn blocks(report: &CheckReport) -> bool {
    match report.status {
        CheckStatus::Failed => {
            let shown = ["format-", DANGEROUS_CALLS, trial::PROOF];
            !shown.iter().any(|name| report.name.starts_with(name))
        }
        CheckStatus::Passed | CheckStatus::Skipped => false,
    }
}

/// Runs every check that concerns these files. Never fails: a check that cannot
/// run is a skipped one, and says why.
pub fn run(
    workspace: &Workspace,
    files: &[FileChange],
    blobs: &dyn Fn(BlobId) -> Option<Vec<u8>>,
    timeouts: Timeouts,
) -> Vec<CheckReport> {
    let watch = Stopwatch::start();
    let text = |id: Option<BlobId>| {
        let bytes = id.and_then(blobs).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let changed: Vec<Changed> = files
        .iter()
        // Removed files have nothing to check.
        .filter(|file| file.new.is_some())
        .map(|file| Changed {
            path: file.path.clone(),
            old: text(file.old),
            new: text(file.new),
        })
        .collect();
    let mut reports = vec![
        report("syntax", || syntax::check(&changed, timeouts.each)),
        report("merge-markers", || content::merge_markers(&changed)),
        report("secrets", || content::secrets(&changed)),
        report(DANGEROUS_CALLS, || security::dangerous_calls(&changed)),
    ];
    if changed.iter().any(|file| dependencies::is_manifest(&file.path)) {
        reports.push(report("dependencies", || dependencies::dependencies(&changed)));
    }
    let mut program = |name: &str, check: &dyn Fn() -> Finding| {
        reports.push(report(name, || {
            if watch.elapsed() < timeouts.all {
                check()
            } else {
                Finding::skipped("no time was left for it")
            }
        }));
    };
    if changed.iter().any(|file| python::concerns(&file.path)) {
        program("python-compile", &|| python::check(&changed, timeouts.each));
    }
    for formatter in format::used(workspace.root(), &changed) {
        program(&formatter.name(), &|| {
            formatter.check(workspace.root(), &changed, timeouts.each)
        });
    }
    reports
}

fn report(name: &str, check: impl FnOnce() -> Finding) -> CheckReport {
    let watch = Stopwatch::start();
    let Finding {
        status,
        command,
        output,
    } = check();
    CheckReport {
        name: name.to_owned(),
        status,
        command,
        exit_status: None,
        duration_ms: watch.elapsed_ms(),
        output: process::complaint(output.as_bytes(), CHECK_OUTPUT_BYTES_MAX),
        log: None,
    }
}

/// The part of a path behind its last dot.
fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}
