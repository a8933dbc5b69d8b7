//! Tables and settings of the database file.

use std::time::Duration;

use engine::ports::journal::Epoch;
use rusqlite::{Connection, config::DbConfig};

use crate::{Error, limits::BUSY_TIMEOUT_MS, record};

/// Version of the tables, in the file's `user_version`.
pub(super) const VERSION: i64 = 4;

/// Marks the file as ours, in its `application_id`: "AIDE".
pub(super) const APPLICATION_ID: i64 = 0x4149_4445;

/// The tables of version 1. What came later is added to them also in a new file,
/// so that a new one and one brought up to date cannot differ.
///
/// `runs` is written once for each workflow; `heads` is its list entry's
/// moving part, small because it is written with every append. `synced` is one
/// number, see `witness`.
const TABLES: &str = "
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    workflow TEXT NOT NULL UNIQUE,
    correlation TEXT NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,
    workflow_type TEXT NOT NULL,
    query TEXT NOT NULL,
    workspace TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE heads (
    run INTEGER PRIMARY KEY REFERENCES runs (run),
    head INTEGER NOT NULL,
    status TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX heads_unfinished ON heads (run) WHERE status IN ('running', 'awaiting_decision');
CREATE TABLE events (
    run INTEGER NOT NULL REFERENCES runs (run),
    seq INTEGER NOT NULL CHECK (seq > 0),
    at_ms INTEGER NOT NULL,
    v INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE synced (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    commits INTEGER NOT NULL
) STRICT;
INSERT INTO synced (id, commits) VALUES (1, 0);
CREATE TABLE blobs (
    sha256 TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
";

/// What version 2 added. Rows of before have epoch 0, nobody's.
///
/// In `heads`, `epoch` is the holder's, `tries` counts claims since the workflow
/// last got somewhere, and `aside` says why nobody may claim it. `owner` is one
/// number, the epoch of the last opening. `named` says which workflows name a
/// blob: one that nobody names is removed.
const FROM_1_TO_2: &str = "
ALTER TABLE heads ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE heads ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE heads ADD COLUMN aside TEXT;
ALTER TABLE events ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
CREATE TABLE owner (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
) STRICT;
INSERT INTO owner (id, epoch) VALUES (1, 0);
CREATE TABLE named (
    sha256 TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs (run),
    PRIMARY KEY (sha256, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX named_run ON named (run);
";

/// What version 3 added. A row of `events` may hold several of them from here on and
/// ends at its `seq`, which an older program must not take for a history with gaps.
/// In `heads`, `packed` is the event up to which nothing is left to be packed.
const FROM_2_TO_3: &str = "
ALTER TABLE heads ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;
";

/// What version 4 added: threads of requests. `entries` counts those of a thread,
/// which is where the next one goes.
const FROM_3_TO_4: &str = "
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    session TEXT NOT NULL UNIQUE,
    workspace TEXT NOT NULL,
    title TEXT,
    settings TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    entries INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE session_entries (
    number INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    key TEXT NOT NULL UNIQUE,
    prompt TEXT NOT NULL,
    answer TEXT,
    PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID;
";

/// `auto_vacuum = INCREMENTAL`: free pages stay until they are asked back.
const AUTO_VACUUM_INCREMENTAL: i64 = 2;

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Empty: tables are to be made.
    New,
    /// A journal of this version.
    Current,
    /// A journal of an older version: tables are to be changed.
    Older(i64),
    /// A journal of a newer version.
    Newer(i64),
    /// Some other database.
    Foreign,
}

/// What the file behind `connection` is. Reads only.
pub(super) fn kind(connection: &Connection) -> Result<Kind, Error> {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, version, tables) {
        (0, 0, 0) => Kind::New,
        (APPLICATION_ID, VERSION, _) => Kind::Current,
        (APPLICATION_ID, newer, _) if newer > VERSION => Kind::Newer(newer),
        (APPLICATION_ID, older, _) if older >= 1 => Kind::Older(older),
        _ => Kind::Foreign,
    })
}

/// Settings of the connection that writes, read back because SQLite keeps the
/// old value without a word where it cannot set a new one.
pub(super) fn configure_writer(connection: &Connection) -> Result<(), Error> {
    configure(connection)?;
    set(connection, "journal_mode", "wal".to_owned())?;
    set(connection, "synchronous", 2)?;
    // The writer copies the log itself, after it has answered.
    set(connection, "wal_autocheckpoint", 0)?;
    set(connection, "foreign_keys", 1)
}

/// Lets the file shrink later on. Possible only while it is empty.
pub(super) fn configure_new(connection: &Connection) -> Result<(), Error> {
    set(connection, "auto_vacuum", AUTO_VACUUM_INCREMENTAL)
}

/// Settings of every connection.
pub(super) fn configure(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    // Closing must not write: after a failed sync nothing may be tried again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // A mapped file turns an I/O error into a signal.
    set(connection, "mmap_size", 0)?;
    set(connection, "cell_size_check", 1)?;
    set(connection, "trusted_schema", 0)
}

/// Sets a pragma and reads it back.
pub(super) fn set(
    connection: &Connection,
    name: &str,
    value: impl Into<rusqlite::types::Value>,
) -> Result<(), Error> {
    let value = value.into();
    // Some pragmas answer with a row, some do not.
    let set = connection.pragma_update_and_check(None, name, &value, |_| Ok(()));
    if let Err(error) = set
        && error != rusqlite::Error::QueryReturnedNoRows
    {
        return Err(error.into());
    }
    let is: rusqlite::types::Value = connection.pragma_query_value(None, name, |row| row.get(0))?;
    if is != value {
        return Err(Error::Storage {
            reason: format!("SQLite keeps {name} at {is:?} instead of {value:?}"),
        });
    }
    Ok(())
}

/// How many commits were synced since the file was made.
pub(super) fn synced(connection: &Connection) -> Result<u64, Error> {
    Ok(connection.query_row("SELECT commits FROM synced WHERE id = 1", [], |row| row.get(0))?)
}

/// Makes the tables in an empty file.
pub(super) fn create(connection: &mut Connection) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    bring_up_to_date(&transaction, 1)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    Ok(())
}

/// Brings the tables of an older version up to date, all or nothing.
pub(super) fn migrate(connection: &mut Connection, from: i64) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    bring_up_to_date(&transaction, from)?;
    transaction.commit()?;
    tracing::info!(from, to = VERSION, "the journal was brought up to date");
    Ok(())
}

fn bring_up_to_date(connection: &Connection, from: i64) -> Result<(), Error> {
    if from < 2 {
        connection.execute_batch(FROM_1_TO_2)?;
        name_blobs(connection)?;
    }
    if from < 3 {
        connection.execute_batch(FROM_2_TO_3)?;
    }
    if from < 4 {
        connection.execute_batch(FROM_3_TO_4)?;
    }
    Ok(connection.pragma_update(None, "user_version", VERSION)?)
}

/// Finds out which workflows name which blobs, from their events. Streamed text,
/// most of a history, names none.
fn name_blobs(connection: &Connection) -> Result<(), Error> {
    let mut events =
        connection.prepare("SELECT run, v, body FROM events WHERE body NOT GLOB '{\"k\":\"streamed\"*'")?;
    let mut named =
        connection.prepare("INSERT INTO named (sha256, run) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    let mut rows = events.query([])?;
    while let Some(row) = rows.next()? {
        let (run, version, body): (i64, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        for id in record::names(version, &body) {
            named.execute(rusqlite::params![id.to_hex(), run])?;
        }
    }
    Ok(())
}

/// Takes the journal over: from here on a writer of before commits nothing.
pub(super) fn take_over(connection: &mut Connection) -> Result<Epoch, Error> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let epoch = transaction.query_row(
        "UPDATE owner SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch",
        [],
        |row| row.get(0),
    )?;
    transaction.commit()?;
    Ok(Epoch(epoch))
}

/// Epoch of the last opening.
pub(super) fn epoch(connection: &Connection) -> Result<Epoch, Error> {
    let mut statement = connection.prepare_cached("SELECT epoch FROM owner WHERE id = 1")?;
    Ok(Epoch(statement.query_row([], |row| row.get(0))?))
}
