//! Each way of failing, its code and its class.

use std::time::Duration;

use models::{ChatRequest, Context, Error, Ollama, OllamaOptions, Phase, Provider};
use scripted_ollama::{Outcome, ScriptedOllama};
use shared::error::{Class, Code};

use super::{MODEL, SHORT, answer, ask, ended, options, start, start_with};

fn broken(reason: &str) -> Error {
    Error::StreamBroken {
        reason: reason.to_owned(),
    }
}

/// The text that came and the error after it.
async fn check(script: &str, text: &str, expect: Error, code: Code, class: Class) {
    let (_server, ollama) = start(script).await;
    let (came, ended) = answer(&ollama, ask("x")).await;
    let error = ended.unwrap_err();
    assert_eq!((came.as_str(), &error), (text, &expect));
    assert_eq!((error.code(), error.class()), (code, class));
}

#[tokio::test]
async fn streams_that_break() {
    let transient = (Code::ModelStreamBroken, Class::Transient);
    let cases = [
        (
            "error_after_tokens: {tokens: 1, message: CUDA error}",
            "CUDA error",
        ),
        (
            "garbage_after_tokens: {tokens: 1, text: '{'}",
            "broken JSON: EOF while parsing an object at line 1 column 1",
        ),
        ("end_after_tokens: 1", "it ends without its last line"),
    ];
    for (fault, reason) in cases {
        let script = format!("rules: [{{respond: {{text: a b c, {fault}}}}}]");
        check(&script, "a", broken(reason), transient.0, transient.1).await;
    }
    check(
        "rules: [{respond: {text: a, done_reason: unload}}]",
        "a",
        broken("it ends with the reason unload"),
        transient.0,
        transient.1,
    )
    .await;
}

#[tokio::test]
async fn a_connection_that_breaks() {
    let (_server, ollama) = start("rules: [{respond: {text: a b c, cut_after_tokens: 2}}]").await;
    let (text, ended) = answer(&ollama, ask("x")).await;
    let error = ended.unwrap_err();
    assert_eq!(
        (text.as_str(), error.code(), error.class()),
        ("a b", Code::ModelStreamBroken, Class::Transient)
    );
}

#[tokio::test]
async fn a_server_that_dies() {
    let (mut server, ollama) = start("rules: [{respond: {text: a, stall_after_tokens: 1}}]").await;
    let stream = ollama.chat(ask("x")).await.unwrap();
    server.abort();
    assert_eq!(
        super::all(stream).await.1.unwrap_err().code(),
        Code::ModelStreamBroken
    );
    let error = ollama.chat(ask("x")).await.map(drop).unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        (Code::OllamaUnreachable, Class::Transient)
    );
}

#[tokio::test]
async fn nobody_listens() {
    let (mut server, ollama) = start("").await;
    server.abort();
    let url = server.url();
    let expect = Error::Unreachable {
        url: url.clone(),
        reason: "Connection refused (os error 111)".to_owned(),
    };
    assert_eq!(
        expect.to_string(),
        format!(
            "Ollama does not answer at {url} (Connection refused (os error 111)); start it with `ollama serve`"
        )
    );
    assert_eq!(ollama.health().await, Err(expect.clone()));
    assert_eq!(ollama.in_memory().await, Err(expect.clone()));
    assert_eq!(ollama.preload().await, Err(expect.clone()));
    assert_eq!(ollama.embed(&["x".to_owned()]).await, Err(expect.clone()));
    assert_eq!(ollama.chat(ask("x")).await.map(drop), Err(expect));
}

#[tokio::test]
async fn a_model_that_is_not_pulled() {
    let (server, ollama) = start_with("", |options| OllamaOptions {
        model: "llama3".to_owned(),
        embed_model: Some("other".to_owned()),
        ..options
    })
    .await;
    let expect = Error::ModelMissing {
        model: "llama3".to_owned(),
    };
    assert_eq!(
        expect.to_string(),
        "the model llama3 is not pulled; get it with `ollama pull llama3`"
    );
    assert_eq!(
        (expect.code(), expect.class()),
        (Code::ModelNotPulled, Class::User)
    );
    assert_eq!(ollama.preload().await, Err(expect.clone()));
    assert_eq!(ollama.chat(ask("x")).await.map(drop), Err(expect));
    let expect = Error::ModelMissing {
        model: "other".to_owned(),
    };
    assert_eq!(ollama.embed(&["x".to_owned()]).await, Err(expect));
    assert!(!ollama.health().await.unwrap().model_available);
    // Nothing is tried twice.
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn statuses() {
    async fn check_status(status: u16, retry: Option<u64>, expect: Error, code: Code, class: Class) {
        let retry_line = retry
            .map(|seconds| format!(", retry_after_secs: {seconds}"))
            .unwrap_or_default();
        let script =
            format!("rules: [{{respond: {{error: {{status: {status}, message: no{retry_line}}}}}}}]");
        check(&script, "", expect.clone(), code, class).await;
        assert_eq!(expect.retry_after(), retry.map(Duration::from_secs));
    }
    let message = || "no".to_owned();
    for (status, retry) in [(429, Some(7)), (503, None), (502, None), (504, Some(1))] {
        let retry_after = retry.map(Duration::from_secs);
        let expect = Error::Overloaded {
            status,
            message: message(),
            retry_after,
        };
        check_status(status, retry, expect, Code::ModelOverloaded, Class::Transient).await;
    }
    for status in [400, 401, 403, 404, 413, 422, 501] {
        let expect = Error::Refused {
            status,
            message: message(),
        };
        check_status(status, None, expect, Code::ModelRefused, Class::Permanent).await;
    }
    for status in [500, 507] {
        let expect = Error::Failed {
            status,
            message: message(),
        };
        check_status(status, None, expect, Code::ModelStreamBroken, Class::Transient).await;
    }
}

#[tokio::test]
async fn something_else_listens() {
    async fn check_raw(endpoint: &str, status: u16, kind: &str, body: &str, reason: &str) {
        let raw = format!("raw: {{status: {status}, content_type: {kind}, body: '{body}'}}");
        let (server, ollama) = start(&format!(
            "rules: [{{match: {{endpoint: {endpoint}}}, respond: {{{raw}}}}}]"
        ))
        .await;
        let error = match endpoint {
            "chat" => answer(&ollama, ask("x")).await.1.map(drop),
            _ => ollama.health().await.map(drop),
        };
        let error = error.unwrap_err();
        assert_eq!(
            error,
            Error::NotOllama {
                url: server.url(),
                reason: reason.to_owned()
            }
        );
        assert_eq!(
            (error.code(), error.class()),
            (Code::NotAModelServer, Class::User)
        );
    }
    check_raw("version", 200, "text/html", "<p>", "it answers with a web page").await;
    check_raw("version", 404, "text/plain", "404", "it answers with status 404").await;
    check_raw(
        "version",
        200,
        "text/plain",
        "hello",
        "unexpected answer: expected value at line 1 column 1",
    )
    .await;
    check_raw(
        "version",
        200,
        "application/json",
        "{}",
        "unexpected answer: missing field `version` at line 1 column 2",
    )
    .await;
    check_raw("tags", 200, "application/json", "[]", "Ollama JSON error").await;
    check_raw("chat", 404, "text/html", "<p>", "it answers with status 404").await;
    check_raw(
        "chat",
        200,
        "text/html; charset=utf-8",
        "<p>",
        "it answers with a web page",
    )
    .await;
    check_raw("chat", 301, "text/plain", "moved", "it answers with status 301").await;
}

#[tokio::test]
async fn a_server_that_does_not_speak_http() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ollama = Ollama::new(options(&url)).unwrap();
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_u8().await.unwrap();
        socket.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await.unwrap();
        socket
    };
    let (health, _socket) = tokio::join!(ollama.health(), serve);
    let error = health.unwrap_err();
    assert_eq!(error.code(), Code::NotAModelServer, "{error}");
}

#[tokio::test]
async fn time_limits() {
    async fn check_limit(
        script: &str,
        text: &str,
        phase: Phase,
        change: impl FnOnce(OllamaOptions) -> OllamaOptions,
    ) {
        let (server, ollama) = start_with(script, change).await;
        if phase == Phase::FirstByte {
            // Only a model known to be loaded has this limit.
            ollama.preload().await.unwrap();
        }
        let (came, error) = answer(&ollama, ask("x")).await;
        let limit_ms = u64::try_from(SHORT.as_millis()).unwrap();
        let expect = Error::Timeout { phase, limit_ms };
        assert_eq!((came.as_str(), &error), (text, &Err(expect.clone())));
        assert_eq!(
            (expect.code(), expect.class()),
            (Code::ModelTimeout, Class::Transient)
        );
        // The call was cancelled at the server.
        let records = server.wait_for(ended).await;
        assert_eq!(
            records.last().map(|record| &record.outcome),
            Some(&Outcome::Disconnected)
        );
    }
    let stall = |after: u32| format!("rules: [{{respond: {{text: a b, stall_after_tokens: {after}}}}}]");
    check_limit(&stall(1), "a", Phase::Idle, |options| OllamaOptions {
        idle_timeout: SHORT,
        ..options
    })
    .await;
    check_limit(&stall(0), "", Phase::FirstByte, |options| OllamaOptions {
        first_byte_timeout: SHORT,
        ..options
    })
    .await;
    check_limit(&stall(0), "", Phase::Load, |options| OllamaOptions {
        load_timeout: SHORT,
        first_byte_timeout: Duration::ZERO,
        ..options
    })
    .await;
}

#[tokio::test]
async fn a_load_that_takes_too_long() {
    let (server, ollama) = start_with("models: [{name: slow, load_ms: 600000}]", |options| {
        OllamaOptions {
            model: "slow".to_owned(),
            load_timeout: SHORT,
            ..options
        }
    })
    .await;
    assert_eq!(
        ollama.preload().await,
        Err(Error::Timeout {
            phase: Phase::Load,
            limit_ms: 40
        })
    );
    let records = server.wait_for(ended).await;
    assert_eq!(records[0].outcome, Outcome::Disconnected);
}

#[tokio::test]
async fn a_status_that_takes_too_long() {
    for endpoint in ["version", "tags", "ps"] {
        let script =
            format!("rules: [{{match: {{endpoint: {endpoint}}}, respond: {{stall_after_tokens: 0}}}}]");
        let (_server, ollama) = start_with(&script, |options| OllamaOptions {
            status_timeout: SHORT,
            ..options
        })
        .await;
        let found = if endpoint == "ps" {
            ollama.in_memory().await.map(drop)
        } else {
            ollama.health().await.map(drop)
        };
        assert_eq!(
            found,
            Err(Error::Timeout {
                phase: Phase::Status,
                limit_ms: 40
            }),
            "{endpoint}"
        );
    }
}

/// Some 1200 tokens by the server's count, at least 800 by ours.
fn long_text() -> String {
    (0..800).map(|number| format!("word{number:02} ")).collect()
}

#[tokio::test]
async fn a_prompt_that_cannot_fit_is_not_sent() {
    let (server, ollama) = start_with("", |options| OllamaOptions {
        num_ctx: models::NumCtx::Fixed(512),
        ..options
    })
    .await;
    let error = answer(&ollama, ask(&long_text())).await.1.unwrap_err();
    let context = Context {
        requested: 512,
        loaded: None,
        sent_tokens_min: 891,
        used_tokens: None,
    };
    assert_eq!(
        (&error, error.code(), error.class()),
        (
            &Error::ContextTruncated(context),
            Code::ContextTruncated,
            Class::Permanent
        )
    );
    assert_eq!(server.requests(), []);
}

#[tokio::test]
async fn a_prompt_that_was_cut_is_told() {
    // The model was trained for 512 tokens, so the server lowers `num_ctx` and
    // cuts the prompt without a word.
    let spec = "models: [{name: small, context_length: 512}]\nrules: [{respond: {text: x}}]";
    let (server, ollama) = start_with(spec, |options| OllamaOptions {
        model: "small".to_owned(),
        ..options
    })
    .await;
    let loaded = ollama.preload().await.unwrap();
    assert_eq!((loaded.num_ctx, loaded.context_length_max), (4096, Some(512)));
    let context = Context {
        requested: 4096,
        loaded: Some(512),
        sent_tokens_min: 0,
        used_tokens: None,
    };
    assert_eq!(loaded.context.check(), Err(Error::ContextTruncated(context)));
    let usage = answer(&ollama, ask(&long_text())).await.1.unwrap();
    let context = Context {
        sent_tokens_min: 891,
        used_tokens: Some(512),
        ..context
    };
    assert_eq!(
        (usage.context, usage.context.check()),
        (context, Err(Error::ContextTruncated(context)))
    );
    assert_eq!(server.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_does_not_count_proves_nothing() {
    let (_server, ollama) = start("rules: [{respond: {text: x, prompt_eval_count: -1}}]").await;
    let usage = answer(&ollama, ask(&long_text())).await.1.unwrap();
    assert_eq!(
        (
            usage.prompt_tokens,
            usage.context.used_tokens,
            usage.context.check()
        ),
        (0, None, Ok(()))
    );
    let (_server, ollama) = start("rules: [{respond: {text: x, prompt_eval_count: 100}}]").await;
    let usage = answer(&ollama, ask(&long_text())).await.1.unwrap();
    assert!(usage.context.check().is_err());
}

#[tokio::test]
async fn mistakes_of_the_caller() {
    let invalid = |reason: &str| Error::Invalid {
        reason: reason.to_owned(),
    };
    let server = ScriptedOllama::builder().model(MODEL).start().await.unwrap();
    let ollama = Ollama::new(OllamaOptions {
        embed_model: None,
        ..options(server.url())
    })
    .unwrap();
    let empty = ollama.chat(ChatRequest::default()).await.map(drop);
    assert_eq!(empty, Err(invalid("a request to the model has no messages")));
    assert_eq!(
        ollama.embed(&["x".to_owned()]).await,
        Err(invalid("no embedding model is configured"))
    );
    let check = |options: OllamaOptions, reason: &str| {
        assert_eq!(Ollama::new(options).map(drop), Err(invalid(reason)));
    };
    check(
        OllamaOptions {
            num_ctx: models::NumCtx::Fixed(0),
            ..options("http://x")
        },
        "num_ctx must be at least 1",
    );
    check(
        OllamaOptions {
            model: " ".to_owned(),
            ..options("http://x")
        },
        "the model of Ollama has no name",
    );
    check(
        options("file:///x"),
        "the address of Ollama must begin with http:// or https://",
    );
    assert_eq!(server.requests(), []);
}
