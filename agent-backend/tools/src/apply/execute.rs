//! Does what a plan says, as often as it is told to, with one result.

use engine::{
    artifact::{Applied, ApplyIntent, CommitIntent},
    event::Notice,
};
use shared::crash;

use super::{
    Blobs,
    commit::{self, Change},
    index::{self, Entries},
    write::{Save, Saved, Target, Writing, check_files, mode, mode_restored, targets},
};
use crate::{
    Error, Repository, Workspace,
    git::Git,
    repository::{self, GitRepository},
};

/// What was done.
#[derive(Debug)]
pub struct Executed {
    /// What was written.
    pub applied: Applied,
    /// What the person should know of it.
    pub notices: Vec<Notice>,
}

/// Writes the files and makes the commit of an intent. Doing it again, after
/// success or after a crash anywhere, ends in the same files and one commit.
/// [`Applied::commit`] is none without a repository, and where the branch had
/// all of the change already.
///
/// # Errors
/// [`Error::Moved`] (E1209, transient) if the branch or a file is no longer as
/// planned: plan again. [`Error::Locked`] (E1204, transient) while another git
/// process holds the index. E1204 in the middle of a merge, rebase and the
/// like; E1211 if a path was staged meanwhile; E1212 if a write fails.
pub fn execute(workspace: &Workspace, intent: &ApplyIntent, blobs: &Blobs<'_>) -> Result<Applied, Error> {
    let executed = execute_through(workspace, intent, blobs, &|_, _| Saved::No)?;
    Ok(executed.applied)
}

/// The same, with an editor. The files that `workspace` shows with changes that
/// are not saved are written through it; one that shows other ones than were
/// planned is [`Error::Moved`].
///
/// # Errors
/// As [`execute`].
pub fn execute_through(
    workspace: &Workspace,
    intent: &ApplyIntent,
    blobs: &Blobs<'_>,
    save: &Save<'_>,
) -> Result<Executed, Error> {
    let mut workspace = workspace.clone();
    workspace.refresh()?;
    let mut notices = Vec::new();
    let writing = &mut Writing {
        workspace: &workspace,
        save,
        notices: &mut notices,
    };
    let (commit, branch) = match (&intent.commit, workspace.repository()) {
        (None, _) => {
            let targets = targets(&workspace, intent, blobs)?;
            check_files(&workspace, &targets)?;
            writing.files(&targets)?;
            (None, None)
        }
        (Some(commit), Repository::Git(repository)) => {
            let id = with_commit(writing, repository, intent, commit, blobs)?;
            let short = |reference: &str| {
                reference
                    .strip_prefix("refs/heads/")
                    .unwrap_or(reference)
                    .to_owned()
            };
            (id, commit.reference.as_deref().map(short))
        }
        (Some(_), Repository::None(_)) => {
            return Err(Error::Moved {
                what: "the repository".to_owned(),
                detail: "it is gone".to_owned(),
            });
        }
    };
    let applied = Applied {
        commit,
        branch,
        paths: intent.files.iter().map(|file| file.path.clone()).collect(),
    };
    Ok(Executed { applied, notices })
}

fn with_commit(
    writing: &mut Writing<'_>,
    repository: &GitRepository,
    intent: &ApplyIntent,
    commit: &CommitIntent,
    blobs: &Blobs<'_>,
) -> Result<Option<String>, Error> {
    let workspace = writing.workspace;
    let git = workspace.git();
    let tip = tip(&git, commit)?;
    // The branch moves last: if it has moved, the rest is done.
    if let Some(landed) = commit::landed(&git, commit, tip.as_deref())? {
        return Ok(Some(landed));
    }
    if let Some(operation) = repository.in_progress {
        return Err(Error::Busy { operation });
    }
    if repository.head.reference() != commit.reference.as_deref() {
        let detail = "another branch has been checked out".to_owned();
        return Err(Error::Moved {
            what: "HEAD".to_owned(),
            detail,
        });
    }
    if tip != commit.base {
        return Err(branch_moved(commit, tip.as_deref()));
    }

    let targets = targets(workspace, intent, blobs)?;
    let full = |target: &Target| format!("{}{}", repository.prefix, target.path.relative());
    let paths: Vec<String> = targets.iter().map(full).collect();
    let base = index::of_commit(&git, commit.base.as_deref(), &paths)?;
    let mut entries = Entries::new();
    for (target, path) in targets.iter().zip(&paths) {
        // What is committed is what another execution finds as well.
        let committed = target
            .source
            .and_then(|source| base.get(&paths[source])?.as_ref());
        let change = Change {
            path,
            old: target.old.as_deref(),
            new: target.new.as_deref(),
            mode: mode_restored(target)
                .or_else(|| committed.map(commit::mode_of))
                .or_else(|| mode(target, &targets)),
        };
        let base = base.get(path).and_then(Option::as_ref);
        entries.insert(path.clone(), commit::entry(&git, base, &change)?.0);
    }
    let tree = commit::write_tree(&git, repository, commit, &entries)?;
    let unchanged = match &commit.base {
        Some(base) => commit::tree_of(&git, base)? == tree,
        None => false,
    };
    let id = if unchanged {
        None
    } else {
        Some(commit::write_commit(&git, commit, &tree)?)
    };
    crash::point("apply:after_objects");

    check_files(workspace, &targets)?;
    index::wait_unlocked(repository)?;
    ours_to_stage(&git, &paths, &base, &entries, Foreign::Refuse)?;

    writing.files(&targets)?;
    crash::point("apply:after_files");

    let stage = ours_to_stage(&git, &paths, &base, &entries, Foreign::Leave)?;
    index::set_persons(&git, repository, commit.base.as_deref(), &stage)?;
    crash::point("apply:after_index");

    let done = match id {
        Some(id) => {
            move_branch(&git, commit, &id)?;
            crash::point("apply:after_ref");
            Some(id)
        }
        // The base has all of it: an earlier plan of the same proposal made the
        // commit, or the person did. There is nothing to add.
        None => match &commit.base {
            Some(base) => commit::with_message(&git, commit, base)?,
            None => None,
        },
    };
    // Only the recorded file times; without it the next `git status` does it.
    let _ = git.run(&["update-index", "-q", "--refresh"], None);
    Ok(done)
}

/// What to do about entries that are neither the base's nor ours.
#[derive(Clone, Copy)]
enum Foreign {
    Refuse,
    Leave,
}

/// Entries of the person's index that still have to become ours.
fn ours_to_stage(
    git: &Git,
    paths: &[String],
    base: &Entries,
    ours: &Entries,
    foreign: Foreign,
) -> Result<Entries, Error> {
    let staged = index::of_index(git, paths)?;
    let mut stage = Entries::new();
    for path in paths {
        let at = |entries: &Entries| entries.get(path).cloned().flatten();
        let (now, ours) = (at(&staged), at(ours));
        if now == ours {
            continue;
        }
        if index::is_clean(now.as_ref(), at(base).as_ref()) {
            stage.insert(path.clone(), ours);
        } else {
            match foreign {
                Foreign::Refuse => return Err(Error::Staged { path: path.clone() }),
                Foreign::Leave => tracing::warn!(%path, "staged by somebody else while it was being written"),
            }
        }
    }
    Ok(stage)
}

/// The commit that the branch, or the detached HEAD, is at now.
fn tip(git: &Git, commit: &CommitIntent) -> Result<Option<String>, Error> {
    match &commit.reference {
        Some(reference) => {
            let answer = git.read(&["rev-parse", "-q", "--verify", &format!("{reference}^{{commit}}")])?;
            if answer.success() {
                answer.line().map(Some)
            } else {
                Ok(None)
            }
        }
        None => Ok(repository::head(git)?.commit().map(str::to_owned)),
    }
}

/// Moves the branch from base to `id`, if it still is at base.
fn move_branch(git: &Git, commit: &CommitIntent, id: &str) -> Result<(), Error> {
    let subject = commit.message.lines().next().unwrap_or_default();
    let reason = format!("commit (agentic-ide): {subject}");
    // An empty old value means that the reference must not exist.
    let base = commit.base.as_deref().unwrap_or("");
    let answer = match &commit.reference {
        Some(reference) => git.run(&["update-ref", "-m", &reason, reference, id, base], None)?,
        None => git.run(
            &["update-ref", "-m", &reason, "--no-deref", "HEAD", id, base],
            None,
        )?,
    };
    if answer.success() {
        return Ok(());
    }
    let tip = tip(git, commit)?;
    if tip != commit.base {
        return Err(branch_moved(commit, tip.as_deref()));
    }
    Err(answer.into_error())
}

fn branch_moved(commit: &CommitIntent, tip: Option<&str>) -> Error {
    let name = commit.reference.as_deref().unwrap_or("HEAD");
    let short =
        |id: Option<&str>| id.map_or_else(|| "no commit".to_owned(), |id| id.chars().take(10).collect());
    Error::Moved {
        what: name.to_owned(),
        detail: format!(
            "it moved from {} to {}",
            short(commit.base.as_deref()),
            short(tip)
        ),
    }
}
