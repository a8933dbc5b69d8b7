//! The list of workflows and beginning anew from a stage: what the two want of
//! the window, and which shortcuts mean something else there.

use iced::{Task, widget::operation};
use shared::{id::WorkflowId, wire::WorkflowSummary};

use super::{App, Message, Pane};
use crate::{
    Error,
    model::Workflow,
    screen::{
        fork, interaction,
        review::Toward,
        workflows::{self, Event},
    },
    shortcut::Shortcut,
};

impl App {
    pub(super) fn take_workflows(&mut self, message: workflows::Message) -> Task<Message> {
        // The list says how long ago things were.
        self.now = (self.clock.now)();
        let (task, event) = self.workflows.update(message);
        let task = task.map(Message::Workflows);
        match event {
            Some(Event::List { cursor, generation }) => {
                let page = self.connection.page(cursor.as_deref());
                let listed = move |page: Result<_, Error>| {
                    Message::Workflows(workflows::Message::Listed(generation, page.map(Box::new)))
                };
                Task::batch([task, Task::perform(page, listed)])
            }
            Some(Event::Open(workflow)) => Task::batch([task, self.open(workflow)]),
            Some(Event::Cancel(id)) => Task::batch([
                task,
                Task::perform(self.connection.cancel(&id), Message::Cancelled),
            ]),
            None => task,
        }
    }

    /// Shows the list, as it is now.
    pub(super) fn list(&mut self) -> Task<Message> {
        Task::batch([
            self.take_workflows(workflows::Message::Refresh),
            operation::focus(workflows::search_id()),
        ])
    }

    /// What a shortcut means while the list is shown, if it means something else
    /// there.
    pub(super) fn obey_for_workflows(&mut self, shortcut: Shortcut) -> Option<Task<Message>> {
        if self.pane != Pane::Workflows || self.help || self.settings.is_some() {
            return None;
        }
        let own = [
            (Shortcut::NextAct, workflows::Message::Step(Toward::Next)),
            (Shortcut::PreviousAct, workflows::Message::Step(Toward::Previous)),
            (Shortcut::Act, workflows::Message::Press),
        ];
        if shortcut == Shortcut::Find {
            return Some(operation::focus(workflows::search_id()));
        }
        let (_, message) = own.into_iter().find(|(other, _)| *other == shortcut)?;
        Some(self.take_workflows(message))
    }

    /// Leaves the workflow that is shown to the backend and writes the next request.
    pub(super) fn leave(&mut self) -> Task<Message> {
        self.detach();
        operation::focus(interaction::request_id())
    }

    pub(super) fn take_fork(&mut self, message: fork::Message) -> Task<Message> {
        let Some(workflow) = &self.workflow else {
            return Task::none();
        };
        match self.fork.update(message, workflow) {
            Some(at) => Task::perform(self.connection.fork(&workflow.id, at), Message::Forked),
            None => Task::none(),
        }
    }

    pub(super) fn take_forked(&mut self, forked: Result<WorkflowId, Error>) -> Task<Message> {
        let (id, workflow) = match (forked, &self.workflow) {
            (Ok(id), Some(workflow)) => (id, workflow),
            (Ok(_), None) => return Task::none(),
            (Err(error), _) => return self.fail(error),
        };
        let (query, workspace) = (workflow.query.clone(), workflow.workspace.clone());
        self.error = None;
        self.attach(Workflow::new(id, query, workspace))
    }

    fn open(&mut self, summary: WorkflowSummary) -> Task<Message> {
        self.pane = Pane::Writing;
        self.error = None;
        let WorkflowSummary {
            workflow_id,
            user_query,
            workspace,
            ..
        } = summary;
        self.attach(Workflow::new(workflow_id, user_query, workspace))
    }
}
