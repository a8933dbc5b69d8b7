//! What was measured of a repository, as a table and as JSON.

use std::time::Duration;

use retrieval::{Stage, StageTime};
use serde_json::{Value, json};

use crate::score::{self, Values};

/// What was measured of a repository.
pub struct Row {
    pub name: String,
    pub files: usize,
    pub bytes: u64,
    pub parts: usize,
    pub commits: usize,
    /// Of each query.
    pub scores: Vec<Values>,
    pub index_wall: Duration,
    pub index_cpu: Duration,
    /// By which the process grew.
    pub index_memory: u64,
    pub embed_wall: Duration,
    pub vectors: usize,
    pub vector_bytes: usize,
    /// Of each query.
    pub query: Vec<Duration>,
    pub stages: Vec<Vec<StageTime>>,
    /// Pairs that were reranked, of each query.
    pub reranked: Vec<usize>,
}

impl Row {
    pub fn json(&self) -> Value {
        let [ndcg, mrr, r5, r10, r50, packed] = score::mean(&self.scores);
        json!({
            "repository": self.name, "files": self.files, "bytes": self.bytes, "parts": self.parts, "commits": self.commits,
            "ndcg_10": ndcg, "mrr_10": mrr, "recall_5": r5, "recall_10": r10, "recall_50": r50, "packed": packed,
            "index_wall_ms": ms(self.index_wall), "index_cpu_ms": ms(self.index_cpu), "index_memory_bytes": self.index_memory,
            "embed_wall_ms": ms(self.embed_wall), "vectors": self.vectors, "vector_bytes": self.vector_bytes,
            "query_p50_ms": ms(percentile(&self.query, 50)), "query_p99_ms": ms(percentile(&self.query, 99)),
            "rank_p50_ms": ms(percentile(&self.stage(Stage::Rank), 50)),
            "rank_p99_ms": ms(percentile(&self.stage(Stage::Rank), 99)),
            "reranked": self.mean_reranked(), "queries": self.scores,
        })
    }

    fn stage(&self, wanted: Stage) -> Vec<Duration> {
        let of_query = |times: &Vec<StageTime>| {
            let us = times
                .iter()
                .filter(|time| time.stage == wanted)
                .map(|time| time.us);
            Duration::from_micros(us.sum())
        };
        self.stages.iter().map(of_query).collect()
    }

    fn mean_reranked(&self) -> f64 {
        score::number(self.reranked.iter().sum()) / score::number(self.reranked.len().max(1))
    }
}

pub fn table(rows: &[Row]) {
    println!(
        "| repository | files | nDCG@10 | MRR@10 | recall@5 | recall@10 | recall@50 | packed | index CPU ms | wall ms | memory MB | vectors | rank p50 ms | p99 ms | query p50 ms | p99 ms |"
    );
    println!("|{}", "---|".repeat(16));
    for row in rows {
        let rank = row.stage(Stage::Rank);
        println!(
            "| {} | {} | {} | {:.0} | {:.0} | {:.0} | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
            row.name.replace('+', "/"),
            row.files,
            numbers(&score::mean(&row.scores)),
            ms(row.index_cpu),
            ms(row.index_wall),
            megabytes(row.index_memory),
            row.vectors,
            ms(percentile(&rank, 50)),
            ms(percentile(&rank, 99)),
            ms(percentile(&row.query, 50)),
            ms(percentile(&row.query, 99)),
        );
    }
    let means: Vec<Values> = rows.iter().map(|row| score::mean(&row.scores)).collect();
    println!(
        "| **mean** | | {} | | | | | | | | |",
        numbers(&score::mean(&means))
    );
    let reranked: f64 = rows.iter().map(Row::mean_reranked).sum();
    if reranked > 0.0 {
        println!(
            "\nreranked: {:.1} pairs of a question",
            reranked / score::number(rows.len())
        );
    }
}

fn numbers(means: &[f64]) -> String {
    let texts: Vec<String> = means.iter().map(|mean| format!("{mean:.3}")).collect();
    texts.join(" | ")
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn megabytes(bytes: u64) -> f64 {
    Duration::from_micros(bytes).as_secs_f64()
}

fn percentile(samples: &[Duration], percent: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort();
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}
