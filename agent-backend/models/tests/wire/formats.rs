//! All providers against the scripted server, which checks requests as the
//! real servers do: the same script, the same outcome.

use bytes::Bytes;
use models::{
    ChatRequest, Chunk, Error, Finish, Hosted, HostedKind, HostedOptions, Image, Key, Message, Ollama,
    Provider, Role, Tool, ToolCall, Trouble,
};
use scripted_ollama::{Outcome, ScriptedOllama};
use serde_json::json;
use shared::error::Code;

use super::{NUM_CTX, ask, ended, options};

const MODEL: &str = "some-model";
const KEY: &str = "sk-test-0123456789abcdef";

/// Smallest PNG there is: one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\xdc\xccY\xe7\0\0\0\0IEND\xaeB`\x82";

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Ollama,
    Hosted(HostedKind),
}

const ALL: [Who; 4] = [
    Who::Ollama,
    Who::Hosted(HostedKind::OpenAi),
    Who::Hosted(HostedKind::Anthropic),
    Who::Hosted(HostedKind::Gemini),
];

async fn serve(script: &str) -> ScriptedOllama {
    let keys = format!("keys: {{openai: {KEY}, anthropic: {KEY}, gemini: {KEY}}}\n");
    let server = ScriptedOllama::builder().model(MODEL).script(&*(keys + script));
    server.start().await.unwrap()
}

fn provider(who: Who, url: &str, model: &str, key: Option<&str>) -> Box<dyn Provider> {
    match who {
        Who::Ollama => {
            let options = models::OllamaOptions {
                model: model.to_owned(),
                ..options(url)
            };
            Box::new(Ollama::new(options).unwrap())
        }
        Who::Hosted(kind) => {
            let options = HostedOptions {
                url: url.to_owned(),
                key: key.map(Key::new),
                context_tokens: NUM_CTX,
                ..HostedOptions::new(kind, model)
            };
            Box::new(Hosted::new(options).unwrap())
        }
    }
}

async fn chunks(provider: &dyn Provider, request: ChatRequest) -> Vec<Result<Chunk, Error>> {
    match provider.chat(request).await {
        Ok(stream) => futures::StreamExt::collect(stream).await,
        Err(error) => vec![Err(error)],
    }
}

/// The text, the calls, and how it ended.
async fn answer(
    provider: &dyn Provider,
    request: ChatRequest,
) -> (String, Vec<ToolCall>, Result<Finish, Error>) {
    let (mut text, mut calls) = (String::new(), Vec::new());
    for chunk in chunks(provider, request).await {
        match chunk {
            Ok(Chunk::Token { text: piece }) => text.push_str(&piece),
            Ok(Chunk::ToolCall(call)) => calls.push(call),
            Ok(Chunk::Done(usage)) => return (text, calls, Ok(usage.finish)),
            Err(error) => return (text, calls, Err(error)),
        }
    }
    panic!("the stream ends without an end: {text:?}");
}

fn read_tool() -> Tool {
    Tool {
        name: "read".to_owned(),
        description: "Reads a file.".to_owned(),
        parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}),
    }
}

#[tokio::test]
async fn answers() {
    let check = async |respond: &str, text: &str, finish: Finish| {
        for who in ALL {
            let server = serve(&format!("rules: [{{respond: {{{respond}}}}}]")).await;
            let provider = provider(who, &server.url(), MODEL, Some(KEY));
            let (came, calls, ended) = answer(provider.as_ref(), ask("x")).await;
            assert_eq!(
                (came.as_str(), calls, ended),
                (text, vec![], Ok(finish)),
                "{who:?} {respond}"
            );
            assert_eq!(server.script_errors(), Vec::<String>::new());
        }
    };
    check("text: hello you", "hello you", Finish::Stop).await;
    check("text: '日本語 😀', bytes_per_write: 1", "日本語 😀", Finish::Stop).await;
    check("text: x, duplicate_done: true", "x", Finish::Stop).await;
}

#[tokio::test]
async fn counts() {
    for who in ALL {
        let server = serve("rules: [{respond: {text: hello you}}]").await;
        let provider = provider(who, &server.url(), MODEL, Some(KEY));
        let chunks = chunks(provider.as_ref(), ask("one two")).await;
        let Some(Ok(Chunk::Done(usage))) = chunks.last() else {
            panic!("{chunks:?}")
        };
        assert!(
            usage.prompt_tokens > 0 && usage.generated_tokens > 0,
            "{who:?} {usage:?}"
        );
        assert_eq!(usage.context.used_tokens, Some(usage.prompt_tokens));
    }
}

#[tokio::test]
async fn an_answer_that_its_limit_cuts() {
    for who in ALL {
        let server = serve("rules: [{respond: {text: one two three}}]").await;
        let provider = provider(who, &server.url(), MODEL, Some(KEY));
        let request = ChatRequest {
            tokens_max: Some(2),
            ..ask("x")
        };
        let (text, _, ended) = answer(provider.as_ref(), request).await;
        assert_eq!((text.as_str(), ended), ("one two", Ok(Finish::Length)), "{who:?}");
    }
}

#[tokio::test]
async fn answers_by_a_schema() {
    for who in ALL {
        // Anthropic's models are made to call a tool that takes the answer.
        let respond = match who {
            Who::Hosted(HostedKind::Anthropic) => "tool_calls: [{name: answer, arguments: {steps: [a]}}]",
            Who::Ollama | Who::Hosted(HostedKind::OpenAi | HostedKind::Gemini) => "json: {steps: [a]}",
        };
        let server = serve(&format!("rules: [{{respond: {{{respond}}}}}]")).await;
        let provider = provider(who, &server.url(), MODEL, Some(KEY));
        let schema = json!({
            "type": "object",
            "properties": {"steps": {"type": "array", "items": {"type": "string"}}},
            "required": ["steps"],
            "additionalProperties": false,
        });
        let request = ChatRequest {
            format: Some(schema),
            ..ask("plan")
        };
        let (text, calls, ended) = answer(provider.as_ref(), request).await;
        assert_eq!((calls, ended), (vec![], Ok(Finish::Stop)), "{who:?} {text}");
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found, json!({"steps": ["a"]}));
        assert_eq!(server.script_errors(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_conversation_with_a_tool() {
    for who in ALL {
        let script = r#"rules:
  - match: {contains: "the contents of b", in: all}
    respond: {text: "it says so"}
  - respond: {tool_calls: [{name: read, arguments: {path: a}}, {name: read, arguments: {path: b}}]}"#;
        let server = serve(script).await;
        let provider = provider(who, &server.url(), MODEL, Some(KEY));
        let mut request = ChatRequest {
            system: "be brief".to_owned(),
            tools: vec![read_tool()],
            ..ask("read a and b")
        };
        let (text, calls, ended) = answer(provider.as_ref(), request.clone()).await;
        assert_eq!((text.as_str(), ended), ("", Ok(Finish::ToolCalls)), "{who:?}");
        let found: Vec<_> = calls
            .iter()
            .map(|call| (call.name.as_str(), &call.arguments))
            .collect();
        assert_eq!(
            found,
            [("read", &json!({"path": "a"})), ("read", &json!({"path": "b"}))]
        );
        assert_ne!(calls[0].id, calls[1].id);
        request.messages.push(Message {
            tool_calls: calls.clone(),
            ..Message::assistant("")
        });
        for (call, contents) in calls.iter().zip(["the contents of a", "the contents of b"]) {
            request.messages.push(Message {
                tool_call_id: Some(call.id.clone()),
                ..Message::new(Role::Tool, contents)
            });
        }
        let (text, calls, ended) = answer(provider.as_ref(), request).await;
        assert_eq!(
            (text.as_str(), calls, ended),
            ("it says so", vec![], Ok(Finish::Stop)),
            "{who:?} {:?}",
            server.requests().last()
        );
        assert_eq!(server.script_errors(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn pictures() {
    for who in ALL {
        let server = serve("rules: [{respond: {text: a dot}}]").await;
        let provider = provider(who, &server.url(), MODEL, Some(KEY));
        let picture = Image {
            media_type: "image/png".to_owned(),
            bytes: Bytes::from_static(PNG),
        };
        let request = ChatRequest {
            messages: vec![Message {
                images: vec![picture],
                ..Message::user("what is it?")
            }],
            ..ChatRequest::default()
        };
        let (text, _, ended) = answer(provider.as_ref(), request).await;
        assert_eq!((text.as_str(), ended), ("a dot", Ok(Finish::Stop)), "{who:?}");
        let body = server.requests()[0].body.to_string();
        assert!(body.contains("iVBORw0KGgo"), "{who:?} {body}");
    }
}

#[tokio::test]
async fn answers_that_are_none() {
    for who in ALL {
        let server = serve("rules: [{respond: {refusal: I will not.}}]").await;
        let provider = provider(who, &server.url(), MODEL, Some(KEY));
        let (text, _, ended) = answer(provider.as_ref(), ask("x")).await;
        let finish = match who {
            // It has no word for it: the text is all there is. Google's format
            // tells of filters alone.
            Who::Ollama | Who::Hosted(HostedKind::Gemini) => Finish::Stop,
            Who::Hosted(HostedKind::OpenAi | HostedKind::Anthropic) => Finish::Refused,
        };
        assert_eq!((text.as_str(), ended), ("I will not.", Ok(finish)), "{who:?}");
    }
    for kind in [HostedKind::OpenAi, HostedKind::Gemini] {
        let server = serve("rules: [{respond: {text: a b c, blocked_after_tokens: 1}}]").await;
        let provider = provider(Who::Hosted(kind), &server.url(), MODEL, Some(KEY));
        let (text, _, ended) = answer(provider.as_ref(), ask("x")).await;
        assert_eq!((text.as_str(), ended), ("a", Ok(Finish::Refused)), "{kind:?}");
    }
}

#[tokio::test]
async fn each_way_of_failing() {
    let broken = (Code::ModelStreamBroken, Trouble::Network);
    let check = async |respond: &str, text: &str, expect: (Code, Trouble)| {
        for who in ALL {
            let server = serve(&format!("rules: [{{respond: {{{respond}}}}}]")).await;
            let provider = provider(who, &server.url(), MODEL, Some(KEY));
            let (came, _, ended) = answer(provider.as_ref(), ask("x")).await;
            let error = ended.unwrap_err();
            assert_eq!(
                (came.as_str(), error.code(), error.trouble()),
                (text, expect.0, expect.1),
                "{who:?} {respond}: {error}"
            );
        }
    };
    check("text: a b c, cut_after_tokens: 1", "a", broken).await;
    check("text: a b c, end_after_tokens: 1", "a", broken).await;
    check(
        "text: a b c, garbage_after_tokens: {tokens: 1, text: '{'}",
        "a",
        broken,
    )
    .await;
    check(
        "text: a b c, error_after_tokens: {tokens: 1, message: CUDA error}",
        "a",
        broken,
    )
    .await;
    check("text: a, done_reason: unload", "a", broken).await;
    let overloaded = (Code::ModelOverloaded, Trouble::Overload);
    check("error: {status: 503, message: busy}", "", overloaded).await;
    let limited = (Code::ModelOverloaded, Trouble::RateLimit);
    check(
        "error: {status: 429, message: slow, retry_after_secs: 7}",
        "",
        limited,
    )
    .await;
    check("error: {status: 500, message: oh}", "", broken).await;
    let refused = (Code::ModelRefused, Trouble::Invalid);
    check("error: {status: 400, message: no}", "", refused).await;
    let page = "raw: {status: 200, content_type: text/html, body: hi}";
    check(page, "", (Code::NotAModelServer, Trouble::Unfit)).await;
}

#[tokio::test]
async fn keys_and_models() {
    let check = async |who: Who, model: &str, key: Option<&str>, expect: (Code, Trouble)| {
        let server = serve("rules: [{respond: {text: x}}]").await;
        let provider = provider(who, &server.url(), model, key);
        let error = answer(provider.as_ref(), ask("x")).await.2.unwrap_err();
        assert_eq!(
            (error.code(), error.trouble()),
            expect,
            "{who:?} {key:?}: {error}"
        );
        assert!(!format!("{error} {error:?}").contains("0123456789"), "{error}");
    };
    for who in ALL {
        let unknown = (Code::ModelNotPulled, Trouble::Unfit);
        check(who, "no-such-model", Some(KEY), unknown).await;
        if who != Who::Ollama {
            let refused = (Code::KeyRefused, Trouble::Auth);
            check(who, MODEL, None, refused).await;
            check(who, MODEL, Some("sk-wrong-0123456789abcdef"), refused).await;
        }
    }
}

#[tokio::test]
async fn what_is_too_long_for_the_server() {
    for who in ALL {
        if who == Who::Ollama {
            // It cuts without a word, which is another test's.
            continue;
        }
        let spec = "models: [{name: small, context_length: 64}]\nrules: [{respond: {text: x}}]";
        let server = serve(spec).await;
        let provider = provider(who, &server.url(), "small", Some(KEY));
        let long: String = (0..200).map(|number| format!("w{number} ")).collect();
        let error = answer(provider.as_ref(), ask(&long)).await.2.unwrap_err();
        assert_eq!(
            (error.code(), error.trouble()),
            (Code::ContextOverflow, Trouble::ContextOverflow),
            "{who:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_caller_that_goes_away() {
    for who in ALL {
        for after in [0, 1] {
            let script = format!("rules: [{{respond: {{text: a b c, stall_after_tokens: {after}}}}}]");
            let server = serve(&script).await;
            let provider = provider(who, &server.url(), MODEL, Some(KEY));
            tokio::select! {
                ended = answer(provider.as_ref(), ask("x")) => panic!("it ends: {ended:?}"),
                records = server.wait_for(|records| !records.is_empty()) => assert!(!ended(&records)),
            }
            let records = server.wait_for(ended).await;
            assert_eq!(
                records.last().map(|record| &record.outcome),
                Some(&Outcome::Disconnected),
                "{who:?} {after}"
            );
        }
    }
}
