//! Keys reach the server and nobody else.

use std::{io, sync::Arc};

use models::{HostedOptions, Key, Provider as _};
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt as _};

use super::{Answer, KEY, KINDS, answer, ask, event, opening, start_with, text, whole};

const HEADER: &str = "header-secret-0123456789";

/// What a subscriber writes.
#[derive(Debug, Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_line_no_error_and_no_debug_shows_a_key() {
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(
        tracing_subscriber::fmt::layer()
            .with_writer(log.clone())
            .with_ansi(false),
    );
    // The runtime of a test has one thread, so the whole of it is heard.
    let _heard = tracing::subscriber::set_default(subscriber);
    let mut told = String::new();
    for kind in KINDS {
        let said = serde_json::json!({"error": {"message": format!("no: {KEY} {HEADER}"), "type": "x"}});
        let middle = opening(kind) + &text(kind, "a") + &event(&said);
        let given = vec![
            whole(kind, "a"),
            Answer::events(&[middle.as_bytes()]),
            Answer::json(401, &said.to_string()),
            Answer::json(400, &said.to_string()),
            Answer::json(503, &said.to_string()),
            Answer::new(500, &[], &[format!("{KEY} {HEADER}").as_bytes()]),
            Answer::json(404, &said.to_string()),
            Answer::json(200, "{}"),
            Answer::noise(&format!("{KEY} {HEADER}\r\n\r\n")),
        ];
        let calls = given.len();
        let (server, hosted) = start_with(kind, given, |options| HostedOptions {
            headers: vec![("x-extra".to_owned(), Key::new(HEADER))],
            ..options
        })
        .await;
        told.push_str(&format!("{hosted:?}"));
        for call in 0..calls {
            let ended = if call + 2 == calls {
                hosted.health().await.map(drop)
            } else {
                answer(&hosted, ask("x")).await.1.map(drop)
            };
            if let Err(error) = ended {
                told.push_str(&format!("{error} {error:?}\n"));
            }
        }
        let asked = server.asked();
        assert_eq!(asked.len(), calls);
        assert!(asked.iter().all(|asked| asked.header("x-extra") == Some(HEADER)));
    }
    let heard = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(heard.contains("TRACE"), "nothing was heard: {heard}");
    for secret in [KEY, "0123456789abcdef", HEADER] {
        assert!(!told.contains(secret), "{told}");
        assert!(!heard.contains(secret), "{heard}");
    }
}
