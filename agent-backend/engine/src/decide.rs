//! Commands to events. A refused command leaves no trace.

mod complete;
mod fail;
mod lanes;
mod merge;
mod person;
mod resume;
mod steps;
mod timers;
mod turn;
mod words;

use shared::id::{CorrelationId, Seq, StageId, WorkflowId};

pub use self::timers::{next_due_ms, now_ms};
use self::turn::Turn;
use crate::{
    artifact::Task,
    command::{Command, Ctx, Reject},
    event::{Event, Recorded, Streamed},
    graph::Graph,
    limits::QUERY_BYTES_MAX,
    state::{Running, State},
};

/// First events of a new workflow.
pub fn submit(
    workflow: WorkflowId,
    correlation: CorrelationId,
    mut task: Task,
    graph: Graph,
    ctx: &Ctx,
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
    let hidden = words::clean(&mut task.query);
    let first = Recorded {
        seq: Seq(1),
        at_ms: ctx.now_ms,
        event: Event::Submitted {
            workflow,
            correlation,
            task,
            graph,
        },
    };
    let mut events = Vec::new();
    if let Some(state) = crate::apply(None, &first) {
        let mut draft = turn::Draft::new(state, ctx);
        steps::go_on(&mut Turn::root(&mut draft), 0);
        events = draft.events;
    }
    events.insert(0, first.event);
    if hidden {
        events.insert(1, words::left_out());
    }
    Ok(events)
}

/// Events that `command` leads to in `state`.
pub fn decide(state: &State, mut command: Command, ctx: &Ctx) -> Result<Vec<Event>, Reject> {
    if state.is_finished() {
        return Err(Reject::Finished);
    }
    let hidden = words::clean_command(&mut command);
    let mut events = follow(state, command, ctx)?;
    if hidden && !events.is_empty() {
        events.insert(0, words::left_out());
    }
    Ok(events)
}

fn follow(state: &State, command: Command, ctx: &Ctx) -> Result<Vec<Event>, Reject> {
    match command {
        // Text comes often, and nothing else follows from it.
        Command::StreamText {
            stage,
            attempt,
            delta,
            tokens,
            total,
            origin,
        } => {
            let (path, running) = working(state, &stage, attempt)?;
            let streamed = Event::Streamed(Streamed {
                stage,
                attempt,
                offset: running.streamed_chars,
                delta,
                tokens,
                total,
                origin,
            });
            Ok(vec![turn::within(path, streamed)])
        }
        Command::ContinueText { stage, attempt } => {
            let (path, running) = working(state, &stage, attempt)?;
            let resumed = Event::AttemptResumed {
                stage,
                attempt,
                tokens: running.streamed_tokens,
            };
            Ok(vec![turn::within(path, resumed)])
        }
        Command::ReportCall { stage, attempt, call } => {
            let (path, _) = working(state, &stage, attempt)?;
            let called = Event::ModelCalled { stage, attempt, call };
            Ok(vec![turn::within(path, called)])
        }
        Command::ReportTool { stage, attempt, call } => {
            let (path, _) = working(state, &stage, attempt)?;
            let called = Event::ToolCalled { stage, attempt, call };
            Ok(vec![turn::within(path, called)])
        }
        Command::Notify(notice) => Ok(vec![Event::Noticed(notice)]),
        Command::Remark { text } => person::remark(state, text),
        Command::Continue { history } => Ok(vec![Event::Continued { history }]),
        Command::Tick if next_due_ms(state).is_none_or(|due| due > ctx.now_ms) => Ok(Vec::new()),
        Command::CompleteStage { .. }
        | Command::FailStage { .. }
        | Command::AskPermission { .. }
        | Command::RestartText { .. }
        | Command::IntendApply { .. }
        | Command::Recheck { .. }
        | Command::Decide { .. }
        | Command::Cancel
        | Command::Resume
        | Command::Tick => {
            let mut draft = turn::Draft::new(state.clone(), ctx);
            act(&mut draft, command)?;
            Ok(draft.events)
        }
    }
}

fn act(draft: &mut turn::Draft, command: Command) -> Result<(), Reject> {
    match command {
        Command::CompleteStage {
            stage,
            attempt,
            output,
        } => {
            let mut turn = current(draft, &stage, attempt)?;
            complete::complete(&mut turn, output);
        }
        Command::FailStage {
            stage,
            attempt,
            failure,
        } => {
            let mut turn = current(draft, &stage, attempt)?;
            fail::fail(&mut turn, failure);
        }
        Command::AskPermission { stage, attempt, call } => {
            fail::want(&mut current(draft, &stage, attempt)?, call);
        }
        Command::RestartText {
            stage,
            attempt,
            reason,
        } => {
            let mut turn = current(draft, &stage, attempt)?;
            turn.emit(Event::AttemptDiscarded {
                stage: stage.clone(),
                attempt,
                reason,
            });
            turn.emit(Event::StageStarted {
                stage,
                attempt: attempt + 1,
            });
        }
        Command::IntendApply {
            stage,
            attempt,
            intent,
        } => complete::intend(&mut current(draft, &stage, attempt)?, intent),
        Command::Recheck {
            stage,
            attempt,
            of,
            reports,
            problems,
        } => complete::recheck(&mut current(draft, &stage, attempt)?, of, reports, &problems),
        Command::Decide { iteration, decision } => {
            person::answer(&mut Turn::root(draft), iteration, &decision)?;
        }
        Command::Cancel => person::cancel(&mut Turn::root(draft))?,
        Command::Resume => resume::resume(&mut Turn::root(draft)),
        Command::Tick => timers::tick(draft),
        // Answered without a draft.
        Command::StreamText { .. }
        | Command::ContinueText { .. }
        | Command::ReportCall { .. }
        | Command::ReportTool { .. }
        | Command::Notify(_)
        | Command::Remark { .. }
        | Command::Continue { .. } => {}
    }
    Ok(())
}

/// The lanes down to where a stage runs, if it is this attempt at it.
fn working<'a>(
    state: &'a State,
    stage: &StageId,
    attempt: u32,
) -> Result<(Vec<StageId>, &'a Running), Reject> {
    turn::find(state, stage)
        .filter(|(_, running)| running.attempt == attempt)
        .ok_or_else(|| Reject::Stale {
            stage: stage.clone(),
            attempt,
            head: state.head,
        })
}

fn current<'a>(draft: &'a mut turn::Draft, stage: &StageId, attempt: u32) -> Result<Turn<'a>, Reject> {
    let (path, _) = working(&draft.state, stage, attempt)?;
    Ok(Turn::at(draft, path))
}
