//! The commit as objects: what each path contains in it, its tree, its id, and
//! whether it is on the branch already.

use std::{fs, path::PathBuf};

use engine::{artifact::CommitIntent, blob::BlobId};

use super::index::{self, Entries, Entry};
use crate::{
    Error,
    git::Git,
    limits::LANDED_SCAN_COMMITS,
    merge::{self, Merged},
    repository::GitRepository,
};

/// Modes of the entries that are files.
const REGULAR: &str = "100644";
const EXECUTABLE: &str = "100755";

/// The permission bits that a committed entry stands for.
pub(super) fn mode_of(entry: &Entry) -> u32 {
    if is_executable(entry) { 0o755 } else { 0o644 }
}

/// Whether an entry is a program.
pub(super) fn is_executable(entry: &Entry) -> bool {
    entry.mode == EXECUTABLE
}

/// How much of a file the commit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Our change alone: what the person has not committed stays uncommitted.
    Change,
    /// The whole file: our change touches lines that the person has changed and
    /// not committed, or the file was never committed.
    WholeFile,
}

/// A path's change, in bytes of the work tree.
#[derive(Debug)]
pub(super) struct Change<'a> {
    /// Relative to the work tree's root.
    pub(super) path: &'a str,
    pub(super) old: Option<&'a [u8]>,
    pub(super) new: Option<&'a [u8]>,
    /// Permission bits of a file that exists and is not committed, or of the one
    /// that a new file was.
    pub(super) mode: Option<u32>,
}

/// What the commit contains at a path, written to the object store. `base` is
/// what its parent contains there.
pub(super) fn entry(
    git: &Git,
    base: Option<&Entry>,
    change: &Change<'_>,
) -> Result<(Option<Entry>, Extent), Error> {
    let mode = match base.map(|entry| entry.mode.as_str()) {
        Some(EXECUTABLE) => EXECUTABLE,
        Some(REGULAR) => REGULAR,
        None if change.mode.is_some_and(|mode| mode & 0o100 != 0) => EXECUTABLE,
        None => REGULAR,
        Some(_) => {
            return Err(Error::Protected {
                path: change.path.to_owned(),
                reason: "it is committed as a symbolic link or a submodule",
            });
        }
    };
    let Some(new) = change.new else {
        return Ok((None, Extent::Change));
    };
    let entry = |id| {
        Some(Entry {
            mode: mode.to_owned(),
            id,
        })
    };
    let theirs = clean(git, change.path, new)?;
    let (Some(base), Some(old)) = (base, change.old) else {
        let extent = if change.old.is_some() {
            Extent::WholeFile
        } else {
            Extent::Change
        };
        return Ok((entry(theirs), extent));
    };
    let ancestor = clean(git, change.path, old)?;
    if base.id == ancestor || base.id == theirs {
        return Ok((entry(theirs), Extent::Change));
    }
    // The person has uncommitted changes in this file: ours alone is brought
    // into what is committed.
    let contents = |id: &str| git.read(&["cat-file", "blob", id])?.bytes();
    let merged = merge::three_way(
        git,
        &contents(&base.id)?,
        &contents(&ancestor)?,
        &contents(&theirs)?,
    )?;
    match merged {
        Merged::Clean(bytes) => {
            let id = git
                .run(&["hash-object", "-w", "--no-filters", "--stdin"], Some(&bytes))?
                .line()?;
            Ok((entry(id), Extent::Change))
        }
        Merged::Conflict => Ok((entry(theirs), Extent::WholeFile)),
    }
}

/// Stores bytes of the work tree as git would on `git add`, filters included.
pub(super) fn clean(git: &Git, path: &str, bytes: &[u8]) -> Result<String, Error> {
    let place = format!("--path={path}");
    git.run(&["hash-object", "-w", place.as_str(), "--stdin"], Some(bytes))?
        .line()
}

/// A commit's tree.
pub(super) fn tree_of(git: &Git, commit: &str) -> Result<String, Error> {
    git.read(&["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?
        .line()
}

/// Writes the tree: the base's, with our entries.
pub(super) fn write_tree(
    git: &Git,
    repository: &GitRepository,
    intent: &CommitIntent,
    entries: &Entries,
) -> Result<String, Error> {
    let place = PrivateIndex::new(repository, intent)?;
    let git = git.with("GIT_INDEX_FILE", place.directory.join("index"));
    // Neither a file watcher nor shared parts for an index that lives for a moment.
    let with = |rest: &[&str]| {
        let mut arguments = vec!["-c", "core.fsmonitor=false", "-c", "core.splitIndex=false"];
        arguments.extend(rest);
        git.run(&arguments, None)
    };
    with(&["read-tree", intent.base.as_deref().unwrap_or("--empty")])?.bytes()?;
    index::set(&git, intent.base.as_deref(), entries)?.bytes()?;
    // In a partial clone the blobs of other paths may be far away.
    with(&["write-tree", "--missing-ok"])?.line()
}

/// An index of our own inside the git directory, removed at the end; what a
/// crash leaves is removed by the next execution of the same intent.
struct PrivateIndex {
    directory: PathBuf,
}

impl PrivateIndex {
    fn new(repository: &GitRepository, intent: &CommitIntent) -> Result<Self, Error> {
        let name = BlobId::of(format!("{}\0{}", intent.date, intent.message).as_bytes()).to_hex();
        let directory = repository.git_dir.join("agentic-ide").join(&name[..16]);
        let place = Self { directory };
        place.clear();
        fs::create_dir_all(&place.directory).map_err(|source| Error::Write {
            path: place.directory.display().to_string(),
            source,
        })?;
        Ok(place)
    }

    fn clear(&self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Drop for PrivateIndex {
    fn drop(&mut self) {
        self.clear();
        if let Some(parent) = self.directory.parent() {
            // Only if no other execution is using it.
            let _ = fs::remove_dir(parent);
        }
    }
}

/// Writes the commit. Without signing, its id is a function of the arguments.
pub(super) fn write_commit(git: &Git, intent: &CommitIntent, tree: &str) -> Result<String, Error> {
    let (name, mail) = match intent.author.rsplit_once(" <") {
        Some((name, mail)) => (name, mail.trim_end_matches('>')),
        None => (intent.author.as_str(), ""),
    };
    let date = format!("@{}", intent.date);
    let git = git
        .with("GIT_AUTHOR_NAME", name)
        .with("GIT_AUTHOR_EMAIL", mail)
        .with("GIT_AUTHOR_DATE", &date)
        .with("GIT_COMMITTER_NAME", name)
        .with("GIT_COMMITTER_EMAIL", mail)
        .with("GIT_COMMITTER_DATE", &date);
    let mut arguments = vec!["-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree];
    if let Some(base) = &intent.base {
        arguments.extend(["-p", base]);
    }
    if signs(&git)? {
        arguments.push("-S");
    }
    arguments.extend(["-F", "-"]);
    git.run(&arguments, Some(intent.message.as_bytes()))?.line()
}

/// Whether the person's configuration asks for signed commits. A commit that
/// cannot be signed then fails: an unsigned one would break their rule silently.
fn signs(git: &Git) -> Result<bool, Error> {
    let answer = git.read(&["config", "--type=bool", "--get", "commit.gpgsign"])?;
    Ok(answer.success() && answer.line()? == "true")
}

/// The commit of this intent that `tip` already contains, if it does. Signed
/// commits differ in their ids, so the inputs are compared, not the id.
pub(super) fn landed(git: &Git, intent: &CommitIntent, tip: Option<&str>) -> Result<Option<String>, Error> {
    let Some(tip) = tip.filter(|tip| Some(*tip) != intent.base.as_deref()) else {
        return Ok(None);
    };
    let seconds = intent.date.split(' ').next().unwrap_or_default();
    let parents = intent.base.as_deref().unwrap_or_default();
    let range = match &intent.base {
        Some(base) => format!("{base}..{tip}"),
        None => tip.to_owned(),
    };
    let ours = |commit: &Logged<'_>| {
        commit.parents == parents && commit.seconds == seconds && commit.is(&intent.message)
    };
    find(git, &range, ours)
}

/// A commit near `tip` with this intent's message. The message names its
/// workflow, so it is the result of an earlier plan of the same proposal.
pub(super) fn with_message(git: &Git, intent: &CommitIntent, tip: &str) -> Result<Option<String>, Error> {
    find(git, tip, |commit| commit.is(&intent.message))
}

struct Logged<'a> {
    parents: &'a str,
    seconds: &'a str,
    message: &'a str,
}

impl Logged<'_> {
    fn is(&self, message: &str) -> bool {
        self.message.trim_end() == message.trim_end()
    }
}

fn find(git: &Git, range: &str, ours: impl Fn(&Logged<'_>) -> bool) -> Result<Option<String>, Error> {
    let count = format!("--max-count={LANDED_SCAN_COMMITS}");
    let arguments = [
        "log",
        "-z",
        "--no-show-signature",
        "--no-color",
        "--encoding=UTF-8",
        "--format=%H%n%P%n%at%n%B",
        &count,
        range,
        "--",
    ];
    let listing = git.read(&arguments)?.bytes()?;
    let text = String::from_utf8_lossy(&listing);
    for record in text.split('\0') {
        let mut fields = record.splitn(4, '\n');
        if let (Some(id), Some(parents), Some(seconds), Some(message)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
            && ours(&Logged {
                parents,
                seconds,
                message,
            })
        {
            return Ok(Some(id.to_owned()));
        }
    }
    Ok(None)
}
