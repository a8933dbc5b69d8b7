//! The events of a workflow: reading them up to where a person decides, and what they say.

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use super::{PATIENCE, World};

impl World {
    /// Decides; the status.
    pub async fn decide(&self, id: &str, decision: &Value) -> u16 {
        self.post(&format!("/api/workflow/{id}/decision"), decision)
            .await
            .0
    }

    /// Gives an answer that is taken.
    pub async fn answer(&self, id: &str, decision: Value) {
        let path = format!("/api/workflow/{id}/decision");
        let (status, body) = self.post(&path, &decision).await;
        assert_eq!(status, 204, "{body}");
    }

    /// Events over a WebSocket after `after`, up to the first that `until`
    /// accepts, or to the end of the stream.
    pub async fn events(
        &self,
        id: &str,
        after: u64,
        mode: &str,
        until: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        let events = self.try_events(id, after, mode, until).await;
        events.expect("the stream is whole")
    }

    /// The same, of a backend that may die; none if the stream broke off.
    pub async fn try_events(
        &self,
        id: &str,
        after: u64,
        mode: &str,
        until: impl Fn(&Value) -> bool,
    ) -> Option<Vec<Value>> {
        let url = self.url.replace("http", "ws");
        let url = format!("{url}/api/workflow/{id}/stream?after={after}&mode={mode}");
        let mut events = Vec::new();
        let reading = async {
            let (mut socket, _) = connect_async(url).await.ok()?;
            while let Some(message) = socket.next().await {
                if let Message::Text(text) = message.ok()? {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    let last = until(&event);
                    events.push(event);
                    if last {
                        break;
                    }
                }
            }
            Some(())
        };
        let read = tokio::time::timeout(PATIENCE, reading).await;
        let Ok(whole) = read else {
            panic!("no such event; {}", brief(&events).join("\n"));
        };
        whole.map(|()| events)
    }

    /// Events after `seq`, up to the next question or the end.
    pub async fn on(&self, id: &str, seq: u64) -> Vec<Value> {
        let stops = |event: &Value| event["type"] == "decision_needed" || is_end(event);
        self.events(id, seq, "delta", stops).await
    }

    /// Events up to the question.
    pub async fn to_review(&self, id: &str) -> Vec<Value> {
        let events = self
            .events(id, 0, "full", |event| {
                event["type"] == "decision_needed" || is_end(event)
            })
            .await;
        assert_eq!(
            events.last().unwrap()["type"],
            "decision_needed",
            "{}",
            brief(&events).join("\n")
        );
        events
    }

    /// All events, to the end.
    pub async fn to_end(&self, id: &str) -> Vec<Value> {
        self.events(id, 0, "full", is_end).await
    }

    /// Accepts the proposal; all events.
    pub async fn accept(&self, id: &str) -> Vec<Value> {
        self.to_review(id).await;
        assert_eq!(self.decide(id, &json!({ "decision": "accept" })).await, 204);
        self.to_end(id).await
    }
}

/// Whether nothing follows.
pub fn is_end(event: &Value) -> bool {
    let state = event["state"].as_str().unwrap_or_default();
    event["type"] == "failed"
        || event["type"] == "workflow_state" && matches!(state, "completed" | "rejected" | "cancelled")
}

/// Where the last of these events is in its history.
pub fn last(events: &[Value]) -> u64 {
    events.last().unwrap()["seq"].as_u64().unwrap()
}

/// Types of events, stages with them, streaming folded into one word.
pub fn brief(events: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for event in events {
        let kind = event["type"].as_str().unwrap();
        let line = match kind {
            "agent_streaming_update" => format!("text {}", event["stage_id"].as_str().unwrap()),
            "stage_started" => format!(
                "start {} {}",
                event["stage_id"].as_str().unwrap(),
                event["attempt"]
            ),
            "stage_finished" => {
                format!(
                    "{} {}",
                    event["outcome"].as_str().unwrap(),
                    event["stage_id"].as_str().unwrap()
                )
            }
            "check_result" => format!("check {}", event["name"].as_str().unwrap()),
            "workflow_state" => event["state"].as_str().unwrap().to_owned(),
            "notice" => format!("notice {}", event["code"].as_str().unwrap_or("-")),
            "failed" => format!("failed {}", event["code"].as_str().unwrap()),
            _ => kind.to_owned(),
        };
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Compares events one by one, so that a failure shows the first that differs.
pub fn assert_same(got: &[Value], expect: &[Value], what: &str) {
    for (got, expect) in got.iter().zip(expect) {
        assert_eq!(got, expect, "{what}");
    }
    assert_eq!(brief(got), brief(expect), "{what}");
}
