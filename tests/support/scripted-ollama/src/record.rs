//! What was asked and what became of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use crate::{
    fault::Fault,
    format::Format,
    script::{Endpoint, canonical},
};

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Outcome {
    /// It has not ended.
    Running,
    /// It was answered to the end.
    Done {
        /// `stop`, `length`, `load`, `unload`; `none` for calls that have no reason.
        reason: String,
    },
    /// It was answered with an error, before or in the middle of the answer.
    Error {
        /// HTTP status; 200 in the middle.
        status: u16,
        /// The message.
        message: String,
    },
    /// The script cut it off.
    Cut,
    /// The client closed the connection before the end.
    Disconnected,
}

/// One request. No key is kept: neither headers nor the query are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Counts from 1 in order of arrival.
    pub id: u64,
    /// What was called.
    pub endpoint: Endpoint,
    /// The format it was called in.
    pub format: Format,
    /// The path, without its query.
    pub path: String,
    /// The body as JSON; null if it is none.
    pub body: serde_json::Value,
    /// The rule that answered: its name, or `rule N`.
    pub rule: Option<String>,
    /// Which of the answers of models it is, counted from 1, if it is one: its
    /// place in the plan of a seed.
    pub call: Option<u64>,
    /// What went wrong on purpose.
    pub faults: Vec<Fault>,
    /// Whether this request made the model load, for the first time or anew.
    pub loaded_model: bool,
    /// Whether another request put its model out of memory before it had ended.
    pub put_out: bool,
    /// Tokens of the prompt that the model saw.
    pub prompt_tokens: u64,
    /// Messages that did not fit into `num_ctx` and were dropped.
    pub messages_dropped: usize,
    /// Images in the prompt.
    pub images: usize,
    /// Tokens of the answer handed to the connection.
    pub tokens_sent: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What is wrong with the script, if that was why it failed.
    pub script_error: Option<String>,
}

impl Record {
    /// The model the request names, empty if none.
    pub fn model(&self) -> &str {
        model(&self.body, &self.path)
    }

    /// The content of the last message with this role, as the format names it;
    /// of a list of parts the first text. Empty if there is none.
    pub fn last_message(&self, role: &str) -> &str {
        last_message(&self.body, role)
    }
}

/// The model that a request names in its body, or else in its path.
pub(crate) fn model<'a>(body: &'a serde_json::Value, path: &'a str) -> &'a str {
    let named = body.get("model").and_then(serde_json::Value::as_str);
    let in_path = || path.strip_prefix("/v1beta/models/")?.rsplit_once(':');
    named
        .or_else(|| in_path().map(|(model, _)| model))
        .unwrap_or_default()
}

/// As [`Record::last_message`].
pub(crate) fn last_message<'a>(body: &'a serde_json::Value, role: &str) -> &'a str {
    let messages = body.get("messages").or_else(|| body.get("contents"));
    let message = messages
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
        .rev()
        .find(|message| message["role"] == role);
    let Some(message) = message else { return "" };
    let content = message.get("content").or_else(|| message.get("parts"));
    let parts = content.and_then(serde_json::Value::as_array);
    let first = parts.into_iter().flatten().find_map(|part| part["text"].as_str());
    content
        .and_then(serde_json::Value::as_str)
        .or(first)
        .unwrap_or_default()
}

/// All requests, and a signal when anything about them changes.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    records: Arc<Mutex<Vec<Record>>>,
    changed: Arc<watch::Sender<()>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            records: Arc::default(),
            changed: Arc::new(watch::Sender::new(())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        // A panic elsewhere cannot leave a list of records half written.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all(&self) -> Vec<Record> {
        self.lock().clone()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// These models are in memory no longer.
    pub(crate) fn put_out(&self, models: &[String]) {
        let mut records = self.lock();
        let running = records
            .iter_mut()
            .filter(|record| record.outcome == Outcome::Running);
        for record in running {
            record.put_out |= models
                .iter()
                .any(|model| canonical(model) == canonical(record.model()));
        }
    }

    /// Records an arrival. Dropping what comes back without an end means that
    /// the client went away.
    pub(crate) fn begin(&self, endpoint: Endpoint, path: &str, body: serde_json::Value) -> Entry {
        let mut records = self.lock();
        let id = records.len() as u64 + 1;
        records.push(Record {
            id,
            endpoint,
            format: endpoint.format(),
            path: path.to_owned(),
            body,
            rule: None,
            call: None,
            faults: Vec::new(),
            loaded_model: false,
            put_out: false,
            prompt_tokens: 0,
            messages_dropped: 0,
            images: 0,
            tokens_sent: 0,
            outcome: Outcome::Running,
            script_error: None,
        });
        drop(records);
        self.changed.send_replace(());
        Entry {
            recorder: self.clone(),
            id,
            format: endpoint.format(),
        }
    }
}

/// The record of a request under way.
#[derive(Debug)]
pub(crate) struct Entry {
    recorder: Recorder,
    /// As in the record.
    pub(crate) id: u64,
    pub(crate) format: Format,
}

impl Entry {
    pub(crate) fn update(&self, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.recorder.lock().get_mut(self.id as usize - 1) {
            change(record);
        }
        self.recorder.changed.send_replace(());
    }

    /// As in the record.
    pub(crate) fn path(&self) -> String {
        let records = self.recorder.lock();
        let record = records.get(self.id as usize - 1);
        record.map(|record| record.path.clone()).unwrap_or_default()
    }

    /// Whether this went wrong on purpose.
    pub(crate) fn has(&self, fault: &Fault) -> bool {
        let records = self.recorder.lock();
        let record = records.get(self.id as usize - 1);
        record.is_some_and(|record| record.faults.contains(fault))
    }

    pub(crate) fn end(&self, outcome: Outcome) {
        self.update(|record| record.outcome = outcome);
    }

    pub(crate) fn done(&self, reason: &str) {
        self.end(Outcome::Done {
            reason: reason.to_owned(),
        });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.update(|record| {
            if record.outcome == Outcome::Running {
                record.outcome = Outcome::Disconnected;
            }
        });
    }
}
