//! From the journal back to a state.

use engine::{Event, Recorded, State, blob::Blob, history, limits::HISTORY_EVENTS_MAX, ports::Journal};
use shared::id::{Seq, WorkflowId};

use super::PAGE;
use crate::error::Error;

/// The state of a workflow as the journal has it.
pub(super) async fn state(journal: &dyn Journal, id: &WorkflowId) -> Result<State, Error> {
    let head = journal.head(id.clone()).await?;
    let head = head.ok_or_else(|| Error::unknown_workflow(id.as_str()))?.head;
    // Most histories are short, and finding the place is a search.
    let base = if head.0 >= HISTORY_EVENTS_MAX {
        journal.base(id.clone()).await?
    } else {
        Seq::default()
    };
    let events = events(journal, id, base).await?;
    engine::fold(&events).ok_or_else(|| Error::unknown_workflow(id.as_str()))
}

/// A history that leads to the state at the head: all of it, or from `base`
/// the shorter one that is stored there and what came after.
pub(super) async fn events(
    journal: &dyn Journal,
    id: &WorkflowId,
    base: Seq,
) -> Result<Vec<Recorded>, Error> {
    let mut found = Vec::new();
    let mut after = Seq(base.0.saturating_sub(1));
    loop {
        let page = journal.read(id.clone(), after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        found.extend(page);
    }
    let shorter = match found.first().map(|first| &first.event) {
        Some(Event::Continued { history }) if base > Seq::default() => *history,
        Some(_) | None => return Ok(found),
    };
    let bytes = journal.blob(shorter).await?.ok_or_else(|| {
        let message = format!("the journal lacks the shorter history of workflow `{id}`");
        Error {
            class: shared::error::Class::Permanent,
            code: shared::error::Code::JournalCorrupt,
            message,
        }
    })?;
    let mut events = ::journal::history::decode(id, &String::from_utf8_lossy(&bytes))?;
    events.extend(found);
    Ok(events)
}

/// The shorter history that can stand for all there is by now; what is stored
/// since `base` is enough to make it.
pub(super) async fn shorter(journal: &dyn Journal, id: &WorkflowId, base: Seq) -> Result<Blob, Error> {
    let events = events(journal, id, base).await?;
    let text = ::journal::history::encode(id, &history::compact(events))?;
    Ok(Blob::new(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use engine::{
        Command, Ctx, Output,
        artifact::{Context, RetrievalMode, Task},
        blob::BlobId,
        graph,
        ports::journal::{Append, Durability, NewWorkflow, Status},
    };
    use shared::id::{CorrelationId, StageId};

    use super::*;
    use crate::runtime::actor::record;

    const CTX: Ctx = Ctx { now_ms: 7, random: 0 };

    async fn give(journal: &dyn Journal, state: &mut State, command: Command, blobs: Vec<Blob>) {
        let events = record(
            state.head,
            CTX.now_ms,
            engine::decide(state, command, &CTX).unwrap(),
        );
        let append = Append {
            workflow: state.workflow.clone(),
            after: state.head,
            events: events.clone(),
            blobs,
            status: None,
            durability: Durability::Synced,
        };
        journal.append(append).await.unwrap();
        for event in &events {
            engine::advance(state, event);
        }
    }

    /// Streams a lot, then stores a shorter history, twice.
    #[tokio::test]
    async fn a_state_is_read_from_a_shorter_history() {
        let journal = ::journal::memory::Journal::new();
        let graph = graph::parse(include_str!(
            "../../../config/workflows/feature_implementation.yaml"
        ))
        .unwrap();
        let (id, correlation) = (WorkflowId::new("w"), CorrelationId::new("c"));
        let task = Task {
            workflow_type: graph.name.clone(),
            query: "q".to_owned(),
            workspace: "/w".to_owned(),
            choices: engine::artifact::Choices::default(),
            images: Vec::new(),
        };
        let events = engine::submit(id.clone(), correlation.clone(), task, graph, &CTX).unwrap();
        let events = record(Seq(0), CTX.now_ms, events);
        let mut state = engine::fold(&events).unwrap();
        let new = NewWorkflow {
            workflow: id.clone(),
            correlation,
            fingerprint: BlobId::of(b""),
            events,
            blobs: Vec::new(),
            status: Status::Running,
        };
        journal.create(new).await.unwrap();
        for round in 0..2 {
            let stage = StageId::new(if round == 0 { "retrieval" } else { "planning" });
            for _ in 0..40 {
                let command = Command::StreamText {
                    stage: stage.clone(),
                    attempt: 1,
                    delta: "text".to_owned(),
                    tokens: 1,
                    total: None,
                    origin: None,
                };
                give(&journal, &mut state, command, Vec::new()).await;
            }
            let output = if round == 0 {
                Output::Context(Context {
                    mode: RetrievalMode::Keyword,
                    items: Vec::new(),
                    packed: BlobId::of(b""),
                    tokens: 0,
                })
            } else {
                Output::Plan(engine::artifact::Plan::default())
            };
            let command = Command::CompleteStage {
                stage,
                attempt: 1,
                output,
            };
            give(&journal, &mut state, command, Vec::new()).await;
            assert!(history::may_continue(&state));
            let blob = shorter(&journal, &id, state.base).await.unwrap();
            let command = Command::Continue { history: blob.id() };
            give(&journal, &mut state, command, vec![blob]).await;
        }
        let base = journal.base(id.clone()).await.unwrap();
        assert_eq!(base, state.head);
        let short = events_of(&journal, &id, base).await;
        let whole = events_of(&journal, &id, Seq(0)).await;
        assert!(
            short.len() * 4 < whole.len(),
            "{} of {}",
            short.len(),
            whole.len()
        );
        assert_eq!(engine::fold(&short).as_ref(), Some(&state));
        assert_eq!(engine::fold(&whole).as_ref(), Some(&state));
    }

    async fn events_of(journal: &dyn Journal, id: &WorkflowId, base: Seq) -> Vec<Recorded> {
        events(journal, id, base).await.unwrap()
    }
}
