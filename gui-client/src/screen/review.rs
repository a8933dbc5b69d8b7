//! The main pane when a proposal is there: its files, what of them is taken,
//! and the answer to it.

mod answer;
mod draft;
mod files;
mod permission;
mod proposal;

use std::collections::BTreeMap;

use iced::{
    Element, Length, Task,
    widget::{Id, column, container, operation, scrollable::AbsoluteOffset, text, text_editor},
};
use shared::wire::{Decision, DecisionRequest};

pub use self::draft::Draft;
use self::permission::{asks_about_proposal, for_good};
use crate::{
    model::{
        Phase, Workflow,
        diff::FileView,
        layout::{Layout, View},
        selection::Selection,
    },
    shortcut::Shortcut,
    theme::Look,
    widget::{code::row_top, pieces},
};

/// Rows left above a change that is jumped to.
const ROWS_ABOVE: usize = 3;

/// Id of the scrolled diff.
pub fn scroll_id() -> Id {
    Id::new("diff")
}

/// Id of the feedback editor.
pub fn feedback_id() -> Id {
    Id::new("feedback")
}

/// Id of the editor of a file.
pub fn text_id() -> Id {
    Id::new("text")
}

/// Where somebody is in a proposal.
#[derive(Debug, Default)]
pub struct Review {
    /// The shown file.
    pub file: usize,
    /// How much of it is shown.
    pub view: View,
    /// How.
    pub layout: Layout,
    /// Which of its changes was jumped to.
    pub change: Option<usize>,
    /// What is taken of the proposal.
    pub selection: Selection,
    /// Files as the person wrote them.
    own: BTreeMap<String, FileView>,
    /// The text of the shown file, while it is edited.
    pub text: Option<text_editor::Content>,
    /// Feedback that is being written.
    pub feedback: Option<text_editor::Content>,
    /// A decision that was sent and has not come back as an event: until then
    /// nothing else can be decided.
    pub deciding: Option<Decision>,
    /// Whether the question about running without a sandbox is to be answered later.
    is_put_off: bool,
}

/// What happens here.
#[derive(Debug, Clone)]
pub enum Message {
    /// Show a file.
    File(usize),
    /// Show the next file, or the previous one.
    Step(Toward),
    /// Go to the next change, or the previous one.
    Jump(Toward),
    /// Show whole files or changes only.
    ToggleView,
    /// Old and new lines next to each other, or one above the other.
    ToggleLayout,
    /// Take a hunk of the shown file, or leave it out.
    Hunk(usize),
    /// The same with the hunk that was jumped to.
    ToggleHunk,
    /// Take a file, or leave it out.
    Take(usize),
    /// The same with the shown file.
    ToggleFile,
    /// Edit the shown file.
    Edit,
    /// The file was edited.
    Typed(text_editor::Action),
    /// Take the text as it is now.
    Keep,
    /// Leave the text as it was.
    Discard,
    /// Take the file as it was proposed.
    Revert,
    /// Accept.
    Accept,
    /// Reject.
    Reject,
    /// The same answer to the question about running without a sandbox, for the
    /// workspace from now on.
    ForGood(Decision),
    /// Answer that question later.
    Later,
    /// Ask it now.
    AskPermission,
    /// Open the feedback box.
    Modify,
    /// Close the feedback box.
    Back,
    /// The feedback was edited.
    Edited(text_editor::Action),
    /// Send the feedback.
    Send,
    /// This belongs into the field that is open, if one is.
    Write(String),
    /// A shortcut was pressed while writing.
    Shortcut(Shortcut),
}

/// Forward or backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// To the next one.
    Next,
    /// To the previous one.
    Previous,
}

impl Toward {
    /// As [`Toward::step`], from one end on to the other.
    pub fn around(self, at: Option<usize>, count: usize) -> Option<usize> {
        let last = count.checked_sub(1)?;
        Some(match (at, self) {
            (None, Self::Next) => 0,
            (None, Self::Previous) => last,
            (Some(at), Self::Next) => (at + 1) % count,
            (Some(at), Self::Previous) => (at + last) % count,
        })
    }

    /// The place that comes after `at` among `count`, which ends at both ends; the
    /// first in this direction where nothing was chosen.
    pub fn step(self, at: Option<usize>, count: usize) -> Option<usize> {
        let last = count.checked_sub(1)?;
        Some(match (at, self) {
            (None, Self::Next) => 0,
            (None, Self::Previous) => last,
            (Some(at), Self::Next) => (at + 1).min(last),
            (Some(at), Self::Previous) => at.saturating_sub(1),
        })
    }
}

/// What the window must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Send this decision.
    Decide(DecisionRequest),
    /// Obey a shortcut.
    Shortcut(Shortcut),
}

impl Review {
    /// The review of a proposal of which all is taken.
    pub fn new(view: View, layout: Layout) -> Self {
        Self {
            view,
            layout,
            ..Self::default()
        }
    }

    /// The review of another proposal, shown as this one was.
    #[must_use]
    pub fn next(&self) -> Self {
        Self::new(self.view, self.layout)
    }

    /// A file as it would be written: with the person's own text, if it has one.
    pub fn file<'a>(&'a self, file: &'a FileView) -> &'a FileView {
        self.own.get(&file.path).unwrap_or(file)
    }

    /// Reacts; `workflow` is the one under review.
    pub fn update(
        &mut self,
        message: Message,
        workflow: &Workflow,
        look: Look,
    ) -> (Task<Message>, Option<Event>) {
        let task = match message {
            Message::File(file) => self.show(file, workflow),
            Message::Step(direction) => {
                let file = direction.around(Some(self.file), workflow.files.len());
                self.show(file.unwrap_or_default(), workflow)
            }
            Message::Jump(direction) => self.jump(direction, workflow, look),
            Message::ToggleView => {
                self.view = self.view.other();
                self.back_to_top()
            }
            Message::ToggleLayout => {
                self.layout = self.layout.other();
                self.back_to_top()
            }
            Message::Hunk(_)
            | Message::ToggleHunk
            | Message::Take(_)
            | Message::ToggleFile
            | Message::Edit
            | Message::Typed(_)
            | Message::Keep
            | Message::Discard
            | Message::Revert => self.choose(message, workflow),
            Message::Write(text) => self.write(&text),
            Message::Accept => return (Task::none(), self.decide(Decision::Accept, None, workflow)),
            Message::Reject => return (Task::none(), self.decide(Decision::Reject, None, workflow)),
            Message::ForGood(decision) => {
                let event = self.decide(decision, None, workflow);
                return (Task::none(), event.map(for_good));
            }
            Message::Later => {
                self.is_put_off = true;
                Task::none()
            }
            Message::AskPermission => {
                self.is_put_off = false;
                Task::none()
            }
            Message::Modify if self.may(Decision::Modify, workflow) => {
                self.feedback.get_or_insert_default();
                operation::focus(feedback_id())
            }
            Message::Modify => Task::none(),
            Message::Back => {
                self.feedback = None;
                Task::none()
            }
            Message::Edited(action) => {
                if let Some(feedback) = &mut self.feedback {
                    feedback.perform(action);
                }
                Task::none()
            }
            Message::Send => {
                let text = self.feedback_text();
                if text.is_empty() {
                    return (Task::none(), None);
                }
                return (Task::none(), self.decide(Decision::Modify, Some(text), workflow));
            }
            Message::Shortcut(shortcut) => return (Task::none(), Some(Event::Shortcut(shortcut))),
        };
        (task, None)
    }

    /// Reacts to what changes the selection; only while it can be decided on.
    fn choose(&mut self, message: Message, workflow: &Workflow) -> Task<Message> {
        let Some(file) = workflow.files.get(self.file) else {
            return Task::none();
        };
        if !self.may_choose(workflow) {
            return Task::none();
        }
        match message {
            Message::Hunk(hunk) => self.selection.toggle_hunk(file, hunk),
            Message::ToggleHunk => match self.hunk(file) {
                Some(hunk) => self.selection.toggle_hunk(file, hunk),
                None => self.selection.toggle_file(file),
            },
            Message::Take(file) => {
                if let Some(file) = workflow.files.get(file) {
                    self.selection.toggle_file(file);
                }
            }
            Message::ToggleFile => self.selection.toggle_file(file),
            Message::Edit => {
                if self.text.is_some() {
                    return self.choose(Message::Keep, workflow);
                }
                let own = self.selection.text(&file.path).map(str::to_owned);
                if let Some(text) = own.or_else(|| file.editable()) {
                    self.text = Some(text_editor::Content::with_text(&text));
                    return operation::focus(text_id());
                }
            }
            Message::Typed(action) => {
                if let Some(text) = &mut self.text {
                    text.perform(action);
                }
            }
            Message::Keep => {
                if let Some(text) = self.text.take() {
                    let text = text.text();
                    self.selection.write(file, text);
                    let rewritten = self.selection.text(&file.path).map(|text| file.rewritten(text));
                    match rewritten {
                        Some(own) => self.own.insert(file.path.clone(), own),
                        None => self.own.remove(&file.path),
                    };
                    return self.back_to_top();
                }
            }
            Message::Discard => self.text = None,
            Message::Revert => {
                self.selection.revert(&file.path);
                self.own.remove(&file.path);
                self.text = None;
                return self.back_to_top();
            }
            Message::File(_)
            | Message::Step(_)
            | Message::Jump(_)
            | Message::ToggleView
            | Message::ToggleLayout
            | Message::Accept
            | Message::Reject
            | Message::ForGood(_)
            | Message::Later
            | Message::AskPermission
            | Message::Modify
            | Message::Back
            | Message::Edited(_)
            | Message::Send
            | Message::Write(_)
            | Message::Shortcut(_) => {}
        }
        Task::none()
    }

    /// The backend has the decision; what was written has done its work.
    pub fn decided(&mut self) {
        self.feedback = None;
    }

    /// The decision is an event of the workflow, or another one is asked for.
    pub fn settled(&mut self) {
        self.deciding = None;
        self.is_put_off = false;
    }

    /// The backend does not have the decision: what was written stays.
    pub fn not_decided(&mut self) {
        self.deciding = None;
    }

    fn may(&self, decision: Decision, workflow: &Workflow) -> bool {
        let takes_something = decision != Decision::Accept || self.takes_something(workflow);
        self.deciding.is_none() && workflow.may(decision) && takes_something
    }

    /// Whether parts can be chosen: of a proposal that is asked about.
    fn may_choose(&self, workflow: &Workflow) -> bool {
        self.deciding.is_none() && workflow.may(Decision::Accept) && asks_about_proposal(workflow)
    }

    fn takes_something(&self, workflow: &Workflow) -> bool {
        let asks_about_files = !workflow.files.is_empty() && asks_about_proposal(workflow);
        let (taken, _) = self.selection.count_all(&workflow.files);
        !asks_about_files || taken > 0
    }

    fn decide(&mut self, decision: Decision, feedback: Option<String>, workflow: &Workflow) -> Option<Event> {
        // What is on the screen is what counts.
        if self.text.is_some() && decision == Decision::Accept {
            let _scrolls_only = self.choose(Message::Keep, workflow);
        }
        if !self.may(decision, workflow) {
            return None;
        }
        let hunks = match decision {
            Decision::Accept if self.may_choose(workflow) => self.selection.choices(&workflow.files),
            Decision::Accept | Decision::Reject | Decision::Modify => None,
        };
        self.deciding = Some(decision);
        Some(Event::Decide(DecisionRequest {
            decision,
            feedback,
            hunks,
            remember: false,
        }))
    }

    fn feedback_text(&self) -> String {
        self.feedback
            .as_ref()
            .map(|feedback| feedback.text().trim().to_owned())
            .unwrap_or_default()
    }

    fn show(&mut self, file: usize, workflow: &Workflow) -> Task<Message> {
        if self.text.is_some() {
            let _scrolls_only = self.choose(Message::Keep, workflow);
        }
        self.file = file.min(workflow.files.len().saturating_sub(1));
        self.back_to_top()
    }

    fn back_to_top(&mut self) -> Task<Message> {
        self.change = None;
        operation::scroll_to(scroll_id(), AbsoluteOffset { x: 0.0, y: 0.0 })
    }

    fn jump(&mut self, direction: Toward, workflow: &Workflow, look: Look) -> Task<Message> {
        let Some(file) = workflow.files.get(self.file) else {
            return Task::none();
        };
        let changes = self.file(file).changes(self.view, self.layout);
        let Some(change) = direction.around(self.change, changes.len()) else {
            return Task::none();
        };
        let y = row_top(look, changes[change].saturating_sub(ROWS_ABOVE));
        self.change = Some(change);
        operation::scroll_to(scroll_id(), AbsoluteOffset { x: 0.0, y })
    }

    /// The hunk that keys act on: that of the change that was jumped to, or the
    /// only one.
    fn hunk(&self, file: &FileView) -> Option<usize> {
        let shown = file.shown(self.view, self.layout);
        let changes = file.changes(self.view, self.layout);
        let row = self
            .change
            .and_then(|change| shown.get(*changes.get(change)?)?.row());
        match row {
            Some(row) => file.hunk_of(row),
            None => Some(0).filter(|_| file.hunks.len() == 1),
        }
    }

    /// The diff and the answer to it; `room` is whether a list of the files has a
    /// place beside it.
    pub fn view<'a>(
        &'a self,
        look: Look,
        workflow: Option<&'a Workflow>,
        room: Room,
    ) -> Element<'a, Message> {
        let hint = || {
            let hint = "The proposal will appear here, side by side.";
            container(text(hint).size(look.size).color(look.colors.faint))
                .center(Length::Fill)
                .into()
        };
        let Some(workflow) = workflow else {
            return hint();
        };
        let content = match workflow.files.get(self.file) {
            Some(file) => self.proposal(look, workflow, file, room),
            None if matches!(workflow.phase, Phase::Review { .. }) => answer::plan(look, workflow),
            None => return hint(),
        };
        column![
            answer::failure(look, workflow),
            content,
            pieces::line_across(look)
        ]
        .push(self.answer(look, workflow))
        .into()
    }
}

/// Room of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// For one pane.
    Narrow,
    /// For several.
    Wide,
}
