//! Small pieces that several screens use.

use iced::{
    Alignment, Color, Element, Length,
    widget::{button, column, container, row, text},
};

use crate::{
    model::diff::display,
    theme::{
        GAP, Look, UI_STRONG,
        style::{self, Surface, Tone},
    },
};

/// A button with a label; grey and dead without a message.
pub fn action<'a, Message: Clone + 'a>(
    look: Look,
    tone: Tone,
    label: impl Into<String>,
    message: Option<Message>,
) -> Element<'a, Message> {
    button(
        text(label.into())
            .font(UI_STRONG)
            .size(look.size)
            .wrapping(text::Wrapping::None),
    )
    .padding([7, 16])
    .style(style::button(look, tone))
    .on_press_maybe(message)
    .into()
}

/// A smaller button, for choices.
pub fn choice<'a, Message: Clone + 'a>(
    look: Look,
    tone: Tone,
    label: impl Into<String>,
    message: Option<Message>,
) -> Element<'a, Message> {
    button(
        text(label.into())
            .size(look.small())
            .wrapping(text::Wrapping::None),
    )
    .padding([6, 12])
    .style(style::button(look, tone))
    .on_press_maybe(message)
    .into()
}

/// A coloured sign that can be pressed.
pub fn mark<'a, Message: Clone + 'a>(
    look: Look,
    sign: &'a str,
    color: Color,
    message: Message,
) -> Element<'a, Message> {
    button(text(sign).size(look.small()).color(color))
        .padding([5, 6])
        .style(style::button(look, Tone::Tab))
        .on_press(message)
        .into()
}

/// The heading of a group.
pub fn heading<'a, Message: 'a>(look: Look, label: &'a str) -> Element<'a, Message> {
    text(label)
        .font(UI_STRONG)
        .size(look.small())
        .color(look.colors.muted)
        .into()
}

/// Text of less weight.
pub fn remark<'a, Message: 'a>(look: Look, content: impl Into<String>) -> Element<'a, Message> {
    text(content.into())
        .size(look.small())
        .color(look.colors.muted)
        .into()
}

/// A card with a title and a text: an error, a warning, a result.
pub fn card<'a, Message: 'a>(
    look: Look,
    surface: Surface,
    title: impl Into<String>,
    content: impl Into<String>,
) -> Element<'a, Message> {
    let color = match surface {
        Surface::Error => look.colors.bad,
        Surface::Warning => look.colors.warn,
        Surface::Success => look.colors.good,
        Surface::Panel
        | Surface::Card
        | Surface::Dialog
        | Surface::Shade
        | Surface::Line
        | Surface::Key
        | Surface::Focus => look.colors.text,
    };
    let mut parts = column![text(title.into()).font(UI_STRONG).size(look.small()).color(color)].spacing(4);
    let content: String = content.into();
    if !content.is_empty() {
        parts = parts.push(
            text(content)
                .size(look.small())
                .wrapping(text::Wrapping::WordOrGlyph),
        );
    }
    container(parts)
        .padding(12)
        .width(Length::Fill)
        .style(style::surface(look, surface))
        .into()
}

/// A coloured dot or sign and a label next to it.
pub fn sign<'a, Message: 'a>(
    look: Look,
    sign: &'a str,
    color: Color,
    label: impl Into<String>,
) -> Element<'a, Message> {
    row![
        text(sign).size(look.small()).color(color),
        text(label.into()).size(look.small()).color(look.colors.muted)
    ]
    .spacing(GAP / 2.0 + 2.0)
    .align_y(Alignment::Center)
    .into()
}

/// A line from side to side.
pub fn line_across<'a, Message: 'a>(look: Look) -> Element<'a, Message> {
    container(iced::widget::space())
        .width(Length::Fill)
        .height(1)
        .style(style::surface(look, Surface::Line))
        .into()
}

/// A line from top to bottom.
pub fn line_down<'a, Message: 'a>(look: Look) -> Element<'a, Message> {
    container(iced::widget::space())
        .width(1)
        .height(Length::Fill)
        .style(style::surface(look, Surface::Line))
        .into()
}

/// At most `max` characters of `text`, on one line.
pub fn shortened(text: &str, max: usize) -> String {
    let text = display(&text.replace('\n', " "));
    if text.chars().count() <= max {
        return text;
    }
    let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A duration for people: `0.4s`, `12s`, `2m 05s`.
pub fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        0..=9 => format!("{}.{}s", seconds, milliseconds % 1_000 / 100),
        10..=59 => format!("{seconds}s"),
        _ => format!("{}m {:02}s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |milliseconds: u64, expect: &str| assert_eq!(duration(milliseconds), expect);
        check(0, "0.0s");
        check(450, "0.4s");
        check(9_999, "9.9s");
        check(12_345, "12s");
        check(125_000, "2m 05s");
    }

    #[test]
    fn shortening() {
        let check = |text: &str, expect: &str| assert_eq!(shortened(text, 5), expect);
        check("abc", "abc");
        check("abcdef", "abcd…");
        check("a\nb", "a b");
        check("größer", "größ…");
    }
}
