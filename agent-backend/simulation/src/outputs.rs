//! What workers come back with.

use engine::{
    Command, FoundBy, Output, StageKind, State,
    artifact::{
        ApplyIntent, CallEnding, CallNext, CheckReport, CheckStatus, CommitIntent, Context, Effect, Failure,
        FileChange, ModelCall, Plan, Proposal, RetrievalMode, StageChoice, ToolCall, WantedCall,
    },
    blob::BlobId,
    event::Origin,
    recheck,
};
use shared::{
    error::{Class, Code},
    id::StageId,
};

/// Marks text of unfinished streams: it must be nowhere else.
pub const HALF_THOUGHT: &str = "half a thought";

/// A stage's result; `failed` for checks that found something. A result is a
/// function of the stage, so that doing it again gives the same.
pub fn output(kind: StageKind, stage: &StageId, conflict: bool, failed: bool) -> Option<Output> {
    Some(match kind {
        StageKind::Retrieval => Output::Context(Context {
            mode: RetrievalMode::Keyword,
            items: Vec::new(),
            packed: BlobId::of(b"code"),
            tokens: 1,
        }),
        StageKind::Planning => Output::Plan(Plan {
            summary: "Add login".to_owned(),
            steps: vec!["write it".to_owned()],
            files: ["a/x.py", "a/y.py", "b/z.py"].map(str::to_owned).to_vec(),
            stages: vec![StageChoice {
                stage: StageId::new("test_generation"),
                run: !conflict,
                reason: "because".to_owned(),
            }],
            estimates: Vec::new(),
        }),
        StageKind::CodeGeneration | StageKind::TestGeneration | StageKind::Revert => {
            let own = format!("{stage}.py");
            let files: &[&str] = if conflict { &["all.py", &own] } else { &[&own] };
            Output::Proposal(Proposal {
                summary: "Add login".to_owned(),
                files: files.iter().map(|path| change(path)).collect(),
                reads: Vec::new(),
            })
        }
        StageKind::Checks => Output::Checks {
            reports: vec![report(failed)],
            problems: if failed {
                vec!["syntax: line 3".to_owned()]
            } else {
                Vec::new()
            },
            found_by: FoundBy::Reading,
        },
        StageKind::Apply | StageKind::Review => return None,
    })
}

fn change(path: &str) -> FileChange {
    FileChange {
        path: path.to_owned(),
        old: None,
        new: Some(BlobId::of(path.as_bytes())),
        lines_added: 1,
        lines_removed: 0,
    }
}

/// What a worker will write, on top of where the branch is now.
pub fn intent(state: &State, head: String) -> ApplyIntent {
    ApplyIntent {
        commit: Some(CommitIntent {
            base: Some(head),
            reference: Some("refs/heads/main".to_owned()),
            author: "Pat <pat@example.com>".to_owned(),
            date: state.updated_at_ms.to_string(),
            message: format!("Workflow-Id: {}", state.workflow),
        }),
        files: state
            .proposal
            .iter()
            .flat_map(|proposal| proposal.files.clone())
            .collect(),
        unsaved: Vec::new(),
        restored: Vec::new(),
    }
}

/// What checking once more says of what would be written.
pub fn recheck(stage: StageId, attempt: u32, intent: &ApplyIntent, objects: bool) -> Command {
    Command::Recheck {
        stage,
        attempt,
        of: recheck::identity(&intent.files),
        reports: vec![report(objects)],
        problems: if objects {
            vec!["syntax: line 3".to_owned()]
        } else {
            Vec::new()
        },
    }
}

fn report(failed: bool) -> CheckReport {
    CheckReport {
        name: "syntax".to_owned(),
        status: if failed {
            CheckStatus::Failed
        } else {
            CheckStatus::Passed
        },
        command: None,
        exit_status: None,
        duration_ms: 1,
        output: "line 3".to_owned(),
        log: None,
    }
}

/// What a model's text comes from.
pub fn origin(stage: &StageId) -> Origin {
    Origin {
        model: "mistral".to_owned(),
        request: BlobId::of(stage.as_str().as_bytes()),
    }
}

/// A try at a provider that came to nothing.
pub fn call() -> ModelCall {
    ModelCall {
        role: "code".to_owned(),
        provider: "local".to_owned(),
        model: "mistral".to_owned(),
        number: 1,
        ending: CallEnding::Failed {
            code: Code::ModelStreamBroken,
            reason: "it broke".to_owned(),
            next: CallNext::NextProvider,
        },
        first_token_ms: None,
        duration_ms: 1,
        prompt_tokens: 0,
        generated_tokens: 0,
        cost_microdollars: None,
    }
}

/// A tool that answered.
pub fn tool() -> ToolCall {
    ToolCall {
        asked: BlobId::of(b"asked"),
        number: 1,
        of: 1,
        said: String::new(),
        id: "call-1".to_owned(),
        server: "git".to_owned(),
        tool: "log".to_owned(),
        name: "git__log".to_owned(),
        arguments: "{}".to_owned(),
        result: BlobId::of(b"answered"),
        is_error: false,
        duration_ms: 1,
        begun: None,
    }
}

/// A stage that has to ask before it runs anything.
pub fn needs_permission() -> Failure {
    Failure {
        class: Class::User,
        code: Code::UnisolatedRun,
        message: "no sandbox".to_owned(),
    }
}

/// A call of a tool that a model has to ask for.
pub fn wanted() -> WantedCall {
    WantedCall {
        asked: BlobId::of(b"asked"),
        number: 1,
        turn: BlobId::of(b"turn"),
        server: "issues".to_owned(),
        reached: BlobId::of(b"https://example.org/mcp"),
        tool: "close".to_owned(),
        title: "Close an issue".to_owned(),
        effect: Effect::Destroys,
        arguments: BlobId::of(b"{}"),
        shown: "{}".to_owned(),
    }
}

/// A failure of a class.
pub fn failure(class: Class) -> Failure {
    Failure {
        class,
        code: Code::ModelStreamBroken,
        message: "it broke".to_owned(),
    }
}
