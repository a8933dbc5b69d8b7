//! Three-way merges of text by `git merge-file`. Knows no paths and no repository.

use std::{ffi::OsStr, io, path::Path};

use crate::{Error, git::Git};

/// Result of a three-way merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Merged {
    /// Both changes are in.
    Clean(Vec<u8>),
    /// Both sides changed the same lines in different ways.
    Conflict,
}

/// Brings the change from `base` to `theirs` into `ours`.
pub(crate) fn three_way(git: &Git, ours: &[u8], base: &[u8], theirs: &[u8]) -> Result<Merged, Error> {
    // The common cases need no process.
    if ours == base || ours == theirs {
        return Ok(Merged::Clean(theirs.to_vec()));
    }
    if base == theirs {
        return Ok(Merged::Clean(ours.to_vec()));
    }
    let failed = |source: io::Error| Error::Write {
        path: "a temporary file".to_owned(),
        source,
    };
    let directory = tempfile::tempdir().map_err(failed)?;
    let place = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).map(|()| path).map_err(failed)
    };
    let files = [
        place("ours", ours)?,
        place("base", base)?,
        place("theirs", theirs)?,
    ];
    let mut arguments: Vec<&OsStr> = vec!["merge-file".as_ref(), "-p".as_ref(), "-q".as_ref()];
    arguments.extend(
        files
            .iter()
            .map(|path: &std::path::PathBuf| AsRef::<Path>::as_ref(path).as_os_str()),
    );
    let answer = git.run(&arguments, None)?;
    match answer.code() {
        Some(0) => Ok(Merged::Clean(answer.bytes()?)),
        // The number of conflicts; from 128 on it is an error.
        Some(1..=127) => Ok(Merged::Conflict),
        Some(_) | None => Err(answer.into_error()),
    }
}
