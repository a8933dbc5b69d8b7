//! Following one workflow: which one, from where, and what its events change
//! on the screen.

use iced::{
    Task,
    widget::operation::{self, AbsoluteOffset},
    window,
};
use shared::{id::Seq, wire::Body};

use super::{App, Exit, Message, Pane};
use crate::{
    connection::Followed,
    model::{Folded, Workflow},
    screen::{
        footer::Stream,
        review::{self, Review},
    },
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
                for event in &events {
                    let Some(workflow) = &mut self.workflow else { break };
                    match workflow.fold(event) {
                        Folded::Yes => tasks.push(self.notice(&event.body)),
                        Folded::Ignored => {}
                        Folded::Restarted => self.review = Review::default(),
                        Folded::Gap => {
                            self.follow(workflow_head(self.workflow.as_ref()));
                            break;
                        }
                    }
                }
                Task::batch(tasks)
            }
        }
    }

    /// Shows what an event is about.
    fn notice(&mut self, body: &Body) -> Task<Message> {
        match body {
            Body::DiffReady { .. } => {
                self.review = Review {
                    view: self.review.view,
                    ..Review::default()
                };
                self.pane = Pane::Review;
                operation::scroll_to(review::scroll_id(), AbsoluteOffset { x: 0.0, y: 0.0 })
            }
            Body::DecisionTaken { .. } => {
                self.review.settled();
                Task::none()
            }
            Body::DecisionNeeded { .. } => {
                self.review.settled();
                self.pane = Pane::Review;
                window::latest().and_then(|id| {
                    window::request_user_attention(id, Some(window::UserAttention::Informational))
                })
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
            | Body::RetrievalResult { .. }
            | Body::Plan { .. }
            | Body::CheckResult { .. }
            | Body::Applied { .. }
            | Body::Failed { .. }
            | Body::Notice { .. }
            | Body::Resync { .. } => Task::none(),
        }
    }

    /// Shows a workflow and follows it from its first event.
    pub(super) fn attach(&mut self, workflow: Workflow) -> Task<Message> {
        let snapshot = Task::perform(self.connection.view(&workflow.id), Message::Viewed);
        self.review = Review::default();
        self.pane = Pane::Writing;
        self.workflow = Some(workflow);
        self.follow(Seq::default());
        snapshot
    }

    pub(super) fn detach(&mut self) {
        self.workflow = None;
        self.review = Review::default();
        self.pane = if self.narrow { Pane::Request } else { Pane::Writing };
        self.stream = Stream::Idle;
        self.generation += 1;
    }

    pub(super) fn follow(&mut self, after: Seq) {
        self.generation += 1;
        self.follow_from = after;
        self.now = (self.clock.now)();
    }
}

fn workflow_head(workflow: Option<&Workflow>) -> Seq {
    workflow.map(|workflow| workflow.head).unwrap_or_default()
}
