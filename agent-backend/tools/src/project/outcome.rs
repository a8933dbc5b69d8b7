//! What a step shows about a change: how it ended with it, and how without.

use std::collections::BTreeSet;

use super::{Ecosystem, Failure, Goal, failure};

/// New failures that are named.
const NAMED_MAX: usize = 10;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself.
    Exited(i32),
    /// It was ended; how, in words.
    Ended(String),
}

/// One run of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) ending: Ending,
    /// Everything it printed, as far as it was kept.
    pub(crate) output: String,
}

impl Ran {
    pub(crate) fn succeeded(&self) -> bool {
        self.ending == Ending::Exited(0)
    }

    /// How it ended, in words.
    pub(crate) fn words(&self) -> String {
        match &self.ending {
            Ending::Exited(code) => format!("exit status {code}"),
            Ending::Ended(how) => how.clone(),
        }
    }
}

/// What the runs say about the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It holds.
    Passed(String),
    /// It breaks something that held.
    Failed(String),
    /// Nothing can be said, for this reason.
    Unknown(String),
}

/// Compares a run with the change and one without; `before` is asked only if
/// the first failed.
pub(crate) fn judge(
    ecosystem: Ecosystem,
    goal: Goal,
    after: &Ran,
    before: impl FnOnce() -> Result<Ran, String>,
) -> Verdict {
    if after.succeeded() {
        return Verdict::Passed("exit status 0".to_owned());
    }
    if let Some(reason) = ecosystem.lacks(&after.output) {
        return Verdict::Unknown(reason.to_owned());
    }
    let before = match before() {
        Ok(before) => before,
        Err(reason) => return Verdict::Failed(format!("{}; without the change: {reason}", after.words())),
    };
    let failures = ecosystem.failures(&after.output);
    let what = match goal {
        Goal::Build => "problems",
        Goal::Test => "failures",
    };
    if before.succeeded() {
        return Verdict::Failed(format!(
            "{}; without the change it succeeds{}",
            after.words(),
            list(&failures)
        ));
    }
    let old = ecosystem.failures(&before.output);
    let new = failure::new_ones(&old, &failures);
    if !new.is_empty() {
        return Verdict::Failed(format!(
            "{}; {} of {} {what} are new{}",
            after.words(),
            new.len(),
            failures.len(),
            list(&new)
        ));
    }
    // A run that was cut short or broke off says nothing of what it did not reach;
    // nor do tests that could not be built.
    let is_unbuilt = goal == Goal::Test && failures.iter().any(|failure| failure.name.contains(": error"));
    let is_complete = matches!(after.ending, Ending::Exited(_)) && !failures.is_empty() && !is_unbuilt;
    if is_complete {
        return Verdict::Passed(format!(
            "{}; all {} {what} are there without the change too{}",
            after.words(),
            failures.len(),
            list(&failures)
        ));
    }
    Verdict::Unknown(format!(
        "{}; without the change it fails too: {}",
        after.words(),
        before.words()
    ))
}

fn list(failures: &BTreeSet<Failure>) -> String {
    let mut text: String = failures
        .iter()
        .take(NAMED_MAX)
        .map(|failure| format!("\n- {failure}"))
        .collect();
    if failures.len() > NAMED_MAX {
        text.push_str(&format!("\n- and {} more", failures.len() - NAMED_MAX));
    }
    text
}
