//! The table: what comes in, what must be done, and what is told.

use retrieval::Phase;

use super::*;

fn held(files: usize, indexed: usize) -> CaughtUp {
    CaughtUp {
        files,
        parts: files * 2,
        indexed,
        removed: 0,
    }
}

fn paths(list: &[&str]) -> Change {
    Change {
        files: Touched::Paths(list.iter().map(|path| (*path).to_owned()).collect()),
        history: Touch::Same,
    }
}

fn problem(class: Class) -> Problem {
    Problem {
        class,
        code: Code::VectorDbUnavailable,
        message: "down".to_owned(),
    }
}

fn progress(done: usize, total: usize) -> Input {
    let progress = Progress {
        phase: Phase::Indexing,
        files_done: done,
        files_total: total,
        chunks_done: done * 3,
    };
    Input::Progress { progress, at_ms: 0 }
}

const LOOK: fn(Change) -> Effect = Effect::Look;
const RUN: Effect = Effect::Remember(Some(Wish::Run));
const PAUSED: Effect = Effect::Remember(Some(Wish::Pause));
const FORGET_WISH: Effect = Effect::Remember(None);

fn do_it(command: Command) -> Input {
    Input::Command(command)
}

fn looked(indexed: usize) -> Input {
    Input::Looked(Ok(held(3, indexed)))
}

fn done() -> Input {
    Input::Embedded(Ok(Embedded::Complete))
}

fn failed(class: Class) -> Input {
    Input::Embedded(Err(problem(class)))
}

fn seconds(seconds: u64) -> Effect {
    Effect::Wait(Duration::from_secs(seconds))
}

/// Each step: an input, the effects it must have, and the state it must leave.
#[track_caller]
fn check(mut machine: Machine, story: &[(Input, &[Effect], State)]) -> Machine {
    for (at, (input, effects, state)) in story.iter().enumerate() {
        let got = machine.take(input.clone());
        assert_eq!(
            (&got[..], machine.status().state),
            (*effects, *state),
            "step {at}: {input:?}"
        );
    }
    machine
}

fn fresh() -> Machine {
    Machine::new(Wish::Run)
}

/// Open, with everything in it.
fn ready() -> Machine {
    check(
        fresh(),
        &[
            (
                do_it(Command::Open),
                &[RUN, LOOK(Change::everything())],
                State::Scanning,
            ),
            (looked(3), &[Effect::Embed], State::Indexing),
            (done(), &[seconds(300)], State::Ready),
        ],
    )
}

#[test]
fn opened_once_however_often_it_is_asked_for() {
    let machine = check(ready(), &[(do_it(Command::Open), &[], State::Ready)]);
    let status = machine.status();
    assert_eq!((status.files, status.chunks, status.missing), (3, 6, 0));
}

#[test]
fn changes_are_looked_at_one_after_the_other_and_together() {
    check(
        ready(),
        &[
            (
                Input::Changed(paths(&["a"])),
                &[LOOK(paths(&["a"]))],
                State::Ready,
            ),
            (Input::Changed(paths(&["b"])), &[], State::Ready),
            (Input::Changed(paths(&["c"])), &[], State::Ready),
            (
                looked(1),
                &[LOOK(paths(&["b", "c"])), Effect::Embed],
                State::Indexing,
            ),
            // What changed while vectors were made is made after them.
            (looked(2), &[], State::Indexing),
            (done(), &[Effect::Embed], State::Indexing),
            (done(), &[seconds(300)], State::Ready),
            // Nothing of the index: nothing is embedded.
            (
                Input::Changed(paths(&["d"])),
                &[LOOK(paths(&["d"]))],
                State::Ready,
            ),
            (looked(0), &[], State::Ready),
        ],
    );
}

#[test]
fn changes_during_the_first_look_are_not_lost() {
    check(
        fresh(),
        &[
            (
                do_it(Command::Open),
                &[RUN, LOOK(Change::everything())],
                State::Scanning,
            ),
            (Input::Changed(paths(&["a"])), &[], State::Scanning),
            (looked(3), &[LOOK(paths(&["a"])), Effect::Embed], State::Indexing),
        ],
    );
}

#[test]
fn changes_add_up() {
    let check = |list: &[Change], expect: Change| {
        let mut sum = Change::default();
        for change in list {
            merge(&mut sum, change.clone());
        }
        assert_eq!(sum, expect);
    };
    let history = Change {
        files: Touched::Nothing,
        history: Touch::Changed,
    };
    check(&[], Change::default());
    check(&[paths(&["a"]), paths(&["b"])], paths(&["a", "b"]));
    let both = Change {
        history: Touch::Changed,
        ..paths(&["a"])
    };
    check(&[history.clone(), paths(&["a"])], both.clone());
    check(&[paths(&["a"]), history], both);
    check(
        &[paths(&["a"]), Change::everything(), paths(&["b"])],
        Change::everything(),
    );
}

#[test]
fn a_database_that_is_down_is_waited_for() {
    let machine = check(
        fresh(),
        &[
            (
                do_it(Command::Open),
                &[RUN, LOOK(Change::everything())],
                State::Scanning,
            ),
            (looked(3), &[Effect::Embed], State::Indexing),
            (failed(Class::Transient), &[seconds(1)], State::Waiting),
            (Input::Due, &[Effect::Embed], State::Indexing),
            (failed(Class::Transient), &[seconds(2)], State::Waiting),
            (Input::Due, &[Effect::Embed], State::Indexing),
            (failed(Class::Transient), &[seconds(4)], State::Waiting),
            // Keywords go on meanwhile, and do not hurry it.
            (
                Input::Changed(paths(&["a"])),
                &[LOOK(paths(&["a"]))],
                State::Waiting,
            ),
            (looked(1), &[], State::Waiting),
            (Input::Due, &[Effect::Embed], State::Indexing),
            (done(), &[seconds(300)], State::Ready),
            // The next time begins with short waits again.
            (Input::Due, &[Effect::Embed], State::Ready),
            (failed(Class::Transient), &[seconds(1)], State::Waiting),
        ],
    );
    assert_eq!(machine.status().detail(), "down");
}

#[test]
fn waits_grow_to_a_limit() {
    let check = |class, times, expect| assert_eq!(wait(class, times), Duration::from_secs(expect));
    check(Class::Transient, 0, 1);
    check(Class::Transient, 4, 16);
    check(Class::Transient, 5, 30);
    check(Class::Transient, u32::MAX, 30);
    check(Class::User, 0, 60);
    check(Class::Permanent, 9, 60);
}

#[test]
fn paused_stays_paused_until_told_to_go_on() {
    let embedding = check(
        fresh(),
        &[
            (
                do_it(Command::Open),
                &[RUN, LOOK(Change::everything())],
                State::Scanning,
            ),
            (looked(3), &[Effect::Embed], State::Indexing),
        ],
    );
    let paused = check(
        embedding,
        &[
            (
                do_it(Command::Pause),
                &[Effect::StopEmbedding, PAUSED],
                State::Paused,
            ),
            // The result of the run that was stopped.
            (done(), &[], State::Paused),
            (
                Input::Changed(paths(&["a"])),
                &[LOOK(paths(&["a"]))],
                State::Paused,
            ),
            (looked(1), &[], State::Paused),
            (Input::Due, &[], State::Paused),
            (do_it(Command::Open), &[], State::Paused),
            (do_it(Command::Pause), &[PAUSED], State::Paused),
        ],
    );
    check(
        paused,
        &[
            (do_it(Command::Resume), &[RUN, Effect::Embed], State::Indexing),
            (done(), &[seconds(300)], State::Ready),
        ],
    );
    // After a restart.
    check(
        Machine::new(Wish::Pause),
        &[
            (
                do_it(Command::Open),
                &[PAUSED, LOOK(Change::everything())],
                State::Scanning,
            ),
            (looked(3), &[], State::Paused),
            (do_it(Command::Resume), &[RUN, Effect::Embed], State::Indexing),
        ],
    );
}

#[test]
fn a_wait_can_be_cut_short_and_paused() {
    let waiting = check(
        fresh(),
        &[
            (
                do_it(Command::Open),
                &[RUN, LOOK(Change::everything())],
                State::Scanning,
            ),
            (looked(3), &[Effect::Embed], State::Indexing),
            (failed(Class::User), &[seconds(60)], State::Waiting),
        ],
    );
    check(
        waiting.clone(),
        &[(do_it(Command::Resume), &[RUN, Effect::Embed], State::Indexing)],
    );
    check(
        waiting,
        &[
            (do_it(Command::Pause), &[PAUSED], State::Paused),
            (Input::Due, &[], State::Paused),
        ],
    );
}

#[test]
fn cancelled_it_rests_until_it_is_opened() {
    check(
        ready(),
        &[
            (do_it(Command::Cancel), &[FORGET_WISH, Effect::Close], State::Idle),
            (Input::Changed(paths(&["a"])), &[], State::Idle),
            (looked(1), &[], State::Idle),
            (done(), &[], State::Idle),
            (Input::Due, &[], State::Idle),
            (do_it(Command::Cancel), &[FORGET_WISH], State::Idle),
            (
                do_it(Command::Open),
                &[RUN, LOOK(Change::everything())],
                State::Scanning,
            ),
        ],
    );
}

#[test]
fn deleted_it_is_gone() {
    let deleting = check(
        fresh(),
        &[
            (
                do_it(Command::Open),
                &[RUN, LOOK(Change::everything())],
                State::Scanning,
            ),
            (looked(3), &[Effect::Embed], State::Indexing),
            (
                do_it(Command::Delete),
                &[Effect::StopEmbedding, Effect::Forget],
                State::Deleting,
            ),
            (do_it(Command::Open), &[], State::Deleting),
            (Input::Changed(paths(&["a"])), &[], State::Deleting),
        ],
    );
    check(
        deleting.clone(),
        &[(
            Input::Forgotten(Ok(())),
            &[FORGET_WISH, Effect::Close],
            State::Idle,
        )],
    );
    let failed = check(
        deleting,
        &[(
            Input::Forgotten(Err(problem(Class::Transient))),
            &[FORGET_WISH, Effect::Close],
            State::Idle,
        )],
    );
    assert_eq!(failed.status().detail(), "down");
    // What nobody opened can be deleted too.
    check(
        fresh(),
        &[(do_it(Command::Delete), &[Effect::Forget], State::Deleting)],
    );
}

#[test]
fn a_workspace_that_cannot_be_read_is_told_and_tried_again() {
    check(
        ready(),
        &[
            (
                Input::Changed(paths(&["a"])),
                &[LOOK(paths(&["a"]))],
                State::Ready,
            ),
            (
                Input::Looked(Err(problem(Class::User))),
                &[seconds(60)],
                State::Failed,
            ),
            (Input::Due, &[LOOK(Change::everything())], State::Scanning),
            (looked(3), &[Effect::Embed], State::Indexing),
        ],
    );
}

#[test]
fn a_rescan_looks_at_everything_and_asks_the_database() {
    check(
        ready(),
        &[
            (
                do_it(Command::Rescan),
                &[LOOK(Change::everything())],
                State::Indexing,
            ),
            (looked(0), &[Effect::Embed], State::Indexing),
            (done(), &[seconds(300)], State::Ready),
        ],
    );
    check(
        fresh(),
        &[(
            do_it(Command::Rescan),
            &[RUN, LOOK(Change::everything())],
            State::Scanning,
        )],
    );
}

#[test]
fn a_check_is_told_only_when_there_is_something_to_do() {
    check(
        ready(),
        &[
            (Input::Due, &[Effect::Embed], State::Ready),
            (done(), &[seconds(300)], State::Ready),
            (Input::Due, &[Effect::Embed], State::Ready),
            (progress(0, 2), &[], State::Indexing),
            (done(), &[seconds(300)], State::Ready),
        ],
    );
}

#[test]
fn without_a_model_it_is_ready_and_says_so() {
    let machine = check(
        fresh(),
        &[
            (
                do_it(Command::Open),
                &[RUN, LOOK(Change::everything())],
                State::Scanning,
            ),
            (looked(3), &[Effect::Embed], State::Indexing),
            (Input::Embedded(Ok(Embedded::NoModel)), &[], State::Ready),
            (
                Input::Changed(paths(&["a"])),
                &[LOOK(paths(&["a"]))],
                State::Ready,
            ),
            (looked(1), &[], State::Ready),
        ],
    );
    let status = machine.status();
    assert_eq!(status.problem.unwrap().code, Code::EmbeddingFailed);
}

#[test]
fn progress_is_told_while_it_lasts() {
    let mut machine = check(
        fresh(),
        &[
            (
                do_it(Command::Open),
                &[RUN, LOOK(Change::everything())],
                State::Scanning,
            ),
            (looked(3), &[Effect::Embed], State::Indexing),
        ],
    );
    for (at_ms, done) in [(0, 0), (1_000, 10), (2_000, 20)] {
        let Input::Progress { progress, .. } = progress(done, 100) else {
            unreachable!()
        };
        machine.take(Input::Progress { progress, at_ms });
    }
    let status = machine.status();
    assert_eq!(
        (
            status.rate,
            status.seconds_left,
            status.progress.map(|now| now.files_done)
        ),
        (Some(10.0), Some(8), Some(20))
    );
    machine.take(done());
    let status = machine.status();
    assert_eq!(
        (status.rate, status.seconds_left, status.progress),
        (None, None, None)
    );
}

#[test]
fn a_workspace_that_cannot_be_watched_says_so() {
    let mut machine = check(
        ready(),
        &[(Input::Watched(Err(problem(Class::User))), &[], State::Ready)],
    );
    assert_eq!(machine.status().detail(), "down");
    machine.take(Input::Watched(Ok(())));
    assert_eq!(machine.status().detail(), "complete");
}
