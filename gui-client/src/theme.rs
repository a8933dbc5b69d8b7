//! The design system: every colour, font, size and widget style of the
//! window. No colour is written anywhere else.

pub mod color;
pub mod style;

use std::borrow::Cow;

use iced::{Font, Theme, font::Weight, theme::Palette};

use crate::config::ThemeChoice;
use color::{Colors, DARK, LIGHT};

/// Text of the window.
pub const UI: Font = Font::with_name("Inter");
/// Headings and buttons.
pub const UI_STRONG: Font = Font {
    weight: Weight::Semibold,
    ..UI
};
/// Code.
pub const MONO: Font = Font::with_name("JetBrains Mono");

/// Space between parts of one thing, in logical pixels.
pub const GAP: f32 = 8.0;
/// Space between things.
pub const SPACE: f32 = 16.0;
/// Corners.
pub const RADIUS: f32 = 8.0;
/// Height of the bar at the top.
pub const BAR_HEIGHT: f32 = 52.0;
/// Height of the footer.
pub const FOOTER_HEIGHT: f32 = 32.0;
/// Width of the pane on the left.
pub const SIDE_WIDTH: f32 = 340.0;

/// The fonts that come with the program; system fonts may be missing or ugly.
pub fn fonts() -> Vec<Cow<'static, [u8]>> {
    vec![
        include_bytes!("../fonts/Inter-Regular.otf").as_slice().into(),
        include_bytes!("../fonts/Inter-SemiBold.otf").as_slice().into(),
        include_bytes!("../fonts/JetBrainsMono-Regular.ttf")
            .as_slice()
            .into(),
    ]
}

/// How the window looks at the moment: passed to every screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Colours.
    pub colors: Colors,
    /// Size of plain text, in logical pixels.
    pub size: f32,
    /// Which colours these are, for caches.
    pub choice: ThemeChoice,
}

impl Look {
    /// A look with text of `font_size` logical pixels.
    pub fn new(choice: ThemeChoice, font_size: u16) -> Self {
        let colors = match choice {
            ThemeChoice::Dark => DARK,
            ThemeChoice::Light => LIGHT,
        };
        Self {
            colors,
            size: f32::from(font_size),
            choice,
        }
    }

    /// Size of labels and remarks.
    pub fn small(self) -> f32 {
        self.size - 2.0
    }

    /// Size of headings.
    pub fn large(self) -> f32 {
        self.size + 2.0
    }

    /// Size of the greeting.
    pub fn huge(self) -> f32 {
        self.size + 12.0
    }

    /// Size of code.
    pub fn code(self) -> f32 {
        self.size - 1.0
    }

    /// Height of a line of code.
    pub fn code_line(self) -> f32 {
        (self.code() * 1.6).round()
    }

    /// The theme for iced's own widgets.
    pub fn theme(self) -> Theme {
        let name = match self.choice {
            ThemeChoice::Dark => "Agentic dark",
            ThemeChoice::Light => "Agentic light",
        };
        let colors = self.colors;
        Theme::custom(
            name,
            Palette {
                background: colors.code,
                text: colors.text,
                primary: colors.accent,
                success: colors.good,
                warning: colors.warn,
                danger: colors.bad,
            },
        )
    }
}
