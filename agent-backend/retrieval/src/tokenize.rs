//! Text to search terms: words, whole identifiers, their parts and stems.
//!
//! Pure. An identifier gives itself, without case and underscores, so that
//! `calculateSum`, `calculate_sum` and `CALCULATE_SUM` meet, and its parts,
//! stemmed, so that "calculates a sum" meets them too.

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};

/// Longer runs are encoded data, not words; bytes.
pub(crate) const WORD_BYTES_MAX: usize = 256;
/// Longer identifiers are searched by their parts alone; bytes.
pub(crate) const WHOLE_BYTES_MAX: usize = 64;
/// Shorter words are not stemmed; bytes.
const STEM_BYTES_MIN: usize = 4;
/// Terms taken from one text, so that no input makes a vector without bound.
pub const TERMS_MAX: usize = 20_000;

/// English words that say nothing about code. Sorted, for binary search.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "for", "from", "has", "have", "how",
    "i", "if", "in", "into", "is", "it", "its", "of", "on", "or", "our", "please", "should", "so", "that",
    "the", "their", "then", "there", "these", "this", "to", "was", "we", "when", "where", "which", "will",
    "with", "would", "you", "your",
];

/// The terms of `text` in order, repeated as often as they occur.
pub fn terms(text: &str) -> Vec<String> {
    let stemmer = stemmer();
    let mut out = Vec::new();
    for word in words(text) {
        if out.len() >= TERMS_MAX {
            break;
        }
        word_terms(word, &stemmer, &mut out);
    }
    out.truncate(TERMS_MAX);
    out
}

/// What [`word_terms`] stems with.
pub(crate) fn stemmer() -> Stemmer {
    Stemmer::create(Algorithm::English)
}

/// Adds the terms of one of [`words`].
pub(crate) fn word_terms(word: &str, stemmer: &Stemmer, out: &mut Vec<String>) {
    if word.len() > WORD_BYTES_MAX {
        return;
    }
    if word.chars().any(is_unspaced) {
        unspaced(word, out);
    } else {
        identifier(word, stemmer, out);
    }
}

/// The terms of a path: its parts are identifiers like any other.
pub fn path_terms(path: &str) -> Vec<String> {
    terms(path)
}

/// The runs of letters, digits and underscores of a text.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = skip(text, at, Of::Others);
        at = skip(text, start, Of::Words);
        (at > start).then(|| &text[start..at])
    })
}

/// What is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Words,
    Others,
}

/// Whether each ASCII character is part of a word.
const IN_WORDS: [bool; 128] = {
    let mut table = [false; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_';
        byte += 1;
    }
    table
};

/// Where the characters of one sort from `at` on end. Most of a text is ASCII,
/// and this is where an index spends its time.
fn skip(text: &str, mut at: usize, of: Of) -> usize {
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        let (is_word, length) = match IN_WORDS.get(usize::from(byte)) {
            Some(is_word) => (*is_word, 1),
            None => {
                let c = text[at..].chars().next().unwrap_or_default();
                (c.is_alphanumeric(), c.len_utf8())
            }
        };
        if is_word != (of == Of::Words) {
            break;
        }
        at += length;
    }
    at
}

fn identifier(word: &str, stemmer: &Stemmer, out: &mut Vec<String>) {
    let parts = parts(word);
    if let [only] = parts.as_slice() {
        push_part(&only.to_lowercase(), stemmer, out);
        return;
    }
    let whole: String = parts.concat().to_lowercase();
    if !parts.is_empty() && whole.len() <= WHOLE_BYTES_MAX {
        out.push(whole);
    }
    for part in parts {
        let part = part.to_lowercase();
        // One letter of several parts (`x` in `x_axis`) would match everything.
        if part.chars().nth(1).is_some() {
            push_part(&part, stemmer, out);
        }
    }
}

fn push_part(part: &str, stemmer: &Stemmer, out: &mut Vec<String>) {
    out.extend(part_term(part, stemmer).map(Cow::into_owned));
}

/// The term of a part in small letters; none if it says nothing.
pub(crate) fn part_term<'p>(part: &'p str, stemmer: &Stemmer) -> Option<Cow<'p, str>> {
    if STOP_WORDS.binary_search(&part).is_ok() {
        return None;
    }
    Some(
        if part.len() >= STEM_BYTES_MIN && part.bytes().all(|b| b.is_ascii_lowercase()) {
            stemmer.stem(part)
        } else {
            Cow::Borrowed(part)
        },
    )
}

/// [`parts`] of a word in ASCII, without a list of them.
pub(crate) fn ascii_parts(word: &[u8], mut each: impl FnMut(&[u8])) {
    let mut start = 0;
    for (at, &byte) in word.iter().enumerate() {
        if byte == b'_' {
            if at > start {
                each(&word[start..at]);
            }
            start = at + 1;
        } else if at > start && is_ascii_boundary(word, at) {
            each(&word[start..at]);
            start = at;
        }
    }
    if word.len() > start {
        each(&word[start..]);
    }
}

/// [`is_boundary`] for ASCII.
fn is_ascii_boundary(word: &[u8], at: usize) -> bool {
    let (previous, current) = (word[at - 1], word[at]);
    if previous.is_ascii_digit() != current.is_ascii_digit()
        || previous.is_ascii_lowercase() && current.is_ascii_uppercase()
    {
        return true;
    }
    let next = word.get(at + 1);
    let ends_word = |index: usize| {
        word.get(index)
            .is_none_or(|byte| *byte == b'_' || byte.is_ascii_uppercase())
    };
    let starts_word = previous.is_ascii_uppercase()
        && current.is_ascii_uppercase()
        && next.is_some_and(u8::is_ascii_lowercase);
    starts_word && !(next == Some(&b's') && ends_word(at + 2))
}

/// Splits an identifier at underscores, at case changes and between letters
/// and digits. A run of capitals is one part (`HTTPServer`: `HTTP`, `Server`),
/// and so is its plural (`parseURLs`: `parse`, `URLs`).
pub fn parts(word: &str) -> Vec<&str> {
    let chars: Vec<(usize, char)> = word.char_indices().collect();
    let mut out = Vec::new();
    let mut start = None;
    for (at, &(byte, c)) in chars.iter().enumerate() {
        if c == '_' {
            if let Some(from) = start.take() {
                out.push(&word[from..byte]);
            }
            continue;
        }
        let Some(from) = start else {
            start = Some(byte);
            continue;
        };
        if is_boundary(&chars, at) {
            out.push(&word[from..byte]);
            start = Some(byte);
        }
    }
    if let Some(from) = start {
        out.push(&word[from..]);
    }
    out
}

/// Whether a part ends before the character number `at`.
fn is_boundary(chars: &[(usize, char)], at: usize) -> bool {
    let (previous, current) = (chars[at - 1].1, chars[at].1);
    if previous.is_numeric() != current.is_numeric() {
        return true;
    }
    if previous.is_lowercase() && current.is_uppercase() {
        return true;
    }
    let next = chars.get(at + 1).map(|&(_, c)| c);
    let ends_word = |index: usize| {
        chars
            .get(index)
            .is_none_or(|&(_, c)| c == '_' || c.is_uppercase())
    };
    let starts_word =
        previous.is_uppercase() && current.is_uppercase() && next.is_some_and(char::is_lowercase);
    // `URLs`: the small letter is a plural, not the rest of a word `Ls`.
    starts_word && !(next == Some('s') && ends_word(at + 2))
}

/// Scripts that put no space between words.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF
        | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF
        | 0x2_0000..=0x2_FFFF)
}

/// Pairs of neighbouring characters stand for the words that nobody marked.
fn unspaced(word: &str, out: &mut Vec<String>) {
    let lower = word.to_lowercase();
    let chars: Vec<char> = lower.chars().collect();
    if chars.len() == 1 {
        out.push(lower);
        return;
    }
    out.extend(chars.windows(2).map(|pair| pair.iter().collect::<String>()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identifiers_split_into_parts() {
        let check = |word: &str, expect: &[&str]| assert_eq!(parts(word), expect, "{word}");
        check("calculateSum", &["calculate", "Sum"]);
        check("calculate_sum", &["calculate", "sum"]);
        check("CALCULATE_SUM", &["CALCULATE", "SUM"]);
        check("HTTPServer", &["HTTP", "Server"]);
        check("parseXMLFile", &["parse", "XML", "File"]);
        check("parseURLs", &["parse", "URLs"]);
        check("URLsToFetch", &["URLs", "To", "Fetch"]);
        check("XMLschema", &["XM", "Lschema"]);
        check("utf8_decode", &["utf", "8", "decode"]);
        check("__init__", &["init"]);
        check("___", &[]);
        check("x", &["x"]);
        check("ÜberGröße", &["Über", "Größe"]);
    }

    #[test]
    fn terms_of_text() {
        let check = |text: &str, expect: &[&str]| assert_eq!(terms(text), expect, "{text}");
        check("calculateSum", &["calculatesum", "calcul", "sum"]);
        check("CALCULATE_SUM", &["calculatesum", "calcul", "sum"]);
        check("calculates the sums", &["calcul", "sum"]);
        check(
            "def load_users(path):",
            &["def", "loadusers", "load", "user", "path"],
        );
        check("self.x = x_axis", &["self", "x", "xaxis", "axi"]);
        check("sha256", &["sha256", "sha", "256"]);
        check("the of and", &[]);
        check("", &[]);
        check("!? --", &[]);
        check("検索する", &["検索", "索す", "する"]);
        check("字", &["字"]);
        check("поиск Файла", &["поиск", "файла"]);
        check("src/user_repo.py", &["src", "userrepo", "user", "repo", "py"]);
        check(&"a".repeat(300), &[]);
    }

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted());
    }

    proptest! {
        #[test]
        fn words_are_what_a_split_gives(text in "[a-z_ .äß字。\u{301}٣]{0,40}") {
            let split = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            let expect: Vec<&str> = split.filter(|word| !word.is_empty()).collect();
            prop_assert_eq!(words(&text).collect::<Vec<_>>(), expect);
        }

        #[test]
        fn parts_of_ascii_are_those_of_any_word(word in "[A-Zas0-9_]{0,12}") {
            let mut got = Vec::new();
            ascii_parts(word.as_bytes(), |part| got.push(String::from_utf8_lossy(part).into_owned()));
            prop_assert_eq!(got, parts(&word));
        }

        #[test]
        fn parts_lose_nothing_but_underscores(word in "[A-Za-z0-9_äÖ字]{0,40}") {
            prop_assert_eq!(parts(&word).concat(), word.replace('_', ""));
        }

        #[test]
        fn terms_are_bounded_lower_case_and_never_empty(text in any::<String>()) {
            let terms = terms(&text);
            prop_assert!(terms.len() <= TERMS_MAX);
            for term in terms {
                prop_assert!(!term.is_empty());
                prop_assert_eq!(term.to_lowercase(), term);
            }
        }

        #[test]
        fn case_and_underscores_do_not_matter_to_the_whole(a in "[a-z]{2,8}", b in "[a-z]{2,8}") {
            let snake = terms(&format!("{a}_{b}"));
            let mut camel = b.clone();
            camel[..1].make_ascii_uppercase();
            prop_assert_eq!(snake, terms(&format!("{a}{camel}")));
        }
    }
}
