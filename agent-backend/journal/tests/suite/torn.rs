//! Files that were cut or changed. What is read is a part of what was written,
//! from its beginning, or a refusal with a code; never a panic, never a lie.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use engine::{event::Recorded, ports::Journal as _};
use journal::Options;
use proptest::{prelude::*, test_runner::TestRunner};
use shared::id::WorkflowId;
use tempfile::TempDir;

use crate::support::{all, filled, new, store, text, wf};

const DB: &str = "journal.db";
const LOG: &str = "journal.db-wal";
const WORKFLOWS: u64 = 3;
const EVENTS: u64 = 20;

fn histories() -> HashMap<WorkflowId, Vec<Recorded>> {
    (0..WORKFLOWS)
        .map(|n| {
            (
                wf(n),
                new(n).events.into_iter().chain((2..=EVENTS).map(text)).collect(),
            )
        })
        .collect()
}

/// Copies of the files as a killed process leaves them: all is in the log.
fn killed() -> (Vec<u8>, Vec<u8>) {
    let store = store();
    runtime().block_on(filled(&store, WORKFLOWS, EVENTS));
    let read = |name: &str| fs::read(store.dir.path().join(name)).unwrap();
    (read(DB), read(LOG))
}

/// A copy of the file of a journal that was closed.
fn closed() -> Vec<u8> {
    let store = store();
    runtime().block_on(filled(&store, WORKFLOWS, EVENTS));
    drop(store.journal);
    fs::read(store.dir.path().join(DB)).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// What is read from these files: of each workflow how many events.
fn read(db: &[u8], log: Option<&[u8]>) -> Result<Vec<u64>, String> {
    let dir: TempDir = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { Path::new(dir.path()).join(name) };
    fs::write(path(DB), db).unwrap();
    if let Some(log) = log {
        fs::write(path(LOG), log).unwrap();
    }
    let journal = Options::new(dir.path())
        .open()
        .map_err(|error| error.code().to_string())?;
    let mut lengths = Vec::new();
    let histories = histories();
    for n in 0..WORKFLOWS {
        match runtime().block_on(all(&journal, wf(n))) {
            Ok(events) => {
                assert_eq!(events[..], histories[&wf(n)][..events.len()]);
                lengths.push(events.len() as u64);
            }
            // Damaged or gone: said with a code.
            Err(error) => assert!(error.code.as_str().starts_with('E'), "{error:?}"),
        }
        let _ = runtime().block_on(journal.head(wf(n)));
    }
    Ok(lengths)
}

fn cases(count: u32) -> TestRunner {
    // The same cases each time.
    let config = ProptestConfig {
        cases: count,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new_with_rng(
        config,
        prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
    )
}

#[test]
fn a_log_that_was_cut_gives_a_prefix() {
    let (db, log) = killed();
    assert_eq!(read(&db, Some(&log)), Ok(vec![EVENTS; 3]));
    cases(48)
        .run(&(0..log.len()), |cut| {
            // A cut log is what the loss of power leaves: always readable.
            let lengths = read(&db, Some(&log[..cut])).unwrap();
            // Workflows were filled one after the other.
            let total: u64 = lengths.iter().sum();
            let expect: Vec<u64> = (0..WORKFLOWS)
                .map(|n| total.saturating_sub(n * EVENTS).min(EVENTS))
                .filter(|length| *length > 0)
                .collect();
            prop_assert_eq!(lengths, expect);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_flipped_bit_in_the_log_is_never_read_as_text() {
    let (db, log) = killed();
    cases(32)
        .run(&(0..log.len(), 0..8u8), |(at, bit)| {
            let mut log = log.clone();
            log[at] ^= 1 << bit;
            let _ = read(&db, Some(&log));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_flipped_bit_in_the_database_is_never_read_as_text() {
    let db = closed();
    assert_eq!(read(&db, None), Ok(vec![EVENTS; 3]));
    cases(64)
        .run(&(0..db.len(), 0..8u8), |(at, bit)| {
            let mut db = db.clone();
            db[at] ^= 1 << bit;
            if let Ok(lengths) = read(&db, None) {
                // Nothing acknowledged is silently shorter.
                prop_assert!(lengths.iter().all(|length| *length == EVENTS), "{:?}", lengths);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_database_that_was_cut_is_refused_or_read() {
    let db = closed();
    cases(32)
        .run(&(0..db.len()), |cut| {
            if let Ok(lengths) = read(&db[..cut], None) {
                prop_assert!(lengths.iter().all(|length| *length == EVENTS), "{:?}", lengths);
            }
            Ok(())
        })
        .unwrap();
}
