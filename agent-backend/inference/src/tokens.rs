//! Texts as the model sees them. Owns the window: what does not fit is cut off
//! at the end, and every cut is reported.

use tokenizers::{Tokenizer, TruncationParams};

use crate::{Error, files::Files};

/// Longest text that is looked at, in bytes for each token of the window. A
/// token of code has 3 or 4; runs of blanks, which are no tokens, have more.
const BYTES_PER_TOKEN_MAX: usize = 64;

/// What is put in front of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// To be embedded.
    One(String),
    /// To be scored: question and candidate.
    Pair(std::sync::Arc<str>, String),
}

/// One text, with its special tokens, at most a window long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) ids: Vec<u32>,
    /// Which of a pair each token is of.
    pub(crate) kinds: Vec<u32>,
    /// Whether something was cut off.
    pub(crate) cut: bool,
}

impl Tokens {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
}

/// A model's tokenizer with its window.
#[derive(Debug)]
pub(crate) struct Reader {
    tokenizer: Tokenizer,
    tokens_max: usize,
}

impl Reader {
    pub(crate) fn load(files: &Files, tokens_max: usize) -> Result<Self, Error> {
        let unusable =
            |error: tokenizers::Error| Error::unusable(&files.folder, format!("tokenizer.json: {error}"));
        let mut tokenizer = Tokenizer::from_bytes(files.tokenizer()?).map_err(unusable)?;
        // The file may bring a shorter window of its own, and padding up to it.
        tokenizer.with_padding(None);
        let truncation = TruncationParams {
            max_length: tokens_max,
            ..TruncationParams::default()
        };
        tokenizer.with_truncation(Some(truncation)).map_err(unusable)?;
        Ok(Self {
            tokenizer,
            tokens_max,
        })
    }

    pub(crate) fn read(&self, text: &Text) -> Result<Tokens, Error> {
        let (encoding, shortened) = match text {
            Text::One(text) => {
                let (text, shortened) = self.bounded(text);
                (self.tokenizer.encode(text, true), shortened)
            }
            Text::Pair(first, second) => {
                let (first, first_shortened) = self.bounded(first);
                let (second, second_shortened) = self.bounded(second);
                let encoding = self.tokenizer.encode((first, second), true);
                (encoding, first_shortened || second_shortened)
            }
        };
        let encoding = encoding.map_err(|error| Error::failed(error.to_string()))?;
        Ok(Tokens {
            ids: encoding.get_ids().to_vec(),
            kinds: encoding.get_type_ids().to_vec(),
            cut: shortened || !encoding.get_overflowing().is_empty(),
        })
    }

    /// The beginning that can matter: a megabyte must not be tokenized for a
    /// window of 256 tokens.
    fn bounded<'a>(&self, text: &'a str) -> (&'a str, bool) {
        let end = text.floor_char_boundary(self.tokens_max * BYTES_PER_TOKEN_MAX);
        (&text[..end], end < text.len())
    }
}
