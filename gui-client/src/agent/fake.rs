//! An agent that plays a recording: for tests, for pictures, and for whoever
//! wants to see the screen without an agent.
//!
//! A recording is one answer a line: the method it answers, what is said before
//! the answer, and the answer. A question waits for its answer, and what is said
//! after it may depend on the chosen option.

use std::{collections::VecDeque, io, time::Duration};

use futures::{SinkExt, StreamExt, channel::mpsc, future::BoxFuture};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::reach::{Place, Reach, Wire};
use crate::Error;

/// The recording that comes with the program.
pub const DEMO: &str = include_str!("../../transcripts/agent.jsonl");
/// Lines that wait on either side.
const WAITING_MAX: usize = 256;

/// A recorded agent.
#[derive(Debug, Clone)]
pub struct Recorded {
    name: String,
    turns: Vec<Turn>,
    pace: Duration,
}

/// An answer, and what is said before it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    /// The method that it answers; the last answer to a method counts for all further ones.
    to: String,
    #[serde(default)]
    before: Vec<Line>,
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

/// Something that is said.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Only after this option was chosen.
    #[serde(default)]
    after: Option<String>,
    /// A notification, or a request if it has an id.
    say: Value,
}

impl Recorded {
    /// Plays `recording`, with `pace` between what is said.
    ///
    /// # Errors
    /// A line that is no answer.
    pub fn new(name: &str, recording: &str, pace: Duration) -> Result<Self, Error> {
        let turns = recording.lines().enumerate().map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|error| Error::Config(format!("line {} of the recording: {error}", number + 1)))
        });
        Ok(Self {
            name: name.to_owned(),
            turns: turns.collect::<Result<_, _>>()?,
            pace,
        })
    }
}

impl Reach for Recorded {
    fn name(&self) -> &str {
        &self.name
    }

    fn place(&self) -> Place {
        Place::Here
    }

    fn open(&self) -> BoxFuture<'static, Result<Wire, Error>> {
        let (outgoing, heard) = mpsc::channel(WAITING_MAX);
        let (say, incoming) = mpsc::channel(WAITING_MAX);
        let player = Player {
            turns: self.turns.clone().into(),
            pace: self.pace,
            heard,
            say,
            waiting: VecDeque::new(),
            chosen: None,
        };
        Box::pin(async move {
            tokio::spawn(player.play());
            Ok(Wire {
                outgoing: Box::pin(outgoing.sink_map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))),
                incoming: incoming.boxed(),
                end: Box::pin(async { "the recording is over".to_owned() }),
            })
        })
    }
}

struct Player {
    turns: VecDeque<Turn>,
    pace: Duration,
    heard: mpsc::Receiver<String>,
    say: mpsc::Sender<io::Result<String>>,
    /// Heard while something else was waited for.
    waiting: VecDeque<Value>,
    /// The option that was chosen last.
    chosen: Option<String>,
}

/// Whether the turn goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    Stopped,
}

impl Player {
    /// Until the window hangs up.
    async fn play(mut self) {
        while let Some(message) = self.next().await {
            let (Some(method), Some(id)) = (message["method"].as_str(), message.get("id")) else {
                continue;
            };
            let answer = match self.turn(method) {
                Some(turn) => match self.tell(&turn.before).await {
                    Some(Goes::On) => match turn.error {
                        Some(error) => json!({ "error": error }),
                        None => json!({ "result": turn.result.unwrap_or_else(|| json!({})) }),
                    },
                    Some(Goes::Stopped) => json!({ "result": { "stopReason": "cancelled" } }),
                    None => return,
                },
                None => json!({ "error": { "code": -32601, "message": "Method not found" } }),
            };
            let mut answer = answer;
            answer["jsonrpc"] = "2.0".into();
            answer["id"] = id.clone();
            self.send(&answer).await;
        }
    }

    fn turn(&mut self, method: &str) -> Option<Turn> {
        let mut all = self
            .turns
            .iter()
            .enumerate()
            .filter(|(_, turn)| turn.to == method);
        let (at, first) = all.next()?;
        if all.next().is_some() {
            return self.turns.remove(at);
        }
        Some(first.clone())
    }

    /// Says `lines`; nothing once the window has hung up.
    async fn tell(&mut self, lines: &[Line]) -> Option<Goes> {
        for line in lines {
            if line.after.is_some() && line.after != self.chosen {
                continue;
            }
            if self.rest().await? == Goes::Stopped {
                return Some(Goes::Stopped);
            }
            self.send(&line.say).await;
            if let Some(id) = line.say.get("id") {
                let answer = self.answer(id).await?;
                if answer["result"]["outcome"]["outcome"] == "cancelled" {
                    return Some(Goes::Stopped);
                }
                let chosen = answer["result"]["outcome"]["optionId"].as_str();
                self.chosen = chosen.map(str::to_owned).or(self.chosen.take());
            }
        }
        Some(Goes::On)
    }

    /// Waits a little, unless the turn is stopped.
    async fn rest(&mut self) -> Option<Goes> {
        if self.pace.is_zero() {
            return Some(Goes::On);
        }
        let resting = sleep(self.pace);
        tokio::pin!(resting);
        loop {
            tokio::select! {
                () = &mut resting => return Some(Goes::On),
                line = self.heard.next() => {
                    let message = parse(&line?);
                    if message["method"] == "session/cancel" {
                        return Some(Goes::Stopped);
                    }
                    self.waiting.push_back(message);
                }
            }
        }
    }

    async fn answer(&mut self, id: &Value) -> Option<Value> {
        loop {
            let message = parse(&self.heard.next().await?);
            if message.get("method").is_none() && message["id"] == *id {
                return Some(message);
            }
            self.waiting.push_back(message);
        }
    }

    async fn next(&mut self) -> Option<Value> {
        match self.waiting.pop_front() {
            Some(message) => Some(message),
            None => Some(parse(&self.heard.next().await?)),
        }
    }

    async fn send(&mut self, message: &Value) {
        // The window has hung up; the next thing that is waited for says so.
        let _gone = self.say.send(Ok(message.to_string())).await;
    }
}

/// The window's own lines are JSON.
fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}
