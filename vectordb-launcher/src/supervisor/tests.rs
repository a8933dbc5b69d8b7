//! Every transition of the supervisor, as a table.

use super::*;

const LIMITS: Limits = Limits {
    start_ms_max: 1000,
    failures_max: 3,
    backoff_ms_min: 100,
    backoff_ms_max: 300,
    settled_ms: 5000,
    attempts_max: 4,
};

#[expect(clippy::needless_pass_by_value, reason = "a table reads better with values")]
fn check(subject: Subject, state: State, event: Event, now_ms: u64, expect: (State, &[Action])) {
    let (next, actions) = step(state.clone(), &event, subject, &LIMITS, now_ms);
    assert_eq!((next, &*actions), expect, "{state:?} {event:?}");
}

fn starting(since_ms: u64, attempt: u32) -> State {
    State::Starting { since_ms, attempt }
}

fn ready(since_ms: u64, attempt: u32) -> State {
    State::Ready { since_ms, attempt }
}

fn degraded(since_ms: u64, failures: u32, attempt: u32) -> State {
    State::Degraded {
        since_ms,
        failures,
        attempt,
    }
}

fn backoff(until_ms: u64, attempt: u32) -> State {
    State::Backoff { until_ms, attempt }
}

fn ended() -> Event {
    Event::Ended("exit status 1".to_owned())
}

const STOPPED: State = State::Stopped(Stop::Requested);

#[test]
fn a_child() {
    let child = Subject::Child;
    assert_eq!(start(child, 7), (starting(7, 0), vec![Action::Start]));

    check(child, starting(0, 0), Event::Answered, 10, (ready(10, 0), &[]));
    check(child, starting(0, 0), Event::Silent, 10, (starting(0, 0), &[]));
    check(child, starting(0, 0), Event::Tick, 999, (starting(0, 0), &[]));
    check(
        child,
        starting(0, 0),
        Event::Tick,
        1000,
        (starting(1000, 0), &[Action::Kill]),
    );
    check(child, starting(0, 0), ended(), 10, (backoff(110, 1), &[]));
    check(child, starting(0, 1), ended(), 10, (backoff(210, 2), &[]));
    check(child, starting(0, 2), ended(), 10, (backoff(310, 3), &[]));
    let gave_up = State::Stopped(Stop::GaveUp("exit status 1".to_owned()));
    check(child, starting(0, 3), ended(), 10, (gave_up, &[]));

    check(child, ready(10, 2), Event::Answered, 20, (ready(10, 2), &[]));
    check(child, ready(10, 2), Event::Silent, 20, (degraded(20, 1, 2), &[]));
    check(
        child,
        ready(10, 2),
        Event::Silent,
        5010,
        (degraded(5010, 1, 0), &[]),
    );
    check(child, ready(10, 2), ended(), 20, (backoff(320, 3), &[]));
    check(child, ready(10, 2), ended(), 5010, (backoff(5110, 1), &[]));
    check(child, ready(10, 2), Event::Tick, 20, (ready(10, 2), &[]));

    check(
        child,
        degraded(20, 1, 0),
        Event::Answered,
        30,
        (ready(30, 0), &[]),
    );
    check(
        child,
        degraded(20, 1, 0),
        Event::Silent,
        30,
        (degraded(20, 2, 0), &[]),
    );
    check(
        child,
        degraded(20, 2, 0),
        Event::Silent,
        30,
        (degraded(20, 3, 0), &[Action::Kill]),
    );
    check(
        child,
        degraded(20, 3, 0),
        Event::Silent,
        30,
        (degraded(20, 4, 0), &[]),
    );
    check(child, degraded(20, 3, 0), ended(), 30, (backoff(130, 1), &[]));

    check(child, backoff(110, 1), Event::Tick, 109, (backoff(110, 1), &[]));
    check(
        child,
        backoff(110, 1),
        Event::Tick,
        110,
        (starting(110, 1), &[Action::Start]),
    );
    check(
        child,
        backoff(110, 1),
        Event::Answered,
        50,
        (backoff(110, 1), &[]),
    );
    check(child, backoff(110, 1), Event::StopRequested, 50, (STOPPED, &[]));

    check(
        child,
        starting(0, 0),
        Event::StopRequested,
        50,
        (STOPPED, &[Action::End]),
    );
    check(
        child,
        ready(0, 0),
        Event::StopRequested,
        50,
        (STOPPED, &[Action::End]),
    );
    check(
        child,
        degraded(0, 9, 0),
        Event::StopRequested,
        50,
        (STOPPED, &[Action::End]),
    );
    for event in [
        Event::Answered,
        Event::Silent,
        ended(),
        Event::Tick,
        Event::StopRequested,
    ] {
        check(child, STOPPED, event, 60, (STOPPED, &[]));
    }
}

#[test]
fn somebody_elses() {
    let remote = Subject::Remote;
    assert_eq!(start(remote, 7), (starting(7, 0), vec![]));
    check(
        remote,
        starting(0, 0),
        Event::Tick,
        1000,
        (degraded(1000, 1, 0), &[]),
    );
    check(remote, starting(0, 0), Event::Answered, 10, (ready(10, 0), &[]));
    check(
        remote,
        degraded(20, 2, 0),
        Event::Silent,
        30,
        (degraded(20, 3, 0), &[]),
    );
    check(
        remote,
        degraded(20, 3, 0),
        Event::Answered,
        30,
        (ready(30, 0), &[]),
    );
    check(remote, ready(0, 0), Event::StopRequested, 30, (STOPPED, &[]));
}

#[test]
fn the_wait_is_bounded() {
    assert_eq!(backoff_ms(1, &LIMITS), 100);
    assert_eq!(backoff_ms(2, &LIMITS), 200);
    assert_eq!(backoff_ms(3, &LIMITS), 300);
    assert_eq!(backoff_ms(u32::MAX, &LIMITS), 300);
}
