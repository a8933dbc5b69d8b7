//! Databases of older schemas.

use std::path::Path;

use engine::{
    blob::BlobId,
    event::{Event, Recorded},
    ports::{
        Journal as _, Sessions as _,
        journal::{Append, Claimed, Head, Status},
        sessions::Session,
    },
};
use journal::Options;
use rusqlite::Connection;
use shared::id::{CorrelationId, Seq, SessionId, WorkflowId};

use crate::support::{all, at, more, new, text, wf};

const SCHEMA_1: &str = include_str!("../fixtures/schema-1.sql");
const SCHEMA_2: &str = include_str!("../fixtures/schema-2.sql");
const SCHEMA_3: &str = include_str!("../fixtures/schema-3.sql");

fn write(dir: &Path, sql: &str) {
    let connection = Connection::open(dir.join("journal.db")).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_journal_of_schema_1_is_read_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), SCHEMA_1);
    let workflow = WorkflowId::new("0191e9a4-7b1c-7cc3-98c4-dc0c0c07398f");
    let events: u64 = include_str!("../../src/record/fixtures/v1-history.jsonl")
        .lines()
        .count()
        .try_into()
        .unwrap();
    // Twice: the second opening finds the tables as they should be.
    for tries in 1..=2 {
        let journal = Options::new(dir.path()).open().unwrap();
        let head = Head {
            workflow: workflow.clone(),
            correlation: CorrelationId::new("req_xyz"),
            workflow_type: "feature_implementation".to_owned(),
            query: "add \"sum\"".to_owned(),
            workspace: "/home/ada/shop".to_owned(),
            status: Status::Running,
            aside: None,
            head: Seq(events),
            created_at_ms: 1001,
            updated_at_ms: 1000 + events,
        };
        assert_eq!(journal.claim(9).await, Ok(vec![Claimed { head, tries }]));
        assert_eq!(
            all(&journal, workflow.clone()).await.unwrap().len() as u64,
            events
        );
        let blob = b"what a stage wrote";
        assert_eq!(journal.blob(BlobId::of(blob)).await, Ok(Some(blob.to_vec())));
    }
    let journal = Options::new(dir.path()).open().unwrap();
    journal.append(more(workflow.clone(), events, 2)).await.unwrap();
    assert_eq!(all(&journal, workflow).await.unwrap().len() as u64, events + 2);
}

/// Every row carries the epoch under which it was committed; rows of before
/// epochs carry nobody's.
#[tokio::test]
async fn each_event_carries_the_epoch_of_its_writer() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), SCHEMA_1);
    let workflow = WorkflowId::new("0191e9a4-7b1c-7cc3-98c4-dc0c0c07398f");
    let mut head = Options::new(dir.path())
        .open()
        .unwrap()
        .head(workflow.clone())
        .await
        .unwrap()
        .unwrap()
        .head
        .0;
    let old = head;
    for _ in 0..2 {
        let journal = Options::new(dir.path()).open().unwrap();
        journal.append(more(workflow.clone(), head, 1)).await.unwrap();
        head += 1;
    }
    let connection = Connection::open(dir.path().join("journal.db")).unwrap();
    let mut statement = connection
        .prepare("SELECT epoch FROM events ORDER BY seq")
        .unwrap();
    let epochs: Vec<u64> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut expect = vec![0; usize::try_from(old).unwrap()];
    // The first opening only read.
    expect.extend([2, 3]);
    assert_eq!(epochs, expect);
}

/// Text of before is packed when the workflow goes on; pieces of two writers never
/// into one record.
#[tokio::test]
async fn a_journal_of_schema_2_is_read_and_packed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), SCHEMA_2);
    let other = Event::IterationStarted { iteration: 2 };
    let mut expect: Vec<Recorded> = new(1).events.into_iter().chain((2..=20).map(text)).collect();
    expect[12] = at(13, other.clone());
    let journal = Options::new(dir.path()).open().unwrap();
    assert_eq!(all(&journal, wf(1)).await, Ok(expect.clone()));
    assert_eq!(journal.claim(9).await.unwrap().len(), 1);
    let append = Append {
        events: vec![at(21, other.clone())],
        ..more(wf(1), 20, 0)
    };
    journal.append(append).await.unwrap();
    drop(journal);
    let journal = Options::new(dir.path()).open().unwrap();
    expect.push(at(21, other));
    assert_eq!(all(&journal, wf(1)).await, Ok(expect));
    let connection = Connection::open(dir.path().join("journal.db")).unwrap();
    let mut statement = connection
        .prepare("SELECT seq, v, epoch FROM events ORDER BY seq")
        .unwrap();
    let rows: Vec<(u64, u32, u64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(
        rows,
        [
            (1, 1, 1),
            (6, 2, 1),
            (12, 2, 2),
            (13, 1, 2),
            (20, 2, 2),
            (21, 1, 3)
        ]
    );
}

#[tokio::test]
async fn a_journal_of_schema_3_is_read_and_keeps_threads() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), SCHEMA_3);
    let session = Session {
        id: SessionId::new("s-1"),
        workspace: "/shop".to_owned(),
        title: None,
        settings: "{}".to_owned(),
        created_at_ms: 1,
        updated_at_ms: 1,
    };
    let mut expect: Vec<Recorded> = new(1).events.into_iter().chain((2..=20).map(text)).collect();
    expect[12] = at(13, Event::IterationStarted { iteration: 2 });
    let journal = Options::new(dir.path()).open().unwrap();
    assert_eq!(all(&journal, wf(1)).await, Ok(expect));
    journal.begin_session(session.clone()).await.unwrap();
    drop(journal);
    let journal = Options::new(dir.path()).open().unwrap();
    assert_eq!(journal.session(session.id.clone()).await, Ok(Some(session)));
}
