//! The Agent Client Protocol from elsewhere: status codes, access, web pages,
//! clients that do not read, and many of them.

use std::{collections::BTreeSet, fs, ops::RangeInclusive};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, client_async, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::{
    acp_client::{Acp, prompt, wire::Transport},
    world::{PATIENCE, World},
};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// A request, and the status that it is answered with.
struct Request<'a> {
    world: &'a World,
    method: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl<'a> Request<'a> {
    fn new(world: &'a World, method: &'static str, headers: &[(&'static str, &str)], body: &Value) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            world,
            method,
            headers: headers.collect(),
            body: body.to_string(),
        }
    }

    async fn send(self) -> reqwest::Response {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let method = self.method.parse().unwrap();
        let mut request = client.request(method, format!("{}/acp", self.world.url()));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        tokio::time::timeout(PATIENCE, request.body(self.body).send())
            .await
            .unwrap()
            .unwrap()
    }

    async fn status(self) -> u16 {
        self.send().await.status().as_u16()
    }
}

fn call(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

async fn initialize(world: &World) -> String {
    let hello = call("initialize", &json!({ "protocolVersion": 1 }));
    let answer = Request::new(world, "POST", &[("content-type", JSON)], &hello)
        .send()
        .await;
    assert_eq!(answer.status(), 200);
    let connection = answer.headers()["acp-connection-id"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["result"]["protocolVersion"], 1, "{body}");
    connection
}

#[tokio::test]
async fn each_wrong_request_has_its_status() {
    let world = World::new().await;
    let id = initialize(&world).await;
    let known = ("acp-connection-id", id.as_str());
    let unknown = ("acp-connection-id", "none");
    let (is_json, is_text) = (("content-type", JSON), ("content-type", "text/plain"));
    let wants_events = ("accept", EVENTS);
    let list = call("session/list", &json!({}));
    let prompt = call("session/prompt", &json!({ "prompt": [] }));
    let of_another = call("session/prompt", &json!({ "sessionId": "b", "prompt": [] }));
    let nothing = Value::String(String::new());
    let check = async |method, headers: &[(&'static str, &str)], body: &Value, expect: u16| {
        let status = Request::new(&world, method, headers, body).status().await;
        assert_eq!(status, expect, "{method} {headers:?} {body}");
    };
    check("POST", &[is_json, known], &list, 202).await;
    check(
        "POST",
        &[("content-type", "application/json; charset=utf-8"), known],
        &list,
        202,
    )
    .await;
    check("POST", &[known], &list, 415).await;
    check("POST", &[is_text, known], &list, 415).await;
    check(
        "POST",
        &[("content-type", "application/jsonx"), known],
        &list,
        415,
    )
    .await;
    check("POST", &[is_json], &list, 400).await;
    check("POST", &[is_json, unknown], &list, 404).await;
    check("POST", &[is_json, known], &nothing, 400).await;
    check("POST", &[is_json, known], &json!([list]), 400).await;
    check("POST", &[is_json, known], &prompt, 400).await;
    check("POST", &[is_json, known, ("acp-session-id", "a")], &prompt, 202).await;
    check(
        "POST",
        &[is_json, known, ("acp-session-id", "a")],
        &of_another,
        400,
    )
    .await;
    check(
        "POST",
        &[is_json, known, ("content-length", "99999999")],
        &list,
        413,
    )
    .await;
    check("GET", &[known], &nothing, 406).await;
    check("GET", &[known, ("accept", JSON)], &nothing, 406).await;
    check("GET", &[wants_events], &nothing, 400).await;
    check("GET", &[wants_events, unknown], &nothing, 404).await;
    let listening = Request::new(&world, "GET", &[wants_events, known], &nothing)
        .send()
        .await;
    assert_eq!(listening.status(), 200);
    check("GET", &[wants_events, known], &nothing, 409).await;
    drop(listening);
    // Sessions of which nothing was said yet, and no more of them.
    let mut open = Vec::new();
    for n in 0..17 {
        let session = format!("s{n}");
        let headers = [wants_events, known, ("acp-session-id", session.as_str())];
        let stream = Request::new(&world, "GET", &headers, &nothing).send().await;
        assert_eq!(stream.status(), if n < 16 { 200 } else { 404 }, "{n}");
        open.push(stream);
    }
    drop(open);
    check("PUT", &[is_json, known], &list, 405).await;
    check("DELETE", &[], &nothing, 400).await;
    check("DELETE", &[unknown], &nothing, 404).await;
    check("DELETE", &[known], &nothing, 202).await;
    check("DELETE", &[known], &nothing, 404).await;
    check("POST", &[is_json, known], &list, 404).await;
    check("GET", &[wants_events, known], &nothing, 404).await;
}

#[tokio::test]
async fn a_stream_that_broke_off_is_gone_on_with() {
    let world = World::new().await;
    let id = initialize(&world).await;
    let headers = [("content-type", JSON), ("acp-connection-id", id.as_str())];
    let listens = [("accept", EVENTS), ("acp-connection-id", id.as_str())];
    let nothing = Value::String(String::new());
    for _ in 0..3 {
        let stream = Request::new(&world, "GET", &listens, &nothing).send().await;
        assert_eq!(stream.status(), 200);
        drop(stream);
        // The server sees that it is gone when it next looks.
        let listed = Request::new(&world, "POST", &headers, &call("session/list", &json!({})));
        assert_eq!(listed.status().await, 202);
    }
    let mut got = 0;
    let reading = async {
        while got == 0 {
            let stream = Request::new(&world, "GET", &listens, &nothing).send().await;
            if stream.status() != 200 {
                continue;
            }
            let mut pieces = stream.bytes_stream();
            if let Some(Ok(piece)) = pieces.next().await {
                got += String::from_utf8_lossy(&piece).matches("\"sessions\"").count();
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    assert!(got >= 1);
}

#[tokio::test]
async fn who_may_connect() {
    let mut world = World::new().await;
    let hello = call("initialize", &json!({ "protocolVersion": 1 }));
    let socket = async |world: &World, headers: &[(&'static str, &str)]| {
        let url = format!("{}/acp", world.url().replace("http", "ws"));
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((_, response)) => {
                assert!(response.headers().contains_key("acp-connection-id"));
                let protocol = response.headers().get("sec-websocket-protocol");
                Ok(protocol.map(|protocol| protocol.to_str().unwrap().to_owned()))
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    };
    let post = async |world: &World, headers: &[(&'static str, &str)]| {
        let headers = [&[("content-type", JSON)], headers].concat();
        Request::new(world, "POST", &headers, &hello).status().await
    };
    let (evil, own) = (
        ("origin", "https://evil.example"),
        ("origin", "http://localhost:5173"),
    );
    assert_eq!(socket(&world, &[]).await, Ok(None));
    assert_eq!(socket(&world, &[own]).await, Ok(None));
    assert_eq!(socket(&world, &[evil]).await, Err(403));
    assert_eq!(socket(&world, &[("origin", "null")]).await, Err(403));
    assert_eq!(post(&world, &[own]).await, 200);
    assert_eq!(post(&world, &[evil]).await, 403);

    world.kill();
    world.configure("auth_token: s3cret\n");
    world.start().await;
    let right = ("authorization", "Bearer s3cret");
    let wrong = ("authorization", "Bearer wrong");
    assert_eq!(socket(&world, &[]).await, Err(401));
    assert_eq!(socket(&world, &[wrong]).await, Err(401));
    assert_eq!(socket(&world, &[right]).await, Ok(None));
    assert_eq!(socket(&world, &[right, evil]).await, Err(403));
    // What a browser can send; it wants to see that it was taken up.
    let offered = ("sec-websocket-protocol", "agentic-ide.token.s3cret");
    let taken = socket(&world, &[own, offered]).await;
    assert_eq!(taken, Ok(Some("agentic-ide.token.s3cret".to_owned())));
    let guessed = ("sec-websocket-protocol", "agentic-ide.token.wrong");
    assert_eq!(socket(&world, &[own, guessed]).await, Err(401));
    for (headers, expect) in [
        (vec![], 401),
        (vec![wrong], 401),
        (vec![right], 200),
        (vec![right, evil], 403),
    ] {
        assert_eq!(post(&world, &headers).await, expect, "{headers:?}");
    }
    // A page of this machine asks first, without the token.
    let asks = [own, ("access-control-request-method", "POST")];
    let answer = Request::new(&world, "OPTIONS", &asks, &Value::Null).send().await;
    assert_eq!(answer.status(), 204);
    let allowed = answer.headers()["access-control-allow-headers"]
        .to_str()
        .unwrap()
        .to_owned();
    for name in [
        "authorization",
        "content-type",
        "acp-connection-id",
        "acp-session-id",
    ] {
        assert!(allowed.contains(name), "{allowed}");
    }
    // The program that joins has the token from the same configuration.
    let mut acp = Acp::over(Transport::Joined, &world).await;
    acp.session(&world).await;
    assert!(!world.log().contains("s3cret"));
}

#[tokio::test]
async fn a_socket_is_pinged_and_answers_pings() {
    let world = World::new().await;
    let url = format!("{}/acp", world.url().replace("http", "ws"));
    let (mut socket, _) = connect_async(url).await.unwrap();
    socket.send(Message::Ping("a".into())).await.unwrap();
    let (mut pinged, mut ponged) = (false, false);
    let reading = async {
        while !(pinged && ponged) {
            match socket.next().await.unwrap().unwrap() {
                Message::Ping(_) => pinged = true,
                Message::Pong(bytes) => ponged |= bytes == "a".as_bytes(),
                other @ (Message::Text(_) | Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => {
                    panic!("{other}")
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
}

fn resident_kib(world: &World) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", world.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Prompts of a session with much in it.
const PROMPTS: usize = 40;

/// Times that a client asks for a history that it then does not read.
const LOADS: usize = 300;

/// What the backend may grow by, which is far from what it was asked for.
const GROWTH_KIB_MAX: u64 = 48 * 1024;

/// A WebSocket of a client that reads when it likes.
type Deaf = WebSocketStream<TcpStream>;

#[tokio::test]
async fn a_client_that_does_not_read_costs_little_and_slows_nobody() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    // Whoever loads the session is told the words.
    let words = format!("/review {}", "x".repeat(15_000));
    for _ in 0..PROMPTS {
        let answer = acp.call("session/prompt", prompt(&session, &words)).await;
        assert_eq!(answer["result"]["stopReason"], "end_turn", "{answer}");
    }
    let asked_for = u64::try_from(words.len() * PROMPTS * LOADS / 1024).unwrap();
    assert!(asked_for > 3 * GROWTH_KIB_MAX, "{asked_for}");
    let mut other = Acp::connect(&world).await;
    other.go_to("session/load", &world, &session).await;

    let address = world.url().trim_start_matches("http://").parse().unwrap();
    let stream = TcpSocket::new_v4().unwrap();
    stream.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = stream.connect(address).await.unwrap();
    let url = format!("{}/acp", world.url().replace("http", "ws"));
    let (mut deaf, _) = client_async(url, stream).await.unwrap();
    let hello = call("initialize", &json!({ "protocolVersion": 1 }));
    deaf.send(Message::text(hello.to_string())).await.unwrap();
    while !matches!(deaf.next().await.unwrap().unwrap(), Message::Text(_)) {}
    let connection = initialize(&world).await;
    let before = resident_kib(&world);
    let load = json!({ "sessionId": session, "cwd": world.repo(), "mcpServers": [] });
    for n in 0..LOADS {
        let mut message = call("session/load", &load);
        message["id"] = json!(n + 2);
        deaf.send(Message::text(message.to_string())).await.unwrap();
        // And one over HTTP, that opens no stream at all.
        let headers = [("content-type", JSON), ("acp-connection-id", connection.as_str())];
        let status = Request::new(&world, "POST", &headers, &message).status().await;
        assert_eq!(status, 202);
    }
    // Everybody else goes on.
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = acp.until(turn).await;
    acp.choose(&asked, "accept").await;
    assert_eq!(acp.until(turn).await["result"]["stopReason"], "end_turn");
    let asked = other.next().await;
    other.until_withdrawn(&asked).await;
    other
        .update(|update| {
            update["content"]["text"]
                .as_str()
                .unwrap_or_default()
                .contains("Committed")
        })
        .await;
    let grown = resident_kib(&world).saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "it grew by {grown} KiB");
    // It reads at last: each request is answered, and the session is there.
    let answered = async |deaf: &mut Deaf, ids: RangeInclusive<usize>| {
        let mut missing: BTreeSet<usize> = ids.collect();
        let mut last = Value::Null;
        while !missing.is_empty() {
            let Some(Ok(message)) = deaf.next().await else {
                panic!("it was cut off: {missing:?}")
            };
            let Ok(text) = message.into_text() else { continue };
            let message: Value = serde_json::from_str(&text).unwrap_or_default();
            let id = message["id"].as_u64().and_then(|id| usize::try_from(id).ok());
            if id.is_some_and(|id| missing.remove(&id)) {
                last = message;
            }
        }
        last
    };
    let reading = async {
        answered(&mut deaf, 2..=LOADS + 1).await;
        let mut message = call("session/load", &load);
        message["id"] = json!(LOADS + 2);
        deaf.send(Message::text(message.to_string())).await.unwrap();
        answered(&mut deaf, LOADS + 2..=LOADS + 2).await
    };
    let loaded = tokio::time::timeout(PATIENCE, reading).await.unwrap();
    assert_eq!(loaded["error"], Value::Null, "{loaded}");
}

/// Clients on one session; `cargo xtask bench` has 200.
const MANY: usize = 50;

#[tokio::test]
async fn many_clients_of_one_session_are_told_the_same() {
    let world = World::new().await;
    let mut first = Acp::connect(&world).await;
    let session = first.session(&world).await;
    let mut others = Vec::new();
    for n in 0..MANY {
        let transport = if n % 2 == 0 {
            Transport::Socket
        } else {
            Transport::Http
        };
        let mut acp = Acp::over(transport, &world).await;
        let resumed = acp.go_to("session/resume", &world, &session).await;
        assert_eq!(resumed["error"], Value::Null, "{resumed}");
        others.push(acp);
    }
    let turn = first
        .ask("session/prompt", prompt(&session, "Add greetings"))
        .await;
    let asked = first.until(turn).await;
    // The last one of all answers.
    let mut last = others.pop().unwrap();
    let asked_too = last.next().await;
    assert_eq!(asked_too["params"], asked["params"]);
    last.choose(&asked_too, "accept").await;
    first.until_withdrawn(&asked).await;
    assert_eq!(first.until(turn).await["result"]["stopReason"], "end_turn");
    let over = |update: &Value| {
        let call = update["toolCallId"].as_str().unwrap_or_default();
        call.contains(":apply:") && update["status"] == "completed"
    };
    let work = |acp: &Acp| -> Vec<Value> {
        let apart = [
            "session_info_update",
            "available_commands_update",
            "user_message_chunk",
        ];
        let updates = acp.updates.iter();
        let updates = updates.filter(|update| !apart.contains(&update["sessionUpdate"].as_str().unwrap()));
        let mut updates: Vec<Value> = updates.cloned().collect();
        let end = updates.iter().position(&over).unwrap();
        updates.truncate(end + 1);
        updates
    };
    last.update(over).await;
    let expect = work(&last);
    assert!(expect.len() > 20, "{}", expect.len());
    assert_eq!(work(&first), expect);
    for (n, acp) in others.iter_mut().enumerate() {
        let asked = acp.next().await;
        assert_eq!(asked["method"], "session/request_permission", "{n}: {asked}");
        acp.until_withdrawn(&asked).await;
        acp.update(over).await;
        assert_eq!(work(acp), expect, "{n}");
    }
    assert_eq!(world.commits(), 2);
}

/// A frame as it is on the wire, masked with zeroes, its payload of this length
/// announced and perhaps not there.
fn frame(opcode: u8, announced: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, 0xff];
    frame.extend_from_slice(&announced.to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test]
async fn a_frame_that_cannot_be_taken_closes_with_its_reason_and_the_session_stays() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let address: std::net::SocketAddr = world.url().trim_start_matches("http://").parse().unwrap();
    let url = format!("{}/acp", world.url().replace("http", "ws"));
    for (what, bytes, expect) in [
        ("too large", frame(1, 16 * 1024 * 1024 + 1, b""), 1009),
        ("no UTF-8", frame(1, 2, b"\xff\xfe"), 1007),
        ("a reserved opcode", frame(3, 0, b""), 1002),
    ] {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = client_async(&url, stream).await.unwrap();
        for (id, method, params) in [
            (
                1,
                "initialize",
                json!({ "protocolVersion": 1, "clientCapabilities": {} }),
            ),
            (
                2,
                "session/resume",
                json!({ "sessionId": session, "cwd": world.repo(), "mcpServers": [] }),
            ),
        ] {
            let call = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
            socket.send(Message::text(call.to_string())).await.unwrap();
            let answered = async {
                loop {
                    if let Message::Text(text) = socket.next().await.unwrap().unwrap()
                        && serde_json::from_str::<Value>(&text).unwrap()["id"] == id
                    {
                        break;
                    }
                }
            };
            tokio::time::timeout(PATIENCE, answered).await.unwrap();
        }
        socket.get_mut().write_all(&bytes).await.unwrap();
        let closed = async {
            loop {
                if let Message::Close(close) = socket.next().await.unwrap().unwrap() {
                    break close.map(|close| u16::from(close.code));
                }
            }
        };
        let closed = tokio::time::timeout(PATIENCE, closed).await.unwrap();
        assert_eq!(closed, Some(expect), "{what}");
        let resumed = acp.go_to("session/resume", &world, &session).await;
        assert_eq!(resumed["error"], Value::Null, "{what}: {resumed}");
    }
}
