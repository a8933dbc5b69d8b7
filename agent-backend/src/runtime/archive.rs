//! Time travel: a workflow as it was at any event, new workflows from there,
//! and whole workflows as one text.
//!
//! The text is lines of JSON: a header with the counts, the events as the
//! journal stores them, and the contents they name.

use std::collections::BTreeSet;

use engine::{
    Event, Outcome, Recorded, State,
    blob::{Blob, BlobId},
    fold,
    history::{self, NewFork},
    ports::journal::{Append, Created, Durability, NewWorkflow},
};
use serde::{Deserialize, Serialize};
use shared::{
    error::{Class, Code},
    id::{CorrelationId, Seq, WorkflowId},
};

use super::{PAGE, Runtime, actor};
use crate::{clock, error::Error};

/// Version of the text.
const VERSION: u32 = 1;

/// Events that one append takes over.
const CHUNK: usize = 512;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    agentic_ide_workflow: u32,
    workflow: String,
    events: usize,
    blobs: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct BlobLine {
    blob: String,
    /// Set where the contents are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Set otherwise: two digits for each byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

impl Runtime {
    /// The workflow as it was right after an event.
    pub async fn state_at(&self, id: &WorkflowId, at: Seq) -> Result<State, Error> {
        let history = self.history(id, at).await?;
        match history.last() {
            Some(last) if last.seq == at => {
                fold(&history).ok_or_else(|| Error::internal("a history without a state"))
            }
            Some(_) | None => Err(Error::user(
                Code::InvalidRequest,
                format!("workflow `{id}` has no event {at}"),
            )),
        }
    }

    /// Begins a workflow that goes on from an event of another one.
    pub async fn fork(
        &self,
        id: &WorkflowId,
        at: Seq,
        model: Option<String>,
    ) -> Result<(WorkflowId, CorrelationId), Error> {
        let history = self.history(id, at).await?;
        let workflow = WorkflowId::new(uuid::Uuid::now_v7().to_string());
        let new = NewFork {
            correlation: CorrelationId::new(format!("fork_{workflow}")),
            workflow,
            from: id.clone(),
            at,
            model,
            now_ms: clock::now_ms(),
        };
        let events = history::fork(history, &new)
            .map_err(|error| Error::user(Code::ForkRefused, format!("event {at}: {error}")))?;
        let state = fold(&events).ok_or_else(|| Error::internal("a fork without a state"))?;
        super::submission::check_workspace(&state.task.workspace).await?;
        self.check_room()?;
        let model = new.model.as_deref().unwrap_or_default();
        let create = NewWorkflow {
            workflow: new.workflow.clone(),
            correlation: new.correlation.clone(),
            fingerprint: BlobId::of(format!("fork\0{id}\0{at}\0{model}").as_bytes()),
            blobs: Vec::new(),
            status: actor::status(&state),
            events,
        };
        self.services().journal.create(create).await?;
        self.start(state, actor::Begin::Resumed { tries: 0 });
        Ok((new.workflow, new.correlation))
    }

    /// Everything about a workflow as one text.
    pub async fn export(&self, id: &WorkflowId) -> Result<String, Error> {
        let events = self.history(id, Seq(u64::MAX)).await?;
        let named: BTreeSet<BlobId> = events
            .iter()
            .flat_map(|recorded| recorded.event.blobs())
            .collect();
        let header = Header {
            agentic_ide_workflow: VERSION,
            workflow: id.to_string(),
            events: events.len(),
            blobs: named.len(),
        };
        let mut text = json(&header)?;
        text.push_str(&journal::history::encode(id, &events)?);
        for blob in named {
            let bytes = self.services().journal.blob(blob).await?.ok_or_else(|| Error {
                class: Class::Permanent,
                code: Code::JournalCorrupt,
                message: format!("the journal lacks the contents {}", blob.to_hex()),
            })?;
            let line = match String::from_utf8(bytes) {
                Ok(contents) => BlobLine {
                    blob: blob.to_hex(),
                    text: Some(contents),
                    bytes: None,
                },
                Err(error) => BlobLine {
                    blob: blob.to_hex(),
                    text: None,
                    bytes: Some(hex::encode(error.into_bytes())),
                },
            };
            text.push_str(&json(&line)?);
        }
        Ok(text)
    }

    /// Takes an exported workflow over, under its own id. It is a record: what
    /// was unfinished is closed here, and can be forked to go on.
    pub async fn import(&self, text: &str) -> Result<WorkflowId, Error> {
        let (id, mut events, blobs) = read(text)?;
        let state = fold(&events).ok_or_else(|| refused("its history does not begin with a request"))?;
        if !state.is_finished() {
            let event = Event::Finished(Outcome::Cancelled);
            let now_ms = clock::now_ms().max(state.updated_at_ms);
            events.extend(actor::record(state.head, now_ms, vec![event]));
        }
        let state = fold(&events).ok_or_else(|| Error::internal("a history without a state"))?;
        let task = &state.task;
        let journal = &self.services().journal;
        let first: Vec<Recorded> = events.iter().take(CHUNK).cloned().collect();
        let create = NewWorkflow {
            workflow: id.clone(),
            correlation: state.correlation.clone(),
            fingerprint: BlobId::of(
                format!("{}\0{}\0{}", task.workflow_type, task.workspace, task.query).as_bytes(),
            ),
            blobs: Vec::new(),
            // Finished from the first write: nothing ever runs it.
            status: actor::status(&state),
            events: first,
        };
        if journal.head(id.clone()).await?.is_some() {
            return Err(refused(&format!("workflow `{id}` is there already")));
        }
        match journal.create(create).await? {
            Created::New => {}
            Created::Existing(known) | Created::Conflict(known) => {
                return Err(refused(&format!(
                    "its correlation id belongs to workflow `{known}`"
                )));
            }
        }
        let mut after = Seq(u64::try_from(events.len().min(CHUNK)).unwrap_or(u64::MAX));
        let append = |after: Seq, events: Vec<Recorded>, blobs: Vec<Blob>| Append {
            workflow: id.clone(),
            after,
            events,
            blobs,
            status: None,
            durability: Durability::Synced,
        };
        for chunk in events.get(CHUNK..).unwrap_or_default().chunks(CHUNK) {
            journal.append(append(after, chunk.to_vec(), Vec::new())).await?;
            after = chunk.last().map_or(after, |last| last.seq);
        }
        for blob in blobs {
            journal.append(append(after, Vec::new(), vec![blob])).await?;
        }
        Ok(id)
    }

    /// The whole history up to an event.
    async fn history(&self, id: &WorkflowId, at: Seq) -> Result<Vec<Recorded>, Error> {
        let mut found: Vec<Recorded> = Vec::new();
        loop {
            let after = found.last().map_or(Seq::default(), |last| last.seq);
            let page = self.services().journal.read(id.clone(), after, PAGE).await?;
            let whole = page.len() < PAGE;
            found.extend(page.into_iter().take_while(|recorded| recorded.seq <= at));
            if whole || found.last().is_none_or(|last| last.seq >= at) {
                return Ok(found);
            }
        }
    }
}

fn json(line: &impl Serialize) -> Result<String, Error> {
    let mut text = serde_json::to_string(line).map_err(|error| Error::internal(error.to_string()))?;
    text.push('\n');
    Ok(text)
}

fn refused(why: &str) -> Error {
    Error::user(
        Code::ImportRefused,
        format!("the workflow cannot be imported: {why}"),
    )
}

fn read(text: &str) -> Result<(WorkflowId, Vec<Recorded>, Vec<Blob>), Error> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let header: Header =
        serde_json::from_str(first).map_err(|_| refused("its first line is not that of an export"))?;
    if header.agentic_ide_workflow != VERSION {
        let version = header.agentic_ide_workflow;
        return Err(refused(&format!(
            "it was written by another version ({version}; this one knows {VERSION})"
        )));
    }
    let id = WorkflowId::parse(&header.workflow).map_err(|error| refused(&error.to_string()))?;
    let mut lines = rest.lines();
    let history: Vec<&str> = lines.by_ref().take(header.events).collect();
    let events =
        journal::history::decode(&id, &history.join("\n")).map_err(|error| refused(&error.to_string()))?;
    let blobs = lines.map(blob).collect::<Result<Vec<_>, _>>()?;
    if events.len() != header.events || blobs.len() != header.blobs {
        return Err(refused("it was cut off"));
    }
    Ok((id, events, blobs))
}

fn blob(line: &str) -> Result<Blob, Error> {
    let damaged = || refused("the contents of a file are damaged");
    let line: BlobLine = serde_json::from_str(line).map_err(|_| damaged())?;
    let bytes = match (line.text, line.bytes) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(bytes)) => hex::decode(bytes).map_err(|_| damaged())?,
        (Some(_), Some(_)) | (None, None) => return Err(damaged()),
    };
    let blob = Blob::new(bytes);
    (blob.id().to_hex() == line.blob)
        .then_some(blob)
        .ok_or_else(damaged)
}
