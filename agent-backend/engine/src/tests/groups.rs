//! Branches, loops and sub-workflows.

use shared::error::Class;

use super::support::*;
use crate::{
    Command, Output,
    artifact::CheckStatus,
    graph::{self, Library},
};

fn branches(group: &str, branches: &str) -> Run {
    let text = format!(
        "name: x\nversion: 1\nstages:\n  - {{id: find, kind: retrieval}}\n  - id: both\n    kind: parallel\n{group}    \
         branches:\n{branches}  - {{id: checks, kind: checks}}\n"
    );
    let mut run = Run::of(&text);
    run.complete(Output::Context(context()));
    run
}

const A_AND_B: &str = "      - id: a\n        stages: [{id: code_a, kind: code_generation, attempts_max: 1}]\n      \
                       - id: b\n        stages: [{id: code_b, kind: code_generation, attempts_max: 1}]\n";

fn files(run: &Run) -> Vec<String> {
    let proposal = run.state.proposal.as_ref().unwrap();
    proposal.files.iter().map(|file| file.path.clone()).collect()
}

#[test]
fn branches_run_side_by_side_and_join() {
    let mut run = branches("", A_AND_B);
    assert_eq!(run.working(), ["code_a", "code_b"]);
    assert_eq!(run.actions.len(), 2);
    let second = run.complete_stage("code_b", Output::Proposal(proposal(&["b.py"])));
    assert_eq!(
        second,
        [
            "b> propose 1",
            "b> end code_b 1 after 1000",
            "b> completed",
            "propose 1",
            "join b"
        ]
    );
    let first = run.complete_stage("code_a", Output::Proposal(proposal(&["a.py"])));
    assert_eq!(
        first,
        [
            "a> propose 1",
            "a> end code_a 1 after 2000",
            "a> completed",
            "propose 2",
            "join a",
            "end both 1 after 2000",
            "start checks 1"
        ]
    );
    assert_eq!(files(&run), ["b.py", "a.py"]);
}

#[test]
fn branches_wait_for_their_turn_and_see_what_was_made_before() {
    let mut run = branches("    parallel_max: 1\n", A_AND_B);
    assert_eq!(run.working(), ["code_a"]);
    run.complete_stage("code_a", Output::Proposal(proposal(&["all.py"])));
    assert_eq!(run.working(), ["code_b"]);
    let (owner, _) = run.state.working()[0];
    assert_eq!(owner.proposal, Some(proposal(&["all.py"]).into()));
}

#[test]
fn a_branch_that_changed_the_same_file_is_made_again_on_top() {
    let mut run = branches("", A_AND_B);
    run.complete_stage("code_a", Output::Proposal(proposal(&["all.py"])));
    let mut other = proposal(&["all.py", "b.py"]);
    other.files[0].new = None;
    let made = run.complete_stage("code_b", Output::Proposal(other.clone()));
    let expect = [
        "b> propose 2",
        "b> end code_b 1 after 2000",
        "b> completed",
        "notice another part has changed `all.py` meanwhile: `b` is made again on top of it",
        "lane b 2",
        "b> start code_b 1",
    ];
    assert_eq!(made, expect);
    run.complete_stage("code_b", Output::Proposal(other.clone()));
    assert_eq!(run.state.proposal, Some(other.into()));
    assert_eq!(run.working(), ["checks"]);
}

#[test]
fn one_failed_branch_ends_them_all() {
    let mut run = branches("", A_AND_B);
    let made = run.fail_stage("code_b", Class::User);
    let expect = [
        "b> fail code_b 1: user",
        "b> failed E1302",
        "lost b: E1302",
        "a> skip code_a: another part has decided",
        "a> cancelled",
        "fail both 1: user",
        "failed E1302",
    ];
    assert_eq!(made, expect);
}

#[test]
fn the_first_branch_that_succeeds_wins() {
    let mut run = branches("    join: any\n", A_AND_B);
    run.fail_stage("code_a", Class::User);
    assert_eq!(run.working(), ["code_b"]);
    let made = run.complete_stage("code_b", Output::Proposal(proposal(&["b.py"])));
    assert_eq!(
        made[5..],
        [
            "notice `a` is left out: no edits",
            "end both 1 after 2000",
            "start checks 1"
        ]
    );
    let mut run = branches("    join: any\n", A_AND_B);
    run.complete_stage("code_b", Output::Proposal(proposal(&["b.py"])));
    assert_eq!(run.working(), ["checks"]);
    let mut run = branches("    join: any\n", A_AND_B);
    run.fail_stage("code_a", Class::User);
    assert_eq!(
        run.fail_stage("code_b", Class::User).last().unwrap(),
        "failed E1302"
    );
}

#[test]
fn settled_branches_fail_only_together() {
    let mut run = branches("    join: settled\n", A_AND_B);
    run.complete_stage("code_b", Output::Proposal(proposal(&["b.py"])));
    assert_eq!(run.working(), ["code_a"]);
    run.fail_stage("code_a", Class::User);
    assert_eq!(run.working(), ["checks"]);
    assert_eq!(files(&run), ["b.py"]);
    let mut run = branches("    join: settled\n", A_AND_B);
    run.fail_stage("code_b", Class::User);
    assert_eq!(
        run.fail_stage("code_a", Class::User).last().unwrap(),
        "failed E1302"
    );
}

#[test]
fn a_group_is_tried_again_and_asks() {
    let mut run = branches(
        "    attempts_max: 2\n    retry: {user: retry, exhausted: ask}\n",
        A_AND_B,
    );
    let made = run.fail_stage("code_b", Class::User);
    assert_eq!(
        made[5..8],
        ["fail both 1: user", "start both 2", "lanes of both: a b"]
    );
    assert_eq!(run.working(), ["code_a", "code_b"]);
    let made = run.fail_stage("code_a", Class::User);
    assert_eq!(made.last().unwrap(), "help both");
    run.give(modify("less")).unwrap();
    assert_eq!(run.working(), ["code_a", "code_b"]);
    assert_eq!(*run.state.working()[0].0.feedback, ["less"]);
}

#[test]
fn a_group_has_a_timeout() {
    let mut run = branches("    timeout: 10s\n", A_AND_B);
    run.complete_stage("code_b", Output::Proposal(proposal(&["b.py"])));
    let expect = [
        "a> skip code_a: stage `both` did not end within 10000 ms",
        "a> cancelled",
        "fail both 1: transient",
        "failed E1017",
    ];
    assert_eq!(run.wait(), expect);
}

#[test]
fn cancel_and_restart_reach_into_lanes() {
    let mut run = branches("", A_AND_B);
    let attempt = run.attempt("code_a");
    let text = |run: &mut Run| {
        run.give(Command::StreamText {
            stage: shared::id::StageId::new("code_a"),
            attempt,
            delta: "def".into(),
            tokens: 1,
            total: None,
            origin: None,
        })
    };
    assert_eq!(text(&mut run).unwrap(), ["a> text at 0"]);
    assert_eq!(text(&mut run).unwrap(), ["a> text at 3"]);
    run.check(
        Command::Resume,
        &[
            "resumed",
            "a> discard code_a 1",
            "a> start code_a 2",
            "b> start code_b 2",
        ],
    );
    assert!(text(&mut run).unwrap_err().contains("no longer counts"));
    run.check(
        Command::Cancel,
        &[
            "a> skip code_a: cancelled",
            "a> cancelled",
            "b> skip code_b: cancelled",
            "b> cancelled",
            "skip both: cancelled",
            "cancelled",
        ],
    );
    assert_eq!(run.working(), Vec::<String>::new());
}

#[test]
fn evidence_of_a_branch_counts_for_the_proposal_it_checked() {
    let text = "name: x\nversion: 1\nstages:\n  - {id: find, kind: retrieval}\n  - {id: code, kind: code_generation}\n  \
                - id: both\n    kind: parallel\n    branches:\n      \
                - {id: a, stages: [{id: check_a, kind: checks}]}\n      \
                - {id: b, stages: [{id: check_b, kind: checks}]}\n";
    let mut run = Run::of(text);
    run.complete(Output::Context(context()));
    run.complete(Output::Proposal(proposal(&["a.py"])));
    run.complete_stage("check_a", checks(CheckStatus::Passed));
    run.complete_stage("check_b", checks(CheckStatus::Passed));
    assert_eq!(run.state.checks.len(), 2);
    assert!(run.state.is_finished());
}

const LOOP: &str = "name: x\nversion: 1\nstages:\n  - {id: find, kind: retrieval}\n  - {id: plan, kind: planning}\n  \
    - id: parts\n    kind: for_each\n    list: plan.modules\n    items_max: 2\n    stages:\n      \
    - {id: code, kind: code_generation}\n      - {id: look, kind: checks, retry_from: code, when: item != 'docs'}\n";

#[test]
fn a_loop_runs_once_for_each_item() {
    let mut run = Run::of(LOOP);
    run.complete(Output::Context(context()));
    let made = run.complete(Output::Plan(planned(&[
        "src/a.py",
        "docs/b.md",
        "src/c.py",
        "d.py",
    ])));
    assert_eq!(
        made[2..],
        [
            "start parts 1",
            "notice plan.modules has 3 items; `parts` does the first 2, the others are left out",
            "lanes of parts: parts:1=src parts:2=docs",
            "lane parts:1 1",
            "parts:1> start code:1 1",
            "lane parts:2 1",
            "parts:2> start code:2 1"
        ]
    );
    run.complete_stage("code:1", Output::Proposal(proposal(&["src/a.py"])));
    let made = run.complete_stage("look:1", checks(CheckStatus::Failed));
    assert_eq!(made.last().unwrap(), "parts:1> start code:1 2");
    run.complete_stage("code:1", Output::Proposal(proposal(&["src/a.py"])));
    run.complete_stage("look:1", checks(CheckStatus::Passed));
    let made = run.complete_stage("code:2", Output::Proposal(proposal(&["docs/b.md"])));
    assert_eq!(
        made[2],
        "parts:2> skip look:2: its condition does not hold: item != 'docs'"
    );
    assert_eq!(made.last().unwrap(), "completed");
    assert_eq!(files(&run), ["src/a.py", "docs/b.md"]);
    let records: Vec<String> = run
        .state
        .records()
        .iter()
        .map(|record| record.stage.to_string())
        .collect();
    assert_eq!(
        records,
        ["find", "plan", "parts", "code:1", "look:1", "code:2", "look:2"]
    );
}

#[test]
fn a_loop_over_nothing_is_left_out() {
    let mut run = Run::of(LOOP);
    run.complete(Output::Context(context()));
    let made = run.complete(Output::Plan(planned(&[])));
    assert_eq!(
        made[2..],
        ["start parts 1", "skip parts: plan.modules is empty", "completed"]
    );
}

#[test]
fn a_workflow_is_a_stage_of_another_one() {
    let inner = "name: write\nversion: 3\nstages:\n  - {id: find, kind: retrieval}\n  - {id: code, kind: code_generation}\n  \
                 - {id: checks, kind: checks, retry_from: code}\n";
    let outer = "name: x\nversion: 1\nstages:\n  - {id: plan, kind: planning}\n  - {id: sub, kind: workflow, workflow: write}\n  \
                 - {id: review, kind: review, on_modify: plan}\n  - {id: apply, kind: apply}\n";
    let library = Library::from([("write".to_owned(), inner.to_owned())]);
    let graph = graph::parse_with(outer, &library).unwrap();
    assert_ne!(graph.source, graph::parse(inner).unwrap().source);
    let mut run = Run::with(graph);
    run.complete(Output::Plan(plan(true)));
    assert_eq!(run.working(), ["sub.find"]);
    run.complete(Output::Context(context()));
    run.complete(Output::Proposal(proposal(&["a.py"])));
    let made = run.complete(checks(CheckStatus::Passed));
    assert_eq!(made.last().unwrap(), "ask");
    assert_eq!(
        run.state.context,
        Some(context().into()),
        "what it found is the outer one's too"
    );
}
