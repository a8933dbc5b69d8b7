//! The main pane when a proposal is there: its files side by side, and the
//! answer to it.

use iced::{
    Alignment, Element, Length, Task,
    widget::{
        Id, column, container, operation, row,
        scrollable::{AbsoluteOffset, Direction, Scrollbar},
        space, text, text_editor,
    },
};
use shared::wire::{ChangeKind, Decision, DecisionRequest};

use super::{details, progress};
use crate::{
    model::{
        Phase, Workflow,
        diff::{FileView, View},
    },
    shortcut::{Shortcut, resolve},
    theme::{
        GAP, Look, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::{
        code::{Code, row_top},
        pieces,
        rows::Rows,
    },
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

/// Where somebody is in a proposal.
#[derive(Debug)]
pub struct Review {
    /// The shown file.
    pub file: usize,
    /// How much of it is shown.
    pub view: View,
    /// Which of its changes was jumped to.
    pub change: Option<usize>,
    /// Feedback that is being written.
    pub feedback: Option<text_editor::Content>,
    /// A decision that was sent and has not come back as an event: until then
    /// nothing else can be decided.
    pub deciding: Option<Decision>,
}

impl Default for Review {
    fn default() -> Self {
        Self {
            file: 0,
            view: View::Folded,
            change: None,
            feedback: None,
            deciding: None,
        }
    }
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
    /// Accept.
    Accept,
    /// Reject.
    Reject,
    /// Open the feedback box.
    Modify,
    /// Close the feedback box.
    Back,
    /// The feedback was edited.
    Edited(text_editor::Action),
    /// Send the feedback.
    Send,
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

/// What the window must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Send this decision.
    Decide(DecisionRequest),
    /// Obey a shortcut.
    Shortcut(Shortcut),
}

impl Review {
    /// Reacts; `workflow` is the one under review.
    pub fn update(
        &mut self,
        message: Message,
        workflow: &Workflow,
        look: Look,
    ) -> (Task<Message>, Option<Event>) {
        match message {
            Message::File(file) => (self.show(file, workflow), None),
            Message::Step(direction) => {
                let count = workflow.files.len().max(1);
                let file = match direction {
                    Toward::Next => (self.file + 1) % count,
                    Toward::Previous => (self.file + count - 1) % count,
                };
                (self.show(file, workflow), None)
            }
            Message::Jump(direction) => (self.jump(direction, workflow, look), None),
            Message::ToggleView => {
                self.view = match self.view {
                    View::Folded => View::Full,
                    View::Full => View::Folded,
                };
                self.change = None;
                (
                    operation::scroll_to(scroll_id(), AbsoluteOffset { x: 0.0, y: 0.0 }),
                    None,
                )
            }
            Message::Accept => (Task::none(), self.decide(Decision::Accept, None, workflow)),
            Message::Reject => (Task::none(), self.decide(Decision::Reject, None, workflow)),
            Message::Modify => {
                if !self.may(Decision::Modify, workflow) {
                    return (Task::none(), None);
                }
                self.feedback.get_or_insert_default();
                (operation::focus(feedback_id()), None)
            }
            Message::Back => {
                self.feedback = None;
                (Task::none(), None)
            }
            Message::Edited(action) => {
                if let Some(feedback) = &mut self.feedback {
                    feedback.perform(action);
                }
                (Task::none(), None)
            }
            Message::Send => {
                let text = self.feedback_text();
                if text.is_empty() {
                    return (Task::none(), None);
                }
                (Task::none(), self.decide(Decision::Modify, Some(text), workflow))
            }
            Message::Shortcut(shortcut) => (Task::none(), Some(Event::Shortcut(shortcut))),
        }
    }

    /// The backend has the decision; what was written has done its work.
    pub fn decided(&mut self) {
        self.feedback = None;
    }

    /// The decision is an event of the workflow, or another one is asked for.
    pub fn settled(&mut self) {
        self.deciding = None;
    }

    /// The backend does not have the decision: what was written stays.
    pub fn not_decided(&mut self) {
        self.deciding = None;
    }

    fn may(&self, decision: Decision, workflow: &Workflow) -> bool {
        self.deciding.is_none() && workflow.may(decision)
    }

    fn decide(&mut self, decision: Decision, feedback: Option<String>, workflow: &Workflow) -> Option<Event> {
        if !self.may(decision, workflow) {
            return None;
        }
        self.deciding = Some(decision);
        Some(Event::Decide(DecisionRequest {
            decision,
            feedback,
            hunks: None,
        }))
    }

    fn feedback_text(&self) -> String {
        self.feedback
            .as_ref()
            .map(|feedback| feedback.text().trim().to_owned())
            .unwrap_or_default()
    }

    fn show(&mut self, file: usize, workflow: &Workflow) -> Task<Message> {
        self.file = file.min(workflow.files.len().saturating_sub(1));
        self.change = None;
        operation::scroll_to(scroll_id(), AbsoluteOffset { x: 0.0, y: 0.0 })
    }

    fn jump(&mut self, direction: Toward, workflow: &Workflow, look: Look) -> Task<Message> {
        let Some(file) = workflow.files.get(self.file) else {
            return Task::none();
        };
        let changes = file.changes(self.view);
        if changes.is_empty() {
            return Task::none();
        }
        let change = match (direction, self.change) {
            (Toward::Next, None) => 0,
            (Toward::Next, Some(change)) => (change + 1) % changes.len(),
            (Toward::Previous, None) => changes.len() - 1,
            (Toward::Previous, Some(change)) => (change + changes.len() - 1) % changes.len(),
        };
        self.change = Some(change);
        let y = row_top(look, changes[change].saturating_sub(ROWS_ABOVE));
        operation::scroll_to(scroll_id(), AbsoluteOffset { x: 0.0, y })
    }

    /// The diff and the answer to it.
    pub fn view<'a>(&'a self, look: Look, workflow: Option<&'a Workflow>) -> Element<'a, Message> {
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
            Some(file) => self.diff(look, workflow, file),
            None if matches!(workflow.phase, Phase::Review { .. }) => plan(look, workflow),
            None => return hint(),
        };
        column![failure(look, workflow), content, pieces::line_across(look)]
            .push(self.answer(look, workflow))
            .into()
    }

    fn diff<'a>(&self, look: Look, workflow: &'a Workflow, file: &'a FileView) -> Element<'a, Message> {
        let diff = iced::widget::scrollable(Code::new(Rows::Diff(file, self.view), look))
            .id(scroll_id())
            .spacing(0)
            .width(Length::Fill)
            .height(Length::Fill)
            .style(style::scroll(look));
        column![
            self.files(look, workflow),
            pieces::line_across(look),
            self.head(look, file),
            pieces::line_across(look),
            diff,
        ]
        .height(Length::Fill)
        .into()
    }

    fn files<'a>(&self, look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
        let tabs = workflow.files.iter().enumerate().map(|(index, file)| {
            let tone = if index == self.file {
                Tone::TabChosen
            } else {
                Tone::Tab
            };
            let name = file.path.rsplit('/').next().unwrap_or(&file.path);
            let label = format!(
                "{}  +{} −{}",
                pieces::shortened(name, 40),
                file.added,
                file.removed
            );
            pieces::choice(look, tone, label, Some(Message::File(index)))
        });
        container(
            iced::widget::scrollable(row(tabs).spacing(4))
                .direction(Direction::Horizontal(Scrollbar::new().width(4).scroller_width(4)))
                .style(style::scroll(look)),
        )
        .padding([8.0, SPACE])
        .into()
    }

    fn head<'a>(&self, look: Look, file: &'a FileView) -> Element<'a, Message> {
        let colors = look.colors;
        let kind = match file.change {
            ChangeKind::Create => ("new file", colors.good),
            ChangeKind::Edit => ("changed", colors.muted),
            ChangeKind::Delete => ("removed", colors.bad),
        };
        let view = match self.view {
            View::Folded => "Whole file",
            View::Full => "Changes only",
        };
        let changes = file.changes(self.view).len();
        let place = match self.change {
            Some(change) => format!("{} of {changes}", change + 1),
            None if changes == 1 => "1 change".to_owned(),
            None => format!("{changes} changes"),
        };
        let name = row![
            text(file.path.as_str())
                .font(UI_STRONG)
                .size(look.small())
                .wrapping(text::Wrapping::None),
            text(kind.0)
                .size(look.small())
                .color(kind.1)
                .wrapping(text::Wrapping::None),
        ]
        .spacing(GAP);
        row![
            // In a narrow window the name is cut, not the buttons.
            container(name).width(Length::Fill).clip(true),
            text(place)
                .size(look.small())
                .color(colors.muted)
                .wrapping(text::Wrapping::None),
            pieces::choice(look, Tone::Quiet, "↑", Some(Message::Jump(Toward::Previous))),
            pieces::choice(look, Tone::Quiet, "↓", Some(Message::Jump(Toward::Next))),
            pieces::choice(look, Tone::Quiet, view, Some(Message::ToggleView)),
        ]
        .spacing(GAP)
        .padding([6.0, SPACE])
        .align_y(Alignment::Center)
        .into()
    }

    fn answer<'a>(&'a self, look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
        let when = |decision: Decision, message: Message| self.may(decision, workflow).then_some(message);
        let (added, removed) = workflow.files.iter().fold((0, 0), |(added, removed), file| {
            (added + file.added, removed + file.removed)
        });
        let state = match (&workflow.phase, self.deciding) {
            (_, Some(_)) => "Sending your decision…".to_owned(),
            (Phase::Review { .. }, None) => "Your decision".to_owned(),
            (Phase::Decided(Decision::Accept), None) => "Accepted; applying…".to_owned(),
            (Phase::Decided(Decision::Reject), None) | (Phase::Rejected, None) => "Rejected".to_owned(),
            (Phase::Decided(Decision::Modify), None) => "A new proposal is being made…".to_owned(),
            (Phase::Submitted | Phase::Running, None) => "Not ready for a decision yet".to_owned(),
            (Phase::Completed(_), None) => "✓ Accepted".to_owned(),
            (Phase::Cancelled, None) => "Cancelled".to_owned(),
            (Phase::Failed { .. }, None) => "Failed".to_owned(),
        };
        let changed = match workflow.files.len() {
            0 => String::new(),
            1 => format!("1 file  +{added} −{removed}"),
            files => format!("{files} files  +{added} −{removed}"),
        };
        let summary = row![
            text(state)
                .font(UI_STRONG)
                .size(look.size)
                .wrapping(text::Wrapping::None),
            text(changed)
                .size(look.small())
                .color(look.colors.muted)
                .wrapping(text::Wrapping::None),
        ]
        .spacing(12)
        .align_y(Alignment::Center);
        let summary = container(summary).width(Length::Fill).clip(true);
        let [accept, reject, modify] = if workflow.failure_asked().is_some() {
            ["Try again", "End workflow", "Try again with a hint"]
        } else if workflow.files.is_empty() {
            ["Go on", "Reject", "Modify"]
        } else {
            ["Accept", "Reject", "Modify"]
        };
        let buttons = match &self.feedback {
            None => row![
                summary,
                pieces::action(
                    look,
                    Tone::Reject,
                    reject,
                    when(Decision::Reject, Message::Reject)
                ),
                pieces::action(look, Tone::Quiet, modify, when(Decision::Modify, Message::Modify)),
                pieces::action(
                    look,
                    Tone::Accept,
                    accept,
                    when(Decision::Accept, Message::Accept)
                ),
            ],
            Some(_) => row![
                text("What should be different?").font(UI_STRONG).size(look.size),
                space::horizontal(),
                pieces::action(look, Tone::Quiet, "Back", Some(Message::Back)),
                pieces::action(
                    look,
                    Tone::Primary,
                    "Send feedback",
                    if self.feedback_text().is_empty() {
                        None
                    } else {
                        when(Decision::Modify, Message::Send)
                    },
                ),
            ],
        };
        let buttons = buttons.spacing(GAP).align_y(Alignment::Center);
        let mut parts = column![].spacing(GAP);
        if let Some(feedback) = &self.feedback {
            parts = parts.push(editor(look, feedback));
        }
        container(parts.push(buttons))
            .padding([12.0, SPACE])
            .style(style::surface(look, Surface::Panel))
            .into()
    }
}

/// Why a person is asked, where something failed.
fn failure<'a>(look: Look, workflow: &'a Workflow) -> Option<Element<'a, Message>> {
    let (stage, reason) = workflow.failure_asked()?;
    let title = format!("{} failed", progress::title(stage.as_str()));
    let card = pieces::card(look, Surface::Error, title, reason);
    Some(container(card).padding(SPACE).into())
}

/// What there is to decide about before anything is proposed.
fn plan<'a>(look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
    let plan = match &workflow.plan {
        Some(plan) => details::plan_of(look, plan),
        None => pieces::remark(look, "Nothing was planned or proposed yet."),
    };
    iced::widget::scrollable(container(plan).padding(SPACE).width(Length::Fill))
        .width(Length::Fill)
        .height(Length::Fill)
        .style(style::scroll(look))
        .into()
}

fn editor(look: Look, feedback: &text_editor::Content) -> Element<'_, Message> {
    text_editor(feedback)
        .id(feedback_id())
        .placeholder("For example: “Use the existing Clock class, and add a test for the edge case.”")
        .size(look.size)
        .padding(12)
        .height(Length::Fixed(92.0))
        .wrapping(text::Wrapping::WordOrGlyph)
        .on_action(Message::Edited)
        .key_binding(|press| {
            let focused = matches!(press.status, text_editor::Status::Focused { .. });
            match resolve(&press.key, press.modifiers) {
                Some(Shortcut::Send) if focused => Some(text_editor::Binding::Custom(Message::Send)),
                Some(Shortcut::Close) if focused => Some(text_editor::Binding::Custom(Message::Back)),
                Some(shortcut) if focused => Some(text_editor::Binding::Custom(Message::Shortcut(shortcut))),
                Some(_) | None => text_editor::Binding::from_key_press(press),
            }
        })
        .style(style::editor(look))
        .into()
}
