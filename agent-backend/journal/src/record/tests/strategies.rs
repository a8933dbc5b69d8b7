//! Any events.

use engine::{
    artifact::{
        Context, ContextItem, ContextRead, Decision, Failure, FileChange, FileSelection, Proposal,
        RetrievalMode, Selection,
    },
    blob::BlobId,
    event::{Ending, Event, GenerationTotal, Origin, Streamed},
    state::Outcome,
};
use proptest::prelude::*;
use shared::{
    error::{Class, Code},
    id::StageId,
};

use super::{added_samples, call_samples, leave_samples, recheck_samples, samples, tools::asked_samples};

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,12}", "\\PC{0,12}", any::<String>()]
}

fn stage_ids() -> impl Strategy<Value = StageId> {
    "[a-zA-Z0-9._:-]{1,20}".prop_map(StageId::new)
}

fn scores() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("not a number is not equal to itself", |score| !score.is_nan())
}

fn failures() -> impl Strategy<Value = Failure> {
    let classes = vec![Class::Transient, Class::Permanent, Class::Fatal, Class::User];
    let (classes, codes) = (prop::sample::select(classes), prop::sample::select(Code::ALL));
    (classes, codes, texts()).prop_map(|(class, code, message)| Failure { class, code, message })
}

fn changes() -> impl Strategy<Value = FileChange> {
    let blobs = || prop::option::of(any::<Vec<u8>>().prop_map(|bytes| BlobId::of(&bytes)));
    (texts(), blobs(), blobs(), any::<u32>(), any::<u32>()).prop_map(
        |(path, old, new, lines_added, lines_removed)| FileChange {
            path,
            old,
            new,
            lines_added,
            lines_removed,
        },
    )
}

fn reads() -> impl Strategy<Value = ContextRead> {
    let numbers = (
        any::<u32>(),
        any::<Option<u32>>(),
        any::<u64>(),
        any::<Option<u64>>(),
    );
    (texts(), texts(), numbers).prop_map(|(provider, model, (requested, loaded, sent_min, used))| {
        ContextRead {
            provider,
            model,
            requested,
            loaded,
            sent_min,
            used,
        }
    })
}

pub(super) fn events() -> impl Strategy<Value = Event> {
    let items = (
        texts(),
        any::<u32>(),
        any::<u32>(),
        prop::option::of(texts()),
        scores(),
        prop::collection::vec(texts(), 0..3),
    )
        .prop_map(
            |(path, start_line, end_line, symbol, score, found_by)| ContextItem {
                path,
                start_line,
                end_line,
                symbol,
                score,
                found_by,
            },
        );
    let totals = (any::<u64>(), any::<u64>(), any::<u64>(), any::<bool>()).prop_map(
        |(duration_ms, prompt_tokens, generated_tokens, cut)| GenerationTotal {
            duration_ms,
            prompt_tokens,
            generated_tokens,
            cut,
        },
    );
    let origins = (texts(), any::<Vec<u8>>()).prop_map(|(model, asked)| Origin {
        model,
        request: BlobId::of(&asked),
    });
    let selections = prop::collection::vec(
        (
            texts(),
            prop::option::of(prop::collection::vec(any::<u32>(), 0..3)),
        )
            .prop_map(|(path, hunks)| FileSelection {
                path,
                hunks,
                text: None,
            }),
        0..3,
    );
    prop_oneof![
        prop::sample::select(
            [
                samples(),
                added_samples(),
                call_samples(),
                recheck_samples(),
                leave_samples(),
                asked_samples()
            ]
            .concat()
        ),
        (
            stage_ids(),
            any::<u32>(),
            any::<u64>(),
            texts(),
            any::<u64>(),
            prop::option::of(totals),
            prop::option::of(origins),
        )
            .prop_map(|(stage, attempt, offset, delta, tokens, total, origin)| {
                Event::Streamed(Streamed {
                    stage,
                    attempt,
                    offset,
                    delta,
                    tokens,
                    total,
                    origin,
                })
            }),
        (prop::collection::vec(items, 0..3), any::<u64>()).prop_map(|(items, tokens)| {
            let packed = BlobId::of(&tokens.to_le_bytes());
            Event::ContextRetrieved(Context {
                mode: RetrievalMode::Hybrid,
                items,
                packed,
                tokens,
            })
        }),
        (
            texts(),
            prop::collection::vec(changes(), 0..3),
            prop::collection::vec(reads(), 0..3),
        )
            .prop_map(|(summary, files, reads)| {
                Event::Proposed(Proposal {
                    summary,
                    files,
                    reads,
                })
            }),
        (stage_ids(), any::<u32>(), failures(), any::<u64>()).prop_map(
            |(stage, attempt, failure, duration_ms)| {
                Event::StageFinished {
                    stage,
                    attempt,
                    ending: Ending::Failed(failure),
                    duration_ms,
                }
            }
        ),
        selections.prop_map(|files| Event::Decided(Decision::Accept(Selection::Files(files)))),
        texts().prop_map(|feedback| Event::Decided(Decision::Modify { feedback })),
        failures().prop_map(|failure| Event::Finished(Outcome::Failed(failure))),
    ]
}
