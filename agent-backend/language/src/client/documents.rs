//! Texts that a server is shown, and what it says of them.

use lsp_server::Notification;
use lsp_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DocumentDiagnosticParams, DocumentDiagnosticReport, DocumentDiagnosticReportResult,
    PublishDiagnosticsParams, TextDocumentContentChangeEvent, TextDocumentIdentifier, TextDocumentItem, Uri,
    VersionedTextDocumentIdentifier,
    notification::{
        DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Notification as _, Progress,
        PublishDiagnostics,
    },
    request::DocumentDiagnosticRequest,
};
use serde_json::Value;

use super::{Client, Document, FileDiagnostics, Published};
use crate::{
    Diagnostic, Error,
    clock::Deadline,
    diagnostic::cut,
    limits::{DIAGNOSTICS_MAX, PROGRESS_MAX, TEXT_BYTES_MAX},
    server::Telling,
    uris,
};

/// rust-analyzer's own.
const SERVER_STATUS: &str = "experimental/serverStatus";

impl Client {
    /// Shows a text; it counts instead of the file on disk, which need not be
    /// there.
    pub fn open(&mut self, path: &str, text: &str) -> Result<(), Error> {
        let language = self.server.language(path).unwrap_or("plaintext");
        let uri = self.uri(path)?;
        let version = 1;
        self.tell::<DidOpenTextDocument>(&DidOpenTextDocumentParams {
            text_document: TextDocumentItem::new(uri, language.to_owned(), version, text.to_owned()),
        })?;
        let document = Document {
            version,
            published: None,
        };
        self.documents.insert(path.to_owned(), document);
        Ok(())
    }

    /// Shows another text of an open document, or opens it.
    pub fn change(&mut self, path: &str, text: &str) -> Result<(), Error> {
        let Some(document) = self.documents.get_mut(path) else {
            return self.open(path, text);
        };
        document.version += 1;
        document.published = None;
        let version = document.version;
        let uri = self.uri(path)?;
        self.tell::<DidChangeTextDocument>(&DidChangeTextDocumentParams {
            text_document: VersionedTextDocumentIdentifier::new(uri, version),
            content_changes: vec![TextDocumentContentChangeEvent {
                range: None,
                range_length: None,
                text: text.to_owned(),
            }],
        })
    }

    /// From now on the file on disk counts again, or that there is none.
    pub fn close(&mut self, path: &str) -> Result<(), Error> {
        if self.documents.remove(path).is_none() {
            return Ok(());
        }
        let text_document = TextDocumentIdentifier::new(self.uri(path)?);
        self.tell::<DidCloseTextDocument>(&DidCloseTextDocumentParams { text_document })
    }

    /// What the server says of the present texts of these open documents, when
    /// it has looked at them.
    pub fn diagnostics(
        &mut self,
        paths: &[&str],
        patience: std::time::Duration,
    ) -> Result<Vec<FileDiagnostics>, Error> {
        let deadline = Deadline::after(patience);
        paths
            .iter()
            .map(|path| {
                Ok(FileDiagnostics {
                    path: (*path).to_owned(),
                    diagnostics: self.diagnostics_of(path, deadline)?,
                })
            })
            .collect()
    }

    pub(super) fn diagnostics_of(
        &mut self,
        path: &str,
        deadline: Deadline,
    ) -> Result<Vec<Diagnostic>, Error> {
        self.opened(path)?;
        self.until_loaded(deadline)?;
        match (self.server.telling(), self.pull.clone()) {
            (Telling::Tsserver, _) => self.tsserver_diagnostics(path, deadline),
            (Telling::Asked, identifier) => self.pulled(path, identifier.flatten(), deadline),
            (Telling::Standard, Some(identifier)) => self.pulled(path, identifier, deadline),
            (Telling::Standard, None) => self.pushed(path, deadline),
        }
    }

    fn pulled(
        &mut self,
        path: &str,
        identifier: Option<String>,
        deadline: Deadline,
    ) -> Result<Vec<Diagnostic>, Error> {
        let params = DocumentDiagnosticParams {
            text_document: TextDocumentIdentifier::new(self.uri(path)?),
            identifier,
            // Never the result of before: the answer is to be whole.
            previous_result_id: None,
            work_done_progress_params: Default::default(),
            partial_result_params: Default::default(),
        };
        match self.ask::<DocumentDiagnosticRequest>(&params, deadline)? {
            DocumentDiagnosticReportResult::Report(DocumentDiagnosticReport::Full(report)) => {
                Ok(kept(path, report.full_document_diagnostic_report.items))
            }
            DocumentDiagnosticReportResult::Report(DocumentDiagnosticReport::Unchanged(_))
            | DocumentDiagnosticReportResult::Partial(_) => Err(self
                .connection
                .garbage("it says that diagnostics have not changed since none were asked for")),
        }
    }

    fn pushed(&mut self, path: &str, deadline: Deadline) -> Result<Vec<Diagnostic>, Error> {
        loop {
            // What is published while work goes on may not be all.
            let published = self
                .documents
                .get(path)
                .and_then(|document| document.published.as_ref());
            if let (Some(published), true) = (published, self.progress.is_empty()) {
                return Ok(published.diagnostics.clone());
            }
            if deadline.passed() {
                return Err(self.timed_out("with diagnostics", deadline));
            }
            self.hear(deadline.left())?;
        }
    }

    /// Takes in what a server tells by itself.
    pub(super) fn note(&mut self, notification: Notification) -> Result<(), Error> {
        match notification.method.as_str() {
            PublishDiagnostics::METHOD => {
                let mut params = notification.params;
                uris::mend(&mut params);
                let published: PublishDiagnosticsParams =
                    serde_json::from_value(params).map_err(|error| {
                        self.connection
                            .garbage(format!("its diagnostics are something else: {error}"))
                    })?;
                let Some(path) = uris::path_of(&self.root, &published.uri) else {
                    return Ok(());
                };
                // Of files that nobody asked for nothing is kept.
                if let Some(document) = self.documents.get_mut(&path)
                    && published
                        .version
                        .is_none_or(|version| version == document.version)
                {
                    document.published = Some(Published {
                        diagnostics: kept(&path, published.diagnostics),
                    });
                }
            }
            Progress::METHOD => {
                let Some(token) = notification.params.get("token").map(Value::to_string) else {
                    return Ok(());
                };
                let kind = notification.params.pointer("/value/kind").and_then(Value::as_str);
                if kind == Some("end") {
                    self.progress.remove(&token);
                } else if kind == Some("begin") && self.progress.len() < PROGRESS_MAX {
                    self.progress.insert(token);
                }
            }
            SERVER_STATUS => {
                let status = &notification.params;
                let is = |key: &str| status.get(key).and_then(Value::as_str);
                self.loaded = status.get("quiescent").and_then(Value::as_bool) == Some(true);
                self.complaint = (is("health") == Some("error")).then(|| {
                    cut(
                        is("message").unwrap_or("it cannot be read").to_owned(),
                        TEXT_BYTES_MAX,
                    )
                });
            }
            // Logs and messages to a person who is not there.
            _ => {}
        }
        Ok(())
    }

    pub(super) fn opened(&self, path: &str) -> Result<(), Error> {
        if self.documents.contains_key(path) {
            return Ok(());
        }
        Err(Error::NotOpen {
            path: path.to_owned(),
        })
    }

    pub(super) fn uri(&self, path: &str) -> Result<Uri, Error> {
        uris::of_relative(&self.root, path).ok_or_else(|| Error::BadPath {
            path: path.to_owned(),
        })
    }
}

fn kept(path: &str, diagnostics: Vec<lsp_types::Diagnostic>) -> Vec<Diagnostic> {
    diagnostics
        .into_iter()
        .take(DIAGNOSTICS_MAX)
        .map(|found| Diagnostic::of(path, found))
        .collect()
}
