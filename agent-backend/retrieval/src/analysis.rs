//! Text to counted term ids, remembering each word: code repeats its words,
//! and splitting and stemming one costs more than looking it up.

use std::collections::HashMap;

use rust_stemmers::Stemmer;
use rustc_hash::FxBuildHasher;

use crate::postings::TermMap;
use crate::{bm25, tokenize};

/// Words remembered at a time; bounds memory on a tree of random data.
const WORDS_MAX: usize = 500_000;
/// Words that are found without a search: 128 KB of them.
const RECENT_BITS: u32 = 12;
const RECENT: usize = 1 << RECENT_BITS;

/// Turns texts into term ids; the same ids as [`tokenize::terms`] and
/// [`bm25::term_id`] give.
///
/// Inside, terms are numbered as they come, so that counting them is adding to
/// a place in a table.
pub(crate) struct Analyzer {
    stemmer: Stemmer,
    /// Words met lately, each at the place that its key says: few words are
    /// most of a text, and these stay near the processor.
    recent: Vec<(u128, Terms)>,
    /// Words and their terms; most words are so short that they are their own
    /// key.
    short: HashMap<u128, Terms, FxBuildHasher>,
    long: HashMap<Box<str>, Terms, FxBuildHasher>,
    /// Part of an identifier to the number of its term, or [`NO_TERM`]: most
    /// new words are made of old parts.
    parts: HashMap<u128, u32, FxBuildHasher>,
    /// The numbers of the terms of words that have many.
    numbers: Vec<u32>,
    /// Term id to its number.
    known: TermMap<u32>,
    /// By number: the term's id, and how often it was met in this text.
    terms: Vec<(u32, u32)>,
    /// Numbers met in this text.
    met: Vec<u32>,
    scratch: Vec<String>,
}

/// The numbers of a word's terms: up to three of them, or where they are among
/// the numbers of all.
#[derive(Debug, Clone, Copy, Default)]
struct Terms {
    length: u32,
    /// If there are more than fit, the first is the place of the first.
    numbers: [u32; 3],
}

impl Default for Analyzer {
    fn default() -> Self {
        Self {
            stemmer: tokenize::stemmer(),
            recent: Vec::new(),
            short: HashMap::default(),
            long: HashMap::default(),
            parts: HashMap::default(),
            numbers: Vec::new(),
            known: TermMap::default(),
            terms: Vec::new(),
            met: Vec::new(),
            scratch: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyzer")
            .field("words", &(self.short.len() + self.long.len()))
            .finish_non_exhaustive()
    }
}

impl Analyzer {
    /// Adds the distinct term ids of `texts` to `out`, each with its count, in
    /// the order of first appearance. Returns how many terms there are in all,
    /// at most [`tokenize::TERMS_MAX`] of each text.
    pub fn count(&mut self, texts: &[&str], out: &mut Vec<(u32, u32)>) -> u32 {
        if self.terms.len() >= WORDS_MAX {
            *self = Self::default();
        }
        let mut total = 0;
        for text in texts {
            let mut left = tokenize::TERMS_MAX;
            for word in tokenize::words(text) {
                let terms = self.word(word);
                let numbers = match terms.numbers.get(..usize_of(terms.length)) {
                    Some(numbers) => numbers,
                    None => {
                        let from = usize_of(terms.numbers[0]);
                        &self.numbers[from..from + usize_of(terms.length)]
                    }
                };
                let numbers = &numbers[..numbers.len().min(left)];
                for number in numbers {
                    let (_, count) = &mut self.terms[usize_of(*number)];
                    if *count == 0 {
                        self.met.push(*number);
                    }
                    *count += 1;
                }
                left -= numbers.len();
                if left == 0 {
                    break;
                }
            }
            total += tokenize::TERMS_MAX - left;
        }
        for number in self.met.drain(..) {
            let (id, count) = &mut self.terms[usize_of(number)];
            out.push((*id, std::mem::take(count)));
        }
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    fn word(&mut self, word: &str) -> Terms {
        let Some(key) = packed(word.as_bytes()) else {
            if let Some(terms) = self.long.get(word) {
                return *terms;
            }
            let terms = self.take_apart(word);
            self.long.insert(word.into(), terms);
            return terms;
        };
        let place = recent_place(key);
        if let Some((other, terms)) = self.recent.get(place)
            && *other == key
        {
            return *terms;
        }
        let terms = match self.short.get(&key) {
            Some(terms) => *terms,
            None => {
                let terms = self.take_apart(word);
                self.short.insert(key, terms);
                terms
            }
        };
        if self.recent.is_empty() {
            // No word has the key 0.
            self.recent.resize(RECENT, (0, Terms::default()));
        }
        self.recent[place] = (key, terms);
        terms
    }

    /// The terms of a word that is not known.
    fn take_apart(&mut self, word: &str) -> Terms {
        if self.short.len() + self.long.len() >= WORDS_MAX {
            // The numbers of this text's terms must stay; the words need not.
            self.recent.clear();
            self.short.clear();
            self.long.clear();
            self.numbers.clear();
        }
        let from = self.numbers.len();
        if word.is_ascii() {
            self.identifier(word);
        } else {
            let mut scratch = std::mem::take(&mut self.scratch);
            tokenize::word_terms(word, &self.stemmer, &mut scratch);
            for term in scratch.drain(..) {
                let number = self.number(&term);
                self.numbers.push(number);
            }
            self.scratch = scratch;
        }
        let new = &self.numbers[from..];
        let mut terms = Terms {
            length: u32_of(new.len()),
            ..Terms::default()
        };
        match terms.numbers.get_mut(..new.len()) {
            Some(numbers) => {
                numbers.copy_from_slice(new);
                self.numbers.truncate(from);
            }
            None => terms.numbers[0] = u32_of(from),
        }
        terms
    }

    /// Adds the numbers of an ASCII word's terms, as [`tokenize::word_terms`]
    /// has them, without a text for each.
    fn identifier(&mut self, word: &str) {
        if word.len() > tokenize::WORD_BYTES_MAX {
            return;
        }
        let mut lower = [0; tokenize::WORD_BYTES_MAX];
        let mut ends = [0; tokenize::WORD_BYTES_MAX];
        let (mut length, mut parts) = (0, 0);
        tokenize::ascii_parts(word.as_bytes(), |part| {
            for byte in part {
                lower[length] = byte.to_ascii_lowercase();
                length += 1;
            }
            ends[parts] = length;
            parts += 1;
        });
        // It is ASCII.
        let whole = std::str::from_utf8(&lower[..length]).unwrap_or_default();
        if parts > 1 && length <= tokenize::WHOLE_BYTES_MAX {
            let number = self.number(whole);
            self.numbers.push(number);
        }
        let mut start = 0;
        for end in &ends[..parts] {
            let part = &whole[start..*end];
            start = *end;
            if parts == 1 || part.len() > 1 {
                let number = self.part(part);
                if number != NO_TERM {
                    self.numbers.push(number);
                }
            }
        }
    }

    /// The number of a part's term, or [`NO_TERM`].
    fn part(&mut self, part: &str) -> u32 {
        let key = packed(part.as_bytes());
        if let Some(known) = key.and_then(|key| self.parts.get(&key)) {
            return *known;
        }
        let number = match tokenize::part_term(part, &self.stemmer) {
            Some(term) => self.number(&term),
            None => NO_TERM,
        };
        if let Some(key) = key {
            self.parts.insert(key, number);
        }
        number
    }

    fn number(&mut self, term: &str) -> u32 {
        let id = bm25::term_id(term);
        let next = u32_of(self.terms.len());
        let number = *self.known.entry(id).or_insert(next);
        if number == next {
            self.terms.push((id, 0));
        }
        number
    }
}

/// The number of a part that is no term.
const NO_TERM: u32 = u32::MAX;

/// A word of at most 15 bytes and its length as a number, different for each.
fn packed(word: &[u8]) -> Option<u128> {
    let length = word.len();
    let bytes = match (word.first_chunk::<8>(), word.last_chunk::<8>()) {
        _ if length > 15 => return None,
        (Some(first), Some(last)) => {
            let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
            u128::from(first) | u128::from(last) << (8 * (length - 8))
        }
        _ => match (word.first_chunk::<4>(), word.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
                u128::from(first) | u128::from(last) << (8 * (length - 4))
            }
            _ => word
                .iter()
                .rev()
                .fold(0, |bytes, byte| bytes << 8 | u128::from(*byte)),
        },
    };
    Some(bytes | (length as u128) << 120)
}

/// The place of a word among the recent ones.
fn recent_place(key: u128) -> usize {
    let high = u64::try_from(key >> 64).unwrap_or_default();
    let low = u64::try_from(key & u128::from(u64::MAX)).unwrap_or_default();
    let mixed = (low ^ high.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - RECENT_BITS)).unwrap_or_default()
}

fn u32_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn usize_of(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_what_the_tokenizer_says(texts in prop::collection::vec("[a-zA-Z_0-9 字.]{0,60}|[a-zA-Z ]{0,80}|[asS_1 ]{0,300}", 1..6)) {
            let mut analyzer = Analyzer::default();
            for text in texts {
                let mut expect: BTreeMap<u32, u32> = BTreeMap::new();
                for term in tokenize::terms(&text) {
                    *expect.entry(bm25::term_id(&term)).or_default() += 1;
                }
                let mut got = Vec::new();
                let total = analyzer.count(&[&text], &mut got);
                prop_assert_eq!(total, expect.values().sum::<u32>());
                got.sort_unstable();
                prop_assert_eq!(got, Vec::from_iter(expect));
            }
        }
    }

    proptest! {
        #[test]
        fn words_have_the_same_key_only_if_they_are_the_same(a in "[ab\u{0}é]{0,16}", b in "[ab\u{0}é]{0,16}") {
            let (left, right) = (packed(a.as_bytes()), packed(b.as_bytes()));
            prop_assert_eq!(left.is_none(), a.len() > 15);
            prop_assert_eq!(left.is_some() && left == right, a == b && a.len() <= 15);
        }
    }

    #[test]
    fn a_text_has_at_most_so_many_terms() {
        let mut analyzer = Analyzer::default();
        let long = "alpha_beta ".repeat(tokenize::TERMS_MAX);
        let mut counts = Vec::new();
        let total = analyzer.count(&[&long], &mut counts);
        assert_eq!(usize::try_from(total).unwrap(), tokenize::TERMS_MAX);
        let expect = tokenize::terms(&long);
        assert_eq!(expect.len(), tokenize::TERMS_MAX);
        let of = |name: &str| u32::try_from(expect.iter().filter(|term| *term == name).count()).unwrap();
        assert_eq!(
            counts,
            ["alphabeta", "alpha", "beta"].map(|name| (bm25::term_id(name), of(name)))
        );
    }
}
