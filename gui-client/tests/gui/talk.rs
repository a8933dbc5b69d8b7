//! The client of the protocol against an agent that the test plays by hand, line by
//! line.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use futures::{SinkExt, StreamExt, channel::mpsc, future::BoxFuture, stream::BoxStream};
use gui_client::{
    Error,
    agent::{
        client::{self, Commands, Heard},
        event::{Answer, Ask, Call, Command, Event, QuestionId, SessionId, Set},
        form::{Draft, Field, FieldKind, Form, Need, Value as Filled, Written},
        reach::{Place, Reach, Wire},
        update::{Choice, Piece, Setting, SettingKey, SettingValue, Speaker, Switch, Update},
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{PATIENCE, run};

/// A connection whose other end is the test's.
#[derive(Clone)]
struct ByHand {
    place: Place,
    wire: Arc<Mutex<Option<Wire>>>,
}

impl std::fmt::Debug for ByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByHand")
    }
}

impl Reach for ByHand {
    fn name(&self) -> &str {
        "Puppet"
    }

    fn place(&self) -> Place {
        self.place
    }

    fn open(&self) -> BoxFuture<'static, Result<Wire, Error>> {
        let wire = self.wire.lock().unwrap().take().expect("it is opened once");
        Box::pin(async move { Ok(wire) })
    }
}

/// Both ends.
struct Talk {
    heard: BoxStream<'static, Heard>,
    commands: Commands,
    say: mpsc::Sender<io::Result<String>>,
    told: mpsc::Receiver<String>,
    folder: TempDir,
}

impl Talk {
    /// Nothing was said yet.
    async fn silent(place: Place) -> Self {
        let (outgoing, told) = mpsc::channel(64);
        let (say, incoming) = mpsc::channel(64);
        let wire = Wire {
            outgoing: Box::pin(outgoing.sink_map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))),
            incoming: incoming.boxed(),
            end: Box::pin(async { "it ended (exit status: 1): no key".to_owned() }),
        };
        let wire = Arc::new(Mutex::new(Some(wire)));
        let mut heard = client::connect(Arc::new(ByHand { place, wire }));
        let Some(Heard::Open(commands)) = heard.next().await else {
            panic!("it opens first")
        };
        Self {
            heard,
            commands,
            say,
            told,
            folder: TempDir::new().unwrap(),
        }
    }

    /// Hello was said.
    async fn begun(place: Place) -> Self {
        let mut talk = Self::silent(place).await;
        let hello = talk.told("initialize").await;
        talk.answer(&hello, json!({ "protocolVersion": 1 })).await;
        assert!(matches!(talk.event().await, Event::Connected(_)));
        talk
    }

    /// A session is open in the folder.
    async fn session(place: Place) -> Self {
        let mut talk = Self::begun(place).await;
        talk.commands.send(Command::Begin(talk.folder()));
        let new = talk.told("session/new").await;
        let cwd = talk.folder();
        assert_eq!(new["params"], json!({ "cwd": cwd, "mcpServers": [] }));
        talk.answer(&new, json!({ "sessionId": "s1" })).await;
        assert!(matches!(talk.event().await, Event::Opened { .. }));
        talk
    }

    fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    async fn event(&mut self) -> Event {
        let heard = tokio::time::timeout(PATIENCE * 2, self.heard.next()).await;
        match heard.expect("something happens").expect("it has not ended") {
            Heard::Event(event) => event,
            Heard::Open(_) => panic!("it is open already"),
        }
    }

    /// The next line of the window's; it is carried there while events are waited for.
    async fn line(&mut self) -> Value {
        tokio::select! {
            line = self.told.next() => serde_json::from_str(&line.unwrap()).unwrap(),
            heard = self.heard.next() => panic!("{heard:?}"),
        }
    }

    async fn told(&mut self, method: &str) -> Value {
        let line = self.line().await;
        assert_eq!(line["method"], method, "{line}");
        line
    }

    async fn say(&mut self, message: &Value) {
        self.line_of(&message.to_string()).await;
    }

    async fn line_of(&mut self, line: &str) {
        self.say.send(Ok(line.to_owned())).await.unwrap();
    }

    async fn answer(&mut self, request: &Value, result: Value) {
        self.say(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
            .await;
    }

    async fn ask(&mut self, id: u64, method: &str, params: Value) {
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await;
    }

    /// Asks, and what the window answers by itself.
    async fn asked(&mut self, method: &str, params: Value) -> Value {
        self.ask(7, method, params).await;
        let answer = self.line().await;
        assert_eq!(answer["id"], 7, "{answer}");
        answer
    }

    async fn question(&mut self) -> (QuestionId, Ask) {
        let event = self.event().await;
        let Event::Asked(id, _, ask) = event else {
            panic!("{event:?}")
        };
        (id, ask)
    }

    /// Answers a question, and what the agent hears.
    async fn reply(&mut self, id: QuestionId, answer: Answer) -> Value {
        self.commands.send(Command::Answer(id, answer));
        self.line().await
    }
}

fn error(answer: &Value) -> &Value {
    &answer["error"]["code"]
}

#[test]
fn the_window_says_what_it_can_and_no_more() {
    let check = async |place, files: Value| {
        let mut talk = Talk::silent(place).await;
        let hello = talk.told("initialize").await;
        let mut capabilities = hello["params"]["clientCapabilities"].clone();
        assert_eq!(hello["params"]["protocolVersion"], 1);
        assert_eq!(hello["params"]["clientInfo"]["name"], "agentic-ide-gui");
        assert_eq!(capabilities["fs"].take(), files);
        assert_eq!(capabilities["terminal"], false);
        assert_eq!(capabilities["elicitation"], json!({ "form": {}, "url": {} }));
        assert_eq!(capabilities["session"]["configOptions"], json!({ "boolean": {} }));
    };
    run(async {
        check(
            Place::Here,
            json!({ "readTextFile": true, "writeTextFile": true }),
        )
        .await;
        check(
            Place::Elsewhere,
            json!({ "readTextFile": false, "writeTextFile": false }),
        )
        .await;
    });
}

#[test]
fn nothing_is_written_unseen() {
    run(async {
        let mut talk = Talk::session(Place::Here).await;
        let path = talk.folder().join("a.txt");
        fs::write(&path, "old\n").unwrap();
        let write = json!({ "sessionId": "s1", "path": path, "content": "new\n" });

        talk.ask(1, "fs/write_text_file", write.clone()).await;
        let (id, ask) = talk.question().await;
        let Ask::Write(change) = ask else {
            panic!("{ask:?}")
        };
        assert_eq!(
            (change.view.path.as_str(), change.view.added, change.view.removed),
            ("a.txt", 1, 1)
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\n");
        assert_eq!(error(&talk.reply(id, Answer::Refuse).await), -32800);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\n");

        talk.ask(2, "fs/write_text_file", write).await;
        let (id, _) = talk.question().await;
        talk.commands.send(Command::Answer(id, Answer::Allow));
        assert_eq!(talk.event().await, Event::Wrote(Ok(path.clone())));
        assert_eq!(talk.line().await["result"], json!({}));
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
    });
}

#[test]
fn files_of_the_folder_and_no_others() {
    run(async {
        let mut talk = Talk::session(Place::Here).await;
        let folder = talk.folder();
        fs::write(folder.join("a.txt"), "one\ntwo\n").unwrap();
        let read = |session: &str, path: &Path| json!({ "sessionId": session, "path": path });
        let whole = talk
            .asked("fs/read_text_file", read("s1", &folder.join("a.txt")))
            .await;
        assert_eq!(whole["result"]["content"], "one\ntwo\n");
        let mut line = read("s1", &folder.join("a.txt"));
        (line["line"], line["limit"]) = (2.into(), 1.into());
        assert_eq!(
            talk.asked("fs/read_text_file", line).await["result"]["content"],
            "two\n"
        );
        for (session, path, code) in [
            ("s1", folder.join("none"), -32002),
            ("s1", PathBuf::from("/etc/passwd"), -32602),
            ("s1", PathBuf::from("a.txt"), -32602),
            ("s2", folder.join("a.txt"), -32602),
        ] {
            let answer = talk.asked("fs/read_text_file", read(session, &path)).await;
            assert_eq!(*error(&answer), code, "{path:?} {answer}");
        }
        let outside = json!({ "sessionId": "s1", "path": "/etc/passwd", "content": "x" });
        assert_eq!(error(&talk.asked("fs/write_text_file", outside).await), -32602);
        let terminal = json!({ "sessionId": "s1", "command": "ls" });
        assert_eq!(error(&talk.asked("terminal/create", terminal).await), -32601);
    });
}

#[test]
fn an_agent_elsewhere_gets_no_files() {
    run(async {
        let mut talk = Talk::session(Place::Elsewhere).await;
        let path = talk.folder().join("a.txt");
        fs::write(&path, "x").unwrap();
        let read = json!({ "sessionId": "s1", "path": path });
        assert_eq!(error(&talk.asked("fs/read_text_file", read).await), -32601);
        let write = json!({ "sessionId": "s1", "path": path, "content": "y" });
        assert_eq!(error(&talk.asked("fs/write_text_file", write).await), -32601);
        assert_eq!(fs::read_to_string(&path).unwrap(), "x");
    });
}

fn permission() -> Value {
    json!({
        "sessionId": "s1", "toolCall": { "toolCallId": "c1" },
        "options": [{ "optionId": "yes", "name": "Yes", "kind": "allow_once" }],
    })
}

#[test]
fn a_question_that_is_withdrawn_is_answered_as_cancelled() {
    run(async {
        let mut talk = Talk::session(Place::Here).await;
        talk.ask(5, "session/request_permission", permission()).await;
        let (id, _) = talk.question().await;
        talk.say(&json!({ "jsonrpc": "2.0", "method": "$/cancel_request", "params": { "requestId": 5 } }))
            .await;
        assert_eq!(talk.event().await, Event::Withdrawn(id));
        let answer = talk.line().await;
        assert_eq!(
            answer["result"],
            json!({ "outcome": { "outcome": "cancelled" } }),
            "{answer}"
        );
        // An answer that comes too late goes nowhere.
        talk.commands
            .send(Command::Answer(id, Answer::Option("yes".to_owned())));
        talk.ask(6, "session/request_permission", permission()).await;
        let (next, _) = talk.question().await;
        let answer = talk.reply(next, Answer::Option("yes".to_owned())).await;
        assert_eq!(answer["id"], 6);
        assert_eq!(
            answer["result"]["outcome"],
            json!({ "outcome": "selected", "optionId": "yes" })
        );
    });
}

#[test]
fn an_address_is_visited_or_not() {
    let check = async |answer: Answer, expect: Value| {
        let mut talk = Talk::session(Place::Here).await;
        let url = "https://example.org/login";
        let wanted = json!({ "mode": "url", "sessionId": "s1", "elicitationId": "e", "url": url, "message": "Sign in" });
        talk.ask(3, "elicitation/create", wanted).await;
        let (id, ask) = talk.question().await;
        let (message, url) = ("Sign in".to_owned(), url.to_owned());
        assert_eq!(ask, Ask::Link { message, url });
        assert_eq!(talk.reply(id, answer).await["result"], expect);
    };
    run(async {
        check(Answer::Allow, json!({ "action": "accept" })).await;
        check(Answer::Refuse, json!({ "action": "decline" })).await;
        check(Answer::Cancelled, json!({ "action": "cancel" })).await;
    });
}

#[test]
fn a_form_comes_whole_and_goes_back_filled_in() {
    let field = |name: &str, need, kind, initial| Field {
        name: name.to_owned(),
        title: name.to_owned(),
        description: None,
        need,
        kind,
        initial,
    };
    let choice = |value: &str, name: &str| Choice {
        value: value.to_owned(),
        name: name.to_owned(),
    };
    run(async {
        let mut talk = Talk::session(Place::Here).await;
        let schema = json!({
            "type": "object", "title": "About you", "required": ["name", "age"],
            "properties": {
                "name": { "type": "string", "minLength": 2, "maxLength": 9 },
                "age": { "type": "integer", "minimum": 1, "default": 40 },
                "size": { "type": "number", "maximum": 2.5 },
                "news": { "type": "boolean", "default": false },
                "kind": { "type": "string", "enum": ["a", "b"] },
                "tags": { "type": "array", "maxItems": 2, "items": { "anyOf": [{ "const": "x", "title": "X" }] } },
                "later": { "type": "something" },
            },
        });
        let wanted =
            json!({ "mode": "form", "sessionId": "s1", "message": "Who?", "requestedSchema": schema });
        talk.ask(3, "elicitation/create", wanted).await;
        let (id, ask) = talk.question().await;
        let (least, most) = (1, i64::MAX);
        let words = FieldKind::Text {
            chars_min: 2,
            chars_max: 9,
        };
        let size = FieldKind::Number {
            least: f64::MIN,
            most: 2.5,
        };
        let tags = FieldKind::Many {
            choices: vec![choice("x", "X")],
            least: 0,
            most: 2,
        };
        let kinds = FieldKind::One(vec![choice("a", "a"), choice("b", "b")]);
        let form = Form {
            title: Some("About you".to_owned()),
            fields: vec![
                field(
                    "age",
                    Need::Required,
                    FieldKind::Integer { least, most },
                    Some(Filled::Integer(40)),
                ),
                field("name", Need::Required, words, None),
                field("kind", Need::Optional, kinds, None),
                field("later", Need::Optional, FieldKind::Unknown, None),
                field(
                    "news",
                    Need::Optional,
                    FieldKind::Switch,
                    Some(Filled::Switch(Switch::Off)),
                ),
                field("size", Need::Optional, size, None),
                field("tags", Need::Optional, tags, None),
            ],
        };
        let message = "Who?".to_owned();
        assert_eq!(
            ask,
            Ask::Form {
                message,
                form: form.clone()
            }
        );
        let mut draft = Draft::new(&form);
        draft.write("name", "Pat".to_owned());
        draft.write("size", "1.5".to_owned());
        let chosen = |value: &str| Written::Chosen(vec![value.to_owned()]);
        draft
            .values
            .extend([("kind".to_owned(), chosen("b")), ("tags".to_owned(), chosen("x"))]);
        let answer = talk.reply(id, Answer::Form(draft.filled(&form).unwrap())).await;
        let content =
            json!({ "age": 40, "name": "Pat", "kind": "b", "news": false, "size": 1.5, "tags": ["x"] });
        assert_eq!(
            answer["result"],
            json!({ "action": "accept", "content": content })
        );
    });
}

#[test]
fn what_is_malformed_ends_nothing() {
    run(async {
        let mut talk = Talk::session(Place::Here).await;
        let update = |update: Value| {
            let params = json!({ "sessionId": "s1", "update": update });
            json!({ "jsonrpc": "2.0", "method": "session/update", "params": params })
        };
        talk.say(&update(json!({ "sessionUpdate": "from_the_future", "x": 1 })))
            .await;
        talk.say(&update(
            json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "smell" } }),
        ))
        .await;
        talk.say(&json!({ "jsonrpc": "2.0", "method": "_auth/status_update", "params": {} }))
            .await;
        talk.say(&json!({ "jsonrpc": "2.0", "id": 99, "result": {} }))
            .await;
        talk.say(&json!({ "jsonrpc": "2.0", "id": 9, "method": "session/request_permission", "params": {} }))
            .await;
        assert_eq!(error(&talk.line().await), -32602);
        talk.line_of("no JSON").await;
        assert_eq!(error(&talk.line().await), -32700);
        let text =
            json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": "hi" } });
        talk.say(&update(text)).await;
        let piece = Piece {
            speaker: Speaker::Agent,
            text: "hi".to_owned(),
            message: None,
        };
        assert_eq!(
            talk.event().await,
            Event::Updated(SessionId("s1".to_owned()), Update::Text(piece))
        );
    });
}

#[test]
fn what_follows_an_answer_is_heard_after_it() {
    run(async {
        let mut talk = Talk::begun(Place::Here).await;
        talk.commands.send(Command::Begin(talk.folder()));
        let new = talk.told("session/new").await;
        let mode = |id: &str| json!({ "id": id, "name": id.to_uppercase() });
        let modes = json!({ "currentModeId": "ask", "availableModes": [mode("ask"), mode("code")] });
        talk.answer(&new, json!({ "sessionId": "s1", "modes": modes }))
            .await;
        let now = json!({ "sessionUpdate": "current_mode_update", "currentModeId": "code" });
        let params = json!({ "sessionId": "s1", "update": now });
        talk.say(&json!({ "jsonrpc": "2.0", "method": "session/update", "params": params }))
            .await;
        let session = SessionId("s1".to_owned());
        let choice = |value: &str| Choice {
            value: value.to_owned(),
            name: value.to_uppercase(),
        };
        let setting = Setting {
            key: SettingKey::Mode,
            name: "Mode".to_owned(),
            description: None,
            value: SettingValue::Select {
                current: "ask".to_owned(),
                choices: vec![choice("ask"), choice("code")],
            },
        };
        let folder = talk.folder();
        let opened = Event::Opened {
            session: session.clone(),
            folder,
            settings: vec![setting],
        };
        assert_eq!(talk.event().await, opened);
        assert_eq!(
            talk.event().await,
            Event::Updated(session.clone(), Update::Mode("code".to_owned()))
        );

        let set = Set::Choice("ask".to_owned());
        talk.commands
            .send(Command::Set(session.clone(), SettingKey::Mode, set));
        let set = talk.told("session/set_mode").await;
        assert_eq!(set["params"], json!({ "sessionId": "s1", "modeId": "ask" }));
        talk.answer(&set, json!({})).await;
        assert_eq!(
            talk.event().await,
            Event::Updated(session, Update::Mode("ask".to_owned()))
        );
    });
}

#[test]
fn a_refusal_is_told_in_the_agents_words() {
    let check = async |error: Value, expect: Error| {
        let mut talk = Talk::begun(Place::Here).await;
        talk.commands.send(Command::List(None));
        let list = talk.told("session/list").await;
        talk.say(&json!({ "jsonrpc": "2.0", "id": list["id"], "error": error }))
            .await;
        assert_eq!(talk.event().await, Event::Refused(Call::List, expect));
    };
    let refused = |code, message: &str| Error::AgentRefused {
        code,
        message: message.to_owned(),
    };
    run(async {
        let plain = json!({ "code": -32601, "message": "Method not found" });
        check(plain, refused(-32601, "Method not found")).await;
        let detailed =
            json!({ "code": -32603, "message": "Internal error", "data": { "details": "no disk" } });
        check(detailed, refused(-32603, "Internal error: no disk")).await;
        let words = json!({ "code": 1, "message": "No", "data": "because" });
        check(words, refused(1, "No: because")).await;
        let who = json!({ "code": -32000, "message": "Authentication required" });
        check(who, Error::SignInNeeded("Authentication required".to_owned())).await;
    });
}

#[test]
fn an_agent_that_goes_says_why() {
    run(async {
        let lost = |reason: &str| {
            let (agent, reason) = ("Puppet".to_owned(), reason.to_owned());
            Event::Lost(Error::AgentGone { agent, reason })
        };
        let why = "it ended (exit status: 1): no key";
        let mut talk = Talk::silent(Place::Here).await;
        talk.told("initialize").await;
        talk.say.close_channel();
        assert_eq!(talk.event().await, lost(why));

        let mut talk = Talk::session(Place::Here).await;
        talk.say.close_channel();
        assert_eq!(talk.event().await, lost(why));
        assert!(talk.heard.next().await.is_none());

        let mut talk = Talk::silent(Place::Here).await;
        let hello = talk.told("initialize").await;
        talk.answer(&hello, json!({ "protocolVersion": 0 })).await;
        let other = "Invalid request: unsupported ACP protocol version 0; \
             this endpoint only supports ACP protocol version 1; ";
        assert_eq!(talk.event().await, lost(&format!("{other}{why}")));

        let mut talk = Talk::silent(Place::Here).await;
        talk.told("initialize").await;
        let slow = "it did not say hello in two minutes; ";
        assert_eq!(talk.event().await, lost(&format!("{slow}{why}")));
    });
}
