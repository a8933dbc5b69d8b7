//! Events to state: total, and the only way a state comes to be.

use std::{collections::BTreeMap, sync::Arc};

use shared::id::{Seq, StageId};

use crate::{
    artifact::{CheckReport, Decision, WantedCall},
    event::{Ending, Event, Help, LanePlan, Recorded},
    graph::{Graph, StageKind},
    recheck::Recheck,
    state::{
        Consent, Fork, Joined, Joining, LaneOrigin, Permission, Phase, Question, Remark, Running,
        StageRecord, StageStatus, State, Text,
    },
};

/// The state after `recorded`. Only `Submitted` begins a state; anything
/// before it is ignored, and so is a second `Submitted`.
pub fn apply(state: Option<State>, recorded: &Recorded) -> Option<State> {
    let Some(mut state) = state else {
        return begin(recorded);
    };
    advance(&mut state, recorded);
    Some(state)
}

/// The state after a whole history.
pub fn fold<'a>(history: impl IntoIterator<Item = &'a Recorded>) -> Option<State> {
    history.into_iter().fold(None, apply)
}

/// Brings the state up to `recorded`, in place.
pub fn advance(state: &mut State, recorded: &Recorded) {
    let moment = Moment {
        seq: recorded.seq,
        at_ms: recorded.at_ms,
    };
    change(state, moment, &recorded.event);
}

/// Place and time of the event that is applied.
#[derive(Debug, Clone, Copy)]
struct Moment {
    seq: Seq,
    at_ms: u64,
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
    let now = Moment {
        seq: recorded.seq,
        at_ms: recorded.at_ms,
    };
    let (stages, phase) = beginning(graph, now)?;
    Some(State {
        workflow: workflow.clone(),
        correlation: correlation.clone(),
        task: Arc::new(task.clone()),
        stages,
        graph: Arc::new(graph.clone()),
        head: recorded.seq,
        base: Seq::default(),
        created_at_ms: recorded.at_ms,
        updated_at_ms: recorded.at_ms,
        iteration: 1,
        phase,
        lanes: BTreeMap::new(),
        lane: None,
        fork: None,
        context: None,
        plan: None,
        proposal: None,
        previous: None,
        checks: Arc::default(),
        failures: Arc::default(),
        feedback: Arc::default(),
        remarks: Arc::default(),
        selection: None,
        recheck: None,
        intent: None,
        applied: None,
        consent: None,
        permissions: Arc::default(),
        resumes: 0,
    })
}

fn beginning(graph: &Graph, now: Moment) -> Option<(Vec<StageRecord>, Phase)> {
    let first = graph.stages.first()?.id.clone();
    let records = graph
        .stages
        .iter()
        .map(|stage| StageRecord::pending(stage.id.clone()));
    Some((records.collect(), running(first, 0, now)))
}

fn running(stage: StageId, attempt: u32, now: Moment) -> Phase {
    Phase::Running(Running {
        stage,
        attempt,
        since: now.seq,
        started_at_ms: now.at_ms,
        streamed_chars: 0,
        streamed_tokens: 0,
        text: None,
    })
}

fn change(state: &mut State, now: Moment, event: &Event) {
    state.head = now.seq;
    state.updated_at_ms = now.at_ms;
    match event {
        Event::Submitted { .. }
        | Event::Noticed(_)
        | Event::ModelCalled { .. }
        | Event::DeadlinePassed { .. }
        | Event::AttemptResumed { .. } => {}
        Event::StageStarted { stage, attempt } => stage_started(state, now, stage, *attempt),
        Event::Streamed(streamed) => {
            if let Phase::Running(running) = &mut state.phase {
                let chars = u64::try_from(streamed.delta.chars().count()).unwrap_or(u64::MAX);
                running.streamed_chars = streamed.offset.saturating_add(chars);
                running.streamed_tokens = streamed.tokens;
                if let Some(origin) = &streamed.origin {
                    let (from, origin) = (now.seq, origin.clone());
                    running.text = Some(Arc::new(Text {
                        from,
                        origin,
                        total: None,
                    }));
                }
                if let (Some(text), Some(total)) = (&mut running.text, streamed.total) {
                    Arc::make_mut(text).total = Some(total);
                }
            }
        }
        Event::ToolCalled { .. } => answered_by_tools(state, event),
        Event::ContextRetrieved(context) => state.context = Some(Arc::new(context.clone())),
        Event::Planned(plan) => state.plan = Some(Arc::new(plan.clone())),
        Event::Proposed(proposal) => {
            state.proposal = Some(Arc::new(proposal.clone()));
            state.checks = Arc::default();
            state.recheck = None;
        }
        Event::Checked(report) => checked(state, report),
        Event::Rechecked { of, problems } => {
            state.recheck = Some(Arc::new(Recheck {
                of: *of,
                problems: problems.clone(),
                shown: false,
            }));
        }
        Event::StageFinished {
            stage,
            attempt,
            ending,
            duration_ms,
        } => stage_finished(state, stage, *attempt, ending, *duration_ms),
        Event::AttemptDiscarded { .. } => {
            if let Phase::Running(running) = &mut state.phase {
                running.streamed_chars = 0;
                running.streamed_tokens = 0;
                running.text = None;
            }
        }
        Event::DecisionRequested => {
            if let Phase::Running(running) = &state.phase {
                let stage = running.stage.clone();
                state.phase = asked(state, now, stage, Question::Review);
                shown(state);
            }
        }
        Event::HelpRequested { stage, question } => {
            let question = match question {
                Help::Failure => Question::Failure,
                Help::Unisolated => Question::Unisolated,
                Help::Tool(call) => Question::Tool(call.clone().into()),
            };
            state.phase = asked(state, now, stage.clone(), question);
            shown(state);
        }
        Event::Decided(decision) => decided(state, now, decision),
        Event::IterationStarted { iteration } => {
            state.iteration = *iteration;
            state.previous = state.proposal.take();
            state.checks = Arc::default();
            state.recheck = None;
            state.failures = Arc::default();
            state.permissions = Arc::default();
            state.lanes.clear();
            for record in &mut state.stages {
                *record = StageRecord::pending(record.stage.clone());
            }
        }
        Event::Remarked { text } => {
            let (seq, text) = (now.seq, text.clone());
            Arc::make_mut(&mut state.remarks).push(Remark { seq, text });
            share_remarks(state);
        }
        Event::ApplyIntended(intent) => state.intent = Some(Arc::new(intent.clone())),
        Event::Applied(applied) => state.applied = Some(Arc::new(applied.clone())),
        Event::Resumed => {
            state.resumes += 1;
            renew(state, now);
        }
        Event::Finished(outcome) => state.phase = Phase::Finished(outcome.clone()),
        Event::RetryScheduled {
            stage,
            attempt,
            delay_ms: _,
            due_at_ms,
        } => {
            state.phase = Phase::Waiting {
                stage: stage.clone(),
                attempt: *attempt,
                due_at_ms: *due_at_ms,
            };
        }
        Event::LanesPlanned { stage, lanes } => lanes_planned(state, stage, lanes),
        Event::LaneStarted { stage, lane, run } => {
            if let Some(begun) = lane_started(state, now, stage, lane, *run) {
                state.lanes.insert(lane.clone(), Arc::new(begun));
            }
        }
        // Not even the head of the lane moves: a shorter history has no calls.
        Event::Lane { event, .. } if matches!(event.innermost(), Event::ModelCalled { .. }) => {}
        Event::Lane { lane, event } if matches!(event.innermost(), Event::ToolCalled { .. }) => {
            if let Some(child) = state.lanes.get_mut(lane) {
                answered_by_tools(Arc::make_mut(child), event);
            }
        }
        Event::Lane { lane, event } => {
            if let Some(child) = state.lanes.get_mut(lane) {
                change(Arc::make_mut(child), now, event);
            }
            if matches!(event.innermost(), Event::StageFinished { .. }) {
                state.resumes = 0;
            }
        }
        Event::LaneJoined { lane, ending, .. } => {
            if let Phase::Joining(joining) = &mut state.phase {
                let joined = match ending {
                    Ending::Succeeded => Joined::Succeeded,
                    Ending::Skipped { .. } => Joined::Stopped,
                    Ending::Failed(failure) => Joined::Failed(failure.clone()),
                };
                joining.joined.insert(lane.clone(), joined);
            }
        }
        Event::Forked { from, at, model } => {
            state.fork = Some(Arc::new(Fork {
                from: from.clone(),
                at: *at,
                model: model.clone(),
            }));
        }
        Event::Continued { .. } => state.base = now.seq,
    }
}

/// What an apply stage checks takes the place of what was said of the proposal.
fn checked(state: &mut State, report: &CheckReport) {
    let again = state
        .running()
        .is_some_and(|(_, stage)| stage.is(StageKind::Apply));
    let checks = Arc::make_mut(&mut state.checks);
    match checks.iter_mut().find(|known| again && known.name == report.name) {
        Some(known) => *known = report.clone(),
        None => checks.push(report.clone()),
    }
}

fn decided(state: &mut State, now: Moment, decision: &Decision) {
    let asked = question(state).cloned();
    match (decision, asked) {
        (Decision::Accept(_) | Decision::Reject { .. }, Some(Question::Failure)) => {}
        (Decision::Accept(_), Some(Question::Unisolated)) => state.consent = Some(Consent::Given),
        (Decision::Reject { .. }, Some(Question::Unisolated)) => state.consent = Some(Consent::Refused),
        (Decision::Accept(_), Some(Question::Tool(call))) => {
            keep_permission(state, now, call, Consent::Given, None)
        }
        (Decision::Reject { feedback }, Some(Question::Tool(call))) => {
            keep_permission(state, now, call, Consent::Refused, feedback.clone());
        }
        (Decision::Accept(selection), Some(Question::Review) | None) => {
            state.selection = Some(selection.clone());
        }
        (Decision::Reject { .. }, Some(Question::Review) | None) => {}
        (Decision::Modify { feedback }, _) => Arc::make_mut(&mut state.feedback).push(feedback.clone()),
    }
}

fn keep_permission(
    state: &mut State,
    now: Moment,
    call: Arc<WantedCall>,
    consent: Consent,
    words: Option<String>,
) {
    Arc::make_mut(&mut state.permissions).push(Permission {
        seq: now.seq,
        call,
        consent,
        words,
    });
}

/// Who is asked sees all the evidence.
fn shown(state: &mut State) {
    if let Some(recheck) = &mut state.recheck {
        Arc::make_mut(recheck).shown = true;
    }
}

/// What the model had said before it called is no beginning of its answer.
fn answered_by_tools(state: &mut State, event: &Event) {
    match (event, &mut state.phase) {
        (Event::Lane { lane, event }, _) => {
            if let Some(child) = state.lanes.get_mut(lane) {
                answered_by_tools(Arc::make_mut(child), event);
            }
        }
        (_, Phase::Running(running)) => running.text = None,
        (
            _,
            Phase::Waiting { .. } | Phase::Joining(_) | Phase::AwaitingDecision { .. } | Phase::Finished(_),
        ) => {}
    }
}

/// What a person says is for every lane, however deep.
fn share_remarks(state: &mut State) {
    for lane in state.lanes.values_mut() {
        let lane = Arc::make_mut(lane);
        lane.remarks = state.remarks.clone();
        share_remarks(lane);
    }
}

/// The time that nobody worked does not count against what goes on. Whether a
/// stage has text does not matter here: a shorter history has none, and what
/// has none begins again anyway.
fn renew(state: &mut State, now: Moment) {
    match &mut state.phase {
        Phase::Running(running) => running.started_at_ms = now.at_ms,
        Phase::Joining(_) => {
            for lane in state.lanes.values_mut().filter(|lane| !lane.is_finished()) {
                renew(Arc::make_mut(lane), now);
            }
        }
        Phase::Waiting { .. } | Phase::AwaitingDecision { .. } | Phase::Finished(_) => {}
    }
}

fn stage_started(state: &mut State, now: Moment, stage: &StageId, attempt: u32) {
    let position = state.graph.position(stage).unwrap_or(state.stages.len());
    for later in state.stages.iter_mut().skip(position + 1) {
        later.status = StageStatus::Pending;
    }
    if let Some(record) = state.record_mut(stage) {
        record.status = StageStatus::Running;
        record.attempts = attempt;
    }
    if is(state, stage, StageKind::Review) {
        // What an earlier answer led to no longer counts.
        state.intent = None;
        state.selection = None;
    }
    state.phase = running(stage.clone(), attempt, now);
}

fn stage_finished(state: &mut State, stage: &StageId, attempt: u32, ending: &Ending, duration_ms: u64) {
    let status = match ending {
        Ending::Succeeded => StageStatus::Succeeded,
        Ending::Skipped { .. } => StageStatus::Skipped,
        Ending::Failed(_) => StageStatus::Failed,
    };
    if let Some(record) = state.record_mut(stage) {
        record.status = status;
        record.failed += u32::from(status == StageStatus::Failed);
        record.duration_ms = (attempt > 0).then_some(duration_ms);
    }
    if let Ending::Failed(failure) = ending {
        Arc::make_mut(&mut state.failures).push(failure.clone());
        if is(state, stage, StageKind::Apply) {
            // What could not be written is planned anew, against the
            // workspace as it is by then.
            state.intent = None;
        }
    }
    state.permissions = Arc::default();
    state.resumes = 0;
}

fn asked(state: &State, now: Moment, stage: StageId, question: Question) -> Phase {
    let deadline = state.graph.stage(&stage).and_then(|stage| stage.deadline);
    Phase::AwaitingDecision {
        until_ms: deadline.map(|deadline| now.at_ms.saturating_add(deadline.after_ms)),
        stage,
        question,
        since_ms: now.at_ms,
    }
}

fn question(state: &State) -> Option<&Question> {
    match &state.phase {
        Phase::AwaitingDecision { question, .. } => Some(question),
        Phase::Running(_) | Phase::Waiting { .. } | Phase::Joining(_) | Phase::Finished(_) => None,
    }
}

fn lanes_planned(state: &mut State, stage: &StageId, lanes: &[LanePlan]) {
    let Phase::Running(running) = &state.phase else {
        return;
    };
    let (attempt, started_at_ms) = (running.attempt, running.started_at_ms);
    for plan in lanes {
        state.lanes.remove(&plan.lane);
    }
    state.phase = Phase::Joining(Joining {
        stage: stage.clone(),
        attempt,
        started_at_ms,
        planned: Arc::new(lanes.to_vec()),
        joined: BTreeMap::new(),
    });
}

fn lane_started(state: &State, now: Moment, stage: &StageId, lane: &StageId, run: u32) -> Option<State> {
    let Phase::Joining(joining) = &state.phase else {
        return None;
    };
    let index = joining.planned.iter().position(|plan| plan.lane == *lane)?;
    let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let number = small(index + 1);
    let graph = state.graph.lane(stage, lane, number)?;
    let (stages, phase) = beginning(&graph, now)?;
    Some(State {
        graph: Arc::new(graph),
        created_at_ms: now.at_ms,
        phase,
        stages,
        lanes: BTreeMap::new(),
        lane: Some(Arc::new(LaneOrigin {
            group: stage.clone(),
            item: joining.planned[index].item.clone(),
            number,
            of: small(joining.planned.len()),
            run,
            context: state.context.clone(),
            plan: state.plan.clone(),
            proposal: state.proposal.clone(),
        })),
        checks: Arc::default(),
        failures: Arc::default(),
        selection: None,
        recheck: None,
        intent: None,
        applied: None,
        permissions: Arc::default(),
        resumes: 0,
        base: Seq::default(),
        ..state.clone()
    })
}

fn is(state: &State, stage: &StageId, kind: StageKind) -> bool {
    state.graph.stage(stage).is_some_and(|stage| stage.is(kind))
}
