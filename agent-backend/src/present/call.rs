//! Calls of models, and what they call themselves.

use engine::artifact::{CallEnding, CallNext, Effect, ModelCall, ToolCall, WantedCall};
use shared::{id::StageId, wire};

/// A call, as clients are told of it.
pub(crate) fn call(call: &ModelCall) -> wire::ModelCall {
    wire::ModelCall {
        role: call.role.clone(),
        provider: call.provider.clone(),
        model: call.model.clone(),
        number: call.number,
        ending: match &call.ending {
            CallEnding::Answered { cut } => wire::CallEnding::Answered { cut: *cut },
            CallEnding::FromCache => wire::CallEnding::FromCache,
            CallEnding::Failed { code, reason, next } => wire::CallEnding::Failed {
                code: code.as_str().to_owned(),
                reason: reason.clone(),
                next: match next {
                    CallNext::Retry { after_ms } => wire::CallNext::Retry { after_ms: *after_ms },
                    CallNext::NextProvider => wire::CallNext::NextProvider,
                    CallNext::Wait => wire::CallNext::Wait,
                    CallNext::Shrink => wire::CallNext::Shrink,
                    CallNext::GiveUp => wire::CallNext::GiveUp,
                },
            },
        },
        first_token_ms: call.first_token_ms,
        duration_ms: call.duration_ms,
        prompt_tokens: call.prompt_tokens,
        generated_tokens: call.generated_tokens,
        cost_microdollars: call.cost_microdollars,
    }
}

/// The event for a call of a tool.
pub(super) fn tool_called(stage: &StageId, attempt: u32, call: &ToolCall) -> wire::Body {
    if call.begun.is_some() {
        return super::info(format!("`{}` of `{}` is called", call.tool, call.server));
    }
    wire::Body::ToolCalled {
        stage_id: stage.clone(),
        attempt,
        call: tool(call),
    }
}

/// A call of a tool, as clients are told of it.
fn tool(call: &ToolCall) -> wire::ToolCall {
    wire::ToolCall {
        server: call.server.clone(),
        tool: call.tool.clone(),
        arguments: call.arguments.clone(),
        is_error: call.is_error,
        duration_ms: call.duration_ms,
    }
}

/// A call of a tool that a person is asked about.
pub(crate) fn wanted(call: &WantedCall) -> wire::WantedCall {
    wire::WantedCall {
        server: call.server.clone(),
        tool: call.tool.clone(),
        title: call.title.clone(),
        effect: match call.effect {
            Effect::Unknown => wire::ToolEffect::Unknown,
            Effect::Adds => wire::ToolEffect::Adds,
            Effect::Destroys => wire::ToolEffect::Destroys,
        },
        arguments: call.shown.clone(),
    }
}
