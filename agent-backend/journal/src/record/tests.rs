//! The text of version 1 is frozen: `samples` holds at least one of every kind
//! of event, `fixtures/v1.jsonl` the text they had when the version was made.

mod beginnings;
mod intents;
mod later;
mod strategies;
mod tools;

use engine::{
    artifact::{
        Applied, ApplyIntent, CallEnding, CallNext, CheckReport, CheckStatus, Choices, CommitIntent, Context,
        ContextItem, ContextRead, Decision, Estimate, Failure, FileChange, FileSelection, Image, ImageFormat,
        ModelCall, Plan, Proposal, RetrievalMode, Search, Selection, Span, StageChoice, Task, ThoughtLevel,
    },
    blob::BlobId,
    event::{
        Ending, Event, GenerationTotal, Help, LanePlan, Notice, NoticeLevel, Origin, Recorded, Streamed,
    },
    graph::{
        Backoff, Branch, Deadline, DefaultAnswer, Expr, Graph, Group, Join, Lanes, List, OnFailure, Presence,
        Retry, Stage, StageKind, Work,
    },
    state::Outcome,
};
use proptest::prelude::*;
use shared::{
    error::{Class, Code},
    id::{CorrelationId, Seq, StageId, WorkflowId},
};

use self::{
    later::{
        choice_samples, edit_samples, estimate_samples, image_samples, leave_samples, read_samples,
        recheck_samples, role_samples, thought_samples, trial_samples, undo_samples,
    },
    strategies::events,
};
use super::{Row, Unreadable, VERSION, decode, decode_body, encode};
use crate::Error;

const FIXTURE: &str = include_str!("fixtures/v1.jsonl");
const ADDED: &str = include_str!("fixtures/v1-added.jsonl");
const CALLS: &str = include_str!("fixtures/v1-calls.jsonl");
const ROLES: &str = include_str!("fixtures/v1-roles.jsonl");
const READS: &str = include_str!("fixtures/v1-reads.jsonl");
const TRIALS: &str = include_str!("fixtures/v1-trials.jsonl");
const EDITS: &str = include_str!("fixtures/v1-edits.jsonl");
const RECHECKS: &str = include_str!("fixtures/v1-rechecks.jsonl");
const ESTIMATES: &str = include_str!("fixtures/v1-estimates.jsonl");
const LEAVES: &str = include_str!("fixtures/v1-leaves.jsonl");
const UNDOS: &str = include_str!("fixtures/v1-undos.jsonl");
const CHOICES: &str = include_str!("fixtures/v1-choices.jsonl");
const THOUGHTS: &str = include_str!("fixtures/v1-thoughts.jsonl");
const IMAGES: &str = include_str!("fixtures/v1-images.jsonl");
const HISTORY: &str = include_str!("fixtures/v1-history.jsonl");

fn text(event: &Event) -> String {
    let recorded = Recorded {
        seq: Seq(1),
        at_ms: 0,
        event: event.clone(),
    };
    encode(&WorkflowId::new("wf"), &recorded).unwrap().body
}

fn failure() -> Failure {
    Failure {
        class: Class::Transient,
        code: Code::ModelTimeout,
        message: "no answer in 30 s".to_owned(),
    }
}

fn change() -> FileChange {
    FileChange {
        path: "src/sum.py".to_owned(),
        old: Some(BlobId::of(b"old")),
        new: Some(BlobId::of(b"new")),
        lines_added: 3,
        lines_removed: 1,
    }
}

fn stage(id: &str, kind: StageKind) -> Stage {
    Stage::new(StageId::new(id), Work::Kind(kind))
}

fn samples() -> Vec<Event> {
    let code = StageId::new("code_generation");
    let mut stages: Vec<Stage> = StageKind::ALL.map(|kind| stage(kind.as_str(), kind)).to_vec();
    stages[3].presence = Presence::Optional;
    stages[4].retry_from = Some(code.clone());
    stages[5].on_modify = Some(StageId::new("planning"));
    vec![
        Event::Submitted {
            workflow: WorkflowId::new("0191e9a4-7b1c-7cc3-98c4-dc0c0c07398f"),
            correlation: CorrelationId::new("req_xyz"),
            task: Task {
                workflow_type: "feature_implementation".to_owned(),
                query: "add \"sum\"\nwith umlauts: ä 🦀".to_owned(),
                workspace: "/home/ada/shop".to_owned(),
                choices: Choices::default(),
                images: Vec::new(),
            },
            graph: Graph {
                name: "feature_implementation".to_owned(),
                version: 1,
                source: None,
                stages,
            },
        },
        Event::StageStarted {
            stage: code.clone(),
            attempt: 2,
        },
        Event::Streamed(Streamed {
            stage: code.clone(),
            attempt: 1,
            offset: 20,
            delta: " b):".to_owned(),
            tokens: 10,
            total: None,
            origin: None,
        }),
        Event::Streamed(Streamed {
            stage: code.clone(),
            attempt: 1,
            offset: 24,
            delta: String::new(),
            tokens: 10,
            total: Some(GenerationTotal {
                duration_ms: 900,
                prompt_tokens: 2500,
                generated_tokens: 10,
                cut: false,
            }),
            origin: None,
        }),
        Event::ContextRetrieved(Context {
            mode: RetrievalMode::LocalKeyword,
            items: vec![
                ContextItem {
                    path: "src/sum.py".to_owned(),
                    start_line: 1,
                    end_line: 9,
                    symbol: Some("calculate_sum".to_owned()),
                    score: 0.1,
                    found_by: Vec::new(),
                },
                ContextItem {
                    path: "README.md".to_owned(),
                    start_line: 1,
                    end_line: 1,
                    symbol: None,
                    score: 1.0 / 3.0,
                    found_by: Vec::new(),
                },
            ],
            packed: BlobId::of(b"packed"),
            tokens: 2500,
        }),
        Event::Planned(Plan {
            summary: "Add a function.".to_owned(),
            steps: vec!["write it".to_owned()],
            files: vec!["src/sum.py".to_owned()],
            stages: vec![StageChoice {
                stage: StageId::new("test_generation"),
                run: false,
                reason: "no tests there".to_owned(),
            }],
            estimates: Vec::new(),
        }),
        Event::Proposed(Proposal {
            summary: "add calculate_sum".to_owned(),
            files: vec![
                change(),
                FileChange {
                    old: None,
                    ..change()
                },
                FileChange {
                    new: None,
                    ..change()
                },
            ],
            reads: Vec::new(),
        }),
        Event::Checked(CheckReport {
            name: "syntax".to_owned(),
            status: CheckStatus::Passed,
            command: Some("python3 -m py_compile".to_owned()),
            exit_status: None,
            duration_ms: 12,
            output: String::new(),
            log: None,
        }),
        Event::StageFinished {
            stage: code.clone(),
            attempt: 1,
            ending: Ending::Succeeded,
            duration_ms: 1200,
        },
        Event::StageFinished {
            stage: StageId::new("test_generation"),
            attempt: 0,
            ending: Ending::Skipped {
                reason: "the plan leaves it out".to_owned(),
            },
            duration_ms: 0,
        },
        Event::StageFinished {
            stage: code.clone(),
            attempt: 3,
            ending: Ending::Failed(failure()),
            duration_ms: 30_000,
        },
        Event::AttemptDiscarded {
            stage: code,
            attempt: 1,
            reason: "the stream broke off".to_owned(),
        },
        Event::DecisionRequested,
        Event::Decided(Decision::Accept(Selection::All)),
        Event::Decided(Decision::Accept(Selection::Files(vec![
            FileSelection {
                path: "src/sum.py".to_owned(),
                hunks: Some(vec![0, 2]),
                text: None,
            },
            FileSelection {
                path: "README.md".to_owned(),
                hunks: None,
                text: None,
            },
        ]))),
        Event::Decided(Decision::Reject { feedback: None }),
        Event::Decided(Decision::Reject {
            feedback: Some("not like this".to_owned()),
        }),
        Event::Decided(Decision::Modify {
            feedback: "add types".to_owned(),
        }),
        Event::IterationStarted { iteration: 2 },
        Event::ApplyIntended(ApplyIntent {
            commit: Some(CommitIntent {
                base: Some("9fceb02d0ae598e95dc970b74767f19372d61af8".to_owned()),
                reference: Some("refs/heads/main".to_owned()),
                author: "Ada <ada@example.org>".to_owned(),
                date: "1700000000 +0000".to_owned(),
                message: "feat: add calculate_sum\n\nWorkflow-Id: 1\n".to_owned(),
            }),
            files: vec![change()],
            unsaved: Vec::new(),
            restored: Vec::new(),
        }),
        Event::ApplyIntended(ApplyIntent {
            commit: None,
            files: Vec::new(),
            unsaved: Vec::new(),
            restored: Vec::new(),
        }),
        Event::Applied(Applied {
            commit: Some("1f7a7a472abf3dd9643fd615f6da379c4acb3e3a".to_owned()),
            branch: Some("main".to_owned()),
            paths: vec!["src/sum.py".to_owned()],
        }),
        Event::Applied(Applied {
            commit: None,
            branch: None,
            paths: Vec::new(),
        }),
        Event::Resumed,
        Event::Noticed(Notice {
            level: NoticeLevel::Warning,
            code: Some(Code::VectorDbUnavailable),
            message: "keyword search alone".to_owned(),
        }),
        Event::Noticed(Notice {
            level: NoticeLevel::Info,
            code: None,
            message: "hello".to_owned(),
        }),
        Event::Finished(Outcome::Completed),
        Event::Finished(Outcome::Rejected),
        Event::Finished(Outcome::Cancelled),
        Event::Finished(Outcome::Failed(failure())),
    ]
}

/// What was added without a new version: groups, policies, timers, forks.
fn added_samples() -> Vec<Event> {
    let id = |text: &str| StageId::new(text);
    let mut all = stage("code", StageKind::CodeGeneration);
    all.when = Some(Expr::parse("plan.files.count > 2 and item != \"docs\"").unwrap());
    all.attempts_max = 5;
    all.retry = Retry {
        transient: OnFailure::Retry,
        permanent: OnFailure::FallBack,
        user: OnFailure::Fail,
        exhausted: Some(OnFailure::Ask),
        backoff: Backoff {
            first_ms: 1_000,
            max_ms: 60_000,
            jitter_percent: 50,
        },
    };
    all.fall_back = Some(id("look"));
    all.timeout_ms = Some(600_000);
    all.deadline = Some(Deadline {
        after_ms: 86_400_000,
        default: DefaultAnswer::Reject,
    });
    let each = Group {
        lanes: Lanes::Each {
            list: List::PlanModules,
            items_max: 8,
            stages: vec![all, stage("look", StageKind::Checks)],
        },
        join: Join::Settled,
        parallel_max: 2,
    };
    let branch = |name: &str, workflow: Option<&str>| Branch {
        id: id(name),
        workflow: workflow.map(str::to_owned),
        stages: vec![stage(&format!("{name}.find"), StageKind::Retrieval)],
    };
    let branches = Group {
        lanes: Lanes::Branches(vec![branch("a", None), branch("b", Some("other"))]),
        join: Join::Any,
        parallel_max: 4,
    };
    let lane = |event: Event| Event::Lane {
        lane: id("parts:2"),
        event: Box::new(event),
    };
    vec![
        Event::Submitted {
            workflow: WorkflowId::new("w"),
            correlation: CorrelationId::new("c"),
            task: Task {
                workflow_type: "parts".to_owned(),
                query: "do it".to_owned(),
                workspace: "/shop".to_owned(),
                choices: Choices::default(),
                images: Vec::new(),
            },
            graph: Graph {
                name: "parts".to_owned(),
                version: 2,
                source: Some(BlobId::of(b"name: parts")),
                stages: vec![
                    Stage::new(id("finding"), Work::Group(branches)),
                    Stage::new(id("parts"), Work::Group(each)),
                ],
            },
        },
        Event::RetryScheduled {
            stage: id("code"),
            attempt: 2,
            delay_ms: 480,
            due_at_ms: 1_700_000_000_480,
        },
        Event::HelpRequested {
            stage: id("code"),
            question: Help::Failure,
        },
        Event::DeadlinePassed { stage: id("review") },
        Event::LanesPlanned {
            stage: id("parts"),
            lanes: vec![
                LanePlan {
                    lane: id("parts:1"),
                    item: Some("src".to_owned()),
                },
                LanePlan {
                    lane: id("b"),
                    item: None,
                },
            ],
        },
        Event::LaneStarted {
            stage: id("parts"),
            lane: id("parts:2"),
            run: 1,
        },
        lane(Event::StageStarted {
            stage: id("code:2"),
            attempt: 1,
        }),
        lane(lane(Event::Finished(Outcome::Completed))),
        Event::LaneJoined {
            stage: id("parts"),
            lane: id("parts:2"),
            ending: Ending::Succeeded,
        },
        Event::Forked {
            from: WorkflowId::new("other"),
            at: Seq(41),
            model: Some("qwen".to_owned()),
        },
        Event::Forked {
            from: WorkflowId::new("other"),
            at: Seq(1),
            model: None,
        },
        Event::Continued {
            history: BlobId::of(b"history"),
        },
        Event::Streamed(Streamed {
            stage: id("code"),
            attempt: 1,
            offset: 0,
            delta: "def".to_owned(),
            tokens: 1,
            total: None,
            origin: Some(Origin {
                model: "mistral".to_owned(),
                request: BlobId::of(b"asked"),
            }),
        }),
        Event::AttemptResumed {
            stage: id("code"),
            attempt: 1,
            tokens: 900,
        },
        Event::Streamed(Streamed {
            stage: id("code"),
            attempt: 1,
            offset: 3,
            delta: String::new(),
            tokens: 2,
            total: Some(GenerationTotal {
                duration_ms: 5,
                prompt_tokens: 7,
                generated_tokens: 1,
                cut: true,
            }),
            origin: None,
        }),
    ]
}

/// Calls of models, one of each ending, and a remark.
fn call_samples() -> Vec<Event> {
    let call = |number, ending, cost_microdollars: Option<u64>| Event::ModelCalled {
        stage: StageId::new("code"),
        attempt: 2,
        call: ModelCall {
            role: "code".to_owned(),
            provider: "local".to_owned(),
            model: "mistral".to_owned(),
            number,
            ending,
            first_token_ms: cost_microdollars.map(|_| 120),
            duration_ms: 900,
            prompt_tokens: 2500,
            generated_tokens: 10,
            cost_microdollars,
        },
    };
    let failed = |next| CallEnding::Failed {
        code: Code::ModelTimeout,
        reason: "no answer in 30 s".to_owned(),
        next,
    };
    vec![
        call(1, failed(CallNext::Retry { after_ms: 500 }), None),
        call(2, failed(CallNext::NextProvider), None),
        call(3, failed(CallNext::Wait), None),
        call(4, failed(CallNext::Shrink), None),
        call(5, failed(CallNext::GiveUp), None),
        call(6, CallEnding::Answered { cut: false }, Some(12)),
        call(7, CallEnding::Answered { cut: true }, None),
        call(8, CallEnding::FromCache, None),
        Event::Remarked {
            text: "use \"sqlite\"\nä 🦀".to_owned(),
        },
    ]
}

#[test]
fn the_text_of_every_kind_of_event() {
    let lines: Vec<String> = samples().iter().map(text).collect();
    insta::assert_snapshot!(lines.join("\n"));
    let lines: Vec<String> = added_samples().iter().map(text).collect();
    insta::assert_snapshot!("added", lines.join("\n"));
    let lines: Vec<String> = call_samples().iter().map(text).collect();
    insta::assert_snapshot!("calls", lines.join("\n"));
    let lines: Vec<String> = role_samples().iter().map(text).collect();
    insta::assert_snapshot!("roles", lines.join("\n"));
    let lines: Vec<String> = read_samples().iter().map(text).collect();
    insta::assert_snapshot!("reads", lines.join("\n"));
    let lines: Vec<String> = choice_samples().iter().map(text).collect();
    insta::assert_snapshot!("choices", lines.join("\n"));
    let lines: Vec<String> = thought_samples().iter().map(text).collect();
    insta::assert_snapshot!("thoughts", lines.join("\n"));
    let lines: Vec<String> = trial_samples().iter().map(text).collect();
    insta::assert_snapshot!("trials", lines.join("\n"));
    let lines: Vec<String> = edit_samples().iter().map(text).collect();
    insta::assert_snapshot!("edits", lines.join("\n"));
    let lines: Vec<String> = recheck_samples().iter().map(text).collect();
    insta::assert_snapshot!("rechecks", lines.join("\n"));
    let lines: Vec<String> = estimate_samples().iter().map(text).collect();
    insta::assert_snapshot!("estimates", lines.join("\n"));
    let lines: Vec<String> = leave_samples().iter().map(text).collect();
    insta::assert_snapshot!("leaves", lines.join("\n"));
    let lines: Vec<String> = undo_samples().iter().map(text).collect();
    insta::assert_snapshot!("undos", lines.join("\n"));
    let lines: Vec<String> = image_samples().iter().map(text).collect();
    insta::assert_snapshot!("images", lines.join("\n"));
}

#[test]
fn what_was_once_written_is_still_read() {
    let read = |fixture: &str| -> Vec<Event> {
        let lines = fixture.lines();
        lines.map(|line| decode_body(1, line).unwrap()).collect()
    };
    assert_eq!(read(FIXTURE), samples());
    assert_eq!(read(ADDED), added_samples());
    assert_eq!(read(CALLS), call_samples());
    assert_eq!(read(ROLES), role_samples());
    assert_eq!(read(READS), read_samples());
    assert_eq!(read(CHOICES), choice_samples());
    assert_eq!(read(THOUGHTS), thought_samples());
    assert_eq!(read(ESTIMATES), estimate_samples());
    assert_eq!(read(TRIALS), trial_samples());
    assert_eq!(read(EDITS), edit_samples());
    assert_eq!(read(RECHECKS), recheck_samples());
    assert_eq!(read(LEAVES), leave_samples());
    assert_eq!(read(UNDOS), undo_samples());
    assert_eq!(read(IMAGES), image_samples());
}

/// A whole workflow as an earlier version wrote it.
#[test]
fn a_history_of_before_leads_to_the_same_state() {
    let history: Vec<Recorded> = (1..)
        .zip(HISTORY.lines())
        .map(|(seq, line)| Recorded {
            seq: Seq(seq),
            at_ms: 1_000 + seq,
            event: decode_body(1, line).unwrap(),
        })
        .collect();
    let state = engine::fold(&history).unwrap();
    insta::assert_debug_snapshot!(state);
}

fn check_refused(version: u32, body: &str, expect: &Unreadable) {
    let part = |unreadable: &Unreadable| match unreadable {
        Unreadable::TooNew(reason) => (true, reason.clone()),
        Unreadable::Damaged(reason) => (false, reason.clone()),
    };
    let (newer, reason) = part(&decode_body(version, body).unwrap_err());
    let (expect_newer, expect_reason) = part(expect);
    assert_eq!(newer, expect_newer, "{body}: {reason}");
    assert!(reason.contains(&expect_reason), "{body}: {reason}");
}

#[test]
fn what_cannot_be_read_is_refused() {
    let newer = |reason: &str| Unreadable::TooNew(reason.to_owned());
    let damaged = |reason: &str| Unreadable::Damaged(reason.to_owned());
    check_refused(VERSION + 1, r#"{"k":"resumed"}"#, &newer("record version 2"));
    check_refused(
        1,
        r#"{"k":"notice","lvl":"info","code":"E9999","msg":""}"#,
        &newer("E9999"),
    );
    check_refused(
        1,
        r#"{"k":"notice","lvl":"info","code":"F1","msg":""}"#,
        &damaged("F1"),
    );
    check_refused(0, r#"{"k":"resumed"}"#, &damaged("version 0"));
    check_refused(1, "", &damaged("EOF"));
    check_refused(1, r#"{"k":"resumed""#, &damaged("EOF"));
    check_refused(1, r#"{"k":"danced"}"#, &damaged("danced"));
    check_refused(1, r#"{"k":"iteration"}"#, &damaged("missing field `n`"));
    check_refused(
        1,
        r#"{"k":"iteration","n":1,"m":2}"#,
        &damaged("unknown field `m`"),
    );
    let stage = |rest: &str| {
        format!(
            r#"{{"k":"submitted","wf":"w","cor":"c","task":{{"type":"t","q":"q","ws":"/"}},"graph":{{"name":"n","version":1,"stages":[{{"id":"a","pres":"required","max":1{rest}}}]}}}}"#
        )
    };
    check_refused(1, &stage(""), &damaged("has no work"));
    check_refused(
        1,
        &stage(r#","kind":"checks","when":"1 +""#),
        &damaged("means nothing"),
    );
    check_refused(
        1,
        r#"{"k":"stage_started","st":"../x","att":1}"#,
        &damaged("cannot be used as an id"),
    );
}

#[test]
fn a_flipped_bit_is_found() {
    let workflow = WorkflowId::new("wf");
    let recorded = Recorded {
        seq: Seq(7),
        at_ms: 1,
        event: Event::IterationStarted { iteration: 2 },
    };
    let row = encode(&workflow, &recorded).unwrap();
    assert_eq!(decode(&workflow, &row), Ok(recorded));
    let flipped = Row {
        body: row.body.replace('2', "3"),
        ..row.clone()
    };
    let moved = Row {
        seq: Seq(8),
        ..row.clone()
    };
    for damaged in [
        flipped,
        moved,
        Row {
            at_ms: 2,
            ..row.clone()
        },
    ] {
        let seq = damaged.seq;
        let reason = "its digest does not fit".to_owned();
        assert_eq!(
            decode(&workflow, &damaged),
            Err(Error::Damaged {
                workflow: workflow.clone(),
                seq,
                reason
            })
        );
    }
    assert!(decode(&WorkflowId::new("other"), &row).is_err());
}

proptest! {
    #[test]
    fn an_event_reads_back_as_it_was_written(event in events()) {
        let workflow = WorkflowId::new("wf");
        let recorded = Recorded { seq: Seq(3), at_ms: 4, event };
        let row = encode(&workflow, &recorded).unwrap();
        prop_assert_eq!(decode(&workflow, &row), Ok(recorded));
    }

    #[test]
    fn no_text_makes_the_reader_panic(version in 0..3u32, body in any::<String>()) {
        let _ = decode_body(version, &body);
    }

    #[test]
    fn no_cut_of_a_text_is_read(at in any::<prop::sample::Index>(), line in any::<prop::sample::Index>()) {
        let line = line.get(&FIXTURE.lines().collect::<Vec<_>>()).to_owned().to_owned();
        let cut = at.index(line.len());
        if line.is_char_boundary(cut) {
            prop_assert!(decode_body(1, &line[..cut]).is_err());
        }
    }
}
