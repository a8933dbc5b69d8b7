//! How much a model thinks before it answers: what may be wished for, and the
//! room that thoughts take. How a server is asked for it is the provider's. Pure.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Unexpected, Visitor},
};

/// Parts of a context that thoughts may take: one in so many.
const CONTEXT_PART: u32 = 4;

/// How much a model is to think before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    /// As its server has it: nothing is said of it.
    #[default]
    #[serde(rename = "default")]
    ProviderDefault,
    /// Not at all.
    Off,
    /// Little.
    Low,
    /// As much as most questions need.
    Medium,
    /// Much.
    High,
}

impl Thinking {
    /// The same for an answer that must come soon: little, at most.
    #[must_use]
    pub fn briefly(self) -> Self {
        match self {
            Self::ProviderDefault | Self::Off | Self::Low => self,
            Self::Medium | Self::High => Self::Low,
        }
    }

    /// Tokens that a context of `context_tokens` leaves for the thoughts, beside
    /// prompt and answer. None where nobody said how much is thought: they share
    /// the answer's.
    pub fn tokens_max(self, context_tokens: u32) -> u32 {
        let most = self.level().map_or(0, Level::tokens);
        most.min(context_tokens / CONTEXT_PART)
    }

    /// How much, where it is to think.
    pub(crate) fn level(self) -> Option<Level> {
        match self {
            Self::ProviderDefault | Self::Off => None,
            Self::Low => Some(Level::Low),
            Self::Medium => Some(Level::Medium),
            Self::High => Some(Level::High),
        }
    }
}

/// Names of the levels in a configuration.
const NAMES: [&str; 5] = ["default", "off", "low", "medium", "high"];

/// A level by its name. YAML reads `off` as a boolean, as it does `no` and `false`.
impl<'de> Deserialize<'de> for Thinking {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;

        impl Visitor<'_> for Named {
            type Value = Thinking;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "one of {}", NAMES.join(", "))
            }

            fn visit_bool<E: Error>(self, is_on: bool) -> Result<Thinking, E> {
                if is_on {
                    return Err(E::invalid_value(Unexpected::Bool(is_on), &self));
                }
                Ok(Thinking::Off)
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Thinking, E> {
                match name {
                    "default" => Ok(Thinking::ProviderDefault),
                    "off" => Ok(Thinking::Off),
                    "low" => Ok(Thinking::Low),
                    "medium" => Ok(Thinking::Medium),
                    "high" => Ok(Thinking::High),
                    other => Err(E::unknown_variant(other, &NAMES)),
                }
            }
        }

        deserializer.deserialize_any(Named)
    }
}

/// How much is thought, by one who thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Low,
    Medium,
    High,
}

impl Level {
    /// Its name, the same at every server that knows levels.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The same as a number of tokens, for servers that count them: what Google
    /// takes the levels for (<https://ai.google.dev/gemini-api/docs/openai>,
    /// "Thinking").
    pub(crate) fn tokens(self) -> u32 {
        match self {
            Self::Low => 1_024,
            Self::Medium => 8_192,
            Self::High => 24_576,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_take_a_part_of_the_context() {
        let check = |thinking: Thinking, context_tokens: u32, expect: u32| {
            assert_eq!(
                thinking.tokens_max(context_tokens),
                expect,
                "{thinking:?} {context_tokens}"
            );
        };
        check(Thinking::ProviderDefault, 8_192, 0);
        check(Thinking::Off, 8_192, 0);
        check(Thinking::Low, 8_192, 1_024);
        check(Thinking::High, 8_192, 2_048);
        check(Thinking::Medium, 200_000, 8_192);
        check(Thinking::High, 200_000, 24_576);
    }
}
