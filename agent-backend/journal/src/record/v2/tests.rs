//! The text of version 2 is frozen: `fixtures/v2.jsonl` holds what `samples`
//! became when the version was made.

use engine::{
    blob::BlobId,
    event::{GenerationTotal, Origin, Streamed},
};
use proptest::prelude::*;
use serde::Deserialize;
use shared::id::WorkflowId;

use super::*;
use crate::{
    Error,
    record::{events, pack},
};

const FIXTURE: &str = include_str!("../fixtures/v2.jsonl");

#[derive(Deserialize)]
struct Line {
    seq: u64,
    at: u64,
    v: u32,
    sum: i64,
    e: String,
}

fn wf() -> WorkflowId {
    WorkflowId::new("wf")
}

fn rows() -> Vec<Row> {
    let row = |line: &str| {
        let Line { seq, at, v, sum, e } = serde_json::from_str(line).unwrap();
        Row {
            seq: Seq(seq),
            at_ms: at,
            version: v,
            digest: sum,
            body: e,
        }
    };
    FIXTURE.lines().map(row).collect()
}

fn text(stage: &str, attempt: u32, offset: u64, delta: &str, tokens: u64) -> Streamed {
    Streamed {
        stage: StageId::new(stage),
        attempt,
        offset,
        delta: delta.to_owned(),
        tokens,
        total: None,
        origin: None,
    }
}

fn lane(lane: &str, event: Event) -> Event {
    Event::Lane {
        lane: StageId::new(lane),
        event: Box::new(event),
    }
}

fn number(first: u64, events: Vec<(u64, Event)>) -> Vec<Recorded> {
    let one = |(seq, (at_ms, event))| Recorded {
        seq: Seq(seq),
        at_ms,
        event,
    };
    (first..).zip(events).map(one).collect()
}

fn samples() -> Vec<Vec<Recorded>> {
    let code = |offset, delta, tokens| text("code_generation", 1, offset, delta, tokens);
    let mut first = code(0, "def ", 2);
    first.origin = Some(Origin {
        model: "mistral:7b".to_owned(),
        request: BlobId::of(b"asked"),
    });
    let mut last = code(14, "", 7);
    last.total = Some(GenerationTotal {
        duration_ms: 152,
        prompt_tokens: 2500,
        generated_tokens: 7,
        cut: false,
    });
    let mut jumps = text("planning", 3, 99, "b", 40);
    jumps.total = Some(GenerationTotal {
        duration_ms: 1,
        prompt_tokens: 2,
        generated_tokens: 3,
        cut: true,
    });
    let left = |offset, delta, tokens| lane("left", Event::Streamed(code(offset, delta, tokens)));
    let right = |offset, delta, tokens| {
        let streamed = text("code_generation", 2, offset, delta, tokens);
        lane("right", lane("inner", Event::Streamed(streamed)))
    };
    let at = 1_700_000_000_000;
    vec![
        number(
            5,
            vec![
                (at, Event::Streamed(first)),
                (at + 50, Event::Streamed(code(4, "größe(", 4))),
                (at + 102, Event::Streamed(code(10, "🦀):\n", 7))),
                (at + 152, Event::Streamed(last)),
            ],
        ),
        number(
            101,
            vec![
                (1000, Event::Streamed(text("planning", 3, 12, "a", 41))),
                (2000, Event::Streamed(jumps)),
            ],
        ),
        number(
            11,
            vec![
                (1000, left(0, "aa", 1)),
                (1001, right(7, "XX", 5)),
                (1002, left(2, "bb", 2)),
                (1003, right(9, "YY", 10)),
            ],
        ),
    ]
}

#[test]
fn what_was_once_packed_is_still_read() {
    for (row, sample) in rows().iter().zip(samples()) {
        assert_eq!(events(&wf(), row), Ok(sample));
    }
    assert_eq!(rows().len(), samples().len());
}

#[test]
fn the_text_of_packed_events() {
    let packed: Vec<Row> = samples()
        .iter()
        .map(|sample| pack(&wf(), sample).unwrap())
        .collect();
    assert_eq!(packed, rows());
}

#[test]
fn only_text_is_packed() {
    let mut sample = samples().remove(0);
    sample[2].event = Event::Resumed;
    assert_eq!(pack(&wf(), &sample), None);
    assert_eq!(pack(&wf(), &[]), None);
}

#[test]
fn a_flipped_bit_in_a_pack_is_found() {
    let row = rows().remove(0);
    let check = |row: Row| {
        let expect = Error::Damaged {
            workflow: wf(),
            seq: row.seq,
            reason: "its digest does not fit".to_owned(),
        };
        assert_eq!(events(&wf(), &row), Err(expect));
    };
    for at in 0..row.body.len() {
        let mut bytes = row.body.clone().into_bytes();
        bytes[at] ^= 1;
        // What is no text any more is refused by the database.
        if let Ok(body) = String::from_utf8(bytes) {
            check(Row { body, ..row.clone() });
        }
    }
    check(Row {
        seq: Seq(9),
        ..row.clone()
    });
    check(Row {
        at_ms: 1,
        ..row.clone()
    });
    check(Row {
        version: 1,
        ..row.clone()
    });
    assert!(events(&WorkflowId::new("other"), &row).is_err());
}

/// Texts that were never written, with a digest that fits.
#[test]
fn what_is_no_pack_is_refused() {
    let row = rows().remove(0);
    let check = |from: &str, to: &str, part: &str| {
        let body = row.body.replace(from, to);
        assert_ne!(body, row.body);
        match decode(&Row { body, ..row.clone() }) {
            Err(Unreadable::Damaged(reason)) => assert!(reason.contains(part), "{to}: {reason}"),
            other => panic!("{to}: {other:?}"),
        }
    };
    check(r#""k":"text""#, r#""k":"song""#, "song");
    check(r#""att":1"#, r#""att":1,"more":1"#, "unknown field `more`");
    check(r#""tok":[2,2,3,0]"#, r#""tok":[2,2,3]"#, "not of one length");
    check(
        r#""len":[4,6,4,0]"#,
        r#""len":[4,6,4,0,0,0,0,0,0]"#,
        "not of one length",
    );
    check(r#""len":[4,6,4,0]"#, r#""len":[4,6,5,0]"#, "too little text");
    check(r#""len":[4,6,4,0]"#, r#""len":[4,6,3,0]"#, "more than");
    check(
        r#""at":[1700000000000,50"#,
        r#""at":[1700000000000,51"#,
        "its last event",
    );
    check(r#""at":["#, r#""w":[0,0,0,1],"at":["#, "no writer");
    check(r#""by":[[0,"#, r#""by":[[4,"#, "more than");
    check(r#"code_generation"#, "../x", "cannot be used as an id");
    let nothing = r#"{"k":"text","of":[],"at":[],"tok":[],"len":[],"t":""}"#;
    let early = Row {
        seq: Seq(3),
        ..row.clone()
    };
    let empty = Row {
        body: nothing.to_owned(),
        ..row.clone()
    };
    for row in [early, empty] {
        assert_eq!(
            decode(&row),
            Err(Unreadable::Damaged(
                "a pack begins before its workflow, or holds nothing".to_owned()
            ))
        );
    }
}

fn pieces() -> impl Strategy<Value = Event> {
    let texts = || prop_oneof!["[a-z\\n\"]{0,12}", "\\PC{0,12}", any::<String>()];
    let totals = (any::<u64>(), any::<u64>(), any::<u64>(), any::<bool>()).prop_map(
        |(duration_ms, prompt_tokens, generated_tokens, cut)| GenerationTotal {
            duration_ms,
            prompt_tokens,
            generated_tokens,
            cut,
        },
    );
    let origins = (texts(), any::<u64>()).prop_map(|(model, asked)| Origin {
        model,
        request: BlobId::of(&asked.to_le_bytes()),
    });
    let numbers = || prop_oneof![0..3_u64, any::<u64>()];
    let streamed = (
        "[ab]",
        0..3_u32,
        numbers(),
        texts(),
        numbers(),
        prop::option::of(totals),
        prop::option::of(origins),
    )
        .prop_map(|(stage, attempt, offset, delta, tokens, total, origin)| {
            Event::Streamed(Streamed {
                total,
                origin,
                ..text(&stage, attempt, offset, &delta, tokens)
            })
        });
    (streamed, prop::collection::vec("[lm]", 0..3))
        .prop_map(|(streamed, lanes)| lanes.iter().fold(streamed, |event, name| lane(name, event)))
}

proptest! {
    #[test]
    fn any_pieces_read_back_as_they_were_packed(
        pieces in prop::collection::vec((any::<u64>(), pieces()), 1..40),
        first in 1..1_000_000_u64,
    ) {
        let sample = number(first, pieces);
        let row = pack(&wf(), &sample).unwrap();
        prop_assert_eq!(events(&wf(), &row), Ok(sample));
    }

    #[test]
    fn no_text_makes_the_reader_panic(seq in any::<u64>(), at_ms in any::<u64>(), body in any::<String>()) {
        let _ = decode(&Row { seq: Seq(seq), at_ms, version: 2, digest: 0, body });
    }

    #[test]
    fn no_numbers_make_the_reader_panic(
        seq in any::<u64>(),
        numbers in prop::collection::vec((any::<i64>(), any::<i64>(), 0..5_usize), 0..5),
        offsets in prop::collection::vec((0..5_usize, any::<u64>()), 0..3),
        whose in prop::collection::vec(any::<usize>(), 0..5),
        text in any::<String>(),
    ) {
        let body = serde_json::json!({
            "k": "text",
            "of": [{ "st": "a", "att": 1 }],
            "w": whose,
            "at": numbers.iter().map(|(time, _, _)| time).collect::<Vec<_>>(),
            "tok": numbers.iter().map(|(_, tokens, _)| tokens).collect::<Vec<_>>(),
            "len": numbers.iter().map(|(_, _, length)| length).collect::<Vec<_>>(),
            "off": offsets,
            "t": text,
        });
        let _ = decode(&Row { seq: Seq(seq), at_ms: 0, version: 2, digest: 0, body: body.to_string() });
    }

    #[test]
    fn no_cut_of_a_pack_is_read(at in any::<prop::sample::Index>(), line in 0..3_usize) {
        let row = rows().remove(line);
        let cut = at.index(row.body.len());
        if row.body.is_char_boundary(cut) {
            let cut = Row { body: row.body[..cut].to_owned(), ..row };
            prop_assert!(decode(&cut).is_err());
        }
    }
}
