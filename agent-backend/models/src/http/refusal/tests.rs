//! The refusals of the real servers, as their documents and they themselves
//! show them.

use super::*;

const URL: &str = "https://host/v1";

#[test]
fn what_servers_say() {
    fn check(body: &str, expect: Option<&str>) {
        let found = said(body.as_bytes()).map(|said| said.message);
        assert_eq!(found.as_deref(), expect, "{body}");
    }
    check(r#"{"error": "no"}"#, Some("no"));
    check(r#"{"error": {"message": "no", "code": null}}"#, Some("no"));
    check(r#"{"detail": "no"}"#, Some("no"));
    check(
        r#"{"detail": [{"loc": ["body", "seed"]}]}"#,
        Some(r#"[{"loc":["body","seed"]}]"#),
    );
    check(r#"{"object": "error", "message": "no", "code": 400}"#, Some("no"));
    check(
        r#"[{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}]"#,
        Some("no"),
    );
    check(r#"{"error": 1}"#, None);
    check(r#"{"message": "no"}"#, None);
    check("<html>", None);
}

#[test]
fn refusals() {
    fn check(speaks: Speaks, status: u16, body: &str, expect: &Error) {
        let found = refusal(Refusal {
            speaks,
            url: URL,
            model: "m",
            status,
            retry_after: None,
            said: said(body.as_bytes()),
            body: body.to_owned(),
        });
        assert_eq!(&found, expect, "{status} {body}");
    }
    use Speaks::{Anthropic, Gemini, Ollama, OpenAi};
    let url = || URL.to_owned();
    let model = || "m".to_owned();
    let key = |status| Error::KeyRefused { url: url(), status };
    let unknown = || Error::ModelUnknown {
        model: model(),
        url: url(),
    };
    let overflow = |message: &str| Error::ContextOverflow {
        model: model(),
        message: message.to_owned(),
    };
    let spent = |message: &str| Error::QuotaSpent {
        url: url(),
        message: message.to_owned(),
    };
    let refused = |status, message: &str| Error::Refused {
        status,
        message: message.to_owned(),
    };
    let overloaded = |status, message: &str, seconds: Option<u64>| Error::Overloaded {
        status,
        message: message.to_owned(),
        retry_after: seconds.map(Duration::from_secs),
    };
    check(
        OpenAi,
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-ab","type":"invalid_request_error","code":"invalid_api_key"}}"#,
        &key(401),
    );
    check(
        Anthropic,
        403,
        r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#,
        &key(403),
    );
    check(
        Gemini,
        400,
        r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
        &key(400),
    );
    check(
        OpenAi,
        404,
        r#"{"error":{"message":"The model `m` does not exist or you do not have access to it.","code":"model_not_found"}}"#,
        &unknown(),
    );
    check(
        Anthropic,
        404,
        r#"{"type":"error","error":{"type":"not_found_error","message":"model: m"}}"#,
        &unknown(),
    );
    check(
        Gemini,
        404,
        r#"{"error":{"code":404,"message":"models/m is not found for API version v1beta","status":"NOT_FOUND"}}"#,
        &unknown(),
    );
    check(
        OpenAi,
        400,
        r#"{"error":{"message":"gone","code":"model_decommissioned"}}"#,
        &unknown(),
    );
    for (speaks, status, body, message) in [
        (
            OpenAi,
            400,
            r#"{"error":{"message":"too many","code":"context_length_exceeded"}}"#,
            "too many",
        ),
        (
            OpenAi,
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","code":400}"#,
            "This model's maximum context length is 4096 tokens.",
        ),
        (
            OpenAi,
            400,
            r#"{"error":{"code":400,"message":"the request exceeds","type":"exceed_context_size_error"}}"#,
            "the request exceeds",
        ),
        (
            OpenAi,
            413,
            r#"{"error":{"message":"Request too large","code":"rate_limit_exceeded"}}"#,
            "Request too large",
        ),
        (
            Anthropic,
            400,
            r#"{"error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            "prompt is too long: 210000 tokens > 200000 maximum",
        ),
        (
            Gemini,
            400,
            r#"{"error":{"code":400,"message":"The input token count (12) exceeds the maximum number of tokens allowed (10).","status":"INVALID_ARGUMENT"}}"#,
            "The input token count (12) exceeds the maximum number of tokens allowed (10).",
        ),
    ] {
        check(speaks, status, body, &overflow(message));
    }
    check(
        OpenAi,
        429,
        r#"{"error":{"message":"no money","code":"insufficient_quota"}}"#,
        &spent("no money"),
    );
    check(
        Anthropic,
        400,
        r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
        &spent("Your credit balance is too low"),
    );
    check(
        OpenAi,
        402,
        r#"{"error":{"message":"Insufficient Balance"}}"#,
        &spent("Insufficient Balance"),
    );
    check(
        Anthropic,
        529,
        r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        &overloaded(529, "Overloaded", None),
    );
    check(
        Gemini,
        429,
        r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"retryDelay":"34s"}]}}"#,
        &overloaded(429, "slow", Some(34)),
    );
    check(
        Gemini,
        503,
        r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#,
        &overloaded(503, "busy", None),
    );
    check(OpenAi, 422, r#"{"error":{"message":"no"}}"#, &refused(422, "no"));
    check(Ollama, 401, "who?", &refused(401, "who?"));
    check(
        Ollama,
        404,
        r#"{"error":"model 'm' not found"}"#,
        &Error::ModelMissing { model: model() },
    );
    check(
        OpenAi,
        500,
        r#"{"error":{"message":"oh"}}"#,
        &Error::Failed {
            status: 500,
            message: "oh".to_owned(),
        },
    );
    let stranger = |status| Error::NotAServer {
        url: url(),
        reason: format!("it answers with status {status}"),
    };
    check(
        OpenAi,
        404,
        r#"{"error":"Not Found"}"#,
        &Error::NotAServer {
            url: url(),
            reason: "it answers with status 404 (Not Found); is its path right?".to_owned(),
        },
    );
    check(OpenAi, 404, "404", &stranger(404));
    check(OpenAi, 302, "", &stranger(302));
    check(OpenAi, 400, "<html>", &stranger(400));
}

#[test]
fn failures_in_the_middle() {
    fn check(body: &str, expect: &Error) {
        let said = said(body.as_bytes()).unwrap();
        assert_eq!(&in_the_middle(Speaks::OpenAi, URL, "m", said), expect, "{body}");
    }
    let broken = |reason: &str| Error::StreamBroken {
        reason: reason.to_owned(),
    };
    let overloaded = |status| Error::Overloaded {
        status,
        message: "x".to_owned(),
        retry_after: None,
    };
    check(r#"{"error":{"message":"x","type":"server_error"}}"#, &broken("x"));
    check(r#"{"error":{"message":"x"}}"#, &broken("x"));
    check(r#"{"error":"x"}"#, &broken("x"));
    check(
        r#"{"error":{"message":"x","type":"invalid_request_error"}}"#,
        &broken("x"),
    );
    check(
        r#"{"error":{"message":"x","type":"overloaded_error"}}"#,
        &overloaded(529),
    );
    check(r#"{"error":{"message":"x","code":502}}"#, &overloaded(502));
    check(
        r#"{"error":{"message":"x","code":"rate_limit_exceeded"}}"#,
        &overloaded(429),
    );
}

#[test]
fn how_long_to_wait() {
    fn check(headers: &[(&str, &str)], expect_ms: Option<u64>) {
        let found = retry_after(|name| {
            let (_, value) = headers.iter().find(|(header, _)| *header == name)?;
            Some((*value).to_owned())
        });
        assert_eq!(found, expect_ms.map(Duration::from_millis), "{headers:?}");
    }
    let date = ("date", "Sun, 22 Nov 2026 03:30:00 GMT");
    check(&[], None);
    check(&[("retry-after", "7")], Some(7000));
    check(&[("retry-after", " 0.5 ")], Some(500));
    check(&[("retry-after", "-1")], None);
    check(&[("retry-after", "7"), ("retry-after-ms", "1500")], Some(1500));
    check(
        &[("retry-after", "Sun, 22 Nov 2026 03:30:09 GMT"), date],
        Some(9000),
    );
    check(&[("retry-after", "Sun, 22 Nov 2026 03:29:00 GMT"), date], None);
    check(&[("retry-after", "Sun, 22 Nov 2026 03:30:09 GMT")], None);
    check(&[("retry-after", "soon")], None);
}

#[test]
fn servers_text_is_bounded() {
    let long = "é".repeat(SERVER_TEXT_CHARS_MAX + 1);
    assert_eq!(
        server_text(&long),
        format!("{}…", "é".repeat(SERVER_TEXT_CHARS_MAX))
    );
    assert_eq!(server_text(" short\n"), "short");
}
