//! Calls of models.

use engine::{artifact, event};
use serde::{Deserialize, Serialize};
use shared::id::StageId;

use super::{Unreadable, is_false, parse_code};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ModelCalled {
    #[serde(rename = "st")]
    stage: String,
    #[serde(rename = "att")]
    attempt: u32,
    role: String,
    #[serde(rename = "by")]
    provider: String,
    #[serde(rename = "m")]
    model: String,
    #[serde(rename = "n")]
    number: u32,
    #[serde(rename = "end")]
    ending: CallEnding,
    #[serde(rename = "first", default, skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<u64>,
    #[serde(rename = "ms")]
    duration_ms: u64,
    #[serde(rename = "in")]
    prompt_tokens: u64,
    #[serde(rename = "out")]
    generated_tokens: u64,
    #[serde(rename = "cost", default, skip_serializing_if = "Option::is_none")]
    cost_microdollars: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "e", deny_unknown_fields)]
enum CallEnding {
    #[serde(rename = "answered")]
    Answered {
        #[serde(default, skip_serializing_if = "is_false")]
        cut: bool,
    },
    #[serde(rename = "from_cache")]
    FromCache {},
    #[serde(rename = "failed")]
    Failed {
        code: String,
        #[serde(rename = "why")]
        reason: String,
        next: CallNext,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "n", deny_unknown_fields)]
enum CallNext {
    #[serde(rename = "retry")]
    Retry {
        #[serde(rename = "ms")]
        after_ms: u64,
    },
    #[serde(rename = "next_provider")]
    NextProvider {},
    #[serde(rename = "wait")]
    Wait {},
    #[serde(rename = "shrink")]
    Shrink {},
    #[serde(rename = "give_up")]
    GiveUp {},
}

impl ModelCalled {
    pub(super) fn new(stage: &StageId, attempt: u32, call: &artifact::ModelCall) -> Self {
        let artifact::ModelCall {
            role,
            provider,
            model,
            number,
            ending,
            first_token_ms,
            duration_ms,
            prompt_tokens,
            generated_tokens,
            cost_microdollars,
        } = call.clone();
        Self {
            stage: stage.to_string(),
            attempt,
            role,
            provider,
            model,
            number,
            ending: ending.into(),
            first_token_ms,
            duration_ms,
            prompt_tokens,
            generated_tokens,
            cost_microdollars,
        }
    }
}

impl TryFrom<ModelCalled> for event::Event {
    type Error = Unreadable;

    fn try_from(called: ModelCalled) -> Result<Self, Unreadable> {
        let ModelCalled {
            stage,
            attempt,
            role,
            provider,
            model,
            number,
            ending,
            first_token_ms,
            duration_ms,
            prompt_tokens,
            generated_tokens,
            cost_microdollars,
        } = called;
        Ok(Self::ModelCalled {
            stage: StageId::parse(&stage)?,
            attempt,
            call: artifact::ModelCall {
                role,
                provider,
                model,
                number,
                ending: ending.try_into()?,
                first_token_ms,
                duration_ms,
                prompt_tokens,
                generated_tokens,
                cost_microdollars,
            },
        })
    }
}

impl From<artifact::CallEnding> for CallEnding {
    fn from(ending: artifact::CallEnding) -> Self {
        match ending {
            artifact::CallEnding::Answered { cut } => Self::Answered { cut },
            artifact::CallEnding::FromCache => Self::FromCache {},
            artifact::CallEnding::Failed { code, reason, next } => Self::Failed {
                code: code.to_string(),
                reason,
                next: match next {
                    artifact::CallNext::Retry { after_ms } => CallNext::Retry { after_ms },
                    artifact::CallNext::NextProvider => CallNext::NextProvider {},
                    artifact::CallNext::Wait => CallNext::Wait {},
                    artifact::CallNext::Shrink => CallNext::Shrink {},
                    artifact::CallNext::GiveUp => CallNext::GiveUp {},
                },
            },
        }
    }
}

impl TryFrom<CallEnding> for artifact::CallEnding {
    type Error = Unreadable;

    fn try_from(ending: CallEnding) -> Result<Self, Unreadable> {
        Ok(match ending {
            CallEnding::Answered { cut } => Self::Answered { cut },
            CallEnding::FromCache {} => Self::FromCache,
            CallEnding::Failed { code, reason, next } => Self::Failed {
                code: parse_code(&code)?,
                reason,
                next: match next {
                    CallNext::Retry { after_ms } => artifact::CallNext::Retry { after_ms },
                    CallNext::NextProvider {} => artifact::CallNext::NextProvider,
                    CallNext::Wait {} => artifact::CallNext::Wait,
                    CallNext::Shrink {} => artifact::CallNext::Shrink,
                    CallNext::GiveUp {} => artifact::CallNext::GiveUp,
                },
            },
        })
    }
}
