//! How much is thought: what each server is asked, and what is left of a wish that
//! it refuses.

use models::{
    ChatRequest, Chunk, Hosted, HostedKind, HostedOptions, Key, Message, Ollama, OllamaOptions, Provider,
    Role, Thinking, Tool,
};
use scripted_ollama::ScriptedOllama;
use serde_json::{Value, json};

use super::{all, ask, options};

const MODEL: &str = "thinker";
const CONTEXT: u32 = 200_000;

use HostedKind::{Anthropic, Gemini, OpenAi};
use Thinking::{High, Low, Medium, Off, ProviderDefault};

async fn serve(model: &str, rules: &str) -> ScriptedOllama {
    let script = format!("models: [{{name: {MODEL}, context_length: {CONTEXT}, {model}}}]\nrules: [{rules}]");
    ScriptedOllama::builder().script(script).start().await.unwrap()
}

fn hosted(kind: HostedKind, server: &ScriptedOllama) -> Hosted {
    let options = HostedOptions {
        url: server.url(),
        key: Some(Key::new("sk-test-0123456789abcdef")),
        context_tokens: CONTEXT,
        ..HostedOptions::new(kind, MODEL)
    };
    Hosted::new(options).unwrap()
}

fn ollama(server: &ScriptedOllama) -> Ollama {
    Ollama::new(OllamaOptions {
        model: MODEL.to_owned(),
        ..options(server.url())
    })
    .unwrap()
}

fn wish(thinking: Thinking) -> ChatRequest {
    ChatRequest {
        thinking,
        tokens_max: Some(100),
        ..ask("x")
    }
}

/// What each call for an answer said of thinking, in order.
fn said(server: &ScriptedOllama) -> Vec<Value> {
    let requests = server.requests();
    let calls = requests.iter().map(|record| &record.body);
    let calls = calls.filter(|body| body["messages"].is_array() || body["contents"].is_array());
    let field = |body: &Value| match body["thinking"]["type"].as_str() {
        Some("adaptive") => json!(["adaptive", body["output_config"]["effort"]]),
        Some("enabled") => body["thinking"]["budget_tokens"].clone(),
        Some(kind) => json!(kind),
        None => [
            &body["think"],
            &body["reasoning_effort"],
            &body["generationConfig"]["thinkingConfig"],
        ]
        .into_iter()
        .find(|field| !field.is_null())
        .cloned()
        .unwrap_or_default(),
    };
    calls.map(field).collect()
}

/// Asks twice, so that what was refused once is seen to be remembered.
async fn check(
    provider: &dyn Provider,
    server: &ScriptedOllama,
    wanted: Thinking,
    expect: (Value, Thinking),
) {
    for _ in 0..2 {
        let (text, usage) = all(provider.chat(wish(wanted)).await.unwrap()).await;
        assert_eq!((text.as_str(), usage.is_ok()), ("yes", true));
    }
    assert_eq!(
        (json!(said(server)), provider.grants(wanted).await),
        expect,
        "{wanted:?}"
    );
    assert_eq!(server.script_errors(), Vec::<String>::new());
}

const YES: &str = "{respond: {text: 'yes', thinking: well now}}";

#[tokio::test]
async fn what_ollama_is_asked() {
    let check = async |model: &str, wanted: Thinking, asked: Value, granted: Thinking| {
        let server = serve(model, YES).await;
        let twice = json!([asked, asked]);
        check(&ollama(&server), &server, wanted, (twice, granted)).await;
    };
    check("kind: chat", ProviderDefault, json!(null), ProviderDefault).await;
    check("kind: chat", High, json!(null), Off).await;
    check("kind: chat", Off, json!(null), Off).await;
    check("kind: thinking", ProviderDefault, json!(null), ProviderDefault).await;
    check("kind: thinking", Off, json!(false), Off).await;
    check("kind: thinking", Low, json!(true), Low).await;
    let levels = "kind: thinking, thinks: levels";
    check(levels, Medium, json!("medium"), Medium).await;
    check(levels, Off, json!("low"), Low).await;
}

#[tokio::test]
async fn a_model_of_ollama_that_does_not_think_is_asked_once_whether_it_does() {
    let server = serve("kind: chat", YES).await;
    let ollama = ollama(&server);
    for _ in 0..2 {
        all(ollama.chat(wish(High)).await.unwrap()).await.1.unwrap();
    }
    let shows = server
        .requests()
        .into_iter()
        .filter(|record| record.path == "/api/show");
    assert_eq!(shows.count(), 1);
}

#[tokio::test]
async fn what_is_thought_is_no_part_of_the_answer() {
    let check = async |provider: &dyn Provider, wanted: Thinking, expect: u64| {
        let (text, usage) = all(provider.chat(wish(wanted)).await.unwrap()).await;
        let got = (text.as_str(), usage.map(|usage| usage.thinking_bytes));
        assert_eq!(got, ("yes", Ok(expect)), "{:?} {wanted:?}", provider.identity());
    };
    for (wanted, expect) in [(Off, 0), (High, 8)] {
        let server = serve("kind: thinking", YES).await;
        check(&ollama(&server), wanted, expect).await;
        check(&hosted(OpenAi, &server), wanted, expect).await;
        check(&hosted(Anthropic, &server), wanted, expect).await;
    }
}

#[tokio::test]
async fn thoughts_have_room_beside_the_answer() {
    let check = async |provider: &dyn Provider, server: &ScriptedOllama, field: &str, expect: u64| {
        all(provider.chat(wish(Medium)).await.unwrap()).await.1.unwrap();
        let records = server.requests();
        let limit = records.last().unwrap().body.pointer(field).cloned();
        assert_eq!(limit, Some(json!(expect)), "{field}");
    };
    let server = serve("kind: thinking", YES).await;
    // A quarter of the small context, and all that the level takes of the large one.
    check(&ollama(&server), &server, "/options/num_predict", 1_124).await;
    check(&hosted(OpenAi, &server), &server, "/max_tokens", 8_292).await;
    check(&hosted(Anthropic, &server), &server, "/max_tokens", 8_292).await;
    check(
        &hosted(Gemini, &server),
        &server,
        "/generationConfig/maxOutputTokens",
        8_292,
    )
    .await;
}

#[tokio::test]
async fn what_a_service_is_asked_and_what_is_left_of_it() {
    let check = async |kind: HostedKind, thinks: &str, wanted: Thinking, expect: (Value, Thinking)| {
        let server = serve(&format!("kind: thinking, thinks: {thinks}"), YES).await;
        check(&hosted(kind, &server), &server, wanted, expect).await;
    };
    let budget = |tokens: u32| json!({"thinkingBudget": tokens});
    let level = |name: &str| json!({"thinkingLevel": name});
    let adaptive = |effort: &str| json!(["adaptive", effort]);
    for kind in [OpenAi, Anthropic, Gemini] {
        check(
            kind,
            "anything",
            ProviderDefault,
            (json!([null, null]), ProviderDefault),
        )
        .await;
    }
    check(OpenAi, "anything", High, (json!(["high", "high"]), High)).await;
    check(OpenAi, "anything", Off, (json!(["none", "none"]), Off)).await;
    check(OpenAi, "levels", Off, (json!(["none", "low", "low"]), Low)).await;
    check(
        OpenAi,
        "nothing",
        Low,
        (json!(["low", null, null]), ProviderDefault),
    )
    .await;
    check(
        OpenAi,
        "nothing",
        Off,
        (json!(["none", "low", null, null]), ProviderDefault),
    )
    .await;
    let high = adaptive("high");
    check(Anthropic, "anything", High, (json!([high, high]), High)).await;
    check(Anthropic, "anything", Off, (json!(["disabled", "disabled"]), Off)).await;
    check(Anthropic, "tokens", High, (json!([high, 24_576, 24_576]), High)).await;
    let low = adaptive("low");
    check(Anthropic, "levels", Off, (json!(["disabled", low, low]), Low)).await;
    check(
        Anthropic,
        "nothing",
        High,
        (json!([high, 24_576, null, null]), ProviderDefault),
    )
    .await;
    let medium = level("medium");
    check(Gemini, "anything", Medium, (json!([medium, medium]), Medium)).await;
    check(
        Gemini,
        "tokens",
        Medium,
        (json!([medium, budget(8_192), budget(8_192)]), Medium),
    )
    .await;
    check(Gemini, "tokens", Off, (json!([budget(0), budget(0)]), Off)).await;
    check(
        Gemini,
        "levels",
        Off,
        (json!([budget(0), level("low"), level("low")]), Low),
    )
    .await;
    let refused = json!([medium, budget(8_192), null, null]);
    check(Gemini, "nothing", Medium, (refused, ProviderDefault)).await;
}

#[tokio::test]
async fn an_answer_by_a_schema_may_be_thought_about() {
    let rules = "{respond: {json: {a: 1}, thinking: well now}}";
    for kind in [OpenAi, Anthropic, Gemini] {
        let server = serve("kind: thinking", rules).await;
        let request = ChatRequest {
            format: Some(json!({"type": "object"})),
            temperature: Some(0.2),
            ..wish(High)
        };
        let hosted = hosted(kind, &server);
        let (text, usage) = all(hosted.chat(request).await.unwrap()).await;
        assert_eq!((text.as_str(), usage.is_ok()), (r#"{"a":1}"#, true), "{kind:?}");
        assert_eq!(
            (said(&server).len(), hosted.grants(High).await),
            (1, High),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn the_thoughts_before_a_call_come_back_with_its_answer() {
    let rules = "{match: {lacks: found, in: all}, respond: {thinking: hm, tool_calls: [{name: read, arguments: {path: a}}]}}, \
                 {respond: {thinking: aha, text: 'yes'}}";
    for (kind, thinks) in [
        (Anthropic, "anything"),
        (Anthropic, "tokens"),
        (OpenAi, "anything"),
        (Gemini, "anything"),
    ] {
        let server = serve(&format!("kind: thinking, thinks: {thinks}"), rules).await;
        let hosted = hosted(kind, &server);
        let question = ChatRequest {
            tools: vec![Tool {
                name: "read".to_owned(),
                description: "Reads a file.".to_owned(),
                parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
            }],
            ..wish(Low)
        };
        let chunks: Vec<_> = futures::StreamExt::collect(hosted.chat(question.clone()).await.unwrap()).await;
        let Some(Ok(Chunk::ToolCall(call))) = chunks.first() else {
            panic!("{chunks:?}")
        };
        let mut messages = question.messages.clone();
        messages.push(Message {
            tool_calls: vec![call.clone()],
            ..Message::assistant("")
        });
        messages.push(Message {
            tool_call_id: Some(call.id.clone()),
            ..Message::new(Role::Tool, "found")
        });
        let before = said(&server).len();
        let answer = ChatRequest { messages, ..question };
        let (text, usage) = all(hosted.chat(answer).await.unwrap()).await;
        assert_eq!((text.as_str(), usage.is_ok()), ("yes", true), "{kind:?} {thinks}");
        // Nothing was refused for what is missing.
        assert_eq!(said(&server).len(), before + 1, "{kind:?} {thinks}");
        assert_eq!(hosted.grants(Low).await, Low);
        let records = server.requests();
        let body = records.last().unwrap().body.to_string();
        assert_eq!(body.contains(r#""signature":"#), kind == Anthropic, "{body}");
    }
}
