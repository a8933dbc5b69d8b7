//! Commands that a text may begin with, offered while it is written.

use iced::{
    Element,
    widget::{button, row, text, text_editor},
};

use super::pieces;
use crate::theme::{
    GAP, Look, MONO,
    style::{self, Tone},
};

/// Commands that are offered at once.
const OFFERED_MAX: usize = 6;
/// Characters of what a command does that are shown.
const ABOUT_CHARS_MAX: usize = 100;

/// The commands that begin as what is written does, if that begins one.
pub fn offered<'a, T>(all: &'a [T], name: fn(&T) -> &str, written: &str) -> Option<Vec<&'a T>> {
    let beginning = written.trim_end_matches('\n').strip_prefix('/')?;
    let fit = all.iter().filter(|command| name(command).starts_with(beginning));
    let fit: Vec<_> = fit.take(OFFERED_MAX).collect();
    (!fit.is_empty()).then_some(fit)
}

/// A command that is offered: its name, what follows it, and what it does.
pub fn line<'a, Message: Clone + 'a>(
    look: Look,
    name: &str,
    hint: &str,
    about: &str,
    message: Message,
) -> Element<'a, Message> {
    let hint = if hint.is_empty() {
        String::new()
    } else {
        format!(" ‹{hint}›")
    };
    let line = row![
        text(format!("/{name}{hint}"))
            .font(MONO)
            .size(look.small())
            .color(look.colors.accent),
        text(pieces::shortened(about, ABOUT_CHARS_MAX))
            .size(look.small())
            .color(look.colors.muted),
    ];
    button(line.spacing(GAP).wrap())
        .padding([2, 4])
        .style(style::button(look, Tone::Tab))
        .on_press(message)
        .into()
}

/// A draft that begins with a command and goes on behind it.
pub fn begun_with(command: &str) -> text_editor::Content {
    let mut draft = text_editor::Content::with_text(&format!("/{command} "));
    draft.perform(text_editor::Action::Move(text_editor::Motion::DocumentEnd));
    draft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_offered_as_they_are_written() {
        let all = ["review", "resume", "test"];
        let check = |written: &str, expect: Option<&[&str]>| {
            let fit = offered(&all, |name| name, written);
            let fit: Option<Vec<&str>> = fit.map(|fit| fit.into_iter().copied().collect());
            assert_eq!(fit.as_deref(), expect, "{written:?}");
        };
        check("", None);
        check("re", None);
        check("/", Some(&["review", "resume", "test"]));
        check("/re\n", Some(&["review", "resume"]));
        check("/x", None);
        check("/test it", None);
    }
}
