//! A workflow that is driven as the backend drives it: decide, append, apply,
//! react.

use std::sync::Arc;

use engine::{
    Command, Ctx, Event, Output, Recorded, State,
    artifact::{
        CheckReport, CheckStatus, Context, ContextItem, FileChange, Plan, Proposal, RetrievalMode,
        StageChoice, Task,
    },
    blob::{Blob, BlobId},
    event::Origin,
    graph,
    ports::{
        Journal as _,
        journal::{Append, Durability, NewWorkflow, Status},
    },
};
use journal::sqlite::Journal;
use shared::id::{CorrelationId, Seq, StageId, WorkflowId};

/// What every step says, so that it is about as large as a real one.
const WORDS: &str = "the check found that the function returns a list where its caller wants an iterator, \
    and that the name of its second argument differs from the one in the documentation; both are put right \
    in the next attempt, together with the test that was written for the old behaviour of the function";

pub struct Run {
    journal: Arc<Journal>,
    pub state: State,
    now_ms: u64,
}

fn number(after: Seq, at_ms: u64, events: Vec<Event>) -> Vec<Recorded> {
    let mut seq = after;
    let one = |event| {
        seq = seq.next();
        Recorded { seq, at_ms, event }
    };
    events.into_iter().map(one).collect()
}

impl Run {
    pub async fn begin(journal: Arc<Journal>, name: &str, workspace: &str) -> Self {
        let definition = include_str!("../../../../config/workflows/feature_implementation.yaml");
        let graph = graph::parse(definition).unwrap();
        let (workflow, correlation) = (WorkflowId::new(name), CorrelationId::new(format!("req_{name}")));
        let task = Task {
            workflow_type: graph.name.clone(),
            query: "Add JWT authentication beside API keys".to_owned(),
            workspace: workspace.to_owned(),
            choices: engine::artifact::Choices::default(),
            images: Vec::new(),
        };
        let now_ms = 1_700_000_000_000;
        let ctx = Ctx { now_ms, random: 0 };
        let events = engine::submit(workflow.clone(), correlation.clone(), task, graph, &ctx).unwrap();
        let events = number(Seq(0), now_ms, events);
        let state = engine::fold(&events).unwrap();
        let new = NewWorkflow {
            workflow,
            correlation,
            fingerprint: BlobId::of(name.as_bytes()),
            events,
            blobs: Vec::new(),
            status: Status::Running,
        };
        journal.create(new).await.unwrap();
        Self {
            journal,
            state,
            now_ms,
        }
    }

    fn stage(&self) -> (StageId, u32) {
        let (running, _) = self.state.running().unwrap();
        (running.stage.clone(), running.attempt)
    }

    async fn give(&mut self, command: Command, durability: Durability) {
        self.give_with(command, durability, Vec::new()).await;
    }

    async fn give_with(&mut self, command: Command, durability: Durability, blobs: Vec<Blob>) {
        self.now_ms += 1;
        let ctx = Ctx {
            now_ms: self.now_ms,
            random: 0,
        };
        let events = engine::decide(&self.state, command, &ctx).unwrap();
        let events = number(self.state.head, self.now_ms, events);
        let append = Append {
            workflow: self.state.workflow.clone(),
            after: self.state.head,
            events: events.clone(),
            blobs,
            status: None,
            durability,
        };
        self.journal.append(append).await.unwrap();
        for event in &events {
            engine::advance(&mut self.state, event);
        }
        for event in &events {
            let _actions = engine::react(&self.state, &event.event);
        }
    }

    /// One durable step: an attempt ends and the next one begins.
    pub async fn step(&mut self) {
        let (stage, attempt) = self.stage();
        let reason = WORDS.to_owned();
        self.give(
            Command::RestartText {
                stage,
                attempt,
                reason,
            },
            Durability::Synced,
        )
        .await;
    }

    /// Through all stages, up to the question.
    pub async fn reach_review(&mut self) {
        let packed = Blob::new(WORDS.repeat(20).into_bytes());
        let new = Blob::new(format!("# {}\n{WORDS}\n", self.state.workflow).into_bytes());
        let item = |number: u32| ContextItem {
            path: format!("src/package/module_{number}.py"),
            start_line: number,
            end_line: number + 40,
            symbol: Some(format!("function_{number}")),
            score: 0.5,
            found_by: Vec::new(),
        };
        let context = Context {
            mode: RetrievalMode::Hybrid,
            items: (0..12).map(item).collect(),
            packed: packed.id(),
            tokens: 1_500,
        };
        let plan = Plan {
            summary: "Add JWT authentication beside API keys".to_owned(),
            steps: vec![WORDS.to_owned(); 3],
            files: (0..3)
                .map(|number| format!("src/package/new_{number}.py"))
                .collect(),
            stages: vec![StageChoice {
                stage: StageId::new("test_generation"),
                run: false,
                reason: "there are tests".to_owned(),
            }],
            estimates: Vec::new(),
        };
        let file = |number| FileChange {
            path: format!("src/package/new_{number}.py"),
            old: None,
            new: Some(new.id()),
            lines_added: 2,
            lines_removed: 0,
        };
        let proposal = Proposal {
            summary: plan.summary.clone(),
            files: (0..3).map(file).collect(),
            reads: Vec::new(),
        };
        let report = CheckReport {
            name: "syntax".to_owned(),
            status: CheckStatus::Passed,
            command: None,
            exit_status: None,
            duration_ms: 3,
            output: String::new(),
            log: None,
        };
        let checks = Output::Checks {
            reports: vec![report],
            problems: Vec::new(),
            found_by: engine::FoundBy::Reading,
        };
        let outputs = [
            (Output::Context(context), vec![packed]),
            (Output::Plan(plan), Vec::new()),
            (Output::Proposal(proposal), vec![new]),
            (checks, Vec::new()),
        ];
        for (output, blobs) in outputs {
            let (stage, attempt) = self.stage();
            let command = Command::CompleteStage {
                stage,
                attempt,
                output,
            };
            self.give_with(command, Durability::Synced, blobs).await;
        }
    }

    /// A streamed piece of so many tokens.
    pub async fn piece(&mut self, tokens: u64) {
        let (stage, attempt) = self.stage();
        let before = self.state.running().unwrap().0.streamed_tokens;
        let origin = Origin {
            model: "mistral:7b-instruct-v0.3-q4_K_M".to_owned(),
            request: BlobId::of(b"asked"),
        };
        let from = usize::try_from(before * 4).unwrap() % (WORDS.len() / 2);
        let command = Command::StreamText {
            stage,
            attempt,
            delta: WORDS[from..from + usize::try_from(tokens * 4).unwrap()].to_owned(),
            tokens: before + tokens,
            total: None,
            origin: (before == 0).then_some(origin),
        };
        self.give(command, Durability::Process).await;
    }

    /// A model's answer of so many tokens, in pieces of so many.
    pub async fn write(&mut self, tokens: u64, piece: u64) {
        for _ in 0..tokens / piece {
            self.piece(piece).await;
        }
    }
}
