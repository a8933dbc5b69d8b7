//! Decides what will be written and committed. Writes nothing of the person's.

use std::collections::BTreeMap;

use engine::{
    artifact::{ApplyIntent, CommitIntent, FileChange, Selection, Unsaved},
    blob::{Blob, BlobId},
    event::{Notice, NoticeLevel},
};
use shared::error::Code;

use super::{
    Blobs,
    commit::{self, Change, Extent},
    index, load,
};
use crate::{
    CommitMessage, Error, Repository, Workspace, diff, files,
    git::Git,
    merge::{self, Merged},
    repository::GitRepository,
    text,
};

/// Who commits where the person has not told git their name.
const FALLBACK_AUTHOR: &str = "Agentic IDE <agentic-ide@localhost>";

/// What will be done, and what to keep for doing it.
#[derive(Debug)]
pub struct Planned {
    /// Everything the result is a function of.
    pub intent: ApplyIntent,
    /// Contents that the intent names and the proposal may not.
    pub blobs: Vec<Blob>,
    /// What the person should know before it is done.
    pub notices: Vec<Notice>,
}

/// Plans the accepted part of a proposal, merged with what the person changed
/// meanwhile, on the disk or, where the workspace is one that an editor shows,
/// in the editor. `now_unix` becomes the commit's date.
///
/// # Errors
/// E1209 if both sides changed the same lines; E1211 if a proposed path is
/// staged with other contents; E1204 in the middle of a merge, rebase and the
/// like; E1001 if the selection does not fit or takes nothing; those of
/// [`Workspace::resolve`] and of git.
pub fn plan(
    workspace: &Workspace,
    files: &[FileChange],
    blobs: &Blobs<'_>,
    selection: &Selection,
    message: &CommitMessage,
    now_unix: i64,
) -> Result<Planned, Error> {
    let mut workspace = workspace.clone();
    workspace.refresh()?;
    if let Repository::Git(GitRepository {
        in_progress: Some(operation),
        ..
    }) = workspace.repository()
    {
        return Err(Error::Busy {
            operation: *operation,
        });
    }
    let git = workspace.git();
    let mut planned = Planned {
        intent: ApplyIntent {
            commit: None,
            files: Vec::new(),
            unsaved: Vec::new(),
            restored: Vec::new(),
        },
        blobs: Vec::new(),
        notices: Vec::new(),
    };
    let mut contents = BTreeMap::new();
    let mut conflicts = Vec::new();
    for selected in selected(files, blobs, selection)? {
        let merged = match merge_with_current(&workspace, &git, selected, &mut planned.notices) {
            Ok(merged) => merged,
            // All of them are named at once.
            Err(Error::Conflict { path, reason }) => {
                conflicts.push((path, reason));
                continue;
            }
            Err(error) => return Err(error),
        };
        planned.intent.unsaved.extend(unsaved(&workspace, &merged.path)?);
        planned.intent.files.push(merged.change());
        for bytes in [merged.old, merged.new].into_iter().flatten() {
            let blob = Blob::new(bytes);
            contents.insert(blob.id(), blob);
        }
    }
    match conflicts.pop() {
        Some((path, reason)) if conflicts.is_empty() => return Err(Error::Conflict { path, reason }),
        Some(last) => {
            conflicts.push(last);
            return Err(Error::Conflicts { files: conflicts });
        }
        None => {}
    }
    planned.notices.extend(saved_too(&planned.intent.unsaved));
    if let Repository::Git(repository) = workspace.repository() {
        check_index(
            repository,
            &git,
            &planned.intent.files,
            &contents,
            &mut planned.notices,
        )?;
        let (author, offset) = author(&git)?;
        planned.intent.commit = Some(CommitIntent {
            base: repository.head.commit().map(str::to_owned),
            reference: repository.head.reference().map(str::to_owned),
            author,
            date: format!("{now_unix} {offset}"),
            message: message.to_string(),
        });
    }
    planned.blobs = contents.into_values().collect();
    Ok(planned)
}

/// The part of a proposal that a selection takes, for messages. [`plan`] merges
/// the same part with what is in the workspace.
///
/// # Errors
/// E1001 if the selection does not fit or takes nothing.
pub fn accepted(
    files: &[FileChange],
    blobs: &Blobs<'_>,
    selection: &Selection,
) -> Result<Vec<FileChange>, Error> {
    Ok(selected(files, blobs, selection)?
        .iter()
        .map(Bytes::change)
        .collect())
}

/// A file's change in bytes.
#[derive(Debug)]
struct Bytes {
    path: String,
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
}

impl Bytes {
    fn change(&self) -> FileChange {
        let plain = |bytes: &Option<Vec<u8>>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        let (lines_added, lines_removed) = diff::counts(&plain(&self.old), &plain(&self.new));
        FileChange {
            path: self.path.clone(),
            old: self.old.as_deref().map(BlobId::of),
            new: self.new.as_deref().map(BlobId::of),
            lines_added,
            lines_removed,
        }
    }
}

/// The accepted part of each file.
fn selected(files: &[FileChange], blobs: &Blobs<'_>, selection: &Selection) -> Result<Vec<Bytes>, Error> {
    let mut taken = Vec::new();
    let whole = |file: &FileChange| {
        Ok::<_, Error>(Bytes {
            path: file.path.clone(),
            old: load(blobs, file.old, &file.path)?,
            new: load(blobs, file.new, &file.path)?,
        })
    };
    match selection {
        Selection::All => {
            for file in files {
                taken.push(whole(file)?);
            }
        }
        Selection::Files(chosen) => {
            if let Some(unknown) = chosen
                .iter()
                .find(|c| files.iter().all(|file| file.path != c.path))
            {
                let reason = format!("the proposal has no file `{}`", unknown.path);
                return Err(Error::Selection { reason });
            }
            for file in files {
                let Some(choice) = chosen.iter().find(|choice| choice.path == file.path) else {
                    continue;
                };
                let bytes = whole(file)?;
                let bytes = match (&choice.hunks, choice.text) {
                    (_, Some(text)) => rewritten(bytes, load(blobs, Some(text), &file.path)?)?,
                    (Some(hunks), None) => only(bytes, hunks)?,
                    (None, None) => bytes,
                };
                if bytes.old != bytes.new {
                    taken.push(bytes);
                }
            }
        }
    }
    if taken.is_empty() {
        return Err(Error::Selection {
            reason: "it takes nothing".to_owned(),
        });
    }
    Ok(taken)
}

/// The change to a person's own text, written as the file is: its encoding and
/// its line ends.
fn rewritten(bytes: Bytes, own: Option<Vec<u8>>) -> Result<Bytes, Error> {
    let own = own.unwrap_or_default();
    let own = String::from_utf8_lossy(&own);
    let like = bytes
        .old
        .clone()
        .or_else(|| bytes.new.clone())
        .unwrap_or_default();
    let new = text::parse(&bytes.path, like, 0)?.encode(&own);
    Ok(Bytes {
        new: Some(new),
        ..bytes
    })
}

/// These hunks of a file's change. Taking all of them is taking the file, which
/// matters where the file comes into being or goes.
fn only(bytes: Bytes, hunks: &[u32]) -> Result<Bytes, Error> {
    let plain =
        |bytes: &Option<Vec<u8>>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
    let (old, new) = (plain(&bytes.old), plain(&bytes.new));
    let all = diff::hunks(&old, &new);
    let text = diff::select(&old, &new, hunks)?;
    if all.iter().all(|hunk| hunks.contains(&hunk.index)) {
        return Ok(bytes);
    }
    let new = if hunks.is_empty() {
        bytes.old.clone()
    } else {
        Some(text.into_bytes())
    };
    Ok(Bytes { new, ..bytes })
}

/// Brings the change into the file as it is now.
fn merge_with_current(
    workspace: &Workspace,
    git: &Git,
    selected: Bytes,
    notices: &mut Vec<Notice>,
) -> Result<Bytes, Error> {
    let path = workspace.resolve(&selected.path)?;
    let current = workspace.read(&path)?.map(|file| file.bytes);
    if current == selected.old || current == selected.new {
        return Ok(selected);
    }
    let conflict = |reason| {
        Err(Error::Conflict {
            path: selected.path.clone(),
            reason,
        })
    };
    let (Some(old), Some(new), Some(current)) = (&selected.old, &selected.new, &current) else {
        return match (&selected.old, &selected.new) {
            (None, _) => conflict("a file of this name has appeared"),
            (Some(_), None) => conflict("it was to be removed and has been edited"),
            (Some(_), Some(_)) => conflict("it has been removed"),
        };
    };
    match merge::three_way(git, current, old, new)? {
        Merged::Conflict => conflict("the same lines were changed"),
        // All of the change is there already, as after an earlier execution.
        // What it was made on is the file without it.
        Merged::Clean(merged) if merged == *current => {
            let old = match merge::three_way(git, current, new, old)? {
                Merged::Clean(without) => without,
                Merged::Conflict => old.clone(),
            };
            Ok(Bytes {
                path: selected.path,
                old: Some(old),
                new: Some(merged),
            })
        }
        Merged::Clean(merged) => {
            notices.push(Notice {
                level: NoticeLevel::Info,
                code: None,
                message: format!("{} was merged with what you have changed since", selected.path),
            });
            Ok(Bytes {
                path: selected.path,
                old: Some(current.clone()),
                new: Some(merged),
            })
        }
    }
}

/// What the disk has of a file that an editor shows with changes that are not
/// saved.
fn unsaved(workspace: &Workspace, path: &str) -> Result<Option<Unsaved>, Error> {
    if !workspace.unsaved().any(|unsaved| unsaved == path) {
        return Ok(None);
    }
    let disk = files::read(workspace.root(), &workspace.resolve(path)?)?;
    Ok(Some(Unsaved {
        path: path.to_owned(),
        disk: disk.map(|file| BlobId::of(&file.bytes)),
    }))
}

/// Writing a file through an editor saves all that it shows of it.
fn saved_too(unsaved: &[Unsaved]) -> Option<Notice> {
    let paths: Vec<&str> = unsaved.iter().map(|file| file.path.as_str()).collect();
    (!paths.is_empty()).then(|| Notice {
        level: NoticeLevel::Info,
        code: None,
        message: format!(
            "{} written through the editor, which saves your changes there as well",
            match paths.as_slice() {
                [one] => format!("{one} is"),
                several => format!("{} are", several.join(", ")),
            }
        ),
    })
}

/// Refuses paths that the person has staged, and tells of files that go into
/// the commit with uncommitted lines of the person's.
fn check_index(
    repository: &GitRepository,
    git: &Git,
    files: &[FileChange],
    contents: &BTreeMap<BlobId, Blob>,
    notices: &mut Vec<Notice>,
) -> Result<(), Error> {
    let full = |file: &FileChange| format!("{}{}", repository.prefix, file.path);
    let paths: Vec<String> = files.iter().map(full).collect();
    let base = index::of_commit(git, repository.head.commit(), &paths)?;
    let staged = index::of_index(git, &paths)?;
    for file in files {
        let path = full(file);
        let bytes = |id: Option<BlobId>| id.and_then(|id| contents.get(&id)).map(Blob::bytes);
        let base = base.get(&path).and_then(Option::as_ref);
        let change = Change {
            path: &path,
            old: bytes(file.old),
            new: bytes(file.new),
            mode: None,
        };
        let (entry, extent) = commit::entry(git, base, &change)?;
        let staged = staged.get(&path).and_then(Option::as_ref);
        // What an earlier execution staged is what this one will stage.
        if !index::is_clean(staged, base)
            && staged.map(|entry| &entry.id) != entry.as_ref().map(|entry| &entry.id)
        {
            return Err(Error::Staged {
                path: file.path.clone(),
            });
        }
        match extent {
            Extent::Change => {}
            Extent::WholeFile => notices.push(Notice {
                level: NoticeLevel::Warning,
                code: Some(Code::WorkspaceChanged),
                message: format!(
                    "{} goes into the commit as a whole, with lines that you had not committed",
                    file.path
                ),
            }),
        }
    }
    Ok(())
}

/// The person's name and mail, and their offset from UTC, as git knows them.
fn author(git: &Git) -> Result<(String, String), Error> {
    // Without this git makes up a mail address from the machine's name.
    let answer = git.read(&["-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"])?;
    let fallback = (FALLBACK_AUTHOR.to_owned(), "+0000".to_owned());
    if !answer.success() {
        return Ok(fallback);
    }
    let identity = answer.line()?;
    let Some((author, when)) = identity.rsplit_once("> ") else {
        return Ok(fallback);
    };
    let offset = when.split(' ').nth(1).unwrap_or("+0000");
    Ok((format!("{author}>"), offset.to_owned()))
}
