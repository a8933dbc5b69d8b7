//! kill -9. The child is this test binary again, running only [`child`].

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use engine::ports::{
    Journal as _,
    journal::{Append, Durability},
};
use journal::Options;
use tokio::task::JoinSet;

use crate::support::{all, more, new, text, wf};

const DIR: &str = "JOURNAL_CRASH_DIR";
const WORKFLOWS: u64 = 4;

/// Appends until it is killed, and says what was acknowledged. Does nothing
/// when it runs as one of the tests.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let journal = Arc::new(Options::new(dir).open().unwrap());
        let mut writers = JoinSet::new();
        for n in 0..WORKFLOWS {
            let journal = Arc::clone(&journal);
            writers.spawn(async move {
                journal.create(new(n)).await.unwrap();
                let mut head = journal.head(wf(n)).await.unwrap().unwrap().head.0;
                loop {
                    // One write, so that lines of different writers do not mix.
                    std::io::stdout()
                        .write_all(format!("\nack {n} {head}\n").as_bytes())
                        .unwrap();
                    // Mostly text of a stream, which nobody syncs.
                    let durability = if head % 5 == 0 {
                        Durability::Synced
                    } else {
                        Durability::Process
                    };
                    journal
                        .append(Append {
                            durability,
                            ..more(wf(n), head, 2)
                        })
                        .await
                        .unwrap();
                    head += 2;
                }
            });
        }
        writers.join_all().await;
    });
}

/// Runs the child in `dir` until it has acknowledged `acks` times, kills it,
/// and returns the last acknowledged event of each workflow.
fn run_and_kill(dir: &Path, acks: usize) -> HashMap<u64, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heads = HashMap::new();
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let mut words = line.split(' ');
        // The last line may be cut off; then it acknowledges nothing.
        let (Some("ack"), Some(n), Some(head), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (Ok(n), Ok(head)) = (n.parse(), head.parse()) else {
            continue;
        };
        heads.insert(n, head);
        seen += 1;
        if seen == acks {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(
        seen >= acks,
        "the child ended by itself after {seen} acknowledgements"
    );
    heads
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    // Each child goes on where the last one was killed.
    for acks in [1, 4, 25, 60, 150] {
        let acknowledged = run_and_kill(dir.path(), acks);
        let journal = Options::new(dir.path()).open().unwrap();
        for (n, head) in acknowledged {
            let events = all(&journal, wf(n)).await.unwrap();
            let last = events.len() as u64;
            assert!(
                last >= head,
                "workflow {n} ends at {last}, {head} was acknowledged"
            );
            let expect: Vec<_> = new(n).events.into_iter().chain((2..=last).map(text)).collect();
            assert_eq!(events, expect);
            assert_eq!(journal.head(wf(n)).await.unwrap().unwrap().head.0, last);
        }
    }
}
