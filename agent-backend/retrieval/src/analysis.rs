//! Text to term ids, remembering each word: code repeats its words, and
//! splitting and stemming one costs more than looking it up.

use std::collections::HashMap;

use rust_stemmers::Stemmer;

use crate::{bm25, tokenize};

/// Words remembered at a time; bounds memory on a tree of random data.
const WORDS_MAX: usize = 500_000;

/// Turns texts into term ids; the same ids as [`tokenize::terms`] and
/// [`bm25::term_id`] give, in the same order.
pub(crate) struct Analyzer {
    stemmer: Stemmer,
    known: HashMap<Box<str>, Box<[u32]>>,
    scratch: Vec<String>,
}

impl Default for Analyzer {
    fn default() -> Self {
        Self {
            stemmer: tokenize::stemmer(),
            known: HashMap::new(),
            scratch: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyzer")
            .field("known", &self.known.len())
            .finish_non_exhaustive()
    }
}

impl Analyzer {
    /// Adds the ids of the terms of `text` to `out`, at most
    /// [`tokenize::TERMS_MAX`] of them.
    pub fn terms(&mut self, text: &str, out: &mut Vec<u32>) {
        let end = out.len() + tokenize::TERMS_MAX;
        for word in tokenize::words(text) {
            if out.len() >= end {
                break;
            }
            if let Some(ids) = self.known.get(word) {
                out.extend_from_slice(ids);
                continue;
            }
            self.scratch.clear();
            tokenize::word_terms(word, &self.stemmer, &mut self.scratch);
            let ids: Box<[u32]> = self.scratch.iter().map(|term| bm25::term_id(term)).collect();
            out.extend_from_slice(&ids);
            if self.known.len() >= WORDS_MAX {
                self.known.clear();
            }
            self.known.insert(word.into(), ids);
        }
        out.truncate(end);
    }

    /// The ids of the terms of `text`, each with its count, ascending.
    pub fn counts(&mut self, text: &str) -> Vec<(u32, u32)> {
        let mut ids = Vec::new();
        self.terms(text, &mut ids);
        count(ids)
    }
}

/// Each distinct id with how often it is there, ascending.
pub(crate) fn count(mut ids: Vec<u32>) -> Vec<(u32, u32)> {
    ids.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::new();
    for id in ids {
        match out.last_mut().filter(|(last, _)| *last == id) {
            Some((_, count)) => *count += 1,
            None => out.push((id, 1)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_says_what_the_tokenizer_says(texts in prop::collection::vec("[a-zA-Z_0-9 字.]{0,60}", 1..6)) {
            let mut analyzer = Analyzer::default();
            for text in texts {
                let expect: Vec<u32> = tokenize::terms(&text).iter().map(|term| bm25::term_id(term)).collect();
                let mut got = Vec::new();
                analyzer.terms(&text, &mut got);
                prop_assert_eq!(&got, &expect);
                let counts = analyzer.counts(&text);
                prop_assert!(counts.is_sorted_by(|a, b| a.0 < b.0));
                let total: u32 = counts.iter().map(|(_, count)| count).sum();
                prop_assert_eq!(usize::try_from(total).unwrap(), expect.len());
            }
        }
    }
}
