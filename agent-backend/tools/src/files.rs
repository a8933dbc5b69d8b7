//! Reads and writes below the workspace's root without following a symlink:
//! each part of a path is opened relative to the directory before it, so that
//! a directory swapped for a link between check and write is noticed.
//!
//! Every durable write to the person's files is here: a temporary file beside
//! the target, synced, renamed over it, the directory synced. A reader sees the
//! old contents or the new, never half of them, and after a power cut too.

use std::{
    fs::{File, Permissions},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{MetadataExt, PermissionsExt, fchown},
    },
    path::Path,
};

use engine::blob::BlobId;
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, renameat},
    sys::stat::{Mode, mkdirat},
    unistd::{UnlinkatFlags, unlinkat},
};

use crate::{Error, limits::FILE_BYTES_MAX, workspace::SafePath};

/// Begin of the names of temporary files.
const TEMPORARY_PREFIX: &str = ".agentic-ide-";

/// Mode of new directories and files, before the umask.
const DIRECTORY_MODE: u32 = 0o777;
const FILE_MODE: u32 = 0o666;

/// A file's contents and permission bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

/// Reads a regular file; none if it, or a directory on the way, is missing.
pub(crate) fn read(root: &Path, path: &SafePath) -> Result<Option<Contents>, Error> {
    let unreadable = |source| Error::Unreadable {
        path: root.join(path.relative()),
        source,
    };
    let parent = match open_parent(root, path, Missing::Leave) {
        Ok(Some(parent)) => parent,
        Ok(None) => return Ok(None),
        Err(error) => return Err(refuse_link(path, error, unreadable)),
    };
    let file = match open_file(&parent.directory, parent.name) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(error) => return Err(refuse_link(path, error, unreadable)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Error::NotText {
            path: path.relative().to_owned(),
            reason: "it is not a regular file",
        });
    }
    let too_large = |bytes| Error::TooLarge {
        path: path.relative().to_owned(),
        bytes,
        max: FILE_BYTES_MAX,
    };
    if metadata.len() > FILE_BYTES_MAX {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    // A file can grow while it is read.
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(Some(Contents {
        bytes,
        mode: metadata.mode() & 0o7777,
    }))
}

/// Puts `bytes` where `path` names, in place of what is there. Keeps the mode
/// and owner of a file that exists, and gives `mode` to one that does not; makes
/// missing directories. Doing it again ends in the same state, also after a
/// crash in its middle.
pub(crate) fn write(root: &Path, path: &SafePath, bytes: &[u8], mode: Option<u32>) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.relative().to_owned(),
        source,
    };
    let parent = open_parent(root, path, Missing::Create)
        .and_then(|parent| parent.ok_or_else(|| io::ErrorKind::NotFound.into()))
        .map_err(|error| refuse_link(path, error, failed))?;
    let old = open_file(&parent.directory, parent.name).map_err(|error| refuse_link(path, error, failed))?;
    let old = old.map(|file| file.metadata()).transpose().map_err(failed)?;
    // Named by its contents, so that the rest of an interrupted write is found
    // and replaced by the next.
    let id = BlobId::of(format!("{}\0{}", path.relative(), BlobId::of(bytes).to_hex()).as_bytes());
    let temporary = format!("{TEMPORARY_PREFIX}{}.tmp", &id.to_hex()[..16]);
    let result = write_temporary(&parent.directory, &temporary, bytes, (old.as_ref(), mode))
        .inspect(|()| shared::crash::point("apply:temporary_written"))
        .and_then(|()| {
            Ok(renameat(
                &parent.directory,
                temporary.as_str(),
                &parent.directory,
                parent.name,
            )?)
        })
        .and_then(|()| sync(&parent.directory));
    if result.is_err() {
        let _ = unlinkat(&parent.directory, temporary.as_str(), UnlinkatFlags::NoRemoveDir);
    }
    result.map_err(failed)
}

fn write_temporary(
    directory: &OwnedFd,
    name: &str,
    bytes: &[u8],
    (old, mode): (Option<&std::fs::Metadata>, Option<u32>),
) -> io::Result<()> {
    match unlinkat(directory, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(
        directory,
        name,
        flags,
        Mode::from_bits_truncate(FILE_MODE),
    )?);
    if let Some(old) = old {
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // Only root may give files away; a group can be kept more often.
            let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
        }
        file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
    } else if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode & 0o777))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a file, and directories that it leaves empty, as git does.
pub(crate) fn remove(root: &Path, path: &SafePath) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.relative().to_owned(),
        source,
    };
    let parent = open_parent(root, path, Missing::Leave);
    let Some(parent) = parent.map_err(|error| refuse_link(path, error, failed))? else {
        return Ok(());
    };
    match unlinkat(&parent.directory, parent.name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(failed(errno.into())),
    }
    sync(&parent.directory).map_err(failed)?;
    let mut above = parent.above;
    while let Some((directory, name)) = above.pop() {
        // Not empty, or already gone: both end the climb.
        if unlinkat(&directory, name, UnlinkatFlags::RemoveDir).is_err() {
            break;
        }
    }
    Ok(())
}

/// The directory that holds a path's last part.
struct Parent<'a> {
    directory: OwnedFd,
    name: &'a str,
    /// The directories before it, each with the name that leads on.
    above: Vec<(OwnedFd, &'a str)>,
}

/// What to do about a directory that does not exist.
#[derive(Clone, Copy)]
enum Missing {
    Leave,
    Create,
}

fn open_parent<'a>(root: &Path, path: &'a SafePath, missing: Missing) -> io::Result<Option<Parent<'a>>> {
    let mut directory = OwnedFd::from(File::open(root)?);
    let mut above = Vec::new();
    let mut parts = path.parts();
    let Some(mut name) = parts.next() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    for next in parts {
        let child = match open_directory(&directory, name) {
            Err(Errno::ENOENT) => match missing {
                Missing::Leave => return Ok(None),
                Missing::Create => {
                    match mkdirat(&directory, name, Mode::from_bits_truncate(DIRECTORY_MODE)) {
                        Ok(()) | Err(Errno::EEXIST) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                    sync(&directory)?;
                    open_directory(&directory, name)?
                }
            },
            other => other?,
        };
        above.push((directory, name));
        directory = child;
        name = next;
    }
    Ok(Some(Parent {
        directory,
        name,
        above,
    }))
}

fn open_directory(directory: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}

/// Opens without waiting: a pipe in a file's place must not hold us up.
fn open_file(directory: &OwnedFd, name: &str) -> io::Result<Option<File>> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    match openat(directory, name, flags, Mode::empty()) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Names are durable only when their directory is.
fn sync(directory: &OwnedFd) -> io::Result<()> {
    File::from(directory.try_clone()?).sync_all()
}

/// A link that appeared after the fence's check is refused as the fence does.
fn refuse_link(path: &SafePath, error: io::Error, other: impl FnOnce(io::Error) -> Error) -> Error {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => Error::Outside {
            path: path.relative().to_owned(),
            reason: "it goes through a symbolic link",
        },
        Some(Errno::ENOTDIR) => Error::Outside {
            path: path.relative().to_owned(),
            reason: "it goes through a symbolic link or a file",
        },
        _ => other(error),
    }
}
