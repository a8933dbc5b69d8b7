//! What checks print, in a terminal that the client draws. Version 1 has no
//! update for a terminal that is not the client's own; clients that draw one say
//! so in `_meta`, and are told by `_meta` what is printed. The convention is
//! that of other agents.

use agent_client_protocol::v1::schema::{
    Meta, SessionUpdate, Terminal, ToolCallContent, ToolCallUpdate, ToolCallUpdateFields,
};
use serde_json::{Value, json};

/// The field by which a client says that it draws terminals.
const ABILITY: &str = "terminal_output";

/// How a client is told what programs print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Terminals {
    /// As thoughts.
    #[default]
    Thoughts,
    /// In a terminal, which is named as its tool call.
    Drawn,
}

impl Terminals {
    /// What a client says of itself.
    pub(super) fn of(meta: Option<&Meta>) -> Self {
        match meta.and_then(|meta| meta.get(ABILITY)) {
            Some(Value::Bool(true)) => Self::Drawn,
            Some(_) | None => Self::Thoughts,
        }
    }
}

/// The terminal of a tool call, as part of what it shows.
pub(super) fn content(call: &str) -> ToolCallContent {
    ToolCallContent::Terminal(Terminal::new(call.to_owned()))
}

/// The terminal is there from now on.
pub(super) fn begins(call: &str) -> Meta {
    meta("terminal_info", json!({ "terminal_id": call }))
}

/// Something is printed.
pub(super) fn prints(call: &str, text: &str) -> SessionUpdate {
    let printed = meta("terminal_output", json!({ "terminal_id": call, "data": text }));
    let update = ToolCallUpdate::new(call.to_owned(), ToolCallUpdateFields::new());
    SessionUpdate::ToolCallUpdate(update.meta(printed))
}

/// Nothing is printed any more.
pub(super) fn ends(call: &str, succeeded: Ended) -> Meta {
    let code = match succeeded {
        Ended::Well => 0,
        Ended::Badly => 1,
    };
    let ended = json!({ "terminal_id": call, "exit_code": code, "signal": null });
    meta("terminal_exit", ended)
}

/// How what was shown ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    Badly,
}

fn meta(name: &str, value: Value) -> Meta {
    Meta::from_iter([(name.to_owned(), value)])
}
