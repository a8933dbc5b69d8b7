//! The files of a proposal and what is taken of each: a tree beside the diff,
//! or a row above it where there is no room.

use iced::{
    Alignment, Color, Element, Length,
    widget::{
        column, container, row, scrollable,
        scrollable::{Direction, Scrollbar},
        space, text,
    },
};

use super::{Message, Review};
use crate::{
    model::{Workflow, diff::FileView, selection::Taken},
    theme::{
        GAP, Look, SPACE,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// Width of the tree, in logical pixels.
const TREE_WIDTH: f32 = 220.0;
/// Characters of a name that have room in it.
const NAME_CHARS_MAX: usize = 40;

impl Review {
    /// The files in one row.
    pub(super) fn tabs<'a>(&'a self, look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
        let tabs = workflow.files.iter().enumerate().map(|(index, file)| {
            let file = self.file(file);
            let (sign, _) = self.sign(look, file);
            let label = format!(
                "{sign} {}  +{} −{}",
                pieces::shortened(name(&file.path), NAME_CHARS_MAX),
                file.added,
                file.removed
            );
            pieces::choice(look, self.tone(index), label, Some(Message::File(index)))
        });
        container(
            scrollable(row(tabs).spacing(4))
                .direction(Direction::Horizontal(Scrollbar::new().width(4).scroller_width(4)))
                .style(style::scroll(look)),
        )
        .padding([8.0, SPACE])
        .into()
    }

    /// The files below their folders.
    pub(super) fn tree<'a>(&'a self, look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
        let mut lines = column![].spacing(2).padding([8.0, GAP]);
        let mut before = None;
        for (index, file) in workflow.files.iter().enumerate() {
            let folder = folder(&file.path);
            if before.replace(folder) != Some(folder) && !folder.is_empty() {
                lines = lines.push(
                    text(folder)
                        .size(look.small() - 1.0)
                        .color(look.colors.faint)
                        .wrapping(text::Wrapping::None),
                );
            }
            lines = lines.push(self.line(look, index, self.file(file)));
        }
        container(scrollable(lines).style(style::scroll(look)).height(Length::Fill))
            .width(TREE_WIDTH)
            .height(Length::Fill)
            .style(style::surface(look, Surface::Panel))
            .into()
    }

    fn line<'a>(&self, look: Look, index: usize, file: &'a FileView) -> Element<'a, Message> {
        let (sign, color) = self.sign(look, file);
        let small = |content: String, color: Color| {
            text(content)
                .size(look.small() - 1.0)
                .color(color)
                .wrapping(text::Wrapping::None)
        };
        let (taken, all) = self.selection.count(file);
        let count = match self.selection.taken(&file.path) {
            Taken::Some => format!("{taken}/{all}"),
            Taken::Own => "edited".to_owned(),
            Taken::All | Taken::Nothing => String::new(),
        };
        let sides = row![
            small(count, color),
            small(format!("+{}", file.added), look.colors.good),
            small(format!("−{}", file.removed), look.colors.bad),
        ]
        .spacing(4);
        let take = pieces::mark(look, sign, color, Message::Take(index));
        let name = text(pieces::shortened(name(&file.path), NAME_CHARS_MAX))
            .size(look.small())
            .wrapping(text::Wrapping::None);
        let show = iced::widget::button(
            row![container(name).width(Length::Fill).clip(true), sides]
                .spacing(4)
                .align_y(Alignment::Center),
        )
        .width(Length::Fill)
        .padding([5, 6])
        .style(style::button(look, self.tone(index)))
        .on_press(Message::File(index));
        row![take, show].align_y(Alignment::Center).into()
    }

    fn tone(&self, index: usize) -> Tone {
        if index == self.file {
            Tone::TabChosen
        } else {
            Tone::Tab
        }
    }

    /// What is taken of a file, as a sign.
    fn sign(&self, look: Look, file: &FileView) -> (&'static str, Color) {
        let colors = look.colors;
        match self.selection.taken(&file.path) {
            Taken::All => ("✓", colors.good),
            Taken::Some => ("±", colors.warn),
            Taken::Own => ("✎", colors.accent),
            Taken::Nothing => ("✗", colors.faint),
        }
    }

    /// How much of the proposal is taken, where it is not everything.
    pub(super) fn taken<'a>(&self, look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
        let (taken, all) = self.selection.count_all(&workflow.files);
        let own = self.selection.texts().count();
        let edited = match own {
            0 => String::new(),
            1 => " · 1 file edited".to_owned(),
            files => format!(" · {files} files edited"),
        };
        let label = if taken == all && own == 0 {
            String::new()
        } else {
            format!("{taken} of {all} hunks{edited}")
        };
        if label.is_empty() {
            return space().into();
        }
        text(label)
            .size(look.small())
            .color(look.colors.warn)
            .wrapping(text::Wrapping::None)
            .into()
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
