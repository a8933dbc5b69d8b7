//! A workflow that is driven by commands, with its events as text.

use shared::{
    error::{Class, Code},
    id::{CorrelationId, Seq, StageId, WorkflowId},
};

use crate::{
    Action, Command, Ctx, Ending, Event, FoundBy, Outcome, Output, Recorded, State,
    artifact::{
        Applied, ApplyIntent, CheckReport, CheckStatus, Context, Decision, Failure, FileChange, Image, Plan,
        Proposal, RetrievalMode, Selection, StageChoice, Task,
    },
    blob::BlobId,
    decide,
    event::{Help, Origin},
    graph, react, submit,
};

pub const GRAPH: &str = include_str!("../../../../config/workflows/feature_implementation.yaml");

/// A workflow under test.
pub struct Run {
    pub state: State,
    pub history: Vec<Recorded>,
    pub actions: Vec<Action>,
    pub now_ms: u64,
    pub random: u64,
}

impl Run {
    pub fn begin() -> Self {
        Self::of(GRAPH)
    }

    /// A workflow of this definition.
    pub fn of(definition: &str) -> Self {
        Self::with(graph::parse(definition).unwrap())
    }

    pub fn with(graph: graph::Graph) -> Self {
        Self::asked(graph, "add login", Vec::new())
    }

    /// A workflow of this request, with its pictures.
    pub fn asked(graph: graph::Graph, query: &str, images: Vec<Image>) -> Self {
        let task = Task {
            workflow_type: graph.name.clone(),
            query: query.into(),
            workspace: "/w".into(),
            choices: crate::artifact::Choices::default(),
            images,
        };
        let ctx = Ctx {
            now_ms: 1_000,
            random: 0,
        };
        let events = submit(WorkflowId::new("w1"), CorrelationId::new("c1"), task, graph, &ctx).unwrap();
        let mut run = Self {
            state: blank(),
            history: Vec::new(),
            actions: Vec::new(),
            now_ms: 1_000,
            random: 0,
        };
        run.append(events);
        run.actions = run
            .history
            .iter()
            .flat_map(|recorded| react(&run.state, &recorded.event))
            .collect();
        run
    }

    /// A process that has read this history.
    pub fn resumed(history: &[Recorded]) -> Self {
        Self {
            state: crate::fold(history).unwrap(),
            history: history.to_vec(),
            actions: Vec::new(),
            now_ms: history.last().unwrap().at_ms,
            random: 0,
        }
    }

    pub fn append(&mut self, events: Vec<Event>) {
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
    pub fn give(&mut self, command: Command) -> Result<Vec<String>, String> {
        self.now_ms += 1_000;
        let ctx = Ctx {
            now_ms: self.now_ms,
            random: self.random,
        };
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

    pub fn check(&mut self, command: Command, expect: &[&str]) {
        assert_eq!(self.give(command).unwrap(), expect);
        self.fold_equals_live();
    }

    pub fn refuse(&mut self, command: Command, part: &str) {
        let before = self.state.clone();
        let error = self.give(command).unwrap_err();
        assert!(error.contains(part), "{error}");
        assert_eq!(self.state, before);
    }

    pub fn fold_equals_live(&self) {
        assert_eq!(crate::fold(&self.history).as_ref(), Some(&self.state));
    }

    /// The running stage and attempt; the first one where several run.
    pub fn at(&self) -> (StageId, u32) {
        let working = self.state.working();
        let (_, running) = working.first().expect("nothing runs");
        (running.stage.clone(), running.attempt)
    }

    /// The running stages.
    pub fn working(&self) -> Vec<String> {
        let working = self.state.working();
        working
            .iter()
            .map(|(_, running)| running.stage.to_string())
            .collect()
    }

    /// The attempt at a running stage.
    pub fn attempt(&self, stage: &str) -> u32 {
        let working = self.state.working();
        let found = working
            .iter()
            .find(|(_, running)| running.stage.as_str() == stage);
        found.expect("it does not run").1.attempt
    }

    pub fn complete_stage(&mut self, stage: &str, output: Output) -> Vec<String> {
        let attempt = self.attempt(stage);
        let stage = StageId::new(stage);
        let made = self
            .give(Command::CompleteStage {
                stage,
                attempt,
                output,
            })
            .unwrap();
        self.fold_equals_live();
        made
    }

    pub fn fail_stage(&mut self, stage: &str, class: Class) -> Vec<String> {
        let attempt = self.attempt(stage);
        let made = self.give(Command::FailStage {
            stage: StageId::new(stage),
            attempt,
            failure: failure(class),
        });
        self.fold_equals_live();
        made.unwrap()
    }

    /// Lets time pass up to the next timer.
    pub fn wait(&mut self) -> Vec<String> {
        let due_ms = crate::next_due_ms(&self.state).expect("nothing is due");
        // A command comes a second later.
        self.now_ms = self.now_ms.max(due_ms.saturating_sub(1_000));
        let made = self.give(Command::Tick).unwrap();
        self.fold_equals_live();
        made
    }

    pub fn complete(&mut self, output: Output) -> Vec<String> {
        let (stage, attempt) = self.at();
        self.give(Command::CompleteStage {
            stage,
            attempt,
            output,
        })
        .unwrap()
    }

    pub fn fail(&mut self, class: Class) -> Vec<String> {
        let (stage, attempt) = self.at();
        self.give(Command::FailStage {
            stage,
            attempt,
            failure: failure(class),
        })
        .unwrap()
    }

    pub fn stream(&mut self, delta: &str) {
        let (stage, attempt) = self.at();
        let delta = delta.to_owned();
        self.give(Command::StreamText {
            stage,
            attempt,
            delta,
            tokens: 1,
            total: None,
            origin: None,
        })
        .unwrap();
    }

    /// Text that its model may go on with.
    pub fn write(&mut self, delta: &str, tokens: u64) {
        let (stage, attempt) = self.at();
        let origin = Origin {
            model: "mistral".into(),
            request: BlobId::of(b"asked"),
        };
        self.give(Command::StreamText {
            stage,
            attempt,
            delta: delta.to_owned(),
            tokens,
            total: None,
            origin: Some(origin).filter(|_| {
                self.state
                    .running()
                    .is_some_and(|(running, _)| running.text.is_none())
            }),
        })
        .unwrap();
    }

    /// Up to the review, all stages run.
    pub fn to_review() -> Self {
        let mut run = Self::to_checks();
        run.complete(checks(CheckStatus::Passed));
        run
    }

    pub fn to_checks() -> Self {
        let mut run = Self::to_generation();
        run.complete(Output::Proposal(proposal(&["a.py"])));
        run.complete(Output::Proposal(proposal(&["a.py", "test_a.py"])));
        run
    }

    pub fn to_generation() -> Self {
        let mut run = Self::begin();
        run.complete(Output::Context(context()));
        run.complete(Output::Plan(plan(true)));
        run
    }

    pub fn to_apply() -> Self {
        let mut run = Self::to_review();
        run.give(accept()).unwrap();
        run
    }
}

pub fn blank() -> State {
    let graph = graph::parse(GRAPH).unwrap();
    let task = Task {
        workflow_type: String::new(),
        query: "x".into(),
        workspace: String::new(),
        choices: crate::artifact::Choices::default(),
        images: Vec::new(),
    };
    let events = submit(
        WorkflowId::new("w0"),
        CorrelationId::new("c0"),
        task,
        graph,
        &Ctx { now_ms: 0, random: 0 },
    )
    .unwrap();
    let first = Recorded {
        seq: Seq(1),
        at_ms: 0,
        event: events.into_iter().next().unwrap(),
    };
    crate::apply(None, &first).unwrap()
}

pub fn line(event: &Event) -> String {
    match event {
        Event::Submitted { .. } => "submitted".into(),
        Event::StageStarted { stage, attempt } => format!("start {stage} {attempt}"),
        Event::Streamed(streamed) => format!("text at {}", streamed.offset),
        Event::ContextRetrieved(_) => "context".into(),
        Event::Planned(_) => "plan".into(),
        Event::Proposed(proposal) => format!("propose {}", proposal.files.len()),
        Event::Checked(report) => format!("check {:?}", report.status),
        Event::Rechecked { problems, .. } => format!("rechecked, problems {}", problems.len()),
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
        Event::AttemptResumed {
            stage,
            attempt,
            tokens,
        } => format!("go on {stage} {attempt} at {tokens}"),
        Event::Noticed(notice) => format!("notice {}", notice.message),
        Event::ModelCalled { stage, attempt, call } => format!("call {stage} {attempt}.{}", call.number),
        Event::ToolCalled { stage, attempt, call } => format!("tool {stage} {attempt} {}", call.name),
        Event::Remarked { text } => format!("remark: {text}"),
        Event::RetryScheduled {
            stage,
            attempt,
            delay_ms,
            ..
        } => format!("retry {stage} {attempt} in {delay_ms}"),
        Event::HelpRequested { stage, question } => match question {
            Help::Failure => format!("help {stage}"),
            Help::Unisolated => format!("permission {stage}"),
            Help::Tool(call) => format!("permission {stage} for {}.{}", call.server, call.tool),
        },
        Event::DeadlinePassed { stage } => format!("too late {stage}"),
        Event::LanesPlanned { stage, lanes } => {
            let lanes: Vec<String> = lanes
                .iter()
                .map(|plan| match &plan.item {
                    Some(item) => format!("{}={item}", plan.lane),
                    None => plan.lane.to_string(),
                })
                .collect();
            format!("lanes of {stage}: {}", lanes.join(" "))
        }
        Event::LaneStarted { lane, run, .. } => format!("lane {lane} {run}"),
        Event::Lane { lane, event } => format!("{lane}> {}", line(event)),
        Event::LaneJoined { lane, ending, .. } => match ending {
            Ending::Succeeded => format!("join {lane}"),
            Ending::Skipped { .. } => format!("stopped {lane}"),
            Ending::Failed(failure) => format!("lost {lane}: {}", failure.code),
        },
        Event::Forked { at, .. } => format!("forked at {at}"),
        Event::Continued { .. } => "continued".into(),
        Event::Finished(outcome) => match outcome {
            Outcome::Completed => "completed".into(),
            Outcome::Rejected => "finished rejected".into(),
            Outcome::Cancelled => "cancelled".into(),
            Outcome::Failed(failure) => format!("failed {}", failure.code),
        },
    }
}

pub fn context() -> Context {
    Context {
        mode: RetrievalMode::Keyword,
        items: Vec::new(),
        packed: BlobId::of(b"code"),
        tokens: 1,
    }
}

pub fn plan(tests: bool) -> Plan {
    let stage = StageId::new("test_generation");
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

/// A plan for these files, with tests.
pub fn planned(files: &[&str]) -> Plan {
    Plan {
        files: files.iter().map(|file| (*file).to_owned()).collect(),
        ..plan(true)
    }
}

pub fn proposal(paths: &[&str]) -> Proposal {
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
        reads: Vec::new(),
    }
}

pub fn report(status: CheckStatus) -> CheckReport {
    CheckReport {
        name: "syntax".into(),
        status,
        command: None,
        exit_status: None,
        duration_ms: 1,
        output: "line 3".into(),
        log: None,
    }
}

pub fn checks(status: CheckStatus) -> Output {
    let problems = if status == CheckStatus::Failed {
        vec!["syntax: line 3".to_owned()]
    } else {
        Vec::new()
    };
    Output::Checks {
        reports: vec![report(status)],
        problems,
        found_by: FoundBy::Reading,
    }
}

pub fn failure(class: Class) -> Failure {
    Failure {
        class,
        code: Code::AnswerNoEdits,
        message: "no edits".into(),
    }
}

pub fn intent() -> ApplyIntent {
    ApplyIntent {
        commit: None,
        files: Vec::new(),
        unsaved: Vec::new(),
        restored: Vec::new(),
    }
}

pub fn applied() -> Applied {
    Applied {
        commit: Some("abc".into()),
        branch: Some("main".into()),
        paths: Vec::new(),
    }
}

pub fn accept() -> Command {
    Command::Decide {
        iteration: None,
        decision: Decision::Accept(Selection::All),
    }
}

pub fn modify(feedback: &str) -> Command {
    Command::Decide {
        iteration: None,
        decision: Decision::Modify {
            feedback: feedback.into(),
        },
    }
}
