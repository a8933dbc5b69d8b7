//! Many at once: one winner for a correlation id, one commit for a group.

use std::{path::Path, sync::Arc};

use engine::ports::{
    Journal as _,
    journal::{Append, Created, Durability},
};
use journal::limits::LOG_FRAMES_MAX;
use rusqlite::Connection;
use shared::error::{Class, Code};
use tokio::task::JoinSet;

use crate::support::{all, filled, kind, large, more, new, same_request, store, text, wf};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_32_creates_of_one_correlation_id_one_is_new() {
    let store = store();
    let journal = Arc::new(store.journal);
    let mut creates = JoinSet::new();
    for n in 0..32 {
        let journal = Arc::clone(&journal);
        creates.spawn(async move {
            let new = same_request(n);
            (new.workflow.clone(), journal.create(new).await.unwrap())
        });
    }
    let answers = creates.join_all().await;
    let winners: Vec<_> = answers
        .iter()
        .filter(|(_, created)| *created == Created::New)
        .collect();
    assert_eq!(winners.len(), 1);
    let winner = winners[0].0.clone();
    for (workflow, created) in answers {
        let expect = if workflow == winner {
            Created::New
        } else {
            Created::Existing(winner.clone())
        };
        assert_eq!(created, expect);
    }
}

/// Holds the lock that the writer needs, so that jobs pile up behind it.
fn hold(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join("journal.db")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

#[tokio::test]
async fn what_waits_is_committed_together() {
    let store = store();
    filled(&store, 64, 1).await;
    let before = store.journal.stats();
    let held = hold(store.dir.path());
    let journal = Arc::new(store.journal);
    let mut appends = JoinSet::new();
    for n in 0..64 {
        let journal = Arc::clone(&journal);
        appends.spawn(async move { journal.append(more(wf(n), 1, 3)).await });
    }
    // On one thread, each task has queued its job once all of them have run.
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    held.execute_batch("ROLLBACK").unwrap();
    assert_eq!(appends.join_all().await, vec![Ok(()); 64]);
    for n in 0..64 {
        let mut whole = new(n).events;
        whole.extend([text(2), text(3), text(4)]);
        assert_eq!(all(journal.as_ref(), wf(n)).await, Ok(whole));
    }
    let after = journal.stats();
    assert_eq!(after.jobs - before.jobs, 64);
    // The one that met the lock, with those that came before it, and the rest.
    assert!(after.commits - before.commits <= 3, "{after:?} after {before:?}");
}

#[tokio::test]
async fn a_bad_job_spares_the_others_of_its_group() {
    let store = store();
    filled(&store, 8, 2).await;
    let held = hold(store.dir.path());
    let journal = Arc::new(store.journal);
    let mut appends = JoinSet::new();
    for n in 0..8 {
        let journal = Arc::clone(&journal);
        // Every other one is stale, the last one unknown.
        let (workflow, after) = if n == 7 {
            (wf("unknown"), 2)
        } else {
            (wf(n), if n % 2 == 0 { 2 } else { 1 })
        };
        appends.spawn(async move { (n, journal.append(more(workflow, after, 1)).await) });
    }
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    held.execute_batch("ROLLBACK").unwrap();
    for (n, answer) in appends.join_all().await {
        match n {
            7 => assert_eq!(kind(answer), (Class::User, Code::UnknownWorkflow)),
            n if n % 2 == 0 => assert_eq!(answer, Ok(())),
            _ => assert_eq!(kind(answer), (Class::Permanent, Code::StaleAppend)),
        }
        if n < 7 {
            let expect = if n % 2 == 0 { 3 } else { 2 };
            assert_eq!(all(journal.as_ref(), wf(n)).await.unwrap().len(), expect);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_and_readers_at_once() {
    let store = store();
    let journal = Arc::new(store.journal);
    let mut tasks = JoinSet::new();
    for n in 0..64_u64 {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move {
            journal.create(new(n)).await.unwrap();
            for after in 1..=10 {
                let durability = if after % 3 == 0 {
                    Durability::Synced
                } else {
                    Durability::Process
                };
                journal
                    .append(Append {
                        durability,
                        ..more(wf(n), after, 1)
                    })
                    .await
                    .unwrap();
                // What was acknowledged is there for whoever reads next.
                let read = all(journal.as_ref(), wf(n)).await.unwrap();
                assert_eq!(read.len() as u64, after + 1);
            }
        });
    }
    tasks.join_all().await;
    let stats = journal.stats();
    assert_eq!(stats.jobs, 64 * 11);
    assert!(
        stats.commits_synced <= stats.commits && stats.commits <= stats.jobs,
        "{stats:?}"
    );
}

#[tokio::test]
async fn text_alone_is_not_synced() {
    let store = store();
    filled(&store, 1, 1).await;
    let before = store.journal.stats();
    for after in 1..=10 {
        let append = Append {
            durability: Durability::Process,
            ..more(wf(0), after, 1)
        };
        store.journal.append(append).await.unwrap();
    }
    let between = store.journal.stats();
    assert_eq!(
        (between.commits - before.commits, between.commits_synced),
        (10, before.commits_synced)
    );
    store.journal.append(more(wf(0), 11, 1)).await.unwrap();
    assert_eq!(store.journal.stats().commits_synced, before.commits_synced + 1);
    let store = store.reopen();
    assert_eq!(all(&store.journal, wf(0)).await.unwrap().len(), 12);
}

#[tokio::test]
async fn the_log_begins_again() {
    let store = store();
    filled(&store, 1, 1).await;
    let path = store.dir.path().join("journal.db-wal");
    // A page and its header.
    let frame_bytes = 4096 + 24;
    let mut written = 0;
    let mut longest = 0;
    let mut head = 1;
    while written < 5 * LOG_FRAMES_MAX / 2 * frame_bytes {
        let append = Append {
            durability: Durability::Process,
            ..large(wf(0), head, 200_000)
        };
        store.journal.append(append).await.unwrap();
        head += 1;
        written += 200_000;
        longest = longest.max(std::fs::metadata(&path).unwrap().len());
    }
    let longest = i64::try_from(longest).unwrap();
    assert!(longest < 3 * LOG_FRAMES_MAX / 2 * frame_bytes, "{longest} bytes");
    let store = store.reopen();
    assert_eq!(all(&store.journal, wf(0)).await.unwrap().len() as u64, head);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
}
