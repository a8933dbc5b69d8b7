//! Intents that name more of a file than its contents.

use engine::{
    artifact::{ApplyIntent, Restored, Unsaved},
    blob::BlobId,
    event::Event,
};

use super::{change, decode_body, text};

const UNSAVED: &str = include_str!("../fixtures/v1-unsaved.jsonl");
const RESTORED: &str = include_str!("../fixtures/v1-restored.jsonl");

fn check(intent: ApplyIntent, fixture: &str) {
    let intended = Event::ApplyIntended(intent);
    assert_eq!(text(&intended), fixture.trim_end());
    assert_eq!(decode_body(1, fixture).unwrap(), intended);
}

#[test]
fn what_was_not_saved_is_written_and_still_read() {
    let unsaved = |path: &str, disk: Option<&[u8]>| Unsaved {
        path: path.to_owned(),
        disk: disk.map(BlobId::of),
    };
    let intent = ApplyIntent {
        commit: None,
        files: vec![change()],
        unsaved: vec![unsaved("src/sum.py", Some(b"disk")), unsaved("src/new.py", None)],
        restored: Vec::new(),
    };
    check(intent, UNSAVED);
}

#[test]
fn the_modes_of_what_comes_back_are_written_and_still_read() {
    let restored = |path: &str, executable: bool| Restored {
        path: path.to_owned(),
        executable,
    };
    let intent = ApplyIntent {
        commit: None,
        files: vec![change()],
        unsaved: Vec::new(),
        restored: vec![restored("run.sh", true), restored("src/sum.py", false)],
    };
    check(intent, RESTORED);
}
