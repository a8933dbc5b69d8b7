//! What a session consists of.

use std::borrow::Cow;

use crate::agent::{
    tool::ToolCall,
    update::{Notice, Piece, Speaker},
};

/// Longest text of one entry, in bytes; what goes beyond is not shown.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Something that was said or done.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// Words.
    Said(Said),
    /// A call of a tool.
    Tool(Box<ToolCall>),
    /// Something that a person should know.
    Notice(Notice),
}

/// Words of one speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whose they are.
    pub speaker: Speaker,
    /// The words.
    pub text: String,
    /// Which message they are, where the agent says so.
    message: Option<String>,
    /// Whether nothing belongs to them any more: the window's own prompts are whole.
    whole: bool,
}

impl Said {
    /// Words that begin with `piece`.
    pub fn new(piece: Piece) -> Self {
        let mut said = Self {
            speaker: piece.speaker,
            text: String::new(),
            message: piece.message,
            whole: false,
        };
        said.append(&piece.text);
        said
    }

    /// What the person has said here.
    pub fn prompt(text: &str) -> Self {
        let mut said = Self {
            speaker: Speaker::Person,
            text: String::new(),
            message: None,
            whole: true,
        };
        said.append(text);
        said
    }

    /// Whether `piece` belongs to the same message.
    pub fn goes_on_with(&self, piece: &Piece) -> bool {
        !self.whole && self.speaker == piece.speaker && self.message == piece.message
    }

    /// More words.
    pub fn append(&mut self, text: &str) {
        const REMARK: &str = "\n… (the rest is not shown)";
        if self.text.len() > TEXT_BYTES_MAX {
            return;
        }
        self.text.push_str(&clean(text));
        if self.text.len() > TEXT_BYTES_MAX {
            let end = self.text.floor_char_boundary(TEXT_BYTES_MAX);
            self.text.truncate(end);
            self.text.push_str(REMARK);
        }
    }
}

/// Text as it is shown: lines stay, tabs are expanded, and what could make it read
/// other than it is written is replaced.
pub fn clean(text: &str) -> Cow<'_, str> {
    let strange = |char: char| {
        let turns = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || (char.is_control() && char != '\n')
    };
    if !text.contains(strange) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\t' => shown.push_str("    "),
            '\r' => {}
            char if strange(char) => shown.push('\u{fffd}'),
            char => shown.push(char),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_as_it_is_written() {
        let check = |text: &str, expect: &str| assert_eq!(clean(text), expect);
        check("größer\n", "größer\n");
        check("\ta\r\nb", "    a\nb");
        check("a\u{202e}b\u{1b}[31m", "a\u{fffd}b\u{fffd}[31m");
    }

    #[test]
    fn an_endless_text_ends() {
        let mut said = Said::prompt("");
        for _ in 0..10 {
            said.append(&"ä".repeat(TEXT_BYTES_MAX / 4));
        }
        assert!(said.text.len() < TEXT_BYTES_MAX + 100, "{}", said.text.len());
        assert!(said.text.ends_with("(the rest is not shown)"));
    }
}
