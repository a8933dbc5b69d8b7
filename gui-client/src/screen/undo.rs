//! Taking back what the shown workflow has committed, by a new commit.

use iced::Element;
use shared::wire::UndoResponse;

use super::progress::{place, short};
use crate::{
    model::{Phase, Workflow},
    theme::{
        Look,
        style::{Surface, Tone},
    },
    widget::pieces,
};

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Undo {
    /// Nobody asked for it.
    #[default]
    Not,
    /// It was asked for.
    Asked,
    /// It is done.
    Done(UndoResponse),
}

impl Undo {
    /// Whether it can be asked for: something was committed, and stands.
    pub fn may(&self, workflow: &Workflow) -> bool {
        *self == Self::Not && has_committed(workflow)
    }

    /// A button, or what came of it; nothing where nothing was committed.
    pub fn view<'a, Message: Clone + 'a>(
        &self,
        look: Look,
        workflow: &Workflow,
        ask: Message,
    ) -> Option<Element<'a, Message>> {
        if !has_committed(workflow) {
            return None;
        }
        Some(match self {
            Self::Not => pieces::choice(look, Tone::Quiet, "Undo this commit", Some(ask)),
            Self::Asked => pieces::choice(look, Tone::Quiet, "Taking it back…", None),
            Self::Done(done) => {
                let title = match &done.commit {
                    Some(commit) => {
                        format!("✓ Taken back by {}{}", short(commit), place(done.branch.as_ref()))
                    }
                    None => "Nothing of it was left to take back".to_owned(),
                };
                pieces::card(look, Surface::Success, title, "")
            }
        })
    }
}

fn has_committed(workflow: &Workflow) -> bool {
    match &workflow.phase {
        Phase::Completed(applied) => applied.commit.is_some(),
        Phase::Submitted
        | Phase::Running
        | Phase::Review { .. }
        | Phase::Decided(_)
        | Phase::Rejected
        | Phase::Cancelled
        | Phase::Failed { .. } => false,
    }
}
