//! Synced appends a second: `cargo run -p journal --example commits -- DIR` or
//! `… -- postgres://…`, with one workflow and with 64 side by side.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and stops when something is wrong"
)]

use std::{sync::Arc, time::Duration};

use engine::{
    artifact::Task,
    blob::BlobId,
    event::{Event, Notice, NoticeLevel, Recorded},
    graph::Graph,
    ports::{
        Journal,
        journal::{Append, Durability, NewWorkflow, Status},
    },
};
use shared::id::{CorrelationId, Seq, WorkflowId};
use tokio::{task::JoinSet, time::Instant};

const LENGTH: Duration = Duration::from_secs(5);

/// Bytes of text in one event.
const TEXT_BYTES: usize = 400;

#[tokio::main]
async fn main() {
    let place = std::env::args().nth(1).unwrap();
    let journal: Arc<dyn Journal> = if place.contains("://") {
        #[cfg(feature = "postgres")]
        let journal = Arc::new(journal::postgres::Options::new(place).open().await.unwrap());
        #[cfg(not(feature = "postgres"))]
        let journal: Arc<dyn Journal> = unimplemented!("built without the feature `postgres`");
        journal
    } else {
        Arc::new(journal::Options::new(place).open().unwrap())
    };
    for workflows in [1, 64] {
        let begun = Instant::now();
        let mut writers = JoinSet::new();
        for _ in 0..workflows {
            writers.spawn(write(Arc::clone(&journal), begun + LENGTH));
        }
        let appends: u64 = writers.join_all().await.into_iter().sum();
        let seconds = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
        let rate = appends as f64 / seconds;
        println!("{workflows:>3} workflows: {rate:>7.0} appends/s");
    }
    journal.leave().await.unwrap();
}

async fn write(journal: Arc<dyn Journal>, until: Instant) -> u64 {
    let id = format!("{:?}", tokio::task::id());
    let now = Instant::now();
    let id = format!(
        "bench-{}-{id}-{:?}",
        std::process::id(),
        until.duration_since(now).as_nanos()
    );
    let id: String = id
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    let (workflow, correlation) = (WorkflowId::new(id.clone()), CorrelationId::new(id));
    let submitted = Event::Submitted {
        workflow: workflow.clone(),
        correlation: correlation.clone(),
        task: Task {
            workflow_type: "bench".to_owned(),
            query: "q".to_owned(),
            workspace: "/w".to_owned(),
            choices: engine::artifact::Choices::default(),
            images: Vec::new(),
        },
        graph: Graph {
            name: "bench".to_owned(),
            version: 1,
            source: None,
            stages: Vec::new(),
        },
    };
    let recorded = |seq, event| Recorded {
        seq: Seq(seq),
        at_ms: seq,
        event,
    };
    let new = NewWorkflow {
        workflow: workflow.clone(),
        correlation,
        fingerprint: BlobId::of(b"bench"),
        events: vec![recorded(1, submitted)],
        blobs: Vec::new(),
        status: Status::Completed,
    };
    journal.create(new).await.unwrap();
    let mut head = 1;
    while Instant::now() < until {
        let notice = Notice {
            level: NoticeLevel::Info,
            code: None,
            message: "x".repeat(TEXT_BYTES),
        };
        let append = Append {
            workflow: workflow.clone(),
            after: Seq(head),
            events: vec![recorded(head + 1, Event::Noticed(notice))],
            blobs: Vec::new(),
            status: None,
            durability: Durability::Synced,
        };
        journal.append(append).await.unwrap();
        head += 1;
    }
    head - 1
}
