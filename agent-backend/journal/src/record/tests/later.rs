//! Samples of what came later than the first fixtures.

use super::*;

/// A stage that names its role.
pub(super) fn role_samples() -> Vec<Event> {
    let mut code = stage("code", StageKind::CodeGeneration);
    code.role = Some("backend_expert".to_owned());
    code.cache = true;
    vec![Event::Submitted {
        workflow: WorkflowId::new("w"),
        correlation: CorrelationId::new("c"),
        task: Task {
            workflow_type: "roles".to_owned(),
            query: "do it".to_owned(),
            workspace: "/shop".to_owned(),
            choices: Choices::default(),
            images: Vec::new(),
        },
        graph: Graph {
            name: "roles".to_owned(),
            version: 1,
            source: None,
            stages: vec![code],
        },
    }]
}

pub(super) fn read_samples() -> Vec<Event> {
    let read = ContextRead {
        provider: "ollama".to_owned(),
        model: "qwen3".to_owned(),
        requested: 8192,
        loaded: Some(4096),
        sent_min: 1000,
        used: Some(1350),
    };
    let silent = ContextRead {
        loaded: None,
        used: None,
        ..read.clone()
    };
    vec![Event::Proposed(Proposal {
        summary: "add calculate_sum".to_owned(),
        files: vec![change()],
        reads: vec![read, silent],
    })]
}

/// What a person chose for a workflow, and what came of no search.
/// What came with the estimates of a plan.
pub(super) fn estimate_samples() -> Vec<Event> {
    let estimate = |stage: &str, tokens, duration_ms| Estimate {
        stage: StageId::new(stage),
        tokens,
        duration_ms,
    };
    let span = |least, most| Some(Span { least, most });
    vec![Event::Planned(Plan {
        summary: "Add a function.".to_owned(),
        steps: vec!["write it".to_owned()],
        files: vec!["src/sum.py".to_owned()],
        stages: Vec::new(),
        estimates: vec![
            estimate("code_generation", span(400, 1200), span(8000, 31_000)),
            estimate("test_generation", None, None),
            estimate("checks", None, span(900, 900)),
        ],
    })]
}

pub(super) fn choice_samples() -> Vec<Event> {
    let Some(Event::Submitted {
        workflow,
        correlation,
        task,
        graph,
    }) = role_samples().pop()
    else {
        panic!("the sample is a request");
    };
    let choices = Choices {
        model: Some("groq/qwen3:32b".to_owned()),
        thought_level: ThoughtLevel::Default,
        search: Search::Off,
        folders: vec!["/shared lib".to_owned(), "/docs".to_owned()],
        undoes: None,
    };
    let context = Context {
        mode: RetrievalMode::Off,
        items: Vec::new(),
        packed: BlobId::of(b""),
        tokens: 0,
    };
    vec![
        Event::Submitted {
            workflow,
            correlation,
            task: Task { choices, ..task },
            graph,
        },
        Event::ContextRetrieved(context),
    ]
}

/// How much was to be thought, each level once.
pub(super) fn thought_samples() -> Vec<Event> {
    let levels = [
        ThoughtLevel::Off,
        ThoughtLevel::Low,
        ThoughtLevel::Medium,
        ThoughtLevel::High,
    ];
    let of = |thought_level| {
        let mut submitted = role_samples().pop();
        let Some(Event::Submitted { task, .. }) = &mut submitted else {
            panic!("the sample is a request");
        };
        task.choices.thought_level = thought_level;
        submitted
    };
    levels.into_iter().filter_map(of).collect()
}

/// Checks that run the proposal.
pub(super) fn trial_samples() -> Vec<Event> {
    let Some(Event::Submitted {
        workflow,
        correlation,
        task,
        graph,
    }) = role_samples().pop()
    else {
        panic!("the sample is a request");
    };
    let mut checks = stage("checks", StageKind::Checks);
    checks.run_attempts_max = Some(5);
    let stages = vec![checks];
    vec![
        Event::Submitted {
            workflow,
            correlation,
            task,
            graph: Graph { stages, ..graph },
        },
        Event::Checked(CheckReport {
            name: "test-cargo".to_owned(),
            status: CheckStatus::Failed,
            command: Some("cargo test".to_owned()),
            exit_status: Some(101),
            duration_ms: 900,
            output: "exit status 101".to_owned(),
            log: Some(BlobId::of(b"log")),
        }),
    ]
}

/// A person's own text in place of the proposed one.
pub(super) fn edit_samples() -> Vec<Event> {
    vec![Event::Decided(Decision::Accept(Selection::Files(vec![
        FileSelection {
            path: "src/sum.py".to_owned(),
            hunks: None,
            text: Some(BlobId::of(b"mine")),
        },
    ])))]
}

/// A look at what would be written.
pub(super) fn recheck_samples() -> Vec<Event> {
    let rechecked = |problems: &[&str]| Event::Rechecked {
        of: BlobId::of(b"merged"),
        problems: problems.iter().map(|text| (*text).to_owned()).collect(),
    };
    vec![rechecked(&[]), rechecked(&["test-npm: exit status 1\n- adds"])]
}

/// A question about running code without a sandbox.
pub(super) fn leave_samples() -> Vec<Event> {
    vec![Event::HelpRequested {
        stage: StageId::new("checks"),
        question: Help::Unisolated,
    }]
}

/// A request that takes back what another one has committed.
pub(super) fn undo_samples() -> Vec<Event> {
    vec![Event::Submitted {
        workflow: WorkflowId::new("w2"),
        correlation: CorrelationId::new("undo:w1"),
        task: Task {
            workflow_type: "undo".to_owned(),
            query: "Undo 1f7a7a472a: add a sum".to_owned(),
            workspace: "/shop".to_owned(),
            choices: Choices {
                undoes: Some(WorkflowId::new("w1")),
                ..Choices::default()
            },
            images: Vec::new(),
        },
        graph: Graph::undo(),
    }]
}

/// A request with pictures, each kind once.
pub(super) fn image_samples() -> Vec<Event> {
    let mut submitted = role_samples().pop();
    let Some(Event::Submitted { task, .. }) = &mut submitted else {
        panic!("the sample is a request");
    };
    let image = |(bytes, format): (u64, ImageFormat)| Image {
        blob: BlobId::of(format.media_type().as_bytes()),
        format,
        bytes,
    };
    task.images = (1..).zip(ImageFormat::ALL).map(image).collect();
    submitted.into_iter().collect()
}
