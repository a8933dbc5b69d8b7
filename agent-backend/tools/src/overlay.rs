//! A copy of the workspace, outside of it, with a proposal written into it: the
//! place where the proposal is built and tested. The person's tree is read and
//! never written.
//!
//! A copy is laid once and never written again: what ran in it may have put a
//! symlink anywhere, and a write would follow it. It must never know what the
//! copy is for.

mod ages;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use engine::blob::BlobId;
use ignore::WalkBuilder;

pub(crate) use self::ages::Ages;
use crate::{
    Repository, Workspace, fence,
    limits::{OVERLAY_BYTES_MAX, OVERLAY_FILES_MAX},
};

/// Folders in which packages are installed beside the code, and which git
/// ignores.
const INSTALLED: &[&str] = &["node_modules", ".venv", "venv"];

/// Permission bits of a new file.
const MODE: u32 = 0o644;

/// What files of a copy contain in place of what the workspace has; none where
/// one is removed.
pub type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "the workspace is too large to be copied: {OVERLAY_FILES_MAX} files with {} MiB are",
        OVERLAY_BYTES_MAX / 1024 / 1024
    )]
    TooLarge,
    #[error("{} cannot be copied: {source}", path.display())]
    Copy { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Workspace(#[from] crate::Error),
}

/// A laid copy. Removed with all that was left in it when dropped.
#[derive(Debug)]
pub(crate) struct Overlay {
    root: PathBuf,
    paths: BTreeSet<String>,
    /// Folders of the workspace with installed packages; empty here.
    installed: Vec<String>,
    /// Names and contents of all files.
    identity: BlobId,
}

impl Overlay {
    /// Copies these files of the workspace to `root`, which is emptied, with
    /// these changes. Files that are no longer there are left out.
    ///
    /// A file gets the time at which its contents were first seen, so that
    /// builds take up where the last one ended, and never too late.
    ///
    /// # Errors
    /// If something cannot be read or copied, or there is too much of it.
    pub(crate) fn lay(
        workspace: &Workspace,
        files: &BTreeSet<String>,
        root: &Path,
        changes: &Changes,
        ages: &mut Ages,
    ) -> Result<Self, Error> {
        remove(root).map_err(|source| copying(root, source))?;
        let overlay = Self {
            root: root.to_owned(),
            paths: BTreeSet::new(),
            installed: Vec::new(),
            identity: BlobId::of(b""),
        };
        overlay.fill(workspace, files, changes, ages)
    }

    fn fill(
        mut self,
        workspace: &Workspace,
        files: &BTreeSet<String>,
        changes: &Changes,
        ages: &mut Ages,
    ) -> Result<Self, Error> {
        fs::create_dir_all(&self.root).map_err(|source| copying(&self.root, source))?;
        let mut names = Vec::new();
        let mut links = Vec::new();
        let mut bytes_left = OVERLAY_BYTES_MAX;
        for path in files {
            let host = workspace.root().join(path);
            let Ok(metadata) = host.symlink_metadata() else {
                continue;
            };
            if metadata.is_symlink() {
                links.push((
                    path.clone(),
                    fs::read_link(&host).map_err(|source| copying(&host, source))?,
                ));
                continue;
            }
            // A submodule is listed as a directory.
            if !metadata.is_file() || changes.contains_key(path) {
                continue;
            }
            let bytes = read(&host, bytes_left)?;
            bytes_left = bytes_left.saturating_sub(bytes.len() as u64);
            names.push(self.write(path, &bytes, metadata.permissions().mode(), ages)?);
        }
        for (path, contents) in changes {
            let Some(bytes) = contents else { continue };
            let mode = workspace.root().join(path).symlink_metadata();
            let mode = mode.map_or(MODE, |metadata| metadata.permissions().mode());
            names.push(self.write(path, bytes, mode, ages)?);
        }
        // Last, so that nothing is written through one.
        for (path, target) in links {
            let link = self.place(&path)?;
            match symlink(&target, &link) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result.map_err(|source| copying(&link, source))?,
            }
            names.push(format!("{path}\0{}\n", target.display()));
        }
        self.make_room(workspace)?;
        names.sort_unstable();
        self.identity = BlobId::of(names.concat().as_bytes());
        Ok(self)
    }

    /// Puts a file where nothing is yet; its name with its contents' hash.
    fn write(&mut self, path: &str, bytes: &[u8], mode: u32, ages: &mut Ages) -> Result<String, Error> {
        let at = self.place(path)?;
        let id = BlobId::of(bytes);
        let written = File::options()
            .write(true)
            .create_new(true)
            .mode(mode & 0o7777)
            .open(&at)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.set_permissions(Permissions::from_mode(mode & 0o777))?;
                file.set_modified(ages.of(path, id))
            });
        written.map_err(|source| copying(&at, source))?;
        self.paths.insert(path.to_owned());
        Ok(format!("{path}\0{}\n", id.to_hex()))
    }

    /// The place of a path, with the folders above it.
    fn place(&self, path: &str) -> Result<PathBuf, Error> {
        let at = self.root.join(path);
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent).map_err(|source| copying(parent, source))?;
        }
        Ok(at)
    }

    /// Makes empty folders where installed packages are shown later: nothing is
    /// made once something has run here.
    fn make_room(&mut self, workspace: &Workspace) -> Result<(), Error> {
        let folders: BTreeSet<&str> = self
            .paths
            .iter()
            .filter_map(|path| path.rsplit_once('/'))
            .map(|(folder, _)| folder)
            .chain([""])
            .collect();
        let candidates = folders
            .into_iter()
            .flat_map(|folder| INSTALLED.iter().map(move |name| Path::new(folder).join(name)));
        for folder in candidates {
            let host = workspace.root().join(&folder);
            let here = self.root.join(&folder);
            let is_installed = host.symlink_metadata().is_ok_and(|found| found.is_dir());
            if is_installed && here.symlink_metadata().is_err() {
                fs::create_dir(&here).map_err(|source| copying(&here, source))?;
                self.installed.push(folder.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Folders, relative to the root, in which the workspace has installed packages.
    pub(crate) fn installed(&self) -> &[String] {
        &self.installed
    }

    /// The same for copies with the same files.
    pub(crate) fn identity(&self) -> BlobId {
        self.identity
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.root) {
            tracing::warn!(%error, "a copy of the workspace could not be removed");
        }
    }
}

/// Paths of the workspace that git does not ignore and that hold no secrets.
pub(crate) fn listed(workspace: &Workspace) -> Result<BTreeSet<String>, Error> {
    let paths: BTreeSet<String> = match workspace.repository() {
        Repository::Git(_) => workspace.git().files()?.into_iter().collect(),
        Repository::None(_) => walked(workspace.root()),
    };
    if paths.len() > OVERLAY_FILES_MAX {
        return Err(Error::TooLarge);
    }
    Ok(paths
        .into_iter()
        .filter(|path| fence::normalise(path).is_ok_and(|normal| normal == *path))
        .collect())
}

fn walked(root: &Path) -> BTreeSet<String> {
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .require_git(false)
        .follow_links(false)
        .build();
    walk.filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_some_and(|kind| !kind.is_dir()))
        .filter_map(|entry| Some(entry.path().strip_prefix(root).ok()?.to_str()?.to_owned()))
        .take(OVERLAY_FILES_MAX + 1)
        .collect()
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        .map_err(|source| copying(path, source))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Error::TooLarge);
    }
    Ok(bytes)
}

/// Removes a tree, also one whose folders were made unwritable.
fn remove(root: &Path) -> io::Result<()> {
    match fs::remove_dir_all(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(root);
            fs::remove_dir_all(root)
        }
        result => result,
    }
}

/// What cannot be made so shows when it is removed.
fn make_writable(root: &Path) {
    let _ = fs::set_permissions(root, Permissions::from_mode(0o700));
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

fn copying(path: &Path, source: io::Error) -> Error {
    Error::Copy {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
