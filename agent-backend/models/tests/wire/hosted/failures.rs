//! Each way of failing, its code and what may help.

use models::{Error, HostedKind, Provider as _, Trouble};
use serde_json::json;
use shared::error::{Class, Code};

use super::{Answer, KINDS, answer, ask, closing, event, opening, start, text};

async fn check(kind: HostedKind, given: Answer, words: &str, expect: (Code, Trouble)) -> Error {
    let (server, hosted) = start(kind, vec![given]).await;
    let (came, ended) = answer(&hosted, ask("x")).await;
    let error = ended.unwrap_err();
    assert_eq!(
        (came.as_str(), error.code(), error.trouble()),
        (words, expect.0, expect.1),
        "{kind:?}: {error}"
    );
    // Nothing is tried twice.
    assert_eq!(server.asked().len(), 1);
    error
}

#[tokio::test]
async fn answers_that_break_off() {
    let broken = (Code::ModelStreamBroken, Trouble::Network);
    for kind in KINDS {
        let begun = opening(kind) + &text(kind, "a");
        let begun = begun.as_bytes();
        check(kind, Answer::events(&[begun]), "a", broken).await;
        check(kind, Answer::events(&[begun]).cut(), "a", broken).await;
        check(kind, Answer::events(&[begun, b"data: {\n\n"]), "a", broken).await;
        check(kind, Answer::events(&[begun, b"data: \xff\n\n"]), "a", broken).await;
        check(kind, Answer::events(&[]), "", broken).await;
        // Everything but the last event, which says why it ended.
        let whole = opening(kind) + &text(kind, "a") + &closing(kind);
        if kind != HostedKind::OpenAi {
            let last = whole.trim_end().rfind("\n\n").unwrap() + 2;
            check(
                kind,
                Answer::events(&[&whole.as_bytes()[..last]]).cut(),
                "a",
                broken,
            )
            .await;
        }
    }
}

#[tokio::test]
async fn words_of_the_server_are_bounded() {
    let reason = "x".repeat(100_000);
    let body = event(&json!({"choices": [{"delta": {}, "finish_reason": reason}]}));
    let broken = (Code::ModelStreamBroken, Trouble::Network);
    let error = check(HostedKind::OpenAi, Answer::events(&[body.as_bytes()]), "", broken).await;
    assert!(error.to_string().len() < 1000, "{error}");
}

#[tokio::test]
async fn errors_in_the_middle() {
    for kind in KINDS {
        let (overloaded, failed) = match kind {
            HostedKind::OpenAi => (
                json!({"error": {"message": "busy", "code": 503}}),
                json!({"error": {"message": "CUDA error", "type": "server_error"}}),
            ),
            HostedKind::Anthropic => (
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
                json!({"type": "error", "error": {"type": "api_error", "message": "CUDA error"}}),
            ),
            HostedKind::Gemini => (
                json!({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}),
                json!({"error": {"code": 500, "message": "CUDA error", "status": "INTERNAL"}}),
            ),
        };
        for (object, expect) in [
            (overloaded, (Code::ModelOverloaded, Trouble::Overload)),
            (failed, (Code::ModelStreamBroken, Trouble::Network)),
        ] {
            let body = opening(kind) + &text(kind, "a") + &event(&object);
            check(kind, Answer::events(&[body.as_bytes()]), "a", expect).await;
        }
    }
}

#[tokio::test]
async fn statuses() {
    let cases = [
        (401, "who?", Code::KeyRefused, Trouble::Auth),
        (403, "who?", Code::KeyRefused, Trouble::Auth),
        (402, "pay", Code::QuotaSpent, Trouble::Auth),
        (404, "no such model", Code::ModelNotPulled, Trouble::Unfit),
        (404, "no such path", Code::NotAModelServer, Trouble::Unfit),
        (
            400,
            "prompt is too long",
            Code::ContextOverflow,
            Trouble::ContextOverflow,
        ),
        (413, "too large", Code::ContextOverflow, Trouble::ContextOverflow),
        (400, "no", Code::ModelRefused, Trouble::Invalid),
        (422, "no", Code::ModelRefused, Trouble::Invalid),
        (429, "slow down", Code::ModelOverloaded, Trouble::RateLimit),
        (503, "busy", Code::ModelOverloaded, Trouble::Overload),
        (529, "busy", Code::ModelOverloaded, Trouble::Overload),
        (500, "oh", Code::ModelStreamBroken, Trouble::Network),
    ];
    for kind in KINDS {
        for (status, message, code, trouble) in cases {
            let body = json!({"error": {"message": message}}).to_string();
            check(kind, Answer::json(status, &body), "", (code, trouble)).await;
        }
        let spent = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota"}}"#;
        check(
            kind,
            Answer::json(429, spent),
            "",
            (Code::QuotaSpent, Trouble::Auth),
        )
        .await;
    }
}

#[tokio::test]
async fn how_long_to_wait() {
    for kind in KINDS {
        for (headers, seconds) in [
            (vec![("retry-after", "7")], Some(7.0)),
            (vec![("retry-after", "7"), ("retry-after-ms", "1500")], Some(1.5)),
            (vec![], None),
        ] {
            let given = Answer::new(429, &headers, &[br#"{"error":{"message":"slow down"}}"#]);
            let error = check(kind, given, "", (Code::ModelOverloaded, Trouble::RateLimit)).await;
            assert_eq!(
                error.retry_after().map(|wait| wait.as_secs_f64()),
                seconds,
                "{kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn something_else_listens() {
    let stranger = (Code::NotAModelServer, Trouble::Unfit);
    for kind in KINDS {
        let page = [("content-type", "text/html; charset=utf-8")];
        check(kind, Answer::new(200, &page, &[b"<p>"]), "", stranger).await;
        check(kind, Answer::new(404, &page, &[b"<p>"]), "", stranger).await;
        // Redirects are not followed: the key would go with them.
        let moved = [("location", "http://127.0.0.1:1/")];
        check(kind, Answer::new(307, &moved, &[b""]), "", stranger).await;
        check(kind, Answer::json(200, r#"{"choices": []}"#), "", stranger).await;
        check(kind, Answer::noise("SSH-2.0-OpenSSH_9.2p1\r\n"), "", stranger).await;
        // An error in the clothes of an answer.
        let error = r#"{"error":{"message":"busy","code":503}}"#;
        check(
            kind,
            Answer::json(200, error),
            "",
            (Code::ModelOverloaded, Trouble::Overload),
        )
        .await;
    }
}

#[tokio::test]
async fn nobody_listens() {
    for kind in KINDS {
        let (server, hosted) = start(kind, Vec::new()).await;
        let url = server.url();
        drop(server);
        // The listener is gone when its task is.
        let error = loop {
            let error = hosted.health().await.unwrap_err();
            if matches!(error, Error::NoServer { .. }) {
                break error;
            }
        };
        assert_eq!(
            (error.code(), error.class(), error.trouble()),
            (Code::ModelServerUnreachable, Class::Transient, Trouble::Network)
        );
        assert!(error.to_string().contains(&url), "{error}");
        assert_eq!(
            answer(&hosted, ask("x")).await.1.unwrap_err().code(),
            error.code()
        );
    }
}

#[tokio::test]
async fn a_prompt_that_cannot_fit_is_not_sent() {
    for kind in KINDS {
        let (server, hosted) = start(kind, Vec::new()).await;
        let long: String = (0..12_000).map(|number| format!("word{number} ")).collect();
        let error = answer(&hosted, ask(&long)).await.1.unwrap_err();
        assert_eq!(error.trouble(), Trouble::ContextOverflow);
        assert_eq!(server.asked(), []);
    }
}
