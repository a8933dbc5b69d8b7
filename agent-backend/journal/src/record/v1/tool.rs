//! Calls of tools by models.

use engine::{artifact, blob::BlobId, event};
use serde::{Deserialize, Serialize};
use shared::id::StageId;

use super::{Unreadable, artifact::blob, is_false};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ToolCalled {
    #[serde(rename = "st")]
    stage: String,
    #[serde(rename = "att")]
    attempt: u32,
    asked: String,
    #[serde(rename = "n")]
    number: u32,
    of: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    said: String,
    id: String,
    server: String,
    tool: String,
    name: String,
    #[serde(rename = "with")]
    arguments: String,
    result: String,
    #[serde(rename = "failed", default, skip_serializing_if = "is_false")]
    is_error: bool,
    #[serde(rename = "ms")]
    duration_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<String>,
}

impl ToolCalled {
    pub(super) fn new(stage: &StageId, attempt: u32, call: &artifact::ToolCall) -> Self {
        let artifact::ToolCall {
            asked,
            number,
            of,
            said,
            id,
            server,
            tool,
            name,
            arguments,
            result,
            is_error,
            duration_ms,
            begun,
        } = call.clone();
        Self {
            stage: stage.to_string(),
            attempt,
            asked: asked.to_hex(),
            number,
            of,
            said,
            id,
            server,
            tool,
            name,
            arguments,
            result: result.to_hex(),
            is_error,
            duration_ms,
            begun: begun.map(BlobId::to_hex),
        }
    }
}

impl TryFrom<ToolCalled> for event::Event {
    type Error = Unreadable;

    fn try_from(called: ToolCalled) -> Result<Self, Unreadable> {
        let ToolCalled {
            stage,
            attempt,
            asked,
            number,
            of,
            said,
            id,
            server,
            tool,
            name,
            arguments,
            result,
            is_error,
            duration_ms,
            begun,
        } = called;
        Ok(Self::ToolCalled {
            stage: StageId::parse(&stage)?,
            attempt,
            call: artifact::ToolCall {
                asked: blob(&asked)?,
                number,
                of,
                said,
                id,
                server,
                tool,
                name,
                arguments,
                result: blob(&result)?,
                is_error,
                duration_ms,
                begun: begun.as_deref().map(blob).transpose()?,
            },
        })
    }
}
