//! What somebody was saying to whom when the window was closed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Name of the file in the state folder.
pub const FILE: &str = "gui_agents.json";

/// What is kept of a talk from one start to the next; the talk itself is the
/// agent's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The agent that was chosen.
    pub agent: Option<String>,
    /// The folder of its session, or of the next one.
    pub folder: String,
    /// The session that was open.
    pub session: Option<String>,
    /// What was being said to it.
    pub prompt: String,
}

/// Where it is kept.
#[derive(Debug, Clone, Default)]
pub enum Shelf {
    /// Nowhere.
    #[default]
    Nowhere,
    /// In this file.
    File(PathBuf),
}

impl Shelf {
    /// What was kept. What cannot be read is as good as nothing.
    pub fn load(&self) -> Kept {
        let Self::File(path) = self else {
            return Kept::default();
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Kept::default(),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "what was kept cannot be read");
                return Kept::default();
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "what was kept cannot be read");
            Kept::default()
        })
    }

    /// Keeps it, whole or not at all: the window may be killed at any moment.
    /// It does not wait for the disk; a machine that loses its power may lose the
    /// last words.
    pub fn save(&self, kept: &Kept) {
        let Self::File(path) = self else { return };
        if let Err(error) = write(path, kept) {
            tracing::warn!(%error, path = %path.display(), "nothing can be kept");
        }
    }
}

fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension("json.new");
    fs::write(&temporary, serde_json::to_vec(kept)?)?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: Option<&str>, expect: &Kept) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::File(folder.path().join("deep").join(FILE));
        if let Some(text) = text {
            fs::create_dir_all(folder.path().join("deep")).unwrap();
            fs::write(folder.path().join("deep").join(FILE), text).unwrap();
        }
        assert_eq!(shelf.load(), *expect);
        let kept = Kept {
            agent: Some("Gemini".to_owned()),
            folder: "/src".to_owned(),
            session: Some("s1".to_owned()),
            prompt: "a\n☃".to_owned(),
        };
        shelf.save(&kept);
        assert_eq!(shelf.load(), kept);
    }

    #[test]
    fn what_is_kept_comes_back() {
        check(None, &Kept::default());
        check(Some("{"), &Kept::default());
        let older = Kept {
            prompt: "x".to_owned(),
            ..Kept::default()
        };
        check(Some(r#"{"prompt":"x","newer":1}"#), &older);
        Shelf::Nowhere.save(&older);
        assert_eq!(Shelf::Nowhere.load(), Kept::default());
    }
}
