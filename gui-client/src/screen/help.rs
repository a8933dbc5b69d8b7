//! The help over the window: every shortcut.

use iced::{
    Alignment, Element, Length, Padding,
    widget::{column, container, mouse_area, opaque, row, scrollable, space, text},
};

use crate::{
    shortcut::TABLE,
    theme::{
        GAP, Look, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// The help; `close` is sent to close it.
pub fn view<'a, Message: Clone + 'a>(look: Look, close: Message) -> Element<'a, Message> {
    let rows = TABLE.iter().map(|(_, keys, what)| {
        row![
            text(*what).size(look.size).width(Length::Fill),
            container(text(*keys).size(look.small()).color(look.colors.muted))
                .padding([3, 8])
                .style(style::surface(look, Surface::Key)),
        ]
        .spacing(SPACE)
        .align_y(Alignment::Center)
        .into()
    });
    let sideways = "Long lines move sideways with Shift and the wheel, or Alt and the arrow keys.";
    let agents =
        "With agents, the same keys send the prompt, allow or refuse what is asked, and stop the turn.";
    let content = column![
        row![
            text("Keyboard").font(UI_STRONG).size(look.large()),
            space::horizontal(),
            pieces::choice(look, Tone::Quiet, "Close", Some(close.clone())),
        ]
        .align_y(Alignment::Center),
        scrollable(column(rows).spacing(GAP).padding(Padding::ZERO.right(14.0)))
            .style(style::scroll(look))
            .height(Length::Shrink),
        pieces::remark(look, agents),
        pieces::remark(look, sideways),
    ]
    .spacing(SPACE);
    let dialog = container(content)
        .padding(24)
        .max_width(520)
        .max_height(680)
        .style(style::surface(look, Surface::Dialog));
    let shade = container(opaque(dialog))
        .center(Length::Fill)
        .padding(SPACE)
        .style(style::surface(look, Surface::Shade));
    opaque(mouse_area(shade).on_press(close))
}
