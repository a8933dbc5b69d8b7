//! Events to state: total, and the only way a state comes to be.

use shared::id::StageId;

use crate::{
    artifact::Decision,
    event::{Ending, Event, Recorded},
    graph::StageKind,
    state::{Phase, Running, StageRecord, StageStatus, State},
};

/// The state after `recorded`. Only `Submitted` begins a state; anything
/// before it is ignored, and so is a second `Submitted`.
pub fn apply(state: Option<State>, recorded: &Recorded) -> Option<State> {
    let Some(mut state) = state else {
        return begin(recorded);
    };
    state.head = recorded.seq;
    state.updated_at_ms = recorded.at_ms;
    change(&mut state, recorded);
    Some(state)
}

/// The state after a whole history.
pub fn fold<'a>(history: impl IntoIterator<Item = &'a Recorded>) -> Option<State> {
    history.into_iter().fold(None, apply)
}

fn begin(recorded: &Recorded) -> Option<State> {
    let Event::Submitted {
        workflow,
        correlation,
        task,
        graph,
    } = &recorded.event
    else {
        return None;
    };
    let stages = graph.stages.iter().map(|stage| StageRecord {
        stage: stage.id.clone(),
        status: StageStatus::Pending,
        attempts: 0,
        failed: 0,
        duration_ms: None,
    });
    let first = graph.stages.first().map(|stage| stage.id.clone())?;
    Some(State {
        workflow: workflow.clone(),
        correlation: correlation.clone(),
        task: task.clone(),
        stages: stages.collect(),
        graph: graph.clone(),
        head: recorded.seq,
        created_at_ms: recorded.at_ms,
        updated_at_ms: recorded.at_ms,
        iteration: 1,
        phase: Phase::Running(Running {
            stage: first,
            attempt: 0,
            started_at_ms: recorded.at_ms,
            streamed_chars: 0,
            streamed_tokens: 0,
        }),
        context: None,
        plan: None,
        proposal: None,
        previous: None,
        checks: Vec::new(),
        failures: Vec::new(),
        feedback: Vec::new(),
        selection: None,
        intent: None,
        applied: None,
        resumes: 0,
    })
}

fn change(state: &mut State, recorded: &Recorded) {
    match &recorded.event {
        Event::Submitted { .. } | Event::Noticed(_) => {}
        Event::StageStarted { stage, attempt } => {
            let position = state.graph.position(stage).unwrap_or(state.stages.len());
            for later in state.stages.iter_mut().skip(position + 1) {
                later.status = StageStatus::Pending;
            }
            if let Some(record) = state.record_mut(stage) {
                record.status = StageStatus::Running;
                record.attempts = *attempt;
            }
            if state
                .graph
                .stage(stage)
                .is_some_and(|stage| stage.kind == StageKind::Review)
            {
                // What an earlier answer led to no longer counts.
                state.intent = None;
                state.selection = None;
            }
            state.phase = Phase::Running(Running {
                stage: stage.clone(),
                attempt: *attempt,
                started_at_ms: recorded.at_ms,
                streamed_chars: 0,
                streamed_tokens: 0,
            });
        }
        Event::Streamed(streamed) => {
            if let Phase::Running(running) = &mut state.phase {
                let chars = u64::try_from(streamed.delta.chars().count()).unwrap_or(u64::MAX);
                running.streamed_chars = streamed.offset.saturating_add(chars);
                running.streamed_tokens = streamed.tokens;
            }
        }
        Event::ContextRetrieved(context) => state.context = Some(context.clone()),
        Event::Planned(plan) => state.plan = Some(plan.clone()),
        Event::Proposed(proposal) => {
            state.proposal = Some(proposal.clone());
            state.checks.clear();
        }
        Event::Checked(report) => state.checks.push(report.clone()),
        Event::StageFinished {
            stage,
            attempt,
            ending,
            duration_ms,
        } => {
            let status = match ending {
                Ending::Succeeded => StageStatus::Succeeded,
                Ending::Skipped { .. } => StageStatus::Skipped,
                Ending::Failed(_) => StageStatus::Failed,
            };
            if let Some(record) = state.record_mut(stage) {
                record.status = status;
                record.failed += u32::from(status == StageStatus::Failed);
                record.duration_ms = (*attempt > 0).then_some(*duration_ms);
            }
            if let Ending::Failed(failure) = ending {
                state.failures.push(failure.clone());
                if is_apply(state, stage) {
                    // What could not be written is planned anew, against the
                    // workspace as it is by then.
                    state.intent = None;
                }
            }
            state.resumes = 0;
        }
        Event::AttemptDiscarded { .. } => {
            if let Phase::Running(running) = &mut state.phase {
                running.streamed_chars = 0;
                running.streamed_tokens = 0;
            }
        }
        Event::DecisionRequested => {
            if let Phase::Running(running) = &state.phase {
                let (stage, since_ms) = (running.stage.clone(), recorded.at_ms);
                state.phase = Phase::AwaitingDecision { stage, since_ms };
            }
        }
        Event::Decided(decision) => match decision {
            Decision::Accept(selection) => state.selection = Some(selection.clone()),
            Decision::Reject { .. } => {}
            Decision::Modify { feedback } => state.feedback.push(feedback.clone()),
        },
        Event::IterationStarted { iteration } => {
            state.iteration = *iteration;
            state.previous = state.proposal.take();
            state.checks.clear();
            state.failures.clear();
            for record in &mut state.stages {
                let stage = record.stage.clone();
                *record = StageRecord {
                    stage,
                    status: StageStatus::Pending,
                    attempts: 0,
                    failed: 0,
                    duration_ms: None,
                };
            }
        }
        Event::ApplyIntended(intent) => state.intent = Some(intent.clone()),
        Event::Applied(applied) => state.applied = Some(applied.clone()),
        Event::Resumed => state.resumes += 1,
        Event::Finished(outcome) => state.phase = Phase::Finished(outcome.clone()),
    }
}

fn is_apply(state: &State, stage: &StageId) -> bool {
    state
        .graph
        .stage(stage)
        .is_some_and(|stage| stage.kind == StageKind::Apply)
}
