//! Taking a commit back: the reverse of what was written is planned like any
//! other change, on a branch that has the commit.

use engine::artifact::{FileChange, Restored, Selection};

use super::{Blobs, Planned, commit, index, plan};
use crate::{
    CommitMessage, Error, Repository, Workspace,
    git::records,
    merge::{self, Merged},
};

/// Plans what takes back `undone`, a commit of which `files` are the reverse. A
/// file that comes back has the mode that it had before the commit.
///
/// # Errors
/// E1022 if the commit is not in what is checked out; E1215 if lines of it were changed
/// since; otherwise those of [`super::plan`].
pub fn plan_undo(
    workspace: &Workspace,
    undone: &str,
    files: &[FileChange],
    blobs: &Blobs<'_>,
    message: &CommitMessage,
    now_unix: i64,
) -> Result<Planned, Error> {
    require_commit(workspace, undone)?;
    let planned = plan(workspace, files, blobs, &Selection::All, message, now_unix);
    let mut planned = planned.map_err(|error| error.of_undo(undone))?;
    // Another branch may have been checked out in between.
    let base = planned.intent.commit.as_ref();
    let base = base.and_then(|commit| commit.base.as_deref());
    if !is_in(workspace, undone, base.unwrap_or("HEAD"))? {
        return Err(elsewhere(undone));
    }
    planned.intent.restored = restored(workspace, undone, &planned.intent.files)?;
    Ok(planned)
}

/// Whether a commit is in what is checked out.
///
/// # Errors
/// Those of git.
pub fn has_commit(workspace: &Workspace, commit: &str) -> Result<bool, Error> {
    match workspace.repository() {
        Repository::Git(_) => is_in(workspace, commit, "HEAD"),
        Repository::None(_) => Ok(false),
    }
}

/// Whether a commit is in what is checked out and nobody has taken it back there: brought
/// in once more, it would change nothing. Of lines that were changed in another way
/// since, nobody can say.
///
/// # Errors
/// Those of git.
pub fn stands(workspace: &Workspace, commit: &str) -> Result<bool, Error> {
    if !has_commit(workspace, commit)? {
        return Ok(false);
    }
    let git = workspace.git();
    let changed = [
        "diff-tree",
        "-r",
        "-z",
        "--name-only",
        "--no-renames",
        "--no-commit-id",
        commit,
    ];
    let paths: Vec<String> = records(&git.read(&changed)?.bytes()?).collect();
    // A shallow clone may not have what was before.
    if paths.is_empty() {
        return Ok(true);
    }
    let at = |commit: &str| index::of_commit(&git, Some(commit), &paths);
    let all = [at(&format!("{commit}^"))?, at(commit)?, at("HEAD")?];
    let contents = |id: &str| git.read(&["cat-file", "blob", id])?.bytes();
    for path in &paths {
        let [before, after, now] = all.each_ref().map(|entries| {
            let entry = entries.get(path).and_then(Option::as_ref);
            entry.map(|entry| entry.id.as_str())
        });
        if now == after {
            continue;
        }
        if now == before {
            return Ok(false);
        }
        let (Some(before), Some(after), Some(now)) = (before, after, now) else {
            continue;
        };
        let now = contents(now)?;
        match merge::three_way(&git, &now, &contents(before)?, &contents(after)?)? {
            Merged::Clean(again) if again != now => return Ok(false),
            Merged::Clean(_) | Merged::Conflict => {}
        }
    }
    Ok(true)
}

/// Makes sure that a commit is in what is checked out.
///
/// # Errors
/// [`Error::Elsewhere`] (E1022) if it is not, or is gone; those of git.
pub fn require_commit(workspace: &Workspace, commit: &str) -> Result<(), Error> {
    if has_commit(workspace, commit)? {
        return Ok(());
    }
    Err(elsewhere(commit))
}

fn elsewhere(commit: &str) -> Error {
    Error::Elsewhere {
        commit: commit.chars().take(10).collect(),
    }
}

fn is_in(workspace: &Workspace, commit: &str, tip: &str) -> Result<bool, Error> {
    let question = ["merge-base", "--is-ancestor", commit, tip];
    let answer = workspace.git().read(&question)?;
    match answer.code() {
        Some(0) => Ok(true),
        // 128 where nobody knows it any more.
        Some(1 | 128) => Ok(false),
        Some(_) | None => Err(answer.into_error()),
    }
}

/// The modes that files which come back had before `undone`; nothing is known of
/// one that was not committed then.
fn restored(workspace: &Workspace, undone: &str, files: &[FileChange]) -> Result<Vec<Restored>, Error> {
    let come_back: Vec<&FileChange> = files.iter().filter(|file| file.old.is_none()).collect();
    let Repository::Git(repository) = workspace.repository() else {
        return Ok(Vec::new());
    };
    if come_back.is_empty() {
        return Ok(Vec::new());
    }
    let git = workspace.git();
    let parent = git.read(&["rev-parse", "-q", "--verify", &format!("{undone}^")])?;
    // The first commit has none, and a shallow clone may not have it.
    if !parent.success() {
        return Ok(Vec::new());
    }
    let full = |file: &FileChange| format!("{}{}", repository.prefix, file.path);
    let paths: Vec<String> = come_back.iter().map(|file| full(file)).collect();
    let before = index::of_commit(&git, Some(&parent.line()?), &paths)?;
    let restored = come_back.into_iter().filter_map(|file| {
        let entry = before.get(&full(file))?.as_ref()?;
        Some(Restored {
            path: file.path.clone(),
            executable: commit::is_executable(entry),
        })
    });
    Ok(restored.collect())
}
