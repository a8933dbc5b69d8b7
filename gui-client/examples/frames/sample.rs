//! What is shown while it is measured: a large diff, and text that is written.

use std::fmt::Write as _;

use shared::{
    id::{CorrelationId, Seq, StageId, WorkflowId},
    wire::{Body, ChangeKind, Decision, Envelope, FileDiff, Hunk, Question, WorkflowState},
};

/// Lines of the large file, and of them each this many-th is another one.
const LINES: usize = 10_000;
const CHANGED: usize = 50;

/// A file of 10,000 lines of which each 50th is another one, each in a hunk of
/// its own.
pub fn large() -> FileDiff {
    let text = |new: bool| -> String {
        let line = |n: usize| {
            let value = if new && n % CHANGED == 10 {
                "other"
            } else {
                "value"
            };
            format!("    let {value}_{n} = compute(\"{value}\", {n});\n")
        };
        (0..LINES).map(line).collect()
    };
    let changes = LINES / CHANGED;
    let hunk = |at: usize| {
        let start = u32::try_from(at * CHANGED + 10 - 2).unwrap();
        Hunk {
            old_start: start,
            old_lines: 7,
            new_start: start,
            new_lines: 7,
        }
    };
    FileDiff {
        path: "src/large.rs".to_owned(),
        change: ChangeKind::Edit,
        old_text: Some(text(false)),
        new_text: Some(text(true)),
        lines_added: u32::try_from(changes).unwrap(),
        lines_removed: u32::try_from(changes).unwrap(),
        hunks: (0..changes).map(hunk).collect(),
    }
}

/// The proposal of that file, and the question about it.
pub fn proposal() -> [Body; 2] {
    let ready = Body::DiffReady {
        iteration: 1,
        files: vec![large()],
    };
    let needed = Body::DecisionNeeded {
        iteration: 1,
        options: vec![Decision::Accept, Decision::Reject, Decision::Modify],
        question: Question::Review,
    };
    [ready, needed]
}

/// The pieces of a text that is written, a line each.
pub fn updates() -> impl Iterator<Item = Body> {
    let mut offset = 0;
    (0..).map(move |at: usize| {
        let delta = format!("    line_{at} = compute({at})\n");
        let length = u64::try_from(delta.len()).unwrap();
        let body = Body::AgentStreamingUpdate {
            stage_id: StageId::new("code_generation"),
            attempt: 1,
            delta,
            offset,
            partial_result: None,
            tokens_so_far: offset + length,
            is_final: false,
            metrics: None,
        };
        offset += length;
        body
    })
}

/// One event of the one workflow.
pub fn event(seq: u64, body: Body) -> Envelope {
    Envelope {
        seq: Seq(seq),
        workflow_id: WorkflowId::new("w1"),
        correlation_id: CorrelationId::new("c1"),
        timestamp: 100,
        body,
    }
}

/// A transcript, as the window plays it.
pub fn transcript(bodies: impl IntoIterator<Item = Body>) -> String {
    let running = Body::WorkflowState {
        state: WorkflowState::Running,
        iteration: 1,
    };
    let mut text = String::new();
    for (seq, body) in (1..).zip([running].into_iter().chain(bodies)) {
        writeln!(text, "{}", serde_json::to_string(&event(seq, body)).unwrap()).unwrap();
    }
    text
}
