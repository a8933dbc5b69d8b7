//! What must hold after each step, whatever happened. The numbers are those of
//! the invariants in `docs/durability.md`.

use std::collections::BTreeSet;

use engine::{
    Ending, Event, Recorded, Stage, StageKind, State,
    artifact::Decision,
    history::{compact, may_continue},
    limits::{ITERATIONS_MAX, RESUMES_MAX},
    recheck::Standing,
    state::{Phase, Running},
};
use shared::{
    error::Code,
    id::{Seq, StageId},
};

use crate::{
    client::Client,
    disk::{Disk, History},
    outputs::HALF_THOUGHT,
    repository::Repository,
};

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its number.
    pub invariant: u8,
    /// What was seen.
    pub what: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.what)
    }
}

/// An invariant does not hold.
pub fn broken<T>(invariant: u8, what: impl Into<String>) -> Result<T, Broken> {
    let what = what.into();
    Err(Broken { invariant, what })
}

fn check(holds: bool, invariant: u8, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { broken(invariant, what()) }
}

/// The list that an event belongs to, and the event there.
fn place<'a>(state: &'a State, event: &'a Event) -> Option<(&'a State, &'a Event)> {
    if let Event::Lane { lane, event } = event {
        return place(state.lanes.get(lane)?, event);
    }
    Some((state, event))
}

/// What holds of one history. Every event is legal where it stands.
pub fn history(run: &History) -> Result<(), Broken> {
    let mut state: Option<State> = None;
    let mut ended: BTreeSet<(Seq, StageId, u32)> = BTreeSet::new();
    let mut accepted = false;
    let (mut epoch, mut at_ms) = (0, 0);
    for (number, row) in (1_u64..).zip(&run.rows) {
        let recorded = &row.recorded;
        let seq = recorded.seq;
        check(seq.0 == number, 2, || format!("{seq} stands at {number}"))?;
        check(row.epoch >= epoch, 3, || {
            format!("{seq} is of epoch {}, after {epoch}", row.epoch)
        })?;
        check(recorded.at_ms >= at_ms, 10, || {
            format!("{seq} is earlier than the one before")
        })?;
        (epoch, at_ms) = (row.epoch, recorded.at_ms);
        if let Some(state) = &state {
            check(!state.is_finished(), 4, || format!("{seq} comes after the end"))?;
            accepted |= matches!(recorded.event, Event::Decided(Decision::Accept(_)));
            check(
                accepted || !matches!(recorded.event, Event::ApplyIntended(_)),
                5,
                || format!("{seq} intends what nobody accepted"),
            )?;
            if let Some((list, event)) = place(state, &recorded.event) {
                legal(list, event, recorded)?;
                if let Event::StageFinished { stage, attempt, .. } = event {
                    // An attempt is told by when it began, too: iterations count anew.
                    let begun = Seq(list.created_at_ms ^ u64::from(list.iteration));
                    let new = *attempt == 0 || ended.insert((begun, stage.clone(), *attempt));
                    check(new, 4, || {
                        format!("{seq} ends attempt {attempt} at {stage} again")
                    })?;
                }
                if matches!(event, Event::IterationStarted { .. } | Event::LaneStarted { .. }) {
                    ended.clear();
                }
            }
        }
        state = engine::apply(state, recorded);
    }
    Ok(())
}

fn running(list: &State) -> Option<(&Running, &Stage)> {
    list.running()
}

/// What holds of one event in the state right before it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "some kinds are looked for among all"
)]
fn legal(list: &State, event: &Event, recorded: &Recorded) -> Result<(), Broken> {
    let seq = recorded.seq;
    let runs = |kinds: &[StageKind]| {
        // A group takes over what its lanes have made.
        matches!(list.phase, Phase::Joining(_))
            || running(list).is_some_and(|(_, stage)| kinds.iter().any(|kind| stage.is(*kind)))
    };
    let code = [StageKind::CodeGeneration, StageKind::TestGeneration];
    // All that a fork has taken over happened at its own beginning.
    let in_time = |due_ms: Option<u64>| {
        let is_inherited = list.fork.is_some() && recorded.at_ms == list.created_at_ms;
        let holds = is_inherited || due_ms.is_some_and(|due_ms| recorded.at_ms >= due_ms);
        check(holds, 10, || format!("{seq} comes before {due_ms:?}: {event:?}"))
    };
    match event {
        Event::StageStarted { stage, attempt } => {
            let before = list.record(stage).map_or(0, |record| record.attempts);
            check(*attempt == before + 1, 4, || {
                format!("{seq} begins attempt {attempt} after {before}")
            })?;
            match &list.phase {
                Phase::Waiting {
                    due_at_ms,
                    stage: waits,
                    ..
                } if waits == stage => in_time(Some(*due_at_ms)),
                _ => Ok(()),
            }
        }
        Event::Streamed(streamed) => {
            let fits = running(list).is_some_and(|(running, _)| {
                running.stage == streamed.stage
                    && running.attempt == streamed.attempt
                    && running.streamed_chars == streamed.offset
            });
            check(fits, 9, || format!("{seq} is text of nobody who writes"))
        }
        Event::AttemptResumed {
            stage,
            attempt,
            tokens,
        } => {
            let fits = list.continuing().iter().any(|(_, running)| {
                running.stage == *stage && running.attempt == *attempt && running.streamed_tokens == *tokens
            });
            check(fits, 9, || format!("{seq} goes on with what is not there"))
        }
        Event::ModelCalled { stage, attempt, .. } | Event::ToolCalled { stage, attempt, .. } => {
            let fits = running(list)
                .is_some_and(|(running, _)| running.stage == *stage && running.attempt == *attempt);
            check(fits, 9, || format!("{seq} is a call for nobody who works"))
        }
        Event::Remarked { .. } => check(!list.is_writing(), 5, || {
            format!("{seq} comes while the changes are being written")
        }),
        Event::ContextRetrieved(_) => check(runs(&[StageKind::Retrieval]), 4, || {
            format!("{seq}: nobody searches")
        }),
        Event::Planned(_) => check(runs(&[StageKind::Planning]), 4, || format!("{seq}: nobody plans")),
        Event::Proposed(_) => check(runs(&code), 4, || format!("{seq}: nobody writes")),
        Event::Checked(_) => check(runs(&[StageKind::Checks, StageKind::Apply]), 4, || {
            format!("{seq}: nobody checks")
        }),
        Event::Rechecked { .. } => check(runs(&[StageKind::Apply]) && list.intent.is_none(), 5, || {
            format!("{seq}: nobody is about to write")
        }),
        Event::ApplyIntended(intent) => {
            check(runs(&[StageKind::Apply]), 5, || format!("{seq}: nobody applies"))?;
            let objected = matches!(list.standing(&intent.files), Standing::Objected(_));
            check(!objected, 5, || {
                format!("{seq} intends what failed and was not shown")
            })
        }
        Event::Applied(_) => check(list.intent.is_some(), 5, || format!("{seq} was not intended")),
        Event::StageFinished {
            stage,
            attempt,
            ending,
            ..
        } if *attempt > 0 => {
            let begun = list.record(stage).map_or(0, |record| record.attempts);
            check(*attempt == begun, 4, || {
                format!("{seq} ends attempt {attempt} of {begun}")
            })?;
            if let (Ending::Failed(failure), Some((running, of))) = (ending, running(list))
                && failure.code == Code::StageTimedOut
            {
                let due = of
                    .timeout_ms
                    .map(|timeout| running.started_at_ms.saturating_add(timeout));
                return in_time(due);
            }
            Ok(())
        }
        Event::DeadlinePassed { .. } => {
            let due = match &list.phase {
                Phase::AwaitingDecision { until_ms, .. } => *until_ms,
                _ => None,
            };
            in_time(due)
        }
        _ => Ok(()),
    }
}

/// What holds of a state in memory and the history on the disk.
pub fn memory(state: &State, run: &History) -> Result<(), Broken> {
    let workflow = &state.workflow;
    let folded = engine::fold(run.events());
    check(folded.as_ref() == Some(state), 6, || {
        format!("{workflow}: the fold is another state")
    })?;
    if may_continue(state) {
        let short = compact(run.events().cloned());
        let mut short = engine::fold(&short);
        if let Some(short) = &mut short {
            // Events that say nothing move only the head and the time.
            (short.head, short.updated_at_ms) = (state.head, state.updated_at_ms);
        }
        check(short.as_ref() == Some(state), 6, || {
            format!("{workflow}: the shorter history is another one")
        })?;
    }
    let told = |lane: &State| lane.remarks == state.remarks;
    check(state.lanes.values().all(|lane| told(lane)), 6, || {
        format!("{workflow}: a part does not know every remark")
    })?;
    let waits = state.is_finished()
        || !state.working().is_empty()
        || engine::next_due_ms(state).is_some()
        || matches!(state.phase, Phase::AwaitingDecision { .. });
    check(waits, 4, || format!("{workflow}: nothing can happen any more"))?;
    let bounded = state.iteration <= ITERATIONS_MAX && state.resumes <= RESUMES_MAX;
    check(bounded, 11, || {
        format!(
            "{workflow}: {} iterations, {} restarts",
            state.iteration, state.resumes
        )
    })?;
    let anywhere = format!("{state:?}").contains(HALF_THOUGHT);
    check(!anywhere, 9, || {
        format!("{workflow}: text of a stream is in the state")
    })
}

/// What holds of those who follow. Text that was told and lost with the power
/// is not theirs to know; they are told so where the server has less.
pub fn clients(clients: &[Client], disk: &Disk) -> Result<(), Broken> {
    for client in clients.iter().filter(|client| client.attached) {
        let Some(run) = disk.runs.get(&client.workflow) else {
            continue;
        };
        let same = client.seen.iter().eq(run.events().take(client.seen.len()));
        check(same, 8, || {
            format!("{}: a client has another list", client.workflow)
        })?;
    }
    Ok(())
}

/// What holds of the repository.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "some kinds are looked for among all"
)]
pub fn repository(repository: &Repository, disk: &Disk) -> Result<(), Broken> {
    let mut base = "root";
    let mut known = BTreeSet::new();
    for commit in &repository.commits {
        check(commit.base == base, 15, || {
            format!("{} moved the branch from elsewhere", commit.id)
        })?;
        base = &commit.id;
        let ours = !commit.message.is_empty();
        check(!ours || known.insert(&commit.message), 15, || {
            format!("{} is there twice", commit.message)
        })?;
        if ours {
            let intended = disk.runs.values().any(|run| {
                run.rows
                    .iter()
                    .take(run.synced)
                    .any(|row| match row.recorded.event.innermost() {
                        Event::ApplyIntended(intent) => intent.commit.as_ref().is_some_and(|known| {
                            known.message == commit.message && known.base.as_deref() == Some(&commit.base)
                        }),
                        _ => false,
                    })
            });
            check(intended, 5, || {
                format!("{} was made without an intent", commit.id)
            })?;
        }
    }
    Ok(())
}
