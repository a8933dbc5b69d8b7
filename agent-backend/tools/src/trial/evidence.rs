//! What running a proposal gives: reports, and the logs that they name.

use std::time::Duration;

use engine::{
    artifact::{CheckReport, CheckStatus},
    blob::{Blob, BlobId},
};

use crate::{
    limits::{CHECK_OUTPUT_BYTES_MAX, TRIAL_EVIDENCE_BYTES_MAX, TRIAL_LOG_BYTES_MAX},
    process,
    project::{Ending, Ran, Step, Verdict},
};

/// One step with what came of it.
pub(super) struct Tried {
    pub(super) step: Step,
    pub(super) command: String,
    pub(super) duration: Duration,
    /// The exact command line, sandbox included.
    pub(super) recipe: String,
    /// What is said of how it was run.
    pub(super) mark: &'static str,
    pub(super) ran: Result<Ran, String>,
}

/// The evidence that running a proposal gives.
#[derive(Debug, Default)]
pub struct Evidence {
    /// One for each step, and for each that was left out.
    pub reports: Vec<CheckReport>,
    /// The logs that they name.
    pub logs: Vec<Blob>,
}

impl Evidence {
    pub(super) fn of(reports: Vec<CheckReport>) -> Self {
        Self {
            reports,
            logs: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, done: &Tried, verdict: &Verdict) {
        let log = done.ran.as_ref().ok().map(|ran| Blob::new(log(done, ran)));
        self.reports
            .push(report(done, verdict, log.as_ref().map(Blob::id)));
        self.logs.extend(log);
    }
}

/// The report of a check that was not run.
pub(super) fn none(name: &str, reason: String) -> CheckReport {
    CheckReport {
        name: name.to_owned(),
        status: CheckStatus::Skipped,
        command: None,
        exit_status: None,
        duration_ms: 0,
        output: reason,
        log: None,
    }
}

fn report(done: &Tried, verdict: &Verdict, log: Option<BlobId>) -> CheckReport {
    let (status, words) = match verdict {
        Verdict::Passed(words) => (CheckStatus::Passed, words),
        Verdict::Failed(words) => (CheckStatus::Failed, words),
        Verdict::Unknown(words) => (CheckStatus::Skipped, words),
    };
    let mut output = match done.ran {
        Ok(_) => format!("{}{words}", done.mark),
        Err(_) => words.clone(),
    };
    let end = done
        .ran
        .as_ref()
        .map(|ran| tail(&ran.output, TRIAL_EVIDENCE_BYTES_MAX))
        .unwrap_or_default();
    if !end.is_empty() {
        output.push_str("\n\n");
        output.push_str(end);
    }
    CheckReport {
        name: done.step.name.clone(),
        status,
        command: Some(done.command.clone()),
        exit_status: done.ran.as_ref().ok().and_then(|ran| match ran.ending {
            Ending::Exited(status) => Some(status),
            Ending::Ended(_) => None,
        }),
        duration_ms: u64::try_from(done.duration.as_millis()).unwrap_or(u64::MAX),
        output: process::complaint(output.as_bytes(), CHECK_OUTPUT_BYTES_MAX),
        log,
    }
}

/// How it was run, and what it printed.
fn log(done: &Tried, ran: &Ran) -> Vec<u8> {
    let printed = tail(&ran.output, TRIAL_LOG_BYTES_MAX);
    let cut = if printed.len() < ran.output.trim_end().len() {
        "(the beginning is left out)\n"
    } else {
        ""
    };
    format!("$ {}\n{cut}{printed}\n# {}\n", done.recipe, ran.words()).into_bytes()
}

/// The end of an output, from the beginning of a line.
fn tail(output: &str, bytes_max: usize) -> &str {
    let output = output.trim_end();
    let mut from = output.len().saturating_sub(bytes_max);
    if from == 0 {
        return output;
    }
    while !output.is_char_boundary(from) {
        from += 1;
    }
    let end = &output[from..];
    end.split_once('\n').map_or(end, |(_, rest)| rest)
}
