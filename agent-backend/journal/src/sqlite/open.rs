//! Opening the data directory: who has it, what is in it, is it ours to write.

use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
};

use engine::ports::journal::Epoch;
use rusqlite::{Connection, OpenFlags};
use shared::lock::{self, DirectoryLock};

use super::{
    Counters, Journal, Options,
    copier::Copier,
    readers::Readers,
    schema,
    thread::Joined,
    witness::{self, Witness},
    writer::Writer,
};
use crate::{Error, queue::Queue};

const FILE: &str = "journal.db";
const LOG_FILE: &str = "journal.db-wal";
const LOCK_FILE: &str = "journal.lock";

pub(super) fn open(options: Options) -> Result<Journal, Error> {
    let Options { dir, bytes_max } = options;
    let failed = |error: std::io::Error| Error::Open {
        dir: dir.clone(),
        reason: error.to_string(),
    };
    make_dir(&dir).map_err(failed)?;
    let lock = DirectoryLock::take(&dir, LOCK_FILE).map_err(|error| match error {
        lock::Error::Held { path: dir, holder } => Error::Locked { dir, holder },
        lock::Error::Io { .. } => Error::Open {
            dir: dir.clone(),
            reason: error.to_string(),
        },
    })?;
    let path = dir.join(FILE);
    refuse(&dir, &path)?;

    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(&path, flags).map_err(|error| refused(&dir, error.into()))?;
    let epoch = prepare(&mut connection, bytes_max).map_err(|error| refused(&dir, error))?;
    let mut witness = Witness::open(&dir).map_err(failed)?;
    witness.note(schema::synced(&connection)?);
    sync_dir(&dir).map_err(failed)?;

    let counters = Arc::new(Counters::default());
    let (queue, jobs) = Queue::new();
    let readers = Readers::start(&path)?;
    let copier = Copier::start(&path)?;
    let writer = Writer::new(connection, epoch, witness, Arc::clone(&counters), copier);
    let writer = Joined::spawn("journal-writer", move || writer.run(jobs)).map_err(failed)?;
    Ok(Journal {
        dir,
        queue,
        counters,
        readers,
        _writer: writer,
        _lock: lock,
    })
}

/// Refuses what is not ours to write, before anything is written.
fn refuse(dir: &Path, path: &Path) -> Result<(), Error> {
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let witnessed = witness::read(dir).unwrap_or_default();
    if size(path) == 0 {
        // SQLite would delete the log of a database that is not there.
        if size(&dir.join(LOG_FILE)) > 0 {
            return Err(Error::Corrupt {
                reason: format!("{FILE} is gone, {LOG_FILE} is there"),
            });
        }
        return has(0, witnessed);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| refused(dir, error.into()))?;
    schema::configure(&connection).map_err(|error| refused(dir, error))?;
    match schema::kind(&connection).map_err(|error| refused(dir, error))? {
        schema::Kind::New => has(0, witnessed),
        schema::Kind::Current | schema::Kind::Older(_) => {
            let commits = schema::synced(&connection).map_err(|error| refused(dir, error))?;
            has(commits, witnessed)
        }
        schema::Kind::Newer(found) => Err(Error::SchemaTooNew {
            dir: dir.to_owned(),
            found,
            known: schema::VERSION,
        }),
        schema::Kind::Foreign => Err(Error::Open {
            dir: dir.to_owned(),
            reason: format!("{FILE} is not a journal"),
        }),
    }
}

/// Refuses a journal that has lost what was synced, before what is left of its
/// log is copied and cut.
fn has(commits: u64, witnessed: u64) -> Result<(), Error> {
    if commits < witnessed {
        let reason = format!(
            "{witnessed} commits were synced, {commits} are there; to accept the loss, delete {}",
            witness::FILE
        );
        return Err(Error::Corrupt { reason });
    }
    Ok(())
}

fn prepare(connection: &mut Connection, bytes_max: Option<u64>) -> Result<Epoch, Error> {
    if schema::kind(connection)? == schema::Kind::New {
        schema::configure_new(connection)?;
    }
    schema::configure_writer(connection)?;
    match schema::kind(connection)? {
        schema::Kind::New => schema::create(connection)?,
        schema::Kind::Older(from) => schema::migrate(connection, from)?,
        schema::Kind::Current => {}
        // Refused before; nothing changes them in between, for they are locked.
        schema::Kind::Newer(_) | schema::Kind::Foreign => return Err(Error::Stopped),
    }
    let epoch = schema::take_over(connection)?;
    // What a killed process committed without a sync is in the log and was
    // just recovered from the system's cache; from here on it is promised, so
    // it must be on the disk. This also keeps the log of the last run from
    // growing over many restarts.
    super::writer::checkpoint(connection, super::writer::Checkpoint::Truncate)?;
    if let Some(bytes) = bytes_max {
        let page_size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page_size.max(1);
        // Answers with the size there is when that is larger.
        connection.pragma_update_and_check(None, "max_page_count", pages.max(1), |_| Ok(()))?;
    }
    Ok(epoch)
}

/// While opening, an error of the storage says that it cannot be opened; what
/// is damaged, busy or full keeps its own page.
fn refused(dir: &Path, error: Error) -> Error {
    if let Error::Storage { reason } = error {
        Error::Open {
            dir: dir.to_owned(),
            reason,
        }
    } else if let Error::DamagedRow { reason } = error {
        Error::Corrupt { reason }
    } else {
        error
    }
}

fn make_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    // Prompts and code lie in here: for their owner alone.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// A new file survives the loss of power only when its directory was synced,
/// and a new directory only when its parent was.
fn sync_dir(dir: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    for dir in [Some(dir), dir.parent()].into_iter().flatten() {
        // The parent of a relative path of one part is the empty path.
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}
