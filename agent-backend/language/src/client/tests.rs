//! Dialogues with a server that is a script, in this process.

use std::{
    io::BufReader,
    os::unix::net::UnixStream,
    thread::{self, JoinHandle},
};

use serde_json::json;

use super::*;
use crate::{Position, Severity};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(40);

/// The server's side of the dialogue.
struct Peer {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Peer {
    fn read(&mut self) -> Option<Message> {
        Message::read(&mut self.reader).unwrap()
    }

    /// The next message, which is this request or notification; its
    /// parameters, and the id of a request.
    #[track_caller]
    fn expect(&mut self, method: &str) -> (Option<RequestId>, Value) {
        match self.read().unwrap() {
            Message::Request(request) => {
                assert_eq!(request.method, method);
                (Some(request.id), request.params)
            }
            Message::Notification(notification) => {
                assert_eq!(notification.method, method);
                (None, notification.params)
            }
            Message::Response(response) => panic!("{response:?} instead of {method}"),
        }
    }

    #[track_caller]
    fn answer(&mut self, method: &str, result: Value) -> Value {
        let (id, params) = self.expect(method);
        self.write(&Response::new_ok(id.unwrap(), result).into());
        params
    }

    fn write(&mut self, message: &Message) {
        message.write(&mut self.writer).unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.write(&Notification::new(method.to_owned(), params).into());
    }

    fn publish(&mut self, path: &str, version: Option<i32>, messages: &[&str]) {
        let items: Vec<Value> = messages.iter().map(|message| item(message)).collect();
        let params = json!({ "uri": format!("file:///w/{path}"), "version": version, "diagnostics": items });
        self.tell("textDocument/publishDiagnostics", params);
    }

    fn greet(&mut self, capabilities: &Value) {
        self.answer("initialize", json!({ "capabilities": capabilities }));
        self.expect("initialized");
        self.expect("workspace/didChangeConfiguration");
    }

    fn bye(&mut self) {
        self.answer("shutdown", Value::Null);
        self.expect("exit");
        assert!(self.read().is_none());
    }
}

fn item(message: &str) -> Value {
    json!({
        "range": { "start": { "line": 1, "character": 2 }, "end": { "line": 1, "character": 3 } },
        "severity": 1,
        "message": message,
    })
}

/// A client and the thread of its peer, which does what the script says.
fn dialogue(
    server: Server,
    timeouts: Timeouts,
    script: impl FnOnce(Peer) + Send + 'static,
) -> (Result<Client, Error>, JoinHandle<()>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let peer = Peer {
        reader: BufReader::new(theirs.try_clone().unwrap()),
        writer: theirs,
    };
    let thread = thread::spawn(move || script(peer));
    let output = ours.try_clone().unwrap();
    let connection = Connection::over(server, output, Input(ours));
    (
        Client::greet(server, connection, Path::new("/w"), timeouts, Stop::never()),
        thread,
    )
}

/// Closes its direction when dropped, as a pipe does.
struct Input(UnixStream);

impl std::io::Write for Input {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }
}

fn patient() -> Timeouts {
    Timeouts {
        start: LONG,
        diagnostics: LONG,
        answer: LONG,
    }
}

fn hasty() -> Timeouts {
    Timeouts {
        start: SHORT,
        diagnostics: SHORT,
        answer: SHORT,
    }
}

fn messages(client: &mut Client, path: &str, patience: Duration) -> Result<Vec<String>, Error> {
    let found = client.diagnostics(&[path], patience)?;
    Ok(found
        .into_iter()
        .flat_map(|file| file.diagnostics)
        .map(|diagnostic| diagnostic.message)
        .collect())
}

#[test]
fn pushed_diagnostics_count_for_the_text_they_are_of() {
    let (client, peer) = dialogue(Server::Pylsp, patient(), |mut peer| {
        peer.greet(&json!({}));
        let opened = peer.expect("textDocument/didOpen").1;
        assert_eq!(
            opened,
            json!({ "textDocument": { "uri": "file:///w/a.py", "languageId": "python", "version": 1, "text": "x" } })
        );
        peer.publish("other.py", Some(1), &["of no interest"]);
        peer.publish("a.py", Some(1), &["first"]);
        let changed = peer.expect("textDocument/didChange").1;
        assert_eq!(
            changed,
            json!({
                "textDocument": { "uri": "file:///w/a.py", "version": 2 },
                "contentChanges": [{ "text": "y" }],
            })
        );
        // Late, of the text before.
        peer.publish("a.py", Some(1), &["late"]);
        peer.publish("a.py", Some(2), &["second"]);
        peer.bye();
    });
    let mut client = client.unwrap();
    client.open("a.py", "x").unwrap();
    assert_eq!(messages(&mut client, "a.py", LONG).unwrap(), ["first"]);
    client.change("a.py", "y").unwrap();
    assert_eq!(messages(&mut client, "a.py", LONG).unwrap(), ["second"]);
    drop(client);
    peer.join().unwrap();
}

#[test]
fn without_a_version_the_last_one_counts_when_work_has_ended() {
    let (client, peer) = dialogue(Server::Pylsp, patient(), |mut peer| {
        peer.greet(&json!({}));
        peer.expect("textDocument/didOpen");
        let progress = |kind: &str| json!({ "token": 7, "value": { "kind": kind, "title": "" } });
        peer.tell("$/progress", progress("begin"));
        peer.publish("a.py", None, &["half"]);
        peer.publish("a.py", None, &["half", "whole"]);
        peer.tell("$/progress", progress("end"));
        peer.bye();
    });
    let mut client = client.unwrap();
    client.open("a.py", "").unwrap();
    assert_eq!(messages(&mut client, "a.py", LONG).unwrap(), ["half", "whole"]);
    drop(client);
    peer.join().unwrap();
}

#[test]
fn pulled_diagnostics_are_asked_for_again_while_the_server_is_busy() {
    let (client, peer) = dialogue(Server::TypeScript, patient(), |mut peer| {
        peer.greet(&json!({ "diagnosticProvider": { "identifier": "ts", "interFileDependencies": true } }));
        peer.expect("textDocument/didOpen");
        for code in [-32802, -32801] {
            let (id, params) = peer.expect("textDocument/diagnostic");
            assert_eq!(
                params,
                json!({ "textDocument": { "uri": "file:///w/a.ts" }, "identifier": "ts" })
            );
            peer.write(&Response::new_err(id.unwrap(), code, "busy".to_owned()).into());
        }
        let whole = json!({ "kind": "full", "items": [item("no")] });
        peer.answer("textDocument/diagnostic", whole);
        peer.bye();
    });
    let mut client = client.unwrap();
    client.open("a.ts", "").unwrap();
    let found = client.diagnostics(&["a.ts"], LONG).unwrap();
    let start = Position {
        line: 1,
        character: 2,
    };
    let diagnostic = Diagnostic {
        path: "a.ts".to_owned(),
        range: Range {
            start,
            end: Position {
                character: 3,
                ..start
            },
        },
        severity: Severity::Error,
        code: None,
        source: None,
        message: "no".to_owned(),
    };
    assert_eq!(diagnostic.to_string(), "a.ts:2:3: error: no");
    let expect = [FileDiagnostics {
        path: "a.ts".to_owned(),
        diagnostics: vec![diagnostic],
    }];
    assert_eq!(found, expect);
    drop(client);
    peer.join().unwrap();
}

#[test]
fn nothing_is_asked_before_the_project_is_read() {
    let (client, peer) = dialogue(Server::RustAnalyzer, patient(), |mut peer| {
        peer.greet(&json!({ "hoverProvider": true }));
        peer.expect("textDocument/didOpen");
        let status = |quiescent: bool| json!({ "health": "ok", "quiescent": quiescent });
        peer.tell("experimental/serverStatus", status(false));
        peer.write(
            &Request::new(
                1.into(),
                "window/workDoneProgress/create".to_owned(),
                json!({ "token": 1 }),
            )
            .into(),
        );
        // The answer to ours is the only thing that comes before the status.
        assert!(matches!(peer.read(), Some(Message::Response(response)) if response.id == 1.into()));
        peer.tell("experimental/serverStatus", status(true));
        let hover = json!({ "contents": { "kind": "plaintext", "value": "\nfn f()\n" } });
        peer.answer("textDocument/hover", hover);
        peer.bye();
    });
    let mut client = client.unwrap();
    client.open("a.rs", "").unwrap();
    let at = Position {
        line: 0,
        character: 0,
    };
    assert_eq!(client.hover("a.rs", at).unwrap().as_deref(), Some("fn f()"));
    drop(client);
    peer.join().unwrap();
}

#[test]
fn a_project_that_cannot_be_read_is_an_error() {
    let (client, peer) = dialogue(Server::RustAnalyzer, patient(), |mut peer| {
        peer.greet(&json!({}));
        peer.expect("textDocument/didOpen");
        let status = json!({ "health": "error", "quiescent": true, "message": "no Cargo.toml" });
        peer.tell("experimental/serverStatus", status);
        peer.bye();
    });
    let mut client = client.unwrap();
    client.open("a.rs", "").unwrap();
    let error = messages(&mut client, "a.rs", LONG).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rust-analyzer refused the project: no Cargo.toml"
    );
    drop(client);
    peer.join().unwrap();
}

#[test]
fn what_is_found_elsewhere_is_named_by_its_path() {
    let (client, peer) = dialogue(Server::TypeScript, patient(), |mut peer| {
        peer.greet(&json!({}));
        peer.expect("textDocument/didOpen");
        let range = json!({ "start": { "line": 3, "character": 0 }, "end": { "line": 3, "character": 1 } });
        let link =
            |uri: &str| json!({ "targetUri": uri, "targetRange": range, "targetSelectionRange": range });
        peer.answer(
            "textDocument/definition",
            json!([link("file:///w/b%20c.ts"), link("file:///usr/lib.d.ts")]),
        );
        let place = json!({ "uri": "file:///w/a.ts", "range": range });
        peer.answer("textDocument/references", json!([place, place]));
        peer.answer("textDocument/references", Value::Null);
        peer.bye();
    });
    let mut client = client.unwrap();
    client.open("a.ts", "").unwrap();
    let at = Position {
        line: 0,
        character: 0,
    };
    let paths = |found: Vec<Location>| found.into_iter().map(|at| at.path).collect::<Vec<_>>();
    assert_eq!(
        paths(client.definition("a.ts", at).unwrap()),
        ["/usr/lib.d.ts", "b c.ts"]
    );
    assert_eq!(paths(client.references("a.ts", at).unwrap()), ["a.ts"]);
    assert_eq!(
        paths(client.references("a.ts", at).unwrap()),
        Vec::<String>::new()
    );
    drop(client);
    peer.join().unwrap();
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let (client, peer) = dialogue(Server::Pylsp, hasty(), |mut peer| {
        peer.expect("initialize");
        while peer.read().is_some() {}
    });
    let error = client.unwrap_err();
    assert_eq!(error.to_string(), "pylsp did not answer initialize within 0.04 s");
    peer.join().unwrap();

    let (client, peer) = dialogue(Server::Pylsp, patient(), |mut peer| {
        peer.greet(&json!({}));
        while peer.read().is_some() {}
    });
    let mut client = client.unwrap();
    client.open("a.py", "").unwrap();
    let error = messages(&mut client, "a.py", SHORT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pylsp did not answer with diagnostics within 0.04 s"
    );
    drop(client);
    peer.join().unwrap();
}

#[test]
fn a_server_that_never_stops_talking_is_given_up() {
    let (client, peer) = dialogue(Server::Pylsp, patient(), |mut peer| {
        peer.greet(&json!({}));
        let log = Message::from(Notification::new(
            "window/logMessage".to_owned(),
            json!({ "message": "x" }),
        ));
        while log.write(&mut peer.writer).is_ok() {}
    });
    let mut client = client.unwrap();
    client.open("a.py", "").unwrap();
    let error = messages(&mut client, "a.py", SHORT).unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    drop(client);
    peer.join().unwrap();
}

#[test]
fn what_is_not_the_protocol_is_named() {
    let complaint = |capabilities: Value, answer: Value| {
        let (client, peer) = dialogue(Server::TypeScript, patient(), move |mut peer| {
            peer.greet(&capabilities);
            peer.expect("textDocument/didOpen");
            peer.answer("textDocument/diagnostic", answer);
            while peer.read().is_some() {}
        });
        let mut client = client.unwrap();
        client.open("a.ts", "").unwrap();
        let error = messages(&mut client, "a.ts", LONG).unwrap_err();
        drop(client);
        peer.join().unwrap();
        error.to_string()
    };
    let pull = json!({ "diagnosticProvider": {} });
    let whole = "typescript does not speak the Language Server Protocol: ";
    assert!(
        complaint(pull.clone(), json!(3))
            .starts_with(&format!("{whole}its answer to textDocument/diagnostic"))
    );
    assert_eq!(
        complaint(pull, json!({ "kind": "unchanged", "resultId": "1" })),
        format!("{whole}it says that diagnostics have not changed since none were asked for")
    );
}

#[test]
fn only_open_files_inside_can_be_asked_about() {
    let (client, peer) = dialogue(Server::Pylsp, patient(), |mut peer| {
        peer.greet(&json!({}));
        peer.bye();
    });
    let mut client = client.unwrap();
    let error = messages(&mut client, "a.py", LONG).unwrap_err();
    assert_eq!(error.to_string(), "`a.py` is not open");
    let error = client.open("../a.py", "").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`../a.py` cannot be named to a language server"
    );
    drop(client);
    peer.join().unwrap();
}
