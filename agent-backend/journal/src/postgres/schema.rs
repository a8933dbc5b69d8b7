//! Tables of the database, in a schema of their own.

use super::connect::Link;
use crate::Error;

/// Version of the tables, in `meta`.
const VERSION: i32 = 2;

/// Where hints are sent.
pub(super) const CHANNEL: &str = "agentic_ide";

/// Taken while the tables are made, so that two backends do not make them at
/// once: "AIDE".
const LOCK: i64 = 0x4149_4445;

/// As in SQLite's schema. A holder is alive as long as its row is in `owners`;
/// what has an epoch that is not there belongs to nobody. `heads` is written
/// with every append: room in its pages lets a row be replaced beside itself.
const TABLES: &str = "
CREATE SCHEMA IF NOT EXISTS agentic_ide;
CREATE TABLE agentic_ide.meta (
    one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
    version INTEGER NOT NULL
);
CREATE SEQUENCE agentic_ide.epochs;
CREATE TABLE agentic_ide.owners (
    epoch BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE agentic_ide.runs (
    run BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow TEXT NOT NULL UNIQUE,
    correlation TEXT NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,
    workflow_type TEXT NOT NULL,
    query TEXT NOT NULL,
    workspace TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
CREATE TABLE agentic_ide.heads (
    run BIGINT PRIMARY KEY REFERENCES agentic_ide.runs (run) ON DELETE CASCADE,
    head BIGINT NOT NULL,
    status TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    aside TEXT
) WITH (fillfactor = 50);
CREATE INDEX heads_unfinished ON agentic_ide.heads (run) WHERE status IN ('running', 'awaiting_decision');
CREATE TABLE agentic_ide.events (
    run BIGINT NOT NULL REFERENCES agentic_ide.runs (run) ON DELETE CASCADE,
    seq BIGINT NOT NULL CHECK (seq > 0),
    at_ms BIGINT NOT NULL,
    v INTEGER NOT NULL,
    digest BIGINT NOT NULL,
    body TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (run, seq)
);
CREATE TABLE agentic_ide.named (
    sha256 TEXT NOT NULL,
    run BIGINT NOT NULL REFERENCES agentic_ide.runs (run) ON DELETE CASCADE,
    PRIMARY KEY (sha256, run)
);
CREATE INDEX named_run ON agentic_ide.named (run);
CREATE TABLE agentic_ide.blobs (
    sha256 TEXT PRIMARY KEY,
    bytes BYTEA NOT NULL
);
INSERT INTO agentic_ide.meta (version) VALUES (1);
";

/// What version 2 added, also to new tables; as in SQLite's schema.
const FROM_1_TO_2: &str = "
CREATE TABLE agentic_ide.sessions (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session TEXT NOT NULL UNIQUE,
    workspace TEXT NOT NULL,
    title TEXT,
    settings TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    entries BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE agentic_ide.session_entries (
    number BIGINT NOT NULL REFERENCES agentic_ide.sessions (number) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    prompt TEXT NOT NULL,
    answer TEXT,
    PRIMARY KEY (number, position)
);
UPDATE agentic_ide.meta SET version = 2;
";

/// Makes the tables where there are none, brings older ones up to date, and refuses those of a newer version.
pub(super) async fn prepare(link: &Link) -> Result<(), Error> {
    let session = link.session().await?;
    let client = &session.client;
    client.batch_execute("BEGIN").await?;
    let done = async {
        client
            .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
            .await?;
        let there: bool = client
            .query_one("SELECT to_regclass('agentic_ide.meta') IS NOT NULL", &[])
            .await?
            .try_get(0)?;
        if !there {
            client.batch_execute(TABLES).await?;
            client.batch_execute(FROM_1_TO_2).await?;
            return Ok(());
        }
        let found: i32 = client
            .query_one("SELECT version FROM agentic_ide.meta", &[])
            .await?
            .try_get(0)?;
        if found > VERSION {
            return Err(Error::Refused {
                reason: format!("it has schema {found}; this version knows {VERSION}: update Agentic IDE"),
            });
        }
        if found < 2 {
            client.batch_execute(FROM_1_TO_2).await?;
            tracing::info!(from = found, to = VERSION, "the journal was brought up to date");
        }
        Ok(())
    };
    match done.await {
        Ok(()) => Ok(client.batch_execute("COMMIT").await?),
        Err(error) => {
            link.forget().await;
            Err(error)
        }
    }
}
