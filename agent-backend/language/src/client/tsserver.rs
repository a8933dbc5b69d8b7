//! Diagnostics of `typescript-language-server`, asked of the compiler behind it.
//!
//! What it publishes by itself has no version and comes in parts, or not at all
//! where nothing changed, so that nobody could tell when it has looked.
//! See `protocol.d.ts` of TypeScript: `SyntacticDiagnosticsSync`,
//! `SemanticDiagnosticsSync`, `DiagnosticWithLinePosition`.

use lsp_types::{ExecuteCommandParams, request::ExecuteCommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use crate::{
    Diagnostic, Error, Position, Range, Severity,
    clock::Deadline,
    diagnostic::cut,
    limits::{DIAGNOSTICS_MAX, TEXT_BYTES_MAX},
};

/// The server's command that hands a request on.
const COMMAND: &str = "typescript.tsserverRequest";

/// A place of the compiler, counted from 1.
#[derive(Debug, Deserialize)]
struct Place {
    line: u32,
    offset: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    message: String,
    start_location: Place,
    end_location: Place,
    category: String,
    code: u32,
}

impl Client {
    pub(super) fn tsserver_diagnostics(
        &mut self,
        path: &str,
        deadline: Deadline,
    ) -> Result<Vec<Diagnostic>, Error> {
        let mut diagnostics = Vec::new();
        for request in ["syntacticDiagnosticsSync", "semanticDiagnosticsSync"] {
            let file = self.uri(path)?;
            let params = ExecuteCommandParams {
                command: COMMAND.to_owned(),
                arguments: vec![
                    json!(request),
                    json!({ "file": file, "includeLinePosition": true }),
                ],
                work_done_progress_params: Default::default(),
            };
            let answer = self.ask::<ExecuteCommand>(&params, deadline)?;
            let body = answer
                .unwrap_or_default()
                .get("body")
                .cloned()
                .unwrap_or(Value::Null);
            let found: Vec<Found> = serde_json::from_value(body).map_err(|error| {
                self.connection
                    .garbage(format!("its answer to {request} is something else: {error}"))
            })?;
            diagnostics.extend(found.into_iter().map(|found| of(path, found)));
        }
        diagnostics.truncate(DIAGNOSTICS_MAX);
        Ok(diagnostics)
    }
}

fn of(path: &str, found: Found) -> Diagnostic {
    let at = |place: &Place| Position {
        line: place.line.saturating_sub(1),
        character: place.offset.saturating_sub(1),
    };
    Diagnostic {
        path: path.to_owned(),
        range: Range {
            start: at(&found.start_location),
            end: at(&found.end_location),
        },
        severity: match found.category.as_str() {
            "warning" => Severity::Warning,
            "suggestion" => Severity::Hint,
            "message" => Severity::Information,
            _ => Severity::Error,
        },
        code: Some(found.code.to_string()),
        source: Some("ts".to_owned()),
        message: cut(found.message, TEXT_BYTES_MAX),
    }
}
