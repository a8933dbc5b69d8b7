//! Files that were cut or changed. What is read is a part of what was written,
//! from its beginning, or a refusal with a code; never a panic, never a lie.

use std::{collections::HashMap, fs, path::Path};

use engine::{
    event::{Event, Recorded},
    ports::{
        Journal as _,
        journal::{Append, Durability},
    },
};
use journal::Options;
use proptest::{prelude::*, test_runner::TestRunner};
use shared::id::WorkflowId;

use crate::support::{all, at, filled, more, new, store, text, wf};

const DB: &str = "journal.db";
const LOG: &str = "journal.db-wal";
const HEAD: &str = "journal.head";
const WORKFLOWS: u64 = 3;
const EVENTS: u64 = 20;
/// Places at which a log is cut, one after the other.
const CUTS: usize = 128;

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

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Copies of a journal's files.
#[derive(Debug, Clone, Default)]
struct Files {
    db: Vec<u8>,
    log: Vec<u8>,
    head: Vec<u8>,
}

impl Files {
    fn of(dir: &Path) -> Self {
        let read = |name: &str| fs::read(dir.join(name)).unwrap_or_default();
        Self {
            db: read(DB),
            log: read(LOG),
            head: read(HEAD),
        }
    }

    /// As a killed process leaves them: all is in the log.
    fn killed() -> Self {
        let store = store();
        runtime().block_on(filled(&store, WORKFLOWS, EVENTS));
        Self::of(store.dir.path())
    }

    /// Of a journal that was closed: all is in the database.
    fn closed() -> Self {
        let store = store();
        runtime().block_on(filled(&store, WORKFLOWS, EVENTS));
        drop(store.journal);
        Self::of(store.dir.path())
    }

    /// The same of these histories, whose text is packed: each goes on after it.
    fn packed(histories: &HashMap<WorkflowId, Vec<Recorded>>) -> Self {
        let store = store();
        runtime().block_on(async {
            for n in 0..WORKFLOWS {
                store.journal.create(new(n)).await.unwrap();
                let append = Append {
                    events: histories[&wf(n)][1..].to_vec(),
                    ..more(wf(n), 1, 0)
                };
                store.journal.append(append).await.unwrap();
            }
        });
        drop(store.journal);
        Self::of(store.dir.path())
    }

    /// Without the witness of what was synced.
    fn without_head(self) -> Self {
        Self {
            head: Vec::new(),
            ..self
        }
    }

    fn cut_log(&self, at: usize) -> Self {
        Self {
            log: self.log[..at].to_vec(),
            ..self.clone()
        }
    }

    fn flip_log(&self, at: usize, bit: u8) -> Self {
        let mut files = self.clone();
        files.log[at] ^= 1 << bit;
        files
    }

    /// What is read from them: of each workflow how many events, or the code
    /// of the refusal.
    fn read(&self) -> Result<Vec<u64>, String> {
        self.read_as(&histories())
    }

    fn read_as(&self, histories: &HashMap<WorkflowId, Vec<Recorded>>) -> Result<Vec<u64>, String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [(DB, &self.db), (LOG, &self.log), (HEAD, &self.head)] {
            if !bytes.is_empty() {
                fs::write(dir.path().join(name), bytes).unwrap();
            }
        }
        let journal = Options::new(dir.path())
            .open()
            .map_err(|error| error.code().to_string())?;
        let mut lengths = Vec::new();
        for n in 0..WORKFLOWS {
            // An error is fine: it says with a code that this one is damaged.
            if let Ok(events) = runtime().block_on(all(&journal, wf(n))) {
                assert_eq!(events[..], histories[&wf(n)][..events.len()]);
                lengths.push(events.len() as u64);
            }
            let _ = runtime().block_on(journal.head(wf(n)));
        }
        Ok(lengths)
    }
}

/// The same cases each time.
fn cases(count: u32) -> TestRunner {
    let config = ProptestConfig {
        cases: count,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let algorithm = prop::test_runner::RngAlgorithm::ChaCha;
    TestRunner::new_with_rng(config, prop::test_runner::TestRng::deterministic_rng(algorithm))
}

#[test]
fn a_log_that_was_cut_gives_a_prefix() {
    let files = Files::killed().without_head();
    assert_eq!(files.read(), Ok(vec![EVENTS; 3]));
    cases(48)
        .run(&(0..files.log.len()), |cut| {
            let lengths = files.cut_log(cut).read().unwrap();
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
fn the_loss_of_what_was_synced_is_noticed() {
    let files = Files::killed();
    let lost = Err("E1103".to_owned());
    assert_eq!(files.read(), Ok(vec![EVENTS; 3]));
    let gone = Files {
        head: files.head.clone(),
        ..Files::default()
    };
    assert_eq!(gone.read(), lost);
    cases(32)
        .run(&(0..files.log.len(), 0..8u8), |(at, bit)| {
            // Everything in this log was synced, so that no part of it may go.
            prop_assert_eq!(files.cut_log(at).read(), lost.clone());
            prop_assert_eq!(files.flip_log(at, bit).read(), lost.clone());
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_loss_of_text_that_was_not_synced_is_no_damage() {
    let store = store();
    let synced = EVENTS - 5;
    runtime().block_on(filled(&store, WORKFLOWS, synced));
    let synced_bytes = Files::of(store.dir.path()).log.len();
    runtime().block_on(async {
        for after in synced..EVENTS {
            let append = Append {
                durability: Durability::Process,
                ..more(wf(0), after, 1)
            };
            store.journal.append(append).await.unwrap();
        }
    });
    let files = Files::of(store.dir.path());
    cases(24)
        .run(&(synced_bytes..files.log.len()), |cut| {
            let lengths = files.cut_log(cut).read().unwrap();
            prop_assert!((synced..=EVENTS).contains(&lengths[0]), "{:?}", lengths);
            prop_assert_eq!(&lengths[1..], &[synced; 2]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_damaged_witness_is_not_believed() {
    let files = Files::killed();
    let mut larger = files.head.clone();
    larger[18] = b'9';
    for head in [larger, b"nonsense".to_vec(), files.head[..10].to_vec()] {
        let files = Files {
            head,
            ..files.clone()
        };
        assert_eq!(files.read(), Ok(vec![EVENTS; 3]));
    }
}

#[test]
fn a_flipped_bit_in_the_log_is_never_read_as_text() {
    let files = Files::killed().without_head();
    cases(32)
        .run(&(0..files.log.len(), 0..8u8), |(at, bit)| {
            let _ = files.flip_log(at, bit).read();
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_flipped_bit_in_the_database_is_never_read_as_text() {
    let files = Files::closed();
    assert_eq!(files.read(), Ok(vec![EVENTS; 3]));
    cases(64)
        .run(&(0..files.db.len(), 0..8u8), |(at, bit)| {
            let mut files = files.clone();
            files.db[at] ^= 1 << bit;
            if let Ok(lengths) = files.read() {
                // Nothing acknowledged is silently shorter.
                prop_assert!(lengths.iter().all(|length| *length == EVENTS), "{:?}", lengths);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_database_that_was_cut_is_refused_or_read() {
    let files = Files::closed();
    cases(32)
        .run(&(0..files.db.len()), |cut| {
            let cut = Files {
                db: files.db[..cut].to_vec(),
                ..files.clone()
            };
            if let Ok(lengths) = cut.read() {
                prop_assert!(lengths.iter().all(|length| *length == EVENTS), "{:?}", lengths);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_flipped_bit_in_packed_text_is_never_read_as_text() {
    let mut histories = histories();
    for history in histories.values_mut() {
        history.push(at(EVENTS + 1, Event::Resumed));
    }
    let whole = Ok(vec![EVENTS + 1; 3]);
    let files = Files::packed(&histories);
    assert_eq!(files.read_as(&histories), whole);
    let text = b"text 2text 3";
    let packs: Vec<usize> = (0..files.db.len())
        .filter(|at| files.db[*at..].starts_with(text))
        .collect();
    assert_eq!(packs.len(), 3, "one for each workflow");
    let flipped = |at: usize, bit: u8| {
        let mut files = files.clone();
        files.db[at] ^= 1 << bit;
        files.read_as(&histories)
    };
    // Within the text of a pack: that workflow is damaged, the others are whole.
    for at in packs {
        for (byte, bit) in [(0, 0), (5, 1), (11, 7)] {
            assert_eq!(flipped(at + byte, bit), Ok(vec![EVENTS + 1; 2]));
        }
    }
    // Anywhere.
    cases(64)
        .run(&(0..files.db.len(), 0..8u8), |(at, bit)| {
            if let Ok(lengths) = flipped(at, bit) {
                prop_assert!(
                    lengths.iter().all(|length| *length == EVENTS + 1),
                    "{:?}",
                    lengths
                );
            }
            Ok(())
        })
        .unwrap();
}

/// Text that is packed is exchanged in a commit of its own, which nobody syncs.
#[test]
fn a_log_that_was_cut_while_text_was_packed_gives_a_prefix() {
    let history: Vec<Recorded> = new(0)
        .events
        .into_iter()
        .chain((2..=EVENTS).map(text))
        .chain([at(EVENTS + 1, Event::Resumed)])
        .collect();
    let whole = EVENTS + 1;
    let histories = HashMap::from([(wf(0), history.clone())]);
    let store = store();
    let unpacked = runtime().block_on(async {
        store.journal.create(new(0)).await.unwrap();
        for recorded in &history[1..] {
            let append = Append {
                events: vec![recorded.clone()],
                ..more(wf(0), recorded.seq.0 - 1, 0)
            };
            store.journal.append(append).await.unwrap();
        }
        // The writer comes to this one when it has packed, and refuses it.
        store.journal.append(more(wf(0), 1, 1)).await.unwrap_err();
        all(&store.journal, wf(0)).await.unwrap().len() as u64
    });
    assert_eq!(unpacked, whole);
    let files = Files::of(store.dir.path());
    let events = |files: &Files| {
        let lengths = files.read_as(&histories)?;
        Ok(lengths.first().copied().unwrap_or_default())
    };
    assert_eq!(events(&files), Ok(whole));
    // Only the exchange is lost: what was packed is there as it was.
    assert_eq!(events(&files.cut_log(files.log.len() - 1)), Ok(whole));
    cases(32)
        .run(&(0..files.log.len()), |cut| {
            // All but the exchange was synced, and its loss is noticed.
            let read = events(&files.cut_log(cut));
            prop_assert!(read == Ok(whole) || read == Err("E1103".to_owned()), "{:?}", read);
            Ok(())
        })
        .unwrap();
    let files = files.without_head();
    let cuts = (0..=CUTS).map(|number| number * files.log.len() / CUTS);
    let lengths: Vec<u64> = cuts.map(|cut| events(&files.cut_log(cut)).unwrap()).collect();
    // A history with a gap would not be read, and count for nothing.
    assert!(lengths.is_sorted(), "{lengths:?}");
    assert_eq!(lengths.last(), Some(&whole));
}
