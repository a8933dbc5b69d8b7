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
    panel: hex(0x15_19_20),
    raised: hex(0x1c_21_2a),
    hover: hex(0x26_2d_38),
    border: hex(0x29_30_3b),
    text: hex(0xe4_e8_ee),
    muted: hex(0x9a_a5_b4),
    faint: hex(0x6b_76_86),
    accent: hex(0x7a_9c_ff),
    on_accent: hex(0x0b_10_1a),
    good: hex(0x4c_c3_8a),
    bad: hex(0xf2_6d_78),
    warn: hex(0xe6_b4_50),
    shade: with_alpha(0x05_07_0a, 0.72),
    code: hex(0x11_15_1b),
    absent: hex(0x16_1a_21),
    added: hex(0x12_2b_20),
    added_words: hex(0x1e_5a_3c),
    removed: hex(0x32_1a_20),
    removed_words: hex(0x6d_2a_35),
    fresh: hex(0x1f_2b_4d),
    selection: hex(0x2f_45_80),
    comment: hex(0x72_80_92),
    string: hex(0x98_cf_8f),
    number: hex(0xe8_a9_6b),
    keyword: hex(0xc0_92_f5),
    call: hex(0x6c_b8_f6),
};

/// Dark text on light.
pub const LIGHT: Colors = Colors {
    panel: hex(0xff_ff_ff),
    raised: hex(0xf7_f8_fa),
    hover: hex(0xea_ed_f2),
    border: hex(0xdd_e1_e8),
    text: hex(0x1c_22_2c),
    muted: hex(0x56_61_70),
    faint: hex(0x80_8b_9a),
    accent: hex(0x34_5f_e0),
    on_accent: hex(0xff_ff_ff),
    good: hex(0x18_7f_4c),
    bad: hex(0xc4_2f_3e),
    warn: hex(0x96_66_00),
    shade: with_alpha(0x1c_22_2c, 0.45),
    code: hex(0xff_ff_ff),
    absent: hex(0xf2_f4_f7),
    added: hex(0xe4_f6_ea),
    added_words: hex(0xa9_e2_bd),
    removed: hex(0xfd_ea_ec),
    removed_words: hex(0xf6_bc_c3),
    fresh: hex(0xe2_ea_ff),
    selection: hex(0xc5_d5_ff),
    comment: hex(0x71_7c_8b),
    string: hex(0x2f_7a_32),
    number: hex(0xa8_55_0c),
    keyword: hex(0x7d_3b_c9),
    call: hex(0x1a_5f_b4),
};
