//! The shown file of a proposal: its head, its diff, or the editor of its text.

use iced::{
    Alignment, Element, Length,
    widget::{column, container, row, scrollable, text, text_editor},
};
use shared::wire::ChangeKind;

use super::{Message, Review, Room, scroll_id, text_id};
use crate::{
    model::{
        Workflow,
        diff::FileView,
        layout::{Layout, View},
    },
    shortcut::Shortcut,
    theme::{
        GAP, Look, MONO, SPACE, UI_STRONG,
        style::{self, Tone},
    },
    widget::{
        code::Code,
        keys, pieces,
        rows::{Diff, Rows},
    },
};

impl Review {
    /// The proposal with `file` shown.
    pub(super) fn proposal<'a>(
        &'a self,
        look: Look,
        workflow: &'a Workflow,
        file: &'a FileView,
        room: Room,
    ) -> Element<'a, Message> {
        let shown = self.file(file);
        let content = match &self.text {
            Some(text) => editor(look, text),
            None => self.diff(look, shown),
        };
        let content = column![
            self.head(look, workflow, shown),
            pieces::line_across(look),
            content
        ]
        .height(Length::Fill);
        match (room, workflow.files.len()) {
            (_, 1) => content.into(),
            (Room::Wide, _) => row![self.tree(look, workflow), pieces::line_down(look), content]
                .height(Length::Fill)
                .into(),
            (Room::Narrow, _) => column![self.tabs(look, workflow), pieces::line_across(look), content]
                .height(Length::Fill)
                .into(),
        }
    }

    fn diff<'a>(&'a self, look: Look, file: &'a FileView) -> Element<'a, Message> {
        let diff = Diff {
            file,
            view: self.view,
            layout: self.layout,
            selection: &self.selection,
            current: self.hunk(file),
        };
        scrollable(Code::new(Rows::Diff(diff), look).on_head(Message::Hunk))
            .id(scroll_id())
            .spacing(0)
            .width(Length::Fill)
            .height(Length::Fill)
            .style(style::scroll(look))
            .into()
    }

    fn head<'a>(&self, look: Look, workflow: &Workflow, file: &'a FileView) -> Element<'a, Message> {
        let colors = look.colors;
        let kind = match file.change {
            ChangeKind::Create => ("new file", colors.good),
            ChangeKind::Edit => ("changed", colors.muted),
            ChangeKind::Delete => ("removed", colors.bad),
        };
        let small = |content: String| {
            text(content)
                .size(look.small())
                .color(colors.muted)
                .wrapping(text::Wrapping::None)
        };
        let name = row![
            text(file.path.as_str())
                .font(UI_STRONG)
                .size(look.small())
                .wrapping(text::Wrapping::None),
            small(kind.0.to_owned()).color(kind.1),
        ]
        .spacing(GAP);
        // In a narrow window the name is cut, not the buttons.
        let mut line = row![container(name).width(Length::Fill).clip(true)];
        let quiet = |label: &str, message: Message| pieces::choice(look, Tone::Quiet, label, Some(message));
        let is_own = self.selection.text(&file.path).is_some();
        if self.text.is_some() {
            line = line.push(quiet("Discard", Message::Discard)).push(pieces::choice(
                look,
                Tone::Primary,
                "Keep text",
                Some(Message::Keep),
            ));
        } else {
            let changes = file.changes(self.view, self.layout).len();
            let place = match self.change {
                Some(change) => format!("{} of {changes}", change + 1),
                None if changes == 1 => "1 change".to_owned(),
                None => format!("{changes} changes"),
            };
            line = line
                .push(small(place))
                .push(quiet("↑", Message::Jump(super::Toward::Previous)))
                .push(quiet("↓", Message::Jump(super::Toward::Next)));
            if self.may_choose(workflow) {
                if is_own {
                    line = line.push(quiet("As proposed", Message::Revert));
                }
                if is_own || file.is_editable {
                    line = line.push(quiet("Edit", Message::Edit));
                }
            }
            let view = match self.view {
                View::Folded => "Whole file",
                View::Full => "Changes only",
            };
            let layout = match self.layout {
                Layout::Split => "Unified",
                Layout::Unified => "Side by side",
            };
            line = line
                .push(quiet(view, Message::ToggleView))
                .push(quiet(layout, Message::ToggleLayout));
        }
        line.spacing(GAP)
            .padding([6.0, SPACE])
            .align_y(Alignment::Center)
            .into()
    }
}

/// The text of a file, to be edited before it is accepted.
fn editor(look: Look, content: &text_editor::Content) -> Element<'_, Message> {
    text_editor(content)
        .id(text_id())
        .font(MONO)
        .size(look.code())
        .padding(12)
        .height(Length::Fill)
        .wrapping(text::Wrapping::None)
        .on_action(Message::Typed)
        .key_binding(|press| keys::bind(press, &[(Shortcut::Send, Message::Keep)], Message::Shortcut))
        .style(style::editor(look))
        .into()
}
