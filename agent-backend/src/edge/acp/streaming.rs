//! What we add to what clients are told: streamed text with its position, stage
//! and attempt, for a client that wants to show progress or put the text
//! together itself, and where each update comes from, for one that wants to go on
//! there. Message chunks carry none of that.
//!
//! A client gets it only on a connection on which it asked for it.

use agent_client_protocol::{
    JsonRpcNotification,
    v1::schema::{Meta, SessionId},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::wire::{Envelope, SessionPosition};

use super::extension::METHODS;

/// Our key in `_meta`.
pub(super) const VENDOR: &str = "agentic_ide";

/// The extension's key below it.
const FEATURE: &str = "streaming_update";

/// The key of positions below it.
const POSITIONS: &str = "positions";

/// Raised when a client of the last version could misread this one.
const VERSION: u32 = 1;

/// What one client wants of this extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Wish {
    /// Nothing: it did not ask.
    #[default]
    Nothing,
    /// A notification for each update.
    Updates,
}

/// Whether updates say where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Positions {
    /// No: the client did not ask.
    #[default]
    Untold,
    /// Each that comes from the journal does.
    Told,
}

/// What a client asks for in the `_meta` of its capabilities.
pub(super) fn wish(capabilities: Option<&Meta>) -> Wish {
    match asks(capabilities, FEATURE) {
        true => Wish::Updates,
        false => Wish::Nothing,
    }
}

/// The same, of positions.
pub(super) fn positions(capabilities: Option<&Meta>) -> Positions {
    match asks(capabilities, POSITIONS) {
        true => Positions::Told,
        false => Positions::Untold,
    }
}

fn asks(capabilities: Option<&Meta>, feature: &str) -> bool {
    let asked = capabilities.and_then(|meta| meta.get(VENDOR)?.get(feature));
    asked == Some(&Value::Bool(true))
}

/// What an update says of where it comes from.
pub(super) fn told(position: &SessionPosition) -> Meta {
    Meta::from_iter([(VENDOR.to_owned(), json!(position))])
}

/// What our capabilities say of it.
pub(super) fn offer() -> Meta {
    let offer = json!({ FEATURE: true, POSITIONS: true, "methods": METHODS, "version": VERSION });
    Meta::from_iter([(VENDOR.to_owned(), offer)])
}

/// One `agent_streaming_update`, as the event stream has it with `mode=delta`,
/// and the session it belongs to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcNotification)]
#[notification(method = "_agentic_ide/streaming_update")]
pub(super) struct StreamingUpdate {
    #[serde(rename = "sessionId")]
    pub(super) session: SessionId,
    #[serde(flatten)]
    pub(super) event: Envelope,
}

#[cfg(test)]
mod tests {
    use agent_client_protocol::{JsonRpcMessage as _, v1::schema::ClientCapabilities};
    use shared::{
        id::{CorrelationId, Seq, StageId, WorkflowId},
        wire::Body,
    };

    use super::*;

    fn check(capabilities: &Value, expect: Wish) {
        let text = capabilities.to_string();
        let meta = |capabilities: &str| -> Option<Meta> {
            let capabilities: ClientCapabilities = serde_json::from_str(capabilities).unwrap();
            capabilities.meta
        };
        assert_eq!(wish(meta(&text).as_ref()), expect, "{capabilities}");
        // Each is asked for by itself, in the same way.
        let expect = match expect {
            Wish::Nothing => Positions::Untold,
            Wish::Updates => Positions::Told,
        };
        assert_eq!(
            positions(meta(&text).as_ref()),
            Positions::Untold,
            "{capabilities}"
        );
        let text = text.replace(FEATURE, POSITIONS);
        assert_eq!(positions(meta(&text).as_ref()), expect, "{capabilities}");
    }

    #[test]
    fn only_a_plain_yes_asks_for_it() {
        check(&json!({}), Wish::Nothing);
        check(&json!({ "_meta": null }), Wish::Nothing);
        check(&json!({ "_meta": { "agentic_ide": true } }), Wish::Nothing);
        check(
            &json!({ "_meta": { "agentic_ide": { "streaming_update": false } } }),
            Wish::Nothing,
        );
        check(
            &json!({ "_meta": { "agentic_ide": { "streaming_update": "yes" } } }),
            Wish::Nothing,
        );
        check(
            &json!({ "_meta": { "agentic_ide": { "streaming_update": true } } }),
            Wish::Updates,
        );
    }

    #[test]
    fn the_notification_looks_as_documented() {
        let update = StreamingUpdate {
            session: SessionId::new("s1"),
            event: Envelope {
                seq: Seq(17),
                workflow_id: WorkflowId::new("w1"),
                correlation_id: CorrelationId::new("req_xyz"),
                timestamp: 1_234_567_890,
                body: Body::AgentStreamingUpdate {
                    stage_id: StageId::new("code_generation"),
                    attempt: 1,
                    delta: " b):".to_owned(),
                    offset: 20,
                    partial_result: None,
                    tokens_so_far: 10,
                    is_final: false,
                    metrics: None,
                },
            },
        };
        let message = update.to_untyped_message().unwrap();
        assert_eq!(message.method(), "_agentic_ide/streaming_update");
        let params = json!({
            "sessionId": "s1", "type": "agent_streaming_update", "seq": 17, "workflow_id": "w1",
            "correlation_id": "req_xyz", "timestamp": 1_234_567_890_u64, "stage_id": "code_generation",
            "attempt": 1, "delta": " b):", "offset": 20, "tokens_so_far": 10, "is_final": false,
            "metrics": null,
        });
        assert_eq!(message.params(), &params);
    }
}
