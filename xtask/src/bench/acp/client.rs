//! A client of the Agent Client Protocol over a WebSocket (RFC 6455), as much of
//! both as measuring needs.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// Longest silence of an agent that has something to say.
const WAIT: Duration = Duration::from_secs(60);

/// Opcodes.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A connection on which `initialize` was answered.
pub struct Client {
    stream: BufReader<TcpStream>,
    next_id: u64,
}

impl Client {
    /// Connects to a backend (`http://host:port`).
    pub fn connect(backend: &str) -> anyhow::Result<Self> {
        let host = backend
            .strip_prefix("http://")
            .context("the backend's address is no http:// one")?;
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(WAIT))?;
        let mut client = Self {
            stream: BufReader::new(stream),
            next_id: 0,
        };
        write!(
            client.stream.get_mut(),
            "GET /acp HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        let mut line = String::new();
        client.stream.read_line(&mut line)?;
        if !line.contains(" 101 ") {
            bail!("/acp answered {line}");
        }
        while line != "\r\n" {
            line.clear();
            client.stream.read_line(&mut line)?;
        }
        let wishes = json!({ "_meta": { "agentic_ide": { "streaming_update": true } } });
        let hello = json!({ "protocolVersion": 1, "clientCapabilities": wishes });
        client.call("initialize", &hello, |_| Ok(()))?;
        Ok(client)
    }

    /// Begins a session about a folder; its id.
    pub fn begin(&mut self, folder: &Path) -> anyhow::Result<String> {
        let params = json!({ "cwd": folder, "mcpServers": [] });
        let begun = self.call("session/new", &params, |_| Ok(()))?;
        let id = begun["sessionId"].as_str().context("a session has no id")?;
        Ok(id.to_owned())
    }

    /// Goes to a session by `session/load` or `session/resume`; `seen` has what
    /// comes before the answer.
    pub fn go_to(
        &mut self,
        method: &str,
        session: &str,
        folder: &Path,
        seen: impl FnMut(&Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let params = json!({ "sessionId": session, "cwd": folder, "mcpServers": [] });
        self.call(method, &params, seen).map(drop)
    }

    /// The result of a request; `seen` has what comes before it. A question is
    /// answered with no.
    pub fn call(
        &mut self,
        method: &str,
        params: &Value,
        mut seen: impl FnMut(&Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<Value> {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        loop {
            let mut message = self.next()?;
            if message["id"] == id && message.get("method").is_none() {
                if let Some(error) = message.get("error") {
                    bail!("{method}: {error}");
                }
                return Ok(message["result"].take());
            }
            if message["method"] == "session/request_permission" {
                self.refuse(&message["id"])?;
            }
            seen(&message)?;
        }
    }

    /// Says no to a question.
    pub fn refuse(&mut self, id: &Value) -> anyhow::Result<()> {
        let outcome = json!({ "outcome": { "outcome": "selected", "optionId": "reject" } });
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": outcome }))
    }

    fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        self.frame(TEXT, message.to_string().as_bytes())
    }

    fn frame(&mut self, opcode: u8, payload: &[u8]) -> anyhow::Result<()> {
        // A mask of zeroes changes nothing, and is one.
        let mut frame = vec![0x80 | opcode, 0xff];
        frame.extend_from_slice(&u64::try_from(payload.len())?.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        Ok(self.stream.get_mut().write_all(&frame)?)
    }

    /// The next message.
    pub fn next(&mut self) -> anyhow::Result<Value> {
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head)?;
            let [first, length] = head;
            let length = match length & 0x7f {
                126 => {
                    let mut bytes = [0; 2];
                    self.stream.read_exact(&mut bytes)?;
                    u64::from(u16::from_be_bytes(bytes))
                }
                127 => {
                    let mut bytes = [0; 8];
                    self.stream.read_exact(&mut bytes)?;
                    u64::from_be_bytes(bytes)
                }
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length)?];
            self.stream.read_exact(&mut payload)?;
            match first & 0x0f {
                TEXT => return Ok(serde_json::from_slice(&payload)?),
                PING => self.frame(PONG, &payload)?,
                CLOSE => bail!("the agent closed the connection"),
                _ => {}
            }
        }
    }
}
