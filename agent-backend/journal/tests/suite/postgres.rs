//! What several backends on one Postgres are promised.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use engine::ports::{
    Journal as _, Sessions as _,
    journal::{Append, Created, Durability},
    sessions::Session,
};
use journal::postgres::{Journal, Options};
use shared::{
    error::{Class, Code},
    id::{SessionId, WorkflowId},
};
use tokio::task::JoinSet;

use crate::support::{Database, Store as _, all, kind, more, new, same_request, text, wf};

/// Nothing here takes that long; a hang must fail.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("waited too long for {what}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_32_creates_through_two_backends_one_is_new() {
    let Some(store) = Database::new() else { return };
    let backends = [Arc::new(store.open().await), Arc::new(store.open().await)];
    let mut creates = JoinSet::new();
    for n in 0..32 {
        let journal = Arc::clone(&backends[n % 2]);
        creates.spawn(async move {
            let new = same_request(n);
            (new.workflow.clone(), journal.create(new).await.unwrap())
        });
    }
    let (new, rest): (Vec<_>, Vec<_>) = creates
        .join_all()
        .await
        .into_iter()
        .partition(|(_, created)| *created == Created::New);
    assert_eq!(new.len(), 1);
    let winner = &new[0].0;
    assert!(
        rest.iter()
            .all(|(_, created)| *created == Created::Existing(winner.clone()))
    );
}

/// Whatever is free goes to one of them, never to both.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_backends_share_what_is_free() {
    let Some(store) = Database::new() else { return };
    let first = store.open().await;
    for n in 0..40 {
        first.create(new(n)).await.unwrap();
    }
    let second = store.take_over(&first).await;
    let third = store.open().await;
    let take = async |journal: &Journal| {
        let mut taken = Vec::new();
        loop {
            let claimed = journal.claim(3).await.unwrap();
            if claimed.is_empty() {
                return taken;
            }
            taken.extend(claimed.into_iter().map(|claimed| claimed.head.workflow));
        }
    };
    let (a, b) = tokio::join!(take(&second), take(&third));
    let all: BTreeSet<WorkflowId> = a.iter().chain(&b).cloned().collect();
    assert_eq!(all, (0..40).map(wf).collect());
    assert_eq!(a.len() + b.len(), 40);
}

/// Nobody deletes its row: its time runs out.
#[tokio::test]
async fn a_backend_that_is_not_heard_of_is_taken_for_dead() {
    let Some(store) = Database::new() else { return };
    let short = || Options {
        lease: Duration::from_millis(300),
        ..store.options()
    };
    let first = short().open().await.unwrap();
    first.create(new(1)).await.unwrap();
    first.stall();
    let second = short().open().await.unwrap();
    let claimed = soon("the lease to end", async {
        loop {
            let claimed = second.claim(9).await.unwrap();
            if !claimed.is_empty() {
                return claimed;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(claimed.await.len(), 1);
    assert_eq!(
        kind(first.append(more(wf(1), 1, 1)).await),
        (Class::Fatal, Code::Fenced)
    );
    // For good, also for what it began itself.
    assert_eq!(kind(first.create(new(2)).await), (Class::Fatal, Code::Fenced));
}

#[tokio::test]
async fn a_backend_that_was_taken_for_dead_learns_it() {
    let Some(store) = Database::new() else { return };
    let journal = Options {
        lease: Duration::from_millis(300),
        ..store.options()
    };
    let journal = journal.open().await.unwrap();
    store.sql("DELETE FROM agentic_ide.owners");
    let error = soon("the news", journal.fenced()).await;
    assert_eq!((error.class, error.code), (Class::Fatal, Code::Fenced));
}

#[tokio::test]
async fn who_leaves_leaves_everything() {
    let Some(store) = Database::new() else { return };
    let first = store.open().await;
    first.create(new(1)).await.unwrap();
    let second = store.open().await;
    assert_eq!(second.claim(9).await, Ok(Vec::new()));
    first.leave().await.unwrap();
    assert_eq!(second.claim(9).await.unwrap().len(), 1);
}

/// A watcher need not wait for its next look.
#[tokio::test]
async fn what_one_writes_the_others_hear() {
    let Some(store) = Database::new() else { return };
    let (writer, watcher) = (store.open().await, store.open().await);
    writer.create(new(1)).await.unwrap();
    let mut seen = 1;
    for after in 1..=20 {
        let heard = watcher.changed().unwrap();
        let append = Append {
            durability: if after % 2 == 0 {
                Durability::Synced
            } else {
                Durability::Process
            },
            ..more(wf(1), after, 1)
        };
        let (_, written) = soon("a hint", async { tokio::join!(heard, writer.append(append)) }).await;
        written.unwrap();
        seen += 1;
        assert_eq!(all(&watcher, wf(1)).await.unwrap().len(), seen);
    }
}

/// The server goes away in the middle of commits: what was acknowledged is
/// there, and what was not is there once or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn broken_connections_lose_and_double_nothing() {
    let Some(store) = Database::new() else { return };
    let journal = Arc::new(store.open().await);
    let mut writers = JoinSet::new();
    for n in 0..8_u64 {
        let journal = Arc::clone(&journal);
        writers.spawn(async move {
            while let Err(error) = journal.create(new(n)).await {
                assert_eq!(error.class, Class::Transient, "{error}");
            }
            for after in 1..=60 {
                while let Err(error) = journal.append(more(wf(n), after, 1)).await {
                    assert_eq!(error.class, Class::Transient, "{error}");
                }
            }
        });
    }
    let breaking = async {
        loop {
            store.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    soon("the writers", async {
        tokio::select! {
            _ = writers.join_all() => {}
            () = breaking => {}
        }
    })
    .await;
    for n in 0..8 {
        let expect: Vec<_> = new(n).events.into_iter().chain((2..=61).map(text)).collect();
        let read = async {
            loop {
                match all(journal.as_ref(), wf(n)).await {
                    Err(error) if error.class == Class::Transient => {}
                    read => return read,
                }
            }
        };
        assert_eq!(soon("a connection", read).await, Ok(expect));
    }
}

#[tokio::test]
async fn a_newer_schema_is_not_touched() {
    let Some(store) = Database::new() else { return };
    drop(store.open().await);
    store.sql("UPDATE agentic_ide.meta SET version = 99");
    let error = store.options().open().await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (Class::User, Code::JournalUnavailable)
    );
    assert!(error.to_string().contains("99"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_without_the_password() {
    let check = async |url: &str, expect: Class| {
        let error = Options::new(url).open().await.unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            (expect, Code::JournalUnavailable),
            "{error}"
        );
        assert!(!error.to_string().contains("secret"), "{error}");
    };
    check("postgres://me:secret@127.0.0.1:1/db", Class::Transient).await;
    check("postgres://me:secret@127.0.0.1:port/db", Class::User).await;
    check("nonsense secret", Class::User).await;
}

#[tokio::test]
async fn a_database_of_schema_1_is_brought_up_to_date_once() {
    let Some(store) = Database::new() else { return };
    store.open().await.create(new(1)).await.unwrap();
    store.sql("DROP TABLE agentic_ide.session_entries, agentic_ide.sessions; UPDATE agentic_ide.meta SET version = 1");
    let (first, second) = tokio::join!(store.options().open(), store.options().open());
    let session = Session {
        id: SessionId::new("s-1"),
        workspace: "/shop".to_owned(),
        title: None,
        settings: String::new(),
        created_at_ms: 1,
        updated_at_ms: 1,
    };
    first.unwrap().begin_session(session.clone()).await.unwrap();
    let second = second.unwrap();
    assert_eq!(second.session(session.id.clone()).await, Ok(Some(session)));
    assert_eq!(all(&second, wf(1)).await, Ok(new(1).events));
    assert_eq!(store.sql("SELECT version FROM agentic_ide.meta").trim(), "2");
}
