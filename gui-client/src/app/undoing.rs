//! Taking back what the shown workflow has committed.

use iced::Task;
use shared::{id::WorkflowId, wire::UndoResponse};

use super::{App, Message};
use crate::{Error, screen::undo::Undo};

impl App {
    /// Asks for what takes back the shown workflow's commit.
    pub(super) fn take_back(&mut self) -> Task<Message> {
        let Some(workflow) = self.workflow.as_ref().filter(|shown| self.undo.may(shown)) else {
            return Task::none();
        };
        self.undo = Undo::Asked;
        let id = workflow.id.clone();
        Task::perform(self.connection.undo(&workflow.id), move |undone| {
            Message::Undone(id.clone(), undone)
        })
    }

    pub(super) fn take_undone(
        &mut self,
        of: &WorkflowId,
        undone: Result<UndoResponse, Error>,
    ) -> Task<Message> {
        // Another workflow is shown by now.
        if self.workflow.as_ref().is_none_or(|workflow| workflow.id != *of) {
            return Task::none();
        }
        match undone {
            Ok(done) => {
                self.undo = Undo::Done(done);
                self.error = None;
                Task::none()
            }
            Err(error) => {
                // Nothing was written, and it can be asked for again.
                self.undo = Undo::Not;
                self.fail(error)
            }
        }
    }
}
