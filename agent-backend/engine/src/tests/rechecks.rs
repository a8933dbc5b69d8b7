//! What would be written is not what was checked: it is checked, and what that
//! brings up is shown before anything is written.

use super::support::*;
use crate::{
    Command, Event, Output,
    artifact::{ApplyIntent, CheckStatus},
    blob::BlobId,
    recheck::{Standing, identity},
};

/// What the merge made of the proposal.
fn merged(text: &str) -> ApplyIntent {
    let mut files = proposal(&["a.py", "test_a.py"]).files;
    files[0].new = Some(BlobId::of(text.as_bytes()));
    ApplyIntent {
        commit: None,
        files,
        unsaved: Vec::new(),
        restored: Vec::new(),
    }
}

fn recheck(run: &Run, intent: &ApplyIntent, problems: &[&str]) -> Command {
    let (stage, attempt) = run.at();
    let status = if problems.is_empty() {
        CheckStatus::Passed
    } else {
        CheckStatus::Failed
    };
    Command::Recheck {
        stage,
        attempt,
        of: identity(&intent.files),
        reports: vec![report(status)],
        problems: problems.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn intend(run: &Run, intent: ApplyIntent) -> Command {
    let (stage, attempt) = run.at();
    Command::IntendApply {
        stage,
        attempt,
        intent,
    }
}

const OBJECTION: &str = "notice what would be written is not what was checked, and fails: accept again to write it \
                         all the same\nsyntax: line 9";

#[test]
fn what_holds_after_merging_is_written_at_once() {
    let mut run = Run::to_apply();
    let proposed = run.state.proposal.as_ref().unwrap().files.clone();
    assert_eq!(run.state.standing(&proposed), Standing::Known);
    let merged = merged("both");
    assert_eq!(run.state.standing(&merged.files), Standing::Unchecked);
    run.check(
        recheck(&run, &merged, &[]),
        &["check Passed", "rechecked, problems 0"],
    );
    assert_eq!(run.state.standing(&merged.files), Standing::Known);
    assert_eq!(run.state.standing(&proposed), Standing::Unchecked);
    run.check(intend(&run, merged), &["intend"]);
    run.complete(Output::Applied(applied()));
    assert!(run.state.is_finished());
}

#[test]
fn what_fails_after_merging_is_shown_and_written_if_it_is_accepted_again() {
    let mut run = Run::to_apply();
    let merged = merged("both");
    run.check(
        recheck(&run, &merged, &["syntax: line 9"]),
        &[
            "check Failed",
            "rechecked, problems 1",
            "fail apply 1: permanent",
            OBJECTION,
            "start review 2",
            "ask",
        ],
    );
    let checks: Vec<CheckStatus> = run.state.checks.iter().map(|report| report.status).collect();
    assert_eq!(checks, [CheckStatus::Failed], "the evidence is the new one");
    run.give(accept()).unwrap();
    run.check(intend(&run, merged), &["intend"]);
}

#[test]
fn what_is_accepted_again_and_edited_again_is_checked_again() {
    let mut run = Run::to_apply();
    run.give(recheck(&run, &merged("both"), &["syntax: line 9"]))
        .unwrap();
    run.give(accept()).unwrap();
    assert_eq!(run.state.standing(&merged("more").files), Standing::Unchecked);
    run.give(recheck(&run, &merged("more"), &[])).unwrap();
    assert_eq!(run.state.standing(&merged("more").files), Standing::Known);
    assert_eq!(run.state.standing(&merged("both").files), Standing::Unchecked);
}

/// Cut between what was found and the question about it.
#[test]
fn what_was_found_and_not_shown_is_never_written() {
    let mut run = Run::to_apply();
    let merged = merged("both");
    run.give(recheck(&run, &merged, &["syntax: line 9"])).unwrap();
    let found = run.history.iter();
    let found = found.filter(|recorded| !matches!(recorded.event, Event::StageFinished { .. }));
    assert!(found.count() < run.history.len());
    let at = run
        .history
        .iter()
        .position(|recorded| matches!(recorded.event, Event::Rechecked { .. }))
        .unwrap();
    let mut killed = Run::resumed(&run.history[..=at]);
    killed.check(Command::Resume, &["resumed", "start apply 2"]);
    assert_eq!(
        killed.state.standing(&merged.files),
        Standing::Objected(vec!["syntax: line 9".to_owned()])
    );
    killed.check(
        intend(&killed, merged),
        &["fail apply 2: permanent", OBJECTION, "start review 2", "ask"],
    );
}

#[test]
fn another_proposal_has_evidence_of_its_own() {
    let mut run = Run::to_apply();
    run.give(recheck(&run, &merged("both"), &["syntax: line 9"]))
        .unwrap();
    run.give(modify("otherwise")).unwrap();
    assert_eq!(run.state.recheck, None);
}

#[test]
fn it_ends_with_the_workflow_and_late_evidence_counts_for_nothing() {
    let mut run = Run::to_apply();
    let late = recheck(&run, &merged("both"), &[]);
    run.check(Command::Cancel, &["skip apply: cancelled", "cancelled"]);
    run.refuse(late, "finished");
}
