//! What checks print, in a terminal that the client draws. Version 1 has no
//! update for a terminal that is not the client's own; clients that draw one say
//! so in `_meta`, and are told by `_meta` what is printed. The convention is
//! that of other agents. Where there is none, a client on this machine runs
//! a program in a terminal of its own that shows it.

mod own;

use agent_client_protocol::v1::schema::{
    ClientCapabilities, Meta, SessionUpdate, Terminal, ToolCallContent, ToolCallUpdate, ToolCallUpdateFields,
};
pub(super) use own::{Opener, Own};
use serde_json::{Value, json};

use super::connection::Machine;

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
    /// In a terminal of the client's own.
    Own,
}

impl Terminals {
    /// What a client says of itself. One on another machine has neither our program
    /// nor our files.
    pub(super) fn of(capabilities: &ClientCapabilities, machine: Machine) -> Self {
        let meta = capabilities.meta.as_ref();
        match meta.and_then(|meta| meta.get(ABILITY)) {
            Some(Value::Bool(true)) => Self::Drawn,
            Some(_) | None if capabilities.terminal && machine == Machine::Ours => Self::Own,
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
pub(super) fn ends(call: &str, ended: Ended) -> Meta {
    let ended = json!({ "terminal_id": call, "exit_code": ended.code(), "signal": null });
    meta("terminal_exit", ended)
}

/// How what was shown ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    Badly,
}

impl Ended {
    /// As an exit code.
    fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Badly => 1,
        }
    }
}

fn meta(name: &str, value: Value) -> Meta {
    Meta::from_iter([(name.to_owned(), value)])
}
