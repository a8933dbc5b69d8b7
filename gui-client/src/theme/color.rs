//! Colours of the light and the dark look.

use iced::Color;

use crate::model::syntax::Token;

/// Every colour of one look, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colors {
    /// Panes at the side, top and bottom.
    pub panel: Color,
    /// Cards and fields on a pane.
    pub raised: Color,
    /// What the pointer is over.
    pub hover: Color,
    /// Lines between things.
    pub border: Color,
    /// Plain text.
    pub text: Color,
    /// Text of less weight.
    pub muted: Color,
    /// Hints, line numbers.
    pub faint: Color,
    /// The one colour that says "here".
    pub accent: Color,
    /// Text on `accent`, `good` or `bad`.
    pub on_accent: Color,
    /// Success.
    pub good: Color,
    /// Failure.
    pub bad: Color,
    /// Worth a look.
    pub warn: Color,
    /// Over the window, behind a dialog.
    pub shade: Color,
    /// Behind code, and behind everything.
    pub code: Color,
    /// Where a side of a diff has no line.
    pub absent: Color,
    /// Behind an added line.
    pub added: Color,
    /// Behind the words of it that changed.
    pub added_words: Color,
    /// Behind a removed line.
    pub removed: Color,
    /// Behind the words of it that changed.
    pub removed_words: Color,
    /// Behind text that has just arrived.
    pub fresh: Color,
    /// Selected text.
    pub selection: Color,
    /// Comments in code.
    pub comment: Color,
    /// Strings in code.
    pub string: Color,
    /// Numbers in code.
    pub number: Color,
    /// Keywords in code.
    pub keyword: Color,
    /// Called and defined names in code.
    pub call: Color,
}

impl Colors {
    /// Colour of a piece of code.
    pub fn token(self, token: Token) -> Color {
        match token {
            Token::Comment => self.comment,
            Token::Text => self.string,
            Token::Number => self.number,
            Token::Keyword => self.keyword,
            Token::Call => self.call,
        }
    }
}

const fn hex(rgb: u32) -> Color {
    let [_, red, green, blue] = rgb.to_be_bytes();
    Color::from_rgb8(red, green, blue)
}

const fn with_alpha(rgb: u32, alpha: f32) -> Color {
    let [_, red, green, blue] = rgb.to_be_bytes();
    Color::from_rgba8(red, green, blue, alpha)
}

/// Light text on dark.
pub const DARK: Colors = Colors {
    panel: hex(0x151920),
    raised: hex(0x1c212a),
    hover: hex(0x262d38),
    border: hex(0x29303b),
    text: hex(0xe4e8ee),
    muted: hex(0x9aa5b4),
    faint: hex(0x6b7686),
    accent: hex(0x7a9cff),
    on_accent: hex(0x0b101a),
    good: hex(0x4cc38a),
    bad: hex(0xf26d78),
    warn: hex(0xe6b450),
    shade: with_alpha(0x05070a, 0.72),
    code: hex(0x11151b),
    absent: hex(0x161a21),
    added: hex(0x122b20),
    added_words: hex(0x1e5a3c),
    removed: hex(0x321a20),
    removed_words: hex(0x6d2a35),
    fresh: hex(0x1f2b4d),
    selection: hex(0x2f4580),
    comment: hex(0x728092),
    string: hex(0x98cf8f),
    number: hex(0xe8a96b),
    keyword: hex(0xc092f5),
    call: hex(0x6cb8f6),
};

/// Dark text on light.
pub const LIGHT: Colors = Colors {
    panel: hex(0xffffff),
    raised: hex(0xf7f8fa),
    hover: hex(0xeaedf2),
    border: hex(0xdde1e8),
    text: hex(0x1c222c),
    muted: hex(0x566170),
    faint: hex(0x808b9a),
    accent: hex(0x345fe0),
    on_accent: hex(0xffffff),
    good: hex(0x187f4c),
    bad: hex(0xc42f3e),
    warn: hex(0x966600),
    shade: with_alpha(0x1c222c, 0.45),
    code: hex(0xffffff),
    absent: hex(0xf2f4f7),
    added: hex(0xe4f6ea),
    added_words: hex(0xa9e2bd),
    removed: hex(0xfdeaec),
    removed_words: hex(0xf6bcc3),
    fresh: hex(0xe2eaff),
    selection: hex(0xc5d5ff),
    comment: hex(0x717c8b),
    string: hex(0x2f7a32),
    number: hex(0xa8550c),
    keyword: hex(0x7d3bc9),
    call: hex(0x1a5fb4),
};
