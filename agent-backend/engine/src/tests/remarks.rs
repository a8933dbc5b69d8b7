//! What a person says in the middle of the work, and what models were asked.

use shared::id::StageId;

use super::support::*;
use crate::{
    Command, Output, Phase,
    artifact::{CallEnding, ModelCall},
    history,
    limits::{REMARK_BYTES_MAX, REMARKS_MAX},
};

fn remark(text: &str) -> Command {
    Command::Remark {
        text: text.to_owned(),
    }
}

pub fn call(stage: StageId, attempt: u32) -> Command {
    let call = ModelCall {
        role: "code".into(),
        provider: "local".into(),
        model: "mistral".into(),
        number: 1,
        ending: CallEnding::Answered { cut: false },
        first_token_ms: Some(5),
        duration_ms: 9,
        prompt_tokens: 7,
        generated_tokens: 3,
        cost_microdollars: None,
    };
    Command::ReportCall { stage, attempt, call }
}

/// What a model is told that the running stage asks.
fn told(run: &Run) -> Vec<String> {
    run.state.working()[0].0.remarks_told()
}

#[test]
fn a_remark_is_for_the_next_call_of_a_model() {
    let mut run = Run::to_generation();
    run.write("def", 1);
    run.check(remark("use sqlite"), &["remark: use sqlite"]);
    assert_eq!(run.actions, [], "what runs is not disturbed");
    assert_eq!(told(&run), Vec::<String>::new(), "its text goes on without");
    run.complete(Output::Proposal(proposal(&["a.py"])));
    assert_eq!(told(&run), ["use sqlite"]);
    run.check(remark("use sqlite"), &[]);
}

#[test]
fn a_restart_asks_with_the_same_words_where_there_is_text() {
    let mut run = Run::to_generation();
    run.give(remark("before")).unwrap();
    let (stage, attempt) = run.at();
    // Begun again, so that the first remark is in its prompt.
    run.give(Command::RestartText {
        stage,
        attempt,
        reason: "another provider".into(),
    })
    .unwrap();
    run.give(remark("while the prompt is read")).unwrap();
    assert_eq!(told(&run), ["before", "while the prompt is read"]);
    run.write("def", 1);
    run.give(remark("while it writes")).unwrap();
    let mut back = Run::resumed(&run.history);
    back.check(Command::Resume, &["resumed"]);
    assert_eq!(told(&back), ["before"]);
    // Text that cannot be gone on with is written anew, with all of them.
    let (stage, attempt) = back.at();
    back.give(Command::RestartText {
        stage,
        attempt,
        reason: "another model".into(),
    })
    .unwrap();
    assert_eq!(
        told(&back),
        ["before", "while the prompt is read", "while it writes"]
    );
}

#[test]
fn remarks_last_longer_than_an_iteration_and_a_long_history() {
    let mut run = Run::to_review();
    run.check(remark("use sqlite"), &["remark: use sqlite"]);
    run.give(modify("add expiry")).unwrap();
    assert_eq!(told(&run), ["use sqlite"]);
    let short = history::compact(run.history.clone());
    assert_eq!(
        crate::fold(&short).map(|state| state.remarks),
        Some(run.state.remarks.clone())
    );
}

#[test]
fn every_part_is_told() {
    const PARTS: &str = "name: x\nversion: 1\nstages:\n  - {id: find, kind: retrieval}\n  - id: both\n    kind: parallel\n    parallel_max: 1\n    \
                         branches:\n      - id: a\n        stages: [{id: code_a, kind: code_generation}]\n      \
                         - id: b\n        stages: [{id: code_b, kind: code_generation}]\n";
    let mut run = Run::of(PARTS);
    run.complete(Output::Context(context()));
    run.check(remark("use sqlite"), &["remark: use sqlite"]);
    assert_eq!(told(&run), ["use sqlite"]);
    assert!(matches!(run.state.phase, Phase::Joining(_)));
    run.complete_stage("code_a", Output::Proposal(proposal(&["a.py"])));
    assert_eq!(
        (run.working(), told(&run)),
        (vec!["code_b".into()], vec!["use sqlite".into()])
    );
}

#[test]
fn remarks_have_words_an_end_and_a_time() {
    let mut run = Run::to_apply();
    run.refuse(remark(" \n"), "empty");
    run.refuse(remark(&"x".repeat(REMARK_BYTES_MAX + 1)), "at most");
    for number in 0..REMARKS_MAX {
        run.give(remark(&number.to_string())).unwrap();
    }
    run.refuse(remark("one more"), "20 remarks");
    let mut run = Run::to_apply();
    let (stage, attempt) = run.at();
    run.give(Command::IntendApply {
        stage,
        attempt,
        intent: intent(),
    })
    .unwrap();
    run.refuse(remark("too late"), "being written");
    run.complete(Output::Applied(applied()));
    run.refuse(remark("too late"), "finished");
}

#[test]
fn a_call_belongs_to_its_attempt() {
    let mut run = Run::to_generation();
    let (stage, attempt) = run.at();
    let asked = call(stage, attempt);
    run.check(asked.clone(), &["call code_generation 1.1"]);
    assert_eq!(run.actions, []);
    run.give(Command::Resume).unwrap();
    run.refuse(asked, "no longer counts");
}
