//! Tools that a model has called, as tool calls of the session.

use agent_client_protocol::v1::schema::{
    ContentBlock, SessionUpdate, TextContent, ToolCall, ToolCallContent, ToolCallStatus, ToolKind,
};
use engine::{artifact, ports::Journal};

use crate::error::Error;

/// Characters of an answer that a client is shown.
const SHOWN_CHARS_MAX: usize = 4_000;

/// Digits that tell one question to a model from another.
const ASKED_DIGITS: usize = 12;

/// A call that has ended. `stage` is the call that the stage itself is.
pub(super) async fn told(
    journal: &dyn Journal,
    stage: &str,
    call: &artifact::ToolCall,
) -> Result<SessionUpdate, Error> {
    let answer = journal.blob(call.result).await?.unwrap_or_default();
    let answer = shown(&String::from_utf8_lossy(&answer));
    let asked = call.asked.to_hex();
    let asked = asked.get(..ASKED_DIGITS).unwrap_or_default();
    let status = if call.is_error {
        ToolCallStatus::Failed
    } else {
        ToolCallStatus::Completed
    };
    let content = ContentBlock::Text(TextContent::new(answer));
    Ok(SessionUpdate::ToolCall(
        ToolCall::new(
            format!("{stage}:{asked}.{}", call.number),
            format!("{}: {}", call.server, call.tool),
        )
        .kind(kind(&call.server))
        .status(status)
        .raw_input(serde_json::from_str(&call.arguments).ok())
        .content(vec![ToolCallContent::from(content)]),
    ))
}

/// What our own servers do; of others nothing is known.
fn kind(server: &str) -> ToolKind {
    match server {
        "git" | "format" => ToolKind::Read,
        "language" => ToolKind::Search,
        _ => ToolKind::Other,
    }
}

fn shown(answer: &str) -> String {
    match answer.char_indices().nth(SHOWN_CHARS_MAX) {
        None => answer.to_owned(),
        Some((end, _)) => format!("{}\n…", &answer[..end]),
    }
}
