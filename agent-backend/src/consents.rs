//! What people have said for good about running code without a sandbox: one
//! file for each workspace in the data folder, which anybody can read and remove.
//!
//! It must never know a workflow: an answer for one workflow is in its journal.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use engine::blob::BlobId;
use serde::{Deserialize, Serialize};
use shared::{
    error::{Class, Code},
    files,
};

use crate::error::Error;

/// Folder in the data folder.
const FOLDER: &str = "consents";

/// What holds for a workspace from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Code runs there without a sandbox.
    Always,
    /// It does not, and nobody is asked.
    Never,
}

/// A remembered answer, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Absolute path of the workspace.
    pub workspace: String,
    /// What holds there.
    pub answer: Standing,
}

/// The answers in a data folder.
#[derive(Debug, Clone)]
pub struct Consents {
    folder: PathBuf,
}

impl Consents {
    /// Those of this data folder. Nothing is read yet.
    pub fn of(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.join(FOLDER),
        }
    }

    /// What holds for a workspace. A file that cannot be read says nothing: the
    /// person is asked again.
    pub fn get(&self, workspace: &str) -> Option<Standing> {
        let path = self.path(workspace);
        let consent = match read(&path) {
            Ok(consent) => consent?,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a remembered answer cannot be read");
                return None;
            }
        };
        // Two paths with one name: nobody has said anything about the other one.
        (consent.workspace == workspace).then_some(consent.answer)
    }

    /// Makes an answer hold, durably.
    ///
    /// # Errors
    /// E1212 if it cannot be written; then nothing has changed.
    pub fn remember(&self, workspace: &str, answer: Standing) -> Result<(), Error> {
        let consent = Consent {
            workspace: workspace.to_owned(),
            answer,
        };
        let text = serde_json::to_string(&consent).map_err(|error| Error::internal(error.to_string()))?;
        let path = self.path(workspace);
        let write = || {
            fs::create_dir_all(&self.folder)?;
            files::write_atomically(&path, text.as_bytes())
        };
        write().map_err(|error| self.failed(&error))
    }

    /// Takes an answer back; whether there was one.
    ///
    /// # Errors
    /// E1212 if its file cannot be removed.
    pub fn forget(&self, workspace: &str) -> Result<bool, Error> {
        match fs::remove_file(self.path(workspace)) {
            Ok(()) => files::sync_folder(&self.folder)
                .map(|()| true)
                .map_err(|error| self.failed(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// All of them, by the workspace's path.
    pub fn all(&self) -> Vec<Consent> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let read = files.filter_map(|file| read(&file.path()).ok().flatten());
        let mut all: Vec<Consent> = read.collect();
        all.sort_unstable_by(|one, other| one.workspace.cmp(&other.workspace));
        all
    }

    fn path(&self, workspace: &str) -> PathBuf {
        let name = BlobId::of(workspace.as_bytes()).to_hex();
        self.folder.join(format!("{}.json", &name[..16]))
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error {
            class: Class::Permanent,
            code: Code::WriteFailed,
            message: format!("{}: {error}", self.folder.display()),
        }
    }
}

fn read(path: &Path) -> io::Result<Option<Consent>> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_until_it_is_taken_back() {
        let data = tempfile::tempdir().unwrap();
        let consents = Consents::of(data.path());
        let check = |workspace: &str, expect: Option<Standing>| {
            assert_eq!(Consents::of(data.path()).get(workspace), expect);
        };
        check("/w", None);
        assert!(!consents.forget("/w").unwrap());
        consents.remember("/w", Standing::Never).unwrap();
        consents.remember("/w", Standing::Always).unwrap();
        consents.remember("/a", Standing::Never).unwrap();
        check("/w", Some(Standing::Always));
        check("/w/deeper", None);
        let all: Vec<(String, Standing)> = consents
            .all()
            .into_iter()
            .map(|consent| (consent.workspace, consent.answer))
            .collect();
        assert_eq!(
            all,
            [
                ("/a".to_owned(), Standing::Never),
                ("/w".to_owned(), Standing::Always)
            ]
        );
        assert!(consents.forget("/w").unwrap());
        check("/w", None);
    }

    #[test]
    fn what_cannot_be_read_allows_nothing() {
        let data = tempfile::tempdir().unwrap();
        let consents = Consents::of(data.path());
        consents.remember("/w", Standing::Always).unwrap();
        fs::write(consents.path("/w"), "{\"workspace\":\"/w\",\"answer\":\"alw").unwrap();
        assert_eq!(consents.get("/w"), None);
        fs::write(
            consents.path("/w"),
            "{\"workspace\":\"/other\",\"answer\":\"always\"}",
        )
        .unwrap();
        assert_eq!(consents.get("/w"), None);
    }
}
