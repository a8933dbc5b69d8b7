//! Every fault in every format.

use scripted_ollama::{Fault, Format, Match, Outcome, Respond, Script, ScriptedOllama};
use serde_json::{Value, json};

use super::{
    MODEL,
    formats::{ALL, Read, ask, ask_whole, read, request},
    get, json, post, post_with,
};

const TEXT: &str = "a b é😀";
/// The fault's own words.
const OWN: &str = "boom";

async fn serve(fault: &Value) -> ScriptedOllama {
    let respond = Respond::text(TEXT).with_fault(parsed(fault));
    let script = Script::default().rule(Match::default(), respond);
    let builder = ScriptedOllama::builder().model(MODEL).script(script);
    builder.start().await.unwrap()
}

fn parsed(fault: &Value) -> Fault {
    serde_json::from_value(fault.clone()).unwrap()
}

/// What is left of an answer: its text, how often its end is told, whether the
/// connection broke, and whether the fault's own words are in it.
type Left = (String, usize, bool, bool);

fn left(read: &Read, format: Format) -> Left {
    (
        read.text(),
        read.ends(format),
        read.broke,
        read.body().contains(OWN),
    )
}

#[tokio::test]
async fn in_streams() {
    let all = (TEXT, 1, false, false);
    let table = [
        (json!({"cut": {"tokens": 0}}), ("", 0, true, false)),
        (json!({"cut": {"tokens": 2}}), ("a b", 0, true, false)),
        (json!({"end": {"tokens": 2}}), ("a b", 0, false, false)),
        (
            json!({"error": {"tokens": 2, "message": OWN, "status": 500}}),
            ("a b", 0, false, true),
        ),
        (
            json!({"garbage": {"tokens": 2, "text": "<boom>"}}),
            (TEXT, 1, false, true),
        ),
        (json!({"stall": {"tokens": 2, "ms": 1}}), all),
        (json!({"stall": {"ms": 1}}), all),
        (json!({"slow": {"tokens_per_second": 10_000.0}}), all),
        (json!({"torn": {"bytes": 1}}), all),
        (json!("split_characters"), all),
        (json!("buffered"), all),
        (json!("duplicate_end"), (TEXT, 2, false, false)),
    ];
    for (fault, (text, ends, broke, own)) in table {
        let server = serve(&fault).await;
        for format in ALL {
            let read = read(ask(&server, format, "x").await).await;
            let expect = (text.to_owned(), ends, broke, own);
            assert_eq!(left(&read, format), expect, "{fault} {format:?}\n{}", read.body());
            let record = server.requests().pop().unwrap();
            assert_eq!(record.faults, [parsed(&fault)]);
        }
    }
}

#[tokio::test]
async fn in_whole_answers() {
    let all = (200, TEXT, false, false);
    let table = [
        (json!({"cut": {"tokens": 2}}), (200, "", true, false)),
        (json!({"cut": {"bytes": 9}}), (200, "", true, false)),
        (json!({"end": {"tokens": 2}}), (200, "", true, false)),
        (
            json!({"error": {"tokens": 2, "message": OWN, "status": 503}}),
            (503, "", false, true),
        ),
        (
            json!({"garbage": {"tokens": 2, "text": "<boom>"}}),
            (200, "", false, true),
        ),
        (json!({"stall": {"tokens": 2, "ms": 1}}), all),
        (json!({"torn": {"bytes": 1}}), all),
        (json!("split_characters"), all),
        (json!("buffered"), all),
        (json!("duplicate_end"), all),
    ];
    for (fault, (status, text, broke, own)) in table {
        let server = serve(&fault).await;
        for format in ALL {
            let read = read(ask_whole(&server, format, "x").await).await;
            let found = (read.status, read.text(), read.broke, read.body().contains(OWN));
            assert_eq!(
                found,
                (status, text.to_owned(), broke, own),
                "{fault} {format:?}\n{}",
                read.body()
            );
        }
    }
}

#[tokio::test]
async fn cut_after_bytes() {
    for bytes in [1, 10, 300] {
        let server = serve(&json!({"cut": {"bytes": bytes}})).await;
        for format in ALL {
            let read = read(ask(&server, format, "x").await).await;
            assert_eq!(
                (read.writes.concat().len(), read.broke),
                (bytes, true),
                "{format:?}"
            );
            assert_eq!(server.requests().pop().unwrap().outcome, Outcome::Cut);
        }
    }
}

#[tokio::test]
async fn how_the_bytes_go_out() {
    let is_text = |write: &Vec<u8>| std::str::from_utf8(write).is_ok();
    for format in ALL {
        let server = serve(&json!("split_characters")).await;
        let split = read(ask(&server, format, "x").await).await;
        // Around the first byte of each of the two characters, which are neighbours.
        assert_eq!(
            split.writes.iter().filter(|write| !is_text(write)).count(),
            3,
            "{format:?}"
        );
        let server = serve(&json!({"torn": {"bytes": 1}})).await;
        let torn = read(ask(&server, format, "x").await).await;
        assert!(torn.writes.iter().any(|write| !is_text(write)), "{format:?}");
        // Kept back to the end: one write, and nothing before it.
        let server = serve(&json!("buffered")).await;
        server.gate().close();
        let waiting = async {
            server
                .wait_for(|records| records.last().is_some_and(|record| record.rule.is_some()))
                .await;
            server.gate().release(2);
            server
                .wait_for(|records| records.last().is_some_and(|record| record.tokens_sent == 2))
                .await;
            server.gate().open();
        };
        let (response, ()) = tokio::join!(ask(&server, format, "x"), waiting);
        let tokens = server.requests()[0].tokens_sent;
        assert_eq!(
            (read(response).await.text(), tokens),
            (TEXT.to_owned(), 3),
            "{format:?}"
        );
    }
}

#[tokio::test]
async fn in_place_of_an_answer() {
    for (status, retry_after_secs) in [(401, None), (404, None), (429, Some(3)), (500, None), (503, None)] {
        let mut refusal = json!({"status": status, "message": OWN});
        if let Some(seconds) = retry_after_secs {
            refusal["retry_after_secs"] = json!(seconds);
        }
        let fault = json!({"status": refusal});
        let server = serve(&fault).await;
        for format in ALL {
            let response = ask(&server, format, "x").await;
            let retry = response
                .headers()
                .get("retry-after")
                .map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(retry, retry_after_secs.map(|seconds| seconds.to_string()));
            let read = read(response).await;
            assert_eq!((read.status, read.body().contains(OWN)), (status, true));
        }
    }
    let page = json!({"raw": {"status": 502, "content_type": "text/html", "body": "<p>boom"}});
    let server = serve(&page).await;
    for format in ALL {
        let response = ask(&server, format, "x").await;
        assert_eq!(response.headers()["content-type"], "text/html");
        let read = read(response).await;
        assert_eq!((read.status, read.body()), (502, "<p>boom".to_owned()));
    }
}

#[tokio::test]
async fn silence_for_ever() {
    for tokens in [0, 2] {
        let server = serve(&json!({"stall": {"tokens": tokens}})).await;
        for (index, format) in ALL.into_iter().enumerate() {
            let (path, headers, body) = request(format, "x", true);
            let address = server.url();
            let waiting = tokio::spawn(async move {
                let request = reqwest::Client::new()
                    .post(address + &path)
                    .body(body.to_string());
                let request = headers
                    .iter()
                    .fold(request, |request, (name, value)| request.header(*name, *value));
                read(request.send().await.unwrap()).await
            });
            server
                .wait_for(|records| {
                    let record = records.get(index);
                    record.is_some_and(|record| record.rule.is_some() && record.tokens_sent == tokens)
                })
                .await;
            assert!(!waiting.is_finished());
            waiting.abort();
            let ended = server
                .wait_for(|records| {
                    records
                        .get(index)
                        .is_some_and(|record| record.outcome != Outcome::Running)
                })
                .await;
            assert_eq!(
                (ended[index].tokens_sent, &ended[index].outcome),
                (tokens, &Outcome::Disconnected)
            );
        }
    }
}

#[tokio::test]
async fn lies() {
    for format in ALL {
        let told = async |fault: Value| {
            let server = serve(&fault).await;
            let read = read(ask(&server, format, "one two three four").await).await;
            assert_eq!(read.text(), TEXT);
            (
                read.models(),
                read.prompt_tokens(),
                server.requests()[0].prompt_tokens,
            )
        };
        let model = |name: &str| vec![name.to_owned()];
        assert_eq!(
            told(json!("duplicate_end")).await,
            (model(MODEL), vec![9], 9),
            "{format:?}"
        );
        assert_eq!(
            told(json!({"prompt_count": {"tokens": 3}})).await,
            (model(MODEL), vec![3], 9),
            "{format:?}"
        );
        assert_eq!(
            told(json!({"prompt_count": {}})).await,
            (model(MODEL), vec![], 9),
            "{format:?}"
        );
        let other = told(json!({"wrong_model": {"name": "other"}})).await;
        assert_eq!(other, (model("other"), vec![9], 9), "{format:?}");
        let small = told(json!({"small_context": {"num_ctx": 6}})).await;
        assert_eq!(small, (model(MODEL), vec![6], 6), "{format:?}");
    }
}

#[tokio::test]
async fn what_is_loaded() {
    let loaded = async |fault: Value| {
        let server = serve(&fault).await;
        let mut seen = Vec::new();
        for _ in 0..2 {
            post(&server, "/api/chat", request(Format::Ollama, "x", false).2).await;
            let (_, running) = json(get(&server, "/api/ps").await).await;
            let model = &running["models"][0];
            seen.push((model["name"].clone(), model["context_length"].clone()));
        }
        let chats = server.requests();
        let loads = chats.iter().filter(|record| record.loaded_model).count();
        assert_eq!(seen[0], seen[1]);
        (seen.swap_remove(0), loads)
    };
    assert_eq!(
        loaded(json!("duplicate_end")).await,
        ((json!(MODEL), json!(4096)), 1)
    );
    // What is not as it was asked for is loaded anew, and turns out wrong again.
    assert_eq!(
        loaded(json!({"small_context": {"num_ctx": 512}})).await,
        ((json!(MODEL), json!(512)), 2)
    );
    assert_eq!(
        loaded(json!({"wrong_model": {"name": "other:7b"}})).await,
        ((json!("other:7b"), json!(4096)), 2)
    );
}

#[tokio::test]
async fn an_ollama_that_is_too_old() {
    let server = ScriptedOllama::builder()
        .model(MODEL)
        .script("fault: old_server\nrules: [{respond: {text: x}}]")
        .start()
        .await
        .unwrap();
    assert_eq!(
        json(get(&server, "/api/version").await).await,
        (200, json!({"version": "0.1.30"}))
    );
    let (_, answer) = json(post(&server, "/api/chat", request(Format::Ollama, "x", false).2).await).await;
    assert_eq!(
        (answer.get("done"), answer.get("done_reason")),
        (Some(&json!(true)), None)
    );
    let (_, running) = json(get(&server, "/api/ps").await).await;
    assert_eq!(
        (
            running["models"][0].get("name"),
            running["models"][0].get("context_length")
        ),
        (Some(&json!(MODEL)), None)
    );
    let (_, shown) = json(post(&server, "/api/show", json!({"model": MODEL})).await).await;
    assert_eq!((shown.get("model_info"), shown.get("capabilities")), (None, None));
    assert!(shown.get("details").is_some());
}

#[tokio::test]
async fn everything_is_down() {
    let server = ScriptedOllama::builder()
        .model(MODEL)
        .script("fault: { status: { status: 503, message: down } }\nrules: [{respond: {text: x}}]")
        .start()
        .await
        .unwrap();
    for format in ALL {
        assert_eq!(
            ask(&server, format, "x").await.status().as_u16(),
            503,
            "{format:?}"
        );
    }
    for path in ["/api/version", "/api/ps", "/v1/models", "/v1beta/models"] {
        assert_eq!(get(&server, path).await.status().as_u16(), 503, "{path}");
    }
    let embed = post_with(&server, "/api/embed", &[], json!({"model": MODEL, "input": "x"})).await;
    assert_eq!(embed.status().as_u16(), 503);
}

#[tokio::test]
async fn short_forms_are_the_same_faults() {
    let table = [
        ("delay_ms: 5", json!({"stall": {"tokens": 0, "ms": 5}})),
        (
            "error: { status: 503, message: m }",
            json!({"status": {"status": 503, "message": "m"}}),
        ),
        (
            "raw: { status: 200, content_type: text/html, body: b }",
            json!({"raw": {"status": 200, "content_type": "text/html", "body": "b"}}),
        ),
        ("cut_after_tokens: 1", json!({"cut": {"tokens": 1}})),
        ("end_after_tokens: 1", json!({"end": {"tokens": 1}})),
        (
            "error_after_tokens: { tokens: 1, message: m }",
            json!({"error": {"tokens": 1, "message": "m", "status": 500}}),
        ),
        (
            "garbage_after_tokens: { tokens: 1, text: t }",
            json!({"garbage": {"tokens": 1, "text": "t"}}),
        ),
        ("bytes_per_write: 3", json!({"torn": {"bytes": 3}})),
        ("duplicate_done: true", json!("duplicate_end")),
        (
            "tokens_per_second: 10000",
            json!({"slow": {"tokens_per_second": 10_000.0}}),
        ),
        ("prompt_eval_count: 4", json!({"prompt_count": {"tokens": 4}})),
        ("prompt_eval_count: -1", json!({"prompt_count": {"tokens": null}})),
    ];
    for (short, fault) in table {
        let server = ScriptedOllama::builder()
            .model(MODEL)
            .script(format!("rules: [{{respond: {{ {short} }}}}]"))
            .start()
            .await
            .unwrap();
        read(ask(&server, Format::Ollama, "x").await).await;
        let faults = server.requests().pop().unwrap().faults;
        assert_eq!(faults, [parsed(&fault)], "{short}");
    }
}
