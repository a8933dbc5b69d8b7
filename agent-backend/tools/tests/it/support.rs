//! A place with its own HOME, its own git configuration and a repository.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::Command,
};

use engine::{
    artifact::{Applied, ApplyIntent, FileChange, Selection},
    blob::{Blob, BlobId},
};
use shared::{crash, error::Code, id::WorkflowId};
use tempfile::TempDir;
use tools::{
    CommitMessage, Error, Workspace,
    apply::{self, Planned},
    proposal::{NewContents, Proposed, propose},
};

/// The moment of every commit of ours.
pub const NOW: i64 = 1_700_000_000;

const SIGABRT: i32 = 6;

/// A temporary home with a work tree below it.
pub struct Place {
    _keep: Option<TempDir>,
    pub home: PathBuf,
    pub root: PathBuf,
    blobs: RefCell<BTreeMap<BlobId, Vec<u8>>>,
}

impl Place {
    /// An empty directory without a repository.
    pub fn plain() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let home = keep.path().canonicalize().unwrap();
        let root = home.join("work");
        fs::create_dir(&root).unwrap();
        fs::write(
            home.join(".gitconfig"),
            "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n",
        )
        .unwrap();
        Self {
            _keep: Some(keep),
            home,
            root,
            blobs: RefCell::default(),
        }
    }

    /// Runs the test `child` as a process of its own, which is told of this place
    /// by `variable` and dies at `point`.
    pub fn crash_at(&self, child: &str, variable: &str, point: &str) {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", child, "--nocapture", "--test-threads=1"])
            .env(variable, &self.home)
            .env(crash::AT, point)
            .output()
            .unwrap();
        assert_eq!(output.status.signal(), Some(SIGABRT), "{point} was not reached");
    }

    /// The place that another process has made.
    pub fn existing(home: &Path) -> Self {
        Self {
            _keep: None,
            home: home.to_owned(),
            root: home.join("work"),
            blobs: RefCell::default(),
        }
    }

    /// A repository without a commit.
    pub fn unborn() -> Self {
        let place = Self::plain();
        place.git(&["init", "-q"]);
        place
    }

    /// A repository with one commit of these files.
    pub fn repository(files: &[(&str, &str)]) -> Self {
        let place = Self::unborn();
        for (path, text) in files {
            place.write(path, text);
        }
        place.git(&["add", "-A"]);
        place.git(&["commit", "-q", "--allow-empty", "-m", "first"]);
        place
    }

    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let home = self.home.clone().into_os_string();
        let config = self.home.join(".gitconfig").into_os_string();
        let pairs: [(&str, OsString); 7] = [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home.clone()),
            ("GIT_CEILING_DIRECTORIES", home),
            ("GIT_CONFIG_GLOBAL", config),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GNUPGHOME", "/nonexistent".into()),
            ("TZ", "UTC".into()),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect()
    }

    /// Runs git as the person would; panics if it fails.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let (code, out) = self.try_git(arguments);
        assert_eq!(code, Some(0), "git {arguments:?}: {out}");
        out
    }

    pub fn try_git(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(&self.root)
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .env("GIT_AUTHOR_DATE", "@1600000000 +0000")
            .env("GIT_COMMITTER_DATE", "@1600000000 +0000")
            .envs(self.environment())
            .output()
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.code(), text)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> Option<String> {
        fs::read(self.root.join(path))
            .ok()
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    pub fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.root.join(path)).unwrap().permissions().mode() & 0o777
    }

    pub fn status(&self) -> String {
        self.git(&["status", "--porcelain=v2", "--untracked-files=all"])
    }

    pub fn log(&self) -> Vec<String> {
        self.git(&["log", "--format=%s"])
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Contents in a commit.
    pub fn committed(&self, path: &str) -> Option<String> {
        let (code, text) = self.try_git(&["show", &format!("HEAD:{path}")]);
        (code == Some(0)).then_some(text)
    }

    pub fn open(&self) -> Workspace {
        self.open_below("")
    }

    pub fn open_below(&self, path: &str) -> Workspace {
        Workspace::open_with(&self.root.join(path), self.environment()).unwrap()
    }

    pub fn keep(&self, blobs: Vec<Blob>) {
        let mut kept = self.blobs.borrow_mut();
        kept.extend(blobs.into_iter().map(|blob| (blob.id(), blob.bytes().to_vec())));
    }

    pub fn blob(&self, id: BlobId) -> Option<Vec<u8>> {
        self.blobs.borrow().get(&id).cloned()
    }

    /// Proposes new texts; none removes.
    pub fn propose(&self, workspace: &Workspace, files: &[(&str, Option<&str>)]) -> Proposed {
        let contents: Vec<NewContents> = files
            .iter()
            .map(|(path, text)| NewContents {
                path: (*path).to_owned(),
                text: text.map(str::to_owned),
            })
            .collect();
        let mut proposed = propose(workspace, &contents).unwrap();
        self.keep(std::mem::take(&mut proposed.blobs));
        proposed
    }

    /// A proposal that must be accepted whole.
    #[track_caller]
    pub fn proposal(&self, workspace: &Workspace, files: &[(&str, Option<&str>)]) -> Vec<FileChange> {
        let proposed = self.propose(workspace, files);
        assert!(proposed.refused.is_empty(), "{:?}", proposed.refused);
        proposed.files
    }

    pub fn plan_part(
        &self,
        workspace: &Workspace,
        files: &[FileChange],
        selection: &Selection,
    ) -> Result<Planned, Error> {
        let message = CommitMessage::feature("add things", files, &WorkflowId::new("wf-1"));
        let mut planned = apply::plan(workspace, files, &|id| self.blob(id), selection, &message, NOW)?;
        self.keep(std::mem::take(&mut planned.blobs));
        Ok(planned)
    }

    pub fn plan(&self, workspace: &Workspace, files: &[FileChange]) -> Result<Planned, Error> {
        self.plan_part(workspace, files, &Selection::All)
    }

    pub fn execute(&self, workspace: &Workspace, intent: &ApplyIntent) -> Result<Applied, Error> {
        apply::execute(workspace, intent, &|id| self.blob(id))
    }

    /// Plans and executes, twice: the second must change nothing.
    #[track_caller]
    pub fn apply(&self, workspace: &Workspace, files: &[FileChange]) -> Applied {
        let planned = self.plan(workspace, files).unwrap();
        self.apply_planned(workspace, &planned.intent)
    }

    #[track_caller]
    pub fn apply_planned(&self, workspace: &Workspace, intent: &ApplyIntent) -> Applied {
        let applied = self.execute(workspace, intent).unwrap();
        let snapshot = |place: &Self| match place.root.join(".git").exists() {
            true => (place.status(), place.git(&["rev-parse", "HEAD"])),
            false => (String::new(), String::new()),
        };
        let before = snapshot(self);
        assert_eq!(self.execute(workspace, intent).unwrap(), applied);
        assert_eq!(snapshot(self), before);
        applied
    }
}

#[track_caller]
pub fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.unwrap_err().code()
}
