//! Telling a person who does not look at the window that they are asked.

use iced::{Task, window};

use super::{App, Message};
use crate::{
    attention::Call,
    model::{Permission, Phase},
    widget::pieces,
};

/// Characters of a request that the desktop is given.
const QUERY_CHARS_MAX: usize = 120;

impl App {
    /// Calls for attention: the window's entry in the task bar, and the desktop
    /// unless the window is in front or a person does not want it.
    pub(super) fn call(&self, call: Call) -> Task<Message> {
        if self.in_front {
            return Task::none();
        }
        let window = window::latest()
            .and_then(|id| window::request_user_attention(id, Some(window::UserAttention::Informational)));
        let desktop = self
            .options
            .desktop
            .as_ref()
            .filter(|_| self.config.notifications);
        let Some(desktop) = desktop else { return window };
        let shown = desktop.show(call);
        let told = Task::future(async move {
            if let Err(reason) = shown.await {
                tracing::info!(%reason, "the desktop shows no notification");
            }
        });
        Task::batch([window, told.discard()])
    }

    /// What the desktop says when the workflow needs a decision.
    pub(super) fn call_for_decision(&self) -> Option<Call> {
        let workflow = self.workflow.as_ref()?;
        let Phase::Review { .. } = &workflow.phase else {
            return None;
        };
        let title = match workflow.permission_asked() {
            Some(Permission::Unisolated(_)) => "May something run without a sandbox?",
            Some(Permission::Tool(_)) => "May the model call a tool?",
            None if workflow.failure_asked().is_some() => "A stage failed",
            None if workflow.files.is_empty() => "A plan is waiting for your decision",
            None => "A proposal is waiting for your decision",
        };
        Some(Call {
            title: title.to_owned(),
            content: pieces::shortened(&workflow.query, QUERY_CHARS_MAX),
        })
    }
}
