//! The first words with a server: what we can do, and what it can.

use lsp_types::{
    ClientCapabilities, ClientInfo, DiagnosticClientCapabilities, DidChangeConfigurationParams,
    DynamicRegistrationClientCapabilities, GeneralClientCapabilities, GotoCapability,
    HoverClientCapabilities, InitializeParams, InitializedParams, MarkupKind, PositionEncodingKind,
    PublishDiagnosticsClientCapabilities, TextDocumentClientCapabilities, TextDocumentSyncClientCapabilities,
    WindowClientCapabilities, WorkspaceClientCapabilities, WorkspaceFolder,
    notification::{DidChangeConfiguration, Initialized},
    request::{Initialize, Request as _},
};
use serde_json::json;

use super::Client;
use crate::{Error, clock::Deadline, uris};

impl Client {
    pub(super) fn initialize(&mut self, deadline: Deadline) -> Result<(), Error> {
        let root = uris::of_path(&self.root).ok_or_else(|| Error::BadPath {
            path: self.root.display().to_string(),
        })?;
        #[expect(
            deprecated,
            reason = "servers that know no workspace folders look at `root_uri`"
        )]
        let params = InitializeParams {
            // Not ours: in a sandbox with processes of its own the server would
            // not find it and end. It ends when its input does.
            process_id: None,
            root_uri: Some(root.clone()),
            initialization_options: self.server.initialization_options(),
            capabilities: capabilities(),
            workspace_folders: Some(vec![WorkspaceFolder {
                uri: root,
                name: "workspace".to_owned(),
            }]),
            client_info: Some(ClientInfo {
                name: "agentic-ide".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            ..InitializeParams::default()
        };
        let params =
            serde_json::to_value(params).map_err(|error| self.connection.garbage(error.to_string()))?;
        // As it is: of all that a server can do, one thing is of interest, and
        // what newer servers say beyond the types must not count against them.
        let result = self.ask_value(Initialize::METHOD, &params, deadline)?;
        let Some(capabilities) = result.get("capabilities").filter(|given| given.is_object()) else {
            return Err(self.connection.garbage("its first answer names no capabilities"));
        };
        let provider = capabilities
            .get("diagnosticProvider")
            .filter(|given| given.is_object());
        self.pull = provider.map(|provider| {
            let identifier = provider.get("identifier").and_then(serde_json::Value::as_str);
            identifier.map(str::to_owned)
        });
        self.tell::<Initialized>(&InitializedParams {})?;
        self.tell::<DidChangeConfiguration>(&DidChangeConfigurationParams {
            settings: self.server.settings(),
        })
    }
}

/// What this client can do; nothing that it cannot.
fn capabilities() -> ClientCapabilities {
    ClientCapabilities {
        workspace: Some(WorkspaceClientCapabilities {
            configuration: Some(true),
            workspace_folders: Some(true),
            did_change_configuration: Some(DynamicRegistrationClientCapabilities {
                dynamic_registration: Some(true),
            }),
            ..WorkspaceClientCapabilities::default()
        }),
        text_document: Some(TextDocumentClientCapabilities {
            synchronization: Some(TextDocumentSyncClientCapabilities::default()),
            publish_diagnostics: Some(PublishDiagnosticsClientCapabilities {
                version_support: Some(true),
                ..PublishDiagnosticsClientCapabilities::default()
            }),
            diagnostic: Some(DiagnosticClientCapabilities::default()),
            hover: Some(HoverClientCapabilities {
                content_format: Some(vec![MarkupKind::PlainText, MarkupKind::Markdown]),
                ..HoverClientCapabilities::default()
            }),
            definition: Some(GotoCapability::default()),
            references: Some(DynamicRegistrationClientCapabilities::default()),
            ..TextDocumentClientCapabilities::default()
        }),
        window: Some(WindowClientCapabilities {
            work_done_progress: Some(true),
            ..WindowClientCapabilities::default()
        }),
        general: Some(GeneralClientCapabilities {
            position_encodings: Some(vec![PositionEncodingKind::UTF16]),
            ..GeneralClientCapabilities::default()
        }),
        // rust-analyzer's way to tell that it has read the project.
        experimental: Some(json!({ "serverStatusNotification": true })),
        notebook_document: None,
    }
}
