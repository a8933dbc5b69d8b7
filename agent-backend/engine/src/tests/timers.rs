//! Time-outs, deadlines and waits: they fire when they are due, once, and
//! after a restart too.

use shared::error::Class;

use super::support::*;
use crate::{Command, Output, next_due_ms, state::Consent};

const TIMED: &str = "name: x\nversion: 1\nstages:\n  \
    - {id: find, kind: retrieval, timeout: 5s, attempts_max: 2}\n  \
    - {id: plan, kind: planning}\n  \
    - {id: ok, kind: review, on_modify: plan, deadline: 1h, default: DEFAULT}\n  \
    - {id: code, kind: code_generation}\n";

fn timed(default: &str) -> Run {
    Run::of(&TIMED.replace("DEFAULT", default))
}

#[test]
fn a_stage_that_takes_too_long_is_tried_again() {
    let mut run = timed("reject");
    assert_eq!(next_due_ms(&run.state), Some(6_000));
    run.check(Command::Tick, &[]);
    assert_eq!(run.wait(), ["fail find 1: transient", "retry find 2 in 500"]);
    assert_eq!(run.working(), Vec::<String>::new());
    assert_eq!(run.wait(), ["start find 2"]);
    run.stream("x");
    assert_eq!(
        run.wait(),
        ["discard find 2", "fail find 2: transient", "failed E1017"]
    );
}

#[test]
fn a_timer_that_was_due_while_the_process_was_dead_fires_when_it_is_back() {
    let mut run = timed("reject");
    run.fail(Class::Transient);
    let mut back = Run::resumed(&run.history);
    back.now_ms = 1_000_000_000;
    back.check(Command::Resume, &[]);
    back.check(Command::Tick, &["start find 2"]);
    back.check(Command::Tick, &[]);
}

#[test]
fn a_restart_gives_a_stage_its_whole_time_again() {
    let mut run = timed("reject");
    run.now_ms = 100_000;
    run.check(Command::Resume, &["resumed", "start find 2"]);
    assert_eq!(next_due_ms(&run.state), Some(run.now_ms + 5_000));
}

fn asked(default: &str) -> Run {
    let mut run = timed(default);
    run.complete(Output::Context(context()));
    run.complete(Output::Plan(plan(true)));
    run
}

#[test]
fn a_question_that_nobody_answers_has_a_default() {
    let mut run = asked("reject");
    assert_eq!(next_due_ms(&run.state), Some(run.now_ms + 3_600_000));
    let expect = [
        "too late ok",
        "rejected",
        "end ok 1 after 3600000",
        "finished rejected",
    ];
    assert_eq!(run.wait(), expect);
    let expect = [
        "too late ok",
        "accepted",
        "end ok 1 after 3600000",
        "start code 1",
    ];
    assert_eq!(asked("accept").wait(), expect);
}

#[test]
fn an_answer_in_time_stops_the_clock() {
    let mut run = asked("reject");
    run.give(accept()).unwrap();
    assert_eq!(next_due_ms(&run.state), None);
    run.now_ms += 7_200_000;
    run.check(Command::Tick, &[]);
}

#[test]
fn a_clock_that_jumps_back_fires_nothing_early() {
    let mut run = asked("accept");
    run.now_ms = 0;
    run.check(Command::Tick, &[]);
}

#[test]
fn a_question_about_a_call_that_nobody_answers_in_time_is_a_no() {
    let mut run = Run::of(&TIMED.replace("DEFAULT", "reject").replace(
        "kind: code_generation}",
        "kind: code_generation, retry: {exhausted: ask}, deadline: 1h}",
    ));
    run.complete(Output::Context(context()));
    run.complete(Output::Plan(plan(true)));
    run.give(accept()).unwrap();
    let (stage, attempt) = run.at();
    let call = super::permission::wanted("repeal");
    run.check(
        Command::AskPermission { stage, attempt, call },
        &["permission code for house.repeal"],
    );
    assert_eq!(run.wait(), ["too late code", "rejected", "start code 2"]);
    let consents: Vec<Consent> = run
        .state
        .permissions
        .iter()
        .map(|permission| permission.consent)
        .collect();
    assert_eq!(consents, [Consent::Refused]);
}
