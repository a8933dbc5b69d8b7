//! Context truth: asked for, loaded and used must agree.
//!
//! A server that gets more than its context holds drops the oldest messages
//! and answers as if nothing had happened. The only trace is its own count of
//! prompt tokens, so that count is compared with the fewest tokens the prompt
//! can possibly have. Pure: knows no server.

use std::fmt;

use crate::{ChatRequest, Error};

/// No tokenizer in use makes fewer tokens than one of this many visible
/// characters over a text of some length; English prose has 4 to 5.
const CHARS_PER_TOKEN_MAX: u64 = 6;

/// Bytes per token to plan with: code and English prose mixed.
const BYTES_PER_TOKEN_LIKELY_X10: u64 = 35;

/// Prompts below this many tokens always fit; for them the bound is noise.
const TOKENS_JUDGED_MIN: u64 = 256;

/// The numbers that must agree, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context {
    /// `num_ctx` as it was asked for.
    pub requested: u32,
    /// What the server says it loaded; `None` if it has not been asked or does
    /// not say.
    pub loaded: Option<u32>,
    /// The fewest tokens that were sent; 0 if nothing was.
    pub sent_tokens_min: u64,
    /// Prompt tokens the server says it evaluated; `None` if it does not say.
    pub used_tokens: Option<u64>,
}

impl Context {
    /// Fails with E1407 if the model saw, or will see, less than it is sent:
    /// loaded smaller than requested, more sent than fits, or less evaluated
    /// than was sent. A number that is not known proves nothing.
    pub fn check(&self) -> Result<(), Error> {
        let loaded_short = self.loaded.is_some_and(|loaded| loaded < self.requested);
        let sent = self.sent_tokens_min;
        let judged = sent >= TOKENS_JUDGED_MIN;
        let too_much = judged && sent > u64::from(self.requested);
        if loaded_short || too_much || self.lost() {
            return Err(Error::ContextTruncated(*self));
        }
        Ok(())
    }

    /// Whether the model has seen less than it was sent, for certain.
    pub fn lost(&self) -> bool {
        let judged = self.sent_tokens_min >= TOKENS_JUDGED_MIN;
        judged && self.used_tokens.is_some_and(|used| used < self.sent_tokens_min)
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens of context requested", self.requested)?;
        match self.loaded {
            Some(loaded) => write!(f, ", {loaded} loaded")?,
            None => f.write_str(", loaded unknown")?,
        }
        if self.sent_tokens_min > 0 {
            write!(f, ", at least {} sent", self.sent_tokens_min)?;
        }
        match self.used_tokens {
            Some(used) => write!(f, ", {used} used"),
            None => Ok(()),
        }
    }
}

/// The fewest tokens `text` can have. White space counts nothing and a run of
/// one character counts once, because tokenizers join both (indentation, rulers).
pub fn tokens_min(text: &str) -> u64 {
    let mut last = None;
    let mut visible: u64 = 0;
    for character in text.chars() {
        if !character.is_whitespace() && last != Some(character) {
            visible += 1;
        }
        last = Some(character);
    }
    visible / CHARS_PER_TOKEN_MAX
}

/// The tokens `text` probably has, rounded up; for planning, not for judging.
pub fn tokens_likely(text: &str) -> u64 {
    (text.len() as u64 * 10).div_ceil(BYTES_PER_TOKEN_LIKELY_X10)
}

/// The fewest tokens `request` can have.
pub(crate) fn request_tokens_min(request: &ChatRequest) -> u64 {
    let messages: u64 = request
        .messages
        .iter()
        .map(|message| tokens_min(&message.content))
        .sum();
    tokens_min(&request.system) + messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewest_tokens() {
        fn check(text: &str, expect: u64) {
            assert_eq!(tokens_min(text), expect, "{text:?}");
        }
        check("", 0);
        check("abcde", 0);
        check("abcdefabcdef", 2);
        check("        if x:\n        pass ab\n", 1);
        check(&"=".repeat(1000), 0);
        check("日本語日本語", 1);
    }

    #[test]
    fn likely_tokens_round_up() {
        assert_eq!(
            [
                tokens_likely(""),
                tokens_likely("a"),
                tokens_likely(&"a".repeat(35))
            ],
            [0, 1, 10]
        );
    }

    #[test]
    fn numbers_that_disagree() {
        fn check(requested: u32, loaded: Option<u32>, sent: u64, used: Option<u64>, fits: bool) {
            let context = Context {
                requested,
                loaded,
                sent_tokens_min: sent,
                used_tokens: used,
            };
            let expect = if fits {
                Ok(())
            } else {
                Err(Error::ContextTruncated(context))
            };
            assert_eq!(context.check(), expect);
        }
        check(8192, None, 0, None, true);
        check(8192, Some(8192), 1000, Some(1500), true);
        check(8192, Some(4096), 0, None, false);
        // A server that loads more than was asked for cuts nothing.
        check(8192, Some(32768), 1000, Some(1000), true);
        check(8192, Some(8192), 1000, Some(999), false);
        check(2048, Some(2048), 2049, None, false);
        // Too short to have been cut: the bound is noise.
        check(8192, Some(8192), 255, Some(10), true);
    }

    #[test]
    fn says_the_numbers() {
        let context = Context {
            requested: 8192,
            loaded: Some(4096),
            sent_tokens_min: 6000,
            used_tokens: Some(4096),
        };
        assert_eq!(
            context.to_string(),
            "8192 tokens of context requested, 4096 loaded, at least 6000 sent, 4096 used"
        );
    }
}
