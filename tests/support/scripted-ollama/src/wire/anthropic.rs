//! `POST /v1/messages`, checked as Anthropic checks it (API reference,
//! "Create a Message", and the errors its users report).

use serde_json::{Map, Value};

use super::{
    Asked, Choice, Message, Output, Refused, Tool, given, is_base64, refuse, texts,
    thinking::{self, Wish},
    unknown,
};

/// Fields of a request.
const FIELDS: &[&str] = &[
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Kinds of images.
const IMAGE_TYPES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Longest name of a tool, in characters.
const NAME_CHARS_MAX: usize = 128;

/// Reads a request.
pub(crate) fn read(body: &Value) -> Result<Asked, Refused> {
    let Value::Object(body) = body else {
        return refuse(400, "The request body is not valid JSON");
    };
    let required = ["model", "messages", "max_tokens"];
    let lacking = required.iter().find(|field| given(body, field).is_none());
    if let Some(field) = lacking {
        return refuse(400, format!("{field}: Field required"));
    }
    if let Some(field) = unknown(body, FIELDS) {
        return refuse(400, format!("{field}: Extra inputs are not permitted"));
    }
    let Some(model) = body["model"].as_str() else {
        return refuse(400, "model: Input should be a valid string");
    };
    let limit = match (body["max_tokens"].as_u64(), body["max_tokens"].as_i64()) {
        (Some(tokens @ 1..), _) => tokens,
        (Some(0), _) | (None, Some(_)) => {
            return refuse(400, "max_tokens: Input should be greater than or equal to 1");
        }
        (None, None) => return refuse(400, "max_tokens: Input should be a valid integer"),
    };
    for field in ["temperature", "top_p"] {
        match given(body, field).map(Value::as_f64) {
            None | Some(Some(0.0..=1.0)) => {}
            Some(Some(_)) => return refuse(400, format!("{field}: range: 0..1")),
            Some(None) => return refuse(400, format!("{field}: Input should be a valid number")),
        }
    }
    let thinking = thinking::of_anthropic(body, limit)?;
    let thinks = matches!(thinking, Some(Wish::Level | Wish::Tokens));
    let tools = tools(body)?;
    let mut conversation = Conversation::default();
    conversation.system(body.get("system"))?;
    conversation.messages(&body["messages"])?;
    let goes_on = conversation.ends_with_assistant();
    if goes_on && thinks {
        return refuse(
            400,
            "messages: final message must not be from the assistant when thinking is enabled",
        );
    }
    if let Some((index, kind)) = &conversation.thought_at
        && thinking == Some(Wish::Tokens)
        && !["thinking", "redacted_thinking"].contains(&kind.as_str())
    {
        let message = format!(
            "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kind}`. When \
             `thinking` is enabled, a final `assistant` message must start with a thinking block."
        );
        return refuse(400, message);
    }
    Ok(Asked {
        model: model.to_owned(),
        messages: conversation.list,
        images: conversation.images,
        output: output(body)?,
        choice: choice(body, &tools, thinks)?,
        tools,
        limit: Some(usize::try_from(limit).unwrap_or(usize::MAX)),
        stops: texts(body.get("stop_sequences")),
        streamed: given(body, "stream") == Some(&Value::Bool(true)),
        goes_on,
        thinking,
        shows_thinking: thinks,
        wants_usage: true,
    })
}

#[derive(Default)]
struct Conversation {
    list: Vec<Message>,
    images: usize,
    /// Calls of the message before, if it was the assistant's, and where it is.
    calls: Vec<String>,
    calls_at: usize,
    /// Where the last calls were, and with what kind of block their message begins;
    /// none once the person has said something else.
    thought_at: Option<(usize, String)>,
}

impl Conversation {
    fn system(&mut self, system: Option<&Value>) -> Result<(), Refused> {
        let text = match system {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(blocks)) => {
                let texts = blocks
                    .iter()
                    .map(|block| block.get("text").and_then(Value::as_str));
                match texts.collect::<Option<Vec<_>>>() {
                    Some(texts) if texts.iter().any(|text| text.is_empty()) => {
                        return refuse(400, "system: text content blocks must be non-empty");
                    }
                    Some(texts) => texts.join("\n"),
                    None => return refuse(400, "system.0.text: Field required"),
                }
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                return refuse(400, "system: Input should be a valid list");
            }
        };
        self.list.push(Message::new("system", text));
        Ok(())
    }

    fn messages(&mut self, messages: &Value) -> Result<(), Refused> {
        let Some(messages) = messages.as_array() else {
            return refuse(400, "messages: Input should be a valid list");
        };
        if messages.is_empty() {
            return refuse(400, "messages: at least one message is required");
        }
        for (index, message) in messages.iter().enumerate() {
            let Value::Object(message) = message else {
                return refuse(
                    400,
                    format!("messages.{index}: Input should be a valid dictionary"),
                );
            };
            if let Some(field) = unknown(message, &["role", "content"]) {
                return refuse(
                    400,
                    format!("messages.{index}.{field}: Extra inputs are not permitted"),
                );
            }
            let role = match message.get("role").and_then(Value::as_str) {
                Some(role @ ("user" | "assistant")) => role,
                Some("system") => {
                    return refuse(
                        400,
                        "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` \
                         parameter, not \"system\" as an input message role.",
                    );
                }
                Some(_) => {
                    let message = format!("messages.{index}.role: Input should be 'user' or 'assistant'");
                    return refuse(400, message);
                }
                None => return refuse(400, format!("messages.{index}.role: Field required")),
            };
            if index == 0 && role != "user" {
                return refuse(400, "messages: first message must use the \"user\" role");
            }
            let is_last = index + 1 == messages.len();
            match message.get("content") {
                Some(Value::String(text)) => self.text(index, role, text, is_last)?,
                Some(Value::Array(blocks)) => self.blocks(index, role, blocks, is_last)?,
                None | Some(Value::Null) => {
                    return refuse(400, format!("messages.{index}.content: Field required"));
                }
                Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                    return refuse(
                        400,
                        format!("messages.{index}.content: Input should be a valid list"),
                    );
                }
            }
        }
        self.answered(&[])?;
        let last = self.list.last().filter(|message| message.role == "assistant");
        if last.is_some_and(|message| message.content.ends_with(char::is_whitespace)) {
            return refuse(
                400,
                "messages: final assistant content cannot end with trailing whitespace",
            );
        }
        Ok(())
    }

    fn text(&mut self, index: usize, role: &str, text: &str, is_last: bool) -> Result<(), Refused> {
        self.answered(&[])?;
        if text.is_empty() && !(role == "assistant" && is_last) {
            return empty(index);
        }
        self.list.push(Message::new(role, text));
        Ok(())
    }

    fn blocks(&mut self, index: usize, role: &str, blocks: &[Value], is_last: bool) -> Result<(), Refused> {
        if blocks.is_empty() && !(role == "assistant" && is_last) {
            return empty(index);
        }
        let (mut texts, mut results, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        let mut answers = Vec::new();
        for (place, block) in blocks.iter().enumerate() {
            let at = format!("messages.{index}.content.{place}");
            let kind = block.get("type").and_then(Value::as_str);
            let field = |name: &str| match block.get(name).and_then(Value::as_str) {
                Some(text) => Ok(text),
                None => refuse(
                    400,
                    format!("{at}.{}.{name}: Field required", kind.unwrap_or_default()),
                ),
            };
            match kind {
                None => return refuse(400, format!("{at}.type: Field required")),
                Some("text") => match field("text")? {
                    "" => return refuse(400, "messages: text content blocks must be non-empty"),
                    text => texts.push(text.to_owned()),
                },
                Some("image") => {
                    image(block, &at)?;
                    self.images += 1;
                }
                Some("document" | "search_result") => {}
                Some("thinking") if role == "assistant" => {
                    field("thinking")?;
                    field("signature")?;
                }
                Some("redacted_thinking") if role == "assistant" => {}
                Some("tool_use") if role == "assistant" => {
                    let id = field("id")?.to_owned();
                    field("name")?;
                    if !block.get("input").is_some_and(Value::is_object) {
                        return refuse(
                            400,
                            format!("{at}.tool_use.input: Input should be a valid dictionary"),
                        );
                    }
                    calls.push(id);
                }
                Some("tool_result") if role == "user" => {
                    let id = field("tool_use_id")?.to_owned();
                    if !self.calls.contains(&id) {
                        let message = format!(
                            "{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` \
                             block must have a corresponding `tool_use` block in the previous message."
                        );
                        return refuse(400, message);
                    }
                    // Results come before anything else in their message.
                    if place == results.len() {
                        answers.push(id);
                    }
                    results.push(result(block.get("content")));
                }
                Some(kind @ ("tool_use" | "thinking" | "redacted_thinking")) => {
                    let message =
                        format!("messages.{index}: `{kind}` blocks can only be in `assistant` messages");
                    return refuse(400, message);
                }
                Some("tool_result") => {
                    let message =
                        format!("messages.{index}: `tool_result` blocks can only be in `user` messages");
                    return refuse(400, message);
                }
                Some(other) => {
                    let message = format!(
                        "{at}: Input tag '{other}' found using 'type' does not match any of the expected tags: \
                         'document', 'image', 'redacted_thinking', 'search_result', 'text', 'thinking', \
                         'tool_result', 'tool_use'"
                    );
                    return refuse(400, message);
                }
            }
        }
        self.answered(&answers)?;
        self.list
            .extend(results.iter().map(|text| Message::new("tool", text.as_str())));
        if results.is_empty() || !texts.is_empty() {
            self.list.push(Message::new(role, texts.join("\n")));
        }
        if role == "assistant" {
            let first = blocks.first().and_then(|block| block.get("type")?.as_str());
            let first = first.filter(|_| !calls.is_empty());
            self.thought_at = first.map(|kind| (index, kind.to_owned()));
        } else if results.is_empty() {
            self.thought_at = None;
        }
        self.calls = calls;
        self.calls_at = index;
        Ok(())
    }

    /// Refuses if a call of the message before is not among those answered.
    fn answered(&mut self, answers: &[String]) -> Result<(), Refused> {
        let calls = std::mem::take(&mut self.calls);
        let open: Vec<String> = calls.into_iter().filter(|call| !answers.contains(call)).collect();
        if open.is_empty() {
            return Ok(());
        }
        let message = format!(
            "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
             `tool_use` block must have a corresponding `tool_result` block in the next message.",
            self.calls_at,
            open.join(", ")
        );
        refuse(400, message)
    }

    fn ends_with_assistant(&self) -> bool {
        self.list
            .last()
            .is_some_and(|message| message.role == "assistant")
    }
}

fn empty(index: usize) -> Result<(), Refused> {
    let message = format!(
        "messages.{index}: all messages must have non-empty content except for the optional final assistant message"
    );
    refuse(400, message)
}

fn image(block: &Value, at: &str) -> Result<(), Refused> {
    let source = block.get("source");
    let text = |name: &str| source.and_then(|source| source.get(name)).and_then(Value::as_str);
    match text("type") {
        Some("url" | "file") => Ok(()),
        Some("base64") => {
            if !text("media_type").is_some_and(|kind| IMAGE_TYPES.contains(&kind)) {
                let message = format!(
                    "{at}.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or \
                     'image/webp'"
                );
                return refuse(400, message);
            }
            match text("data") {
                Some(data) if is_base64(data) => Ok(()),
                Some(_) => refuse(400, format!("{at}.image.source.base64.data: Invalid base64 data")),
                None => refuse(400, format!("{at}.image.source.base64.data: Field required")),
            }
        }
        None | Some(_) => refuse(400, format!("{at}.image.source: Field required")),
    }
}

/// The text of a tool's result.
fn result(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let texts = blocks
                .iter()
                .filter_map(|block| block.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => String::new(),
    }
}

fn tools(body: &Map<String, Value>) -> Result<Vec<Tool>, Refused> {
    let list = match given(body, "tools") {
        None if given(body, "tool_choice").is_some() => {
            return refuse(400, "tool_choice may only be specified while providing tools");
        }
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return refuse(400, "tools: Input should be a valid list"),
    };
    let tools = list.iter().enumerate().map(|(index, tool)| {
        let Some(name) = tool.get("name").and_then(Value::as_str) else {
            return refuse(400, format!("tools.{index}.custom.name: Field required"));
        };
        let fits = name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "_-".contains(character));
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !fits {
            let message =
                format!("tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'");
            return refuse(400, message);
        }
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or("custom");
        let schema = tool.get("input_schema");
        if kind == "custom" {
            let at = format!("tools.{index}.custom.input_schema");
            match schema.map(|schema| schema.get("type").and_then(Value::as_str)) {
                None => return refuse(400, format!("{at}: Field required")),
                Some(None) => return refuse(400, format!("{at}.type: Field required")),
                Some(Some("object")) => {}
                Some(Some(_)) => return refuse(400, format!("{at}.type: Input should be 'object'")),
            }
        }
        Ok(Tool {
            name: name.to_owned(),
            arguments: schema.cloned(),
        })
    });
    tools.collect()
}

fn choice(body: &Map<String, Value>, tools: &[Tool], thinks: bool) -> Result<Choice, Refused> {
    let Some(choice) = given(body, "tool_choice") else {
        return Ok(Choice::Free);
    };
    let kind = choice.get("type").and_then(Value::as_str);
    if thinks && matches!(kind, Some("any" | "tool")) {
        return refuse(
            400,
            "Thinking may not be enabled when tool_choice forces tool use.",
        );
    }
    let name = choice.get("name").and_then(Value::as_str);
    match (kind, name) {
        (Some("auto" | "none"), _) => Ok(Choice::Free),
        (Some("any"), _) => Ok(Choice::any(tools)),
        (Some("tool"), Some(name)) if tools.iter().any(|tool| tool.name == name) => {
            Ok(Choice::Tool(name.to_owned()))
        }
        (Some("tool"), Some(name)) => refuse(400, format!("Tool '{name}' not found in provided tools")),
        (Some("tool"), None) => refuse(400, "tool_choice.tool.name: Field required"),
        (None, _) => refuse(400, "tool_choice.type: Field required"),
        (Some(other), _) => {
            let message = format!(
                "tool_choice: Input tag '{other}' found using 'type' does not match any of the expected tags: 'any', \
                 'auto', 'none', 'tool'"
            );
            refuse(400, message)
        }
    }
}

fn output(body: &Map<String, Value>) -> Result<Option<Output>, Refused> {
    let Some(format) = body
        .get("output_config")
        .and_then(|config| given(config.as_object()?, "format"))
    else {
        return Ok(None);
    };
    if format.get("type").and_then(Value::as_str) != Some("json_schema") {
        return refuse(400, "output_config.format.type: Input should be 'json_schema'");
    }
    let Some(schema) = format.get("schema") else {
        return refuse(400, "output_config.format.schema: Field required");
    };
    if is_open(schema) {
        return refuse(
            400,
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
        );
    }
    Ok(Some(Output::Schema(schema.clone())))
}

/// Whether an object anywhere in the schema takes keys it does not name.
fn is_open(schema: &Value) -> bool {
    let here = schema.get("type").and_then(Value::as_str) == Some("object")
        && schema.get("additionalProperties") != Some(&Value::Bool(false));
    let maps = ["properties", "$defs", "definitions"];
    let inner = maps
        .iter()
        .filter_map(|key| schema.get(key).and_then(Value::as_object))
        .flat_map(Map::values);
    let lists = ["anyOf", "allOf"];
    let choices = lists
        .iter()
        .filter_map(|key| schema.get(key).and_then(Value::as_array))
        .flatten();
    here || inner.chain(choices).chain(schema.get("items")).any(is_open)
}
