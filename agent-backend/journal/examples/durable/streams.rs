//! Many workflows whose models write at the same time: from a piece of text to
//! whoever follows the workflow, who gets it when it is written.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use journal::sqlite::Journal;
use tokio::{sync::broadcast, task::JoinSet};

use crate::run::Run;

/// Workflows that stream.
const STREAMS: u64 = 1_000;

/// Between two pieces of one stream: fifty tokens a second.
const EVERY: Duration = Duration::from_millis(100);

/// Pieces of each stream.
const PIECES: u64 = 80;

/// Tokens of a piece.
const TOKENS: u64 = 5;

pub struct Streams {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

pub async fn measure(journal: &Arc<Journal>) -> Streams {
    let mut begun = JoinSet::new();
    for number in 0..STREAMS {
        let journal = journal.clone();
        begun.spawn(async move { Run::begin(journal, &format!("stream-{number}"), "/w").await });
    }
    let runs = begun.join_all().await;
    let begin = Instant::now();
    let mut streams = JoinSet::new();
    let mut followers = JoinSet::new();
    for (number, mut run) in (0..).zip(runs) {
        let (tell, mut follow) = broadcast::channel::<Instant>(1_024);
        followers.spawn(async move {
            let mut late = Vec::new();
            while let Ok(made) = follow.recv().await {
                late.push(made.elapsed());
            }
            late
        });
        streams.spawn(async move {
            // Models do not write in step.
            let mut due = tokio::time::Instant::now() + EVERY * number / u32::try_from(STREAMS).unwrap();
            for _ in 0..PIECES {
                tokio::time::sleep_until(due).await;
                // From when it should have been: a late one makes the next late.
                let made = due.into_std();
                due += EVERY;
                run.piece(TOKENS).await;
                let _followed = tell.send(made);
            }
        });
    }
    streams.join_all().await;
    let seconds = begin.elapsed().as_secs_f64();
    let mut late: Vec<Duration> = followers.join_all().await.into_iter().flatten().collect();
    late.sort_unstable();
    let at = |percent: usize| late[(late.len() - 1) * percent / 100].as_secs_f64() * 1_000.0;
    Streams {
        per_second: late.len() as f64 / seconds,
        p50_ms: at(50),
        p99_ms: at(99),
    }
}
