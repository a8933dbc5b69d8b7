//! What the window keeps of a person's drafts, and how it goes on with them.

use iced::{Task, widget::Id};

use super::{App, Message};
use crate::{
    drafts::{Drafts, Reviewed},
    model::Phase,
};

impl App {
    /// What would be lost now.
    pub fn drafts(&self) -> Drafts {
        let mut drafts = Drafts {
            request: self.interaction.request.text(),
            workspace: Some(self.interaction.workspace.clone())
                .filter(|path| Some(path) != self.config.workspace.as_ref().or(Some(&String::new()))),
            // What is not about a proposal that is shown may be about one that
            // will be.
            review: self.kept.review.clone(),
            view: self.review.view,
            layout: self.review.layout,
        };
        if let Some(workflow) = &self.workflow {
            let is_over = |kept: &Reviewed| {
                let decided = matches!(workflow.phase, Phase::Decided(_)) || workflow.phase.is_terminal();
                decided && kept.workflow == workflow.id && kept.iteration <= workflow.iteration
            };
            if matches!(workflow.phase, Phase::Review { .. }) {
                drafts.review = self.review.draft(workflow).map(|draft| Reviewed {
                    workflow: workflow.id.clone(),
                    iteration: workflow.iteration,
                    draft,
                });
            } else if drafts.review.as_ref().is_some_and(is_over) {
                drafts.review = None;
            }
        }
        drafts
    }

    /// Goes on with what was being done to the proposal that is asked about; the field
    /// that was being written in.
    pub(super) fn restore(&mut self) -> Option<Id> {
        let workflow = self.workflow.as_ref()?;
        if self.review.draft(workflow).is_some() {
            return None;
        }
        let ours = |kept: &&Reviewed| kept.workflow == workflow.id && kept.iteration == workflow.iteration;
        let kept = self.kept.review.as_ref().filter(ours)?;
        self.review.restore(kept.draft.clone(), workflow);
        self.review.field()
    }

    /// Writes the drafts down if they are others than before.
    pub(super) fn keep(&mut self) -> Task<Message> {
        // One after the other, so that the newest is the last one.
        if self.keeping {
            return Task::none();
        }
        self.unkept = false;
        let drafts = self.drafts();
        if drafts == self.kept {
            return Task::none();
        }
        self.kept = drafts.clone();
        self.keeping = true;
        let store = self.options.drafts.clone();
        Task::perform(
            async move {
                let written = tokio::task::spawn_blocking(move || store.save(&drafts));
                if let Err(error) = written.await {
                    tracing::warn!(%error, "the drafts were not kept");
                }
            },
            |()| Message::Kept,
        )
    }
}
