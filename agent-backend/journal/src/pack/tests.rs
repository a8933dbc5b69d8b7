use engine::event::{Event, Streamed};
use proptest::prelude::*;
use shared::id::StageId;

use super::*;
use crate::page::Page;

/// Records with the epochs of their writers.
type Records = Vec<(Row, u64)>;

fn wf() -> WorkflowId {
    WorkflowId::new("wf")
}

fn text(seq: u64, stage: &str, delta: &str) -> Event {
    Event::Streamed(Streamed {
        stage: StageId::new(stage),
        attempt: 1,
        offset: seq * 4,
        delta: delta.to_owned(),
        tokens: seq,
        total: None,
        origin: None,
    })
}

fn number(events: impl IntoIterator<Item = Event>) -> Vec<Recorded> {
    let one = |(seq, event)| Recorded {
        seq: Seq(seq),
        at_ms: 1_000 + seq * 7,
        event,
    };
    (1..).zip(events).map(one).collect()
}

fn unpacked(events: &[Recorded]) -> Records {
    let row = |recorded| (record::encode(&wf(), recorded).unwrap(), 1);
    events.iter().map(row).collect()
}

/// Packs all there is, commit by commit; the places of the records and up to
/// where it is settled.
fn pack_all(records: &mut Records) -> Seq {
    let mut settled = Seq(0);
    loop {
        let workflow = wf();
        let mut packer = Packer::new(&workflow, settled);
        for (row, epoch) in records.iter().filter(|(row, _)| row.seq > settled) {
            if packer.is_full() {
                break;
            }
            packer.take(row, *epoch);
        }
        let plan = packer.plan();
        for pack in plan.packs {
            let of = |row: &Row| (pack.first..=pack.row.seq).contains(&row.seq);
            let at = records.iter().position(|(row, _)| of(row)).unwrap();
            let count = records.iter().filter(|(row, _)| of(row)).count();
            assert_eq!(count as u64, pack.count());
            records.splice(at..at + count, [(pack.row, pack.epoch)]);
        }
        if plan.more {
            assert!(plan.settled > settled, "no progress at {settled}");
        } else {
            return plan.settled;
        }
        settled = plan.settled;
    }
}

fn read(records: &Records, after: u64, limit: usize) -> Result<Vec<Recorded>, crate::Error> {
    let workflow = wf();
    let head = records.last().map_or(Seq(0), |(row, _)| row.seq);
    let mut page = Page::new(&workflow, Seq(after), head, limit);
    for (row, _) in records.iter().filter(|(row, _)| row.seq.0 > after).take(limit) {
        page.take(row)?;
    }
    page.end()
}

/// Packs the events and says at which places there are records then.
fn check(events: impl IntoIterator<Item = Event>, places: &[u64]) {
    let events = number(events);
    let mut records = unpacked(&events);
    pack_all(&mut records);
    let got: Vec<u64> = records.iter().map(|(row, _)| row.seq.0).collect();
    assert_eq!(got, places);
    assert_eq!(read(&records, 0, usize::MAX), Ok(events));
}

#[test]
fn text_is_packed_where_something_has_followed_it() {
    let piece = || text(1, "a", "some text");
    let other = || Event::Resumed;
    check([], &[]);
    check([other(), piece(), piece(), other()], &[1, 3, 4]);
    // Nothing has followed the last ones.
    check([piece(), piece(), other(), piece(), piece()], &[2, 3, 4, 5]);
    check([piece(), piece(), piece()], &[1, 2, 3]);
    // One alone stays as it is.
    check([other(), piece(), other(), piece(), other()], &[1, 2, 3, 4, 5]);
    check(
        [piece(), piece(), other(), other(), piece(), piece(), other()],
        &[2, 3, 4, 6, 7],
    );
}

#[test]
fn a_pack_is_bounded() {
    let piece = || text(1, "a", "some text");
    let full = PACK_EVENTS_MAX as u64;
    // What is full is packed though nothing has followed.
    let many = (0..full + 3).map(|_| piece());
    check(many, &[full, full + 1, full + 2, full + 3]);
    let many = (0..2 * full + 3).map(|_| piece()).chain([Event::Resumed]);
    check(many, &[full, 2 * full, 2 * full + 3, 2 * full + 4]);
    let large = |bytes: usize| text(1, "a", &"x".repeat(bytes));
    let half = PACK_BYTES_MAX / 2;
    check(
        [large(half), large(half), large(half), Event::Resumed],
        &[1, 2, 3, 4],
    );
    check([large(half), piece(), large(half), Event::Resumed], &[2, 3, 4]);
    // Too large for any.
    let whole = PACK_BYTES_MAX;
    check(
        [piece(), piece(), large(whole), piece(), piece(), Event::Resumed],
        &[2, 3, 5, 6],
    );
    // Many that are too large: each commit gets on.
    let large = (0..12)
        .map(|_| large(PACK_ROUND_BYTES / 8))
        .chain([Event::Resumed]);
    check(large, &(1..=13).collect::<Vec<_>>());
}

#[test]
fn each_event_keeps_the_epoch_of_its_writer() {
    let events = number((0..6).map(|_| text(1, "a", "text")).chain([Event::Resumed]));
    let mut records = unpacked(&events);
    records[4..].iter_mut().for_each(|(_, epoch)| *epoch = 2);
    pack_all(&mut records);
    let got: Vec<(u64, u64)> = records.iter().map(|(row, epoch)| (row.seq.0, *epoch)).collect();
    assert_eq!(got, [(4, 1), (6, 2), (7, 2)]);
    assert_eq!(read(&records, 0, usize::MAX), Ok(events));
}

#[test]
fn what_is_damaged_or_not_as_it_would_be_written_stays_as_it_is() {
    let events = number((0..7).map(|_| text(1, "a", "text")).chain([Event::Resumed]));
    let check = |change: &dyn Fn(&mut Row), places: &[u64]| {
        let mut records = unpacked(&events);
        change(&mut records[3].0);
        let changed = records[3].clone();
        pack_all(&mut records);
        let got: Vec<u64> = records.iter().map(|(row, _)| row.seq.0).collect();
        assert_eq!(got, places);
        assert!(records.contains(&changed));
    };
    check(&|row| row.digest ^= 1, &[3, 4, 7, 8]);
    check(&|row| row.version = 3, &[3, 4, 7, 8]);
    check(&|row| row.body.push('}'), &[3, 4, 7, 8]);
    check(&|row| row.at_ms += 1, &[3, 4, 7, 8]);
}

fn events() -> impl Strategy<Value = Event> {
    let lane = |event| Event::Lane {
        lane: StageId::new("l"),
        event: Box::new(event),
    };
    prop_oneof![
        6 => (0..5_u64, "[ab]", "\\PC{0,6}").prop_map(|(seq, stage, delta)| text(seq, &stage, &delta)),
        3 => (0..5_u64, "[ab]", "[a-z]{0,6}").prop_map(move |(seq, stage, delta)| lane(text(seq, &stage, &delta))),
        1 => (1..9_u32).prop_map(|iteration| Event::IterationStarted { iteration }),
        1 => Just(lane(Event::Resumed)),
    ]
}

proptest! {
    /// From any place and for any number of events.
    #[test]
    fn a_packed_history_reads_as_before(
        events in prop::collection::vec(events(), 1..60),
        epochs in prop::collection::vec(1..3_u64, 60),
        pages in prop::collection::vec((0..70_u64, 0..70_usize), 8),
    ) {
        let events = number(events);
        let mut before = unpacked(&events);
        before.iter_mut().zip(epochs).for_each(|((_, epoch), it)| *epoch = it);
        let mut records = before.clone();
        let settled = pack_all(&mut records);
        for (after, limit) in pages {
            prop_assert_eq!(read(&records, after, limit), read(&before, after, limit));
        }
        // Each event has the epoch that it had.
        let mut epochs = Vec::new();
        for (row, epoch) in &records {
            epochs.extend(record::events(&wf(), row).unwrap().iter().map(|_| *epoch));
        }
        prop_assert_eq!(epochs, before.iter().map(|(_, epoch)| *epoch).collect::<Vec<_>>());
        // Done again it changes nothing.
        let once = records.clone();
        prop_assert_eq!(pack_all(&mut records), settled);
        prop_assert_eq!(records, once);
    }

    /// A record that is missing, or there twice, is never read over.
    #[test]
    fn a_gap_between_packs_is_found(
        events in prop::collection::vec(events(), 2..40),
        at in any::<prop::sample::Index>(),
    ) {
        let mut records = unpacked(&number(events));
        pack_all(&mut records);
        let mut twice = records.clone();
        let at = at.index(records.len());
        twice.insert(at, records[at].clone());
        prop_assert!(read(&twice, 0, usize::MAX).is_err());
        if at + 1 < records.len() {
            records.remove(at);
            prop_assert!(read(&records, 0, usize::MAX).is_err());
        }
    }
}
