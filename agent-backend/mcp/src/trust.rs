//! Which definitions of repositories a person trusts: kept in a file of their
//! own, never in the repository. A definition that changes asks again.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use shared::{
    files::write_atomically,
    lock::{self, DirectoryLock},
};

use crate::{Error, repository::Definition};

/// The file in the data folder.
const FILE: &str = "mcp-trust.json";

/// The lock of who changes it.
const LOCK: &str = "mcp-trust.lock";

/// Present form of the file.
const VERSION: u32 = 1;

/// Pause between two looks at whether another process has changed it.
const PAUSE: Duration = Duration::from_millis(20);

/// Such looks: two seconds of them.
const LOOKS_MAX: u32 = 100;

/// What is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    /// By canonical workspace: names with the digest of the definition.
    workspaces: BTreeMap<PathBuf, BTreeMap<String, String>>,
}

/// The definitions that a person trusts.
#[derive(Debug, Clone)]
pub struct Trust {
    folder: PathBuf,
}

impl Trust {
    /// As it is kept in a data folder.
    pub fn new(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.to_owned(),
        }
    }

    /// Those of these definitions, of the repository at `workspace`, that are
    /// trusted as they are.
    ///
    /// # Errors
    /// E2007 if what is kept cannot be read.
    pub fn trusted<'a>(
        &self,
        workspace: &Path,
        definitions: &'a [Definition],
    ) -> Result<Vec<&'a Definition>, Error> {
        let kept = self.read()?;
        let Some(known) = kept.workspaces.get(&canonical(workspace)?) else {
            return Ok(Vec::new());
        };
        let is_trusted = |one: &&Definition| known.get(&one.name) == Some(&one.digest);
        Ok(definitions.iter().filter(is_trusted).collect())
    }

    /// Trusts these definitions from now on. On disk when this returns.
    ///
    /// # Errors
    /// E2007 if it cannot be kept.
    pub fn accept(&self, workspace: &Path, definitions: &[&Definition]) -> Result<(), Error> {
        self.change(workspace, |known| {
            let pairs = definitions
                .iter()
                .map(|one| (one.name.clone(), one.digest.clone()));
            known.extend(pairs);
        })
    }

    /// Trusts no definition of these names any more.
    ///
    /// # Errors
    /// E2007 if it cannot be kept.
    pub fn revoke(&self, workspace: &Path, names: &[String]) -> Result<(), Error> {
        self.change(workspace, |known| known.retain(|name, _| !names.contains(name)))
    }

    fn change(
        &self,
        workspace: &Path,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), Error> {
        let workspace = canonical(workspace)?;
        fs::create_dir_all(&self.folder).map_err(unusable)?;
        let _held = self.lock()?;
        let mut kept = self.read()?;
        let known = kept.workspaces.entry(workspace).or_default();
        change(known);
        kept.workspaces.retain(|_, known| !known.is_empty());
        kept.version = VERSION;
        self.write(&kept).map_err(unusable)
    }

    /// Waits while another process changes the file.
    fn lock(&self) -> Result<DirectoryLock, Error> {
        for _ in 0..LOOKS_MAX {
            match DirectoryLock::take(&self.folder, LOCK) {
                Err(lock::Error::Held { .. }) => thread::sleep(PAUSE),
                taken => return taken.map_err(unusable),
            }
        }
        DirectoryLock::take(&self.folder, LOCK).map_err(unusable)
    }

    fn read(&self) -> Result<Kept, Error> {
        let text = match fs::read_to_string(self.folder.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
            Err(error) => return Err(unusable(error)),
        };
        let kept: Kept = serde_json::from_str(&text).map_err(unusable)?;
        if kept.version != VERSION {
            return Err(unusable(format!("{FILE} was written by another version")));
        }
        Ok(kept)
    }

    /// A crash leaves the old file or the new one.
    fn write(&self, kept: &Kept) -> io::Result<()> {
        write_atomically(&self.folder.join(FILE), &serde_json::to_vec_pretty(kept)?)
    }
}

fn canonical(workspace: &Path) -> Result<PathBuf, Error> {
    workspace
        .canonicalize()
        .map_err(|error| unusable(format!("{}: {error}", workspace.display())))
}

#[allow(clippy::needless_pass_by_value, reason = "an argument of `map_err`")]
fn unusable(reason: impl ToString) -> Error {
    Error::Trust {
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{self, definitions};

    struct Desk {
        dir: tempfile::TempDir,
        trust: Trust,
    }

    impl Desk {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for name in ["a", "b"] {
                fs::create_dir(dir.path().join(name)).unwrap();
            }
            let trust = Trust::new(&dir.path().join("data"));
            let desk = Self { dir, trust };
            desk.write("a", "1");
            desk.write("b", "1");
            desk
        }

        fn workspace(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn write(&self, workspace: &str, argument: &str) {
            let server = |name: &str| format!(r#""{name}": {{"command": "sh", "args": ["{argument}"]}}"#);
            let text = format!(r#"{{"mcpServers": {{{}, {}}}}}"#, server("s"), server("t"));
            fs::write(self.workspace(workspace).join(repository::FILE), text).unwrap();
        }

        fn accept(&self, workspace: &str, name: &str) {
            let workspace = self.workspace(workspace);
            let all = definitions(&workspace).unwrap();
            let named: Vec<&Definition> = all.iter().filter(|one| one.name == name).collect();
            self.trust.accept(&workspace, &named).unwrap();
        }

        #[track_caller]
        fn check(&self, workspace: &str, expect: &[&str]) {
            let workspace = self.workspace(workspace);
            let all = definitions(&workspace).unwrap();
            let trusted = self.trust.trusted(&workspace, &all).unwrap();
            let names: Vec<&str> = trusted.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, expect);
        }
    }

    #[test]
    fn only_what_was_accepted_as_it_is_is_trusted() {
        let desk = Desk::new();
        desk.check("a", &[]);
        desk.accept("a", "s");
        desk.check("a", &["s"]);
        desk.check("b", &[]);
        desk.write("a", "2");
        desk.check("a", &[]);
        desk.accept("a", "s");
        desk.accept("a", "t");
        desk.check("a", &["s", "t"]);
        desk.trust
            .revoke(&desk.workspace("a"), &["s".to_owned()])
            .unwrap();
        desk.check("a", &["t"]);
        // The same folder by another name.
        std::os::unix::fs::symlink(desk.workspace("a"), desk.workspace("c")).unwrap();
        desk.check("c", &["t"]);
    }

    #[test]
    fn many_who_change_it_lose_nothing() {
        let desk = Desk::new();
        thread::scope(|scope| {
            for (workspace, name) in [("a", "s"), ("a", "t"), ("b", "s"), ("b", "t")] {
                let desk = &desk;
                scope.spawn(move || desk.accept(workspace, name));
            }
        });
        desk.check("a", &["s", "t"]);
        desk.check("b", &["s", "t"]);
    }

    #[test]
    fn what_cannot_be_read_trusts_nothing() {
        let desk = Desk::new();
        desk.accept("a", "s");
        let file = desk.dir.path().join("data").join(FILE);
        for (text, expect) in [
            ("{", "EOF"),
            (
                r#"{"version": 2, "workspaces": {}}"#,
                "written by another version",
            ),
        ] {
            fs::write(&file, text).unwrap();
            let all = definitions(&desk.workspace("a")).unwrap();
            let error = desk.trust.trusted(&desk.workspace("a"), &all).unwrap_err();
            assert!(error.to_string().contains(expect), "{error}");
        }
    }
}
