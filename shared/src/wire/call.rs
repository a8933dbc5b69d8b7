//! Calls of models, as clients are told of them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One try at one provider of a model, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelCall {
    /// What it was asked as, for example `code`.
    pub role: String,
    /// The provider's name in the configuration.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// From 1 over all providers; anew where an attempt is gone on with after a restart.
    pub number: u32,
    /// How it ended.
    pub ending: CallEnding,
    /// Milliseconds until the first token came; none where none did.
    pub first_token_ms: Option<u64>,
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// Tokens of the prompt, as the provider counted them.
    pub prompt_tokens: u64,
    /// Tokens of the answer, as the provider counted them.
    pub generated_tokens: u64,
    /// Millionths of a dollar; none where no price is configured.
    pub cost_microdollars: Option<u64>,
}

/// How a call of a model ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CallEnding {
    /// With an answer.
    Answered {
        /// Whether a limit cut it off.
        cut: bool,
    },
    /// The answer was known already: nobody was asked.
    FromCache,
    /// Without an answer.
    Failed {
        /// `E1401` …; see `docs/errors/`.
        code: String,
        /// What went wrong.
        reason: String,
        /// What follows.
        next: CallNext,
    },
}

/// What follows a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum CallNext {
    /// The same provider is asked again.
    Retry {
        /// Milliseconds until then.
        after_ms: u64,
    },
    /// The next provider of the chain is asked.
    NextProvider,
    /// Nobody is there to ask: it waits for one.
    Wait,
    /// It is asked with a shorter prompt.
    Shrink,
    /// Nobody else is asked: the attempt fails.
    GiveUp,
}

/// In one line, for a person.
impl fmt::Display for ModelCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            provider,
            model,
            duration_ms,
            ..
        } = self;
        write!(f, "{provider} ({model}) ")?;
        let cut = match &self.ending {
            CallEnding::Failed { reason, next, .. } => return write!(f, "failed: {reason}; {next}"),
            CallEnding::FromCache => return write!(f, "was not asked: the answer is known"),
            CallEnding::Answered { cut } => *cut,
        };
        let (prompt, generated) = (self.prompt_tokens, self.generated_tokens);
        let tenths = duration_ms / 100;
        write!(f, "answered in {}.{} s: ", tenths / 10, tenths % 10)?;
        write!(f, "{prompt} tokens read, {generated} written")?;
        if cut {
            write!(f, ", cut off")?;
        }
        match self.cost_microdollars {
            Some(cost) => write!(f, ", {}", Dollars(cost)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for CallNext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { after_ms } => {
                let tenths = after_ms / 100;
                write!(f, "asked again in {}.{} s", tenths / 10, tenths % 10)
            }
            Self::NextProvider => write!(f, "the next one is asked"),
            Self::Wait => write!(f, "waiting for one that answers"),
            Self::Shrink => write!(f, "asked again with less"),
            Self::GiveUp => write!(f, "nobody else is asked"),
        }
    }
}

/// Millionths of a dollar, for a person: `$0.000012`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dollars(pub u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ending: CallEnding, cost_microdollars: Option<u64>, expect: &str) {
        let call = ModelCall {
            role: "code".to_owned(),
            provider: "groq".to_owned(),
            model: "llama".to_owned(),
            number: 2,
            ending,
            first_token_ms: Some(80),
            duration_ms: 1_290,
            prompt_tokens: 900,
            generated_tokens: 70,
            cost_microdollars,
        };
        assert_eq!(call.to_string(), expect);
        let json = serde_json::to_string(&call).unwrap();
        assert_eq!(serde_json::from_str::<ModelCall>(&json).unwrap(), call);
    }

    #[test]
    fn calls_in_one_line() {
        let failed = |next| CallEnding::Failed {
            code: "E1401".to_owned(),
            reason: "it does not answer".to_owned(),
            next,
        };
        check(
            CallEnding::Answered { cut: false },
            None,
            "groq (llama) answered in 1.2 s: 900 tokens read, 70 written",
        );
        check(
            CallEnding::Answered { cut: true },
            Some(1_000_012),
            "groq (llama) answered in 1.2 s: 900 tokens read, 70 written, cut off, $1.000012",
        );
        check(
            CallEnding::FromCache,
            None,
            "groq (llama) was not asked: the answer is known",
        );
        check(
            failed(CallNext::Retry { after_ms: 500 }),
            None,
            "groq (llama) failed: it does not answer; asked again in 0.5 s",
        );
        check(
            failed(CallNext::NextProvider),
            None,
            "groq (llama) failed: it does not answer; the next one is asked",
        );
        check(
            failed(CallNext::Wait),
            None,
            "groq (llama) failed: it does not answer; waiting for one that answers",
        );
        check(
            failed(CallNext::Shrink),
            None,
            "groq (llama) failed: it does not answer; asked again with less",
        );
        check(
            failed(CallNext::GiveUp),
            None,
            "groq (llama) failed: it does not answer; nobody else is asked",
        );
    }
}
