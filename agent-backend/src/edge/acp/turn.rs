//! One turn: a prompt begins a workflow, answers the last one with feedback, or
//! tells it something, and the turn ends when the workflow does or waits for the
//! person's words. What happens meanwhile reaches the client through its
//! follower, and so the turn ends when the client was told all of it.

use std::sync::Arc;

use agent_client_protocol::v1::schema::StopReason;
use engine::{Phase, State, artifact::Decision};
use shared::{
    error::Code,
    id::{Seq, WorkflowId},
};

use super::{
    answers,
    commands::{self, Asked},
    connection::Connection,
    follower::{Follower, Place, Waits},
    session::{At, Lease, Session, Work},
    text::{self, Said},
    updates,
};
use crate::{error::Error, images::Picture, runtime::Runtime};

/// What a turn is about.
pub(super) struct About {
    /// None where the answer is there already.
    workflow: Option<WorkflowId>,
    since: Since,
    /// Where the journal has what was said.
    pub(super) origin: Origin,
}

/// Where the journal has what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// At this place of the session.
    Entry(usize),
    /// Among what this workflow was told after this event.
    Words(WorkflowId, Seq),
    /// Nowhere.
    Nowhere,
}

/// What belongs to earlier turns: what a client was told up to here, and
/// questions that were put as often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Since {
    at: At,
    round: u64,
}

impl Since {
    fn after(at: At) -> Self {
        Self { at, round: u64::MAX }
    }
}

/// One turn.
pub(super) struct Turn<'a> {
    pub(super) connection: &'a Connection,
    pub(super) session: &'a Arc<Session>,
    pub(super) lease: &'a Lease,
    pub(super) follower: Arc<Follower>,
}

impl Turn<'_> {
    /// Runs to its end.
    pub(super) async fn run(self, said: Said) -> Result<StopReason, Error> {
        match Box::pin(self.begin(said)).await? {
            Some(about) => self.finish(about).await,
            None => Ok(StopReason::EndTurn),
        }
    }

    /// Waits for the end of what was begun.
    pub(super) async fn finish(mut self, about: About) -> Result<StopReason, Error> {
        if let Some(workflow) = &about.workflow {
            self.lease.works_on(workflow);
        }
        let mut stopped = false;
        loop {
            let follower = self.follower.clone();
            let told = async {
                let mut place = follower.place.clone();
                place
                    .wait_for(|place| is_over(*place, about.since))
                    .await
                    .map(|place| *place)
            };
            let told = tokio::select! {
                biased;
                () = self.lease.cancelled(), if !stopped => {
                    stopped = true;
                    // Who asks hears of it as well, and knows what was answered before.
                    if !self.asks(about.workflow.as_ref()).await {
                        self.stop(about.workflow.as_ref()).await;
                    }
                    continue;
                }
                told = told => told,
            };
            match told {
                Ok(place) if self.lease.is_cancelled() => {
                    if place.waits == Waits::Others {
                        self.stop(about.workflow.as_ref()).await;
                    }
                    return Ok(StopReason::Cancelled);
                }
                Err(_) if self.lease.is_cancelled() => {
                    self.stop(about.workflow.as_ref()).await;
                    return Ok(StopReason::Cancelled);
                }
                Ok(place) if place.at.entry == about.since.at.entry && place.waits == Waits::Others => {
                    return Ok(StopReason::Cancelled);
                }
                Ok(_) => return Ok(StopReason::EndTurn),
                // It began to be told anew, or the client has left.
                Err(_) => match self.connection.follower(self.session) {
                    Some(other) => self.follower = other,
                    None => return Ok(StopReason::Cancelled),
                },
            }
        }
    }

    fn runtime(&self) -> &Runtime {
        self.connection.hub().runtime()
    }

    /// Whether the workflow waits for an answer.
    async fn asks(&self, workflow: Option<&WorkflowId>) -> bool {
        let Some(workflow) = workflow else {
            return false;
        };
        let state = self.runtime().state(workflow).await;
        state.is_ok_and(|state| matches!(state.phase, Phase::AwaitingDecision { .. }))
    }

    /// A workflow that ended a moment ago refuses, which is as good.
    async fn stop(&self, workflow: Option<&WorkflowId>) {
        let Some(workflow) = workflow else { return };
        if let Err(error) = self.runtime().cancel(workflow).await {
            tracing::debug!(%workflow, %error, "not cancelled");
        }
    }

    /// Does what is asked; what to wait for, if anything.
    pub(super) async fn begin(&self, said: Said) -> Result<Option<About>, Error> {
        let last = self.unfinished().await?;
        let asked = commands::parse(&said.text)?;
        let begins = matches!(&asked, Asked::Words | Asked::Work { .. }) && last.is_none();
        let (text, images) = if begins {
            (said.text, said.images)
        } else {
            (text::words(said)?, Vec::new())
        };
        match (asked, last) {
            (Asked::Search(query), _) => {
                let answer =
                    answers::search(self.runtime(), &self.session.cwd, &self.session.folders(), &query)
                        .await?;
                self.answer(text, answer).await
            }
            (Asked::Index, _) => {
                let answer = answers::index(self.runtime(), &self.session.cwd).await?;
                self.answer(text, answer).await
            }
            (Asked::Undo(workflow), _) => {
                let workflows = self.session.workflows();
                let answer = answers::undo(self.runtime(), &workflows, workflow.as_deref()).await?;
                self.answer(text, answer).await
            }
            (Asked::Review | Asked::Resume, Some((entry, state))) => Ok(self.go_on(entry, &state)),
            (Asked::Review | Asked::Resume, None) => {
                let answer = "Everything in this session is over.".to_owned();
                self.answer(text, answer).await
            }
            (Asked::Words, Some((entry, state))) => match self.tell(&state, &text).await? {
                Some(seq) => Ok(Some(About {
                    workflow: Some(state.workflow.clone()),
                    since: Since::after(At { entry, seq }),
                    origin: Origin::Words(state.workflow.clone(), seq),
                })),
                // Somebody else has answered meanwhile, and it is over.
                None => self.work(None, text.clone(), text, images).await.map(Some),
            },
            (Asked::Words, None) => self.work(None, text.clone(), text, images).await.map(Some),
            (Asked::Work { definition, query }, None) => {
                self.work(Some(definition), query, text, images).await.map(Some)
            }
            (Asked::Work { .. }, Some((_, state))) => {
                let message = format!(
                    "workflow `{}` of this session is not over: answer its question, or cancel it",
                    state.workflow
                );
                Err(Error::user(Code::InvalidRequest, message))
            }
        }
    }

    /// The last workflow and its place, if it is not over.
    async fn unfinished(&self) -> Result<Option<(usize, Arc<State>)>, Error> {
        let Some((entry, workflow)) = self.session.last() else {
            return Ok(None);
        };
        match self.runtime().state(&workflow).await {
            Ok(state) if state.is_finished() => Ok(None),
            Ok(state) => Ok(Some((entry, state))),
            Err(error) if error.code == Code::UnknownWorkflow => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn work(
        &self,
        definition: Option<&str>,
        query: String,
        text: String,
        images: Vec<Picture>,
    ) -> Result<About, Error> {
        let chosen = self.session.settings().borrow().mode.clone();
        let definition = definition.unwrap_or(&chosen);
        let work = Work {
            definition,
            query,
            prompt: text,
            images,
        };
        let begun = self
            .session
            .begin_work(self.runtime(), work, self.connection.id());
        let (entry, workflow) = begun.await?;
        Ok(About {
            workflow: Some(workflow),
            since: Since::after(At::begin(entry)),
            origin: Origin::Entry(entry),
        })
    }

    /// Gives an answer that needed no workflow.
    async fn answer(&self, text: String, answer: String) -> Result<Option<About>, Error> {
        if self.unfinished().await?.is_some() {
            // What is told in order waits for the workflow, and this cannot.
            let update = updates::say(&answer);
            self.follower.tell(update.clone());
            self.session
                .announce_to_others(update, Some(self.connection.id()));
            return Ok(None);
        }
        let entry = self
            .session
            .answered(self.runtime(), text, answer, self.connection.id())
            .await?;
        Ok(Some(About {
            workflow: None,
            since: Since::after(At::begin(entry)),
            origin: Origin::Entry(entry),
        }))
    }

    /// Joins a workflow that goes on; where it asks, it asks once more.
    fn go_on(&self, entry: usize, state: &State) -> Option<About> {
        let at = At {
            entry,
            seq: state.head,
        };
        let since = match state.phase {
            Phase::AwaitingDecision { .. } => Since {
                at,
                round: self.session.ask_again().saturating_sub(1),
            },
            Phase::Running(_) | Phase::Waiting { .. } | Phase::Joining(_) | Phase::Finished(_) => {
                Since::after(at)
            }
        };
        Some(About {
            workflow: Some(state.workflow.clone()),
            since,
            origin: Origin::Nowhere,
        })
    }

    /// Gives the words to a workflow that is not over: as feedback where it asks,
    /// as a remark otherwise. Where it was; none where it is over.
    async fn tell(&self, state: &State, text: &str) -> Result<Option<Seq>, Error> {
        self.follower.said(text);
        let (runtime, workflow) = (self.runtime(), &state.workflow);
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
            Err(error) if matches!(error.code, Code::DecisionNotPending | Code::WorkflowFinished) => {
                tracing::debug!(%workflow, %error, "the words came too late");
                match self.unfinished().await? {
                    // It was answered elsewhere and works: a remark then.
                    Some((_, now)) => {
                        runtime.remark(workflow, text.to_owned()).await?;
                        Ok(Some(now.head))
                    }
                    None => Ok(None),
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether a client that was told so much was told the end of a turn.
fn is_over(place: Place, since: Since) -> bool {
    let now = Since {
        at: place.at,
        round: place.round,
    };
    place.at.entry > since.at.entry || now > since && place.waits != Waits::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_over_when_its_client_knows() {
        let at = |entry, seq| At { entry, seq: Seq(seq) };
        let check = |at: At, waits: Waits, round: u64, since: Since, expect: bool| {
            let place = Place { at, waits, round };
            assert_eq!(is_over(place, since), expect, "{place:?} {since:?}");
        };
        let new = Since::after(at(0, 0));
        check(at(0, 9), Waits::Nothing, 0, new, false);
        check(at(1, 0), Waits::Nothing, 0, new, true);
        check(at(0, 9), Waits::Words, 0, new, true);
        check(at(0, 9), Waits::Others, 0, new, true);
        // The question of the turn before still shows.
        let feedback = Since::after(at(0, 9));
        check(at(0, 9), Waits::Words, 3, feedback, false);
        check(at(0, 20), Waits::Words, 0, feedback, true);
        check(at(0, 9), Waits::Words, 0, Since::after(at(1, 0)), false);
        // Until it was put again.
        let again = Since {
            at: at(0, 9),
            round: 3,
        };
        check(at(0, 9), Waits::Words, 3, again, false);
        check(at(0, 9), Waits::Nothing, 4, again, false);
        check(at(0, 9), Waits::Others, 4, again, true);
    }
}
