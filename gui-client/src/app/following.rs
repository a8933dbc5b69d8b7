//! Following one workflow: which one, from where, and what its events change
//! on the screen.

use iced::{
    Task,
    widget::operation::{self, AbsoluteOffset},
};
use shared::{
    error::Class,
    id::Seq,
    wire::{Body, WorkflowSummary},
};

use super::{App, Exit, Message, Pane};
use crate::{
    Error,
    clock::fraction,
    connection::{Followed, backoff::Backoff},
    model::{Folded, Workflow},
    screen::{evidence::Evidence, footer::Stream, remark::Remark, review, undo::Undo},
};

impl App {
    pub(super) fn take_followed(&mut self, followed: Followed) -> Task<Message> {
        match followed {
            Followed::Connected => {
                self.stream = Stream::Open;
                Task::none()
            }
            Followed::Interrupted { error, retry_ms } => {
                tracing::info!(%error, retry_ms, "the event stream broke");
                self.stream = Stream::Broken { retry_ms };
                Task::none()
            }
            Followed::Lost(error) => {
                self.stream = Stream::Idle;
                self.detach();
                self.fail(error)
            }
            Followed::Events(events) => {
                let mut tasks = Vec::new();
                let mut asked = false;
                for event in &events {
                    let Some(workflow) = &mut self.workflow else { break };
                    let body = &event.envelope.body;
                    match workflow.fold(event) {
                        Folded::Yes => {
                            asked |= matches!(body, Body::DecisionNeeded { .. });
                            tasks.push(self.notice(body));
                        }
                        Folded::Ignored => {}
                        Folded::Restarted => self.review = self.review.next(),
                        Folded::Gap => {
                            self.follow(workflow_head(self.workflow.as_ref()));
                            break;
                        }
                    }
                }
                // What was asked and answered long ago is nobody's call.
                if asked && let Some(call) = self.call_for_decision() {
                    tasks.push(self.call(call));
                }
                Task::batch(tasks)
            }
        }
    }

    /// Shows what an event is about.
    fn notice(&mut self, body: &Body) -> Task<Message> {
        match body {
            Body::DiffReady { .. } => {
                self.review = self.review.next();
                self.evidence = Evidence::default();
                self.show(Pane::Review);
                operation::scroll_to(review::scroll_id(), AbsoluteOffset { x: 0.0, y: 0.0 })
            }
            Body::DecisionTaken { .. } => {
                self.review.settled();
                Task::none()
            }
            Body::DecisionNeeded { .. } => {
                self.review.settled();
                let goes_on = self.restore();
                self.show(Pane::Review);
                match goes_on.filter(|_| self.pane == Pane::Review) {
                    Some(field) => operation::focus(field),
                    None => Task::none(),
                }
            }
            // Writing begins anew: what was proposed before no longer counts.
            Body::AgentStreamingUpdate { offset: 0, .. } if self.pane == Pane::Review => {
                self.pane = Pane::Writing;
                Task::none()
            }
            Body::WorkflowState { state, .. }
                if state.is_terminal() && self.options.exit == Exit::WhenEnded =>
            {
                iced::exit()
            }
            Body::AgentStreamingUpdate { .. }
            | Body::WorkflowState { .. }
            | Body::StageStarted { .. }
            | Body::StageFinished { .. }
            | Body::AttemptDiscarded { .. }
            | Body::AttemptResumed { .. }
            | Body::RetrievalResult { .. }
            | Body::Plan { .. }
            | Body::CheckResult { .. }
            | Body::Applied { .. }
            | Body::Failed { .. }
            | Body::Notice { .. }
            | Body::ModelCalled { .. }
            | Body::ToolCalled { .. }
            | Body::Remarked { .. }
            | Body::Resync { .. } => Task::none(),
        }
    }

    /// Shows a pane, unless somebody talks with an agent or looks through workflows
    /// meanwhile.
    fn show(&mut self, pane: Pane) {
        if !matches!(self.pane, Pane::Agents | Pane::Workflows) {
            self.pane = pane;
        }
    }

    /// Looks for a workflow to show, once.
    pub(super) fn look_for_unfinished(&mut self) -> Task<Message> {
        if !self.online() || self.looked || self.workflow.is_some() {
            return Task::none();
        }
        self.looked = true;
        Task::perform(self.connection.newest_unfinished(), Message::Found)
    }

    pub(super) fn take_found(&mut self, found: Result<Option<WorkflowSummary>, Error>) -> Task<Message> {
        let error = match found {
            Ok(found) => {
                if self.look_failures > 0 && self.error.as_ref().is_some_and(is_transient) {
                    self.error = None;
                }
                self.look_failures = 0;
                return match found.filter(|_| self.workflow.is_none()) {
                    Some(found) => self.attach(Workflow::new(
                        found.workflow_id,
                        found.user_query,
                        found.workspace,
                    )),
                    None => Task::none(),
                };
            }
            Err(error) => error,
        };
        if !is_transient(&error) {
            return self.fail(error);
        }
        // Said once: who has closed it shall not be told again and again.
        let told = if self.look_failures == 0 && self.workflow.is_none() {
            self.fail(error)
        } else {
            tracing::debug!(%error, failures = self.look_failures, "the list of workflows is not to be had");
            Task::none()
        };
        // The server may stay up all the while, and say nothing that would
        // begin another search.
        self.looked = false;
        let delay = Backoff::default().delay(self.look_failures, fraction());
        self.look_failures = self.look_failures.saturating_add(1);
        Task::batch([told, Task::perform(tokio::time::sleep(delay), |()| Message::Look)])
    }

    /// Shows a workflow and follows it from its first event.
    pub(super) fn attach(&mut self, workflow: Workflow) -> Task<Message> {
        let snapshot = Task::perform(self.connection.view(&workflow.id), |viewed| {
            Message::Viewed(viewed.map(Box::new))
        });
        self.review = self.review.next();
        self.evidence = Evidence::default();
        self.remark = Remark::default();
        self.undo = Undo::default();
        self.show(Pane::Writing);
        self.workflow = Some(workflow);
        self.follow(Seq::default());
        snapshot
    }

    pub(super) fn detach(&mut self) {
        self.workflow = None;
        self.review = self.review.next();
        self.evidence = Evidence::default();
        self.undo = Undo::default();
        self.show(if self.is_narrow() {
            Pane::Request
        } else {
            Pane::Writing
        });
        self.stream = Stream::Idle;
        self.generation += 1;
    }

    pub(super) fn follow(&mut self, after: Seq) {
        self.generation += 1;
        self.follow_from = after;
        self.now = (self.clock.now)();
    }
}

fn is_transient(error: &Error) -> bool {
    error.class() == Class::Transient
}

fn workflow_head(workflow: Option<&Workflow>) -> Seq {
    workflow.map(|workflow| workflow.head).unwrap_or_default()
}
