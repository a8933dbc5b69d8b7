//! What happens after failures, and under which conditions stages run.

use shared::error::Class;

use super::support::*;
use crate::{Command, FoundBy, Output, artifact::CheckStatus};

fn definition(stages: &str) -> String {
    format!("name: x\nversion: 1\nstages:\n{stages}")
}

const FIND_AND_CODE: &str = "  - {id: find, kind: retrieval}\n  - {id: code, kind: code_generation, ";

fn coding(rest: &str, more: &str) -> Run {
    let mut run = Run::of(&definition(&format!("{FIND_AND_CODE}{rest}}}\n{more}")));
    run.complete(Output::Context(context()));
    run
}

#[test]
fn a_class_that_is_not_tried_again_ends_it() {
    let mut run = coding("retry: {permanent: fail}", "");
    assert_eq!(
        run.fail(Class::Permanent),
        ["fail code 1: permanent", "failed E1302"]
    );
}

#[test]
fn a_wrong_request_can_be_tried_again_where_the_definition_says_so() {
    let mut run = coding("attempts_max: 2, retry: {user: retry}", "");
    assert_eq!(run.fail(Class::User), ["fail code 1: user", "start code 2"]);
    assert_eq!(run.fail(Class::User), ["fail code 2: user", "failed E1302"]);
}

#[test]
fn a_fatal_failure_always_ends_it() {
    let mut run = coding("retry: {permanent: ask, exhausted: ask}", "");
    assert_eq!(run.fail(Class::Fatal), ["fail code 1: fatal", "failed E1302"]);
}

#[test]
fn what_running_finds_has_attempts_of_its_own() {
    let found = |found_by: FoundBy| Output::Checks {
        reports: Vec::new(),
        problems: vec!["no".to_owned()],
        found_by,
    };
    let check = |rest: &str, found_by: FoundBy, failures: usize| {
        let review = "  - {id: ask, kind: review, on_modify: code}\n";
        let checks = format!("  - {{id: look, kind: checks, retry_from: code{rest}}}\n{review}");
        let mut run = coding("", &checks);
        for attempt in 1..failures {
            run.complete(Output::Proposal(proposal(&["a.rs"])));
            let again = format!("start code {}", attempt + 1);
            assert_eq!(run.complete(found(found_by)).last(), Some(&again), "{rest}");
        }
        run.complete(Output::Proposal(proposal(&["a.rs"])));
        assert!(
            run.complete(found(found_by)).contains(&"start ask 1".to_owned()),
            "{rest}"
        );
    };
    let apart = ", attempts_max: 2, run_attempts_max: 4";
    check(apart, FoundBy::Reading, 2);
    check(apart, FoundBy::Running, 4);
    check(", attempts_max: 2", FoundBy::Running, 2);
}

#[test]
fn a_stage_falls_back_to_a_later_one() {
    let stages = "  - {id: find, kind: retrieval, attempts_max: 1, retry: {exhausted: fall_back}, fall_back: plan}\n  \
                  - {id: again, kind: retrieval}\n  - {id: plan, kind: planning}\n";
    let mut run = Run::of(&definition(stages));
    let expect = [
        "fail find 1: transient",
        "notice no edits",
        "skip again: stage `find` failed and falls back",
        "start plan 1",
    ];
    assert_eq!(run.fail(Class::Transient), expect);
}

#[test]
fn a_person_is_asked_about_a_failure() {
    let asking = || {
        let mut run = coding("attempts_max: 1, retry: {exhausted: ask}", "");
        let expect = ["fail code 1: permanent", "notice no edits", "help code"];
        assert_eq!(run.fail(Class::Permanent), expect);
        assert_eq!(run.working(), Vec::<String>::new());
        run.check(Command::Resume, &[]);
        run
    };
    let mut run = asking();
    run.check(accept(), &["accepted", "start code 2"]);
    assert_eq!(run.state.selection, None, "nothing was accepted");
    let mut run = asking();
    run.check(modify("use a map"), &["modify: use a map", "start code 2"]);
    assert_eq!(*run.state.feedback, ["use a map"]);
    assert_eq!(run.state.iteration, 1);
    let mut run = asking();
    let reject = Command::Decide {
        iteration: None,
        decision: crate::artifact::Decision::Reject { feedback: None },
    };
    run.check(reject, &["rejected", "failed E1302"]);
    let mut run = asking();
    run.refuse(modify(" "), "feedback");
    let part = crate::artifact::Selection::Files(Vec::new());
    let part = Command::Decide {
        iteration: None,
        decision: crate::artifact::Decision::Accept(part),
    };
    run.refuse(part, "about a failed stage");
    run.check(Command::Cancel, &["cancelled"]);
}

#[test]
fn somebody_who_always_says_yes_does_not_keep_it_going_for_ever() {
    let mut run = coding("attempts_max: 1, retry: {exhausted: ask}", "");
    for _ in 1..crate::limits::HELP_ATTEMPTS_MAX {
        run.fail(Class::Permanent);
        run.give(accept()).unwrap();
    }
    run.fail(Class::Permanent);
    run.refuse(accept(), "50 attempts");
    run.refuse(modify("again"), "50 attempts");
    run.check(Command::Cancel, &["cancelled"]);
}

#[test]
fn chance_takes_something_off_a_wait_and_the_event_says_how_much() {
    let backoff = "retry: {backoff: {first: 10s, max: 15s, jitter_percent: 50}}";
    let check = |random: u64, expect: [&str; 2]| {
        let mut run = coding(backoff, "");
        run.random = random;
        let first = run.fail(Class::Transient).pop().unwrap();
        run.random = 0;
        run.wait();
        run.random = random;
        let second = run.fail(Class::Transient).pop().unwrap();
        assert_eq!([first.as_str(), second.as_str()], expect);
    };
    check(0, ["retry code 2 in 10000", "retry code 3 in 15000"]);
    check(5_000, ["retry code 2 in 5000", "retry code 3 in 10000"]);
    check(5_001, ["retry code 2 in 10000", "retry code 3 in 9999"]);
}

#[test]
fn stages_run_under_conditions() {
    let check = |when: &str, expect: &str| {
        let stages = format!(
            "  - {{id: find, kind: retrieval}}\n  - {{id: plan, kind: planning}}\n  - id: code\n    kind: code_generation\n    when: {when}\n"
        );
        let mut run = Run::of(&definition(&stages));
        run.complete(Output::Context(context()));
        let made = run.complete(Output::Plan(planned(&["src/a.py", "docs/b.md"])));
        assert_eq!(made[2], expect);
    };
    check("plan.files.count == 2", "start code 1");
    check("plan.modules.count == 2 and iteration == 1", "start code 1");
    check(
        "plan.files.count > 2",
        "skip code: its condition does not hold: plan.files.count > 2",
    );
    check("stage.find == 'succeeded'", "start code 1");
    check("any(plan.files, '*.md')", "start code 1");
    check("matches(query, '*login*')", "start code 1");
    check(
        "context.mode == 'hybrid'",
        "skip code: its condition does not hold: context.mode == 'hybrid'",
    );
}

#[test]
fn what_is_about_a_proposal_is_left_out_without_one() {
    let stages = "  - {id: find, kind: retrieval}\n  - {id: code, kind: code_generation, when: false}\n  \
                  - {id: checks, kind: checks}\n";
    let mut run = Run::of(&definition(stages));
    let expect = [
        "context",
        "end find 1 after 1000",
        "skip code: its condition does not hold: false",
        "skip checks: nothing is proposed",
        "completed",
    ];
    assert_eq!(run.complete(Output::Context(context())), expect);
}

#[test]
fn the_first_stage_can_be_left_out_and_all_of_them() {
    let run = Run::of(&definition(
        "  - {id: find, kind: retrieval, when: false}\n  - {id: plan, kind: planning}\n",
    ));
    assert_eq!(run.working(), ["plan"]);
    let run = Run::of(&definition("  - {id: find, kind: retrieval, when: false}\n"));
    assert!(run.state.is_finished());
}

#[test]
fn a_plan_is_approved_before_code_is_written() {
    let more = "  - {id: checks, kind: checks}\n";
    let stages = format!(
        "  - {{id: find, kind: retrieval}}\n  - {{id: plan, kind: planning}}\n  \
         - {{id: approval, kind: review, on_modify: plan}}\n  - {{id: code, kind: code_generation}}\n{more}"
    );
    let mut run = Run::of(&definition(&stages));
    run.complete(Output::Context(context()));
    let made = run.complete(Output::Plan(plan(true)));
    assert_eq!(made, ["plan", "end plan 1 after 1000", "start approval 1", "ask"]);
    let made = run.give(modify("smaller")).unwrap();
    assert_eq!(
        made[2..4],
        [
            "iteration 2",
            "skip find: the result of iteration 1 is used again"
        ]
    );
    run.complete(Output::Plan(plan(true)));
    run.check(
        accept(),
        &["accepted", "end approval 1 after 1000", "start code 1"],
    );
    run.complete(Output::Proposal(proposal(&["a.py"])));
    run.complete(checks(CheckStatus::Passed));
    assert!(run.state.is_finished());
}
