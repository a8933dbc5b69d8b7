//! Tools that a model has called, or wants to call, as tool calls of the session.

use agent_client_protocol::v1::schema::{
    ContentBlock, SessionUpdate, TextContent, ToolCall, ToolCallContent, ToolCallStatus, ToolCallUpdate,
    ToolCallUpdateFields, ToolKind,
};
use engine::{
    artifact::{self, Effect, WantedCall},
    blob::BlobId,
    ports::Journal,
};

use crate::error::Error;

/// Characters of an answer that a client is shown.
const SHOWN_CHARS_MAX: usize = 4_000;

/// Digits that tell one question to a model from another.
const ASKED_DIGITS: usize = 12;

/// What the client was told of the calls of the stage that runs.
#[derive(Debug, Default)]
pub(super) struct Called {
    /// Calls that have not ended.
    open: Vec<Open>,
}

/// A call that has not ended.
#[derive(Debug)]
struct Open {
    asked: BlobId,
    number: u32,
    /// As the client knows it.
    id: String,
}

impl Called {
    /// A call that a person is asked about. `stage` is the call that the stage
    /// itself is.
    pub(super) fn wanted(&mut self, stage: &str, call: &WantedCall) -> SessionUpdate {
        let id = self.open(stage, call.asked, call.number);
        SessionUpdate::ToolCall(
            ToolCall::new(id, title(&call.server, &call.tool))
                .kind(kind_of(call.effect))
                .status(ToolCallStatus::Pending)
                .raw_input(raw(&call.shown)),
        )
    }

    /// The same call, as the subject of a permission request.
    pub(super) fn asked(&self, stage: &str, call: &WantedCall) -> ToolCallUpdate {
        let known = self.known(call.asked, call.number);
        let id = known.map_or_else(|| id(stage, call.asked, call.number), |open| open.id.clone());
        let fields = ToolCallUpdateFields::new()
            .title(question(call))
            .kind(kind_of(call.effect))
            .status(ToolCallStatus::Pending)
            .raw_input(raw(&call.shown));
        ToolCallUpdate::new(id, fields)
    }

    /// A call that has begun or ended.
    pub(super) async fn told(
        &mut self,
        journal: &dyn Journal,
        stage: &str,
        call: &artifact::ToolCall,
    ) -> Result<SessionUpdate, Error> {
        let known = self.known(call.asked, call.number).map(|open| open.id.clone());
        let id = known
            .clone()
            .unwrap_or_else(|| id(stage, call.asked, call.number));
        if call.begun.is_some() {
            let status = ToolCallStatus::InProgress;
            if known.is_some() {
                let fields = ToolCallUpdateFields::new()
                    .title(title(&call.server, &call.tool))
                    .status(status);
                return Ok(SessionUpdate::ToolCallUpdate(ToolCallUpdate::new(id, fields)));
            }
            self.open(stage, call.asked, call.number);
            return Ok(SessionUpdate::ToolCall(
                ToolCall::new(id, title(&call.server, &call.tool))
                    .kind(kind(&call.server))
                    .status(status)
                    .raw_input(raw(&call.arguments)),
            ));
        }
        let answer = journal.blob(call.result).await?.unwrap_or_default();
        let answer = shown(&String::from_utf8_lossy(&answer));
        let content = vec![ToolCallContent::from(ContentBlock::Text(TextContent::new(
            answer,
        )))];
        let status = if call.is_error {
            ToolCallStatus::Failed
        } else {
            ToolCallStatus::Completed
        };
        if known.is_none() {
            return Ok(SessionUpdate::ToolCall(
                ToolCall::new(id, title(&call.server, &call.tool))
                    .kind(kind(&call.server))
                    .status(status)
                    .raw_input(raw(&call.arguments))
                    .content(content),
            ));
        }
        self.open
            .retain(|open| (open.asked, open.number) != (call.asked, call.number));
        let fields = ToolCallUpdateFields::new()
            .title(title(&call.server, &call.tool))
            .status(status)
            .content(content);
        Ok(SessionUpdate::ToolCallUpdate(ToolCallUpdate::new(id, fields)))
    }

    /// Calls that were never made, or whose end nobody has seen.
    pub(super) fn given_up(&mut self) -> Vec<SessionUpdate> {
        let over = |open: Open| {
            let fields = ToolCallUpdateFields::new().status(ToolCallStatus::Failed);
            SessionUpdate::ToolCallUpdate(ToolCallUpdate::new(open.id, fields))
        };
        self.open.drain(..).map(over).collect()
    }

    fn known(&self, asked: BlobId, number: u32) -> Option<&Open> {
        self.open
            .iter()
            .find(|open| (open.asked, open.number) == (asked, number))
    }

    /// The id of a call that has not ended.
    fn open(&mut self, stage: &str, asked: BlobId, number: u32) -> String {
        if let Some(known) = self.known(asked, number) {
            return known.id.clone();
        }
        let id = id(stage, asked, number);
        self.open.push(Open {
            asked,
            number,
            id: id.clone(),
        });
        id
    }
}

fn id(stage: &str, asked: BlobId, number: u32) -> String {
    let asked = asked.to_hex();
    let asked = asked.get(..ASKED_DIGITS).unwrap_or_default();
    format!("{stage}:{asked}.{number}")
}

fn title(server: &str, tool: &str) -> String {
    format!("{server}: {tool}")
}

/// What a person is asked.
fn question(call: &WantedCall) -> String {
    let effect = match call.effect {
        Effect::Unknown => "It may change something.",
        Effect::Adds => "It adds something.",
        Effect::Destroys => "It may destroy something.",
    };
    format!("Call {}? {effect}", title(&call.server, &call.tool))
}

fn kind_of(effect: Effect) -> ToolKind {
    match effect {
        Effect::Unknown => ToolKind::Other,
        Effect::Adds => ToolKind::Edit,
        Effect::Destroys => ToolKind::Delete,
    }
}

/// What our own servers do; of others nothing is known.
fn kind(server: &str) -> ToolKind {
    match server {
        "git" | "format" => ToolKind::Read,
        "language" => ToolKind::Search,
        _ => ToolKind::Other,
    }
}

/// What a tool is called with; as text where it was cut.
fn raw(arguments: &str) -> Option<serde_json::Value> {
    Some(serde_json::from_str(arguments).unwrap_or_else(|_| arguments.into()))
}

fn shown(answer: &str) -> String {
    match answer.char_indices().nth(SHOWN_CHARS_MAX) {
        None => answer.to_owned(),
        Some((end, _)) => format!("{}\n…", &answer[..end]),
    }
}
