//! Text that was packed: the same events in fewer records.

use std::{path::Path, process::Command};

use engine::{
    Ctx,
    artifact::Task,
    event::{Event, Origin, Recorded, Streamed},
    graph,
    ports::{
        Journal as _,
        journal::{Append, Durability, NewWorkflow, Status},
    },
};
use journal::{Journal, Options};
use proptest::{prelude::*, test_runner::TestRunner};
use rusqlite::Connection;
use shared::{
    crash,
    error::{Class, Code},
    id::{CorrelationId, Seq, StageId, WorkflowId},
};
use tempfile::TempDir;

use crate::support::{all, at, kind, more, new, store, text, wf};

const DIR: &str = "JOURNAL_PACK_DIR";

/// Something else than text, after `after`.
fn other(workflow: WorkflowId, after: u64) -> Append {
    Append {
        events: vec![at(after + 1, Event::Resumed)],
        ..more(workflow, after, 0)
    }
}

/// Places of the records of a workflow, in a file that no journal has open.
fn places(dir: &Path, workflow: &WorkflowId) -> Vec<u64> {
    let connection = Connection::open(dir.join("journal.db")).unwrap();
    let sql = "SELECT seq FROM events JOIN runs USING (run) WHERE workflow = ?1 ORDER BY seq";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement
        .query_map([workflow.as_str()], |row| row.get(0))
        .unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn open(dir: &TempDir) -> Journal {
    Options::new(dir.path()).open().unwrap()
}

#[tokio::test]
async fn text_is_packed_when_something_has_followed_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&dir);
    journal.create(new(1)).await.unwrap();
    journal.create(new(2)).await.unwrap();
    for after in 1..9 {
        journal.append(more(wf(1), after, 1)).await.unwrap();
        journal.append(more(wf(2), after, 1)).await.unwrap();
    }
    journal.append(other(wf(1), 9)).await.unwrap();
    journal.append(more(wf(1), 10, 2)).await.unwrap();
    drop(journal);
    assert_eq!(places(dir.path(), &wf(1)), [1, 9, 10, 11, 12]);
    assert_eq!(places(dir.path(), &wf(2)), (1..=9).collect::<Vec<_>>());
    // What a process left behind that was killed is packed by the next one that
    // goes on with the workflow.
    let journal = open(&dir);
    assert_eq!(journal.claim(9).await.unwrap().len(), 2);
    journal.append(other(wf(1), 12)).await.unwrap();
    journal.append(other(wf(2), 9)).await.unwrap();
    drop(journal);
    assert_eq!(places(dir.path(), &wf(1)), [1, 9, 10, 12, 13]);
    assert_eq!(places(dir.path(), &wf(2)), [1, 9, 10]);
    let journal = open(&dir);
    let mut expect = [new(1).events, (2..=13).map(text).collect()].concat();
    expect[9] = at(10, Event::Resumed);
    expect[12] = at(13, Event::Resumed);
    assert_eq!(all(&journal, wf(1)).await, Ok(expect));
}

#[tokio::test]
async fn a_packed_workflow_is_deleted_whole() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&dir);
    journal.create(new(1)).await.unwrap();
    journal.append(more(wf(1), 1, 20)).await.unwrap();
    let last = Append {
        status: Some(Status::Completed),
        ..other(wf(1), 21)
    };
    journal.append(last).await.unwrap();
    drop(journal);
    assert_eq!(places(dir.path(), &wf(1)), [1, 21, 22]);
    open(&dir).delete(wf(1)).await.unwrap();
    assert_eq!(places(dir.path(), &wf(1)), [0; 0]);
}

/// A piece of a history: text of some stage, or something else.
fn events() -> impl Strategy<Value = Event> {
    let lane = |event| Event::Lane {
        lane: StageId::new("lane"),
        event: Box::new(event),
    };
    let piece = || {
        ("[ab]", 1..3_u32, 0..9_u64, "\\PC{0,8}").prop_map(|(stage, attempt, number, delta)| {
            Event::Streamed(Streamed {
                stage: StageId::new(stage),
                attempt,
                offset: number * 3,
                delta,
                tokens: number,
                total: None,
                origin: (number == 0).then(|| Origin {
                    model: "m".to_owned(),
                    request: engine::blob::BlobId::of(b"asked"),
                }),
            })
        })
    };
    prop_oneof![
        6 => piece(),
        3 => piece().prop_map(lane),
        1 => Just(Event::Resumed),
        1 => Just(lane(Event::Resumed)),
    ]
}

/// Any mix of events, in appends of any length, read from any place.
#[test]
fn a_packed_history_reads_as_it_was_written() {
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let algorithm = prop::test_runner::RngAlgorithm::ChaCha;
    let random = prop::test_runner::TestRng::deterministic_rng(algorithm);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let inputs = (
        prop::collection::vec((events(), 1..4_usize), 1..80),
        prop::collection::vec((0..90_u64, 0..90_usize), 12),
    );
    let check = async |events: Vec<(Event, usize)>, pages: Vec<(u64, usize)>| {
        let lengths: Vec<usize> = events.iter().map(|(_, length)| *length).collect();
        let recorded = (2..).zip(events).map(|(seq, (event, _))| at(seq, event));
        let whole: Vec<Recorded> = new(1).events.into_iter().chain(recorded).collect();
        let dir = tempfile::tempdir().unwrap();
        let journal = open(&dir);
        journal.create(new(1)).await.unwrap();
        let mut rest = &whole[1..];
        for length in lengths {
            let (now, later) = rest.split_at(length.min(rest.len()));
            let is_text = |recorded: &Recorded| matches!(recorded.event.innermost(), Event::Streamed(_));
            let append = Append {
                after: Seq(now.first().map_or(whole.len() as u64, |first| first.seq.0 - 1)),
                events: now.to_vec(),
                durability: if now.iter().all(is_text) {
                    Durability::Process
                } else {
                    Durability::Synced
                },
                ..more(wf(1), 1, 0)
            };
            journal.append(append).await.unwrap();
            rest = later;
        }
        // Perhaps packed by now, then certainly.
        let mut open_journal = Some(journal);
        for _ in 0..2 {
            let journal = open_journal.take().unwrap_or_else(|| open(&dir));
            for (after, limit) in &pages {
                let from = usize::try_from(*after).unwrap().min(whole.len());
                let to = (from + limit).min(whole.len());
                assert_eq!(
                    journal.read(wf(1), Seq(*after), *limit).await,
                    Ok(whole[from..to].to_vec())
                );
            }
            assert_eq!(all(&journal, wf(1)).await, Ok(whole.clone()));
            let head = journal.head(wf(1)).await.unwrap().unwrap();
            assert_eq!(head.head.0, whole.len() as u64);
        }
        places(dir.path(), &wf(1)).len() < whole.len()
    };
    let packed = std::cell::Cell::new(0);
    TestRunner::new_with_rng(config, random)
        .run(&inputs, |(events, pages)| {
            packed.set(packed.get() + u32::from(runtime.block_on(check(events, pages))));
            Ok(())
        })
        .unwrap();
    assert!(packed.get() > 12, "{} were packed", packed.get());
}

/// Appends text and what follows it, or dies on the way. Does nothing when it runs
/// as one of the tests.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let journal = Options::new(dir).open().unwrap();
        let mut head = 1;
        journal.create(new(1)).await.unwrap();
        for _ in 0..3 {
            for _ in 0..5 {
                let append = Append {
                    durability: Durability::Process,
                    ..more(wf(1), head, 2)
                };
                journal.append(append).await.unwrap();
                head += 2;
            }
            journal.append(other(wf(1), head)).await.unwrap();
            head += 1;
        }
    });
}

/// Killed before and after each commit that packs: what is there are the events,
/// packed or not, and the next process goes on.
#[tokio::test]
async fn killed_while_it_packs_nothing_is_lost_or_there_twice() {
    let history = |head: u64| -> Vec<Recorded> {
        let other = |seq: u64| [12, 23, 34].contains(&seq);
        let event = |seq| {
            if other(seq) {
                at(seq, Event::Resumed)
            } else {
                text(seq)
            }
        };
        new(1).events.into_iter().chain((2..=head).map(event)).collect()
    };
    for (point, least, packed) in [
        ("journal:before_pack:1", 12, 0),
        ("journal:after_pack:1", 12, 1),
        ("journal:before_pack:2", 23, 1),
        ("journal:after_pack:2", 23, 2),
        ("journal:before_pack:3", 34, 2),
        ("journal:after_pack:3", 34, 3),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let ended = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "pack::child", "--nocapture", "--test-threads=1"])
            .env(DIR, dir.path())
            .env(crash::AT, point)
            .output()
            .unwrap();
        assert!(!ended.status.success(), "{point} was not passed");
        let journal = open(&dir);
        let head = journal.head(wf(1)).await.unwrap().unwrap().head.0;
        // What was being packed was acknowledged before; more may be.
        assert!((least..=34).contains(&head), "{point}: {head}");
        assert_eq!(all(&journal, wf(1)).await, Ok(history(head)), "{point}");
        let records = places(dir.path(), &wf(1)).len() as u64;
        assert_eq!(records, head - 9 * packed, "{point}");
        // Whatever was left is packed in the end.
        assert_eq!(journal.claim(9).await.unwrap().len(), 1);
        journal.append(other(wf(1), head)).await.unwrap();
        drop(journal);
        let journal = open(&dir);
        let expect = [history(head), vec![at(head + 1, Event::Resumed)]].concat();
        assert_eq!(all(&journal, wf(1)).await, Ok(expect), "{point}");
        // Two records for each answer and what follows it; the first and the last one.
        let records = places(dir.path(), &wf(1)).len() as u64;
        assert!(records <= 8, "{point}: {records} records");
    }
}

#[tokio::test]
async fn damaged_text_is_left_and_reported_where_it_is() {
    let store = store();
    store.journal.create(new(1)).await.unwrap();
    store.journal.append(more(wf(1), 1, 10)).await.unwrap();
    let connection = Connection::open(store.dir.path().join("journal.db")).unwrap();
    let changed = connection
        .execute(
            "UPDATE events SET body = replace(body, 'text 6', 'text 7') WHERE seq = 6",
            [],
        )
        .unwrap();
    assert_eq!(changed, 1);
    // It spares the writer.
    store.journal.append(other(wf(1), 11)).await.unwrap();
    let store = store.reopen();
    assert_eq!(places(store.dir.path(), &wf(1)), [1, 5, 6, 11, 12]);
    let before = store.journal.read(wf(1), Seq(0), 5).await.unwrap();
    assert_eq!(before.len(), 5);
    let error = store.journal.read(wf(1), Seq(0), 6).await.unwrap_err();
    assert!(error.message.contains("event 6"), "{}", error.message);
    assert_eq!(
        (error.class, error.code),
        (Class::Permanent, Code::JournalCorrupt)
    );
    assert_eq!(store.journal.read(wf(1), Seq(6), 9).await.unwrap().len(), 6);
    // The same within a pack.
    let sql = "UPDATE events SET body = replace(body, 'text 9', 'text 8') WHERE seq = 11";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    for after in 6..11 {
        let read = store.journal.read(wf(1), Seq(after), 1).await;
        assert_eq!(
            kind(read),
            (Class::Permanent, Code::JournalCorrupt),
            "after {after}"
        );
    }
    assert_eq!(store.journal.read(wf(1), Seq(11), 9).await.unwrap().len(), 1);
}

/// Its digest tells that it was not written as a record of another version.
#[tokio::test]
async fn a_pack_is_taken_for_nothing_else() {
    let store = store();
    store.journal.create(new(1)).await.unwrap();
    store.journal.append(more(wf(1), 1, 10)).await.unwrap();
    store.journal.append(other(wf(1), 11)).await.unwrap();
    let store = store.reopen();
    let connection = Connection::open(store.dir.path().join("journal.db")).unwrap();
    let packed = "UPDATE events SET v = ?1 WHERE seq = 11";
    for version in [1, 3] {
        assert_eq!(connection.execute(packed, [version]).unwrap(), 1);
        assert_eq!(
            kind(all(&store.journal, wf(1)).await),
            (Class::Permanent, Code::JournalCorrupt)
        );
    }
    assert_eq!(connection.execute(packed, [2]).unwrap(), 1);
    assert_eq!(all(&store.journal, wf(1)).await.unwrap().len(), 12);
}

/// Bytes for each workflow whose model wrote 2 000 tokens, in pieces of so many. Not
/// counted is what is free for the next one: where an answer was before it was packed.
async fn bytes_of_a_history(piece_tokens: usize) -> u64 {
    const WORKFLOWS: u64 = 6;
    const TOKENS: usize = 2_000;
    const TOKEN: &str = "word";
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&dir);
    let empty = journal.bytes().await.unwrap();
    for n in 0..WORKFLOWS {
        let definition = include_str!("../../../../config/workflows/feature_implementation.yaml");
        let graph = graph::parse(definition).unwrap();
        let (workflow, correlation) = (wf(n), CorrelationId::new(format!("req-{n}")));
        let task = Task {
            workflow_type: graph.name.clone(),
            query: "Add JWT authentication beside API keys".to_owned(),
            workspace: "/shop".to_owned(),
            choices: engine::artifact::Choices::default(),
            images: Vec::new(),
        };
        let ctx = Ctx {
            now_ms: 1_700_000_000_000,
            random: 0,
        };
        let events = engine::submit(workflow.clone(), correlation.clone(), task, graph, &ctx).unwrap();
        let number = |first: u64, events: Vec<Event>| -> Vec<Recorded> {
            let one = |(seq, event)| Recorded {
                seq: Seq(seq),
                at_ms: ctx.now_ms + seq * 67,
                event,
            };
            (first..).zip(events).map(one).collect()
        };
        let events = number(1, events);
        let mut head = events.len() as u64;
        let create = NewWorkflow {
            workflow: workflow.clone(),
            correlation,
            fingerprint: engine::blob::BlobId::of(b"request"),
            events,
            blobs: Vec::new(),
            status: Status::Running,
        };
        journal.create(create).await.unwrap();
        let piece = |number: usize| {
            Event::Streamed(Streamed {
                stage: StageId::new("code_generation"),
                attempt: 1,
                offset: (number * piece_tokens * TOKEN.len()) as u64,
                delta: TOKEN.repeat(piece_tokens),
                tokens: ((number + 1) * piece_tokens) as u64,
                total: None,
                origin: (number == 0).then(|| Origin {
                    model: "mistral:7b-instruct-v0.3-q4_K_M".to_owned(),
                    request: engine::blob::BlobId::of(b"asked"),
                }),
            })
        };
        let pieces: Vec<Event> = (0..TOKENS / piece_tokens).map(piece).collect();
        for events in pieces.chunks(10) {
            let append = Append {
                events: number(head + 1, events.to_vec()),
                durability: Durability::Process,
                ..more(workflow.clone(), head, 0)
            };
            head += events.len() as u64;
            journal.append(append).await.unwrap();
        }
        let append = Append {
            events: number(head + 1, vec![Event::Resumed]),
            ..more(workflow.clone(), head, 0)
        };
        journal.append(append).await.unwrap();
        assert_eq!(all(&journal, workflow).await.unwrap().len() as u64, head + 1);
    }
    drop(journal);
    (open(&dir).bytes().await.unwrap() - empty) / WORKFLOWS
}

#[tokio::test]
async fn a_history_of_2000_tokens_takes_at_most_40_kib() {
    for piece_tokens in [1, 2, 5] {
        let bytes = bytes_of_a_history(piece_tokens).await;
        eprintln!("{bytes} bytes in pieces of {piece_tokens}");
        assert!(bytes <= 40 * 1024, "{bytes} bytes in pieces of {piece_tokens}");
    }
}
