//! Following across broken connections, with scripted connections and a
//! clock that waits for nobody.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use futures::{StreamExt, future::BoxFuture, stream};
use gui_client::{
    Error,
    connection::{
        Followed,
        backoff::Backoff,
        follow::{Dial, Events, follow},
    },
    model::Event,
};
use shared::{
    error::Class,
    id::Seq,
    wire::{Body, ChangeKind, Envelope, FileDiff, WorkflowState},
};

use crate::support::{event, run, state, text};

type Item = Result<Envelope, Error>;

/// Answers each dial with the next script; the dialled positions are kept.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Vec<Item>, Error>>>,
    dialled: Mutex<Vec<u64>>,
}

impl Dial for Script {
    fn dial(&self, after: Seq) -> BoxFuture<'static, Result<Events, Error>> {
        self.dialled.lock().unwrap().push(after.0);
        let answer = self
            .answers
            .lock()
            .unwrap()
            .pop_front()
            .expect("one dial too many");
        Box::pin(async { answer.map(|items| stream::iter(items).boxed()) })
    }
}

fn gone() -> Error {
    Error::Unreachable {
        url: "http://b".to_owned(),
        reason: "gone".to_owned(),
    }
}

fn refused(code: &str, class: Class) -> Error {
    Error::Refused {
        code: code.to_owned(),
        message: "no".to_owned(),
        class,
    }
}

fn word(seq: u64) -> Item {
    Ok(event(seq, 1, text("x", seq - 1, seq)))
}

fn end(seq: u64) -> Item {
    Ok(event(seq, 1, state(WorkflowState::Completed, 1)))
}

fn resync(seq: u64) -> Item {
    Ok(event(
        seq,
        1,
        Body::Resync {
            reason: "slow".to_owned(),
        },
    ))
}

/// What came of it, short: `c` connected, numbers, the rows of files, `w250` waiting,
/// `lost`.
fn print(followed: &Followed) -> String {
    match followed {
        Followed::Connected => "c".to_owned(),
        Followed::Events(events) => {
            let short = |event: &Event| {
                let Event { envelope, files } = event;
                let rows = files.iter().map(|file| format!("[{} rows]", file.rows.len()));
                if let Body::Resync { .. } = envelope.body {
                    "resync".to_owned()
                } else {
                    format!("{}{}", envelope.seq, rows.collect::<String>())
                }
            };
            events.iter().map(short).collect::<Vec<_>>().join(" ")
        }
        Followed::Interrupted { retry_ms, .. } => format!("w{retry_ms}"),
        Followed::Lost(_) => "lost".to_owned(),
    }
}

fn check(answers: Vec<Result<Vec<Item>, Error>>, expect: &str, dialled: &[u64]) {
    run(async {
        let script = Arc::new(Script {
            answers: Mutex::new(answers.into()),
            ..Script::default()
        });
        let followed = follow(
            Arc::clone(&script) as Arc<dyn Dial>,
            Seq(0),
            Backoff::default(),
            || 0.0,
        );
        let printed: Vec<String> = followed.map(|followed| print(&followed)).collect().await;
        assert_eq!(printed.join(" "), expect);
        assert_eq!(*script.dialled.lock().unwrap(), dialled);
    });
}

#[test]
fn a_connection_that_holds() {
    check(vec![Ok(vec![word(1), word(2), end(3)])], "c 1 2 3", &[0]);
}

#[test]
fn a_proposal_comes_compared() {
    let file = FileDiff {
        path: "a.py".to_owned(),
        change: ChangeKind::Edit,
        old_text: Some("a\nb\n".to_owned()),
        new_text: Some("a\nc\nd\n".to_owned()),
        lines_added: 2,
        lines_removed: 1,
        hunks: Vec::new(),
    };
    let proposal = Body::DiffReady {
        iteration: 1,
        files: vec![file],
    };
    let events = vec![word(1), Ok(event(2, 1, proposal)), end(3)];
    check(vec![Ok(events)], "c 1 2[3 rows] 3", &[0]);
}

#[test]
fn goes_on_after_the_last_event() {
    check(
        vec![Ok(vec![word(1), word(2), Err(gone())]), Ok(vec![word(3), end(4)])],
        "c 1 2 w250 c 3 4",
        &[0, 2],
    );
}

#[test]
fn waits_longer_each_time_until_something_comes() {
    check(
        vec![
            Err(gone()),
            Err(gone()),
            Ok(vec![word(1)]),
            Err(gone()),
            Ok(vec![end(2)]),
        ],
        "w250 w500 c 1 w250 w500 c 2",
        &[0, 0, 0, 1, 1],
    );
}

#[test]
fn duplicates_are_dropped_and_gaps_read_again() {
    check(
        vec![
            Ok(vec![word(1), word(1), word(2), word(4)]),
            Ok(vec![word(2), word(3), word(4), end(5)]),
        ],
        "c 1 2 w250 c 3 4 5",
        &[0, 2],
    );
}

#[test]
fn a_resync_reads_from_the_start() {
    check(
        vec![
            Ok(vec![word(1), word(2), resync(9), word(10)]),
            Ok(vec![word(1), end(2)]),
        ],
        "c 1 2 resync c 1 2",
        &[0, 0],
    );
    // One that comes back at once is not obeyed at once.
    check(
        vec![Ok(vec![resync(9)]), Ok(vec![resync(9)]), Ok(vec![end(1)])],
        "c resync c resync w500 c 1",
        &[0, 0, 0],
    );
}

#[test]
fn an_overloaded_server_is_asked_again() {
    check(
        vec![Err(refused("E1009", Class::Transient)), Ok(vec![end(1)])],
        "w250 c 1",
        &[0, 0],
    );
}

#[test]
fn a_workflow_that_is_not_there_is_given_up() {
    check(vec![Err(refused("E1003", Class::User))], "lost", &[0]);
}
