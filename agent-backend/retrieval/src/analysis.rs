//! Text to counted term ids, remembering each word: code repeats its words,
//! and splitting and stemming one costs more than looking it up.

use std::collections::HashMap;

use rust_stemmers::Stemmer;
use rustc_hash::FxBuildHasher;

use crate::postings::TermMap;
use crate::{bm25, tokenize};

/// Words remembered at a time; bounds memory on a tree of random data.
const WORDS_MAX: usize = 500_000;

/// Turns texts into term ids; the same ids as [`tokenize::terms`] and
/// [`bm25::term_id`] give.
///
/// Inside, terms are numbered as they come, so that counting them is adding to
/// a place in a table.
pub(crate) struct Analyzer {
    stemmer: Stemmer,
    /// Word to its range of `numbers`.
    words: HashMap<Box<str>, (u32, u32), FxBuildHasher>,
    /// The numbers of the terms of all words.
    numbers: Vec<u32>,
    /// Term id to its number.
    known: TermMap<u32>,
    /// By number: the term's id, and how often it was met in this text.
    terms: Vec<(u32, u32)>,
    /// Numbers met in this text.
    met: Vec<u32>,
    scratch: Vec<String>,
}

impl Default for Analyzer {
    fn default() -> Self {
        Self {
            stemmer: tokenize::stemmer(),
            words: HashMap::default(),
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
            .field("words", &self.words.len())
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
                let (from, to) = self.word(word);
                let (from, to) = (from, to.min(from.saturating_add(left)));
                for at in from..to {
                    let number = self.numbers[at];
                    let (_, count) = &mut self.terms[usize_of(number)];
                    if *count == 0 {
                        self.met.push(number);
                    }
                    *count += 1;
                }
                left -= to - from;
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

    /// The range of the word's terms in `numbers`.
    fn word(&mut self, word: &str) -> (usize, usize) {
        if let Some(&(from, to)) = self.words.get(word) {
            return (usize_of(from), usize_of(to));
        }
        if self.words.len() >= WORDS_MAX {
            // The numbers of this text's terms must stay; the words need not.
            self.words.clear();
            self.numbers.clear();
        }
        self.scratch.clear();
        tokenize::word_terms(word, &self.stemmer, &mut self.scratch);
        let from = self.numbers.len();
        for term in &self.scratch {
            let id = bm25::term_id(term);
            let next = u32::try_from(self.terms.len()).unwrap_or(u32::MAX);
            let number = *self.known.entry(id).or_insert(next);
            if number == next {
                self.terms.push((id, 0));
            }
            self.numbers.push(number);
        }
        let to = self.numbers.len();
        let range = (u32::try_from(from), u32::try_from(to));
        if let (Ok(from), Ok(to)) = range {
            self.words.insert(word.into(), (from, to));
        }
        (from, to)
    }
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
        fn it_counts_what_the_tokenizer_says(texts in prop::collection::vec("[a-zA-Z_0-9 字.]{0,60}", 1..6)) {
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
