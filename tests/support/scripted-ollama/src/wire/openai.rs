//! `POST /v1/chat/completions`, checked as OpenAI checks it (API reference,
//! "Create chat completion", and the errors its users report).

mod strict;

use serde_json::{Map, Value};

use self::strict::not_strict;
use super::{
    Asked, Choice, Message, Output, Refused, Tool, given, is_base64, refuse, texts,
    thinking::{self, Wish},
    type_name, unknown,
};

/// Fields of a request.
const FIELDS: &[&str] = &[
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Fields of a message. The last one is not OpenAI's: servers of models that
/// think take it back.
const MESSAGE_FIELDS: &[&str] = &[
    "audio",
    "content",
    "function_call",
    "name",
    "refusal",
    "role",
    "tool_call_id",
    "tool_calls",
    "reasoning_content",
];

/// Longest name of a function, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Reads a request.
pub(crate) fn read(body: &Value) -> Result<Asked, Refused> {
    let Value::Object(body) = body else {
        return refuse(
            400,
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
             HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
        );
    };
    if let Some(field) = unknown(body, FIELDS) {
        return refuse(400, format!("Unrecognized request argument supplied: {field}"));
    }
    let Some(model) = given(body, "model").and_then(Value::as_str) else {
        return refuse(400, "you must provide a model parameter");
    };
    numbers(body)?;
    let messages = messages(body)?;
    let tools = tools(body)?;
    let thinking = thinking::of_openai(body)?;
    let streamed = given(body, "stream") == Some(&Value::Bool(true));
    if given(body, "stream_options").is_some() && !streamed {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refused::new(400, message).param("stream_options"));
    }
    Ok(Asked {
        model: model.to_owned(),
        output: output(body, &messages.list)?,
        messages: messages.list,
        images: messages.images,
        choice: choice(body, &tools)?,
        tools,
        limit: limit(body)?,
        stops: texts(body.get("stop")),
        streamed,
        goes_on: false,
        thinking,
        shows_thinking: thinking != Some(Wish::Off),
        wants_usage: body
            .get("stream_options")
            .and_then(|options| options.get("include_usage"))
            == Some(&Value::Bool(true)),
    })
}

fn missing(param: &str) -> Refused {
    Refused::new(400, format!("Missing required parameter: '{param}'."))
        .param(param)
        .code("missing_required_parameter")
}

pub(super) fn wrong_type(param: &str, expected: &str, found: &Value) -> Refused {
    let found = type_name(found);
    Refused::new(
        400,
        format!("Invalid type for '{param}': expected {expected}, but got {found} instead."),
    )
    .param(param)
    .code("invalid_type")
}

pub(super) fn wrong_value(param: &str, found: &str, supported: &str) -> Refused {
    Refused::new(
        400,
        format!("Invalid value: '{found}'. Supported values are: {supported}."),
    )
    .param(param)
    .code("invalid_value")
}

/// Numbers and their ranges.
fn numbers(body: &Map<String, Value>) -> Result<(), Refused> {
    for (field, low, high) in [
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("frequency_penalty", -2.0, 2.0),
        ("presence_penalty", -2.0, 2.0),
    ] {
        let Some(value) = given(body, field) else { continue };
        let Some(number) = value.as_f64() else {
            return Err(wrong_type(field, "a decimal", value));
        };
        let (bound, relation, limit, code) = if number > high {
            ("above maximum", "<=", high, "decimal_above_max_value")
        } else if number < low {
            ("below minimum", ">=", low, "decimal_below_min_value")
        } else {
            continue;
        };
        let message = format!(
            "Invalid '{field}': decimal {bound} value. Expected a value {relation} {limit}, but got {value} instead."
        );
        return Err(Refused::new(400, message).param(field).code(code));
    }
    Ok(())
}

fn limit(body: &Map<String, Value>) -> Result<Option<usize>, Refused> {
    let fields = ["max_completion_tokens", "max_tokens"];
    let mut limit = None;
    for field in fields {
        let Some(value) = given(body, field) else { continue };
        if limit.is_some() {
            let message =
                "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
            return Err(Refused::new(400, message)
                .param("max_tokens")
                .code("invalid_parameter_combination"));
        }
        let Some(tokens) = value.as_u64().filter(|tokens| *tokens > 0) else {
            if value.as_i64().is_none() {
                return Err(wrong_type(field, "an integer", value));
            }
            let message = format!(
                "Invalid '{field}': integer below minimum value. Expected a value >= 1, but got {value} instead."
            );
            return Err(Refused::new(400, message)
                .param(field)
                .code("integer_below_min_value"));
        };
        limit = Some(usize::try_from(tokens).unwrap_or(usize::MAX));
    }
    Ok(limit)
}

#[derive(Default)]
struct Messages {
    list: Vec<Message>,
    images: usize,
}

fn messages(body: &Map<String, Value>) -> Result<Messages, Refused> {
    let list = match given(body, "messages") {
        None => return Err(missing("messages")),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(wrong_type("messages", "an array of objects", other)),
    };
    if list.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty \
                       array instead.";
        return Err(Refused::new(400, message).param("messages").code("empty_array"));
    }
    let mut messages = Messages::default();
    // Calls of the last assistant that no tool has answered, and all of them.
    let (mut open, mut calls): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (index, message) in list.iter().enumerate() {
        let at = format!("messages[{index}]");
        let Value::Object(message) = message else {
            return Err(wrong_type(&at, "an object", message));
        };
        if let Some(field) = unknown(message, MESSAGE_FIELDS) {
            let field = format!("{at}.{field}");
            return Err(Refused::new(400, format!("Unknown parameter: '{field}'."))
                .param(field)
                .code("unknown_parameter"));
        }
        let role = match given(message, "role") {
            None => return Err(missing(&format!("{at}.role"))),
            Some(Value::String(role)) => role.as_str(),
            Some(other) => return Err(wrong_type(&format!("{at}.role"), "one of the roles", other)),
        };
        if role != "tool" && !open.is_empty() {
            return Err(unanswered(index, &open));
        }
        let text = content(message, &at, role, &mut messages.images)?;
        match role {
            "tool" => {
                let Some(id) = given(message, "tool_call_id").and_then(Value::as_str) else {
                    return Err(missing(&format!("{at}.tool_call_id")));
                };
                if calls.is_empty() {
                    let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding \
                                   message with 'tool_calls'.";
                    return Err(Refused::new(400, message).param(format!("messages.[{index}].role")));
                }
                if !calls.iter().any(|call| call == id) {
                    let message = format!(
                        "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
                    );
                    return Err(Refused::new(400, message).param(format!("messages.[{index}].tool_call_id")));
                }
                open.retain(|call| call != id);
            }
            "assistant" => {
                calls = tool_calls(message, &at)?;
                open.clone_from(&calls);
                if text.is_none() && calls.is_empty() && given(message, "refusal").is_none() {
                    let message = "Invalid value for 'content': expected a string, got null.";
                    return Err(Refused::new(400, message).param(format!("messages.[{index}].content")));
                }
            }
            "system" | "developer" | "user" | "function" => calls.clear(),
            other => {
                let supported = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'";
                return Err(wrong_value(&format!("{at}.role"), other, supported));
            }
        }
        let role = match role {
            "developer" => "system",
            "function" => "tool",
            other => other,
        };
        messages.list.push(Message::new(role, text.unwrap_or_default()));
    }
    if !open.is_empty() {
        return Err(unanswered(list.len(), &open));
    }
    Ok(messages)
}

fn unanswered(index: usize, open: &[String]) -> Refused {
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
         'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Refused::new(400, message).param(format!("messages.[{index}].role"))
}

/// The texts of a message's content, or none if it has no content.
fn content(
    message: &Map<String, Value>,
    at: &str,
    role: &str,
    images: &mut usize,
) -> Result<Option<String>, Refused> {
    let parts = match given(message, "content") {
        None if role == "assistant" => return Ok(None),
        None => return Err(missing(&format!("{at}.content"))),
        Some(Value::String(text)) => return Ok(Some(text.clone())),
        Some(Value::Array(parts)) => parts,
        Some(other) => {
            return Err(wrong_type(
                &format!("{at}.content"),
                "one of a string or array of objects",
                other,
            ));
        }
    };
    let mut text = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let at = format!("{at}.content[{index}]");
        let kind = part.get("type").and_then(Value::as_str);
        match kind {
            None => return Err(missing(&format!("{at}.type"))),
            Some("text") => match part.get("text").and_then(Value::as_str) {
                Some(part) => text.push(part),
                None => return Err(missing(&format!("{at}.text"))),
            },
            Some("refusal") if role == "assistant" => {}
            Some("input_audio" | "file") if role == "user" => {}
            Some("image_url") if role == "user" => {
                let Some(url) = part.pointer("/image_url/url").and_then(Value::as_str) else {
                    return Err(missing(&format!("{at}.image_url.url")));
                };
                image(url).map_err(|refused| refused.param(format!("{at}.image_url.url")))?;
                *images += 1;
            }
            Some(other) => {
                let supported = "'text', 'image_url', 'input_audio', 'refusal', and 'file'";
                return Err(wrong_value(&format!("{at}.type"), other, supported));
            }
        }
    }
    Ok(Some(text.join("\n")))
}

/// An address, or the image itself as a data URL.
fn image(url: &str) -> Result<(), Refused> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(());
    }
    let data = url
        .strip_prefix("data:image/")
        .and_then(|rest| rest.split_once(";base64,"));
    match data {
        Some((_, data)) if is_base64(data) => Ok(()),
        Some(_) => Err(Refused::new(400, "Invalid base64 image_url.").code("invalid_base64")),
        None => Err(Refused::new(400, "Invalid image URL.").code("invalid_image_url")),
    }
}

/// The ids of an assistant's calls.
fn tool_calls(message: &Map<String, Value>, at: &str) -> Result<Vec<String>, Refused> {
    let calls = match given(message, "tool_calls") {
        None => return Ok(Vec::new()),
        Some(Value::Array(calls)) => calls,
        Some(other) => {
            return Err(wrong_type(
                &format!("{at}.tool_calls"),
                "an array of objects",
                other,
            ));
        }
    };
    let ids = calls.iter().enumerate().map(|(index, call)| {
        let at = format!("{at}.tool_calls[{index}]");
        let Some(id) = call.get("id").and_then(Value::as_str) else {
            return Err(missing(&format!("{at}.id")));
        };
        if call.get("type").and_then(Value::as_str).is_none() {
            return Err(missing(&format!("{at}.type")));
        }
        for field in ["name", "arguments"] {
            let at = format!("{at}.function.{field}");
            match call.get("function").and_then(|function| function.get(field)) {
                None => return Err(missing(&at)),
                Some(Value::String(_)) => {}
                Some(other) => return Err(wrong_type(&at, "a string", other)),
            }
        }
        Ok(id.to_owned())
    });
    ids.collect()
}

fn tools(body: &Map<String, Value>) -> Result<Vec<Tool>, Refused> {
    let list = match given(body, "tools") {
        None if given(body, "tool_choice").is_some() => {
            let message =
                "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.";
            return Err(Refused::new(400, message).param("tool_choice"));
        }
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(wrong_type("tools", "an array of objects", other)),
    };
    let tools = list.iter().enumerate().map(|(index, tool)| {
        let at = format!("tools[{index}]");
        match tool.get("type").and_then(Value::as_str) {
            None => return Err(missing(&format!("{at}.type"))),
            Some("function") => {}
            Some(other) => return Err(wrong_value(&format!("{at}.type"), other, "'function' and 'custom'")),
        }
        let Some(name) = tool.pointer("/function/name").and_then(Value::as_str) else {
            return Err(missing(&format!("{at}.function.name")));
        };
        let fits = name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "_-".contains(character));
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !fits {
            let field = format!("{at}.function.name");
            let message = format!(
                "Invalid '{field}': string does not match pattern. Expected a string that matches the pattern \
                 '^[a-zA-Z0-9_-]+$'."
            );
            return Err(Refused::new(400, message).param(field).code("invalid_value"));
        }
        let arguments = tool.pointer("/function/parameters").filter(|schema| !schema.is_null());
        if tool.pointer("/function/strict") == Some(&Value::Bool(true))
            && let Some(problem) = arguments.and_then(|schema| not_strict(schema, &mut Vec::new()))
        {
            let message = format!("Invalid schema for function '{name}': {problem}");
            return Err(Refused::new(400, message)
                .param(format!("{at}.function.parameters"))
                .code("invalid_function_parameters"));
        }
        Ok(Tool {
            name: name.to_owned(),
            arguments: arguments.cloned(),
        })
    });
    tools.collect()
}

fn choice(body: &Map<String, Value>, tools: &[Tool]) -> Result<Choice, Refused> {
    let Some(choice) = given(body, "tool_choice") else {
        return Ok(Choice::Free);
    };
    match (
        choice.as_str(),
        choice.pointer("/function/name").and_then(Value::as_str),
    ) {
        (Some("auto" | "none"), _) => Ok(Choice::Free),
        (Some("required"), _) => Ok(Choice::any(tools)),
        (_, Some(name)) if tools.iter().any(|tool| tool.name == name) => Ok(Choice::Tool(name.to_owned())),
        (_, Some(name)) => {
            let message = format!(
                "Invalid value for 'tool_choice': no function named '{name}' was specified in the 'tools' parameter."
            );
            Err(Refused::new(400, message).param("tool_choice"))
        }
        (Some(other), None) => Err(wrong_value(
            "tool_choice",
            other,
            "'none', 'auto', and 'required'",
        )),
        (None, None) => Err(missing("tool_choice.function.name")),
    }
}

fn output(body: &Map<String, Value>, messages: &[Message]) -> Result<Option<Output>, Refused> {
    let Some(format) = given(body, "response_format") else {
        return Ok(None);
    };
    match format.get("type").and_then(Value::as_str) {
        None => Err(missing("response_format.type")),
        Some("text") => Ok(None),
        Some("json_object") => {
            let told = |message: &Message| message.content.to_lowercase().contains("json");
            if messages.iter().any(told) {
                return Ok(Some(Output::Json));
            }
            let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type \
                           'json_object'.";
            Err(Refused::new(400, message).param("messages"))
        }
        Some("json_schema") => {
            let Some(name) = format.pointer("/json_schema/name").and_then(Value::as_str) else {
                return Err(missing("response_format.json_schema.name"));
            };
            let Some(schema) = format.pointer("/json_schema/schema") else {
                return Err(missing("response_format.json_schema.schema"));
            };
            if format.pointer("/json_schema/strict") == Some(&Value::Bool(true))
                && let Some(problem) = not_strict(schema, &mut Vec::new())
            {
                let message = format!("Invalid schema for response_format '{name}': {problem}");
                return Err(Refused::new(400, message).param("response_format"));
            }
            Ok(Some(Output::Schema(schema.clone())))
        }
        Some(other) => {
            let supported = "'json_object', 'json_schema', and 'text'";
            Err(wrong_value("response_format.type", other, supported))
        }
    }
}
