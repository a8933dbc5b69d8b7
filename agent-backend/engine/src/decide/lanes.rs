//! Groups: their lanes begin, go on side by side, and are put together one by
//! one as they end.

use shared::{
    error::{Class, Code},
    id::StageId,
};

use super::{
    fail,
    merge::{self, Merged},
    steps,
    turn::Turn,
};
use crate::{
    artifact::Failure,
    event::{Ending, Event, LanePlan, Notice, NoticeLevel},
    graph::{Group, Join, Lanes, expr::Facts as _, numbered},
    limits::LANE_RUNS_MAX,
    state::{Joined, Joining, LaneOrigin, Outcome, Phase, State},
};

/// Begins the lanes of a group that has just begun.
pub(super) fn begin(turn: &mut Turn<'_>, stage: &StageId, group: &Group, attempt: u32) {
    let lanes = match &group.lanes {
        Lanes::Branches(branches) => branches
            .iter()
            .map(|branch| LanePlan {
                lane: branch.id.clone(),
                item: None,
            })
            .collect(),
        Lanes::Each { list, items_max, .. } => {
            let mut items = turn.state().list(*list);
            let max = usize::try_from(*items_max).unwrap_or(usize::MAX);
            if items.is_empty() {
                let (reason, since) = (format!("{} is empty", list.as_str()), turn.now_ms());
                turn.end(stage, attempt, since, Ending::Skipped { reason });
                return steps::go_on_after(turn, stage);
            }
            if items.len() > max {
                let message = format!(
                    "{} has {} items; `{stage}` does the first {max}, the others are left out",
                    list.as_str(),
                    items.len()
                );
                notice(turn, NoticeLevel::Warning, message);
                items.truncate(max);
            }
            let plan = |(number, item)| LanePlan {
                lane: numbered(stage, number),
                item: Some(item),
            };
            (1..).zip(items).map(plan).collect()
        }
    };
    turn.emit(Event::LanesPlanned {
        stage: stage.clone(),
        lanes,
    });
    advance(turn);
}

/// Takes in lanes that have ended, ends the group if it has, and begins
/// further lanes. Does nothing where no group runs.
pub(super) fn advance(turn: &mut Turn<'_>) {
    // Each round changes the state: it takes in a lane, begins one, or ends the
    // group.
    while let Phase::Joining(joining) = &turn.state().phase {
        let joining = joining.clone();
        let Some(group) = turn
            .state()
            .graph
            .stage(&joining.stage)
            .and_then(|stage| stage.group())
            .cloned()
        else {
            return;
        };
        if let Some(lane) = ended(turn.state(), &joining) {
            take_in(turn, &joining, &group, &lane);
        } else if let Some(ending) = verdict(&joining, group.join) {
            return end(turn, &joining, ending);
        } else if let Some(lane) = next(turn.state(), &joining, &group) {
            start(turn, &joining.stage, &lane, 1);
        } else {
            return;
        }
    }
}

/// A lane that has ended and is not taken in.
fn ended(state: &State, joining: &Joining) -> Option<StageId> {
    let planned = joining.planned.iter().map(|plan| &plan.lane);
    let mut open = planned.filter(|lane| !joining.joined.contains_key(*lane));
    open.find(|lane| state.lanes.get(*lane).is_some_and(|lane| lane.is_finished()))
        .cloned()
}

fn take_in(turn: &mut Turn<'_>, joining: &Joining, group: &Group, lane: &StageId) {
    let Some(inner) = turn.state().lanes.get(lane).cloned() else {
        return;
    };
    let ending = match &inner.phase {
        Phase::Finished(Outcome::Completed) => {
            let origin = inner.lane.clone();
            match origin.map(|origin| adopt(turn, group, &inner, &origin)) {
                Some(Adopted::Again { run, path }) => {
                    let message = format!(
                        "another part has changed `{path}` meanwhile: `{lane}` is made again on top of it"
                    );
                    notice(turn, NoticeLevel::Info, message);
                    return start(turn, &joining.stage, lane, run);
                }
                Some(Adopted::Never(failure)) => Ending::Failed(failure),
                Some(Adopted::Yes) | None => Ending::Succeeded,
            }
        }
        Phase::Finished(Outcome::Failed(failure)) => Ending::Failed(failure.clone()),
        Phase::Finished(Outcome::Rejected | Outcome::Cancelled)
        | Phase::Running(_)
        | Phase::Waiting { .. }
        | Phase::Joining(_)
        | Phase::AwaitingDecision { .. } => Ending::Skipped {
            reason: "it was stopped".to_owned(),
        },
    };
    turn.emit(Event::LaneJoined {
        stage: joining.stage.clone(),
        lane: lane.clone(),
        ending,
    });
}

enum Adopted {
    Yes,
    Again { run: u32, path: String },
    Never(Failure),
}

/// Gives the group what the lane has made.
fn adopt(turn: &mut Turn<'_>, group: &Group, lane: &State, origin: &LaneOrigin) -> Adopted {
    let merged = merge::merge(
        origin.proposal.as_deref(),
        turn.state().proposal.as_deref(),
        lane.proposal.as_deref(),
    );
    match merged {
        Merged::Conflict { path } if origin.run < LANE_RUNS_MAX => {
            let run = origin.run + 1;
            return Adopted::Again { run, path };
        }
        Merged::Conflict { path } => {
            return Adopted::Never(Failure {
                class: Class::Permanent,
                code: Code::LaneConflict,
                message: format!("several parts change `{path}` again and again"),
            });
        }
        Merged::Proposal(proposal) => turn.emit(Event::Proposed(proposal)),
        // Evidence is about one proposal; that of a lane counts where the
        // proposal is the one it checked.
        Merged::Unchanged if turn.state().proposal == lane.proposal => {
            for report in lane.checks.iter() {
                turn.emit(Event::Checked(report.clone()));
            }
        }
        Merged::Unchanged => {}
    }
    // What the run for one item found and planned is about that item alone.
    if matches!(group.lanes, Lanes::Branches(_)) {
        if let Some(context) = lane
            .context
            .as_ref()
            .filter(|context| origin.context.as_ref() != Some(context))
        {
            turn.emit(Event::ContextRetrieved(context.as_ref().clone()));
        }
        if let Some(plan) = lane
            .plan
            .as_ref()
            .filter(|plan| origin.plan.as_ref() != Some(plan))
        {
            turn.emit(Event::Planned(plan.as_ref().clone()));
        }
    }
    Adopted::Yes
}

/// How the group has ended, if it has.
fn verdict(joining: &Joining, join: Join) -> Option<Ending> {
    let all = joining.planned.len() == joining.joined.len();
    let mut failed = joining.joined.values().filter_map(|joined| match joined {
        Joined::Failed(failure) => Some(failure),
        Joined::Succeeded | Joined::Stopped => None,
    });
    let failure = failed.next_back().cloned().map(Ending::Failed);
    let succeeded = joining.joined.values().any(|joined| *joined == Joined::Succeeded);
    match join {
        Join::All if failure.is_some() => failure,
        Join::All => all.then_some(Ending::Succeeded),
        Join::Any if succeeded => Some(Ending::Succeeded),
        Join::Settled if all && succeeded => Some(Ending::Succeeded),
        Join::Any | Join::Settled => {
            let stopped = Ending::Skipped {
                reason: "every part of it was stopped".to_owned(),
            };
            all.then_some(failure.unwrap_or(stopped))
        }
    }
}

fn end(turn: &mut Turn<'_>, joining: &Joining, ending: Ending) {
    stop(turn, "another part has decided");
    if ending == Ending::Succeeded {
        for (lane, joined) in &joining.joined {
            if let Joined::Failed(failure) = joined {
                let message = format!("`{lane}` is left out: {}", failure.message);
                notice(turn, NoticeLevel::Warning, message);
            }
        }
    }
    let failure = match &ending {
        Ending::Failed(failure) => Some(failure.clone()),
        Ending::Succeeded | Ending::Skipped { .. } => None,
    };
    turn.end(&joining.stage, joining.attempt, joining.started_at_ms, ending);
    settle(turn, &joining.stage, failure);
}

/// Fails a group whose time is up.
pub(super) fn fail_group(turn: &mut Turn<'_>, failure: Failure) {
    let Phase::Joining(joining) = &turn.state().phase else {
        return;
    };
    let joining = joining.clone();
    stop(turn, &failure.message);
    turn.end(
        &joining.stage,
        joining.attempt,
        joining.started_at_ms,
        Ending::Failed(failure.clone()),
    );
    settle(turn, &joining.stage, Some(failure));
}

fn settle(turn: &mut Turn<'_>, stage: &StageId, failure: Option<Failure>) {
    match (failure, turn.state().graph.stage(stage).cloned()) {
        (Some(failure), Some(stage)) => fail::settle(turn, &stage, failure),
        (Some(failure), None) => steps::finish(turn, Outcome::Failed(failure)),
        (None, _) => steps::go_on_after(turn, stage),
    }
}

/// The lane that begins next, if one may.
fn next(state: &State, joining: &Joining, group: &Group) -> Option<StageId> {
    let runs = |lane: &&LanePlan| {
        state
            .lanes
            .get(&lane.lane)
            .is_some_and(|lane| !lane.is_finished())
    };
    let running = joining.planned.iter().filter(runs).count();
    if running >= usize::try_from(group.parallel_max).unwrap_or(usize::MAX) {
        return None;
    }
    let mut planned = joining.planned.iter().map(|plan| &plan.lane);
    planned.find(|lane| !state.lanes.contains_key(*lane)).cloned()
}

fn start(turn: &mut Turn<'_>, stage: &StageId, lane: &StageId, run: u32) {
    turn.emit(Event::LaneStarted {
        stage: stage.clone(),
        lane: lane.clone(),
        run,
    });
    steps::go_on(&mut turn.lane(lane), 0);
}

/// Ends everything that still runs in the lanes of this list.
pub(super) fn stop(turn: &mut Turn<'_>, reason: &str) {
    let open: Vec<StageId> = turn
        .state()
        .lanes
        .iter()
        .filter(|(_, lane)| !lane.is_finished())
        .map(|(lane, _)| lane.clone())
        .collect();
    for lane in open {
        let mut inner = turn.lane(&lane);
        stop(&mut inner, reason);
        stop_stage(&mut inner, reason);
        inner.emit(Event::Finished(Outcome::Cancelled));
    }
}

/// Ends the stage that runs in this list.
pub(super) fn stop_stage(turn: &mut Turn<'_>, reason: &str) {
    let (stage, attempt, since_ms) = match &turn.state().phase {
        Phase::Running(running) => (running.stage.clone(), running.attempt, running.started_at_ms),
        Phase::Joining(joining) => (joining.stage.clone(), joining.attempt, joining.started_at_ms),
        Phase::Waiting { .. } | Phase::AwaitingDecision { .. } | Phase::Finished(_) => return,
    };
    let reason = reason.to_owned();
    turn.end(&stage, attempt, since_ms, Ending::Skipped { reason });
}

fn notice(turn: &mut Turn<'_>, level: NoticeLevel, message: String) {
    turn.emit(Event::Noticed(Notice {
        level,
        code: None,
        message,
    }));
}
