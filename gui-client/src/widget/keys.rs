//! Keys while a person writes in an editor of several lines: shortcuts act as
//! they do everywhere, the rest is written.

use iced::widget::text_editor::{Binding, KeyPress, Status};

use crate::shortcut::{Shortcut, resolve};

/// What a key press means in an editor: a shortcut `here` means its message,
/// any other one `elsewhere`.
pub fn bind<Message: Clone>(
    press: KeyPress,
    here: &[(Shortcut, Message)],
    elsewhere: fn(Shortcut) -> Message,
) -> Option<Binding<Message>> {
    let focused = matches!(press.status, Status::Focused { .. });
    match resolve(&press.key, press.modifiers) {
        Some(shortcut) if focused => {
            let own = here.iter().find(|(other, _)| *other == shortcut);
            let message = own.map_or_else(|| elsewhere(shortcut), |(_, message)| message.clone());
            Some(Binding::Custom(message))
        }
        Some(_) | None => Binding::from_key_press(press),
    }
}
