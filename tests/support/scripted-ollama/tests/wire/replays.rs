//! Recording a real server, here another scripted one, and answering from what
//! was recorded.

use std::{fs, path::Path};

use reqwest::{Client, Method, Response};
use scripted_ollama::{Exchange, Format, Outcome, Recording, Script, ScriptedOllama};
use serde_json::{Value, json};

use super::{
    MODEL, builder,
    formats::{ALL, ask, read, request},
    post, start,
};

const KEYS: &[(&str, &str)] = &[
    ("authorization", "Bearer secret-o-1"),
    ("x-api-key", "secret-a-1"),
    ("x-goog-api-key", "secret-g-1"),
    ("anthropic-version", "2023-06-01"),
];

const SCRIPT: &str = "
keys: { openai: secret-o-1, anthropic: secret-a-1, gemini: secret-g-1 }
rules:
- match: { contains: break }
  respond: { text: a b c, fault: { cut: { tokens: 2 } } }
- match: { contains: half }
  respond: { text: 'é😀', fault: split_characters }
- match: { contains: busy }
  respond: { error: { status: 429, message: slow down, retry_after_secs: 7 } }
- match: { contains: question, nth: 2 }
  respond: { text: the second time }
- match: { contains: question }
  respond: { text: hello you }";

async fn recorder(upstream: &ScriptedOllama, dir: &Path) -> ScriptedOllama {
    let recording = Recording {
        upstream: upstream.url(),
        dir: dir.to_owned(),
    };
    ScriptedOllama::builder().record(recording).start().await.unwrap()
}

/// What is asked: method, path, headers besides the keys, body.
type Asked = (Method, String, Vec<(&'static str, &'static str)>, Value);

fn questions() -> Vec<Asked> {
    let mut asked = Vec::new();
    for path in ["/api/version", "/api/tags", "/v1/models", "/v1beta/models"] {
        asked.push((Method::GET, path.to_owned(), KEYS.to_vec(), Value::Null));
    }
    for format in ALL {
        for (content, stream) in [
            ("question", true),
            ("question", true),
            ("question", false),
            ("break", true),
            ("half", true),
            ("busy", false),
        ] {
            let (path, _, body) = request(format, content, stream);
            asked.push((Method::POST, path, KEYS.to_vec(), body));
        }
    }
    let (path, _, body) = request(Format::OpenAi, "with a wrong key", false);
    asked.push((
        Method::POST,
        path,
        vec![("authorization", "Bearer secret-o-2")],
        body,
    ));
    asked
}

async fn send(server: &ScriptedOllama, asked: &Asked) -> Response {
    let (method, path, headers, body) = asked;
    let request = Client::new().request(method.clone(), server.url() + path);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    let request = if body.is_null() {
        request
    } else {
        request.body(body.to_string())
    };
    request.send().await.unwrap()
}

/// Everything a client sees.
async fn seen(server: &ScriptedOllama, asked: &Asked) -> (u16, Vec<Option<String>>, Vec<u8>, bool) {
    let response = send(server, asked).await;
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let headers = vec![header("content-type"), header("retry-after")];
    let read = read(response).await;
    (read.status, headers, read.writes.concat(), read.broke)
}

#[tokio::test]
async fn what_was_recorded_is_answered_again() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = start(SCRIPT).await;
    let recorder = recorder(&upstream, dir.path()).await;
    let mut recorded = Vec::new();
    for asked in questions() {
        recorded.push(seen(&recorder, &asked).await);
    }
    assert_eq!(recorded[4].0, 200);
    assert!(recorded.iter().any(|(_, _, _, broke)| *broke));

    let mut files: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let names: Vec<String> = files
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files.len(), questions().len());
    assert_eq!(
        [&names[0], &names[4], &names[10]],
        [
            "0001-api-version.yaml",
            "0005-api-chat.yaml",
            "0011-v1-chat-completions.yaml"
        ]
    );
    for path in &files {
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains("secret-"), "{}: {text}", path.display());
    }
    // The wrong key came back from the server, and is taken out.
    let told = Exchange::load(files.last().unwrap()).unwrap();
    let text: String = told
        .response
        .chunks
        .iter()
        .filter_map(|chunk| chunk.text.clone())
        .collect();
    assert!(text.contains("Incorrect API key provided: [key]."), "{text}");

    drop((upstream, recorder));
    let script = Script::replay(dir.path()).unwrap();
    let server = ScriptedOllama::builder().script(script).start().await.unwrap();
    for (asked, expect) in questions().iter().zip(&recorded) {
        let found = seen(&server, asked).await;
        let expect = (expect.0, expect.1.clone(), redacted(&expect.2), expect.3);
        assert_eq!(found, expect, "{asked:?}");
    }
    assert_eq!(server.script_errors(), Vec::<String>::new());
    let outcomes: Vec<Outcome> = server
        .requests()
        .into_iter()
        .map(|record| record.outcome)
        .collect();
    let done = Outcome::Done {
        reason: "replay".to_owned(),
    };
    let busy = Outcome::Error {
        status: 429,
        message: "replay".to_owned(),
    };
    assert_eq!(
        outcomes[4..10],
        [done.clone(), done.clone(), done.clone(), Outcome::Cut, done, busy]
    );
}

fn redacted(bytes: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.replace("secret-o-2", "[key]").into_bytes(),
        Err(_) => bytes.to_vec(),
    }
}

#[tokio::test]
async fn a_recorder_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = start("").await;
    for expect in 1..=3 {
        let recorder = recorder(&upstream, dir.path()).await;
        let asked = (Method::GET, "/api/version".to_owned(), Vec::new(), Value::Null);
        seen(&recorder, &asked).await;
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), expect);
    }
}

#[tokio::test]
async fn nothing_to_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut upstream = start("").await;
    let recorder = recorder(&upstream, dir.path()).await;
    upstream.abort();
    let read = read(post(&recorder, "/v1/messages?key=secret-g-1", json!({})).await).await;
    assert_eq!(read.status, 502);
    assert!(!read.body().contains("secret-"), "{}", read.body());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

const EXCHANGE: &str = "
request: { method: POST, path: /v1/chat/completions, contains: [hello] }
response:
  status: 503
  headers: { content-type: text/plain, x-own: a }
  chunks: [{ text: 'abc' }, { after_ms: 1, base64: 'w6k=' }]";

#[tokio::test]
async fn a_rule_replays_a_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("one.yaml"), EXCHANGE).unwrap();
    let script = "rules:
- match: { contains: torn }
  respond: { replay: one.yaml, fault: { cut: { bytes: 2 } } }
- respond: { replay: one.yaml }";
    let server = builder(script).script_dir(dir.path()).start().await.unwrap();
    let response = ask(&server, Format::OpenAi, "hello you").await;
    assert_eq!(response.headers()["x-own"], "a");
    let whole = read(response).await;
    assert_eq!(
        (whole.status, whole.body(), whole.broke),
        (503, "abcé".to_owned(), false)
    );
    let torn = read(ask(&server, Format::OpenAi, "hello torn").await).await;
    assert_eq!(
        (torn.status, torn.body(), torn.broke),
        (503, "ab".to_owned(), true)
    );
    ask(&server, Format::OpenAi, "other").await;
    ask(&server, Format::Ollama, "hello").await;
    assert_eq!(
        server.script_errors(),
        [
            "scripted-ollama: the exchange is about \"hello\", the request is not",
            "scripted-ollama: the exchange was recorded at POST /v1/chat/completions, not at POST /api/chat",
        ]
    );
    assert_eq!(server.requests()[0].model(), MODEL);
}
