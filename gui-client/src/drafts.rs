//! What a person was in the middle of, kept on the disk so that a window that
//! is closed or killed loses nothing: everything else is the backend's.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use shared::{
    files::{folder_of, write_atomically},
    id::WorkflowId,
};

use crate::{
    model::layout::{Layout, View},
    screen::review,
};

/// Name of the file in the state folder.
pub const FILE: &str = "gui_drafts.json";
/// Longest file that is read; ours are shorter, whatever is written.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What was being written and chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drafts {
    /// The request.
    pub request: String,
    /// Its workspace; none where it was not changed.
    pub workspace: Option<String>,
    /// What was done to a proposal.
    pub review: Option<Reviewed>,
    /// How much of files is shown.
    pub view: View,
    /// How.
    pub layout: Layout,
}

/// What was done to one proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    /// The workflow.
    pub workflow: WorkflowId,
    /// Which of its proposals.
    pub iteration: u32,
    /// What was done.
    pub draft: review::Draft,
}

/// Where drafts are kept.
#[derive(Debug, Clone, Default)]
pub struct Store {
    path: Option<PathBuf>,
}

impl Store {
    /// Keeps them in a file.
    pub fn at(path: PathBuf) -> Self {
        Self { path: Some(path) }
    }

    /// What was kept; nothing where there is nothing, or nothing of use: a draft
    /// is no reason not to start.
    pub fn load(&self) -> Drafts {
        let Some(path) = &self.path else {
            return Drafts::default();
        };
        match read(path) {
            Ok(drafts) => drafts,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Drafts::default(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the drafts cannot be read");
                Drafts::default()
            }
        }
    }

    /// Keeps `drafts` in place of what was kept. What is there is whole at every
    /// moment. Blocks until it is on the disk.
    pub fn save(&self, drafts: &Drafts) {
        let Some(path) = &self.path else { return };
        if let Err(error) = write(path, drafts) {
            tracing::warn!(path = %path.display(), %error, "the drafts cannot be kept");
        }
    }
}

fn read(path: &Path) -> io::Result<Drafts> {
    if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is too long"));
    }
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn write(path: &Path, drafts: &Drafts) -> io::Result<()> {
    // Readable by its owner only, as drafts may be.
    std::fs::create_dir_all(folder_of(path))?;
    write_atomically(path, &serde_json::to_vec(drafts)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join(FILE);
        let store = Store::at(path.clone());
        assert_eq!(store.load(), Drafts::default());
        let drafts = Drafts {
            request: "Lock accounts".to_owned(),
            review: Some(Reviewed {
                workflow: WorkflowId::new("w1"),
                iteration: 2,
                draft: review::Draft {
                    feedback: Some("shorter".to_owned()),
                    text: Some(("a.py".to_owned(), "x\n".to_owned())),
                    ..review::Draft::default()
                },
            }),
            layout: Layout::Unified,
            ..Drafts::default()
        };
        store.save(&drafts);
        assert_eq!(store.load(), drafts);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        std::fs::write(&path, "{ no drafts").unwrap();
        assert_eq!(store.load(), Drafts::default());
        store.save(&drafts);
        assert_eq!(store.load(), drafts);
        Store::default().save(&drafts);
        assert_eq!(Store::default().load(), Drafts::default());
    }
}
