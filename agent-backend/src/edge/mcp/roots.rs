//! Which directories may be asked about: those that the client offers, or the
//! one that the server was started for.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rmcp::{RoleServer, service::RequestContext};
use shared::error::Code;
use tokio::sync::Mutex;

use crate::error::Error;

/// A client that offers roots and does not list them is not waited for longer.
const ROOTS_WAIT: Duration = Duration::from_secs(5);
/// Roots that are taken from a client.
const ROOTS_MAX: usize = 32;

/// The directories of one client.
#[derive(Debug)]
pub(super) struct Roots {
    usual: PathBuf,
    offered: Mutex<Option<Vec<PathBuf>>>,
}

impl Roots {
    /// `usual` is for clients that offer none.
    pub(super) fn new(usual: PathBuf) -> Self {
        Self {
            usual,
            offered: Mutex::default(),
        }
    }

    /// The client has others now.
    pub(super) async fn forget(&self) {
        *self.offered.lock().await = None;
    }

    /// The directories; never empty.
    pub(super) async fn of(&self, context: &RequestContext<RoleServer>) -> Vec<PathBuf> {
        let mut offered = self.offered.lock().await;
        let roots = match &*offered {
            Some(roots) => roots.clone(),
            None => {
                let asked = ask(context).await;
                // Who did not answer may do so the next time.
                if let Some(roots) = &asked {
                    *offered = Some(roots.clone());
                }
                asked.unwrap_or_default()
            }
        };
        if roots.is_empty() {
            vec![self.usual.clone()]
        } else {
            roots
        }
    }
}

/// What the client offers; none if it did not answer.
#[expect(deprecated, reason = "clients of the protocol's earlier versions offer roots")]
async fn ask(context: &RequestContext<RoleServer>) -> Option<Vec<PathBuf>> {
    let offers = context
        .client_capabilities()
        .is_some_and(|capabilities| capabilities.roots.is_some());
    if !offers {
        return Some(Vec::new());
    }
    match tokio::time::timeout(ROOTS_WAIT, context.peer.list_roots()).await {
        Ok(Ok(listed)) => {
            let paths = listed.roots.iter().filter_map(|root| path_of(&root.uri));
            let directories = paths.filter(|path| path.is_dir()).take(ROOTS_MAX);
            Some(directories.collect())
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "the client's roots cannot be listed");
            None
        }
        Err(_elapsed) => {
            tracing::warn!("the client did not list its roots in time");
            None
        }
    }
}

/// The path of a `file:` URI on this machine.
fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let path = &rest[rest.find('/')?..];
    let host = &rest[..rest.len() - path.len()];
    if !matches!(host, "" | "localhost") {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut left = path.as_bytes();
    while let Some((first, rest)) = left.split_first() {
        let escaped = rest.get(..2).filter(|_| *first == b'%');
        match escaped.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                left = &rest[2..];
            }
            None => {
                bytes.push(*first);
                left = rest;
            }
        }
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// The root that is meant: by path, by the name of its directory, or because
/// `path` is in it; the first one if nothing says otherwise.
pub(super) fn choose(roots: &[PathBuf], wanted: Option<&str>, path: Option<&str>) -> Result<PathBuf, Error> {
    let inside = |root: &&PathBuf| path.is_some_and(|path| Path::new(path).starts_with(root));
    let found = match wanted {
        Some(wanted) => roots
            .iter()
            .find(|root| {
                let same = root.as_path() == Path::new(wanted.trim_end_matches('/'));
                same || root.file_name().is_some_and(|name| name == wanted)
            })
            .ok_or_else(|| {
                let known: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
                let message = format!("`{wanted}` is not one of the workspaces: {}", known.join(", "));
                Error::user(Code::InvalidRequest, message)
            })?,
        None => roots
            .iter()
            .find(inside)
            .or_else(|| roots.first())
            .ok_or_else(|| Error::internal("there is no root"))?,
    };
    Ok(found.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_of_files_on_this_machine() {
        let check =
            |uri: &str, expect: Option<&str>| assert_eq!(path_of(uri), expect.map(PathBuf::from), "{uri}");
        check("file:///home/p/shop", Some("/home/p/shop"));
        check("file://localhost/home/p", Some("/home/p"));
        check("file:///a%20b/%C3%A4", Some("/a b/ä"));
        check("file:///100%", Some("/100%"));
        check("file:///a%ff", None);
        check("file://elsewhere/home", None);
        check("https://example.com/x", None);
        check("/home", None);
    }

    #[test]
    fn roots_are_named_or_found_by_path() {
        let roots = [PathBuf::from("/w/shop"), PathBuf::from("/w/till")];
        let check = |wanted: Option<&str>, path: Option<&str>, expect: Option<&str>| {
            let got = choose(&roots, wanted, path).ok();
            assert_eq!(got, expect.map(PathBuf::from), "{wanted:?} {path:?}");
        };
        check(None, None, Some("/w/shop"));
        check(Some("till"), None, Some("/w/till"));
        check(Some("/w/till/"), None, Some("/w/till"));
        check(None, Some("/w/till/a.py"), Some("/w/till"));
        check(None, Some("a.py"), Some("/w/shop"));
        check(Some("/etc"), None, None);
        check(Some(""), None, None);
    }
}
