//! Google's `streamGenerateContent` (<https://ai.google.dev/api/generate-content>).
//! Pure.
//!
//! Its models that think sign their calls of tools and want the signature back
//! with the answer: [`super::signed`].

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Asked,
    reader::{Fault, Next, Reader, Tally, broken, parse, token},
    signed,
    thinking::Wish,
};
use crate::{Chunk, Error, Finish, Message, Role, ToolCall, request::tool_called, sse};

/// Begins the id of a call that the server gave none.
const OWN_ID: &str = "call_";

/// The path of a call.
pub(super) fn path(model: &str) -> String {
    if model.contains('/') {
        format!("{model}:streamGenerateContent?alt=sse")
    } else {
        format!("models/{model}:streamGenerateContent?alt=sse")
    }
}

/// The body of a call.
pub(super) fn body(asked: &Asked<'_>) -> Result<Value, Error> {
    let Asked {
        request,
        tokens_max,
        wish,
        without,
    } = *asked;
    let mut body = json!({"contents": contents(&request.messages)?});
    if !request.system.is_empty() {
        body["systemInstruction"] = json!({"parts": [{"text": request.system}]});
    }
    if !request.tools.is_empty() {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| {
                json!({
                    "name": tool.name,
                    "description": tool.description,
                    "parametersJsonSchema": tool.parameters,
                })
            })
            .collect();
        body["tools"] = json!([{"functionDeclarations": tools}]);
    }
    let mut config = Map::new();
    if let Some(schema) = &request.format {
        config.insert("responseMimeType".to_owned(), json!("application/json"));
        if !without.json_schema {
            config.insert("responseJsonSchema".to_owned(), schema.clone());
        }
    }
    if let Some(temperature) = request.temperature.filter(|_| !without.temperature) {
        config.insert("temperature".to_owned(), super::decimal(temperature));
    }
    if let Some(tokens_max) = tokens_max {
        config.insert("maxOutputTokens".to_owned(), json!(tokens_max));
    }
    // The seed holds 32 bits there.
    if let Some(seed) = request.seed.filter(|_| !without.seed) {
        let [a, b, c, d, ..] = seed.to_le_bytes();
        config.insert("seed".to_owned(), json!(i32::from_le_bytes([a, b, c, d])));
    }
    let thinking = match wish {
        Wish::Unsaid => None,
        Wish::Off => Some(json!({"thinkingBudget": 0})),
        Wish::Level(level) => Some(json!({"thinkingLevel": level.name()})),
        Wish::Tokens(level) => Some(json!({"thinkingBudget": level.tokens()})),
    };
    if let Some(thinking) = thinking {
        config.insert("thinkingConfig".to_owned(), thinking);
    }
    if !config.is_empty() {
        body["generationConfig"] = config.into();
    }
    Ok(body)
}

/// The turns; the answers to the calls of one turn are one turn.
fn contents(messages: &[Message]) -> Result<Vec<Value>, Error> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::System | Role::User | Role::Tool => "user",
            Role::Assistant => "model",
        };
        let parts = parts(message, messages)?;
        match turns.last_mut() {
            Some((last, all)) if *last == role => all.extend(parts),
            _ => turns.push((role, parts)),
        }
    }
    Ok(turns
        .into_iter()
        .filter(|(_, parts)| !parts.is_empty())
        .map(|(role, parts)| json!({"role": role, "parts": parts}))
        .collect())
}

fn parts(message: &Message, messages: &[Message]) -> Result<Vec<Value>, Error> {
    if let Some(id) = &message.tool_call_id {
        let Some(name) = tool_called(messages, id) else {
            return Err(Error::Invalid {
                reason: "the answer of a tool belongs to no call before it".to_owned(),
            });
        };
        let mut response = json!({"name": name, "response": {"output": message.content}});
        if let (Some(id), _) = ids(id) {
            response["id"] = json!(id);
        }
        return Ok(vec![json!({"functionResponse": response})]);
    }
    let mut parts = Vec::new();
    if !message.content.is_empty() {
        parts.push(json!({"text": message.content}));
    }
    parts.extend(message.images.iter().map(|image| {
        let data = BASE64_STANDARD.encode(&image.bytes);
        json!({"inlineData": {"mimeType": image.media_type, "data": data}})
    }));
    parts.extend(message.tool_calls.iter().map(|call| {
        let (id, signature) = ids(&call.id);
        let mut function = json!({"name": call.name, "args": call.arguments});
        if let Some(id) = id {
            function["id"] = json!(id);
        }
        let mut part = json!({"functionCall": function});
        if let Some(signature) = signature {
            part["thoughtSignature"] = json!(signature);
        }
        part
    }));
    Ok(parts)
}

/// The server's own id and signature in the id of a call.
fn ids(id: &str) -> (Option<&str>, Option<&str>) {
    let (id, signature) = signed::split(id);
    (Some(id).filter(|id| !id.starts_with(OWN_ID)), signature)
}

/// Reads an answer.
#[derive(Debug, Default)]
pub(super) struct GeminiReader {
    tally: Tally,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece {
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    candidates: Vec<Candidate>,
    #[serde(default)]
    prompt_feedback: Option<Feedback>,
    #[serde(default)]
    usage_metadata: Option<Count>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Content,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thought: bool,
    #[serde(default)]
    function_call: Option<FunctionCall>,
    #[serde(default)]
    thought_signature: Option<String>,
}

#[derive(Deserialize)]
struct FunctionCall {
    #[serde(default)]
    id: Option<String>,
    name: String,
    #[serde(default)]
    args: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    #[serde(default)]
    prompt_token_count: Option<u64>,
    #[serde(default)]
    candidates_token_count: Option<u64>,
    #[serde(default)]
    thoughts_token_count: Option<u64>,
}

impl GeminiReader {
    fn part(&mut self, part: Part, out: &mut Vec<Chunk>) -> Result<(), Fault> {
        if let Some(text) = part.text {
            if part.thought {
                self.tally.thinking_bytes += text.len() as u64;
            } else {
                token(text, out);
            }
        }
        let Some(call) = part.function_call else {
            return Ok(());
        };
        let arguments = call.args.unwrap_or_else(|| json!({}));
        if !arguments.is_object() {
            return Err(broken(format!("the arguments for {} are no object", call.name)));
        }
        let mut id = call
            .id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| format!("{OWN_ID}{}", self.tally.calls));
        if let Some(signature) = part.thought_signature {
            id = signed::join(&id, &signature);
        }
        self.tally.one_more_call()?;
        out.push(Chunk::ToolCall(ToolCall {
            id,
            name: call.name,
            arguments,
        }));
        Ok(())
    }

    fn stop(&mut self, reason: &str) -> Result<(), Fault> {
        self.tally.finish = Some(match reason {
            "STOP" if self.tally.calls > 0 => Finish::ToolCalls,
            "STOP" => Finish::Stop,
            "MAX_TOKENS" => Finish::Length,
            "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
            | "IMAGE_SAFETY" => Finish::Refused,
            other => return Err(broken(format!("it ends with the reason {other}"))),
        });
        Ok(())
    }
}

impl Reader for GeminiReader {
    fn event(&mut self, event: &sse::Event, out: &mut Vec<Chunk>) -> Result<Next, Fault> {
        let piece: Piece = parse(&event.data)?;
        if let Some(error) = piece.error {
            return Err(Fault::Said(json!({"error": error})));
        }
        if let Some(count) = piece.usage_metadata {
            self.tally.prompt_tokens = count.prompt_token_count.or(self.tally.prompt_tokens);
            let generated = [count.candidates_token_count, count.thoughts_token_count];
            if generated.iter().any(Option::is_some) {
                self.tally.generated_tokens = generated.iter().flatten().sum();
            }
        }
        if piece
            .prompt_feedback
            .is_some_and(|feedback| feedback.block_reason.is_some())
        {
            self.tally.finish = Some(Finish::Refused);
        }
        if let Some(candidate) = piece.candidates.into_iter().next() {
            for part in candidate.content.parts {
                self.tally.has_begun = true;
                self.part(part, out)?;
            }
            if let Some(reason) = candidate.finish_reason {
                self.stop(&reason)?;
            }
        }
        // The counts may come after the reason: the end is the stream's own.
        Ok(Next::More)
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

#[cfg(test)]
mod tests;
