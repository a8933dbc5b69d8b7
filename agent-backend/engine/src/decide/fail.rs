//! A stage ended without a result.

use shared::{
    error::{Class, Code},
    id::StageId,
};

use super::{steps, turn::Turn};
use crate::{
    artifact::{Failure, WantedCall},
    event::{Ending, Event, Help, Notice, NoticeLevel},
    graph::{OnFailure, Presence, Stage, StageKind},
    state::Outcome,
};

pub(super) fn fail(turn: &mut Turn<'_>, failure: Failure) {
    let Some((running, stage)) = turn.running() else {
        return;
    };
    discard(turn, &failure.message);
    if failure.code == Code::UnisolatedRun {
        warn(turn, &failure);
        return ask_permission(turn, &stage, Help::Unisolated);
    }
    turn.end(
        &stage.id,
        running.attempt,
        running.started_at_ms,
        Ending::Failed(failure.clone()),
    );
    settle(turn, &stage, failure);
}

/// A model wants to call a tool that needs a person's permission.
pub(super) fn want(turn: &mut Turn<'_>, call: WantedCall) {
    let Some((_, stage)) = turn.running() else {
        return;
    };
    // Nobody can be asked by a part of a workflow, and its worker knows that.
    if turn.state().lane.is_some() {
        return fail(turn, internal("a part of a workflow has asked for a tool"));
    }
    discard(turn, "a person is asked about a tool");
    ask_permission(turn, &stage, Help::Tool(Box::new(call)));
}

/// What the attempt has written counts for nothing.
fn discard(turn: &mut Turn<'_>, reason: &str) {
    let Some((running, stage)) = turn.running() else {
        return;
    };
    if running.streamed_chars > 0 {
        turn.emit(Event::AttemptDiscarded {
            stage: stage.id,
            attempt: running.attempt,
            reason: reason.to_owned(),
        });
    }
}

/// Nothing went wrong: the stage begins again with the answer.
fn ask_permission(turn: &mut Turn<'_>, stage: &Stage, question: Help) {
    turn.emit(Event::HelpRequested {
        stage: stage.id.clone(),
        question,
    });
}

/// What follows an attempt that has ended with a failure.
pub(super) fn settle(turn: &mut Turn<'_>, stage: &Stage, failure: Failure) {
    // A question of the model is the person's to answer, whatever the definition
    // says about failures.
    let action = if failure.code == Code::RequestUnclear {
        OnFailure::Ask
    } else {
        stage.retry.on(failure.class)
    };
    // What a person refused or changed is theirs to look at again.
    let to_review = stage.is(StageKind::Apply) && failure.class != Class::Fatal;
    let again = action == OnFailure::Retry && !(to_review && failure.class == Class::Permanent);
    if again && may_retry(turn, stage) {
        return try_again(turn, stage, failure.class);
    }
    let last = match action {
        OnFailure::FallBack | OnFailure::Ask => Some(action),
        OnFailure::Retry | OnFailure::Fail => stage.retry.exhausted,
    };
    match last.filter(|_| failure.class != Class::Fatal) {
        Some(OnFailure::FallBack) => fall_back(turn, stage, failure),
        Some(OnFailure::Ask) => {
            warn(turn, &failure);
            turn.emit(Event::HelpRequested {
                stage: stage.id.clone(),
                question: Help::Failure,
            });
        }
        Some(OnFailure::Fail | OnFailure::Retry) => steps::finish(turn, Outcome::Failed(failure)),
        None => give_up(turn, stage, failure),
    }
}

/// What fits the stage, where its definition does not say.
fn give_up(turn: &mut Turn<'_>, stage: &Stage, failure: Failure) {
    if stage.is(StageKind::Apply) && failure.class != Class::Fatal {
        // Nothing is lost: the person sees why, and decides again.
        return match last_review(turn, &stage.id) {
            Some(review) => {
                warn(turn, &failure);
                steps::begin_again(turn, &review);
            }
            // An undo: whoever asked for it sees why, and asks again.
            None => steps::finish(turn, Outcome::Failed(failure)),
        };
    }
    if stage.presence == Presence::Optional && failure.class != Class::Fatal {
        return steps::go_on_after(turn, &stage.id);
    }
    match review_of_before(turn, stage, &failure) {
        Some(review) => {
            // What an earlier attempt made, with its evidence, is worth a look.
            warn(turn, &failure);
            steps::begin_again(turn, &review);
        }
        None => steps::finish(turn, Outcome::Failed(failure)),
    }
}

/// Whether the stage has an attempt left.
pub(super) fn may_retry(turn: &Turn<'_>, stage: &Stage) -> bool {
    failed(turn, &stage.id) < stage.attempts_max
}

/// Failed attempts at the stage so far.
pub(super) fn failed(turn: &Turn<'_>, stage: &StageId) -> u32 {
    turn.state().record(stage).map_or(0, |record| record.failed)
}

/// What failed for a passing reason waits before it is tried again; a model
/// that is told what was wrong need not.
fn try_again(turn: &mut Turn<'_>, stage: &Stage, class: Class) {
    if class != Class::Transient {
        return steps::begin_again(turn, &stage.id);
    }
    let random = turn.random();
    let delay_ms = stage.retry.backoff.delay_ms(failed(turn, &stage.id), random);
    let attempt = turn.next_attempt(&stage.id);
    let due_at_ms = turn.now_ms().saturating_add(delay_ms);
    turn.emit(Event::RetryScheduled {
        stage: stage.id.clone(),
        attempt,
        delay_ms,
        due_at_ms,
    });
}

fn fall_back(turn: &mut Turn<'_>, stage: &Stage, failure: Failure) {
    let graph = turn.state().graph.clone();
    let from = graph.position(&stage.id).map(|at| at + 1);
    let to = stage.fall_back.as_ref().and_then(|target| graph.position(target));
    let (Some(from), Some(to)) = (from, to) else {
        return give_up(turn, stage, failure);
    };
    warn(turn, &failure);
    for between in graph.stages.get(from..to).unwrap_or_default() {
        turn.skip(&between.id, format!("stage `{}` failed and falls back", stage.id));
    }
    steps::go_on(turn, to);
}

fn warn(turn: &mut Turn<'_>, failure: &Failure) {
    turn.emit(Event::Noticed(Notice {
        level: NoticeLevel::Warning,
        code: Some(failure.code),
        message: failure.message.clone(),
    }));
}

/// The review that is asked when no further attempt comes, if there is a
/// proposal of an earlier attempt to look at.
fn review_of_before(turn: &Turn<'_>, stage: &Stage, failure: &Failure) -> Option<StageId> {
    let state = turn.state();
    if !stage.is(StageKind::CodeGeneration) || failure.class != Class::Permanent || state.proposal.is_none() {
        return None;
    }
    let later = state.graph.stages.iter().skip(state.graph.position(&stage.id)?);
    later
        .filter(|stage| stage.is(StageKind::Review))
        .map(|stage| stage.id.clone())
        .next()
}

fn last_review(turn: &Turn<'_>, before: &StageId) -> Option<StageId> {
    let graph = &turn.state().graph;
    let mut earlier = graph.stages.iter().take(graph.position(before)?).rev();
    earlier
        .find(|stage| stage.is(StageKind::Review))
        .map(|stage| stage.id.clone())
}

pub(super) fn internal(message: &str) -> Failure {
    Failure {
        class: Class::Fatal,
        code: Code::Internal,
        message: message.to_owned(),
    }
}
