//! The few files of `/etc` that programs cannot do without, made up: the host's own
//! name its people.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::Error;

/// Name and contents.
const FILES: &[(&str, &str)] = &[
    (
        "passwd",
        "sandbox:x:1000:1000::/tmp:/bin/sh\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
    ),
    ("group", "sandbox:x:1000:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];

/// The files, on the host for as long as this is held.
#[derive(Debug)]
pub(crate) struct Etc(TempDir);

impl Etc {
    pub(crate) fn create() -> Result<Self, Error> {
        let dir = tempfile::Builder::new()
            .prefix("agentic-ide-sandbox-")
            .tempdir()
            .map_err(Error::io("create its files"))?;
        for (name, contents) in FILES {
            fs::write(dir.path().join(name), contents).map_err(Error::io("create its files"))?;
        }
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The names of the files.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }
}
