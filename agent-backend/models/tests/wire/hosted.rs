//! The hosted providers over real HTTP: each kind in each situation.

mod failures;
mod limits;
mod secrets;
mod tls;

use std::time::Duration;

use models::{ChatRequest, Chunk, Error, Finish, Hosted, HostedKind, HostedOptions, Key, Provider, Usage};
use serde_json::json;

use super::{
    ask,
    responder::{Answer, Responder},
};

const KEY: &str = "sk-test-0123456789abcdef0123456789abcdef";
const MODEL: &str = "some-model";
const CONTEXT: u32 = 8192;
const KINDS: [HostedKind; 3] = [HostedKind::OpenAi, HostedKind::Anthropic, HostedKind::Gemini];

fn options(kind: HostedKind, url: &str) -> HostedOptions {
    HostedOptions {
        name: "somebody".to_owned(),
        url: url.to_owned(),
        key: Some(Key::new(KEY)),
        context_tokens: CONTEXT,
        ..HostedOptions::new(kind, MODEL)
    }
}

async fn start(kind: HostedKind, answers: Vec<Answer>) -> (Responder, Hosted) {
    start_with(kind, answers, |options| options).await
}

async fn start_with(
    kind: HostedKind,
    answers: Vec<Answer>,
    change: impl FnOnce(HostedOptions) -> HostedOptions,
) -> (Responder, Hosted) {
    let server = Responder::start(answers).await;
    let hosted = Hosted::new(change(options(kind, &server.url()))).unwrap();
    (server, hosted)
}

fn event(data: &serde_json::Value) -> String {
    // Anthropic names its events; the others have no type to name.
    match data["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}

/// The events with which an answer of this kind begins.
fn opening(kind: HostedKind) -> String {
    match kind {
        HostedKind::OpenAi => event(&json!({"choices": [{"delta": {"role": "assistant", "content": ""}}]})),
        HostedKind::Anthropic => {
            event(
                &json!({"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}}),
            ) + &event(
                &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            )
        }
        HostedKind::Gemini => String::new(),
    }
}

fn text(kind: HostedKind, text: &str) -> String {
    event(&match kind {
        HostedKind::OpenAi => json!({"choices": [{"delta": {"content": text}}]}),
        HostedKind::Anthropic => {
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
        }
        HostedKind::Gemini => json!({"candidates": [{"content": {"parts": [{"text": text}]}}]}),
    })
}

/// The events with which it ends, after five tokens of prompt and two of answer.
fn closing(kind: HostedKind) -> String {
    match kind {
        HostedKind::OpenAi => {
            event(&json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
                + &event(&json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}))
                + "data: [DONE]\n\n"
        }
        HostedKind::Anthropic => {
            event(&json!({"type": "content_block_stop", "index": 0}))
                + &event(
                    &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
                )
                + &event(&json!({"type": "message_stop"}))
        }
        HostedKind::Gemini => event(&json!({
            "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2},
        })),
    }
}

/// A whole answer in one piece.
fn whole(kind: HostedKind, words: &str) -> Answer {
    let body = opening(kind) + &text(kind, words) + &closing(kind);
    Answer::events(&[body.as_bytes()])
}

async fn answer(hosted: &Hosted, request: ChatRequest) -> (String, Result<Usage, Error>) {
    match hosted.chat(request).await {
        Ok(stream) => super::all(stream).await,
        Err(error) => (String::new(), Err(error)),
    }
}

#[tokio::test]
async fn streams_an_answer() {
    for kind in KINDS {
        let body = opening(kind) + &text(kind, "héllo ") + &text(kind, "you") + &closing(kind);
        // Every byte on its own: events, lines and characters are cut anywhere.
        let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        let (server, hosted) = start(kind, vec![Answer::events(&bytes)]).await;
        let (words, usage) = answer(&hosted, ask("one two")).await;
        let usage = usage.unwrap();
        assert_eq!(
            (
                words.as_str(),
                usage.finish,
                usage.prompt_tokens,
                usage.generated_tokens
            ),
            ("héllo you", Finish::Stop, 5, 2),
            "{kind:?}"
        );
        assert_eq!(
            (usage.context.requested, usage.context.used_tokens),
            (CONTEXT, Some(5))
        );
        let asked = &server.asked()[0];
        let (line, header) = match kind {
            HostedKind::OpenAi => (
                "POST /v1/chat/completions",
                ("authorization", format!("Bearer {KEY}")),
            ),
            HostedKind::Anthropic => ("POST /v1/messages", ("x-api-key", KEY.to_owned())),
            HostedKind::Gemini => (
                "POST /v1beta/models/some-model:streamGenerateContent?alt=sse",
                ("x-goog-api-key", KEY.to_owned()),
            ),
        };
        assert_eq!(asked.line, line);
        assert_eq!(asked.header(header.0), Some(header.1.as_str()));
        let version = (kind == HostedKind::Anthropic).then_some("2023-06-01");
        assert_eq!(asked.header("anthropic-version"), version);
    }
}

#[tokio::test]
async fn a_connection_serves_the_next_call() {
    for kind in KINDS {
        let (server, hosted) = start(kind, vec![whole(kind, "a"), whole(kind, "b")]).await;
        assert_eq!(answer(&hosted, ask("x")).await.0, "a");
        assert_eq!(answer(&hosted, ask("x")).await.0, "b");
        let connections: Vec<usize> = server.asked().iter().map(|asked| asked.connection).collect();
        assert_eq!(connections, [0, 0], "{kind:?}");
    }
}

#[tokio::test]
async fn calls_a_tool() {
    for kind in KINDS {
        let call = match kind {
            HostedKind::OpenAi => {
                event(
                    &json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "read", "arguments": "{\"p\""}}]}}]}),
                ) + &event(
                    &json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}}]}),
                ) + &event(&json!({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}))
                    + "data: [DONE]\n\n"
            }
            HostedKind::Anthropic => {
                event(
                    &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "1", "name": "read", "input": {}}}),
                ) + &event(
                    &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"p\":1}"}}),
                ) + &event(&json!({"type": "content_block_stop", "index": 0}))
                    + &event(&json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}))
                    + &event(&json!({"type": "message_stop"}))
            }
            HostedKind::Gemini => event(&json!({"candidates": [{
                "content": {"parts": [{"functionCall": {"id": "1", "name": "read", "args": {"p": 1}}}]},
                "finishReason": "STOP",
            }]})),
        };
        let (_server, hosted) = start(kind, vec![Answer::events(&[call.as_bytes()])]).await;
        let chunks: Vec<_> = futures::StreamExt::collect(hosted.chat(ask("x")).await.unwrap()).await;
        let call = models::ToolCall {
            id: "1".to_owned(),
            name: "read".to_owned(),
            arguments: json!({"p": 1}),
        };
        assert_eq!(chunks[0], Ok(Chunk::ToolCall(call)), "{kind:?}");
        let Ok(Chunk::Done(usage)) = &chunks[1] else {
            panic!("{chunks:?}")
        };
        assert_eq!(usage.finish, Finish::ToolCalls);
    }
}

#[tokio::test]
async fn a_field_that_is_not_taken_is_left_out_from_then_on() {
    for kind in KINDS {
        let refusal = r#"{"error":{"type":"invalid_request_error","message":"`temperature` is deprecated for this model."}}"#;
        let answers = vec![Answer::json(400, refusal), whole(kind, "a"), whole(kind, "b")];
        let (server, hosted) = start(kind, answers).await;
        let request = ChatRequest {
            temperature: Some(0.5),
            ..ask("x")
        };
        assert_eq!(answer(&hosted, request.clone()).await.0, "a");
        assert_eq!(answer(&hosted, request).await.0, "b");
        let has: Vec<bool> = server
            .asked()
            .iter()
            .map(|asked| asked.body.contains("temperature"))
            .collect();
        assert_eq!(has, [true, false, false], "{kind:?}");
    }
}

#[tokio::test]
async fn what_a_server_says_about_itself() {
    let check = async |kind, list: &str, available: bool, tokens: Option<u32>| {
        let answers = vec![Answer::json(200, list), Answer::json(200, list)];
        let (server, hosted) = start(kind, answers).await;
        let health = hosted.health().await.unwrap();
        assert_eq!(health.model_available, available, "{list}");
        let loaded = hosted.preload().await;
        if available {
            let loaded = loaded.unwrap();
            assert_eq!(loaded.context.loaded, tokens, "{list}");
            let fits = tokens.is_none_or(|tokens| tokens >= CONTEXT);
            assert_eq!(loaded.context.check().is_ok(), fits);
        } else {
            assert!(matches!(loaded, Err(Error::ModelUnknown { .. })), "{loaded:?}");
        }
        server.asked()[0].line.clone()
    };
    use HostedKind::{Anthropic, Gemini, OpenAi};
    let line = check(
        OpenAi,
        r#"{"data":[{"id":"some-model","max_model_len":4096}]}"#,
        true,
        Some(4096),
    )
    .await;
    assert_eq!(line, "GET /v1/models");
    check(OpenAi, r#"{"data":[{"id":"some-model"}]}"#, true, None).await;
    check(OpenAi, r#"{"data":[{"id":"other"}]}"#, false, None).await;
    let line = check(
        Anthropic,
        r#"{"data":[{"id":"some-model","type":"model"}]}"#,
        true,
        None,
    )
    .await;
    assert_eq!(line, "GET /v1/models?limit=1000");
    let google = r#"{"models":[{"name":"models/some-model","inputTokenLimit":1000000}]}"#;
    let line = check(Gemini, google, true, Some(1_000_000)).await;
    assert_eq!(line, "GET /v1beta/models?pageSize=1000");
}

#[tokio::test]
async fn llama_cpp_tells_the_context_of_a_slot() {
    let models = r#"{"data":[{"id":"some.gguf","owned_by":"llamacpp","meta":{"n_ctx":8192}}]}"#;
    let props = r#"{"default_generation_settings":{"n_ctx":2048}}"#;
    let answers = vec![Answer::json(200, models), Answer::json(200, props)];
    let (server, hosted) = start(HostedKind::OpenAi, answers).await;
    let loaded = hosted.preload().await.unwrap();
    assert_eq!(
        loaded.context.check().unwrap_err().to_string(),
        "the model saw less than it was sent: 8192 tokens of context requested, 2048 loaded"
    );
    let lines: Vec<_> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /v1/models", "GET /props"]);
}

#[test]
fn options_that_cannot_be_used() {
    let check = |change: &dyn Fn(HostedOptions) -> HostedOptions, expect: &str| {
        let options = change(options(HostedKind::Gemini, "https://host"));
        let error = Hosted::new(options).unwrap_err();
        assert_eq!(error.to_string(), expect);
    };
    check(
        &|options| HostedOptions {
            model: " ".to_owned(),
            ..options
        },
        "the model of somebody has no name",
    );
    check(
        &|options| HostedOptions {
            model: "a?key=b".to_owned(),
            ..options
        },
        "the model of somebody has a name with characters that no model of Google has",
    );
    check(
        &|options| HostedOptions {
            context_tokens: 0,
            ..options
        },
        "context_tokens of somebody must be at least 1",
    );
    check(
        &|options| HostedOptions {
            url: "host".to_owned(),
            ..options
        },
        "the address of somebody is no URL: relative URL without a base",
    );
    check(
        &|options| HostedOptions {
            key: Some(Key::new("a\u{1}b")),
            ..options
        },
        "the key of somebody holds characters that none has",
    );
    check(
        &|options| HostedOptions {
            headers: vec![("a b".to_owned(), Key::new("x"))],
            ..options
        },
        "`a b`, a header of somebody, is no name of a header",
    );
    check(
        &|options| HostedOptions {
            ca_file: Some("/nowhere/ca.pem".into()),
            ..options
        },
        "the ca_file of somebody, /nowhere/ca.pem: No such file or directory (os error 2)",
    );
}

/// A limit that a test wants to see reached.
const SHORT: Duration = Duration::from_millis(40);
