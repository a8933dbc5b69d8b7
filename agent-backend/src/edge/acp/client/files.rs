//! Files through a client: what it shows of them, saved or not, and what it is
//! given to show and save.

use std::path::Path;

use agent_client_protocol::v1::schema::{ClientCapabilities, ReadTextFileRequest, WriteTextFileRequest};

use super::{Client, Way};

/// What a client does with files. To be written through, it must be read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::edge::acp) enum Files {
    /// Nothing.
    #[default]
    None,
    /// It says what it shows of them.
    Reads,
    /// It takes texts for them as well.
    Writes,
}

impl Files {
    /// What a client says of itself.
    pub(in crate::edge::acp) fn of(capabilities: &ClientCapabilities) -> Self {
        let files = &capabilities.fs;
        match (files.read_text_file, files.write_text_file) {
            (true, true) => Self::Writes,
            (true, false) => Self::Reads,
            (false, _) => Self::None,
        }
    }
}

impl Client {
    /// What it shows of a file; none where it does not say. Dropped before it is
    /// answered, the request is withdrawn.
    pub(in crate::edge::acp) async fn read_file(&self, path: &Path) -> Option<String> {
        let cx = match (&self.way, self.abilities.files) {
            (Way::One(cx), Files::Reads | Files::Writes) => cx,
            (Way::One(_), Files::None) | (Way::Two(_), _) => return None,
        };
        let request = ReadTextFileRequest::new(self.session.clone(), path);
        match cx.send_request(request).block_task().await {
            Ok(answer) => Some(answer.content),
            Err(error) => {
                // Of most files that are not there, or not open.
                tracing::debug!(%error, path = %path.display(), "a file was not read through the client");
                None
            }
        }
    }

    /// Gives it a text for a file; whether it says that it saved it.
    pub(in crate::edge::acp) async fn write_file(&self, path: &Path, text: &str) -> bool {
        let cx = match (&self.way, self.abilities.files) {
            (Way::One(cx), Files::Writes) => cx,
            (Way::One(_), Files::Reads | Files::None) | (Way::Two(_), _) => return false,
        };
        let request = WriteTextFileRequest::new(self.session.clone(), path, text);
        match cx.send_request(request).block_task().await {
            Ok(_saved) => true,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a file was not written through the client");
                false
            }
        }
    }
}
