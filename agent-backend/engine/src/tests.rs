//! Histories as text: each test drives a workflow by commands and compares
//! every event that came of them.

mod properties;

use shared::{
    error::{Class, Code},
    id::{CorrelationId, Seq, WorkflowId},
};

use crate::{
    Action, Command, Ctx, Ending, Event, Outcome, Output, Recorded, State,
    artifact::{
        Applied, ApplyIntent, CheckReport, CheckStatus, Context, Decision, Failure, FileChange,
        FileSelection, Plan, Proposal, RetrievalMode, Selection, StageChoice, Task,
    },
    blob::BlobId,
    decide, graph, react, submit,
};

const GRAPH: &str = include_str!("../../../config/workflows/feature_implementation.yaml");

/// A workflow under test.
struct Run {
    state: State,
    history: Vec<Recorded>,
    actions: Vec<Action>,
    now_ms: u64,
}

impl Run {
    fn begin() -> Self {
        let graph = graph::parse(GRAPH).unwrap();
        let task = Task {
            workflow_type: graph.name.clone(),
            query: "add login".into(),
            workspace: "/w".into(),
        };
        let events = submit(WorkflowId::new("w1"), CorrelationId::new("c1"), task, graph).unwrap();
        let mut run = Self {
            state: blank(),
            history: Vec::new(),
            actions: Vec::new(),
            now_ms: 1_000,
        };
        run.append(events);
        run
    }

    fn append(&mut self, events: Vec<Event>) {
        let mut seq = self.history.last().map_or(Seq::default(), |last| last.seq);
        for event in events {
            seq = seq.next();
            let recorded = Recorded {
                seq,
                at_ms: self.now_ms,
                event,
            };
            let state = (seq > Seq(1)).then(|| self.state.clone());
            self.state = crate::apply(state, &recorded).unwrap();
            self.history.push(recorded);
        }
    }

    /// Gives a command a second later; returns its events as text.
    fn give(&mut self, command: Command) -> Result<Vec<String>, String> {
        self.now_ms += 1_000;
        let ctx = Ctx { now_ms: self.now_ms };
        let events = decide(&self.state, command, &ctx).map_err(|reject| reject.to_string())?;
        let from = self.history.len();
        self.append(events);
        let state = &self.state;
        self.actions = self.history[from..]
            .iter()
            .flat_map(|recorded| react(state, &recorded.event))
            .collect();
        Ok(self.history[from..]
            .iter()
            .map(|recorded| line(&recorded.event))
            .collect())
    }

    fn check(&mut self, command: Command, expect: &[&str]) {
        assert_eq!(self.give(command).unwrap(), expect);
        self.fold_equals_live();
    }

    fn refuse(&mut self, command: Command, part: &str) {
        let before = self.state.clone();
        let error = self.give(command).unwrap_err();
        assert!(error.contains(part), "{error}");
        assert_eq!(self.state, before);
    }

    fn fold_equals_live(&self) {
        assert_eq!(crate::fold(&self.history).as_ref(), Some(&self.state));
    }

    /// The running stage and attempt.
    fn at(&self) -> (shared::id::StageId, u32) {
        let (running, _) = self.state.running().unwrap();
        (running.stage.clone(), running.attempt)
    }

    fn complete(&mut self, output: Output) -> Vec<String> {
        let (stage, attempt) = self.at();
        self.give(Command::CompleteStage {
            stage,
            attempt,
            output,
        })
        .unwrap()
    }

    fn fail(&mut self, class: Class) -> Vec<String> {
        let (stage, attempt) = self.at();
        self.give(Command::FailStage {
            stage,
            attempt,
            failure: failure(class),
        })
        .unwrap()
    }

    fn stream(&mut self, delta: &str) {
        let (stage, attempt) = self.at();
        let delta = delta.to_owned();
        self.give(Command::StreamText {
            stage,
            attempt,
            delta,
            tokens: 1,
            total: None,
        })
        .unwrap();
    }

    /// Up to the review, all stages run.
    fn to_review() -> Self {
        let mut run = Self::to_checks();
        run.complete(checks(CheckStatus::Passed));
        run
    }

    fn to_checks() -> Self {
        let mut run = Self::to_generation();
        run.complete(Output::Proposal(proposal(&["a.py"])));
        run.complete(Output::Proposal(proposal(&["a.py", "test_a.py"])));
        run
    }

    fn to_generation() -> Self {
        let mut run = Self::begin();
        run.complete(Output::Context(context()));
        run.complete(Output::Plan(plan(true)));
        run
    }

    fn to_apply() -> Self {
        let mut run = Self::to_review();
        run.give(accept()).unwrap();
        run
    }
}

fn blank() -> State {
    let graph = graph::parse(GRAPH).unwrap();
    let task = Task {
        workflow_type: String::new(),
        query: "x".into(),
        workspace: String::new(),
    };
    let events = submit(WorkflowId::new("w0"), CorrelationId::new("c0"), task, graph).unwrap();
    let first = Recorded {
        seq: Seq(1),
        at_ms: 0,
        event: events.into_iter().next().unwrap(),
    };
    crate::apply(None, &first).unwrap()
}

fn line(event: &Event) -> String {
    match event {
        Event::Submitted { .. } => "submitted".into(),
        Event::StageStarted { stage, attempt } => format!("start {stage} {attempt}"),
        Event::Streamed(streamed) => format!("text at {}", streamed.offset),
        Event::ContextRetrieved(_) => "context".into(),
        Event::Planned(_) => "plan".into(),
        Event::Proposed(proposal) => format!("propose {}", proposal.files.len()),
        Event::Checked(report) => format!("check {:?}", report.status),
        Event::StageFinished {
            stage,
            attempt,
            ending,
            duration_ms,
        } => match ending {
            Ending::Succeeded => format!("end {stage} {attempt} after {duration_ms}"),
            Ending::Skipped { reason } => format!("skip {stage}: {reason}"),
            Ending::Failed(failure) => format!("fail {stage} {attempt}: {}", failure.class),
        },
        Event::AttemptDiscarded { stage, attempt, .. } => format!("discard {stage} {attempt}"),
        Event::DecisionRequested => "ask".into(),
        Event::Decided(decision) => match decision {
            Decision::Accept(_) => "accepted".into(),
            Decision::Reject { .. } => "rejected".into(),
            Decision::Modify { feedback } => format!("modify: {feedback}"),
        },
        Event::IterationStarted { iteration } => format!("iteration {iteration}"),
        Event::ApplyIntended(_) => "intend".into(),
        Event::Applied(_) => "applied".into(),
        Event::Resumed => "resumed".into(),
        Event::Noticed(notice) => format!("notice {}", notice.message),
        Event::Finished(outcome) => match outcome {
            Outcome::Completed => "completed".into(),
            Outcome::Rejected => "finished rejected".into(),
            Outcome::Cancelled => "cancelled".into(),
            Outcome::Failed(failure) => format!("failed {}", failure.code),
        },
    }
}

fn context() -> Context {
    Context {
        mode: RetrievalMode::Keyword,
        items: Vec::new(),
        packed: BlobId::of(b"code"),
        tokens: 1,
    }
}

fn plan(tests: bool) -> Plan {
    let stage = shared::id::StageId::new("test_generation");
    let choice = StageChoice {
        stage,
        run: tests,
        reason: "because".into(),
    };
    Plan {
        summary: "Add login".into(),
        stages: vec![choice],
        ..Plan::default()
    }
}

fn proposal(paths: &[&str]) -> Proposal {
    let file = |path: &&str| FileChange {
        path: (*path).into(),
        old: None,
        new: Some(BlobId::of(path.as_bytes())),
        lines_added: 1,
        lines_removed: 0,
    };
    Proposal {
        summary: "Add login".into(),
        files: paths.iter().map(file).collect(),
    }
}

fn report(status: CheckStatus) -> CheckReport {
    CheckReport {
        name: "syntax".into(),
        status,
        command: None,
        duration_ms: 1,
        output: "line 3".into(),
    }
}

fn checks(status: CheckStatus) -> Output {
    let problems = if status == CheckStatus::Failed {
        vec!["syntax: line 3".to_owned()]
    } else {
        Vec::new()
    };
    Output::Checks {
        reports: vec![report(status)],
        problems,
    }
}

fn failure(class: Class) -> Failure {
    Failure {
        class,
        code: Code::AnswerNoEdits,
        message: "no edits".into(),
    }
}

fn intent() -> ApplyIntent {
    ApplyIntent {
        commit: None,
        files: Vec::new(),
    }
}

fn applied() -> Applied {
    Applied {
        commit: Some("abc".into()),
        branch: Some("main".into()),
        paths: Vec::new(),
    }
}

fn accept() -> Command {
    Command::Decide {
        iteration: None,
        decision: Decision::Accept(Selection::All),
    }
}

fn modify(feedback: &str) -> Command {
    Command::Decide {
        iteration: None,
        decision: Decision::Modify {
            feedback: feedback.into(),
        },
    }
}

#[test]
fn the_whole_way_to_a_commit() {
    let mut run = Run::begin();
    assert_eq!(
        run.complete(Output::Context(context())),
        ["context", "end retrieval 1 after 1000", "start planning 1"]
    );
    assert_eq!(
        run.complete(Output::Plan(plan(true))),
        ["plan", "end planning 1 after 1000", "start code_generation 1"]
    );
    let made = run.complete(Output::Proposal(proposal(&["a.py"])));
    assert_eq!(
        made,
        [
            "propose 1",
            "end code_generation 1 after 1000",
            "start test_generation 1"
        ]
    );
    let made = run.complete(Output::Proposal(proposal(&["a.py", "test_a.py"])));
    assert_eq!(
        made,
        ["propose 2", "end test_generation 1 after 1000", "start checks 1"]
    );
    let checked = run.complete(checks(CheckStatus::Passed));
    assert_eq!(
        checked,
        ["check Passed", "end checks 1 after 1000", "start review 1", "ask"]
    );
    assert!(run.actions.is_empty(), "a person works on the review");
    run.check(
        accept(),
        &["accepted", "end review 1 after 1000", "start apply 1"],
    );
    let (stage, attempt) = run.at();
    run.check(
        Command::IntendApply {
            stage,
            attempt,
            intent: intent(),
        },
        &["intend"],
    );
    assert!(matches!(run.actions[..], [Action::WriteApply { .. }]));
    let done = run.complete(Output::Applied(applied()));
    assert_eq!(done, ["applied", "end apply 1 after 2000", "completed"]);
    assert_eq!(run.actions, [Action::StopWork]);
    run.refuse(Command::Cancel, "already finished");
}

#[test]
fn the_plan_leaves_an_optional_stage_out() {
    let mut run = Run::begin();
    run.complete(Output::Context(context()));
    run.complete(Output::Plan(plan(false)));
    let made = run.complete(Output::Proposal(proposal(&["a.py"])));
    let expect = [
        "propose 1",
        "end code_generation 1 after 1000",
        "skip test_generation: because",
        "start checks 1",
    ];
    assert_eq!(made, expect);
}

#[test]
fn bad_answers_are_tried_again_as_often_as_defined() {
    let mut run = Run::to_generation();
    run.stream("def");
    let first = run.fail(Class::Permanent);
    assert_eq!(
        first,
        [
            "discard code_generation 1",
            "fail code_generation 1: permanent",
            "start code_generation 2"
        ]
    );
    assert!(matches!(
        run.actions[..],
        [Action::RunStage {
            delay_ms: 0,
            attempt: 2,
            ..
        }]
    ));
    assert_eq!(
        run.fail(Class::Permanent),
        ["fail code_generation 2: permanent", "start code_generation 3"]
    );
    assert_eq!(
        run.fail(Class::Permanent),
        ["fail code_generation 3: permanent", "failed E1302"]
    );
}

#[test]
fn passing_failures_wait_longer_each_time() {
    let mut run = Run::begin();
    run.fail(Class::Transient);
    assert!(
        matches!(run.actions[..], [Action::RunStage { delay_ms: 500, .. }]),
        "{:?}",
        run.actions
    );
    run.fail(Class::Transient);
    assert!(
        matches!(run.actions[..], [Action::RunStage { delay_ms: 1_000, .. }]),
        "{:?}",
        run.actions
    );
}

#[test]
fn an_optional_stage_may_fail() {
    let mut run = Run::to_generation();
    run.complete(Output::Proposal(proposal(&["a.py"])));
    run.fail(Class::Permanent);
    assert_eq!(
        run.fail(Class::Permanent),
        ["fail test_generation 2: permanent", "start checks 1"]
    );
}

#[test]
fn a_wrong_request_is_not_tried_again() {
    let mut run = Run::begin();
    assert_eq!(run.fail(Class::User), ["fail retrieval 1: user", "failed E1302"]);
}

#[test]
fn failed_checks_go_back_to_the_code_and_then_to_the_person() {
    let mut run = Run::to_checks();
    let failed = |run: &mut Run| run.complete(checks(CheckStatus::Failed));
    assert_eq!(
        failed(&mut run),
        [
            "check Failed",
            "fail checks 1: permanent",
            "start code_generation 2"
        ]
    );
    assert_eq!(run.state.failures.last().unwrap().message, "syntax: line 3");
    run.complete(Output::Proposal(proposal(&["a.py"])));
    assert!(run.state.checks.is_empty(), "evidence is about one proposal");
    run.complete(Output::Proposal(proposal(&["a.py"])));
    failed(&mut run);
    run.complete(Output::Proposal(proposal(&["a.py"])));
    run.complete(Output::Proposal(proposal(&["a.py"])));
    assert_eq!(
        failed(&mut run),
        [
            "check Failed",
            "fail checks 3: permanent",
            "start review 1",
            "ask"
        ]
    );
}

#[test]
fn a_proposal_that_could_not_be_mended_is_shown_to_the_person() {
    let mut run = Run::to_checks();
    run.complete(checks(CheckStatus::Failed));
    run.fail(Class::Permanent);
    run.fail(Class::Permanent);
    let last = run.fail(Class::Permanent);
    assert_eq!(
        last,
        [
            "fail code_generation 4: permanent",
            "notice no edits",
            "start review 1",
            "ask"
        ]
    );
    assert_eq!(run.state.checks.len(), 1, "with its evidence");
}

#[test]
fn feedback_starts_another_iteration_with_the_same_context() {
    let mut run = Run::to_review();
    run.refuse(modify("  "), "feedback");
    run.check(
        modify("add expiry"),
        &[
            "modify: add expiry",
            "end review 1 after 2000",
            "iteration 2",
            "skip retrieval: the result of iteration 1 is used again",
            "start planning 1",
        ],
    );
    assert_eq!(run.state.context, Some(context()));
    assert_eq!(run.state.previous, Some(proposal(&["a.py", "test_a.py"])));
    assert_eq!(run.state.proposal, None);
    let stale = Command::Decide {
        iteration: Some(1),
        decision: Decision::Accept(Selection::All),
    };
    run.refuse(stale, "not waiting");
}

#[test]
fn a_decision_is_about_the_iteration_that_was_seen() {
    let mut run = Run::to_review();
    let other = Command::Decide {
        iteration: Some(7),
        decision: Decision::Accept(Selection::All),
    };
    run.refuse(other, "iteration 7");
    let selection = |path: &str, hunks| {
        let files = vec![FileSelection {
            path: path.into(),
            hunks,
        }];
        Command::Decide {
            iteration: Some(1),
            decision: Decision::Accept(Selection::Files(files)),
        }
    };
    run.refuse(selection("b.py", None), "no file `b.py`");
    run.refuse(selection("a.py", Some(Vec::new())), "empty");
    assert!(run.give(selection("a.py", Some(vec![0]))).is_ok());
}

#[test]
fn rejecting_ends_it() {
    let mut run = Run::to_review();
    let reject = Command::Decide {
        iteration: None,
        decision: Decision::Reject { feedback: None },
    };
    run.check(
        reject,
        &["rejected", "end review 1 after 1000", "finished rejected"],
    );
}

#[test]
fn cancel_stops_at_any_point_but_not_while_files_are_written() {
    Run::begin().check(Command::Cancel, &["skip retrieval: cancelled", "cancelled"]);
    Run::to_review().check(Command::Cancel, &["cancelled"]);
    let mut run = Run::to_apply();
    let (stage, attempt) = run.at();
    run.give(Command::IntendApply {
        stage,
        attempt,
        intent: intent(),
    })
    .unwrap();
    run.refuse(Command::Cancel, "being written");
}

#[test]
fn a_refused_write_goes_back_to_the_person() {
    let mut run = Run::to_apply();
    let refused = run.fail(Class::User);
    assert_eq!(
        refused,
        ["fail apply 1: user", "notice no edits", "start review 2", "ask"]
    );
    assert!(run.give(accept()).is_ok());
}

#[test]
fn a_branch_that_moved_is_planned_for_again() {
    let mut run = Run::to_apply();
    let (stage, attempt) = run.at();
    run.give(Command::IntendApply {
        stage,
        attempt,
        intent: intent(),
    })
    .unwrap();
    assert_eq!(
        run.fail(Class::Transient),
        ["fail apply 1: transient", "start apply 2"]
    );
    assert!(
        matches!(run.actions[..], [Action::RunStage { attempt: 2, .. }]),
        "{:?}",
        run.actions
    );
}

#[test]
fn a_restart_discards_text_and_nothing_else() {
    let mut run = Run::to_generation();
    run.stream("def");
    run.check(
        Command::Resume,
        &["resumed", "discard code_generation 1", "start code_generation 2"],
    );
    run.check(Command::Resume, &["resumed", "start code_generation 3"]);
    assert_eq!(
        run.state.record(&run.at().0).unwrap().failed,
        0,
        "a restart costs no attempt"
    );
    Run::to_review().check(Command::Resume, &[]);
}

#[test]
fn a_restart_in_the_middle_of_writing_writes_the_same_intent_again() {
    let mut run = Run::to_apply();
    let (stage, attempt) = run.at();
    run.give(Command::IntendApply {
        stage,
        attempt,
        intent: intent(),
    })
    .unwrap();
    run.check(Command::Resume, &["resumed", "start apply 2"]);
    assert!(matches!(run.actions[..], [Action::WriteApply { attempt: 2, .. }]));
}

#[test]
fn a_run_that_kills_the_process_is_given_up() {
    let mut run = Run::to_generation();
    for _ in 0..crate::limits::RESUMES_MAX {
        run.give(Command::Resume).unwrap();
    }
    run.check(Command::Resume, &["failed E1012"]);
}

#[test]
fn late_results_count_for_nothing() {
    let mut run = Run::to_generation();
    let (stage, attempt) = run.at();
    run.give(Command::Resume).unwrap();
    let late = Command::CompleteStage {
        stage,
        attempt,
        output: Output::Proposal(proposal(&["a.py"])),
    };
    run.refuse(late, "no longer counts");
}

#[test]
fn requests_have_words_and_an_end() {
    let check = |query: &str, part: &str| {
        let graph = graph::parse(GRAPH).unwrap();
        let task = Task {
            workflow_type: graph.name.clone(),
            query: query.into(),
            workspace: "/w".into(),
        };
        let error = submit(WorkflowId::new("w"), CorrelationId::new("c"), task, graph).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    check("", "empty");
    check(" \n", "empty");
    check(&"x".repeat(crate::limits::QUERY_BYTES_MAX + 1), "at most");
}
