//! The fold: events in, whole state out.

use gui_client::{
    connection::fake,
    model::{
        Applied, Check, Folded, ModelUse, Notice, Phase, Plan, Retrieval, Stage, StageStatus, Workflow,
        diff::FileView, live::Live,
    },
};
use shared::{
    id::{Seq, StageId, WorkflowId},
    wire::{
        Body, CallEnding, CallNext, ChangeKind, CheckStatus, Decision, Envelope, FileDiff, ModelCall,
        NoticeLevel, PlanStage, Question, RetrievalMode, Span, StageEstimate, StageOutcome, WorkflowState,
    },
};

use crate::support::{event, events, finished, started, state, text};

fn blank() -> Workflow {
    Workflow::new(WorkflowId::new("w1"), "add a lock".to_owned(), "/src".to_owned())
}

fn fold(events: &[Envelope]) -> Workflow {
    let mut workflow = blank();
    for event in events {
        workflow.fold(&event.clone().into());
    }
    workflow
}

fn check(bodies: impl IntoIterator<Item = Body>, expect: impl Into<Workflow>) {
    assert_eq!(fold(&events(bodies)), expect.into());
}

fn stage(id: &str, attempt: u32, status: StageStatus) -> Stage {
    Stage {
        id: StageId::new(id),
        attempt,
        status,
        began: None,
    }
}

/// One that began with this event.
fn begun(seq: u64, id: &str, attempt: u32, status: StageStatus) -> Stage {
    Stage {
        began: Some(Seq(seq)),
        ..stage(id, attempt, status)
    }
}

fn file() -> FileDiff {
    FileDiff {
        path: "a.py".to_owned(),
        change: ChangeKind::Edit,
        old_text: Some("a\n".to_owned()),
        new_text: Some("b\n".to_owned()),
        lines_added: 1,
        hunks: Vec::new(),
        lines_removed: 1,
    }
}

const ALL: [Decision; 3] = [Decision::Accept, Decision::Reject, Decision::Modify];

fn needed(iteration: u32) -> Body {
    Body::DecisionNeeded {
        iteration,
        options: ALL.to_vec(),
        question: Question::Review,
    }
}

#[test]
fn nothing_yet() {
    check([], blank());
}

#[test]
fn stages_run_one_after_the_other() {
    check(
        [
            state(WorkflowState::Running, 1),
            started("retrieval", 1),
            finished("retrieval", 412),
            started("planning", 1),
        ],
        Workflow {
            head: Seq(4),
            phase: Phase::Running,
            stages: vec![
                begun(2, "retrieval", 1, StageStatus::Succeeded(412)),
                begun(4, "planning", 1, StageStatus::Running(100)),
            ],
            ..blank()
        },
    );
}

#[test]
fn what_the_stages_found() {
    let plan = PlanStage {
        stage_id: StageId::new("checks"),
        run: true,
        reason: "Python".to_owned(),
    };
    let estimate = StageEstimate {
        stage_id: StageId::new("checks"),
        tokens: None,
        seconds: Some(Span { least: 1, most: 4 }),
    };
    check(
        [
            Body::RetrievalResult {
                mode: RetrievalMode::Keyword,
                items: vec![],
                tokens: 7,
            },
            Body::Plan {
                summary: "do it".to_owned(),
                steps: vec!["first".to_owned()],
                stages: vec![plan.clone()],
                estimates: vec![estimate.clone()],
            },
            Body::CheckResult {
                name: "syntax".to_owned(),
                status: CheckStatus::Failed,
                command: None,
                exit_status: None,
                duration_ms: 3,
                output: "line 1".to_owned(),
                has_log: false,
            },
            Body::CheckResult {
                name: "syntax".to_owned(),
                status: CheckStatus::Passed,
                command: Some("python -m compileall".to_owned()),
                exit_status: Some(0),
                duration_ms: 4,
                output: String::new(),
                has_log: true,
            },
            Body::Notice {
                level: NoticeLevel::Warning,
                code: Some("E1501".to_owned()),
                message: "no db".to_owned(),
            },
        ],
        Workflow {
            head: Seq(5),
            retrieval: Some(Retrieval {
                mode: RetrievalMode::Keyword,
                items: vec![],
                tokens: 7,
            }),
            plan: Some(Plan {
                summary: "do it".to_owned(),
                steps: vec!["first".to_owned()],
                stages: vec![plan],
                estimates: vec![estimate],
            }),
            checks: vec![Check {
                name: "syntax".to_owned(),
                status: CheckStatus::Passed,
                command: Some("python -m compileall".to_owned()),
                exit_status: Some(0),
                duration_ms: 4,
                output: String::new(),
                has_log: true,
            }],
            notices: vec![Notice {
                level: NoticeLevel::Warning,
                code: Some("E1501".to_owned()),
                message: "no db".to_owned(),
            }],
            ..blank()
        },
    );
}

fn call(provider: &str, ending: CallEnding, cost_microdollars: Option<u64>) -> Body {
    let call = ModelCall {
        role: "code".to_owned(),
        provider: provider.to_owned(),
        model: "llama".to_owned(),
        number: 1,
        ending,
        first_token_ms: None,
        duration_ms: 2_000,
        prompt_tokens: 100,
        generated_tokens: 10,
        cost_microdollars,
    };
    Body::ModelCalled {
        stage_id: StageId::new("code_generation"),
        attempt: 1,
        call,
    }
}

#[test]
fn calls_of_models_are_counted_and_failures_told() {
    let failed = CallEnding::Failed {
        code: "E1402".to_owned(),
        reason: "no answer".to_owned(),
        next: CallNext::NextProvider,
    };
    let used = |provider: &str| ModelUse {
        provider: provider.to_owned(),
        model: "llama".to_owned(),
        ..ModelUse::default()
    };
    check(
        [
            call("groq", failed, None),
            call("local", CallEnding::Answered { cut: false }, None),
            call("groq", CallEnding::Answered { cut: true }, Some(12)),
            call("groq", CallEnding::FromCache, Some(3)),
        ],
        Workflow {
            head: Seq(4),
            models: vec![
                ModelUse {
                    answered: 2,
                    failed: 1,
                    prompt_tokens: 300,
                    generated_tokens: 30,
                    cost_microdollars: Some(15),
                    ..used("groq")
                },
                ModelUse {
                    answered: 1,
                    prompt_tokens: 100,
                    generated_tokens: 10,
                    ..used("local")
                },
            ],
            notices: vec![Notice {
                level: NoticeLevel::Warning,
                code: Some("E1402".to_owned()),
                message: "groq (llama) failed: no answer; the next one is asked".to_owned(),
            }],
            ..blank()
        },
    );
}

#[test]
fn remarks_outlive_an_iteration() {
    let said = |text: &str| Body::Remarked {
        text: text.to_owned(),
    };
    check(
        [
            said("use sqlite"),
            state(WorkflowState::Running, 2),
            said("and WAL"),
        ],
        Workflow {
            head: Seq(3),
            phase: Phase::Running,
            iteration: 2,
            remarks: vec!["use sqlite".to_owned(), "and WAL".to_owned()],
            ..blank()
        },
    );
}

#[test]
fn a_discarded_attempt_takes_its_text_along() {
    let discarded = Body::AttemptDiscarded {
        stage_id: StageId::new("code_generation"),
        attempt: 1,
        reason: "the backend restarted".to_owned(),
    };
    check(
        [text("def f", 0, 5), discarded],
        Workflow {
            head: Seq(2),
            notices: vec![Notice {
                level: NoticeLevel::Warning,
                code: None,
                message: "code_generation: attempt 1 was discarded: the backend restarted".to_owned(),
            }],
            ..blank()
        },
    );
}

#[test]
fn a_resumed_attempt_keeps_its_text() {
    let resumed = Body::AttemptResumed {
        stage_id: StageId::new("code_generation"),
        attempt: 1,
        resumed_at_token: 5,
    };
    let whole = fold(&events([text("def f", 0, 5), resumed, text("()", 5, 6)]));
    let live = whole.live.unwrap();
    assert_eq!((live.lines, live.tokens), (vec!["def f()".to_owned()], 6));
}

#[test]
fn a_proposal_waits_for_its_answer() {
    let workflow = fold(&events([
        Body::DiffReady {
            iteration: 1,
            files: vec![file()],
        },
        needed(1),
    ]));
    let expect = Workflow {
        head: Seq(2),
        phase: Phase::Review {
            iteration: 1,
            options: ALL.to_vec(),
            question: Question::Review,
        },
        files: vec![FileView::new(&file())].into(),
        ..blank()
    };
    assert_eq!(workflow, expect);
    assert_eq!(ALL.map(|decision| workflow.may(decision)), [true; 3]);
    assert_eq!(ALL.map(|decision| blank().may(decision)), [false; 3]);
}

#[test]
fn an_answer_can_be_given_once() {
    let taken = Body::DecisionTaken {
        decision: Decision::Accept,
        feedback: None,
    };
    let workflow = fold(&events([needed(1), taken]));
    assert_eq!(
        workflow,
        Workflow {
            head: Seq(2),
            phase: Phase::Decided(Decision::Accept),
            ..blank()
        }
    );
    assert_eq!(ALL.map(|decision| workflow.may(decision)), [false; 3]);
}

#[test]
fn nothing_goes_on_from_where_an_accepted_proposal_is_written() {
    let taken = Body::DecisionTaken {
        decision: Decision::Accept,
        feedback: None,
    };
    let proposed = Body::DiffReady {
        iteration: 1,
        files: vec![file()],
    };
    let began = |bodies: Vec<Body>| -> Vec<Option<Seq>> {
        let workflow = fold(&events(bodies));
        workflow.stages.iter().map(|stage| stage.began).collect()
    };
    let review = [proposed, started("review", 1), needed(1), taken.clone()];
    let apply = started("apply", 1);
    assert_eq!(
        began([review.as_slice(), &[apply]].concat()),
        [Some(Seq(2)), None]
    );
    // An accepted plan has written nothing yet.
    let plan = vec![
        started("plan_review", 1),
        needed(1),
        taken,
        started("code_generation", 1),
    ];
    assert_eq!(began(plan), [Some(Seq(1)), Some(Seq(4))]);
}

#[test]
fn a_modification_begins_anew_and_keeps_plan_and_context() {
    let retrieval = Retrieval {
        mode: RetrievalMode::Hybrid,
        items: vec![],
        tokens: 9,
    };
    check(
        [
            Body::RetrievalResult {
                mode: RetrievalMode::Hybrid,
                items: vec![],
                tokens: 9,
            },
            started("code_generation", 1),
            text("def f", 0, 5),
            finished("code_generation", 10),
            Body::DiffReady {
                iteration: 1,
                files: vec![file()],
            },
            needed(1),
            Body::DecisionTaken {
                decision: Decision::Modify,
                feedback: Some("shorter".to_owned()),
            },
            state(WorkflowState::Running, 2),
        ],
        Workflow {
            head: Seq(8),
            phase: Phase::Running,
            iteration: 2,
            stages: vec![stage("code_generation", 0, StageStatus::Pending)],
            feedback: vec!["shorter".to_owned()],
            retrieval: Some(retrieval),
            ..blank()
        },
    );
}

#[test]
fn ends() {
    let applied = Applied {
        commit: Some("abc".to_owned()),
        branch: Some("main".to_owned()),
        paths: vec!["a.py".to_owned()],
    };
    let body = Body::Applied {
        commit: applied.commit.clone(),
        branch: applied.branch.clone(),
        paths: applied.paths.clone(),
    };
    let ended = |phase: Phase, head: u64| Workflow {
        head: Seq(head),
        phase,
        ..blank()
    };
    let failed = Phase::Failed {
        code: "E1401".to_owned(),
        message: "no Ollama".to_owned(),
    };
    let body_failed = Body::Failed {
        code: "E1401".to_owned(),
        message: "no Ollama".to_owned(),
    };
    check(
        [body, state(WorkflowState::Completed, 1)],
        ended(Phase::Completed(applied), 2),
    );
    check([body_failed, state(WorkflowState::Failed, 1)], ended(failed, 2));
    check([state(WorkflowState::Rejected, 1)], ended(Phase::Rejected, 1));
    check(
        [started("checks", 1), state(WorkflowState::Cancelled, 1)],
        Workflow {
            stages: vec![begun(1, "checks", 1, StageStatus::Skipped("stopped".to_owned()))],
            ..ended(Phase::Cancelled, 2)
        },
    );
}

#[test]
fn a_failed_stage_is_tried_again_in_its_place() {
    let failed = Body::StageFinished {
        stage_id: StageId::new("checks"),
        attempt: 1,
        outcome: StageOutcome::Failed,
        duration_ms: 5,
        reason: Some("syntax".to_owned()),
    };
    let again = Body::StageStarted {
        stage_id: StageId::new("checks"),
        attempt: 2,
        iteration: 1,
    };
    let one = Workflow {
        head: Seq(2),
        stages: vec![begun(1, "checks", 1, StageStatus::Failed(5, "syntax".to_owned()))],
        ..blank()
    };
    check([started("checks", 1), failed.clone()], one);
    let two = Workflow {
        head: Seq(3),
        stages: vec![begun(3, "checks", 2, StageStatus::Running(100))],
        ..blank()
    };
    check([started("checks", 1), failed, again], two);
}

#[test]
fn a_failure_is_asked_about_with_its_reason() {
    let failed = |stage: &str| Body::StageFinished {
        stage_id: StageId::new(stage),
        attempt: 1,
        outcome: StageOutcome::Failed,
        duration_ms: 5,
        reason: Some(format!("{stage} went wrong")),
    };
    let asked = Body::DecisionNeeded {
        iteration: 1,
        options: ALL.to_vec(),
        question: Question::Failure {
            stage_id: StageId::new("planning"),
        },
    };
    let bodies = [
        started("retrieval", 1),
        failed("retrieval"),
        started("planning", 1),
        failed("planning"),
    ];
    let workflow = fold(&events(bodies.clone().into_iter().chain([asked])));
    assert_eq!(
        workflow.failure_asked(),
        Some((&StageId::new("planning"), "planning went wrong"))
    );
    let workflow = fold(&events(bodies.into_iter().chain([needed(1)])));
    assert_eq!(workflow.failure_asked(), None);
}

#[test]
fn duplicates_gaps_and_strangers_change_nothing() {
    let one = event(1, 100, text("def", 0, 1));
    let mut workflow = blank();
    let mut live = Live::new(StageId::new("code_generation"), 1);
    live.take(&one.body, 100);
    let expect = Workflow {
        head: Seq(1),
        live: Some(live),
        ..blank()
    };
    let stranger = Envelope {
        workflow_id: WorkflowId::new("w2"),
        ..event(2, 100, text(" f", 3, 2))
    };
    let folded = [
        workflow.fold(&one.clone().into()),
        workflow.fold(&one.into()),
        workflow.fold(&event(3, 100, text("!", 9, 3)).into()),
        workflow.fold(&stranger.into()),
    ];
    assert_eq!(
        folded,
        [Folded::Yes, Folded::Ignored, Folded::Gap, Folded::Ignored]
    );
    assert_eq!(workflow, expect);
}

#[test]
fn a_resync_drops_everything_but_the_request() {
    let mut workflow = fold(&events([started("checks", 1), text("def", 0, 1), needed(1)]));
    let resync = event(
        40,
        100,
        Body::Resync {
            reason: "slow".to_owned(),
        },
    );
    assert_eq!(workflow.fold(&resync.into()), Folded::Restarted);
    assert_eq!(
        workflow,
        Workflow {
            stages: vec![stage("checks", 0, StageStatus::Pending)],
            ..blank()
        }
    );
}

#[test]
fn a_replay_from_any_point_gives_the_same_state() {
    let transcript = fake::read(fake::DEMO).unwrap();
    let start = || Workflow::new(WorkflowId::new("wf_demo"), String::new(), String::new());
    let mut whole = start();
    for event in &transcript {
        assert_eq!(whole.fold(&event.clone().into()), Folded::Yes);
    }
    assert!(
        matches!(&whole.phase, Phase::Completed(applied) if applied.paths.len() == 3),
        "{:?}",
        whole.phase
    );
    assert_eq!(
        (whole.iteration, whole.files.len(), whole.feedback.len()),
        (2, 3, 1)
    );
    // A connection that breaks anywhere and repeats a few events on its return.
    for cut in (0..transcript.len()).step_by(37) {
        let mut workflow = start();
        for event in transcript[..cut]
            .iter()
            .chain(&transcript[cut.saturating_sub(5)..])
        {
            workflow.fold(&event.clone().into());
        }
        assert_eq!(workflow, whole, "cut at {cut}");
    }
}
