//! The part of a line that a column has room for. A line that fits needs no
//! clip mask, and making one costs as much as drawing the whole window.

use std::ops::Range;

/// What is seen of a line, in whole characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cut {
    /// Bytes of the line.
    pub bytes: Range<usize>,
    /// Characters before them.
    pub skipped: usize,
}

/// Cuts `text` to `room` characters after the first `from`, without blanks at
/// its beginning but those in `emphasis`: blanks cost more than letters,
/// because what was rasterised is kept only if there is something to see.
///
/// A line with characters of another width within sight stays whole: where it
/// is to be cut is known only after shaping.
pub fn cut(text: &str, emphasis: &[Range<usize>], from: usize, room: usize) -> Cut {
    let to = from.saturating_add(room);
    let mut bytes = text.len()..text.len();
    let mut count = 0;
    for (at, char) in text.char_indices() {
        if count == from {
            bytes.start = at;
        }
        if count == to {
            bytes.end = at;
            break;
        }
        if !is_single(char) {
            return Cut {
                bytes: 0..text.len(),
                skipped: 0,
            };
        }
        count += 1;
    }
    let marked = emphasis.iter().filter(|range| bytes.start < range.end);
    let marked = marked.map(|range| range.start).min().unwrap_or(bytes.end);
    let blanks = text[bytes.clone()]
        .bytes()
        .take_while(|byte| *byte == b' ')
        .count();
    let blanks = blanks.min(marked.saturating_sub(bytes.start));
    Cut {
        bytes: bytes.start + blanks..bytes.end,
        skipped: from.min(count) + blanks,
    }
}

/// Whether the code font has `char`, one column wide: Latin, Greek and
/// Cyrillic letters without marks that combine.
fn is_single(char: char) -> bool {
    matches!(char,
        ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{17f}' | '\u{391}'..='\u{3c9}' | '\u{400}'..='\u{45f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, from: usize, room: usize, expect: (&str, usize)) {
        check_marked(text, &[], from, room, expect);
    }

    fn check_marked(text: &str, marked: &[Range<usize>], from: usize, room: usize, expect: (&str, usize)) {
        let cut = cut(text, marked, from, room);
        assert_eq!((&text[cut.bytes], cut.skipped), expect, "{text:?} {from} {room}");
    }

    #[test]
    fn blanks_at_the_beginning_are_dropped() {
        check("  a b", 0, 9, ("a b", 2));
        check("  a b", 1, 3, ("a ", 2));
        check("    ", 0, 4, ("", 4));
        check("    a", 0, 3, ("", 3));
        check_marked("    a", std::slice::from_ref(&(2..4)), 0, 9, ("  a", 2));
        check_marked("    a", std::slice::from_ref(&(2..4)), 3, 9, (" a", 3));
        check_marked("    a", std::slice::from_ref(&(0..4)), 0, 2, ("  ", 0));
        check_marked("a   b", std::slice::from_ref(&(0..1)), 1, 9, ("b", 4));
    }

    #[test]
    fn lines_are_cut_to_what_is_seen() {
        check("", 0, 4, ("", 0));
        check("", 3, 4, ("", 0));
        check("abc", 0, 4, ("abc", 0));
        check("abcd", 0, 4, ("abcd", 0));
        check("abcdef", 0, 4, ("abcd", 0));
        check("abcdef", 1, 4, ("bcde", 1));
        check("abcdef", 4, 4, ("ef", 4));
        check("abcdef", 6, 4, ("", 6));
        check("abcdef", 9, 4, ("", 6));
        check("abcdef", 2, 0, ("", 2));
        check("größe = 1", 1, 4, ("röße", 1));
    }

    #[test]
    fn lines_of_other_widths_stay_whole() {
        check("a世界", 1, 1, ("a世界", 0));
        check("ab🦀", 0, 4, ("ab🦀", 0));
        check("x = \"שלום עולם\"", 2, 4, ("x = \"שלום עולם\"", 0));
        check("e\u{301}a", 0, 1, ("e", 0));
        // Out of sight it does no harm.
        check("abcd世", 0, 4, ("abcd", 0));
    }
}
