//! Styles of iced's widgets in our colours.

use iced::{
    Background, Border, Color, Shadow, Theme, border,
    widget::{button as iced_button, container, scrollable, text_editor, text_input},
};

use super::{Look, RADIUS};

/// What a button is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The one thing to do here.
    Primary,
    /// Takes a proposal.
    Accept,
    /// Drops a proposal.
    Reject,
    /// Anything else.
    Quiet,
    /// A choice out of several; this one is not chosen.
    Tab,
    /// The chosen one.
    TabChosen,
}

/// Style of a button.
pub fn button(look: Look, tone: Tone) -> impl Fn(&Theme, iced_button::Status) -> iced_button::Style {
    move |_, status| {
        let colors = look.colors;
        let over = matches!(
            status,
            iced_button::Status::Hovered | iced_button::Status::Pressed
        );
        let (background, text_color, line) = match tone {
            Tone::Primary => (Some(colors.accent), colors.on_accent, None),
            Tone::Accept => (Some(colors.good), colors.on_accent, None),
            Tone::Reject => (over.then_some(colors.removed), colors.bad, Some(colors.bad)),
            Tone::Quiet => (
                Some(if over { colors.hover } else { colors.raised }),
                colors.text,
                Some(colors.border),
            ),
            Tone::Tab => (over.then_some(colors.hover), colors.muted, None),
            Tone::TabChosen => (Some(colors.hover), colors.text, None),
        };
        let filled = matches!(tone, Tone::Primary | Tone::Accept);
        let mut style = iced_button::Style {
            background: background.map(|color| {
                Background::Color(if filled && over {
                    mix(color, colors.text, 0.15)
                } else {
                    color
                })
            }),
            text_color,
            border: Border {
                color: line.unwrap_or(Color::TRANSPARENT),
                width: if line.is_some() { 1.0 } else { 0.0 },
                radius: (RADIUS - 1.0).into(),
            },
            shadow: Shadow::default(),
            snap: true,
        };
        if status == iced_button::Status::Disabled {
            style.background = Some(Background::Color(colors.raised));
            style.text_color = colors.faint;
            style.border.color = colors.border;
            style.border.width = 1.0;
        }
        style
    }
}

fn mix(from: Color, to: Color, share: f32) -> Color {
    let blend = |from: f32, to: f32| from + (to - from) * share;
    Color::from_rgba(
        blend(from.r, to.r),
        blend(from.g, to.g),
        blend(from.b, to.b),
        from.a,
    )
}

/// What a surface is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// A pane at an edge of the window.
    Panel,
    /// A card on a pane.
    Card,
    /// A remark that something went wrong.
    Error,
    /// A remark that something could be better.
    Warning,
    /// A remark that something went well.
    Success,
    /// A dialog over the window.
    Dialog,
    /// Between a dialog and the window.
    Shade,
    /// A line between two things.
    Line,
    /// A key on a keyboard.
    Key,
    /// Around what the keyboard is on.
    Focus,
}

/// Style of a container.
pub fn surface(look: Look, surface: Surface) -> impl Fn(&Theme) -> container::Style {
    move |_| {
        let colors = look.colors;
        let card = |background: Color, line: Color| container::Style {
            background: Some(background.into()),
            border: border::rounded(RADIUS).color(line).width(1.0),
            ..container::Style::default()
        };
        let flat = |background: Color| container::Style {
            background: Some(background.into()),
            ..container::Style::default()
        };
        let remark = |line: Color| card(mix(colors.raised, line, 0.08), mix(colors.border, line, 0.45));
        let style = match surface {
            Surface::Panel => flat(colors.panel),
            Surface::Card => card(colors.raised, colors.border),
            Surface::Error => remark(colors.bad),
            Surface::Warning => remark(colors.warn),
            Surface::Success => remark(colors.good),
            // No shadow: the software renderer takes it pixel by pixel.
            Surface::Dialog => card(colors.panel, colors.border),
            Surface::Shade => flat(colors.shade),
            Surface::Line => flat(colors.border),
            Surface::Focus => container::Style {
                border: border::rounded(RADIUS).color(colors.accent).width(2.0),
                ..container::Style::default()
            },
            Surface::Key => container::Style {
                border: border::rounded(4.0).color(colors.border).width(1.0),
                ..card(colors.raised, colors.border)
            },
        };
        container::Style {
            text_color: Some(colors.text),
            ..style
        }
    }
}

/// Style of a text editor.
pub fn editor(look: Look) -> impl Fn(&Theme, text_editor::Status) -> text_editor::Style {
    move |_, status| {
        let colors = look.colors;
        let focused = matches!(status, text_editor::Status::Focused { .. });
        text_editor::Style {
            background: colors.code.into(),
            border: border::rounded(RADIUS).width(1.0).color(if focused {
                colors.accent
            } else {
                colors.border
            }),
            placeholder: colors.faint,
            value: colors.text,
            selection: colors.selection,
        }
    }
}

/// Style of a one-line field.
pub fn field(look: Look) -> impl Fn(&Theme, text_input::Status) -> text_input::Style {
    move |_, status| {
        let colors = look.colors;
        let focused = matches!(status, text_input::Status::Focused { .. });
        text_input::Style {
            background: colors.code.into(),
            border: border::rounded(RADIUS).width(1.0).color(if focused {
                colors.accent
            } else {
                colors.border
            }),
            icon: colors.faint,
            placeholder: colors.faint,
            value: colors.text,
            selection: colors.selection,
        }
    }
}

/// Style of scroll bars: thin, and quiet until they are used.
pub fn scroll(look: Look) -> impl Fn(&Theme, scrollable::Status) -> scrollable::Style {
    move |theme, status| {
        let colors = look.colors;
        let used = matches!(
            status,
            scrollable::Status::Dragged { .. }
                | scrollable::Status::Hovered {
                    is_vertical_scrollbar_hovered: true,
                    ..
                }
                | scrollable::Status::Hovered {
                    is_horizontal_scrollbar_hovered: true,
                    ..
                }
        );
        let rail = scrollable::Rail {
            background: None,
            border: Border::default(),
            scroller: scrollable::Scroller {
                background: if used { colors.faint } else { colors.border }.into(),
                border: border::rounded(4.0),
            },
        };
        scrollable::Style {
            container: container::Style::default(),
            vertical_rail: rail,
            horizontal_rail: rail,
            gap: None,
            ..scrollable::default(theme, status)
        }
    }
}
