//! Calls of tools by models, as clients are told of them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A tool that a model called in the middle of its answer, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    /// The server that has the tool.
    pub server: String,
    /// The tool, as its server names it.
    pub tool: String,
    /// What it was called with, a JSON object.
    pub arguments: String,
    /// Whether the tool failed.
    pub is_error: bool,
    /// Milliseconds it took.
    pub duration_ms: u64,
}

/// In one line, for a person.
impl fmt::Display for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            tool,
            arguments,
            is_error,
            duration_ms,
        } = self;
        let outcome = if *is_error { "failed" } else { "answered" };
        let tenths = duration_ms / 100;
        write!(
            f,
            "{server}: {tool} {arguments} {outcome} in {}.{} s",
            tenths / 10,
            tenths % 10
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_in_one_line() {
        let check = |is_error, expect: &str| {
            let call = ToolCall {
                server: "git".to_owned(),
                tool: "log".to_owned(),
                arguments: r#"{"path":"a.py"}"#.to_owned(),
                is_error,
                duration_ms: 1_250,
            };
            assert_eq!(call.to_string(), expect);
            let json = serde_json::to_string(&call).unwrap();
            assert_eq!(serde_json::from_str::<ToolCall>(&json).unwrap(), call);
        };
        check(false, r#"git: log {"path":"a.py"} answered in 1.2 s"#);
        check(true, r#"git: log {"path":"a.py"} failed in 1.2 s"#);
    }
}
