//! What servers ask us. Computes and nothing else.

use lsp_server::{ErrorCode, Request, Response};
use lsp_types::request::{
    ApplyWorkspaceEdit, RegisterCapability, Request as _, ShowDocument, ShowMessageRequest,
    UnregisterCapability, WorkDoneProgressCreate, WorkspaceConfiguration, WorkspaceFoldersRequest,
};
use serde_json::{Value, json};

use crate::Server;

/// Requests of servers to look again at what they have said. What is needed is
/// asked for when it is.
const REFRESH: &str = "/refresh";

/// Never nothing: a server may wait for it.
pub(super) fn answer(server: Server, request: &Request) -> Response {
    let id = request.id.clone();
    match request.method.as_str() {
        WorkspaceConfiguration::METHOD => {
            let items = request.params.get("items").and_then(Value::as_array);
            let settings = server.settings();
            let found = items.into_iter().flatten().map(|item| {
                let section = item.get("section").and_then(Value::as_str);
                section_of(&settings, section.unwrap_or_default())
            });
            Response::new_ok(id, found.collect::<Vec<_>>())
        }
        // Nothing depends on these; to refuse would stop some servers.
        WorkDoneProgressCreate::METHOD
        | RegisterCapability::METHOD
        | UnregisterCapability::METHOD
        | WorkspaceFoldersRequest::METHOD
        // Nobody is there to choose.
        | ShowMessageRequest::METHOD => Response::new_ok(id, Value::Null),
        ShowDocument::METHOD => Response::new_ok(id, json!({ "success": false })),
        // A server changes nothing.
        ApplyWorkspaceEdit::METHOD => Response::new_ok(id, json!({ "applied": false })),
        method if method.ends_with(REFRESH) => Response::new_ok(id, Value::Null),
        method => Response::new_err(
            id,
            ErrorCode::MethodNotFound as i32,
            format!("{method} is not known"),
        ),
    }
}

/// The part of the settings under a dotted name.
fn section_of(settings: &Value, section: &str) -> Value {
    let names = section.split('.').filter(|name| !name.is_empty());
    let found = names.into_iter().try_fold(settings, |at, name| at.get(name));
    found.cloned().unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use lsp_server::RequestId;

    use super::*;

    #[track_caller]
    fn check(server: Server, method: &str, params: Value, expect: &Result<Value, i32>) {
        let request = Request {
            id: RequestId::from("x".to_owned()),
            method: method.to_owned(),
            params,
        };
        let response = answer(server, &request);
        assert_eq!(response.id, RequestId::from("x".to_owned()));
        assert_eq!(&response.response_result.map_err(|error| error.code), expect);
    }

    #[test]
    fn every_request_is_answered() {
        let server = Server::Pyright;
        let analysis = json!({ "typeCheckingMode": "standard", "diagnosticMode": "openFilesOnly" });
        check(
            server,
            "workspace/configuration",
            json!({ "items": [{ "section": "python" }, { "section": "python.analysis" }, { "section": "editor" }] }),
            &Ok(json!([{ "analysis": analysis }, analysis, null])),
        );
        check(server, "workspace/configuration", Value::Null, &Ok(json!([])));
        check(
            server,
            "window/workDoneProgress/create",
            json!({ "token": 1 }),
            &Ok(Value::Null),
        );
        check(
            server,
            "client/registerCapability",
            json!({ "registrations": [] }),
            &Ok(Value::Null),
        );
        check(
            server,
            "workspace/diagnostic/refresh",
            Value::Null,
            &Ok(Value::Null),
        );
        check(
            server,
            "workspace/applyEdit",
            json!({ "edit": {} }),
            &Ok(json!({ "applied": false })),
        );
        check(server, "pyright/unheardOf", Value::Null, &Err(-32601));
    }
}
