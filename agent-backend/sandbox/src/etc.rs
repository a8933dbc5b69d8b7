//! The few files of `/etc` that programs cannot do without, made up: the host's own
//! name its people.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::{Error, names};

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
        sweep(&std::env::temp_dir());
        let dir = tempfile::Builder::new()
            .prefix(&names::ours())
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

/// Removes what processes left that were killed.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(names::is_left) {
            // Another user's stays.
            let _stays = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn only_what_the_dead_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        // No process has this number: it is above what a kernel gives.
        let names = [
            "agentic-ide-sandbox-99999999-a".to_owned(),
            format!("agentic-ide-sandbox-{}-b", process::id()),
            "agentic-ide-99999999-c".to_owned(),
        ];
        for name in &names {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        sweep(folder.path());
        let left = names.each_ref().map(|name| folder.path().join(name).exists());
        assert_eq!(left, [false, true, true]);
    }
}
