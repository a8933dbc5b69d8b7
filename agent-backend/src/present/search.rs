//! An answer of the search as it is told on the wire.

use retrieval::{
    Item, Reranking, Retrieved,
    explain::{Component, Explanation},
};
use shared::wire::{
    SearchAnswer, SearchDuplicate, SearchExplanation, SearchFileReasons, SearchIndex, SearchItem,
    SearchNotice, SearchPacked, SearchPartReasons, SearchReranked, SearchReranking, SearchSignal,
};

/// The answer as JSON has it.
pub fn search(found: Retrieved, index: SearchIndex) -> SearchAnswer {
    let notices = found.notices.into_iter().map(|notice| SearchNotice {
        code: notice.code.as_str().to_owned(),
        message: notice.message,
    });
    let times = found.times.iter();
    SearchAnswer {
        index,
        mode: found.mode.as_str().to_owned(),
        notices: notices.collect(),
        items: found.ranked.into_iter().map(item).collect(),
        files: found.files,
        packed: SearchPacked {
            text: found.packed,
            tokens: found.tokens,
        },
        reranking: match found.reranking {
            Reranking::Off => SearchReranking::Off,
            Reranking::NoModel => SearchReranking::NoModel,
            Reranking::Done { reranked, candidates } => SearchReranking::Done { reranked, candidates },
        },
        times_us: times
            .map(|time| (time.stage.as_str().to_owned(), time.us))
            .collect(),
    }
}

fn item(item: Item) -> SearchItem {
    SearchItem {
        path: item.path,
        start_line: item.start_line,
        end_line: item.end_line,
        symbol: item.symbol,
        score: item.score,
        text: item.text,
        explanation: item.explanation.map(|why| explanation(*why)),
    }
}

fn explanation(why: Explanation) -> SearchExplanation {
    let duplicates = why.duplicates.into_iter().map(|duplicate| SearchDuplicate {
        path: duplicate.path,
        start_line: duplicate.start_line,
        likeness: duplicate.likeness,
        by: duplicate.by.as_str().to_owned(),
    });
    SearchExplanation {
        file: SearchFileReasons {
            rank: why.file_rank,
            score: why.file_score,
            class: why.class.as_str().to_owned(),
            class_weight: why.class_weight,
            signals: why.signals.iter().map(signal).collect(),
        },
        part: SearchPartReasons {
            rank: why.part_rank,
            score: why.part_score,
            signals: why.part.iter().map(signal).collect(),
        },
        rerank: why.rerank.map(|rerank| SearchReranked {
            score: rerank.score,
            rank: rerank.rank,
        }),
        duplicates: duplicates.collect(),
    }
}

fn signal(component: &Component) -> SearchSignal {
    SearchSignal {
        name: component.name.to_owned(),
        value: component.value,
        rank: component.rank,
        weight: component.weight,
    }
}
