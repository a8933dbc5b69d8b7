//! The server over real HTTP, as any client meets it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests stop the test, as the tests themselves do, and take values where they are made"
)]

mod anthropic;
mod fault_list;
mod faults;
mod formats;
mod gemini;
mod generation;
mod keys;
mod models;
mod openai;
mod replays;
mod seeds;

use std::collections::BTreeMap;

use reqwest::{Client, Response};
use scripted_ollama::{Builder, ScriptedOllama};
use serde_json::Value;

const MODEL: &str = "mistral:7b-instruct";
const EMBED_MODEL: &str = "nomic-embed-text";

/// Keys whose values depend on the clock.
const CLOCK_KEYS: &[&str] = &[
    "created",
    "created_at",
    "modified_at",
    "expires_at",
    "digest",
    "total_duration",
    "load_duration",
    "prompt_eval_duration",
    "eval_duration",
];

fn builder(script: &str) -> Builder {
    ScriptedOllama::builder()
        .model(MODEL)
        .embedding_model(EMBED_MODEL)
        .script(script)
}

async fn start(script: &str) -> ScriptedOllama {
    builder(script).start().await.unwrap()
}

async fn post(server: &ScriptedOllama, path: &str, body: impl ToString) -> Response {
    let request = Client::new().post(server.url() + path).body(body.to_string());
    request.send().await.unwrap()
}

/// A request with headers, as services with keys want it.
async fn post_with(
    server: &ScriptedOllama,
    path: &str,
    headers: &[(&str, &str)],
    body: impl ToString,
) -> Response {
    let request = Client::new().post(server.url() + path).body(body.to_string());
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

/// The events of a stream, without what depends on the clock: the name of each,
/// empty if it has none, and its data.
async fn events(response: Response) -> Vec<(String, Value)> {
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("text/event-stream"), "{kind}");
    let text = response.text().await.unwrap().replace("\r\n", "\n");
    let (whole, rest) = text.rsplit_once("\n\n").unwrap();
    assert_eq!(rest, "");
    let events = whole.split("\n\n").map(|event| {
        let (name, data) = match event.strip_prefix("event: ") {
            Some(event) => event.split_once('\n').unwrap(),
            None => ("", event),
        };
        let data = data.strip_prefix("data: ").unwrap();
        let mut value = serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.to_owned()));
        timeless(&mut value);
        (name.to_owned(), value)
    });
    events.collect()
}

async fn get(server: &ScriptedOllama, path: &str) -> Response {
    Client::new().get(server.url() + path).send().await.unwrap()
}

/// Status and body, without what depends on the clock.
async fn json(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let mut value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    timeless(&mut value);
    (status, value)
}

/// The lines of a stream, without what depends on the clock.
async fn lines(response: Response) -> Vec<Value> {
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    let lines = text.lines().map(|line| {
        let mut value = serde_json::from_str(line).unwrap_or_else(|_| Value::String(line.to_owned()));
        timeless(&mut value);
        value
    });
    lines.collect()
}

/// The text of the lines.
fn text(lines: &[Value]) -> String {
    let of_line = |line: &Value| {
        let text = line["message"]["content"].as_str().or(line["response"].as_str());
        text.unwrap_or_default().to_owned()
    };
    lines.iter().map(of_line).collect()
}

fn timeless(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let mut kept: BTreeMap<String, Value> = std::mem::take(object).into_iter().collect();
            kept.retain(|key, _| !CLOCK_KEYS.contains(&key.as_str()));
            kept.values_mut().for_each(timeless);
            object.extend(kept);
        }
        Value::Array(items) => items.iter_mut().for_each(timeless),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
