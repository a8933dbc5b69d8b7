//! What the bar has no room for, in a list below its sign.

use iced::{
    Alignment, Element, Length, Padding,
    alignment::Horizontal,
    widget::{Column, button, container, mouse_area, opaque, row, text},
};

use crate::{
    theme::{
        BAR_HEIGHT, GAP, Look, MONO, SPACE,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// Width of the list, in logical pixels.
const WIDTH: f32 = 240.0;

/// What can be chosen: a label, the keys that do the same, what is sent.
pub type Entry<Message> = (&'static str, &'static str, Message);

/// The sign in the bar that opens the list, or closes it.
pub fn sign<'a, Message: Clone + 'a>(look: Look, tone: Tone, toggle: Message) -> Element<'a, Message> {
    button(text("⋯").font(MONO).size(look.small()))
        .padding([6, 12])
        .style(style::button(look, tone))
        .on_press(toggle)
        .into()
}

/// The list on one side of the window; a press beside it sends `close`.
pub fn view<'a, Message: Clone + 'a>(
    look: Look,
    side: Horizontal,
    entries: impl IntoIterator<Item = Entry<Message>>,
    close: Message,
) -> Element<'a, Message> {
    let entry = |(label, keys, message): Entry<Message>| {
        let line = row![
            text(label).size(look.small()).width(Length::Fill),
            pieces::remark(look, keys),
        ]
        .spacing(GAP)
        .align_y(Alignment::Center);
        button(line)
            .padding([8, 12])
            .width(Length::Fill)
            .style(style::button(look, Tone::Tab))
            .on_press(message)
            .into()
    };
    let list = container(Column::with_children(entries.into_iter().map(entry)))
        .padding(4)
        .width(WIDTH)
        .style(style::surface(look, Surface::Dialog));
    let beside = container(opaque(list))
        .padding(Padding::from([0.0, SPACE / 4.0]).top(BAR_HEIGHT))
        .align_x(side)
        .width(Length::Fill)
        .height(Length::Fill);
    opaque(mouse_area(beside).on_press(close))
}
