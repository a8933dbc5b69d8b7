//! From the journal back to a state.

use engine::{Event, Recorded, State, limits::HISTORY_EVENTS_MAX};
use shared::id::{Seq, WorkflowId};

use super::{PAGE, Services};
use crate::error::Error;

/// The state of a workflow as the journal has it.
pub(super) async fn state(services: &Services, id: &WorkflowId) -> Result<State, Error> {
    let head = services.journal.head(id.clone()).await?;
    let head = head.ok_or_else(|| Error::unknown_workflow(id.as_str()))?.head;
    // Most histories are short, and finding the place is a search.
    let base = if head.0 >= HISTORY_EVENTS_MAX {
        services.journal.base(id.clone()).await?
    } else {
        Seq::default()
    };
    let events = events(services, id, base).await?;
    engine::fold(&events).ok_or_else(|| Error::unknown_workflow(id.as_str()))
}

/// A history that leads to the state at the head: all of it, or from `base`
/// the shorter one that is stored there and what came after.
pub(super) async fn events(services: &Services, id: &WorkflowId, base: Seq) -> Result<Vec<Recorded>, Error> {
    let mut found = Vec::new();
    let mut after = Seq(base.0.saturating_sub(1));
    loop {
        let page = services.journal.read(id.clone(), after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        found.extend(page);
    }
    let shorter = found.first().and_then(|first| match &first.event {
        Event::Continued { history } if base > Seq::default() => Some(*history),
        _ => None,
    });
    let Some(shorter) = shorter else {
        return Ok(found);
    };
    let bytes = services.journal.blob(shorter).await?.ok_or_else(|| {
        let message = format!("the journal lacks the shorter history of workflow `{id}`");
        Error {
            class: shared::error::Class::Permanent,
            code: shared::error::Code::JournalCorrupt,
            message,
        }
    })?;
    let mut events = journal::history::decode(id, &String::from_utf8_lossy(&bytes))?;
    events.extend(found);
    Ok(events)
}
