//! What people have said for good about what needs their leave: running code
//! without a sandbox, calling a tool. One file for each answer in the data folder,
//! which anybody can read and remove.
//!
//! It must never know a workflow: an answer for one workflow is in its journal.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use engine::{artifact::WantedCall, blob::BlobId};
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
    /// It is done there.
    Always,
    /// It is not, and nobody is asked.
    Never,
}

/// What is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// Running code without a sandbox.
    #[default]
    Unisolated,
    /// Calling a tool.
    Tool {
        /// Its server.
        server: String,
        /// Its name there.
        tool: String,
        /// Hash of how the server is reached, in hex: another program or address
        /// of the same name is another server.
        reached: String,
    },
}

impl Matter {
    /// Calling this tool.
    pub fn tool(call: &WantedCall) -> Self {
        Self::Tool {
            server: call.server.clone(),
            tool: call.tool.clone(),
            reached: call.reached.to_hex(),
        }
    }

    fn is_unisolated(&self) -> bool {
        *self == Self::Unisolated
    }
}

/// A remembered answer, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Absolute path of the workspace.
    pub workspace: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Matter::is_unisolated")]
    pub about: Matter,
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
    pub fn get(&self, workspace: &str, about: &Matter) -> Option<Standing> {
        let path = self.path(workspace, about);
        let consent = match read(&path) {
            Ok(consent) => consent?,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a remembered answer cannot be read");
                return None;
            }
        };
        // Two paths with one name: nobody has said anything about the other one.
        (consent.workspace == workspace && consent.about == *about).then_some(consent.answer)
    }

    /// Makes an answer hold, durably.
    ///
    /// # Errors
    /// E1212 if it cannot be written; then nothing has changed.
    pub fn remember(&self, workspace: &str, about: Matter, answer: Standing) -> Result<(), Error> {
        let path = self.path(workspace, &about);
        let consent = Consent {
            workspace: workspace.to_owned(),
            about,
            answer,
        };
        let text = serde_json::to_string(&consent).map_err(|error| Error::internal(error.to_string()))?;
        let write = || {
            fs::create_dir_all(&self.folder)?;
            files::write_atomically(&path, text.as_bytes())
        };
        write().map_err(|error| self.failed(&error))
    }

    /// Takes back what was said about a workspace; whether there was anything.
    ///
    /// # Errors
    /// E1212 if a file cannot be removed.
    pub fn forget(&self, workspace: &str) -> Result<bool, Error> {
        let said = self.all().into_iter().filter(|said| said.workspace == workspace);
        // Also where it cannot be read.
        let own = self.path(workspace, &Matter::Unisolated);
        let paths: BTreeSet<PathBuf> = said
            .map(|said| self.path(workspace, &said.about))
            .chain([own])
            .collect();
        let mut was_any = false;
        for path in paths {
            match fs::remove_file(path) {
                Ok(()) => was_any = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        if was_any {
            files::sync_folder(&self.folder).map_err(|error| self.failed(&error))?;
        }
        Ok(was_any)
    }

    /// All of them, by the workspace's path and what they are about.
    pub fn all(&self) -> Vec<Consent> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let read = files.filter_map(|file| read(&file.path()).ok().flatten());
        let mut all: Vec<Consent> = read.collect();
        all.sort_unstable_by(|one, other| {
            (&one.workspace, &one.about).cmp(&(&other.workspace, &other.about))
        });
        all
    }

    fn path(&self, workspace: &str, about: &Matter) -> PathBuf {
        let name = match about {
            Matter::Unisolated => BlobId::of(workspace.as_bytes()),
            Matter::Tool {
                server,
                tool,
                reached,
            } => BlobId::of(format!("{workspace}\0{server}\0{tool}\0{reached}").as_bytes()),
        };
        self.folder.join(format!("{}.json", &name.to_hex()[..16]))
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
            assert_eq!(
                Consents::of(data.path()).get(workspace, &Matter::Unisolated),
                expect
            );
        };
        check("/w", None);
        assert!(!consents.forget("/w").unwrap());
        consents
            .remember("/w", Matter::Unisolated, Standing::Never)
            .unwrap();
        consents
            .remember("/w", Matter::Unisolated, Standing::Always)
            .unwrap();
        consents
            .remember("/a", Matter::Unisolated, Standing::Never)
            .unwrap();
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
    fn an_answer_about_a_tool_holds_for_this_tool_of_this_server() {
        let data = tempfile::tempdir().unwrap();
        let consents = Consents::of(data.path());
        let tool = |tool: &str, reached: &str| Matter::Tool {
            server: "house".to_owned(),
            tool: tool.to_owned(),
            reached: reached.to_owned(),
        };
        consents
            .remember("/w", tool("repeal", "1"), Standing::Always)
            .unwrap();
        consents
            .remember("/w", tool("rewrite", "1"), Standing::Never)
            .unwrap();
        let check = |workspace: &str, about: Matter, expect: Option<Standing>| {
            assert_eq!(consents.get(workspace, &about), expect, "{workspace} {about:?}");
        };
        check("/w", tool("repeal", "1"), Some(Standing::Always));
        check("/w", tool("rewrite", "1"), Some(Standing::Never));
        check("/w", tool("repeal", "2"), None);
        check("/a", tool("repeal", "1"), None);
        check("/w", Matter::Unisolated, None);
        consents
            .remember("/a", Matter::Unisolated, Standing::Always)
            .unwrap();
        assert!(consents.forget("/w").unwrap());
        assert!(!consents.forget("/w").unwrap());
        check("/w", tool("repeal", "1"), None);
        check("/a", Matter::Unisolated, Some(Standing::Always));
    }

    #[test]
    fn what_was_said_before_there_were_other_questions_is_about_the_sandbox() {
        let data = tempfile::tempdir().unwrap();
        let consents = Consents::of(data.path());
        consents
            .remember("/w", Matter::Unisolated, Standing::Always)
            .unwrap();
        let path = consents.path("/w", &Matter::Unisolated);
        let before = "{\"workspace\":\"/w\",\"answer\":\"always\"}";
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn what_cannot_be_read_allows_nothing() {
        let data = tempfile::tempdir().unwrap();
        let consents = Consents::of(data.path());
        consents
            .remember("/w", Matter::Unisolated, Standing::Always)
            .unwrap();
        fs::write(
            consents.path("/w", &Matter::Unisolated),
            "{\"workspace\":\"/w\",\"answer\":\"alw",
        )
        .unwrap();
        assert_eq!(consents.get("/w", &Matter::Unisolated), None);
        fs::write(
            consents.path("/w", &Matter::Unisolated),
            "{\"workspace\":\"/other\",\"answer\":\"always\"}",
        )
        .unwrap();
        assert_eq!(consents.get("/w", &Matter::Unisolated), None);
    }
}
