//! What is refused, and what stops the journal.

use std::{fs, path::Path};

use engine::ports::{Journal as _, journal::ListQuery};
use journal::{Error, Options};
use rusqlite::Connection;
use shared::{
    error::{Class, Code},
    id::Seq,
};

use crate::support::{all, filled, kind, large, more, new, store, text, wf};

fn refusal(dir: &Path) -> Error {
    Options::new(dir).open().unwrap_err()
}

/// Every file of a directory but the lock and the shared index of the log,
/// which hold no data.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                // A directory is as good as a file here.
                fs::read(entry.path()).unwrap_or_default(),
            )
        })
        .filter(|(name, bytes)| !name.ends_with(".lock") && !name.ends_with("-shm") && !bytes.is_empty())
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_directory_has_one_journal() {
    let store = store();
    let dir = store.dir.path().to_owned();
    let error = refusal(&dir);
    assert_eq!(
        error,
        Error::Locked {
            dir: dir.clone(),
            holder: Some(std::process::id())
        }
    );
    assert_eq!((error.class(), error.code()), (Class::User, Code::JournalLocked));
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
    // The one that has it goes on.
    filled(&store, 1, 2).await;
    let store = store.reopen();
    assert_eq!(all(&store.journal, wf(0)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_newer_schema_is_not_touched() {
    let store = store();
    filled(&store, 1, 2).await;
    let dir = store.dir;
    drop(store.journal);
    change_version(dir.path());
    let before = contents(dir.path());
    let error = refusal(dir.path());
    assert_eq!(
        error,
        Error::SchemaTooNew {
            dir: dir.path().to_owned(),
            found: 5,
            known: 4
        }
    );
    assert_eq!((error.class(), error.code()), (Class::User, Code::JournalTooNew));
    assert_eq!(contents(dir.path()), before);
}

#[tokio::test]
async fn a_newer_schema_is_not_touched_after_a_crash() {
    let store = store();
    filled(&store, 1, 2).await;
    change_version(store.dir.path());
    // As a killed process leaves it: the log holds everything.
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in contents(store.dir.path()) {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let before = contents(dir.path());
    assert!(before.iter().any(|(name, _)| name == "journal.db-wal"));
    assert_eq!(refusal(dir.path()).code(), Code::JournalTooNew);
    assert_eq!(contents(dir.path()), before);
}

fn change_version(dir: &Path) {
    let connection = Connection::open(dir.join("journal.db")).unwrap();
    connection.pragma_update(None, "user_version", 5).unwrap();
}

#[test]
fn what_is_no_journal_is_not_touched() {
    let check = |make: &dyn Fn(&Path), code: Code| {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        let before = contents(dir.path());
        let error = refusal(dir.path());
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(contents(dir.path()), before);
    };
    let foreign = |dir: &Path| {
        let connection = Connection::open(dir.join("journal.db")).unwrap();
        connection.execute_batch("CREATE TABLE mine (a)").unwrap();
    };
    check(&foreign, Code::JournalUnavailable);
    check(
        &|dir| fs::write(dir.join("journal.db"), "not a database, but long enough").unwrap(),
        Code::JournalCorrupt,
    );
    check(
        &|dir| fs::write(dir.join("journal.db-wal"), "a log without a database").unwrap(),
        Code::JournalCorrupt,
    );
    check(
        &|dir| fs::create_dir(dir.join("journal.db")).unwrap(),
        Code::JournalUnavailable,
    );
}

#[test]
fn a_file_is_no_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = refusal(file.path());
    assert_eq!(
        (error.class(), error.code()),
        (Class::User, Code::JournalUnavailable)
    );
}

fn change(dir: &Path, sql: &str) {
    let connection = Connection::open(dir.join("journal.db")).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
}

#[tokio::test]
async fn a_damaged_history_spares_the_others() {
    let check = async |sql: &str, code: Code| {
        let store = store();
        filled(&store, 2, 4).await;
        change(store.dir.path(), sql);
        assert_eq!(
            kind(all(&store.journal, wf(0)).await),
            (Class::Permanent, code),
            "{sql}"
        );
        assert_eq!(all(&store.journal, wf(1)).await.unwrap().len(), 4, "{sql}");
        // Writing goes on, too.
        store.journal.append(more(wf(1), 4, 1)).await.unwrap();
    };
    check(
        "UPDATE events SET body = replace(body, 'text', 'next') WHERE run = 1 AND seq = 3",
        Code::JournalCorrupt,
    )
    .await;
    check(
        "UPDATE events SET v = 2 WHERE run = 1 AND seq = 3",
        Code::JournalCorrupt,
    )
    .await;
    check(
        "UPDATE events SET seq = 9 WHERE run = 1 AND seq = 4",
        Code::JournalCorrupt,
    )
    .await;
    check(
        "DELETE FROM events WHERE run = 1 AND seq = 2",
        Code::JournalCorrupt,
    )
    .await;
    check(
        "DELETE FROM events WHERE run = 1 AND seq = 4",
        Code::JournalCorrupt,
    )
    .await;
    check("UPDATE heads SET head = 2 WHERE run = 1", Code::JournalCorrupt).await;
}

#[tokio::test]
async fn a_damaged_workflow_takes_no_append() {
    let store = store();
    filled(&store, 2, 2).await;
    change(store.dir.path(), "UPDATE heads SET head = -1 WHERE run = 1");
    let (damaged, sound) = tokio::join!(
        store.journal.append(more(wf(0), 2, 1)),
        store.journal.append(more(wf(1), 2, 1))
    );
    assert_eq!(kind(damaged), (Class::Permanent, Code::JournalCorrupt));
    assert_eq!(sound, Ok(()));
}

#[tokio::test]
async fn a_damaged_list_entry_is_left_out() {
    let store = store();
    filled(&store, 3, 1).await;
    change(
        store.dir.path(),
        "UPDATE heads SET status = 'dancing' WHERE run = 2",
    );
    let list = store
        .journal
        .list(ListQuery {
            limit: 9,
            ..ListQuery::default()
        })
        .await
        .unwrap();
    assert_eq!(
        list.into_iter().map(|head| head.workflow).collect::<Vec<_>>(),
        [wf(2), wf(0)]
    );
    assert_eq!(
        kind(store.journal.head(wf(1)).await),
        (Class::Permanent, Code::JournalCorrupt)
    );
}

#[tokio::test]
async fn a_damaged_blob_is_not_given_out() {
    let store = store();
    filled(&store, 1, 1).await;
    let append = large(wf(0), 1, 100);
    let id = append.blobs[0].id();
    store.journal.append(append).await.unwrap();
    change(store.dir.path(), "UPDATE blobs SET bytes = x'00'");
    assert_eq!(
        kind(store.journal.blob(id).await),
        (Class::Permanent, Code::JournalCorrupt)
    );
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        bytes_max: Some(512 * 1024),
        ..Options::new(dir.path())
    };
    let journal = options.open().unwrap();
    journal.create(new(1)).await.unwrap();
    let mut head = 1;
    let refused = loop {
        match journal.append(large(wf(1), head, 50_000)).await {
            Ok(()) => head += 1,
            Err(error) => break error,
        }
    };
    assert!(head > 3);
    assert_eq!(
        (refused.class, refused.code),
        (Class::Transient, Code::StorageFull)
    );
    assert_eq!(all(&journal, wf(1)).await.unwrap().len() as u64, head);
    // It has not stopped: what needs no new page still goes in.
    journal.append(more(wf(1), head, 1)).await.unwrap();
    drop(journal);
    // Space is back.
    let journal = Options::new(dir.path()).open().unwrap();
    journal.append(large(wf(1), head + 1, 50_000)).await.unwrap();
    let expect: Vec<_> = new(1)
        .events
        .into_iter()
        .chain((2..=head + 2).map(text))
        .collect();
    assert_eq!(all(&journal, wf(1)).await, Ok(expect));
}

#[tokio::test]
async fn after_the_first_sign_of_damage_nothing_is_written_any_more() {
    let store = store();
    filled(&store, 2, 3).await;
    // One workflow has a row where its head says that there is none; the other
    // one is whole, and would be written to by a journal that goes on.
    let connection = Connection::open(store.dir.path().join("journal.db")).unwrap();
    let sql = "INSERT INTO events SELECT run, seq + 1, at_ms, v, digest, body, epoch FROM events
               WHERE run = (SELECT run FROM runs WHERE workflow = 'wf-0') AND seq = 3";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    let first = store.journal.append(more(wf(0), 3, 1)).await.unwrap_err();
    assert_eq!((first.class, first.code), (Class::Fatal, Code::JournalCorrupt));
    assert_eq!(store.journal.append(more(wf(1), 3, 1)).await, Err(first));
    assert_eq!(store.journal.read(wf(1), Seq(0), 9).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_broken_file_stops_the_writer_for_good() {
    let store = store();
    filled(&store, 2, 50).await;
    let dir = store.dir;
    drop(store.journal);
    // The tables of a workflow are noise; the schema and the count of synced
    // commits, which opening reads, are there.
    let path = dir.path().join("journal.db");
    let connection = Connection::open(&path).unwrap();
    let root = |name: &str| -> usize {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        connection.query_row(sql, [name], |row| row.get(0)).unwrap()
    };
    let pages = [root("runs"), root("heads"), root("events")];
    drop(connection);
    let mut bytes = fs::read(&path).unwrap();
    for page in pages {
        bytes[(page - 1) * 4096..page * 4096].fill(0xA5);
    }
    fs::write(&path, bytes).unwrap();
    let journal = Options::new(dir.path()).open().unwrap();
    let broken = (Class::Fatal, Code::JournalCorrupt);
    let first = journal.append(more(wf(0), 50, 1)).await.unwrap_err();
    assert_eq!((first.class, first.code), broken);
    // Later jobs get the same error, whatever they want.
    assert_eq!(journal.create(new(9)).await, Err(first.clone()));
    assert_eq!(journal.append(more(wf(1), 50, 1)).await, Err(first));
    assert_eq!(kind(journal.read(wf(0), Seq(0), 1).await), broken);
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let store = store();
    filled(&store, 1, 1).await;
    let refused = (Class::Permanent, Code::AppendRefused);
    let blob = large(wf(0), 1, journal::limits::APPEND_BYTES_MAX + 1);
    assert_eq!(kind(store.journal.append(blob).await), refused);
    let many = more(wf(0), 1, journal::limits::APPEND_EVENTS_MAX as u64 + 1);
    assert_eq!(kind(store.journal.append(many).await), refused);
    store
        .journal
        .append(more(wf(0), 1, journal::limits::APPEND_EVENTS_MAX as u64))
        .await
        .unwrap();
}
