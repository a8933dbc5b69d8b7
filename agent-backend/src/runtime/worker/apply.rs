//! Writes the accepted proposal in two steps: first the intent, which names
//! everything the commit is a function of, then the writing itself, which may
//! be done again after a crash and makes the same commit.

use std::collections::HashMap;

use agents::commit::{self, ChangeKind};
use engine::{
    Output, State,
    artifact::{FileChange, Selection},
    blob::BlobId,
};

use super::{Desk, Done};
use crate::{clock, error::Error, runtime::services::Services};

pub(super) type Contents = HashMap<BlobId, Vec<u8>>;

/// Contents that the files name.
pub(super) async fn contents(services: &Services, files: &[FileChange]) -> Result<Contents, Error> {
    let mut contents = Contents::new();
    for file in files {
        for id in [file.old, file.new].into_iter().flatten() {
            contents.insert(id, super::blob(services, id).await?);
        }
    }
    Ok(contents)
}

/// Decides what will be written and sends it as an intent.
pub(super) async fn plan(services: &Services, state: &State, desk: &Desk) -> Result<(), Error> {
    let workspace = super::open(state).await?;
    let proposal = state
        .proposal
        .as_deref()
        .cloned()
        .ok_or_else(|| Error::internal("there is no proposal to apply"))?;
    let selection = state.selection.clone().unwrap_or(Selection::All);
    let mut contents = contents(services, &proposal.files).await?;
    for (_, text) in own_texts(&selection) {
        contents.insert(text, super::blob(services, text).await?);
    }
    let accepted = {
        let blob = |id| contents.get(&id).cloned();
        tools::apply::accepted(&proposal.files, &blob, &selection)?
    };
    let message = message(state, &accepted, &selection, &proposal.summary);
    let now = i64::try_from(clock::now_ms() / 1000).unwrap_or(i64::MAX);
    let planned = super::blocking(move || {
        let blob = |id| contents.get(&id).cloned();
        Ok(tools::apply::plan(
            &workspace,
            &proposal.files,
            &blob,
            &selection,
            &message,
            now,
        )?)
    })
    .await?;
    for notice in planned.notices {
        desk.notify(notice.level, notice.code, notice.message).await;
    }
    desk.intend(planned.intent, planned.blobs).await;
    Ok(())
}

/// Files that the person has written anew, with their texts.
fn own_texts(selection: &Selection) -> Vec<(&str, BlobId)> {
    match selection {
        Selection::All => Vec::new(),
        Selection::Files(files) => {
            let files = files.iter();
            files
                .filter_map(|file| Some((file.path.as_str(), file.text?)))
                .collect()
        }
    }
}

fn message(
    state: &State,
    files: &[FileChange],
    selection: &Selection,
    summary: &str,
) -> tools::CommitMessage {
    let kind = |file: &FileChange| match (file.old, file.new) {
        (None, _) => ChangeKind::Added,
        (Some(_), Some(_)) => ChangeKind::Modified,
        (Some(_), None) => ChangeKind::Removed,
    };
    let changed: Vec<(&str, ChangeKind)> = files
        .iter()
        .map(|file| (file.path.as_str(), kind(file)))
        .collect();
    let edited: Vec<&str> = own_texts(selection).iter().map(|(path, _)| *path).collect();
    let text = commit::message(&commit::Facts {
        query: &state.task.query,
        summary,
        changed: &changed,
        checks: &state.checks,
        edited: &edited,
        workflow: &state.workflow,
    });
    tools::CommitMessage {
        subject: text.subject,
        body: text.body,
        trailers: text.trailers,
    }
}

/// Writes what the intent says.
pub(super) async fn write(services: &Services, state: &State) -> Result<Done, Error> {
    let workspace = super::open(state).await?;
    let intent = state
        .intent
        .as_deref()
        .cloned()
        .ok_or_else(|| Error::internal("there is no intent to write"))?;
    let contents = contents(services, &intent.files).await?;
    let applied = super::blocking(move || {
        Ok(tools::apply::execute(&workspace, &intent, &|id| {
            contents.get(&id).cloned()
        })?)
    })
    .await?;
    Ok((Output::Applied(applied), Vec::new()))
}
