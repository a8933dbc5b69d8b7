//! The files of an intent: what is due for each, and its doing. Knows no commit.

use engine::{
    artifact::{ApplyIntent, FileChange, Unsaved},
    blob::BlobId,
    event::{Notice, NoticeLevel},
};
use shared::crash;

use super::{Blobs, load};
use crate::{
    Error, SafePath, Workspace, files,
    renames::{self, Removed},
};

/// Has an editor take a text for a file, by its path relative to the workspace,
/// and save it.
pub type Save<'a> = dyn Fn(&str, &str) -> Saved + 'a;

/// What an editor did with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It says that it took and saved it.
    Yes,
    /// It refused, or is not there: the disk is written.
    No,
}

/// A file of the intent with its contents.
pub(super) struct Target {
    pub(super) path: SafePath,
    pub(super) old: Option<Vec<u8>>,
    pub(super) new: Option<Vec<u8>>,
    /// What is on the disk now.
    current: Option<files::Contents>,
    /// What was on the disk, where the old contents are an editor's.
    unsaved: Option<Unsaved>,
    /// For a new file: the index of the removed one that it was.
    pub(super) source: Option<usize>,
    /// For one that comes back: whether it was executable.
    restored: Option<bool>,
}

pub(super) fn targets(
    workspace: &Workspace,
    intent: &ApplyIntent,
    blobs: &Blobs<'_>,
) -> Result<Vec<Target>, Error> {
    let target = |file: &FileChange| {
        let path = workspace.resolve(&file.path)?;
        let current = files::read(workspace.root(), &path)?;
        let old = load(blobs, file.old, &file.path)?;
        let new = load(blobs, file.new, &file.path)?;
        let unsaved = intent.unsaved.iter().find(|unsaved| unsaved.path == file.path);
        Ok(Target {
            path,
            old,
            new,
            current,
            unsaved: unsaved.cloned(),
            source: None,
            restored: intent
                .restored
                .iter()
                .find(|restored| restored.path == file.path)
                .map(|restored| restored.executable),
        })
    };
    let mut targets: Vec<Target> = intent.files.iter().map(target).collect::<Result<_, Error>>()?;
    let sources = sources(&targets);
    for (target, source) in targets.iter_mut().zip(sources) {
        target.source = source;
    }
    Ok(targets)
}

/// Which removed file each new one was.
fn sources(targets: &[Target]) -> Vec<Option<usize>> {
    let plain = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let gone: Vec<(usize, String)> = targets
        .iter()
        .enumerate()
        .filter_map(|(index, target)| match (&target.old, &target.new) {
            (Some(old), None) => Some((index, plain(old))),
            (Some(_) | None, _) => None,
        })
        .collect();
    let removed: Vec<Removed<'_>> = gone
        .iter()
        .map(|(index, text)| Removed {
            path: targets[*index].path.relative(),
            text,
        })
        .collect();
    let source = |target: &Target| match (&target.old, &target.new) {
        (None, Some(new)) => {
            renames::source(target.path.relative(), &plain(new), &removed).map(|at| gone[at].0)
        }
        (Some(_) | None, _) => None,
    };
    targets.iter().map(source).collect()
}

/// The permission bits of a file that comes back: those it has again, or else had.
pub(super) fn mode_restored(target: &Target) -> Option<u32> {
    let executable = target.restored?;
    let current = target.current.as_ref().map(|file| file.mode);
    current.or(Some(if executable { 0o755 } else { 0o644 }))
}

/// The permission bits of a target's file, or of the one that it was.
pub(super) fn mode(target: &Target, targets: &[Target]) -> Option<u32> {
    let current = target.current.as_ref().map(|file| file.mode);
    match target.source {
        // The new file has them when an execution before this one wrote it.
        Some(source) => targets[source].current.as_ref().map(|file| file.mode).or(current),
        None if target.old.is_some() => current,
        None => None,
    }
}

/// What is to be done about a file.
enum Due {
    Nothing,
    /// To write or remove it on the disk.
    Disk,
    /// To write it through the editor that shows it.
    Editor(String),
    /// To plan again: it is neither as planned nor as it was.
    Plan,
}

/// What is due for a file of which the disk has `now`.
fn due(workspace: &Workspace, target: &Target, now: Option<&[u8]>) -> Due {
    let (old, new) = (target.old.as_deref(), target.new.as_deref());
    let is_below = |unsaved: &Unsaved| unsaved.disk == now.map(BlobId::of);
    let is_below = target.unsaved.as_ref().is_some_and(is_below);
    let shown = workspace.shown(&target.path);
    match shown {
        Some(shown) if now != Some(&shown.bytes) => {
            let is_planned = old == Some(&shown.bytes) || new == Some(&shown.bytes);
            if !is_planned || !(is_below || now == old || now == new) {
                return Due::Plan;
            }
            // An editor removes nothing.
            match new.and_then(|new| shown.speak(new)) {
                Some(text) => Due::Editor(text),
                None => Due::Disk,
            }
        }
        Some(_) | None if now == new => Due::Nothing,
        Some(_) | None if now == old => Due::Disk,
        // Of an editor that is gone the disk is left; of one that is there, what
        // was not saved was taken back.
        None if is_below => Due::Disk,
        Some(_) | None => Due::Plan,
    }
}

pub(super) fn check_files(workspace: &Workspace, targets: &[Target]) -> Result<(), Error> {
    let moved = |target: &&Target| {
        let now = target.current.as_ref().map(|file| file.bytes.as_slice());
        matches!(due(workspace, target, now), Due::Plan)
    };
    match targets.iter().find(moved) {
        Some(target) => Err(file_moved(&target.path)),
        None => Ok(()),
    }
}

fn file_moved(path: &SafePath) -> Error {
    Error::Moved {
        what: path.relative().to_owned(),
        detail: "it has been edited".to_owned(),
    }
}

/// Where files are written.
pub(super) struct Writing<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) save: &'a Save<'a>,
    pub(super) notices: &'a mut Vec<Notice>,
}

impl Writing<'_> {
    pub(super) fn files(&mut self, targets: &[Target]) -> Result<(), Error> {
        // A renamed file is written before the old one goes, so that its mode can be
        // read again after a crash between the two.
        let sources: Vec<usize> = targets.iter().filter_map(|target| target.source).collect();
        let (last, first): (Vec<usize>, Vec<usize>) =
            (0..targets.len()).partition(|index| sources.contains(index));
        for target in first.into_iter().chain(last).map(|index| &targets[index]) {
            // Looked at again at the last moment: an editor may have saved since.
            let now = self.on_disk(target)?;
            match due(self.workspace, target, now.as_deref()) {
                Due::Nothing => continue,
                Due::Plan => return Err(file_moved(&target.path)),
                Due::Disk => self.to_disk(target, targets)?,
                Due::Editor(text) => {
                    let saved = (self.save)(target.path.relative(), &text);
                    crash::point(super::SAVED_CRASH_POINT);
                    if !self.is_saved(target, saved, now.as_deref())? {
                        self.to_disk(target, targets)?;
                    }
                }
            }
            crash::point("apply:after_first_file");
        }
        Ok(())
    }

    fn on_disk(&self, target: &Target) -> Result<Option<Vec<u8>>, Error> {
        let file = files::read(self.workspace.root(), &target.path)?;
        Ok(file.map(|file| file.bytes))
    }

    fn to_disk(&self, target: &Target, targets: &[Target]) -> Result<(), Error> {
        let root = self.workspace.root();
        match &target.new {
            Some(bytes) => {
                let new = match target.restored {
                    Some(true) => mode_restored(target),
                    // As any other new file.
                    Some(false) => None,
                    None => target.source.and_then(|_| mode(target, targets)),
                };
                files::write(root, &target.path, bytes, new)
            }
            None => files::remove(root, &target.path),
        }
    }

    /// Whether a file is saved of which the disk had `before` an editor was given it,
    /// whatever that says: one that formats what it saves is right to do so, one
    /// that has only shown it has not, and one that was given up may have.
    fn is_saved(&mut self, target: &Target, saved: Saved, before: Option<&[u8]>) -> Result<bool, Error> {
        let now = self.on_disk(target)?;
        if now == target.new {
            return Ok(true);
        }
        if now.as_deref() == before || now.is_none() {
            return Ok(false);
        }
        match saved {
            Saved::Yes => {
                self.notices.push(Notice {
                    level: NoticeLevel::Info,
                    code: None,
                    message: format!(
                        "the editor saved {} otherwise than it was given it; what it changed is not in the commit",
                        target.path.relative()
                    ),
                });
                Ok(true)
            }
            Saved::No => Err(file_moved(&target.path)),
        }
    }
}
