//! Credentials in what a person says go nowhere, and the person is told.

use shared::error::Code;

use super::support::*;
use crate::{Command, Event, artifact::Decision, graph};

const KEY: &str = "sk-0123456789abcdef0123456789abcdef";

fn with_key(words: &str) -> String {
    format!("{words} {KEY}")
}

/// Whether nothing holds the key, and how often that was said.
fn check(run: &Run, said: usize) {
    run.fold_equals_live();
    assert!(!format!("{:?}{:?}", run.history, run.state).contains(KEY));
    let notices = run.history.iter().filter(
        |recorded| matches!(&recorded.event, Event::Noticed(notice) if notice.code == Some(Code::CredentialLeftOut)),
    );
    assert_eq!(notices.count(), said);
}

#[test]
fn of_a_request() {
    let run = Run::asked(
        graph::parse(GRAPH).unwrap(),
        &with_key("call the API with"),
        Vec::new(),
    );
    assert_eq!(run.state.task.query, "call the API with [redacted]");
    check(&run, 1);
    check(&Run::begin(), 0);
}

#[test]
fn of_a_remark_which_counts_once() {
    let mut run = Run::to_generation();
    let text = with_key("with");
    let remark = || Command::Remark { text: text.clone() };
    assert_eq!(run.give(remark()).unwrap()[1], "remark: with [redacted]");
    assert_eq!(run.give(remark()).unwrap(), Vec::<String>::new());
    check(&run, 1);
}

#[test]
fn of_an_answer() {
    let decide = |decision| Command::Decide {
        iteration: None,
        decision,
    };
    let modify = |words: &str| {
        decide(Decision::Modify {
            feedback: with_key(words),
        })
    };
    let mut run = Run::to_review();
    run.give(modify("use")).unwrap();
    assert_eq!(*run.state.feedback, ["use [redacted]"]);
    check(&run, 1);
    // Refused, it leaves no trace.
    run.refuse(modify("again"), "not waiting");
    check(&run, 1);

    let mut run = Run::to_review();
    let feedback = Some(with_key("it has"));
    run.give(decide(Decision::Reject { feedback })).unwrap();
    assert!(run.state.is_finished());
    check(&run, 1);
}
