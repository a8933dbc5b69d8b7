//! Google's format: generated content and the list of models.

use scripted_ollama::{Format, Outcome, ScriptedOllama};
use serde_json::{Value, json};

use super::{EMBED_MODEL, events, get, json, post_with, start};

const NAME: &str = "gemini-2.5-flash";
const KEY: &[(&str, &str)] = &[("x-goog-api-key", "any")];

async fn started(rules: &str) -> ScriptedOllama {
    start(&format!("models: [{{name: {NAME}}}]\n{rules}")).await
}

async fn ask(server: &ScriptedOllama, method: &str, body: impl ToString) -> reqwest::Response {
    post_with(server, &format!("/v1beta/models/{NAME}:{method}"), KEY, body).await
}

fn user(text: &str) -> Value {
    json!({"role": "user", "parts": [{"text": text}]})
}

fn chat(text: &str) -> Value {
    json!({"contents": [user(text)]})
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

fn chunk(id: u64, candidate: Value, usage: Value) -> Value {
    json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": NAME, "responseId": format!("resp_{id:06}")})
}

fn part(part: Value) -> Value {
    chunk(
        1,
        json!({"content": {"parts": [part], "role": "model"}, "index": 0}),
        json!({"promptTokenCount": 4, "totalTokenCount": 4}),
    )
}

fn streamed() -> [Value; 4] {
    let last =
        json!({"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0, "finishReason": "STOP"});
    let usage = json!({"promptTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 7});
    [
        part(json!({"text": "hm", "thought": true})),
        part(json!({"text": "hell"})),
        part(json!({"text": "o"})),
        chunk(1, last, usage),
    ]
}

#[tokio::test]
async fn streams() {
    let body = with(
        chat("x"),
        "generationConfig",
        json!({"thinkingConfig": {"includeThoughts": true}}),
    );
    let rules = "rules: [{respond: {text: hello, thinking: hm}}]";
    let server = started(rules).await;
    let stream = events(ask(&server, "streamGenerateContent?alt=sse", &body).await).await;
    let data: Vec<Value> = stream.into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, streamed());
    let record = &server.requests()[0];
    let path = format!("/v1beta/models/{NAME}:streamGenerateContent");
    assert_eq!(
        (record.format, &record.path, record.model()),
        (Format::Gemini, &path, NAME)
    );
    assert_eq!(record.last_message("user"), "x");
    // Without `alt=sse` it is one array.
    let server = started(rules).await;
    let array = json(ask(&server, "streamGenerateContent", body).await).await;
    assert_eq!(array, (200, streamed().to_vec().into()));
}

#[tokio::test]
async fn answers_whole() {
    let server = started(
        "rules:
- match: { contains: filter }
  respond: { text: a b c, blocked_after_tokens: 1 }
- match: { contains: block }
  respond: { blocked_after_tokens: 0 }
- respond: { text: one two three }",
    )
    .await;
    let check = async |id: u64, body: Value, text: &str, reason: &str, said: u64| {
        let candidate = json!({"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, "finishReason": reason});
        let usage = json!({"promptTokenCount": 5, "candidatesTokenCount": said, "totalTokenCount": 5 + said});
        let found = json(ask(&server, "generateContent", body).await).await;
        assert_eq!(found, (200, chunk(id, candidate, usage)));
    };
    check(1, chat("x y"), "one two three", "STOP", 4).await;
    let config = |config: Value| with(chat("x y"), "generationConfig", config);
    check(
        2,
        config(json!({"maxOutputTokens": 2})),
        "one two",
        "MAX_TOKENS",
        2,
    )
    .await;
    check(3, config(json!({"stop_sequences": [" t"]})), "one", "STOP", 1).await;
    check(4, chat("filter"), "a", "SAFETY", 1).await;
    let blocked = json!({
        "promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": NAME, "responseId": "resp_000005",
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 0, "totalTokenCount": 5},
    });
    assert_eq!(
        json(ask(&server, "generateContent", chat("block")).await).await,
        (200, blocked)
    );
}

#[tokio::test]
async fn calls_tools() {
    let server = started(
        "rules:
- match: { lacks: sunny, in: all }
  respond: { tool_calls: [{ name: weather, arguments: { city: Bern } }] }
- respond: { text: warm }",
    )
    .await;
    let tool = json!({"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}});
    let body = with(chat("x"), "tools", json!([{"functionDeclarations": [tool]}]));
    let call = json!({"functionCall": {"id": "fc_000001_0", "name": "weather", "args": {"city": "Bern"}}});
    let (_, answer) = json(ask(&server, "generateContent", &body).await).await;
    let candidate = &answer["candidates"][0];
    assert_eq!(
        (&candidate["content"]["parts"], &candidate["finishReason"]),
        (&json!([call]), &json!("STOP"))
    );

    let response = json!({"functionResponse": {"name": "weather", "response": {"content": "sunny"}}});
    let mut answered = body.clone();
    answered["contents"] =
        json!([user("x"), {"role": "model", "parts": [call]}, {"role": "user", "parts": [response]}]);
    let (_, answer) = json(ask(&server, "generateContent", answered).await).await;
    assert_eq!(
        answer["candidates"][0]["content"]["parts"],
        json!([{"text": "warm"}])
    );

    let stream = events(ask(&server, "streamGenerateContent?alt=sse", body).await).await;
    let calls: Vec<&Value> = stream
        .iter()
        .map(|(_, data)| &data["candidates"][0]["content"]["parts"][0]["functionCall"]["args"])
        .collect();
    assert_eq!(calls, [&json!({"city": "Bern"}), &Value::Null]);
}

#[tokio::test]
async fn the_one_tool_that_must_be_called_takes_the_json() {
    let server =
        started("rules: [{match: {format: present}, respond: {json: {city: Bern}}}, {respond: {text: x}}]")
            .await;
    let functions = json!([{"functionDeclarations": [{"name": "weather"}, {"name": "other"}]}]);
    let body = |config: Value| {
        let config = json!({"functionCallingConfig": config});
        with(with(chat("x"), "tools", functions.clone()), "toolConfig", config)
    };
    let one = body(json!({"mode": "ANY", "allowedFunctionNames": ["weather"]}));
    let (_, answer) = json(ask(&server, "generateContent", one).await).await;
    let call = json!({"id": "fc_000001_0", "name": "weather", "args": {"city": "Bern"}});
    assert_eq!(
        answer["candidates"][0]["content"]["parts"],
        json!([{"functionCall": call}])
    );
    let absent = body(json!({"mode": "ANY", "allowedFunctionNames": ["absent"]}));
    let message = "Please set allowed_function_names to names of function declarations that are provided.";
    check(&server, absent, 400, "INVALID_ARGUMENT", message).await;
    let auto = body(json!({"mode": "AUTO"}));
    let (_, answer) = json(ask(&server, "generateContent", auto).await).await;
    assert_eq!(
        answer["candidates"][0]["content"]["parts"],
        json!([{"text": "x"}])
    );
    ask(&server, "generateContent", body(json!({"mode": "ANY"}))).await;
    assert_eq!(
        server.script_errors(),
        ["scripted-ollama: rule 2: the request wants a tool to be called, the answer calls none"]
    );
}

#[tokio::test]
async fn json_images_and_system() {
    let server = started(
        "rules: [{match: {format: present}, respond: {json: {a: 1}}}, {match: {in: system, contains: brief}, respond: {text: seen}}]",
    )
    .await;
    let check = async |body: Value, expect: &str| {
        let (_, answer) = json(ask(&server, "generateContent", body).await).await;
        assert_eq!(
            answer["candidates"][0]["content"]["parts"][0]["text"],
            json!(expect),
            "{answer}"
        );
    };
    let config = |config: Value| {
        let config = with(config, "responseMimeType", json!("application/json"));
        with(chat("x"), "generationConfig", config)
    };
    let own = json!({"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "nullable": true}}, "required": ["a"]});
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": false});
    check(config(json!({})), r#"{"a":1}"#).await;
    check(config(json!({"responseSchema": own})), r#"{"a":1}"#).await;
    check(config(json!({"responseJsonSchema": schema})), r#"{"a":1}"#).await;
    let data = |key: &str, kind: &str| json!({key: {"mime_type": kind, "data": "aGk="}});
    let parts = json!([data("inlineData", "image/png"), data("inline_data", "audio/wav"), {"text": "what"}]);
    let body =
        json!({"contents": [{"parts": parts}], "system_instruction": {"parts": [{"text": "be brief"}]}});
    check(body, "seen").await;
    assert_eq!(server.requests().last().map(|record| record.images), Some(1));
}

/// The error without its details, which come apart.
async fn check(
    server: &ScriptedOllama,
    body: impl ToString,
    status: u16,
    name: &str,
    message: &str,
) -> Value {
    let (found, mut error) = json(ask(server, "generateContent", body).await).await;
    let details = error["error"].as_object_mut().unwrap().remove("details");
    let expect = json!({"error": {"code": status, "message": message, "status": name}});
    assert_eq!((found, error), (status, expect));
    let outcome = server.requests().pop().unwrap().outcome;
    assert_eq!(
        outcome,
        Outcome::Error {
            status,
            message: message.to_owned()
        }
    );
    details.unwrap_or_default()
}

#[tokio::test]
async fn refuses_what_google_refuses() {
    let server = started("rules: [{respond: {text: x}}]").await;
    let contents = |list: Value| json!({"contents": list});
    let config = |config: Value| with(chat("x"), "generationConfig", config);
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]});
    let response = json!({"functionResponse": {"name": "f", "response": {}}});
    let counts = "Please ensure that the number of function response parts is equal to the number of function call \
                  parts of the function call turn.";
    let table: Vec<(Value, &str)> = vec![
        (
            json!({}),
            "* GenerateContentRequest.contents: contents is not specified\n",
        ),
        (
            with(chat("x"), "messages", json!([])),
            "Invalid JSON payload received. Unknown name \"messages\": Cannot find field.",
        ),
        (
            contents(json!([{"role": "user", "parts": [{"txt": "x"}]}])),
            "Invalid JSON payload received. Unknown name \"txt\" at 'contents[0].parts[0]': Cannot find field.",
        ),
        (
            contents(json!([{"role": "assistant", "parts": [{"text": "x"}]}])),
            "Please use a valid role: user, model.",
        ),
        (
            contents(json!([{"role": "user", "parts": []}])),
            "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.\n",
        ),
        (
            contents(json!([{"role": "user", "parts": [{}]}])),
            "* GenerateContentRequest.contents[0].parts[0].data: required oneof field 'data' must have one initialized \
             field\n",
        ),
        (contents(json!([user("x"), call, user("y")])), counts),
        (
            contents(json!([user("x"), call, {"role": "user", "parts": [response, response]}])),
            counts,
        ),
        (contents(json!([user("x"), call])), counts),
        (
            contents(json!([user("x"), {"role": "model", "parts": [{"text": "y"}]}, call])),
            "Please ensure that function call turn comes immediately after a user turn or after a function response \
             turn.",
        ),
        (
            contents(json!([{"role": "user", "parts": [response]}])),
            "Please ensure that function response turn comes immediately after a function call turn.",
        ),
        (
            contents(
                json!([{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "?"}}]}]),
            ),
            "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed",
        ),
        (
            config(json!({"max_tokens": 1})),
            "Invalid JSON payload received. Unknown name \"max_tokens\" at 'generation_config': Cannot find field.",
        ),
        (
            config(json!({"responseMimeType": "json"})),
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, \
             `application/json`, `application/xml`, `application/yaml` and `text/x.enum`.\n",
        ),
        (
            config(json!({"responseSchema": {"type": "OBJECT"}})),
            "* GenerateContentRequest.generation_config.response_schema: only allowed when response_mime_type is \
             `application/json` or `text/x.enum`.\n",
        ),
        (
            config(json!({"responseMimeType": "application/json", "responseSchema": {"$ref": "#"}})),
            "Invalid JSON payload received. Unknown name \"$ref\" at 'generation_config.response_schema': Cannot find \
             field.",
        ),
        (
            with(
                chat("x"),
                "tools",
                json!([{"functionDeclarations": [{"name": "f", "parameters": {"type": "object",
                "properties": {"a": {"const": 1}}}}]}]),
            ),
            "Invalid JSON payload received. Unknown name \"const\" at \
             'tools[0].function_declarations[0].parameters.properties[0].value': Cannot find field.",
        ),
        (
            with(
                config(json!({"responseMimeType": "application/json"})),
                "tools",
                json!([{"functionDeclarations": [{"name": "f"}]}]),
            ),
            "Function calling with a response mime type: 'application/json' is unsupported",
        ),
    ];
    for (body, message) in table {
        check(&server, body, 400, "INVALID_ARGUMENT", message).await;
    }
    let details = check(
        &server,
        with(chat("x"), "stream", json!(true)),
        400,
        "INVALID_ARGUMENT",
        "Invalid JSON payload received. Unknown name \"stream\": Cannot find field.",
    )
    .await;
    let violation =
        json!({"description": "Invalid JSON payload received. Unknown name \"stream\": Cannot find field."});
    assert_eq!(
        details,
        json!([{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}])
    );
    assert_eq!(server.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn refuses_models_and_methods() {
    let server = start("models: [{name: small, context_length: 5}]\nrules: [{respond: {text: x}}]").await;
    let check = async |call: &str, body: Value, status: u16, name: &str, message: &str| {
        let found = json(post_with(&server, &format!("/v1beta/models/{call}"), KEY, body).await).await;
        assert_eq!(
            found,
            (
                status,
                json!({"error": {"code": status, "message": message, "status": name}})
            )
        );
    };
    for model in ["gemini-9", EMBED_MODEL] {
        let message = format!(
            "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call \
             ListModels to see the list of available models and their supported methods."
        );
        check(
            &format!("{model}:generateContent"),
            chat("x"),
            404,
            "NOT_FOUND",
            &message,
        )
        .await;
    }
    let unknown = "/v1beta/models/small:generate was not found on this server";
    check("small:generate", chat("x"), 404, "NOT_FOUND", unknown).await;
    let long = "The input token count (6) exceeds the maximum number of tokens allowed (5).";
    check(
        "small:generateContent",
        chat("a b c"),
        400,
        "INVALID_ARGUMENT",
        long,
    )
    .await;
}

#[tokio::test]
async fn errors_as_told() {
    let server = started(
        "rules:
- match: { contains: busy }
  respond: { error: { status: 429, message: slow down, retry_after_secs: 7 } }
- match: { contains: full }
  respond: { error: { status: 503, message: The model is overloaded. } }
- respond: { text: a b, error_after_tokens: { tokens: 1, message: boom } }",
    )
    .await;
    let details = check(&server, chat("busy"), 429, "RESOURCE_EXHAUSTED", "slow down").await;
    assert_eq!(
        details,
        json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}])
    );
    check(
        &server,
        chat("full"),
        503,
        "UNAVAILABLE",
        "The model is overloaded.",
    )
    .await;
    let stream = events(ask(&server, "streamGenerateContent?alt=sse", chat("x")).await).await;
    let error = json!({"error": {"code": 500, "message": "boom", "status": "INTERNAL"}});
    assert_eq!(stream.last().unwrap().1, error);
}

#[tokio::test]
async fn lists_models() {
    let server = started("").await;
    let model = |name: &str, methods: Value| {
        json!({
            "name": format!("models/{name}"), "version": "001", "displayName": name, "inputTokenLimit": 32_768,
            "outputTokenLimit": 8192, "supportedGenerationMethods": methods, "thinking": false,
        })
    };
    let (status, list) = json(get(&server, "/v1beta/models?key=any").await).await;
    let names: Vec<&Value> = list["models"].as_array().unwrap().iter().collect();
    let embeds = model(EMBED_MODEL, json!(["embedContent"]));
    let answers = model(NAME, json!(["generateContent", "countTokens"]));
    assert_eq!((status, &names[1..]), (200, &[&embeds, &answers][..]));
    assert_eq!(
        json(get(&server, &format!("/v1beta/models/{NAME}?key=any")).await).await,
        (200, answers)
    );
    assert_eq!(
        get(&server, "/v1beta/models/other?key=any")
            .await
            .status()
            .as_u16(),
        404
    );
}
