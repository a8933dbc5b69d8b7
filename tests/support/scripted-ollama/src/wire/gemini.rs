//! `POST /v1beta/models/MODEL:generateContent` and `:streamGenerateContent`,
//! checked as Google checks them (API reference, "Generating content", and the
//! errors its users report). Names may be written in either case, as in every
//! JSON form of a protocol buffer.

mod schema;

use serde_json::{Map, Value};

use self::schema::translated;
use super::{Asked, Choice, Message, Output, Refused, Tool, is_base64, refuse, texts, thinking};

/// Fields of a request.
const FIELDS: &[&str] = &[
    "model",
    "contents",
    "tools",
    "toolConfig",
    "safetySettings",
    "systemInstruction",
    "generationConfig",
    "cachedContent",
    "serviceTier",
    "store",
];

const CONFIG_FIELDS: &[&str] = &[
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "candidateCount",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "enableEnhancedCivicAnswers",
    "speechConfig",
    "thinkingConfig",
    "imageConfig",
    "mediaResolution",
];

/// What a part is; a part is one of them.
const PART_DATA: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
];

const PART_FIELDS: &[&str] = &[
    "thought",
    "thoughtSignature",
    "videoMetadata",
    "mediaResolution",
    "partMetadata",
];

const TOOL_FIELDS: &[&str] = &[
    "functionDeclarations",
    "googleSearch",
    "googleSearchRetrieval",
    "codeExecution",
    "urlContext",
    "computerUse",
    "googleMaps",
    "fileSearch",
];

const FUNCTION_FIELDS: &[&str] = &[
    "name",
    "description",
    "behavior",
    "parameters",
    "parametersJsonSchema",
    "response",
    "responseJsonSchema",
];

/// Longest name of a function, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Reads a request to `model`.
pub(crate) fn read(model: &str, streamed: bool, body: &Value) -> Result<Asked, Refused> {
    let Value::Object(body) = body else {
        return refuse(400, "Invalid JSON payload received. Unexpected token.\n\n^");
    };
    known(body, FIELDS, "")?;
    let mut conversation = Conversation::default();
    conversation.system(get(body, "systemInstruction"))?;
    conversation.contents(get(body, "contents"))?;
    let tools = tools(get(body, "tools"))?;
    let empty = Map::new();
    let config = get(body, "generationConfig")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    known(config, CONFIG_FIELDS, "generation_config")?;
    let output = output(config)?;
    if output.is_some() && !tools.is_empty() {
        return refuse(
            400,
            "Function calling with a response mime type: 'application/json' is unsupported",
        );
    }
    let limit = match get(config, "maxOutputTokens").map(Value::as_u64) {
        None => None,
        Some(Some(tokens @ 1..)) => Some(usize::try_from(tokens).unwrap_or(usize::MAX)),
        Some(_) => {
            return refuse(
                400,
                "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive.\n",
            );
        }
    };
    if !matches!(
        get(config, "temperature").map(Value::as_f64),
        None | Some(Some(0.0..=2.0))
    ) {
        return refuse(
            400,
            "* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].\n",
        );
    }
    let shows_thinking = get(config, "thinkingConfig")
        .and_then(Value::as_object)
        .and_then(|thinking| get(thinking, "includeThoughts"));
    Ok(Asked {
        model: model.to_owned(),
        messages: conversation.list,
        images: conversation.images,
        output,
        choice: choice(body, &tools)?,
        tools,
        limit,
        stops: texts(get(config, "stopSequences")),
        streamed,
        goes_on: false,
        thinking: thinking::of_gemini(config)?,
        shows_thinking: shows_thinking == Some(&Value::Bool(true)),
        wants_usage: true,
    })
}

/// A field under its name in camel case or in snake case.
pub(super) fn get<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let value = object.get(name).or_else(|| object.get(&snake(name)));
    value.filter(|value| !value.is_null())
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

pub(super) fn known(object: &Map<String, Value>, fields: &[&str], at: &str) -> Result<(), Refused> {
    let is_known = |key: &str| fields.iter().any(|field| *field == key || snake(field) == key);
    match object.keys().find(|key| !is_known(key)) {
        None => Ok(()),
        Some(key) => {
            let place = if at.is_empty() {
                String::new()
            } else {
                format!(" at '{at}'")
            };
            let message =
                format!("Invalid JSON payload received. Unknown name \"{key}\"{place}: Cannot find field.");
            Err(Refused::new(400, message).param(at))
        }
    }
}

/// What a turn does with functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    User,
    Model,
    Calls(usize),
    Responses(usize),
}

#[derive(Default)]
struct Conversation {
    list: Vec<Message>,
    images: usize,
}

impl Conversation {
    fn system(&mut self, system: Option<&Value>) -> Result<(), Refused> {
        let Some(system) = system else { return Ok(()) };
        let mut texts = Vec::new();
        for (index, part) in parts(system).iter().enumerate() {
            let at = format!("system_instruction.parts[{index}]");
            let part = part.as_object().map_or_else(|| no_data(&at), Ok)?;
            known(part, &[PART_DATA, PART_FIELDS].concat(), &at)?;
            texts.extend(get(part, "text").and_then(Value::as_str));
        }
        self.list.push(Message::new("system", texts.join("\n")));
        Ok(())
    }

    fn contents(&mut self, contents: Option<&Value>) -> Result<(), Refused> {
        let contents = match contents {
            Some(Value::Array(contents)) if !contents.is_empty() => contents,
            None | Some(_) => {
                return refuse(
                    400,
                    "* GenerateContentRequest.contents: contents is not specified\n",
                );
            }
        };
        let mut before = None;
        for (index, content) in contents.iter().enumerate() {
            let at = format!("contents[{index}]");
            let Value::Object(fields) = content else {
                return refuse(400, format!("Invalid value at '{at}'"));
            };
            known(fields, &["role", "parts"], &at)?;
            let is_model = match get(fields, "role").map(Value::as_str) {
                None | Some(Some("user" | "function")) => false,
                Some(Some("model")) => true,
                Some(_) => return refuse(400, "Please use a valid role: user, model."),
            };
            let turn = self.content(content, is_model, &at)?;
            follows(before, turn)?;
            before = Some(turn);
        }
        match before {
            Some(Turn::Calls(_)) => equal_counts(),
            None | Some(Turn::User | Turn::Model | Turn::Responses(_)) => Ok(()),
        }
    }

    fn content(&mut self, content: &Value, is_model: bool, at: &str) -> Result<Turn, Refused> {
        let list = parts(content);
        if list.is_empty() {
            let message = format!("* GenerateContentRequest.{at}.parts: contents.parts must not be empty.\n");
            return refuse(400, message);
        }
        let (mut texts, mut responses, mut calls) = (Vec::new(), Vec::new(), 0);
        for (index, part) in list.iter().enumerate() {
            let at = format!("{at}.parts[{index}]");
            let part = part.as_object().map_or_else(|| no_data(&at), Ok)?;
            known(part, &[PART_DATA, PART_FIELDS].concat(), &at)?;
            let data: Vec<&str> = PART_DATA
                .iter()
                .copied()
                .filter(|name| get(part, name).is_some())
                .collect();
            let [kind] = data[..] else {
                // A signature may come alone.
                if data.is_empty() && get(part, "thoughtSignature").is_some() {
                    continue;
                }
                return no_data(&at);
            };
            let value = get(part, kind).unwrap_or(&Value::Null);
            let name = value.get("name").and_then(Value::as_str).unwrap_or_default();
            match kind {
                "text" if get(part, "thought") == Some(&Value::Bool(true)) => {}
                "text" => texts.extend(value.as_str()),
                "inlineData" => self.images += usize::from(image(value, &at)?),
                "functionCall" | "functionResponse" if name.is_empty() => {
                    let kind = snake(kind);
                    let message =
                        format!("* GenerateContentRequest.{at}.{kind}.name: Name cannot be empty.\n");
                    return refuse(400, message);
                }
                "functionCall" => calls += 1,
                "functionResponse" => match value.get("response") {
                    Some(Value::Object(response)) => {
                        responses.push(Value::Object(response.clone()).to_string())
                    }
                    None | Some(_) => {
                        return refuse(400, format!("Invalid value at '{at}.function_response.response'"));
                    }
                },
                _ => {}
            }
        }
        let turn = match (calls, responses.len()) {
            (0, 0) if is_model => Turn::Model,
            (0, 0) => Turn::User,
            (0, responses) => Turn::Responses(responses),
            (calls, _) => Turn::Calls(calls),
        };
        let all_responses = !responses.is_empty() && texts.is_empty();
        self.list.extend(
            responses
                .into_iter()
                .map(|response| Message::new("tool", response)),
        );
        if !all_responses {
            let role = if is_model { "assistant" } else { "user" };
            self.list.push(Message::new(role, texts.join("\n")));
        }
        Ok(turn)
    }
}

fn parts(content: &Value) -> &[Value] {
    content
        .get("parts")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn no_data<T>(at: &str) -> Result<T, Refused> {
    let message = format!(
        "* GenerateContentRequest.{at}.data: required oneof field 'data' must have one initialized field\n"
    );
    refuse(400, message)
}

fn equal_counts() -> Result<(), Refused> {
    refuse(
        400,
        "Please ensure that the number of function response parts is equal to the number of function call parts of \
         the function call turn.",
    )
}

/// A call comes after the user or a response; as many responses after it.
fn follows(before: Option<Turn>, turn: Turn) -> Result<(), Refused> {
    match (before, turn) {
        (Some(Turn::Calls(calls)), Turn::Responses(responses)) if calls == responses => Ok(()),
        (Some(Turn::Calls(_)), _) => equal_counts(),
        (_, Turn::Responses(_)) => refuse(
            400,
            "Please ensure that function response turn comes immediately after a function call turn.",
        ),
        (Some(Turn::User | Turn::Responses(_)), Turn::Calls(_)) => Ok(()),
        (_, Turn::Calls(_)) => refuse(
            400,
            "Please ensure that function call turn comes immediately after a user turn or after a function response \
             turn.",
        ),
        (_, Turn::User | Turn::Model) => Ok(()),
    }
}

/// Whether inline data is an image.
fn image(data: &Value, at: &str) -> Result<bool, Refused> {
    let empty = Map::new();
    let data = data.as_object().unwrap_or(&empty);
    let Some(kind) = get(data, "mimeType").and_then(Value::as_str) else {
        return refuse(
            400,
            format!("* GenerateContentRequest.{at}.inline_data.mime_type: mime_type must be specified.\n"),
        );
    };
    let bytes = get(data, "data").and_then(Value::as_str);
    if !bytes.is_some_and(is_base64) {
        let message =
            format!("Invalid value at '{at}.inline_data.data' (TYPE_BYTES), Base64 decoding failed");
        return Err(Refused::new(400, message).param(format!("{at}.inline_data.data")));
    }
    Ok(kind.starts_with("image/"))
}

fn tools(tools: Option<&Value>) -> Result<Vec<Tool>, Refused> {
    let mut all = Vec::new();
    let tools = tools
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (index, tool) in tools.iter().enumerate() {
        let at = format!("tools[{index}]");
        let Value::Object(tool) = tool else {
            return refuse(400, format!("Invalid value at '{at}'"));
        };
        known(tool, TOOL_FIELDS, &at)?;
        let functions = get(tool, "functionDeclarations").and_then(Value::as_array);
        for (index, function) in functions.into_iter().flatten().enumerate() {
            let at = format!("{at}.function_declarations[{index}]");
            let Value::Object(function) = function else {
                return refuse(400, format!("Invalid value at '{at}'"));
            };
            known(function, FUNCTION_FIELDS, &at)?;
            let name = get(function, "name").and_then(Value::as_str).unwrap_or_default();
            let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
            let goes_on = name
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "_.:-".contains(character));
            if !starts || !goes_on || name.len() > NAME_CHARS_MAX {
                let message = format!(
                    "* GenerateContentRequest.{at}.name: Invalid function name. Must start with a letter or an \
                     underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes \
                     (-), with a maximum length of 64.\n"
                );
                return refuse(400, message);
            }
            let own = get(function, "parameters");
            let arguments = match own {
                Some(schema) => Some(translated(schema, &format!("{at}.parameters"))?),
                None => get(function, "parametersJsonSchema").cloned(),
            };
            all.push(Tool {
                name: name.to_owned(),
                arguments,
            });
        }
    }
    Ok(all)
}

fn choice(body: &Map<String, Value>, tools: &[Tool]) -> Result<Choice, Refused> {
    let config = get(body, "toolConfig").and_then(Value::as_object);
    let config = config.and_then(|config| get(config, "functionCallingConfig")?.as_object());
    let Some(config) = config else {
        return Ok(Choice::Free);
    };
    let allowed = texts(get(config, "allowedFunctionNames"));
    match (get(config, "mode").and_then(Value::as_str), allowed.as_slice()) {
        (Some("ANY"), []) => Ok(Choice::any(tools)),
        (Some("ANY"), [name]) if tools.iter().any(|tool| tool.name == *name) => {
            Ok(Choice::Tool(name.clone()))
        }
        (Some("ANY"), names)
            if names
                .iter()
                .all(|name| tools.iter().any(|tool| tool.name == *name)) =>
        {
            Ok(Choice::Any)
        }
        (Some("ANY"), _) => refuse(
            400,
            "Please set allowed_function_names to names of function declarations that are provided.",
        ),
        (_, []) => Ok(Choice::Free),
        (_, _) => refuse(
            400,
            "Please set allowed_function_names only when function calling mode is ANY.",
        ),
    }
}

fn output(config: &Map<String, Value>) -> Result<Option<Output>, Refused> {
    let own = get(config, "responseSchema");
    let schema = get(config, "responseJsonSchema");
    match get(config, "responseMimeType").and_then(Value::as_str) {
        None | Some("text/plain") if own.or(schema).is_some() => refuse(
            400,
            "* GenerateContentRequest.generation_config.response_schema: only allowed when response_mime_type is \
             `application/json` or `text/x.enum`.\n",
        ),
        None | Some("text/plain" | "text/x.enum" | "application/xml" | "application/yaml") => Ok(None),
        Some("application/json") => Ok(Some(match (own, schema) {
            (Some(own), _) => Output::Schema(translated(own, "generation_config.response_schema")?),
            (None, Some(schema)) => Output::Schema(schema.clone()),
            (None, None) => Output::Json,
        })),
        Some(_) => refuse(
            400,
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, \
             `application/json`, `application/xml`, `application/yaml` and `text/x.enum`.\n",
        ),
    }
}
