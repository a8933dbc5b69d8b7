//! What was or can be decided, and what it is about where nothing is proposed.

use iced::{
    Alignment, Element, Length,
    widget::{column, container, row, scrollable, text, text_editor},
};
use shared::wire::Decision;

use super::{Message, Review, feedback_id};
use crate::{
    model::{Phase, Workflow},
    screen::{details, progress},
    shortcut::Shortcut,
    theme::{
        GAP, Look, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::{keys, pieces},
};

impl Review {
    /// What was or can be decided.
    pub(super) fn answer<'a>(&'a self, look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
        let when = |decision: Decision, message: Message| self.may(decision, workflow).then_some(message);
        let (added, removed) = workflow.files.iter().fold((0, 0), |(added, removed), file| {
            let file = self.file(file);
            (added + file.added, removed + file.removed)
        });
        let state = match (&workflow.phase, self.deciding) {
            (_, Some(_)) => "Sending your decision…".to_owned(),
            (Phase::Review { .. }, None) if !self.takes_something(workflow) => {
                "Nothing is taken: reject it, or take a part".to_owned()
            }
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
            self.taken(look, workflow),
        ]
        .spacing(12)
        .align_y(Alignment::Center);
        let summary = container(summary).width(Length::Fill).clip(true);
        let [accept, reject, modify] = if workflow.failure_asked().is_some() {
            ["Try again", "End workflow", "With a hint"]
        } else if workflow.files.is_empty() {
            ["Go on", "Reject", "Modify"]
        } else if self.selection.choices(&workflow.files).is_some() {
            ["Accept selection", "Reject", "Modify"]
        } else {
            ["Accept", "Reject", "Modify"]
        };
        let buttons = match &self.feedback {
            None if workflow.permission_asked().is_some() => row![
                summary,
                pieces::action(look, Tone::Primary, "Answer", Some(Message::AskPermission)),
            ],
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
                container(
                    text("What should be different?")
                        .font(UI_STRONG)
                        .size(look.size)
                        .wrapping(text::Wrapping::None)
                )
                .width(Length::Fill)
                .clip(true),
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
pub(super) fn failure<'a>(look: Look, workflow: &'a Workflow) -> Option<Element<'a, Message>> {
    let (stage, reason) = workflow.failure_asked()?;
    let title = format!("{} failed", progress::title(stage.as_str()));
    let card = pieces::card(look, Surface::Error, title, reason);
    Some(container(card).padding(SPACE).into())
}

/// What there is to decide about before anything is proposed.
pub(super) fn plan<'a>(look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
    let plan = match &workflow.plan {
        Some(plan) => details::plan_of(look, plan),
        None => pieces::remark(look, "Nothing was planned or proposed yet."),
    };
    scrollable(container(plan).padding(SPACE).width(Length::Fill))
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
            keys::bind(
                press,
                &[(Shortcut::Send, Message::Send), (Shortcut::Close, Message::Back)],
                Message::Shortcut,
            )
        })
        .style(style::editor(look))
        .into()
}
