//! What every provider refuses before anything is sent: parts of a request that
//! no server could read. Pure.

use crate::{ChatRequest, Error, Message, Role};

/// Longest name of a tool; the least that the servers take.
const TOOL_NAME_CHARS_MAX: usize = 64;

/// Fails with [`Error::Invalid`] for the caller's mistakes.
pub(crate) fn check(request: &ChatRequest) -> Result<(), Error> {
    let invalid = |reason: String| Err(Error::Invalid { reason });
    if request.messages.is_empty() {
        // Ollama would take it for a wish to load the model and answer nothing.
        return invalid("a request to the model has no messages".to_owned());
    }
    for tool in &request.tools {
        if !is_tool_name(&tool.name) {
            return invalid(format!(
                "`{}` is no name of a tool: 1 to {TOOL_NAME_CHARS_MAX} letters, digits and `_`",
                tool.name
            ));
        }
        if !tool.parameters.is_object() {
            return invalid(format!("the parameters of the tool {} are no schema", tool.name));
        }
    }
    match request.messages.iter().find_map(|message| fault(message).err()) {
        Some(reason) => invalid(reason.to_owned()),
        None => Ok(()),
    }
}

fn fault(message: &Message) -> Result<(), &'static str> {
    if !message.images.is_empty() && message.role != Role::User {
        return Err("a picture belongs to a message of the person");
    }
    if message
        .images
        .iter()
        .any(|image| !image.media_type.starts_with("image/"))
    {
        return Err("a picture's media type begins with image/");
    }
    if !message.tool_calls.is_empty() && message.role != Role::Assistant {
        return Err("only the model calls tools");
    }
    if message.tool_calls.iter().any(|call| !call.arguments.is_object()) {
        return Err("the arguments of a call are an object");
    }
    if message.tool_call_id.is_some() != (message.role == Role::Tool) {
        return Err("the answer of a tool, and nothing else, names the call it answers");
    }
    Ok(())
}

fn is_tool_name(name: &str) -> bool {
    (1..=TOOL_NAME_CHARS_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The name of the tool whose call has this id, in the messages before.
pub(crate) fn tool_called<'a>(messages: &'a [Message], id: &str) -> Option<&'a str> {
    messages
        .iter()
        .flat_map(|message| &message.tool_calls)
        .find(|call| call.id == id)
        .map(|call| call.name.as_str())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::{Image, Tool, ToolCall};

    fn with(message: Message) -> ChatRequest {
        ChatRequest {
            messages: vec![message],
            ..ChatRequest::default()
        }
    }

    #[test]
    fn mistakes_of_a_caller() {
        fn refused(request: &ChatRequest, expect: Option<&str>) {
            let expect = expect.map_or(Ok(()), |reason| {
                Err(Error::Invalid {
                    reason: reason.to_owned(),
                })
            });
            assert_eq!(check(request), expect);
        }
        let image = |media_type: &str| Image {
            media_type: media_type.to_owned(),
            bytes: Bytes::from_static(b"x"),
        };
        let call = |arguments| ToolCall {
            id: "1".to_owned(),
            name: "read".to_owned(),
            arguments,
        };
        let tool = |name: &str, parameters| ChatRequest {
            tools: vec![Tool {
                name: name.to_owned(),
                description: String::new(),
                parameters,
            }],
            ..with(Message::user("x"))
        };
        refused(
            &ChatRequest::default(),
            Some("a request to the model has no messages"),
        );
        refused(&with(Message::user("x")), None);
        let pictured = |role, media_type| {
            with(Message {
                images: vec![image(media_type)],
                ..Message::new(role, "x")
            })
        };
        refused(&pictured(Role::User, "image/png"), None);
        refused(
            &pictured(Role::User, "text/plain"),
            Some("a picture's media type begins with image/"),
        );
        refused(
            &pictured(Role::Assistant, "image/png"),
            Some("a picture belongs to a message of the person"),
        );
        let calling = |role, arguments| {
            with(Message {
                tool_calls: vec![call(arguments)],
                ..Message::new(role, "")
            })
        };
        refused(&calling(Role::Assistant, json!({})), None);
        refused(
            &calling(Role::User, json!({})),
            Some("only the model calls tools"),
        );
        refused(
            &calling(Role::Assistant, json!("{}")),
            Some("the arguments of a call are an object"),
        );
        let nameless = "the answer of a tool, and nothing else, names the call it answers";
        refused(&with(Message::new(Role::Tool, "x")), Some(nameless));
        refused(
            &with(Message {
                tool_call_id: Some("1".to_owned()),
                ..Message::user("x")
            }),
            Some(nameless),
        );
        refused(&tool("read_file", json!({})), None);
        refused(
            &tool("read file", json!({})),
            Some("`read file` is no name of a tool: 1 to 64 letters, digits and `_`"),
        );
        refused(
            &tool("read", json!("{}")),
            Some("the parameters of the tool read are no schema"),
        );
    }
}
