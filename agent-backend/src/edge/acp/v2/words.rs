//! Which message words are that a running workflow was told: they are named after
//! their place in its journal, so that the same words said again are another one.

use agent_client_protocol::v2::schema as two;
use engine::{Event, artifact::Decision};
use shared::id::{Seq, WorkflowId};

use crate::{
    error::Error,
    runtime::{PAGE, Runtime},
};

/// The message at this place.
pub(super) fn message(workflow: &WorkflowId, seq: Seq) -> two::MessageId {
    two::MessageId::new(format!("{workflow}:{}", seq.0))
}

/// The message of words that were told after `after`; none where the journal has
/// them nowhere.
pub(super) async fn find(
    runtime: &Runtime,
    workflow: &WorkflowId,
    after: Seq,
    words: &str,
) -> Result<Option<two::MessageId>, Error> {
    let journal = &runtime.services().journal;
    let mut from = after;
    loop {
        let page = journal.read(workflow.clone(), from, PAGE).await?;
        let Some(last) = page.last() else { break };
        from = last.seq;
        if let Some(told) = page.iter().find(|recorded| said(&recorded.event) == Some(words)) {
            return Ok(Some(message(workflow, told.seq)));
        }
    }
    // A remark that was made before counts once.
    let state = runtime.state(workflow).await?;
    let before = state.remarks.iter().find(|remark| remark.text == words);
    Ok(before.map(|remark| message(workflow, remark.seq)))
}

/// Words of the person in the middle of a workflow.
fn said(event: &Event) -> Option<&str> {
    if let Event::Remarked { text } | Event::Decided(Decision::Modify { feedback: text }) = event {
        Some(text)
    } else {
        None
    }
}
