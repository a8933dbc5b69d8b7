//! One turn: a prompt begins a workflow, answers the last one with feedback, or
//! tells it something, and the turn ends when the workflow does or waits for the
//! person's words. What happens meanwhile reaches the client through its
//! follower, and so the turn ends when the client was told all of it.

use std::sync::Arc;

use agent_client_protocol::v1::schema::{ContentBlock, StopReason};
use engine::{Phase, artifact::Decision};
use shared::id::{Seq, WorkflowId};

use super::{
    connection::Connection,
    empty_prompt,
    follower::{Follower, Place, Waits},
    session::{At, Lease, Session},
    text,
};
use crate::{error::Error, runtime::Runtime};

/// What a turn is about.
struct About {
    workflow: WorkflowId,
    /// Events up to here are of an earlier turn.
    since: At,
}

/// Runs one turn to its end.
pub(super) async fn run(
    connection: &Connection,
    session: &Arc<Session>,
    lease: &Lease,
    mut follower: Arc<Follower>,
    prompt: &[ContentBlock],
) -> Result<StopReason, Error> {
    let text = text::of(prompt);
    if text.trim().is_empty() {
        return Err(empty_prompt());
    }
    let runtime = connection.hub().runtime();
    let about = begin(connection, session, &follower, text).await?;
    lease.works_on(&about.workflow);
    let mut stopped = false;
    loop {
        let told = async {
            let mut place = follower.place.clone();
            place
                .wait_for(|place| is_over(*place, about.since))
                .await
                .map(|place| *place)
        };
        let told = tokio::select! {
            biased;
            () = lease.cancelled(), if !stopped => {
                stopped = true;
                // A workflow that ended a moment ago refuses, which is as good.
                if let Err(error) = runtime.cancel(&about.workflow).await {
                    tracing::debug!(workflow = %about.workflow, %error, "not cancelled");
                }
                continue;
            }
            told = told => told,
        };
        match told {
            _ if lease.is_cancelled() => return Ok(StopReason::Cancelled),
            Ok(place) if place.at.entry == about.since.entry && place.waits == Waits::Others => {
                return Ok(StopReason::Cancelled);
            }
            Ok(_) => return Ok(StopReason::EndTurn),
            // It began to be told anew, or the client has left.
            Err(_) => match connection.follower(session) {
                Some(other) => follower = other,
                None => return Ok(StopReason::Cancelled),
            },
        }
    }
}

/// Whether a client that was told so much was told the end of a turn.
fn is_over(place: Place, since: At) -> bool {
    place.at.entry > since.entry || place.at > since && place.waits != Waits::Nothing
}

/// Begins a workflow, or goes on with the last one.
async fn begin(
    connection: &Connection,
    session: &Arc<Session>,
    follower: &Follower,
    text: String,
) -> Result<About, Error> {
    let runtime = connection.hub().runtime();
    if let Some((entry, workflow)) = session.last()
        && let Some(seq) = go_on(runtime, &workflow, follower, &text).await?
    {
        let since = At { entry, seq };
        return Ok(About { workflow, since });
    }
    let (entry, workflow) = session.begin_work(runtime, text, connection.id()).await?;
    let since = At::begin(entry);
    Ok(About { workflow, since })
}

/// Gives the words to a workflow that is not over: as feedback where it asks, as
/// a remark otherwise. Where it was; none where it is over.
async fn go_on(
    runtime: &Runtime,
    workflow: &WorkflowId,
    follower: &Follower,
    text: &str,
) -> Result<Option<Seq>, Error> {
    let state = match runtime.state(workflow).await {
        Ok(state) => state,
        Err(error) if error.code == shared::error::Code::UnknownWorkflow => return Ok(None),
        Err(error) => return Err(error),
    };
    if state.is_finished() {
        return Ok(None);
    }
    follower.said(text);
    let told = match state.phase {
        Phase::AwaitingDecision { .. } => {
            let feedback = text.to_owned();
            runtime
                .decide(workflow, None, Decision::Modify { feedback })
                .await
        }
        Phase::Running(_) | Phase::Waiting { .. } | Phase::Joining(_) | Phase::Finished(_) => {
            runtime.remark(workflow, text.to_owned()).await
        }
    };
    match told {
        Ok(()) => Ok(Some(state.head)),
        // Somebody else has answered meanwhile: the text is a new request.
        Err(error) => {
            tracing::debug!(%workflow, %error, "the words came too late");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_over_when_its_client_knows() {
        let at = |entry, seq| At { entry, seq: Seq(seq) };
        let check = |place: At, waits: Waits, since: At, expect: bool| {
            assert_eq!(
                is_over(Place { at: place, waits }, since),
                expect,
                "{place:?} {waits:?} {since:?}"
            );
        };
        check(at(0, 9), Waits::Nothing, at(0, 0), false);
        check(at(1, 0), Waits::Nothing, at(0, 0), true);
        check(at(0, 9), Waits::Words, at(0, 0), true);
        check(at(0, 9), Waits::Others, at(0, 0), true);
        // The question of the turn before still shows.
        check(at(0, 9), Waits::Words, at(0, 9), false);
        check(at(0, 20), Waits::Words, at(0, 9), true);
        check(at(0, 9), Waits::Words, at(1, 0), false);
    }
}
