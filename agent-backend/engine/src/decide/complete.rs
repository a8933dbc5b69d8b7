//! A stage ended with a result.

use shared::error::{Class, Code};

use super::{fail, steps, turn::Turn};
use crate::{
    artifact::{ApplyIntent, CheckReport, Failure},
    blob::BlobId,
    command::{FoundBy, Output},
    event::{Ending, Event},
    graph::{Stage, StageKind},
    recheck::Standing,
    state::{Outcome, Running},
};

pub(super) fn complete(turn: &mut Turn<'_>, output: Output) {
    let Some((running, stage)) = turn.running() else {
        return;
    };
    let result = match (stage.kind(), output) {
        (Some(StageKind::Retrieval), Output::Context(context)) => Event::ContextRetrieved(context),
        (Some(StageKind::Planning), Output::Plan(plan)) => Event::Planned(plan),
        (
            Some(StageKind::CodeGeneration | StageKind::TestGeneration | StageKind::Revert),
            Output::Proposal(proposal),
        ) => Event::Proposed(proposal),
        (
            Some(StageKind::Checks),
            Output::Checks {
                reports,
                problems,
                found_by,
            },
        ) => {
            return checked(turn, &running, &stage, reports, &problems, found_by);
        }
        (Some(StageKind::Apply), Output::Applied(applied)) if turn.state().intent.is_some() => {
            turn.emit(Event::Applied(applied));
            turn.end(
                &stage.id,
                running.attempt,
                running.started_at_ms,
                Ending::Succeeded,
            );
            return steps::finish(turn, Outcome::Completed);
        }
        (_, output) => {
            let message = format!("the stage `{}` cannot end here with {output:?}", stage.id);
            return fail::fail(turn, fail::internal(&message));
        }
    };
    turn.emit(result);
    turn.end(
        &stage.id,
        running.attempt,
        running.started_at_ms,
        Ending::Succeeded,
    );
    steps::go_on_after(turn, &stage.id);
}

/// What will be written is known. Problems of it that nobody has seen come
/// first, also where a restart fell between them and the question.
pub(super) fn intend(turn: &mut Turn<'_>, intent: ApplyIntent) {
    match turn.state().standing(&intent.files) {
        Standing::Objected(problems) => fail::fail(turn, objection(&problems)),
        Standing::Known | Standing::Unchecked => turn.emit(Event::ApplyIntended(intent)),
    }
}

/// What would be written was looked at once more: it is written, unless that
/// brought something up that nobody has seen.
pub(super) fn recheck(turn: &mut Turn<'_>, of: BlobId, reports: Vec<CheckReport>, problems: &[String]) {
    let applies = turn
        .running()
        .is_some_and(|(_, stage)| stage.is(StageKind::Apply));
    if !applies {
        return fail::fail(
            turn,
            fail::internal("nothing is about to be written that could be checked"),
        );
    }
    // It is being written: nothing depends on it any more.
    if turn.state().intent.is_some() {
        return;
    }
    for report in reports {
        turn.emit(Event::Checked(report));
    }
    turn.emit(Event::Rechecked {
        of,
        problems: problems.to_vec(),
    });
    if !problems.is_empty() {
        fail::fail(turn, objection(problems));
    }
}

/// Why nothing is written although it was accepted.
fn objection(problems: &[String]) -> Failure {
    Failure {
        class: Class::Permanent,
        code: Code::MergedChecksFailed,
        message: format!(
            "what would be written is not what was checked, and fails: accept again to write it all the same\n{}",
            problems.join("\n")
        ),
    }
}

fn checked(
    turn: &mut Turn<'_>,
    running: &Running,
    stage: &Stage,
    reports: Vec<CheckReport>,
    problems: &[String],
    found_by: FoundBy,
) {
    for report in reports {
        turn.emit(Event::Checked(report));
    }
    let (attempt, since_ms) = (running.attempt, running.started_at_ms);
    if problems.is_empty() {
        turn.end(&stage.id, attempt, since_ms, Ending::Succeeded);
        return steps::go_on_after(turn, &stage.id);
    }
    let failure = Failure {
        class: Class::Permanent,
        code: Code::ChecksFailed,
        message: problems.join("\n"),
    };
    turn.end(&stage.id, attempt, since_ms, Ending::Failed(failure));
    let attempts_max = match found_by {
        FoundBy::Reading => stage.attempts_max,
        FoundBy::Running => stage.run_attempts_max.unwrap_or(stage.attempts_max),
    };
    match &stage.retry_from {
        Some(target) if fail::failed(turn, &stage.id) < attempts_max => steps::begin_again(turn, target),
        // The person is shown the proposal with its failed evidence.
        Some(_) | None => steps::go_on_after(turn, &stage.id),
    }
}
