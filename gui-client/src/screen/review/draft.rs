//! What somebody is in the middle of, as it is kept on the disk.

use std::sync::Arc;

use iced::{
    Task,
    widget::{Id, operation, text_editor},
};
use serde::{Deserialize, Serialize};

use super::{Message, Review, feedback_id, text_id};
use crate::model::{Workflow, selection::Selection};

/// What would be lost when the window is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// Feedback that is being written.
    pub feedback: Option<String>,
    /// What is taken.
    pub selection: Selection,
    /// The file that is edited, and its text as it is.
    pub text: Option<(String, String)>,
}

impl Review {
    /// Goes on with what was being done when the window was closed.
    pub fn restore(&mut self, draft: Draft, workflow: &Workflow) {
        self.selection = draft.selection.fitting(&workflow.files);
        self.own = workflow
            .files
            .iter()
            .filter_map(|file| {
                let text = self.selection.text(&file.path)?;
                Some((file.path.clone(), file.rewritten(text)))
            })
            .collect();
        self.feedback = draft.feedback.map(|text| text_editor::Content::with_text(&text));
        let edited = draft.text.and_then(|(path, text)| {
            let file = workflow.files.iter().position(|file| file.path == path)?;
            Some((file, text))
        });
        if let Some((file, text)) = edited {
            self.file = file;
            self.text = Some(text_editor::Content::with_text(&text));
        }
    }

    /// The field that is being written in.
    pub fn field(&self) -> Option<Id> {
        let feedback = self.feedback.is_some().then(feedback_id);
        feedback.or_else(|| self.text.is_some().then(text_id))
    }

    /// Writes into that field, and gives it the keyboard.
    pub(super) fn write(&mut self, text: &str) -> Task<Message> {
        let (Some(field), Some(content)) = (self.field(), self.feedback.as_mut().or(self.text.as_mut()))
        else {
            return Task::none();
        };
        let text = Arc::new(text.replace('\r', "\n"));
        content.perform(text_editor::Action::Edit(text_editor::Edit::Paste(text)));
        operation::focus(field)
    }

    /// What is to be kept; nothing where nothing was done.
    pub fn draft(&self, workflow: &Workflow) -> Option<Draft> {
        let text = self.text.as_ref().and_then(|text| {
            let file = workflow.files.get(self.file)?;
            Some((file.path.clone(), text.text()))
        });
        let draft = Draft {
            feedback: self.feedback.as_ref().map(text_editor::Content::text),
            selection: self.selection.clone(),
            text,
        };
        Some(draft).filter(|draft| *draft != Draft::default())
    }
}
