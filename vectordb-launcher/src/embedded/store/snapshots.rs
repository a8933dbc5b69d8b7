//! Snapshots: a collection in one tar file, kept beside the store.
//!
//! The format is this engine's own; a real Qdrant cannot read it, nor the
//! other way round. For that there is `agentic-ide-vectordb migrate`.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedMutexGuard;

use super::{COLLECTIONS_FOLDER, Record, Store};
use crate::{
    clock,
    embedded::{
        collection::Collection,
        error::{Error, Result},
    },
    files,
};

/// The folder of the collections' snapshot folders.
const SNAPSHOTS_FOLDER: &str = "snapshots";

/// How a snapshot's file name ends, as in Qdrant.
const ENDING: &str = ".snapshot";

/// Beside a snapshot: the SHA-256 of its bytes, as in Qdrant.
const CHECKSUM_ENDING: &str = ".checksum";

/// Inside a snapshot: the collection's files, and what is kept about it.
const FILES_ENTRY: &str = "files";
const RECORD_ENTRY: &str = "collection.json";

/// Layout of the file; a newer number is refused.
const FORMAT: u32 = 1;

/// Bytes that are read at once for the checksum.
const READ_BYTES: usize = 1 << 20;

/// A snapshot that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The file's name.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Of the file.
    pub bytes: u64,
    /// SHA-256 in hex.
    pub checksum: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    created_at_ms: u64,
    record: Record,
}

/// A collection that stands still: no writer, no optimizer.
#[derive(Debug)]
pub struct StillOne {
    record: Record,
    collection: Arc<Collection>,
    folder: PathBuf,
    /// Where an unfinished file is a stray.
    strays: PathBuf,
    _held: [OwnedMutexGuard<()>; 2],
}

fn failed(what: &str, path: &Path) -> impl Fn(io::Error) -> Error {
    let text = format!("cannot {what} {}", path.display());
    move |error| Error::Internal(format!("{text}: {error}"))
}

impl Store {
    /// Names may hold what file names may not, so a folder is named by a hash.
    fn snapshots_of(&self, name: &str) -> Result<(Record, Arc<Collection>, PathBuf)> {
        let (record, collection) = self.described(name)?;
        let name = self.real_name(name);
        let folder = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes());
        let folder = self.root.join(SNAPSHOTS_FOLDER).join(folder.to_string());
        Ok((record, collection, folder))
    }

    /// Lets the collection stand still. Writers wait meanwhile, searches go on.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn still_one(&self, name: &str) -> Result<StillOne> {
        let (record, collection, folder) = self.snapshots_of(name)?;
        let held = [
            collection.upkeep().lock_owned().await,
            collection.turn().lock_owned().await,
        ];
        Ok(StillOne {
            record,
            collection,
            folder,
            strays: self.root.join(COLLECTIONS_FOLDER),
            _held: held,
        })
    }

    /// The collection's snapshots, oldest first. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Internal`] for the disk.
    pub fn snapshots(&self, name: &str) -> Result<Vec<Snapshot>> {
        let (_, _, folder) = self.snapshots_of(name)?;
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read", &folder)(error)),
        };
        let mut list = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed("read", &folder))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if !name.ends_with(ENDING) {
                continue;
            }
            list.push(described(&path, name)?);
        }
        list.sort_by(|a, b| (a.created_at_ms, &a.name).cmp(&(b.created_at_ms, &b.name)));
        Ok(list)
    }

    /// The file of a snapshot. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn snapshot_file(&self, name: &str, snapshot: &str) -> Result<PathBuf> {
        let (_, _, folder) = self.snapshots_of(name)?;
        // Only a name that the list holds: no way to another folder.
        if self.snapshots(name)?.iter().any(|known| known.name == snapshot) {
            Ok(folder.join(snapshot))
        } else {
            Err(Error::NotFound(format!("Snapshot {snapshot} not found")))
        }
    }

    /// Removes a snapshot. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Internal`] for the disk.
    pub fn delete_snapshot(&self, name: &str, snapshot: &str) -> Result<()> {
        let path = self.snapshot_file(name, snapshot)?;
        fs::remove_file(&path).map_err(failed("remove", &path))?;
        match fs::remove_file(checksum_file(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path)(error)),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// Replaces or makes the collection `name` by what the snapshot in `file`
    /// holds. Killed at any moment, it is the old or the new. Blocks.
    ///
    /// # Errors
    /// [`Error::BadInput`] if the file is no snapshot, [`Error::Internal`] for
    /// the disk; the collection is unchanged then.
    pub fn recover(&self, name: &str, file: &Path) -> Result<()> {
        let name = self.real_name(name);
        super::check_name(&name)?;
        let bad = |error: io::Error| {
            Error::BadInput(format!(
                "{} is no snapshot of this engine: {error}",
                file.display()
            ))
        };
        // A stray there, if this process dies.
        let folders = self.root.join(COLLECTIONS_FOLDER);
        let scratch = tempfile::tempdir_in(&folders).map_err(failed("make a folder in", &folders))?;
        let mut archive = tar::Archive::new(File::open(file).map_err(bad)?);
        archive.unpack(scratch.path()).map_err(bad)?;
        let about = fs::read(scratch.path().join(RECORD_ENTRY)).map_err(bad)?;
        let about: About = serde_json::from_slice(&about).map_err(|error| bad(error.into()))?;
        if about.format > FORMAT {
            let text = format!("format {}, this program knows up to {FORMAT}", about.format);
            return Err(bad(io::Error::other(text)));
        }
        let from = scratch.path().join(FILES_ENTRY);
        let entry = self.bring_in(about.record, |target| {
            fs::rename(&from, target).map_err(bad)?;
            files::sync_tree(target).map_err(failed("sync", target))?;
            Ok(0)
        })?;
        let _changing = self.change();
        let mut next = self.read().clone();
        let open = Arc::clone(&entry.open);
        let old = next.collections.insert(name, entry);
        self.commit(next).inspect_err(|_| open.doom())?;
        self.renew_generation();
        if let Some(old) = old {
            old.open.doom();
        }
        Ok(())
    }
}

impl StillOne {
    /// Writes the snapshot. Blocks.
    ///
    /// # Errors
    /// [`Error::Internal`] for the disk; no snapshot is there then.
    pub fn write(self) -> Result<Snapshot> {
        let folder = &self.folder;
        fs::create_dir_all(folder).map_err(failed("make", folder))?;
        let created_at_ms = clock::unix_ms();
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{}-{}{ENDING}", clock::file_stamp(created_at_ms), &unique[..8]);
        let path = folder.join(&name);
        let failed = failed("write", &path);
        self.collection.flush()?;
        let partial = tempfile::NamedTempFile::new_in(&self.strays).map_err(&failed)?;
        let mut tar = tar::Builder::new(partial);
        let about = About {
            format: FORMAT,
            created_at_ms,
            record: self.record,
        };
        let about = serde_json::to_vec(&about).map_err(|error| failed(error.into()))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(about.len()).unwrap_or(u64::MAX));
        header.set_mode(0o600);
        header.set_cksum();
        tar.append_data(&mut header, RECORD_ENTRY, &*about)
            .and_then(|()| {
                self.collection
                    .still(|files| tar.append_dir_all(FILES_ENTRY, files))
            })
            .map_err(&failed)?;
        let partial = tar.into_inner().map_err(&failed)?;
        partial.as_file().sync_all().map_err(&failed)?;
        // The checksum first: a snapshot that is listed has one.
        let checksum = checksum(partial.path()).map_err(&failed)?;
        shared::files::write_atomically(&checksum_file(&path), checksum.as_bytes()).map_err(&failed)?;
        partial.persist(&path).map_err(|error| failed(error.error))?;
        shared::files::sync_folder(folder).map_err(&failed)?;
        described(&path, &name)
    }
}

fn checksum_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(CHECKSUM_ENDING);
    PathBuf::from(name)
}

fn checksum(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn described(path: &Path, name: &str) -> Result<Snapshot> {
    let data = fs::metadata(path).map_err(failed("read", path))?;
    let created = data.modified().map_err(failed("read", path))?;
    let checksum = fs::read_to_string(checksum_file(path)).ok();
    Ok(Snapshot {
        name: name.to_owned(),
        created_at_ms: clock::to_unix_ms(created),
        bytes: data.len(),
        checksum,
    })
}
