use engine::{
    artifact::Task,
    event::{Event, Recorded, Streamed},
    graph::Graph,
    ports::{
        Journal as _,
        journal::{Append, NewWorkflow, Status},
    },
};
use shared::id::{CorrelationId, Seq, StageId};

use super::*;
use crate::{limits::PACK_EVENTS_MAX, sqlite::Options};

fn history(workflow: &WorkflowId) -> (NewWorkflow, Append) {
    let correlation = CorrelationId::new("req");
    let recorded = |seq, event| Recorded {
        seq: Seq(seq),
        at_ms: seq,
        event,
    };
    let submitted = Event::Submitted {
        workflow: workflow.clone(),
        correlation: correlation.clone(),
        task: Task {
            workflow_type: "t".to_owned(),
            query: "q".to_owned(),
            workspace: "/w".to_owned(),
            choices: engine::artifact::Choices::default(),
            images: Vec::new(),
        },
        graph: Graph {
            name: "t".to_owned(),
            version: 1,
            source: None,
            stages: Vec::new(),
        },
    };
    let text = |seq| {
        let streamed = Streamed {
            stage: StageId::new("s"),
            attempt: 1,
            offset: seq,
            delta: "x".to_owned(),
            tokens: seq,
            total: None,
            origin: None,
        };
        recorded(seq, Event::Streamed(streamed))
    };
    let new = NewWorkflow {
        workflow: workflow.clone(),
        correlation,
        fingerprint: engine::blob::BlobId::of(b"request"),
        events: vec![recorded(1, submitted)],
        blobs: Vec::new(),
        status: Status::Running,
    };
    // A full pack: it is packed though nothing has followed it.
    let append = Append {
        workflow: workflow.clone(),
        after: Seq(1),
        events: (2..).take(PACK_EVENTS_MAX).map(text).collect(),
        blobs: Vec::new(),
        status: None,
        durability: Durability::Synced,
    };
    (new, append)
}

#[tokio::test]
async fn a_fenced_writer_packs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let workflow = WorkflowId::new("wf");
    let (new, append) = history(&workflow);
    let journal = Options::new(dir.path()).open().unwrap();
    journal.create(new).await.unwrap();
    journal.append(append).await.unwrap();
    drop(journal);
    let open = || Connection::open(dir.path().join("journal.db")).unwrap();
    let records = || -> usize {
        let sql = "SELECT count(*) FROM events";
        open().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let pack = |epoch| {
        let witness = Witness::open(dir.path()).unwrap();
        let copier = Copier::start(&dir.path().join("journal.db")).unwrap();
        let mut writer = Writer::new(open(), Epoch(epoch), witness, Arc::default(), copier);
        writer.waiting.again(workflow.clone());
        while writer.pack_when_due() {}
        writer.stopped
    };
    let fenced = Error::Fenced { ours: 0, current: 1 };
    assert_eq!(pack(0), Some(fenced));
    assert_eq!(records(), 1 + PACK_EVENTS_MAX);
    assert_eq!(pack(1), None);
    assert_eq!(records(), 2);
}
