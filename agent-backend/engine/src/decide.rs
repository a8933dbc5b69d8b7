//! Commands to events. A refused command leaves no trace.

use shared::{
    error::{Class, Code},
    id::{CorrelationId, StageId, WorkflowId},
};

use crate::{
    artifact::{CheckReport, Decision, Failure, Plan, Selection, Task},
    command::{Command, Ctx, Output, Reject},
    event::{Ending, Event, Notice, NoticeLevel, Streamed},
    graph::{Graph, Presence, Stage, StageKind},
    limits::{FEEDBACK_BYTES_MAX, ITERATIONS_MAX, QUERY_BYTES_MAX, RESUMES_MAX},
    state::{Outcome, Phase, Running, State},
};

/// First events of a new workflow.
pub fn submit(
    workflow: WorkflowId,
    correlation: CorrelationId,
    task: Task,
    graph: Graph,
) -> Result<Vec<Event>, Reject> {
    if task.query.trim().is_empty() {
        return Err(Reject::QueryEmpty);
    }
    if task.query.len() > QUERY_BYTES_MAX {
        return Err(Reject::QueryTooLong {
            bytes: task.query.len(),
            max: QUERY_BYTES_MAX,
        });
    }
    let first = graph.stages.first().map(|stage| stage.id.clone());
    let mut events = vec![Event::Submitted {
        workflow,
        correlation,
        task,
        graph,
    }];
    events.extend(first.map(|stage| Event::StageStarted { stage, attempt: 1 }));
    Ok(events)
}

/// Events that `command` leads to in `state`.
pub fn decide(state: &State, command: Command, ctx: &Ctx) -> Result<Vec<Event>, Reject> {
    if state.is_finished() {
        return Err(Reject::Finished);
    }
    match command {
        Command::CompleteStage {
            stage,
            attempt,
            output,
        } => {
            let at = current(state, &stage, attempt)?;
            Ok(complete(state, at, output, ctx))
        }
        Command::FailStage {
            stage,
            attempt,
            failure,
        } => {
            let at = current(state, &stage, attempt)?;
            Ok(fail(state, at, failure, ctx))
        }
        Command::StreamText {
            stage,
            attempt,
            delta,
            tokens,
            total,
        } => {
            let (running, _) = current(state, &stage, attempt)?;
            let offset = running.streamed_chars;
            Ok(vec![Event::Streamed(Streamed {
                stage,
                attempt,
                offset,
                delta,
                tokens,
                total,
            })])
        }
        Command::RestartText {
            stage,
            attempt,
            reason,
        } => {
            current(state, &stage, attempt)?;
            Ok(vec![
                Event::AttemptDiscarded {
                    stage: stage.clone(),
                    attempt,
                    reason,
                },
                Event::StageStarted {
                    stage,
                    attempt: attempt + 1,
                },
            ])
        }
        Command::IntendApply {
            stage,
            attempt,
            intent,
        } => {
            current(state, &stage, attempt)?;
            Ok(vec![Event::ApplyIntended(intent)])
        }
        Command::Notify(notice) => Ok(vec![Event::Noticed(notice)]),
        Command::Decide { iteration, decision } => answer(state, iteration, decision, ctx),
        Command::Cancel => cancel(state, ctx),
        Command::Resume => Ok(resume(state)),
    }
}

type At<'a> = (&'a Running, &'a Stage);

/// The running stage, if it is this attempt at it.
fn current<'a>(state: &'a State, stage: &StageId, attempt: u32) -> Result<At<'a>, Reject> {
    match state.running() {
        Some(at) if at.0.stage == *stage && at.0.attempt == attempt => Ok(at),
        Some(_) | None => Err(Reject::Stale {
            stage: stage.clone(),
            attempt,
            head: state.head,
        }),
    }
}

fn finished(running: &Running, ending: Ending, ctx: &Ctx) -> Event {
    Event::StageFinished {
        stage: running.stage.clone(),
        attempt: running.attempt,
        ending,
        duration_ms: ctx.now_ms.saturating_sub(running.started_at_ms),
    }
}

fn complete(state: &State, at: At<'_>, output: Output, ctx: &Ctx) -> Vec<Event> {
    let (running, stage) = at;
    let mut events = Vec::new();
    let mut plan = state.plan.as_ref();
    let new_plan;
    match (stage.kind, output) {
        (StageKind::Retrieval, Output::Context(context)) => events.push(Event::ContextRetrieved(context)),
        (StageKind::Planning, Output::Plan(made)) => {
            events.push(Event::Planned(made.clone()));
            new_plan = made;
            plan = Some(&new_plan);
        }
        (StageKind::CodeGeneration | StageKind::TestGeneration, Output::Proposal(proposal)) => {
            events.push(Event::Proposed(proposal));
        }
        (StageKind::Checks, Output::Checks { reports, problems }) => {
            return checked(state, at, reports, &problems, ctx);
        }
        (StageKind::Apply, Output::Applied(applied)) if state.intent.is_some() => {
            events.push(Event::Applied(applied));
            events.push(finished(running, Ending::Succeeded, ctx));
            events.push(Event::Finished(Outcome::Completed));
            return events;
        }
        (kind, output) => {
            let message = format!(
                "a stage of kind `{}` cannot end here with {output:?}",
                kind.as_str()
            );
            return fail(
                state,
                at,
                Failure {
                    class: Class::Fatal,
                    code: Code::Internal,
                    message,
                },
                ctx,
            );
        }
    }
    events.push(finished(running, Ending::Succeeded, ctx));
    go_on(state, stage, plan, &mut events);
    events
}

fn checked(
    state: &State,
    (running, stage): At<'_>,
    reports: Vec<CheckReport>,
    problems: &[String],
    ctx: &Ctx,
) -> Vec<Event> {
    let mut events: Vec<Event> = reports.into_iter().map(Event::Checked).collect();
    if problems.is_empty() {
        events.push(finished(running, Ending::Succeeded, ctx));
        go_on(state, stage, state.plan.as_ref(), &mut events);
        return events;
    }
    let message = problems.join("\n");
    let failure = Failure {
        class: Class::Permanent,
        code: Code::ChecksFailed,
        message,
    };
    events.push(finished(running, Ending::Failed(failure), ctx));
    match &stage.retry_from {
        Some(target) if may_retry(state, stage) => events.push(next_attempt(state, target)),
        // The person is shown the proposal with its failed evidence.
        Some(_) | None => go_on(state, stage, state.plan.as_ref(), &mut events),
    }
    events
}

fn fail(state: &State, (running, stage): At<'_>, failure: Failure, ctx: &Ctx) -> Vec<Event> {
    let mut events = Vec::new();
    if running.streamed_chars > 0 {
        events.push(Event::AttemptDiscarded {
            stage: stage.id.clone(),
            attempt: running.attempt,
            reason: failure.message.clone(),
        });
    }
    events.push(finished(running, Ending::Failed(failure.clone()), ctx));
    let again = match failure.class {
        Class::Transient | Class::Permanent => may_retry(state, stage),
        Class::User | Class::Fatal => false,
    };
    let back_to_review = stage.kind == StageKind::Apply && failure.class != Class::Fatal;
    if again && !(back_to_review && failure.class == Class::Permanent) {
        events.push(next_attempt(state, &stage.id));
    } else if back_to_review {
        // Nothing is lost: the person sees why, and decides again.
        let Failure { code, message, .. } = failure;
        events.push(Event::Noticed(Notice {
            level: NoticeLevel::Warning,
            code: Some(code),
            message,
        }));
        match last_review(state, stage) {
            Some(review) => ask(state, review, &mut events),
            None => events.push(Event::Finished(Outcome::Failed(internal(
                "an apply stage without a review",
            )))),
        }
    } else if stage.presence == Presence::Optional && failure.class != Class::Fatal {
        go_on(state, stage, state.plan.as_ref(), &mut events);
    } else if let Some(review) = fallback_review(state, stage, &failure) {
        // What an earlier attempt made, with its evidence, is worth a look.
        let Failure { code, message, .. } = failure;
        events.push(Event::Noticed(Notice {
            level: NoticeLevel::Warning,
            code: Some(code),
            message,
        }));
        ask(state, review, &mut events);
    } else {
        events.push(Event::Finished(Outcome::Failed(failure)));
    }
    events
}

/// The review that is asked when no further attempt comes, if there is a
/// proposal of an earlier attempt to look at.
fn fallback_review<'a>(state: &'a State, stage: &Stage, failure: &Failure) -> Option<&'a Stage> {
    if stage.kind != StageKind::CodeGeneration
        || failure.class != Class::Permanent
        || state.proposal.is_none()
    {
        return None;
    }
    let from = state.graph.position(&stage.id)?;
    state.graph.stages[from..]
        .iter()
        .find(|stage| stage.kind == StageKind::Review)
}

/// Whether one more failure leaves the stage an attempt.
fn may_retry(state: &State, stage: &Stage) -> bool {
    let failed = state.record(&stage.id).map_or(0, |record| record.failed);
    failed + 1 < stage.attempts_max
}

fn next_attempt(state: &State, stage: &StageId) -> Event {
    let attempts = state.record(stage).map_or(0, |record| record.attempts);
    Event::StageStarted {
        stage: stage.clone(),
        attempt: attempts + 1,
    }
}

/// Starts the stage after `done`, leaving out what the plan leaves out.
fn go_on(state: &State, done: &Stage, plan: Option<&Plan>, events: &mut Vec<Event>) {
    let from = state.graph.position(&done.id).map_or(0, |at| at + 1);
    for stage in &state.graph.stages[from..] {
        if let Some(reason) = left_out(stage, plan) {
            let (stage, attempt) = (stage.id.clone(), 0);
            events.push(Event::StageFinished {
                stage,
                attempt,
                ending: Ending::Skipped { reason },
                duration_ms: 0,
            });
        } else if stage.kind == StageKind::Review {
            return ask(state, stage, events);
        } else {
            return events.push(next_attempt(state, &stage.id));
        }
    }
    events.push(Event::Finished(Outcome::Completed));
}

/// Why the plan leaves `stage` out, if it does.
fn left_out(stage: &Stage, plan: Option<&Plan>) -> Option<String> {
    match stage.presence {
        Presence::Required => None,
        Presence::Optional => {
            let choice = plan?.stages.iter().find(|choice| choice.stage == stage.id)?;
            (!choice.run).then(|| choice.reason.clone())
        }
    }
}

fn ask(state: &State, review: &Stage, events: &mut Vec<Event>) {
    events.push(next_attempt(state, &review.id));
    events.push(Event::DecisionRequested);
}

fn last_review<'a>(state: &'a State, before: &Stage) -> Option<&'a Stage> {
    let end = state.graph.position(&before.id)?;
    state.graph.stages[..end]
        .iter()
        .rfind(|stage| stage.kind == StageKind::Review)
}

fn internal(message: &str) -> Failure {
    Failure {
        class: Class::Fatal,
        code: Code::Internal,
        message: message.to_owned(),
    }
}

fn answer(
    state: &State,
    iteration: Option<u32>,
    decision: Decision,
    ctx: &Ctx,
) -> Result<Vec<Event>, Reject> {
    let Phase::AwaitingDecision {
        stage: review,
        since_ms,
    } = &state.phase
    else {
        return Err(Reject::NoDecisionPending);
    };
    if let Some(asked) = iteration.filter(|asked| *asked != state.iteration) {
        return Err(Reject::OtherIteration {
            asked,
            current: state.iteration,
        });
    }
    let attempt = state.record(review).map_or(1, |record| record.attempts);
    let duration_ms = ctx.now_ms.saturating_sub(*since_ms);
    let reviewed = Event::StageFinished {
        stage: review.clone(),
        attempt,
        ending: Ending::Succeeded,
        duration_ms,
    };
    let Some(review) = state.graph.stage(review) else {
        return Err(Reject::NoDecisionPending);
    };
    let mut events = vec![Event::Decided(decision.clone()), reviewed];
    match decision {
        Decision::Accept(selection) => {
            check_selection(state, &selection)?;
            go_on(state, review, state.plan.as_ref(), &mut events);
        }
        Decision::Reject { .. } => events.push(Event::Finished(Outcome::Rejected)),
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
            if state.iteration >= ITERATIONS_MAX {
                return Err(Reject::TooManyIterations { max: ITERATIONS_MAX });
            }
            events.push(Event::IterationStarted {
                iteration: state.iteration + 1,
            });
            let target = review
                .on_modify
                .as_ref()
                .and_then(|id| state.graph.position(id))
                .unwrap_or(0);
            for stage in &state.graph.stages[..target] {
                let reason = format!("the result of iteration {} is used again", state.iteration);
                events.push(Event::StageFinished {
                    stage: stage.id.clone(),
                    attempt: 0,
                    ending: Ending::Skipped { reason },
                    duration_ms: 0,
                });
            }
            events.push(Event::StageStarted {
                stage: state.graph.stages[target].id.clone(),
                attempt: 1,
            });
        }
    }
    Ok(events)
}

fn check_selection(state: &State, selection: &Selection) -> Result<(), Reject> {
    match selection {
        Selection::All => Ok(()),
        Selection::Files(files) => {
            let empty = |hunks: &Option<Vec<u32>>| hunks.as_ref().is_some_and(Vec::is_empty);
            if files.iter().all(|file| empty(&file.hunks)) {
                return Err(Reject::SelectionEmpty);
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

fn cancel(state: &State, ctx: &Ctx) -> Result<Vec<Event>, Reject> {
    let mut events = Vec::new();
    if let Some((running, stage)) = state.running() {
        if stage.kind == StageKind::Apply && state.intent.is_some() {
            return Err(Reject::Applying);
        }
        events.push(finished(
            running,
            Ending::Skipped {
                reason: "cancelled".to_owned(),
            },
            ctx,
        ));
    }
    events.push(Event::Finished(Outcome::Cancelled));
    Ok(events)
}

fn resume(state: &State) -> Vec<Event> {
    let Some((running, stage)) = state.running() else {
        return Vec::new();
    };
    if state.resumes >= RESUMES_MAX {
        let message = format!(
            "the backend was restarted {RESUMES_MAX} times in stage `{}` without an end: it is not tried again",
            stage.id
        );
        let failure = Failure {
            class: Class::Permanent,
            code: Code::StageAttemptsExhausted,
            message,
        };
        return vec![Event::Finished(Outcome::Failed(failure))];
    }
    let mut events = vec![Event::Resumed];
    if running.streamed_chars > 0 {
        events.push(Event::AttemptDiscarded {
            stage: stage.id.clone(),
            attempt: running.attempt,
            reason: "the backend was restarted".to_owned(),
        });
    }
    events.push(next_attempt(state, &stage.id));
    events
}
