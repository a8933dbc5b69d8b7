//! Keys: demanded, refused, and never kept.

use scripted_ollama::{Format, ScriptedOllama};
use serde_json::{Value, json};

use super::{MODEL, builder, get, json, post_with, start};

const SCRIPT: &str = "
keys: { openai: secret-o-1, anthropic: secret-a-1, gemini: secret-g-1 }
rules: [{respond: {text: x}}]";

type Headers<'a> = &'a [(&'a str, &'a str)];

fn calls() -> [(String, Value); 3] {
    let user = json!({"role": "user", "content": "x"});
    [
        (
            "/v1/chat/completions".to_owned(),
            json!({"model": MODEL, "messages": [user]}),
        ),
        (
            "/v1/messages".to_owned(),
            json!({"model": MODEL, "max_tokens": 9, "messages": [user]}),
        ),
        (
            format!("/v1beta/models/{MODEL}:generateContent"),
            json!({"contents": [{"parts": [{"text": "x"}]}]}),
        ),
    ]
}

async fn check(server: &ScriptedOllama, call: usize, query: &str, headers: Headers<'_>, expect: (u16, &str)) {
    let (path, body) = &calls()[call];
    let (status, answer) = json(post_with(server, &(path.clone() + query), headers, body).await).await;
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    assert_eq!((status, message), expect);
}

#[tokio::test]
async fn demanded_keys() {
    let server = start(SCRIPT).await;
    let version = ("anthropic-version", "2023-06-01");
    let table: &[(usize, &str, Headers<'_>, (u16, &str))] = &[
        (0, "", &[("authorization", "Bearer secret-o-1")], (200, "")),
        (
            0,
            "",
            &[("authorization", "Bearer secret-o-2")],
            (
                401,
                "Incorrect API key provided: secret-o-2. You can find your API key at \
                 https://platform.openai.com/account/api-keys.",
            ),
        ),
        (
            0,
            "",
            &[],
            (
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                 Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            ),
        ),
        (1, "", &[("x-api-key", "secret-a-1"), version], (200, "")),
        (
            1,
            "",
            &[("x-api-key", "secret-a-2"), version],
            (401, "invalid x-api-key"),
        ),
        (1, "", &[version], (401, "x-api-key header is required")),
        (
            1,
            "",
            &[("x-api-key", "secret-a-1")],
            (400, "anthropic-version: header is required"),
        ),
        (
            1,
            "",
            &[("x-api-key", "secret-a-1"), ("anthropic-version", "1")],
            (400, "anthropic-version: \"1\" is not a valid version"),
        ),
        (2, "", &[("x-goog-api-key", "secret-g-1")], (200, "")),
        (2, "?key=secret-g-1", &[], (200, "")),
        (
            2,
            "?key=secret-g-2",
            &[],
            (400, "API key not valid. Please pass a valid API key."),
        ),
        (
            2,
            "",
            &[],
            (
                403,
                "Method doesn't allow unregistered callers (callers without established identity). Please use API Key \
                 or other form of API consumer identity to call this API.",
            ),
        ),
    ];
    for (call, query, headers, expect) in table {
        check(&server, *call, query, headers, *expect).await;
    }
    for (path, header) in [
        ("/v1/models", "authorization"),
        ("/v1beta/models", "x-goog-api-key"),
    ] {
        let statuses = [get(&server, path).await.status(), {
            let key = if header == "authorization" {
                "Bearer secret-o-1"
            } else {
                "secret-g-1"
            };
            let request = reqwest::Client::new()
                .get(server.url() + path)
                .header(header, key);
            request.send().await.unwrap().status()
        }];
        assert!(
            statuses[0].is_client_error() && statuses[1].is_success(),
            "{path}: {statuses:?}"
        );
    }
    let formats: Vec<Format> = server.requests().iter().map(|record| record.format).collect();
    assert_eq!(
        formats[..12],
        [
            [Format::OpenAi; 3].as_slice(),
            &[Format::Anthropic; 5],
            &[Format::Gemini; 4]
        ]
        .concat()
    );
    // Right or wrong, demanded or sent: no key is in any record.
    let told = get(&server, "/_scripted/requests").await.text().await.unwrap();
    let told = format!("{told} {:?} {:?}", server.requests(), builder(SCRIPT));
    assert!(!told.contains("secret-"), "{told}");
    let parsed = format!("{:?}", scripted_ollama::Script::parse(SCRIPT).unwrap());
    assert!(!parsed.contains("secret-"), "{parsed}");
}

#[tokio::test]
async fn any_key_is_taken_without_a_demand() {
    let server = start("rules: [{respond: {text: x}}]").await;
    let version = ("anthropic-version", "2023-06-01");
    check(&server, 0, "", &[], (200, "")).await;
    check(&server, 0, "", &[("authorization", "Bearer any")], (200, "")).await;
    check(&server, 1, "", &[("x-api-key", "any"), version], (200, "")).await;
    check(&server, 2, "?key=any", &[], (200, "")).await;
}
