//! What the bytes of a text are to the scanner. Pure.

pub(super) fn is_word(byte: u8) -> bool {
    IN_WORDS[usize::from(byte)]
}

/// Whether each byte is part of a word.
const IN_WORDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] =
            byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii();
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// Whether each byte may begin a comment, a literal or a preprocessor line.
pub(super) const BEGINS: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"/\"'`#rbcR";
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

/// Where the word ends that begins at `at`; there, if none does.
pub(super) fn word_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest.iter().position(|byte| !is_word(*byte));
    at + length.unwrap_or(rest.len())
}

/// Whether nothing stands before `at` in its line.
pub(super) fn begins_line(text: &[u8], at: usize) -> bool {
    let before = text[..at].iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
    before.is_none_or(|byte| *byte == b'\n')
}

/// Whether nothing else stands in the lines of this range.
pub(super) fn are_lines(text: &[u8], from: usize, to: usize) -> bool {
    let after = text[to..]
        .iter()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    after.is_none_or(|byte| *byte == b'\n') && begins_line(text, from)
}
