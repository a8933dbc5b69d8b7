//! How records begin, which is how they are found in the database.

use engine::{blob::BlobId, event::Event};
use shared::id::StageId;

use super::{
    super::{CONTINUED_GLOB, TEXT_STARTS},
    samples, text,
};

#[test]
fn the_beginnings_of_text_are_known() {
    let begins = |event: &Event| TEXT_STARTS.map(|start| text(event).starts_with(start));
    let streamed = samples().remove(2);
    assert_eq!(begins(&streamed), [true, false]);
    let lane = StageId::new("l");
    let event = Box::new(streamed);
    assert_eq!(begins(&Event::Lane { lane, event }), [false, true]);
}

#[test]
fn the_beginning_of_a_continued_event_is_known() {
    let history = BlobId::of(b"history");
    let beginning = CONTINUED_GLOB.trim_end_matches('*');
    assert!(text(&Event::Continued { history }).starts_with(beginning));
}
