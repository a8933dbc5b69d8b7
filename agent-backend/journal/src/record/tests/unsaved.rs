//! An intent that names what an editor showed and had not saved.

use engine::{
    artifact::{ApplyIntent, Unsaved},
    blob::BlobId,
    event::Event,
};

use super::{change, decode_body, text};

const FIXTURE: &str = include_str!("../fixtures/v1-unsaved.jsonl");

#[test]
fn what_was_not_saved_is_written_and_still_read() {
    let unsaved = |path: &str, disk: Option<&[u8]>| Unsaved {
        path: path.to_owned(),
        disk: disk.map(BlobId::of),
    };
    let intended = Event::ApplyIntended(ApplyIntent {
        commit: None,
        files: vec![change()],
        unsaved: vec![unsaved("src/sum.py", Some(b"disk")), unsaved("src/new.py", None)],
    });
    assert_eq!(text(&intended), FIXTURE.trim_end());
    assert_eq!(decode_body(1, FIXTURE).unwrap(), intended);
}
