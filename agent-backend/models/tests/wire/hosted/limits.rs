//! Limits of time and size, and callers that go away: the server is told each
//! time by the end of the connection.

use std::time::Duration;

use futures::StreamExt as _;
use models::{Error, HostedKind, HostedOptions, Phase, Provider as _};
use serde_json::json;
use shared::error::Code;

use super::{Answer, KINDS, SHORT, answer, ask, event, opening, start, start_with, text};
use crate::responder::Asked;

fn gone(asked: &[Asked]) -> bool {
    asked.first().is_some_and(|asked| asked.went_away)
}

/// A sign of life that is no piece of an answer.
fn ping(kind: HostedKind) -> &'static [u8] {
    match kind {
        HostedKind::Anthropic => b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
        HostedKind::OpenAi | HostedKind::Gemini => b": keep-alive\n\n",
    }
}

/// A call of a tool that goes on; Google's calls come whole.
fn half_a_call(kind: HostedKind) -> String {
    match kind {
        HostedKind::OpenAi => event(&json!({"choices": [{"delta": {"tool_calls": [
            {"index": 0, "id": "1", "function": {"name": "read", "arguments": "{"}},
        ]}}]})),
        HostedKind::Anthropic => {
            event(
                &json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "1", "name": "read"}}),
            ) + &event(
                &json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{"}}),
            )
        }
        HostedKind::Gemini => String::new(),
    }
}

#[tokio::test]
async fn limits_of_time() {
    async fn check(
        kind: HostedKind,
        given: Answer,
        words: &str,
        phase: Phase,
        change: impl FnOnce(HostedOptions) -> HostedOptions,
    ) {
        let (server, hosted) = start_with(kind, vec![given], change).await;
        let (came, ended) = answer(&hosted, ask("x")).await;
        let expect = Error::Timeout { phase, limit_ms: 40 };
        assert_eq!((came.as_str(), ended), (words, Err(expect)), "{kind:?}");
        server.wait_for(gone).await;
    }
    let first_byte = |options| HostedOptions {
        first_byte_timeout: SHORT,
        ..options
    };
    for kind in KINDS {
        check(kind, Answer::silence(), "", Phase::FirstByte, first_byte).await;
        let alive = Answer::events(&[opening(kind).as_bytes(), ping(kind)]).hold();
        check(kind, alive, "", Phase::FirstByte, first_byte).await;
        let begun = opening(kind) + &text(kind, "a");
        let begun = || Answer::events(&[begun.as_bytes()]).hold();
        // A call that is being written is a piece of the answer, too.
        let calling = Answer::events(&[opening(kind).as_bytes(), half_a_call(kind).as_bytes()]).hold();
        let idle = |options| HostedOptions {
            first_byte_timeout: Duration::from_secs(60),
            idle_timeout: SHORT,
            ..options
        };
        if kind != HostedKind::Gemini {
            check(kind, calling, "", Phase::Idle, idle).await;
        }
        check(kind, begun(), "a", Phase::Idle, |options| HostedOptions {
            idle_timeout: SHORT,
            ..options
        })
        .await;
        let total = |options| HostedOptions {
            total_timeout: SHORT,
            ..options
        };
        check(kind, begun(), "a", Phase::Total, total).await;
        check(kind, Answer::silence(), "", Phase::Total, total).await;
    }
}

#[tokio::test]
async fn a_server_that_never_ends() {
    for kind in KINDS {
        // One event without an end.
        let endless = Answer::events(&[b"data: ", &[b'x'; 1 << 16]]).repeat();
        let (server, hosted) = start(kind, vec![endless]).await;
        let error = answer(&hosted, ask("x")).await.1.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the model's answer broke off: an event is longer than 4194304 bytes"
        );
        server.wait_for(gone).await;
        // An error without an end.
        let endless = Answer::new(500, &[], &[&[b'x'; 1 << 16]]).repeat();
        let (server, hosted) = start(kind, vec![endless]).await;
        let error = answer(&hosted, ask("x")).await.1.unwrap_err();
        assert_eq!(error.code(), Code::ModelStreamBroken);
        server.wait_for(gone).await;
    }
}

#[tokio::test]
async fn signs_of_life_have_an_end() {
    let kind = HostedKind::OpenAi;
    let begun = opening(kind) + &text(kind, "a");
    let comment = [b":".as_slice(), &[b'x'; 1 << 20], b"\n\n"].concat();
    let endless = Answer::events(&[begun.as_bytes(), &comment]).repeat();
    let (server, hosted) = start(kind, vec![endless]).await;
    let error = answer(&hosted, ask("x")).await.1.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model's answer broke off: it is longer than 67108864 bytes"
    );
    server.wait_for(gone).await;
}

#[tokio::test]
async fn a_caller_that_goes_away() {
    for kind in KINDS {
        // In the middle.
        let begun = opening(kind) + &text(kind, "a");
        let given = Answer::events(&[begun.as_bytes()]).hold();
        let (server, hosted) = start(kind, vec![given]).await;
        let mut stream = hosted.chat(ask("x")).await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        assert!(!server.asked()[0].went_away);
        drop(stream);
        server.wait_for(gone).await;
        // While the server reads the prompt, before and after its first bytes.
        for given in [
            Answer::silence(),
            Answer::events(&[opening(kind).as_bytes(), ping(kind)]).hold(),
        ] {
            let (server, hosted) = start(kind, vec![given]).await;
            let call = answer(&hosted, ask("x"));
            tokio::select! {
                (_, ended) = call => panic!("it ends: {ended:?}"),
                asked = server.wait_for(|asked| !asked.is_empty()) => assert!(!asked[0].went_away),
            }
            server.wait_for(gone).await;
        }
    }
}

#[tokio::test]
async fn a_question_about_the_server_has_a_limit() {
    for kind in KINDS {
        let (server, hosted) = start_with(kind, vec![Answer::silence()], |options| HostedOptions {
            status_timeout: SHORT,
            idle_timeout: Duration::from_secs(60),
            ..options
        })
        .await;
        let expect = Error::Timeout {
            phase: Phase::Status,
            limit_ms: 40,
        };
        assert_eq!(hosted.health().await, Err(expect));
        server.wait_for(gone).await;
    }
}
