//! What a server lists, measured against the bounds and the policy: what is
//! offered, and what is to be said of the rest.

use std::collections::BTreeMap;

use rmcp::model::Tool;
use serde_json::{Map, Value};
use shared::error::Code;

use super::{Offered, Unlisted, naming};
use crate::{
    Error, Problem, Server, Source,
    answer::{complaint, printable},
    limits::{DESCRIPTION_CHARS_MAX, PROBLEMS_MAX, SCHEMA_BYTES_MAX, TITLE_CHARS_MAX, TOOLS_MAX},
};

/// Names that a message lists.
const NAMES_MAX: usize = 12;

/// What is known of a server's tools.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Survey {
    /// By name.
    pub(super) offered: Vec<Offered>,
    pub(super) problems: Vec<Problem>,
}

impl Survey {
    /// Of a server that cannot be asked.
    pub(super) fn failed(error: &Error, server: &Server) -> Self {
        let problem = Problem {
            server: server.name.clone(),
            code: error.code(),
            message: error.to_string(),
        };
        Self {
            offered: Vec::new(),
            problems: vec![problem],
        }
    }

    /// Of a server that lists these; `more` if it has more than were read.
    pub(super) fn of(server: &Server, unlisted: Unlisted, listed: Vec<Tool>, more: bool) -> Self {
        let mut offered: BTreeMap<String, Offered> = BTreeMap::new();
        let (mut not_allowed, mut unusable) = (Vec::new(), Vec::new());
        for tool in listed {
            let own = tool.name.to_string();
            let read_only = tool
                .annotations
                .as_ref()
                .is_some_and(|annotations| annotations.read_only_hint == Some(true));
            let needs_permission = !read_only && !server.allows(&own);
            if needs_permission && unlisted == Unlisted::Hide {
                not_allowed.push(own);
                continue;
            }
            match described(server, tool, needs_permission) {
                Some(one) => {
                    offered.entry(one.tool.clone()).or_insert(one);
                }
                None => unusable.push(own),
            }
        }
        let mut problems = Vec::new();
        let mut tell = |code, message| {
            problems.push(Problem {
                server: server.name.clone(),
                code,
                message,
            });
        };
        if !not_allowed.is_empty() {
            tell(Code::McpToolsNotOffered, not_allowed_words(server, &not_allowed));
        }
        if !unusable.is_empty() {
            let message = format!(
                "{} not offered, as the schema of the arguments is no object or has more than {SCHEMA_BYTES_MAX} \
                 bytes: {}",
                counted(unusable.len()),
                names(&unusable)
            );
            tell(Code::McpToolsNotOffered, message);
        }
        if more {
            let message = format!("it has more than {TOOLS_MAX} tools; those beyond are not offered");
            tell(Code::McpToolsNotOffered, message);
        }
        for name in server
            .allow
            .iter()
            .filter(|name| *name != "*" && !offered.contains_key(*name))
        {
            tell(
                Code::McpToolsNotOffered,
                format!("`allow` names `{}`, which it does not have", complaint(name, 100)),
            );
        }
        problems.truncate(PROBLEMS_MAX);
        Self {
            offered: offered.into_values().collect(),
            problems,
        }
    }
}

fn described(server: &Server, tool: Tool, needs_permission: bool) -> Option<Offered> {
    let schema = object(&tool.input_schema)?;
    let own = tool.name.to_string();
    let annotations = tool.annotations.unwrap_or_default();
    let title = tool.title.or(annotations.title).unwrap_or_else(|| own.clone());
    Some(Offered {
        name: naming::of_tool(&server.name, &own),
        server: server.name.clone(),
        title: short(&title.replace('\n', " "), TITLE_CHARS_MAX),
        description: short(&tool.description.unwrap_or_default(), DESCRIPTION_CHARS_MAX),
        schema,
        read_only: annotations.read_only_hint == Some(true),
        destructive: annotations.destructive_hint,
        needs_permission,
        reached: server.transport.to_string(),
        tool: own,
    })
}

/// A schema that models are told: small enough, and of an object.
fn object(schema: &Map<String, Value>) -> Option<Map<String, Value>> {
    let bytes = serde_json::to_vec(schema).ok()?.len();
    if bytes > SCHEMA_BYTES_MAX {
        return None;
    }
    let mut schema = schema.clone();
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "object" => {}
        // Some servers leave it out where there are no arguments.
        None => {
            schema.insert("type".to_owned(), "object".into());
        }
        Some(_) => return None,
    }
    // Some interfaces of models refuse an object without it.
    schema
        .entry("properties")
        .or_insert_with(|| Value::Object(Map::new()));
    schema.remove("$schema");
    Some(schema)
}

fn short(text: &str, chars_max: usize) -> String {
    let text = printable(text.trim());
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn not_allowed_words(server: &Server, tools: &[String]) -> String {
    let name = &server.name;
    let how = match server.source {
        Source::Configuration => format!("name them under `mcp_servers: {name}: allow:` in backend.yaml"),
        Source::BuiltIn | Source::Client | Source::Repository => {
            format!("name them under `mcp: allow: {name}:` in backend.yaml")
        }
    };
    format!(
        "{} not offered, as the server does not say that they only read: {}. To allow them, {how}",
        counted(tools.len()),
        names(tools)
    )
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 tool is".to_owned(),
        count => format!("{count} tools are"),
    }
}

fn names(tools: &[String]) -> String {
    let mut list: Vec<String> = tools
        .iter()
        .take(NAMES_MAX)
        .map(|tool| format!("`{}`", complaint(tool, 100)))
        .collect();
    if tools.len() > NAMES_MAX {
        list.push(format!("and {} more", tools.len() - NAMES_MAX));
    }
    list.join(", ")
}

#[cfg(test)]
mod tests;
