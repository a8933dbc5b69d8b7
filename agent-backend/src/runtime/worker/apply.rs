//! Writes the accepted proposal in two steps: first the intent, which names
//! everything the commit is a function of, then the writing itself, which may
//! be done again after a crash and makes the same commit. What is not what was
//! checked is checked in between.

use std::{collections::HashMap, sync::Arc};

use agents::commit::{self, ChangeKind, Checked};
use engine::{
    Output, State,
    artifact::{FileChange, Selection},
    blob::BlobId,
    recheck::{self, Recheck, Standing},
};
use shared::error::{Class, Code};

use super::{Desk, Done, checks, revert::Undone, shown::Texts};
use crate::{clock, error::Error, runtime::services::Services};

/// How often what would be written is checked while the person goes on editing.
const RECHECKS_MAX: usize = 3;

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
    let undone = Undone::by(services, state).await?;
    let mut state = state.clone();
    let mut told = Vec::new();
    for _ in 0..=RECHECKS_MAX {
        let message = match &undone {
            Some(undone) => message_of_undo(&state, &accepted, undone),
            None => message(&state, &accepted, &selection, &proposal.summary),
        };
        // Each time as the editors show it then.
        let paths = accepted.iter().map(|file| file.path.clone()).collect();
        let shown = Texts::of(services, &state, &workspace, paths).await?;
        let part = match &undone {
            Some(undone) => Part::Undo(undone.commit.clone()),
            None => Part::Of(selection.clone()),
        };
        let planned = merge(&workspace, shown, &proposal.files, &contents, part, message).await;
        let planned = planned.map_err(|error| match &undone {
            Some(undone) => conflict_of_undo(error, undone),
            None => error,
        })?;
        for notice in planned.notices {
            if !told.contains(&notice) {
                told.push(notice.clone());
                desk.notify(notice.level, notice.code, notice.message).await;
            }
        }
        let files = &planned.intent.files;
        match state.standing(files) {
            Standing::Known | Standing::Objected(_) => {
                desk.intend(planned.intent, planned.blobs).await;
                return Ok(());
            }
            Standing::Unchecked => {}
        }
        let of = recheck::identity(files);
        let merged = planned
            .blobs
            .iter()
            .map(|blob| (blob.id(), blob.bytes().to_vec()));
        let what = (planned.intent.files, merged.collect());
        let (evidence, problems) = checks::again(services, desk, workspace.clone(), &state, what).await?;
        state.checks = Arc::new(evidence.reports.clone());
        state.recheck = Some(Arc::new(Recheck {
            of,
            problems: problems.clone(),
            shown: false,
        }));
        desk.recheck(of, evidence, problems.clone()).await;
        if !problems.is_empty() {
            // The person is asked once more; this attempt is over.
            return Ok(());
        }
        // Checking takes a while: the files may have been edited meanwhile.
    }
    Err(Error {
        class: Class::Permanent,
        code: Code::WorkspaceChanged,
        message: "the proposed files were edited whenever they had been checked: accept again when you have \
                  stopped editing them"
            .to_owned(),
    })
}

/// What is merged.
enum Part {
    /// The part of a proposal that a person took.
    Of(Selection),
    /// The reverse of this commit.
    Undo(String),
}

/// Merges the accepted part with the workspace as it is now.
async fn merge(
    workspace: &tools::Workspace,
    shown: Texts,
    files: &[FileChange],
    contents: &Contents,
    part: Part,
    message: tools::CommitMessage,
) -> Result<tools::apply::Planned, Error> {
    let (workspace, files, contents) = (workspace.clone(), files.to_vec(), contents.clone());
    let now = i64::try_from(clock::now_ms() / 1000).unwrap_or(i64::MAX);
    super::blocking(move || {
        let blob = |id| contents.get(&id).cloned();
        let workspace = shown.over(workspace);
        Ok(match part {
            Part::Of(selection) => tools::apply::plan(&workspace, &files, &blob, &selection, &message, now)?,
            Part::Undo(commit) => tools::apply::plan_undo(&workspace, &commit, &files, &blob, &message, now)?,
        })
    })
    .await
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

fn kind(file: &FileChange) -> ChangeKind {
    match (file.old, file.new) {
        (None, _) => ChangeKind::Added,
        (Some(_), Some(_)) => ChangeKind::Modified,
        (Some(_), None) => ChangeKind::Removed,
    }
}

fn message_of_undo(state: &State, files: &[FileChange], undone: &Undone) -> tools::CommitMessage {
    let changed: Vec<(&str, ChangeKind)> = files
        .iter()
        .map(|file| (file.path.as_str(), kind(file)))
        .collect();
    let text = commit::revert(&commit::Reverted {
        subject: &undone.subject,
        commit: &undone.commit,
        undoes: &undone.workflow,
        changed: &changed,
        workflow: &state.workflow,
    });
    tools::CommitMessage {
        subject: text.subject,
        body: text.body,
        trailers: text.trailers,
    }
}

/// What a person can do where what was done since stands in the way of an undo.
fn conflict_of_undo(error: Error, undone: &Undone) -> Error {
    if error.code != Code::UndoConflict {
        return error;
    }
    let message = format!(
        "nothing was written: {}. Take back what was done since and undo it again, or run `git revert {}` and \
         resolve it by hand",
        error.message, undone.commit
    );
    Error { message, ..error }
}

fn message(
    state: &State,
    files: &[FileChange],
    selection: &Selection,
    summary: &str,
) -> tools::CommitMessage {
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
        checked: if state.recheck.is_some() {
            Checked::Merged
        } else {
            Checked::Proposed
        },
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
pub(super) async fn write(services: &Services, state: &State, desk: &Desk) -> Result<Done, Error> {
    let workspace = super::open(state).await?;
    let intent = state
        .intent
        .as_deref()
        .cloned()
        .ok_or_else(|| Error::internal("there is no intent to write"))?;
    let contents = contents(services, &intent.files).await?;
    let paths = intent.files.iter().map(|file| file.path.clone()).collect();
    let shown = Texts::of(services, state, &workspace, paths).await?;
    let executed = super::blocking(move || {
        let workspace = shown.over(workspace);
        let blob = |id| contents.get(&id).cloned();
        Ok(tools::apply::execute_through(
            &workspace,
            &intent,
            &blob,
            &shown.saver(),
        )?)
    })
    .await?;
    for notice in executed.notices {
        desk.notify(notice.level, notice.code, notice.message).await;
    }
    Ok((Output::Applied(executed.applied), Vec::new()))
}
