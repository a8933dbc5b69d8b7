//! What a server may ask of us: which folder is open. It may not ask a model,
//! nor a person.

#![allow(
    deprecated,
    reason = "servers of the protocol's earlier versions ask for roots"
)]

use std::path::Path;

use rmcp::{
    ClientHandler, ErrorData, RoleClient,
    model::{ClientCapabilities, ClientConfig, Implementation, ListRootsResult, Root},
    service::{NotificationContext, RequestContext},
};
use shared::version::VERSION;
use tokio::sync::watch;

/// Our side of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    root: String,
    changes: watch::Sender<u32>,
}

impl Client {
    /// With what changes whenever the server's tools do.
    pub(crate) fn new(workspace: &Path) -> (Self, watch::Receiver<u32>) {
        let (changes, changed) = watch::channel(0);
        let root = file_uri(workspace);
        (Self { root, changes }, changed)
    }

    pub(crate) fn tools_changed(&self) {
        self.changes.send_modify(|count| *count = count.saturating_add(1));
    }
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        capabilities.roots = Some(Default::default());
        ClientConfig::new(capabilities, Implementation::new("agentic-ide", VERSION))
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(vec![Root::new(self.root.clone())]))
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.tools_changed();
    }
}

/// The path as a URI (RFC 8089): what is no letter, digit or `-._~/` is encoded.
fn file_uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded() {
        assert_eq!(file_uri(Path::new("/a b/ü%")), "file:///a%20b/%C3%BC%25");
    }
}
