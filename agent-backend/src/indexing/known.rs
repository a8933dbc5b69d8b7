//! Which workspaces are kept up to date, across restarts: one small file,
//! replaced as a whole.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::machine::Wish;

/// Name of the file in the data folder.
const FILE: &str = "indexes.json";

/// The workspaces and what is wanted of each.
#[derive(Debug)]
pub(super) struct Known {
    file: PathBuf,
    wishes: Mutex<BTreeMap<PathBuf, Wish>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    workspace: PathBuf,
    wish: Written,
}

/// A wish as it is written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Run,
    Pause,
}

impl Known {
    /// What the last process left. A file that cannot be read is as good as
    /// none: the next request brings its workspace back.
    pub(super) fn read(data_dir: &Path) -> Self {
        let file = data_dir.join(FILE);
        let entries: Vec<Entry> = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(%error, file = %file.display(), "the list of indexes cannot be read");
                Vec::new()
            }),
            Err(_) => Vec::new(),
        };
        let wish = |written| match written {
            Written::Run => Wish::Run,
            Written::Pause => Wish::Pause,
        };
        let wishes = entries
            .into_iter()
            .map(|entry| (entry.workspace, wish(entry.wish)));
        Self {
            file,
            wishes: Mutex::new(wishes.collect()),
        }
    }

    pub(super) fn all(&self) -> Vec<PathBuf> {
        self.lock().keys().cloned().collect()
    }

    pub(super) fn wish(&self, workspace: &Path) -> Wish {
        self.lock().get(workspace).copied().unwrap_or(Wish::Run)
    }

    /// Remembers a wish, or forgets the workspace. Blocks until it is on disk.
    pub(super) fn remember(&self, workspace: &Path, wish: Option<Wish>) -> std::io::Result<()> {
        let mut wishes = self.lock();
        let before = match wish {
            Some(wish) => wishes.insert(workspace.to_owned(), wish),
            None => wishes.remove(workspace),
        };
        if before == wish {
            return Ok(());
        }
        let written = |wish: &Wish| match wish {
            Wish::Run => Written::Run,
            Wish::Pause => Written::Pause,
        };
        let entries: Vec<Entry> = wishes
            .iter()
            .map(|(workspace, wish)| Entry {
                workspace: workspace.clone(),
                wish: written(wish),
            })
            .collect();
        let text = serde_json::to_vec_pretty(&entries)?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut temporary, &text)?;
        temporary.as_file().sync_all()?;
        shared::crash::point("indexes:before_rename");
        temporary.persist(&self.file)?;
        shared::crash::point("indexes:after_rename");
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Wish>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let check = |expect: &[(&str, Wish)]| {
            let known = Known::read(dir.path());
            let got: Vec<_> = known
                .all()
                .into_iter()
                .map(|path| (path.clone(), known.wish(&path)))
                .collect();
            let expect: Vec<_> = expect
                .iter()
                .map(|(path, wish)| (PathBuf::from(path), *wish))
                .collect();
            assert_eq!(got, expect);
        };
        check(&[]);
        let known = Known::read(dir.path());
        known.remember(Path::new("/b"), Some(Wish::Pause)).unwrap();
        known.remember(Path::new("/a"), Some(Wish::Run)).unwrap();
        check(&[("/a", Wish::Run), ("/b", Wish::Pause)]);
        known.remember(Path::new("/a"), None).unwrap();
        known.remember(Path::new("/c"), None).unwrap();
        check(&[("/b", Wish::Pause)]);
        assert_eq!(known.wish(Path::new("/never")), Wish::Run);
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        check(&[]);
    }
}
