//! A TCP relay that notes when the bytes of each answer pass.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;

use crate::clock::Stopwatch;

type Pieces = Vec<(Duration, Vec<u8>)>;

/// A running relay; it ends with the process.
pub struct Tap {
    port: u16,
    answers: Arc<Mutex<Vec<Pieces>>>,
    hung_up: Arc<Mutex<Vec<Duration>>>,
}

impl Tap {
    /// Relays to `upstream` (`http://host:port`).
    pub fn start(upstream: &str, clock: Stopwatch) -> anyhow::Result<Self> {
        let upstream: SocketAddr = upstream
            .strip_prefix("http://")
            .context("the model's address is no http:// one")?
            .parse()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let answers: Arc<Mutex<Vec<Pieces>>> = Arc::default();
        let all = answers.clone();
        let hung_up: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let ended = hung_up.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (all, ended) = (all.clone(), ended.clone());
                // A connection that breaks only loses its own samples.
                thread::spawn(move || drop(relay(client, upstream, clock, &all, ended)));
            }
        });
        Ok(Self {
            port,
            answers,
            hung_up,
        })
    }

    /// When clients closed their connections, in order.
    pub fn hung_up(&self) -> Vec<Duration> {
        self.hung_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Where the backend should look for the model server.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What passed so far, by connection.
    pub fn answers(&self) -> Answers {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        Answers(answers.iter().map(tokens).collect())
    }
}

/// When each token passed, with the length of the text up to its end, and all of
/// the text.
type Tokens = (Vec<(Duration, usize)>, String);

/// The answers that have passed.
pub struct Answers(Vec<Tokens>);

impl Answers {
    /// When each token of the answer with this text passed, with the length of
    /// the text up to its end.
    pub fn find(&self, text: &str) -> Option<Vec<(Duration, usize)>> {
        let (tokens, whole) = self.0.iter().find(|(_, whole)| whole.ends_with(text))?;
        // One connection may have carried other answers before.
        let before = whole.len() - text.len();
        let of_this = tokens.iter().filter(|(_, end)| *end > before);
        Some(of_this.map(|(at, end)| (*at, end - before)).collect())
    }
}

fn relay(
    mut client: TcpStream,
    upstream: SocketAddr,
    clock: Stopwatch,
    all: &Mutex<Vec<Pieces>>,
    hung_up: Arc<Mutex<Vec<Duration>>>,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(upstream)?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        // Either side may hang up at any time.
        let _ended = std::io::copy(&mut from_client, &mut to_server);
        let at = clock.elapsed();
        hung_up.lock().unwrap_or_else(PoisonError::into_inner).push(at);
        let _gone = to_server.shutdown(Shutdown::Write);
    });
    let index = {
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Vec::new());
        all.len() - 1
    };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = server.read(&mut buffer)?;
        if length == 0 {
            return client.shutdown(Shutdown::Both);
        }
        let piece = (clock.elapsed(), buffer[..length].to_vec());
        client.write_all(&buffer[..length])?;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pieces) = all.get_mut(index) {
            pieces.push(piece);
        }
    }
}

/// Content of every NDJSON line, with the time at which the line was whole.
fn tokens(pieces: &Pieces) -> Tokens {
    let mut tokens = Vec::new();
    let mut text = String::new();
    let mut line = Vec::new();
    for (at, bytes) in pieces {
        for byte in bytes {
            if *byte != b'\n' {
                line.push(*byte);
                continue;
            }
            // Lines of the header and of chunk sizes are no JSON objects.
            if let Ok(value) = serde_json::from_slice::<Value>(&line)
                && let Some(content) = value["message"]["content"].as_str()
                && !content.is_empty()
            {
                text.push_str(content);
                tokens.push((*at, text.len()));
            }
            line.clear();
        }
    }
    (tokens, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_timed_when_their_line_is_whole() {
        let at = Duration::from_millis;
        let pieces = vec![
            (
                at(1),
                b"HTTP/1.1 200 OK\r\n\r\n1f\r\n{\"message\":{\"content\":\"a".to_vec(),
            ),
            (at(2), b"b\"}}\n\r\n{\"message\":{\"content\":\"c\"}}\n".to_vec()),
            (at(3), b"{\"done\":true}\n".to_vec()),
        ];
        assert_eq!(tokens(&pieces), (vec![(at(2), 2), (at(2), 3)], "abc".to_owned()));
    }
}
