//! Tables and settings of the database file.

use std::time::Duration;

use rusqlite::{Connection, config::DbConfig};

use crate::{Error, limits::BUSY_TIMEOUT_MS};

/// Version of the tables, in the file's `user_version`.
pub(super) const VERSION: i64 = 1;

/// Marks the file as ours, in its `application_id`: "AIDE".
pub(super) const APPLICATION_ID: i64 = 0x4149_4445;

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

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Empty: tables are to be made.
    New,
    /// A journal of this version.
    Current,
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
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}
