//! What every journal does, run on each of them.

use engine::{
    artifact::{Image, ImageFormat},
    blob::{Blob, BlobId},
    event::Event,
    ports::{
        Journal, Sessions as _,
        journal::{Append, Claimed, Created, Head, ListQuery, NewWorkflow, Release, Status},
        sessions::{Entry, Session, SessionChange, SessionQuery},
    },
};
use shared::{
    error::{Class, Code},
    id::{CorrelationId, Seq, SessionId, StageId},
};

use crate::support::{Store, all, at, kind, more, new, text, wf, with_status};

macro_rules! on_every_journal {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test] async fn $test() { super::$test(&crate::support::Memory::default()).await; })*
        }
        mod sqlite {
            $(#[tokio::test] async fn $test() { super::$test(&crate::support::Directory::default()).await; })*
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test] async fn $test() {
                if let Some(store) = crate::support::Database::new() {
                    super::$test(&store).await;
                }
            })*
        }
    };
}

on_every_journal! {
    a_workflow_begins_once
    a_correlation_id_is_found
    a_workflow_must_begin_with_itself
    events_are_read_in_order
    text_reads_the_same_when_it_is_over
    a_stale_append_writes_nothing
    a_gap_is_refused
    heads_follow_the_events
    lists_are_newest_first
    blobs_are_kept_once
    a_request_begins_with_what_it_names
    a_workflow_begins_with_its_status
    the_last_shorter_history_is_found
    what_is_not_there
    there_is_room
    what_is_finished_is_deleted_with_what_only_it_named
    what_is_finished_is_listed_by_age
    what_is_unfinished_is_claimed_by_the_next_holder
    an_older_holder_is_fenced
    what_fails_is_tried_again_and_set_aside
    a_thread_keeps_what_was_asked_in_order
    threads_are_listed_by_folder_age_and_place
    a_thread_that_is_not_there
}

async fn a_workflow_begins_once(store: &impl Store) {
    let journal = &store.open().await;
    assert_eq!(journal.create(new(1)).await, Ok(Created::New));
    assert_eq!(journal.create(new(1)).await, Ok(Created::Existing(wf(1))));
    // The same request again, under an id of its own that nobody has seen yet.
    let mut again = new(2);
    again.correlation = CorrelationId::new("req-1");
    if let Event::Submitted { correlation, .. } = &mut again.events[0].event {
        *correlation = CorrelationId::new("req-1");
    }
    assert_eq!(journal.create(again.clone()).await, Ok(Created::Conflict(wf(1))));
    again.fingerprint = new(1).fingerprint;
    assert_eq!(journal.create(again).await, Ok(Created::Existing(wf(1))));
    assert_eq!(journal.head(wf(2)).await, Ok(None));
    assert_eq!(all(journal, wf(1)).await, Ok(new(1).events));
}

async fn a_correlation_id_is_found(store: &impl Store) {
    let journal = &store.open().await;
    journal.create(new(1)).await.unwrap();
    let found = journal.find(CorrelationId::new("req-1")).await;
    assert_eq!(found, Ok(Some((wf(1), new(1).fingerprint))));
    assert_eq!(journal.find(CorrelationId::new("req-2")).await, Ok(None));
}

async fn a_workflow_must_begin_with_itself(store: &impl Store) {
    let journal = &store.open().await;
    let refused = (Class::Permanent, Code::AppendRefused);
    let nothing = NewWorkflow {
        events: Vec::new(),
        ..new(1)
    };
    let other = NewWorkflow {
        events: new(2).events,
        ..new(1)
    };
    let text_first = NewWorkflow {
        events: vec![text(1)],
        ..new(1)
    };
    let late = NewWorkflow {
        events: vec![at(2, new(1).events[0].event.clone())],
        ..new(1)
    };
    for new in [nothing, other, text_first, late] {
        assert_eq!(kind(journal.create(new).await), refused);
    }
    assert_eq!(journal.head(wf(1)).await, Ok(None));
    // An id that is taken, under another correlation id.
    journal.create(new(1)).await.unwrap();
    let mut taken = new(2);
    taken.workflow = wf(1);
    if let Event::Submitted { workflow, .. } = &mut taken.events[0].event {
        *workflow = wf(1);
    }
    assert_eq!(kind(journal.create(taken).await), refused);
}

async fn events_are_read_in_order(store: &impl Store) {
    let journal = &store.open().await;
    journal
        .create(NewWorkflow {
            events: vec![new(1).events.remove(0), text(2)],
            ..new(1)
        })
        .await
        .unwrap();
    journal.create(new(2)).await.unwrap();
    journal.append(more(wf(1), 2, 3)).await.unwrap();
    journal.append(more(wf(2), 1, 1)).await.unwrap();
    journal.append(more(wf(1), 5, 1)).await.unwrap();
    let first = new(1).events.remove(0);
    let whole = vec![first, text(2), text(3), text(4), text(5), text(6)];
    assert_eq!(all(journal, wf(1)).await, Ok(whole.clone()));
    assert_eq!(journal.read(wf(1), Seq(2), 2).await, Ok(whole[2..4].to_vec()));
    assert_eq!(journal.read(wf(1), Seq(4), 2).await, Ok(whole[4..6].to_vec()));
    assert_eq!(journal.read(wf(1), Seq(6), 2).await, Ok(Vec::new()));
    assert_eq!(journal.read(wf(1), Seq(9), 2).await, Ok(Vec::new()));
    assert_eq!(journal.read(wf(1), Seq(0), 0).await, Ok(Vec::new()));
}

/// Wherever a store packs it, and whenever.
async fn text_reads_the_same_when_it_is_over(store: &impl Store) {
    let lane = |seq| {
        let event = Box::new(text(seq).event);
        let lane = StageId::new(format!("lane-{}", seq % 2));
        at(seq, Event::Lane { lane, event })
    };
    let mut whole = new(1).events;
    whole.extend((2..=9).map(text));
    whole.push(at(10, Event::Resumed));
    whole.extend((11..=18).map(lane));
    whole.push(at(19, Event::IterationStarted { iteration: 2 }));
    // Nothing has followed these.
    whole.extend((20..=22).map(text));
    let journal = store.open().await;
    journal.create(new(1)).await.unwrap();
    for recorded in &whole[1..] {
        let append = Append {
            events: vec![recorded.clone()],
            ..more(wf(1), recorded.seq.0 - 1, 0)
        };
        journal.append(append).await.unwrap();
    }
    let check = async |journal: &dyn Journal| {
        for after in 0..=23 {
            for limit in [0, 1, 2, 5, 13, 99, usize::MAX] {
                let from = after.min(whole.len());
                let to = from.saturating_add(limit).min(whole.len());
                let read = journal.read(wf(1), Seq(after as u64), limit).await;
                assert_eq!(read, Ok(whole[from..to].to_vec()), "{limit} after {after}");
            }
        }
        let head = journal.head(wf(1)).await.unwrap().unwrap();
        assert_eq!((head.head, head.updated_at_ms), (Seq(22), 1022));
        assert_eq!(journal.base(wf(1)).await, Ok(Seq(0)));
    };
    check(&journal).await;
    // A journal packs at the latest when it is closed.
    drop(journal);
    check(&store.open().await).await;
}

async fn a_stale_append_writes_nothing(store: &impl Store) {
    let journal = &store.open().await;
    journal.create(new(1)).await.unwrap();
    journal.append(more(wf(1), 1, 2)).await.unwrap();
    let blob = Blob::new(b"never".to_vec());
    for after in [0, 1, 2, 4] {
        let stale = Append {
            blobs: vec![blob.clone()],
            ..more(wf(1), after, 1)
        };
        let stale = with_status(stale, Status::Failed);
        assert_eq!(
            kind(journal.append(stale).await),
            (Class::Permanent, Code::StaleAppend),
            "after {after}"
        );
    }
    let head = journal.head(wf(1)).await.unwrap().unwrap();
    assert_eq!((head.head, head.status), (Seq(3), Status::Running));
    assert_eq!(journal.blob(blob.id()).await, Ok(None));
    journal.append(more(wf(1), 3, 1)).await.unwrap();
}

async fn a_gap_is_refused(store: &impl Store) {
    let journal = &store.open().await;
    journal.create(new(1)).await.unwrap();
    let refused = (Class::Permanent, Code::AppendRefused);
    for events in [
        vec![text(3)],
        vec![text(2), text(4)],
        vec![text(2), text(2)],
        vec![text(1)],
    ] {
        let gap = Append {
            events,
            ..more(wf(1), 1, 0)
        };
        assert_eq!(kind(journal.append(gap).await), refused);
    }
    assert_eq!(all(journal, wf(1)).await, Ok(new(1).events));
}

async fn heads_follow_the_events(store: &impl Store) {
    let journal = &store.open().await;
    journal.create(new(1)).await.unwrap();
    let mut head = Head {
        workflow: wf(1),
        correlation: CorrelationId::new("req-1"),
        workflow_type: "feature_implementation".to_owned(),
        query: "request 1".to_owned(),
        workspace: "/shop".to_owned(),
        status: Status::Running,
        aside: None,
        head: Seq(1),
        created_at_ms: 1001,
        updated_at_ms: 1001,
    };
    assert_eq!(journal.head(wf(1)).await, Ok(Some(head.clone())));
    journal.append(more(wf(1), 1, 4)).await.unwrap();
    (head.head, head.updated_at_ms) = (Seq(5), 1005);
    assert_eq!(journal.head(wf(1)).await, Ok(Some(head.clone())));
    let all = [
        Status::AwaitingDecision,
        Status::Running,
        Status::Completed,
        Status::Rejected,
        Status::Cancelled,
        Status::Failed,
    ];
    for status in all {
        // A status alone moves nothing else.
        journal
            .append(with_status(more(wf(1), 5, 0), status))
            .await
            .unwrap();
        head.status = status;
        assert_eq!(journal.head(wf(1)).await, Ok(Some(head.clone())));
    }
}

async fn lists_are_newest_first(store: &impl Store) {
    let journal = &store.open().await;
    // Not in the order of their names: the order they began counts.
    for n in [3, 1, 4, 2, 5] {
        journal.create(new(n)).await.unwrap();
    }
    journal
        .append(with_status(more(wf(4), 1, 1), Status::Completed))
        .await
        .unwrap();
    journal
        .append(with_status(more(wf(1), 1, 1), Status::AwaitingDecision))
        .await
        .unwrap();
    let check = async |unfinished: bool, before: Option<u64>, limit: usize, expect: &[u64]| {
        let query = ListQuery {
            unfinished,
            before: before.map(wf),
            limit,
        };
        let got: Vec<_> = journal
            .list(query)
            .await
            .unwrap()
            .into_iter()
            .map(|head| head.workflow)
            .collect();
        assert_eq!(got, expect.iter().map(wf).collect::<Vec<_>>());
    };
    check(false, None, 10, &[5, 2, 4, 1, 3]).await;
    check(true, None, 10, &[5, 2, 1, 3]).await;
    check(false, None, 2, &[5, 2]).await;
    check(false, Some(2), 2, &[4, 1]).await;
    check(true, Some(2), 2, &[1, 3]).await;
    check(false, Some(3), 2, &[]).await;
    check(false, Some(9), 2, &[]).await;
    check(false, None, 0, &[]).await;
}

async fn blobs_are_kept_once(store: &impl Store) {
    let journal = &store.open().await;
    journal.create(new(1)).await.unwrap();
    journal.create(new(2)).await.unwrap();
    let (text_blob, empty) = (Blob::new(b"def f(): ...".to_vec()), Blob::new(Vec::new()));
    let blobs = vec![text_blob.clone(), empty.clone(), text_blob.clone()];
    journal
        .append(Append {
            blobs: blobs.clone(),
            ..more(wf(1), 1, 1)
        })
        .await
        .unwrap();
    journal
        .append(Append {
            blobs,
            ..more(wf(2), 1, 0)
        })
        .await
        .unwrap();
    for blob in [text_blob, empty] {
        assert_eq!(journal.blob(blob.id()).await, Ok(Some(blob.bytes().to_vec())));
    }
    assert_eq!(journal.blob(BlobId::of(b"other")).await, Ok(None));
}

async fn a_request_begins_with_what_it_names(store: &impl Store) {
    let journal = &store.open().await;
    let image = Blob::new(b"\x89PNG\r\n\x1a\n".to_vec());
    let with = |n: u64| {
        let mut new = new(n);
        if let Event::Submitted { task, .. } = &mut new.events[0].event {
            task.images = vec![Image {
                blob: image.id(),
                format: ImageFormat::Png,
                bytes: 8,
            }];
        }
        NewWorkflow {
            blobs: vec![image.clone(), image.clone()],
            status: Status::Cancelled,
            ..new
        }
    };
    let bytes = async || journal.blob(image.id()).await;
    for n in [1, 2] {
        assert_eq!(journal.create(with(n)).await, Ok(Created::New));
    }
    assert_eq!(all(journal, wf(1)).await, Ok(with(1).events));
    assert_eq!(bytes().await, Ok(Some(image.bytes().to_vec())));
    journal.delete(wf(1)).await.unwrap();
    assert_eq!(
        bytes().await,
        Ok(Some(image.bytes().to_vec())),
        "the other one names it"
    );
    journal.delete(wf(2)).await.unwrap();
    assert_eq!(bytes().await, Ok(None));
    // What is refused leaves nothing behind.
    journal.create(new(3)).await.unwrap();
    let known = NewWorkflow {
        correlation: new(3).correlation,
        ..with(4)
    };
    journal.create(known).await.unwrap_err();
    assert_eq!(bytes().await, Ok(None));
}

async fn a_workflow_begins_with_its_status(store: &impl Store) {
    let journal = &store.open().await;
    let finished = NewWorkflow {
        status: Status::Cancelled,
        ..new(1)
    };
    journal.create(finished).await.unwrap();
    let head = journal.head(wf(1)).await.unwrap();
    assert_eq!(head.map(|head| head.status), Some(Status::Cancelled));
}

async fn the_last_shorter_history_is_found(store: &impl Store) {
    let journal = &store.open().await;
    journal.create(new(1)).await.unwrap();
    journal.create(new(2)).await.unwrap();
    assert_eq!(journal.base(wf(1)).await, Ok(Seq(0)));
    let continued = |text: &[u8]| Event::Continued {
        history: BlobId::of(text),
    };
    // The words of one within another event are none.
    let words = Event::IterationStarted { iteration: 2 };
    let mut text = text(4);
    if let Event::Streamed(streamed) = &mut text.event {
        streamed.delta = r#"{"k":"continued","hist":""}"#.to_owned();
    }
    let events = vec![at(2, continued(b"a")), at(3, continued(b"b")), text, at(5, words)];
    let append = Append {
        events,
        ..more(wf(1), 1, 0)
    };
    journal.append(append).await.unwrap();
    assert_eq!(journal.base(wf(1)).await, Ok(Seq(3)));
    assert_eq!(journal.base(wf(2)).await, Ok(Seq(0)));
    assert_eq!(
        kind(journal.base(wf(3)).await),
        (Class::User, Code::UnknownWorkflow)
    );
}

async fn what_is_not_there(store: &impl Store) {
    let journal = &store.open().await;
    let unknown = (Class::User, Code::UnknownWorkflow);
    assert_eq!(kind(journal.append(more(wf(1), 1, 1)).await), unknown);
    assert_eq!(kind(all(journal, wf(1)).await), unknown);
    assert_eq!(journal.head(wf(1)).await, Ok(None));
    assert_eq!(
        journal
            .list(ListQuery {
                limit: 10,
                ..ListQuery::default()
            })
            .await,
        Ok(Vec::new())
    );
}

async fn what_is_unfinished_is_claimed_by_the_next_holder(store: &impl Store) {
    let first = store.open().await;
    for n in 1..=4 {
        first.create(new(n)).await.unwrap();
    }
    first
        .append(with_status(more(wf(2), 1, 1), Status::Completed))
        .await
        .unwrap();
    first
        .append(with_status(more(wf(4), 1, 1), Status::AwaitingDecision))
        .await
        .unwrap();
    // It has them itself.
    assert_eq!(first.claim(9).await, Ok(Vec::new()));
    let second = store.take_over(&first).await;
    let mut claimed = Vec::new();
    while claimed.len() < 3 {
        let more = second.claim(2).await.unwrap();
        assert!(more.len() <= 2);
        claimed.extend(more);
    }
    let mut expect = Vec::new();
    for n in [1, 3, 4] {
        let head = second.head(wf(n)).await.unwrap().unwrap();
        expect.push(Claimed { head, tries: 1 });
    }
    assert_eq!(claimed, expect);
    assert_eq!(second.claim(9).await, Ok(Vec::new()));
}

async fn an_older_holder_is_fenced(store: &impl Store) {
    let first = store.open().await;
    first.create(new(1)).await.unwrap();
    first.append(more(wf(1), 1, 1)).await.unwrap();
    let second = store.take_over(&first).await;
    assert_eq!(claim_one(&second).await.tries, 1);
    second.append(more(wf(1), 2, 1)).await.unwrap();
    // Whatever it believes the head to be, and although nobody has the lock.
    let fenced = (Class::Fatal, Code::Fenced);
    for after in [2, 3] {
        let late = with_status(more(wf(1), after, 1), Status::Failed);
        assert_eq!(kind(first.append(late).await), fenced, "after {after}");
    }
    assert_eq!(kind(first.settle(wf(1)).await), fenced);
    assert_eq!(kind(first.release(wf(1), Release::Again).await), fenced);
    let expect = [new(1).events, vec![text(2), text(3)]].concat();
    assert_eq!(all(&second, wf(1)).await, Ok(expect));
    assert_eq!(second.append(more(wf(1), 3, 1)).await, Ok(()));
    assert_eq!(second.head(wf(1)).await.unwrap().unwrap().status, Status::Running);
}

async fn claim_one(journal: &impl Journal) -> Claimed {
    loop {
        if let Some(claimed) = journal.claim(1).await.unwrap().pop() {
            return claimed;
        }
        tokio::task::yield_now().await;
    }
}

async fn what_fails_is_tried_again_and_set_aside(store: &impl Store) {
    let journal = &store.open().await;
    journal.create(new(1)).await.unwrap();
    journal.create(new(2)).await.unwrap();
    let again = async |release: Release| {
        journal.release(wf(1), release).await.unwrap();
        let claimed = journal.claim(9).await.unwrap();
        claimed
            .into_iter()
            .map(|claimed| (claimed.head.workflow, claimed.tries))
            .collect::<Vec<_>>()
    };
    assert_eq!(again(Release::Again).await, [(wf(1), 1)]);
    assert_eq!(again(Release::Again).await, [(wf(1), 2)]);
    journal.settle(wf(1)).await.unwrap();
    assert_eq!(again(Release::Again).await, [(wf(1), 1)]);
    assert_eq!(again(Release::Untried).await, [(wf(1), 1)]);
    assert_eq!(again(Release::Untried).await, [(wf(1), 1)]);
    // What may be running is not readmitted.
    assert_eq!(again(Release::Readmitted).await, []);
    let reason = "it is damaged".to_owned();
    assert_eq!(
        again(Release::Aside {
            reason: reason.clone()
        })
        .await,
        []
    );
    let aside = async |n: u64| journal.head(wf(n)).await.unwrap().unwrap().aside;
    assert_eq!((aside(1).await, aside(2).await), (Some(reason), None));
    assert_eq!(again(Release::Readmitted).await, [(wf(1), 1)]);
    assert_eq!(aside(1).await, None);
    journal.append(more(wf(1), 1, 1)).await.unwrap();
}

async fn there_is_room(store: &impl Store) {
    let journal = store.open().await;
    assert_eq!(journal.room().await, Ok(()));
}

/// An append of `text` under its name.
fn naming(n: u64, after: u64, contents: &[u8], status: Status) -> Append {
    let blob = Blob::new(contents.to_vec());
    let event = Event::Continued { history: blob.id() };
    Append {
        events: vec![at(after + 1, event)],
        blobs: vec![blob],
        ..with_status(more(wf(n), after, 0), status)
    }
}

async fn what_is_finished_is_deleted_with_what_only_it_named(store: &impl Store) {
    let journal = &store.open().await;
    for n in 1..=3 {
        journal.create(new(n)).await.unwrap();
    }
    journal
        .append(naming(1, 1, b"of one", Status::Running))
        .await
        .unwrap();
    journal
        .append(naming(1, 2, b"of two", Status::Completed))
        .await
        .unwrap();
    journal
        .append(naming(2, 1, b"of two", Status::Running))
        .await
        .unwrap();
    let running = (Class::User, Code::StillRunning);
    for n in [2, 3] {
        assert_eq!(kind(journal.delete(wf(n)).await), running);
    }
    assert_eq!(
        kind(journal.delete(wf(9)).await),
        (Class::User, Code::UnknownWorkflow)
    );
    journal.delete(wf(1)).await.unwrap();
    assert_eq!(journal.head(wf(1)).await, Ok(None));
    assert_eq!(
        kind(all(journal, wf(1)).await),
        (Class::User, Code::UnknownWorkflow)
    );
    assert_eq!(journal.find(CorrelationId::new("req-1")).await, Ok(None));
    let there = async |contents: &[u8]| journal.blob(BlobId::of(contents)).await.unwrap().is_some();
    assert_eq!((there(b"of one").await, there(b"of two").await), (false, true));
    assert_eq!(all(journal, wf(2)).await.unwrap().len(), 2);
    // What was set aside does not run.
    let reason = "it is damaged".to_owned();
    journal.release(wf(2), Release::Aside { reason }).await.unwrap();
    journal.delete(wf(2)).await.unwrap();
    assert!(!there(b"of two").await);
    // Its place is free.
    assert_eq!(journal.create(new(1)).await, Ok(Created::New));
    assert_eq!(all(journal, wf(1)).await, Ok(new(1).events));
}

async fn what_is_finished_is_listed_by_age(store: &impl Store) {
    let journal = &store.open().await;
    for n in 1..=4 {
        journal.create(new(n)).await.unwrap();
    }
    // Their last events are at 1005, 1003, 1002 and 1001.
    journal
        .append(with_status(more(wf(1), 1, 4), Status::Completed))
        .await
        .unwrap();
    journal
        .append(with_status(more(wf(2), 1, 2), Status::Failed))
        .await
        .unwrap();
    journal
        .append(with_status(more(wf(3), 1, 1), Status::Cancelled))
        .await
        .unwrap();
    let check = async |before_ms: u64, limit: usize, expect: &[u64]| {
        let expect: Vec<_> = expect.iter().map(wf).collect();
        assert_eq!(journal.finished(before_ms, limit).await, Ok(expect));
    };
    check(u64::MAX, 9, &[3, 2, 1]).await;
    check(u64::MAX, 2, &[3, 2]).await;
    check(1005, 9, &[3, 2]).await;
    check(1002, 9, &[]).await;
    assert!(journal.bytes().await.is_ok());
}

fn thread(n: u64) -> Session {
    Session {
        id: SessionId::new(format!("s-{n}")),
        workspace: format!("/shop-{}", n % 2),
        title: None,
        settings: "{}".to_owned(),
        created_at_ms: n,
        updated_at_ms: n,
    }
}

fn entry(key: &str, answer: Option<&str>) -> Entry {
    Entry {
        key: CorrelationId::new(key),
        prompt: format!("do {key}\n\u{1f980}"),
        answer: answer.map(str::to_owned),
    }
}

async fn a_thread_keeps_what_was_asked_in_order(store: &impl Store) {
    let (id, other) = (SessionId::new("s-1"), SessionId::new("s-2"));
    let expect = vec![entry("z", None), entry("a", Some("done")), entry("m", None)];
    {
        let journal = &store.open().await;
        journal.begin_session(thread(1)).await.unwrap();
        journal.begin_session(thread(2)).await.unwrap();
        assert_eq!(journal.entries(id.clone()).await, Ok(Vec::new()));
        for (at_ms, entry) in (10..).zip(&expect) {
            let change = SessionChange::Entered(entry.clone());
            journal.change_session(id.clone(), at_ms, change).await.unwrap();
        }
        // The same once more, as after an answer that was lost.
        let again = SessionChange::Entered(entry("a", Some("other")));
        journal.change_session(id.clone(), 13, again).await.unwrap();
        let change = SessionChange::Titled("Greet".to_owned());
        journal.change_session(id.clone(), 14, change).await.unwrap();
        let change = SessionChange::Set("{\"mode\":\"plan\"}".to_owned());
        journal.change_session(id.clone(), 15, change).await.unwrap();
        // One that is there stays as it is.
        journal.begin_session(thread(1)).await.unwrap();
        let last = SessionChange::Entered(entry("q", None));
        journal.change_session(other.clone(), 16, last).await.unwrap();
    }
    let journal = &store.open().await;
    assert_eq!(journal.entries(id.clone()).await, Ok(expect));
    assert_eq!(journal.entries(other.clone()).await, Ok(vec![entry("q", None)]));
    let session = Session {
        title: Some("Greet".to_owned()),
        settings: "{\"mode\":\"plan\"}".to_owned(),
        updated_at_ms: 15,
        ..thread(1)
    };
    assert_eq!(journal.session(id.clone()).await, Ok(Some(session)));
    for _ in 0..2 {
        journal.delete_session(id.clone()).await.unwrap();
    }
    assert_eq!(journal.session(id.clone()).await, Ok(None));
    assert_eq!(journal.entries(other).await, Ok(vec![entry("q", None)]));
    // Its keys are free.
    journal.begin_session(thread(1)).await.unwrap();
    let change = SessionChange::Entered(entry("z", None));
    journal.change_session(id.clone(), 17, change).await.unwrap();
    assert_eq!(journal.entries(id).await, Ok(vec![entry("z", None)]));
}

async fn threads_are_listed_by_folder_age_and_place(store: &impl Store) {
    let journal = &store.open().await;
    // Not in the order of their names: the order they began counts.
    for n in [3, 1, 4, 2, 5] {
        journal.begin_session(thread(n)).await.unwrap();
    }
    let check =
        async |workspace: Option<&str>, before: Option<u64>, since: Option<u64>, limit, expect: &[u64]| {
            let query = SessionQuery {
                workspace: workspace.map(str::to_owned),
                before: before.map(|n| thread(n).id),
                unchanged_since_ms: since,
                limit,
            };
            let expect: Vec<Session> = expect.iter().map(|n| thread(*n)).collect();
            assert_eq!(journal.list_sessions(query).await, Ok(expect));
        };
    check(None, None, None, 9, &[5, 2, 4, 1, 3]).await;
    check(None, None, None, 2, &[5, 2]).await;
    check(None, Some(2), None, 2, &[4, 1]).await;
    check(None, Some(3), None, 2, &[]).await;
    check(Some("/shop-1"), None, None, 9, &[5, 1, 3]).await;
    check(Some("/shop-1"), Some(4), None, 1, &[1]).await;
    check(Some("/none"), None, None, 9, &[]).await;
    check(None, None, Some(3), 9, &[2, 1]).await;
    check(None, None, Some(u64::MAX), 1, &[5]).await;
}

async fn a_thread_that_is_not_there(store: &impl Store) {
    let journal = &store.open().await;
    let id = SessionId::new("s-9");
    let unknown = (Class::User, Code::UnknownSession);
    let change = SessionChange::Entered(entry("a", None));
    assert_eq!(kind(journal.change_session(id.clone(), 1, change).await), unknown);
    assert_eq!(kind(journal.entries(id.clone()).await), unknown);
    assert_eq!(journal.session(id.clone()).await, Ok(None));
    assert_eq!(journal.delete_session(id).await, Ok(()));
}
