//! What a person, or the time they let pass, decides.

use super::{fail::internal, lanes, steps, turn::Turn};
use crate::{
    artifact::{Decision, Selection},
    command::Reject,
    event::{Ending, Event},
    graph::DefaultAnswer,
    limits::{FEEDBACK_BYTES_MAX, HELP_ATTEMPTS_MAX, ITERATIONS_MAX, REMARK_BYTES_MAX, REMARKS_MAX},
    state::{Outcome, Phase, Question, State},
};
use shared::id::StageId;

pub(super) fn answer(turn: &mut Turn<'_>, iteration: Option<u32>, decision: &Decision) -> Result<(), Reject> {
    let Phase::AwaitingDecision {
        stage,
        question,
        since_ms,
        ..
    } = &turn.state().phase
    else {
        return Err(Reject::NoDecisionPending);
    };
    let (stage, question, since_ms) = (stage.clone(), question.clone(), *since_ms);
    let current = turn.state().iteration;
    if let Some(asked) = iteration.filter(|asked| *asked != current) {
        return Err(Reject::OtherIteration { asked, current });
    }
    check(turn.state(), &stage, &question, decision)?;
    match question {
        Question::Review => review(turn, &stage, since_ms, decision),
        Question::Failure => help(turn, &stage, decision),
        Question::Unisolated | Question::Tool(_) => {
            turn.emit(Event::Decided(decision.clone()));
            steps::begin_again(turn, &stage);
        }
    }
    Ok(())
}

fn check(state: &State, stage: &StageId, question: &Question, decision: &Decision) -> Result<(), Reject> {
    let goes_on = !matches!(decision, Decision::Reject { .. });
    let attempts = state.record(stage).map_or(0, |record| record.attempts);
    // Somebody who always says yes must not keep it going for ever.
    if *question == Question::Failure && goes_on && attempts >= HELP_ATTEMPTS_MAX {
        return Err(Reject::TooManyAttempts {
            max: HELP_ATTEMPTS_MAX,
        });
    }
    match decision {
        Decision::Accept(selection) => match question {
            Question::Review => check_selection(state, selection),
            Question::Failure | Question::Unisolated | Question::Tool(_) if *selection == Selection::All => {
                Ok(())
            }
            Question::Failure => Err(Reject::NothingToSelect),
            Question::Unisolated | Question::Tool(_) => Err(Reject::YesOrNo),
        },
        Decision::Reject { .. } => Ok(()),
        Decision::Modify { .. } if matches!(question, Question::Unisolated | Question::Tool(_)) => {
            Err(Reject::YesOrNo)
        }
        Decision::Modify { feedback } => {
            if feedback.trim().is_empty() {
                return Err(Reject::FeedbackEmpty);
            }
            if feedback.len() > FEEDBACK_BYTES_MAX {
                return Err(Reject::QueryTooLong {
                    bytes: feedback.len(),
                    max: FEEDBACK_BYTES_MAX,
                });
            }
            if *question == Question::Review && state.iteration >= ITERATIONS_MAX {
                return Err(Reject::TooManyIterations { max: ITERATIONS_MAX });
            }
            Ok(())
        }
    }
}

fn review(turn: &mut Turn<'_>, stage: &StageId, since_ms: u64, decision: &Decision) {
    let attempt = turn.state().record(stage).map_or(1, |record| record.attempts);
    turn.emit(Event::Decided(decision.clone()));
    turn.end(stage, attempt, since_ms, Ending::Succeeded);
    match decision {
        Decision::Accept(_) => steps::go_on_after(turn, stage),
        Decision::Reject { .. } => steps::finish(turn, Outcome::Rejected),
        Decision::Modify { .. } => iterate(turn, stage),
    }
}

/// Begins the next iteration where the review says.
fn iterate(turn: &mut Turn<'_>, review: &StageId) {
    let before = turn.state().iteration;
    turn.emit(Event::IterationStarted {
        iteration: before + 1,
    });
    let graph = turn.state().graph.clone();
    let target = graph
        .stage(review)
        .and_then(|review| graph.position(review.on_modify.as_ref()?))
        .unwrap_or(0);
    for stage in graph.stages.iter().take(target) {
        turn.skip(
            &stage.id,
            format!("the result of iteration {before} is used again"),
        );
    }
    if let Some(stage) = graph.stages.get(target) {
        steps::begin_again(turn, &stage.id);
    }
}

/// The answer to a question about a failed stage.
fn help(turn: &mut Turn<'_>, stage: &StageId, decision: &Decision) {
    turn.emit(Event::Decided(decision.clone()));
    match decision {
        Decision::Accept(_) | Decision::Modify { .. } => steps::begin_again(turn, stage),
        Decision::Reject { .. } => {
            let last = turn.state().failures.last().cloned();
            let failure = last.unwrap_or_else(|| internal("a question without a failure"));
            steps::finish(turn, Outcome::Failed(failure));
        }
    }
}

/// Nobody has answered in time.
pub(super) fn deadline_passed(turn: &mut Turn<'_>) {
    let Phase::AwaitingDecision { stage, question, .. } = &turn.state().phase else {
        return;
    };
    let (stage, question) = (stage.clone(), question.clone());
    let deadline = turn.state().graph.stage(&stage).and_then(|stage| stage.deadline);
    let decision = match deadline.map(|deadline| deadline.default) {
        // Nobody looked at the failure: there is nothing to accept.
        Some(DefaultAnswer::Accept) if question == Question::Review => Decision::Accept(Selection::All),
        Some(DefaultAnswer::Accept | DefaultAnswer::Reject) | None => Decision::Reject { feedback: None },
    };
    turn.emit(Event::DeadlinePassed { stage });
    // Both answers are possible at every question, so nothing is refused.
    let _answered = answer(turn, None, &decision);
}

pub(super) fn remark(state: &State, text: String) -> Result<Vec<Event>, Reject> {
    if text.trim().is_empty() {
        return Err(Reject::RemarkEmpty);
    }
    if text.len() > REMARK_BYTES_MAX {
        return Err(Reject::QueryTooLong {
            bytes: text.len(),
            max: REMARK_BYTES_MAX,
        });
    }
    // Said before: whoever did not hear the answer says it again.
    if state.remarks.iter().any(|said| said.text == text) {
        return Ok(Vec::new());
    }
    if state.remarks.len() >= REMARKS_MAX {
        return Err(Reject::TooManyRemarks { max: REMARKS_MAX });
    }
    if state.is_writing() {
        return Err(Reject::RemarkTooLate);
    }
    Ok(vec![Event::Remarked { text }])
}

pub(super) fn cancel(turn: &mut Turn<'_>) -> Result<(), Reject> {
    if turn.state().is_writing() {
        return Err(Reject::Applying);
    }
    lanes::stop(turn, "cancelled");
    lanes::stop_stage(turn, "cancelled");
    turn.emit(Event::Finished(Outcome::Cancelled));
    Ok(())
}

fn check_selection(state: &State, selection: &Selection) -> Result<(), Reject> {
    match selection {
        Selection::All => Ok(()),
        Selection::Files(files) => {
            let empty = |hunks: &Option<Vec<u32>>| hunks.as_ref().is_some_and(Vec::is_empty);
            if files.iter().all(|file| empty(&file.hunks)) {
                return Err(Reject::SelectionEmpty);
            }
            if let Some(both) = files
                .iter()
                .find(|file| file.hunks.is_some() && file.text.is_some())
            {
                return Err(Reject::HunksOfOwnText {
                    path: both.path.clone(),
                });
            }
            let known = state
                .proposal
                .as_ref()
                .map_or(&[][..], |proposal| &proposal.files);
            match files
                .iter()
                .find(|file| known.iter().all(|change| change.path != file.path))
            {
                Some(unknown) => Err(Reject::UnknownFile {
                    path: unknown.path.clone(),
                }),
                None => Ok(()),
            }
        }
    }
}
