//! An answer as JSON.

use retrieval::{
    Item, Reranking, Retrieved,
    explain::{Component, Explanation},
};
use serde_json::{Value, json};

pub(super) fn answer(found: &Retrieved) -> Value {
    let notices = found.notices.iter();
    let times = found.times.iter();
    let reranking = match found.reranking {
        Reranking::Off => json!({ "state": "off" }),
        Reranking::NoModel => json!({ "state": "no_model" }),
        Reranking::Done { reranked, candidates } => {
            json!({ "state": "done", "reranked": reranked, "candidates": candidates })
        }
    };
    json!({
        "mode": found.mode.as_str(),
        "notices": notices.map(|notice| json!({ "code": notice.code.as_str(), "message": notice.message })).collect::<Vec<_>>(),
        "items": found.ranked.iter().map(item).collect::<Vec<_>>(),
        "files": found.files,
        "packed": { "text": found.packed, "tokens": found.tokens },
        "reranking": reranking,
        "times_us": times.map(|time| (time.stage.as_str().to_owned(), json!(time.us))).collect::<serde_json::Map<_, _>>(),
    })
}

fn item(item: &Item) -> Value {
    json!({
        "path": item.path, "start_line": item.start_line, "end_line": item.end_line,
        "symbol": item.symbol, "score": item.score, "text": item.text,
        "explanation": item.explanation.as_deref().map(explanation),
    })
}

fn explanation(why: &Explanation) -> Value {
    let duplicates = why.duplicates.iter().map(|duplicate| {
        json!({
            "path": duplicate.path, "start_line": duplicate.start_line,
            "likeness": duplicate.likeness, "by": duplicate.by.as_str(),
        })
    });
    json!({
        "file": {
            "rank": why.file_rank, "score": why.file_score,
            "class": why.class.as_str(), "class_weight": why.class_weight,
            "signals": why.signals.iter().map(component).collect::<Vec<_>>(),
        },
        "part": {
            "rank": why.part_rank, "score": why.part_score,
            "signals": why.part.iter().map(component).collect::<Vec<_>>(),
        },
        "rerank": why.rerank.map(|rerank| json!({ "score": rerank.score, "rank": rerank.rank })),
        "duplicates": duplicates.collect::<Vec<_>>(),
    })
}

fn component(component: &Component) -> Value {
    json!({
        "name": component.name, "value": component.value,
        "rank": component.rank, "weight": component.weight,
    })
}
