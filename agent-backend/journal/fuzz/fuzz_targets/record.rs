//! Any text as a record: it is an event, or it is refused. What is read is
//! written again as a text that is read as the same event.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(event) = journal::history::decode_event(text) {
        let again = journal::history::encode_event(&event).expect("what was read can be written");
        // Not every number is equal to itself.
        if event == event.clone() {
            assert_eq!(journal::history::decode_event(&again), Ok(event));
        }
    }
});
