//! Any bytes as the input of a client: the lines are the same however the bytes
//! come, each is a message or is refused with a JSON-RPC error for nobody, and
//! what was read as a message is written as one that is read the same.

#![no_main]

// The decoder alone: it knows nothing of the backend, and builds in a minute.
#[allow(dead_code)]
#[path = "../../src/edge/acp/transport/frame.rs"]
mod frame;

use frame::{Frame, Line, Lines, decode};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Lines::default();
    let mut lines = whole.take(bytes);
    lines.extend(whole.rest());

    // The first byte says how long the pieces are.
    let length = bytes.first().map_or(1, |byte| usize::from(*byte) + 1);
    let mut cut = Lines::default();
    let mut again: Vec<Line> = bytes.chunks(length).flat_map(|piece| cut.take(piece)).collect();
    again.extend(cut.rest());
    assert_eq!(lines, again);

    for line in &lines {
        match line.decode() {
            Frame::Message(message) => {
                let text = serde_json::to_vec(&message).expect("what was read can be written");
                assert_eq!(decode(&text), Frame::Message(message));
            }
            Frame::Refused(answer) => {
                let answer: Value = serde_json::from_str(&answer).expect("a refusal is JSON");
                assert_eq!(answer["id"], Value::Null);
                assert!(answer["error"]["code"].is_i64());
            }
            Frame::Nothing => {}
        }
    }
});
