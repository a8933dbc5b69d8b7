//! Messages with changes of files as they go over the wire: that a file is new is
//! said by `null`. The protocol lets it be left out as well, and there are clients
//! that then do not show the change.

use agent_client_protocol::{
    Error as AcpError, JsonRpcMessage, JsonRpcNotification, JsonRpcRequest, UntypedMessage,
    v1::schema::{RequestPermissionRequest, RequestPermissionResponse, SessionNotification},
};
use serde_json::Value;

/// A message whose changes say what was there before, also where nothing was.
#[derive(Debug, Clone)]
pub(super) struct Spelled<M>(pub(super) M);

impl<M: JsonRpcMessage> JsonRpcMessage for Spelled<M> {
    fn matches_method(method: &str) -> bool {
        M::matches_method(method)
    }

    fn method(&self) -> &str {
        self.0.method()
    }

    fn to_untyped_message(&self) -> Result<UntypedMessage, AcpError> {
        let mut message = self.0.to_untyped_message()?;
        spell(&mut message.params);
        Ok(message)
    }

    fn parse_message(method: &str, params: &Value) -> Result<Self, AcpError> {
        M::parse_message(method, params).map(Self)
    }
}

impl JsonRpcNotification for Spelled<SessionNotification> {}

impl JsonRpcRequest for Spelled<RequestPermissionRequest> {
    type Response = RequestPermissionResponse;
}

fn spell(params: &mut Value) {
    for contents in ["/update/content", "/toolCall/content"] {
        let contents = params.pointer_mut(contents).and_then(Value::as_array_mut);
        let contents = contents.into_iter().flatten().filter_map(Value::as_object_mut);
        for content in contents.filter(|content| content.get("type").is_some_and(|kind| kind == "diff")) {
            content.entry("oldText").or_insert(Value::Null);
        }
    }
}

#[cfg(test)]
mod tests {
    use agent_client_protocol::v1::schema::{
        Diff, SessionUpdate, ToolCallContent, ToolCallUpdate, ToolCallUpdateFields,
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_file_is_said_to_be_one() {
        let diffs = || {
            let diffs = [
                Diff::new("/new", "a"),
                Diff::new("/old", "b").old_text("c".to_owned()),
            ];
            let content = diffs.map(ToolCallContent::Diff).to_vec();
            ToolCallUpdate::new("t", ToolCallUpdateFields::new().content(content))
        };
        let expect = json!([
            { "type": "diff", "path": "/new", "oldText": null, "newText": "a" },
            { "type": "diff", "path": "/old", "oldText": "c", "newText": "b" },
        ]);
        let update = SessionUpdate::ToolCallUpdate(diffs());
        let told = Spelled(SessionNotification::new("s", update));
        let message = told.to_untyped_message().unwrap();
        assert_eq!(
            (message.method.as_str(), &message.params["update"]["content"]),
            ("session/update", &expect)
        );
        let asked = Spelled(RequestPermissionRequest::new("s", diffs(), Vec::new()));
        let message = asked.to_untyped_message().unwrap();
        assert_eq!(
            (message.method.as_str(), &message.params["toolCall"]["content"]),
            ("session/request_permission", &expect)
        );
    }
}
