//! The pictures of a request, for a client that has not sent it.

use agent_client_protocol::v1::schema::SessionUpdate;
use engine::{Event, artifact::Image};
use shared::{
    error::Code,
    id::{Seq, WorkflowId},
};

use super::updates;
use crate::{error::Error, images, runtime::Runtime};

/// What a client is told of the pictures that a workflow began with.
pub(super) async fn of(runtime: &Runtime, workflow: &WorkflowId) -> Result<Vec<SessionUpdate>, Error> {
    let journal = &runtime.services().journal;
    let mut told = Vec::new();
    for (number, image) in (1..).zip(named(runtime, workflow).await?) {
        told.push(match journal.blob(image.blob).await? {
            Some(bytes) => updates::seen(image.format, &bytes),
            // An imported record may lack it.
            None => updates::say(&format!("[{} is not here]", images::named(number, &image))),
        });
    }
    Ok(told)
}

/// They are named by the first event, which says so for ever.
async fn named(runtime: &Runtime, workflow: &WorkflowId) -> Result<Vec<Image>, Error> {
    let journal = &runtime.services().journal;
    let first = match journal.read(workflow.clone(), Seq::default(), 1).await {
        Ok(first) => first.into_iter().next().map(|first| first.event),
        // It was deleted, with its pictures.
        Err(error) if error.code == Code::UnknownWorkflow => None,
        Err(error) => return Err(error.into()),
    };
    Ok(match first {
        Some(Event::Submitted { task, .. }) => task.images,
        Some(_) | None => Vec::new(),
    })
}
