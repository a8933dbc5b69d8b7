//! How the three interfaces are told how much a model is to think. Pure.
//!
//! Levels are what today's models take; those before them count tokens; and some
//! cannot be told to think, or not to. No list says which is which, for it would
//! be old at once: a server that refuses one wish is told the next one, and that
//! is remembered. See [`super::adapt`].

use super::{HostedKind, adapt::Without};
use crate::{Thinking, thinking::Level};

/// Names of the fields, and what servers call them where they refuse them.
const WORDS: [&str; 3] = ["thinking", "reasoning", "effort"];

/// What is said of thinking in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing.
    Unsaid,
    /// Not to think.
    Off,
    /// How much, by its name.
    Level(Level),
    /// How much, in tokens.
    Tokens(Level),
}

impl Wish {
    /// What of `wanted` is said to a server that does not take `without`. One that
    /// cannot be told not to think is told to think little.
    pub(super) fn new(kind: HostedKind, wanted: Thinking, without: Without) -> Self {
        let counts = match kind {
            HostedKind::OpenAi => false,
            HostedKind::Anthropic | HostedKind::Gemini => !without.thinking_tokens,
        };
        let level = match wanted {
            Thinking::ProviderDefault => return Self::Unsaid,
            Thinking::Off if !without.thinking_off => return Self::Off,
            Thinking::Off => Level::Low,
            Thinking::Low | Thinking::Medium | Thinking::High => wanted.level().unwrap_or(Level::Low),
        };
        if !without.thinking_level {
            Self::Level(level)
        } else if counts {
            Self::Tokens(level)
        } else {
            Self::Unsaid
        }
    }

    /// What comes of `wanted` where this is said.
    pub(super) fn grants(self, wanted: Thinking) -> Thinking {
        match self {
            Self::Unsaid => Thinking::ProviderDefault,
            Self::Off => Thinking::Off,
            Self::Level(_) | Self::Tokens(_) if wanted == Thinking::Off => Thinking::Low,
            Self::Level(_) | Self::Tokens(_) => wanted,
        }
    }
}

/// What to leave out beside `without` where `wish` was refused with these words,
/// in lower case.
pub(super) fn less(without: Without, wish: Wish, message: &str) -> Option<Without> {
    if !WORDS.iter().any(|word| message.contains(word)) {
        return None;
    }
    match wish {
        Wish::Unsaid => None,
        Wish::Off => Some(Without {
            thinking_off: true,
            ..without
        }),
        Wish::Level(_) => Some(Without {
            thinking_level: true,
            ..without
        }),
        Wish::Tokens(_) => Some(Without {
            thinking_tokens: true,
            ..without
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_and_what_comes_of_it() {
        use HostedKind::{Anthropic, Gemini, OpenAi};
        use Thinking::{High, Low, Off, ProviderDefault};
        let check = |kind: HostedKind, wanted: Thinking, without: Without, expect: (Wish, Thinking)| {
            let wish = Wish::new(kind, wanted, without);
            assert_eq!(
                (wish, wish.grants(wanted)),
                expect,
                "{kind:?} {wanted:?} {without:?}"
            );
        };
        let all = Without::default();
        let always = Without {
            thinking_off: true,
            ..all
        };
        let no_level = Without {
            thinking_level: true,
            ..always
        };
        let nothing = Without {
            thinking_tokens: true,
            ..no_level
        };
        for kind in [OpenAi, Anthropic, Gemini] {
            check(kind, ProviderDefault, all, (Wish::Unsaid, ProviderDefault));
            check(kind, Off, all, (Wish::Off, Off));
            check(kind, Off, always, (Wish::Level(Level::Low), Low));
            check(kind, High, always, (Wish::Level(Level::High), High));
            check(kind, High, nothing, (Wish::Unsaid, ProviderDefault));
            check(kind, Off, nothing, (Wish::Unsaid, ProviderDefault));
        }
        check(OpenAi, High, no_level, (Wish::Unsaid, ProviderDefault));
        for kind in [Anthropic, Gemini] {
            check(kind, High, no_level, (Wish::Tokens(Level::High), High));
            check(kind, Off, no_level, (Wish::Tokens(Level::Low), Low));
        }
    }
}
