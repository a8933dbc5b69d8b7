//! A backend that is none: plays a recorded transcript, for demonstrations,
//! screenshots and tests. Decisions choose how the transcript goes on.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use shared::{
    error::Class,
    id::{CorrelationId, Seq, WorkflowId},
    version::{Compatibility, VERSION},
    wire::{
        Body, Choices, Decision, DecisionRequest, Envelope, SubmitRequest, UndoResponse, WorkflowPage,
        WorkflowState, WorkflowSummary, WorkflowView,
    },
};
use tokio::sync::watch;

use super::{Component, Connection, Followed, Memory, MemoryKind, Server, ServerInfo};
use crate::{Error, clock::Clock, model::Event};

/// The transcript that comes with the program: a request, a proposal, a
/// modification, a second proposal, and its acceptance.
pub const DEMO: &str = include_str!("../../transcripts/demo.jsonl");

/// Id of the one workflow there is.
const WORKFLOW: &str = "wf_demo";

/// The commit that takes its commit back.
const UNDOING: &str = "b7e41d0c9255aa1f3c0d84e6f1279a3350cd21e8";

/// Plays a transcript.
#[derive(Debug, Clone)]
pub struct Fake {
    transcript: Arc<[Body]>,
    /// Time between two pieces of streamed text.
    pace: Duration,
    clock: Clock,
    /// What has happened so far. Appending wakes everybody who follows.
    journal: Arc<watch::Sender<Vec<Envelope>>>,
    /// The request, once there is one.
    request: Arc<Mutex<Option<SubmitRequest>>>,
    /// What was decided, as it was sent.
    decisions: Arc<Mutex<Vec<DecisionRequest>>>,
    /// The events that forks go on from.
    forks: Arc<Mutex<Vec<Seq>>>,
    /// How many more times the list of workflows is not to be had.
    lists_failing: Arc<AtomicU32>,
}

impl Fake {
    /// Plays `transcript`, JSON lines of event envelopes.
    pub fn new(transcript: &str, pace: Duration, clock: Clock) -> Result<Self, Error> {
        let transcript = read(transcript)?.into_iter().map(|event| event.body).collect();
        let journal = Arc::new(watch::Sender::new(Vec::new()));
        Ok(Self {
            transcript,
            pace,
            clock,
            journal,
            request: Arc::default(),
            decisions: Arc::default(),
            forks: Arc::default(),
            lists_failing: Arc::default(),
        })
    }

    /// Lets the next `count` questions for the list of workflows fail.
    pub fn fail_lists(&self, count: u32) {
        self.lists_failing.store(count, Ordering::Relaxed);
    }

    /// Everything that happened so far.
    pub fn journal(&self) -> Vec<Envelope> {
        self.journal.borrow().clone()
    }

    /// What was decided, as it was sent.
    pub fn decisions(&self) -> Vec<DecisionRequest> {
        self.decisions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The events that forks go on from, as they were asked for.
    pub fn forks(&self) -> Vec<Seq> {
        self.forks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Parts of the transcript between the events that need a decision.
    fn part(&self, number: usize) -> Vec<Body> {
        let needs = |body: &Body| matches!(body, Body::DecisionNeeded { .. });
        let parts = self.transcript.split_inclusive(needs);
        parts.skip(number).take(1).flatten().cloned().collect()
    }

    /// Plays bodies one after the other; streamed text takes time.
    fn play(&self, bodies: Vec<Body>) -> BoxFuture<'static, ()> {
        let (journal, pace, clock) = (Arc::clone(&self.journal), self.pace, self.clock);
        async move {
            for body in bodies {
                if !pace.is_zero() {
                    let streamed = matches!(body, Body::AgentStreamingUpdate { .. });
                    tokio::time::sleep(if streamed { pace } else { pace * 6 }).await;
                }
                let cancelled = !append(&journal, body, (clock.now)());
                if cancelled {
                    return;
                }
            }
        }
        .boxed()
    }

    /// The iteration that a decision is needed about.
    fn pending(&self) -> Option<u32> {
        let journal = self.journal.borrow();
        if let Body::DecisionNeeded { iteration, .. } = journal.last()?.body {
            Some(iteration)
        } else {
            None
        }
    }

    fn start(&self, bodies: Vec<Body>) {
        tokio::spawn(self.play(bodies));
    }

    /// The request, once there is one.
    pub fn sent(&self) -> Option<SubmitRequest> {
        self.request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn summary(&self) -> Option<WorkflowSummary> {
        let request = self.sent()?;
        let journal = self.journal.borrow();
        let state = journal.iter().rev().find_map(|event| {
            if let Body::WorkflowState { state, .. } = &event.body {
                Some(*state)
            } else {
                None
            }
        });
        Some(WorkflowSummary {
            workflow_id: WorkflowId::new(WORKFLOW),
            correlation_id: correlation(&request),
            workflow_type: request.workflow_type,
            user_query: request.user_query,
            workspace: request.workspace.unwrap_or_else(|| "/home/ada/shop".to_owned()),
            state: state.unwrap_or(WorkflowState::Running),
            head: journal.last().map(|event| event.seq).unwrap_or_default(),
            created_at: journal.first().map_or(0, |event| event.timestamp),
            updated_at: journal.last().map_or(0, |event| event.timestamp),
        })
    }
}

/// Workflows that were there before.
fn before(now: u64) -> Vec<WorkflowSummary> {
    const HOUR: u64 = 3_600;
    let all = [
        (
            "Show the delivery date on the order page",
            WorkflowState::Completed,
            2,
        ),
        ("Export orders as CSV, with a test", WorkflowState::Completed, 26),
        ("Send the invoice again on request", WorkflowState::Rejected, 49),
        ("Move sessions to Redis", WorkflowState::Failed, 76),
    ];
    let summary = |(number, (query, state, hours)): (usize, (&str, WorkflowState, u64))| {
        let at = now.saturating_sub(hours * HOUR);
        WorkflowSummary {
            workflow_id: WorkflowId::new(format!("wf_before_{number}")),
            correlation_id: CorrelationId::new(format!("req_before_{number}")),
            workflow_type: "feature_implementation".to_owned(),
            user_query: query.to_owned(),
            workspace: "/home/ada/shop".to_owned(),
            state,
            head: Seq(1),
            created_at: at,
            updated_at: at,
        }
    };
    all.into_iter().enumerate().map(summary).collect()
}

/// The body as it is in another iteration than the transcript's.
fn of_iteration(mut body: Body, now: u32) -> Body {
    if let Body::WorkflowState { iteration, .. }
    | Body::StageStarted { iteration, .. }
    | Body::DiffReady { iteration, .. }
    | Body::DecisionNeeded { iteration, .. } = &mut body
    {
        *iteration = now;
    }
    body
}

fn refused(code: &str, message: &str) -> Error {
    Error::Refused {
        code: code.to_owned(),
        message: message.to_owned(),
        class: Class::User,
    }
}

fn correlation(request: &SubmitRequest) -> CorrelationId {
    CorrelationId::new(
        request
            .correlation_id
            .clone()
            .unwrap_or_else(|| "req_demo".to_owned()),
    )
}

/// Reads JSON lines of event envelopes.
pub fn read(transcript: &str) -> Result<Vec<Envelope>, Error> {
    let lines = transcript.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            serde_json::from_str(line).map_err(|error| Error::Unexpected(format!("transcript: {error}")))
        })
        .collect()
}

/// Appends unless the workflow has ended; tells whether it did.
fn append(journal: &watch::Sender<Vec<Envelope>>, body: Body, timestamp: u64) -> bool {
    journal.send_if_modified(|events| {
        let ended = |event: &Envelope| {
            matches!(&event.body, Body::WorkflowState { state, .. } if state.is_terminal())
        };
        if events.last().is_some_and(ended) {
            return false;
        }
        let seq = events.last().map(|event| event.seq).unwrap_or_default().next();
        let workflow_id = WorkflowId::new(WORKFLOW);
        let correlation_id = CorrelationId::new("req_demo");
        events.push(Envelope { seq, workflow_id, correlation_id, timestamp, body });
        true
    })
}

impl Connection for Fake {
    fn name(&self) -> String {
        "demo".to_owned()
    }

    fn watch(&self) -> BoxStream<'static, Server> {
        let component = |name: &str, detail: &str| Component {
            name: name.to_owned(),
            ok: true,
            detail: detail.to_owned(),
        };
        let up = Server::Up(ServerInfo {
            version: VERSION.to_owned(),
            compatibility: Compatibility::Full,
            default_workspace: "/home/ada/shop".to_owned(),
            components: vec![
                component("journal", "sqlite"),
                component("model", "qwen2.5-coder:7b"),
                component("vectordb", "embedded"),
            ],
            index: None,
            memory: Some(Memory {
                kind: MemoryKind::Gpu,
                used_mb: 5_222,
                total_mb: 8_192,
                is_tight: false,
            }),
        });
        stream::once(async { up }).chain(stream::pending()).boxed()
    }

    fn submit(&self, request: SubmitRequest) -> BoxFuture<'static, Result<WorkflowId, Error>> {
        let fake = self.clone();
        async move {
            *fake.request.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
            fake.journal.send_replace(Vec::new());
            fake.start(fake.part(0));
            Ok(WorkflowId::new(WORKFLOW))
        }
        .boxed()
    }

    fn page(&self, cursor: Option<&str>) -> BoxFuture<'static, Result<WorkflowPage, Error>> {
        let workflows = match cursor {
            None => self
                .summary()
                .into_iter()
                .chain(before((self.clock.now)()))
                .collect(),
            Some(_) => Vec::new(),
        };
        let page = WorkflowPage {
            workflows,
            next_cursor: None,
        };
        async { Ok(page) }.boxed()
    }

    fn newest_unfinished(&self) -> BoxFuture<'static, Result<Option<WorkflowSummary>, Error>> {
        let one_less = |count: u32| count.checked_sub(1);
        let failing = self
            .lists_failing
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        let unfinished = self.summary().filter(|workflow| !workflow.state.is_terminal());
        let overloaded = Error::Unreachable {
            url: self.name(),
            reason: "too much to do".to_owned(),
        };
        let answer = if failing.is_ok() {
            Err(overloaded)
        } else {
            Ok(unfinished)
        };
        async { answer }.boxed()
    }

    fn view(&self, _id: &WorkflowId) -> BoxFuture<'static, Result<WorkflowView, Error>> {
        let stages = [
            "retrieval",
            "planning",
            "code_generation",
            "checks",
            "review",
            "apply",
        ];
        let pending = |id: &&str| shared::wire::StageView {
            stage_id: shared::id::StageId::new(*id),
            status: "pending".to_owned(),
            attempt: 0,
            duration_ms: None,
        };
        let view = self.summary().map(|summary| WorkflowView {
            summary,
            choices: Choices::default(),
            iteration: 1,
            stages: stages.iter().map(pending).collect(),
            plan: Vec::new(),
            diff: None,
            evidence: Vec::new(),
            commit: None,
            undone_by: None,
            undoes: None,
            error: None,
        });
        async { view.ok_or_else(|| refused("E1003", "there is no workflow")) }.boxed()
    }

    fn log(&self, _id: &WorkflowId, check: &str) -> BoxFuture<'static, Result<String, Error>> {
        let printed = self.journal.borrow().iter().rev().find_map(|event| {
            if let Body::CheckResult { name, output, .. } = &event.body {
                (name == check).then(|| output.clone())
            } else {
                None
            }
        });
        async { printed.ok_or_else(|| refused("E1001", "the check has no log")) }.boxed()
    }

    fn decide(&self, _id: &WorkflowId, request: DecisionRequest) -> BoxFuture<'static, Result<(), Error>> {
        let fake = self.clone();
        async move {
            let Some(iteration) = fake.pending() else {
                return Err(refused("E1007", "the workflow is not waiting for a decision"));
            };
            fake.decisions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(request.clone());
            let taken = Body::DecisionTaken {
                decision: request.decision,
                feedback: request.feedback,
            };
            let rejected = Body::WorkflowState {
                state: WorkflowState::Rejected,
                iteration,
            };
            let (rest, iteration) = match request.decision {
                Decision::Accept => (fake.part(2), iteration),
                Decision::Modify => (fake.part(1), iteration + 1),
                Decision::Reject => (vec![rejected], iteration),
            };
            let rest = rest
                .into_iter()
                .filter(|body| !matches!(body, Body::DecisionTaken { .. }));
            let rest = rest.map(|body| of_iteration(body, iteration));
            fake.start(std::iter::once(taken).chain(rest).collect());
            Ok(())
        }
        .boxed()
    }

    fn remark(&self, _id: &WorkflowId, text: String) -> BoxFuture<'static, Result<(), Error>> {
        let said = append(&self.journal, Body::Remarked { text }, (self.clock.now)());
        let over = || refused("E1008", "the workflow has already finished");
        async move { if said { Ok(()) } else { Err(over()) } }.boxed()
    }

    fn undo(&self, _id: &WorkflowId) -> BoxFuture<'static, Result<UndoResponse, Error>> {
        let committed = self.journal.borrow().iter().find_map(|event| {
            if let Body::Applied { commit, branch, .. } = &event.body {
                commit.as_ref().map(|_| branch.clone())
            } else {
                None
            }
        });
        let undone = committed.map(|branch| UndoResponse {
            workflow_id: WorkflowId::new(format!("{WORKFLOW}_undo")),
            commit: Some(UNDOING.to_owned()),
            branch,
        });
        async { undone.ok_or_else(|| refused("E1022", "the workflow has committed nothing")) }.boxed()
    }

    /// Plays the transcript anew.
    fn fork(&self, _id: &WorkflowId, at: Seq) -> BoxFuture<'static, Result<WorkflowId, Error>> {
        self.forks.lock().unwrap_or_else(PoisonError::into_inner).push(at);
        match self.sent() {
            Some(request) => self.submit(request),
            None => async { Err(refused("E1003", "there is no workflow")) }.boxed(),
        }
    }

    fn cancel(&self, _id: &WorkflowId) -> BoxFuture<'static, Result<(), Error>> {
        let cancelled = Body::WorkflowState {
            state: WorkflowState::Cancelled,
            iteration: 1,
        };
        append(&self.journal, cancelled, (self.clock.now)());
        async { Ok(()) }.boxed()
    }

    fn follow(&self, _id: &WorkflowId, after: Seq) -> BoxStream<'static, Followed> {
        let receiver = self.journal.subscribe();
        stream::unfold(
            (receiver, after, true),
            |(mut receiver, last, first)| async move {
                if first {
                    return Some((Followed::Connected, (receiver, last, false)));
                }
                loop {
                    let events: Vec<Event> = receiver
                        .borrow_and_update()
                        .iter()
                        .filter(|event| event.seq > last)
                        .cloned()
                        .map(Event::from)
                        .collect();
                    if let Some(newest) = events.last() {
                        let last = newest.envelope.seq;
                        return Some((Followed::Events(events), (receiver, last, false)));
                    }
                    receiver.changed().await.ok()?;
                }
            },
        )
        .boxed()
    }
}
