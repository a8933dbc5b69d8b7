//! Everything that prompts are made of, read from the journal and the workspace.

use std::{collections::BTreeSet, path::Path};

use agents::{
    budget::{self, LeftOut},
    edit::{Format, Largest},
    prompt::{Facts, FileText, ProposedFile},
};
use engine::{
    Presence, StageKind, State,
    artifact::{FileChange, Proposal},
    event::NoticeLevel,
};
use shared::id::StageId;

use super::{
    Desk,
    ask::Window,
    retrieval::Refined,
    shown::{self, Texts},
};
use crate::{error::Error, runtime::services::Services};

/// Whole files that are shown to the model beside the packed context.
const FILES_MAX: usize = 12;

/// Path and text of a proposed file; no text for one that is removed.
pub(super) type BaseFile = (String, Option<String>);

async fn proposed(services: &Services, proposal: Option<&Proposal>) -> Result<Vec<BaseFile>, Error> {
    let mut texts = Vec::new();
    for FileChange { path, new, .. } in proposal.map_or(&[][..], |proposal| &proposal.files) {
        let text = match new {
            Some(id) => Some(super::text_blob(services, *id).await?),
            None => None,
        };
        texts.push((path.clone(), text));
    }
    Ok(texts)
}

/// Everything that prompts are made of, read from the journal and the workspace.
pub(super) struct Material {
    packed: String,
    refined: String,
    files: Vec<(String, String)>,
    /// The proposal of the attempt or iteration before.
    pub base: Vec<BaseFile>,
    /// What editors showed of the files.
    pub shown: Texts,
    optional: Vec<(StageId, &'static str)>,
    test_files: Vec<String>,
    remarks: Vec<String>,
    /// Which file is the largest, and its tokens: the format of edits is chosen
    /// by it.
    largest: Option<(usize, u64)>,
}

impl Material {
    /// `refined` is what was found for the last failure.
    pub(super) async fn collect(
        services: &Services,
        state: &State,
        desk: &Desk,
        refined: Refined,
    ) -> Result<Self, Error> {
        let packed = match &state.context {
            Some(context) => super::text_blob(services, context.packed).await?,
            None => String::new(),
        };
        let base = proposed(services, state.proposal.as_deref().or(state.previous.as_deref())).await?;
        let workspace = super::open(state).await?;
        let wanted = wanted(state, &base, &refined.keep);
        let shown = Texts::of(services, state, &workspace, wanted.clone()).await?;
        let (shown, files, unsaved, test_files) = super::blocking(move || {
            let workspace = shown.over(workspace);
            // What cannot be read cannot be shown; an edit of it fails later
            // with its own error.
            let read = |path: String| {
                workspace
                    .read_text(&path)
                    .ok()
                    .flatten()
                    .map(|file| (path, file.text))
            };
            let files: Vec<_> = wanted.into_iter().filter_map(read).collect();
            let tests = retrieval::walk::paths(
                workspace.root(),
                agents::prompt::TEST_FILES_MAX,
                agents::prompt::is_test_file,
            );
            let unsaved: Vec<String> = workspace.unsaved().map(str::to_owned).collect();
            Ok((shown, files, unsaved, tests))
        })
        .await?;
        shown::report(desk, &unsaved).await;
        let sizes = files.iter().map(|(_, text)| budget::estimate(text));
        let largest = sizes.enumerate().max_by_key(|(_, tokens)| *tokens);
        let optional = optional_stages(state);
        Ok(Self {
            packed,
            refined: refined.packed,
            files,
            base,
            shown,
            optional,
            test_files,
            remarks: state.remarks_told(),
            largest,
        })
    }

    /// The files that it is about.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().map(|(path, _)| path.as_str());
        files.chain(self.base.iter().map(|(path, _)| path.as_str()))
    }

    fn largest(&self) -> Option<Largest<'_>> {
        let (index, tokens) = self.largest?;
        let (path, _) = self.files.get(index)?;
        Some(Largest { path, tokens })
    }

    /// Views of the files, as prompts take them.
    pub(super) fn borrow(&self) -> Shown<'_> {
        let files = self.files.iter().map(|(path, text)| FileText { path, text });
        let base = self.base.iter().map(|(path, text)| ProposedFile {
            path,
            text: text.as_deref(),
        });
        Shown {
            material: self,
            files: files.collect(),
            base: base.collect(),
        }
    }
}

/// A borrowed [`Material`].
pub(super) struct Shown<'a> {
    material: &'a Material,
    files: Vec<FileText<'a>>,
    base: Vec<ProposedFile<'a>>,
}

impl<'a> Shown<'a> {
    /// What a prompt for the model of a window is made of.
    pub(super) fn facts(&'a self, state: &'a State, window: &Window<'_>) -> Facts<'a> {
        Facts {
            query: &state.task.query,
            images: window.images,
            packed_context: &self.material.packed,
            files: &self.files,
            plan: state.plan.as_deref(),
            previous: &self.base,
            feedback: &state.feedback,
            remarks: &self.material.remarks,
            failures: &state.failures,
            failure_context: &self.material.refined,
            optional_stages: &self.material.optional,
            test_files: &self.material.test_files,
            format: Format::choose(window.edit_format, window.model, self.material.largest()),
            calling: window.calling,
            today: None,
        }
    }
}

/// Files to show whole: what the last failure is about, what the plan names,
/// then what the search found. Those of the proposal are shown as they were
/// proposed.
fn wanted(state: &State, base: &[BaseFile], keep: &[String]) -> Vec<String> {
    let planned = state.plan.iter().flat_map(|plan| plan.files.iter());
    let found = state
        .context
        .iter()
        .flat_map(|context| context.items.iter().map(|item| &item.path))
        // Of another folder, what was found is all that is shown.
        .filter(|path| !Path::new(path).is_absolute());
    let mut seen: BTreeSet<&str> = base.iter().map(|(path, _)| path.as_str()).collect();
    keep.iter()
        .chain(planned)
        .chain(found)
        .filter(|path| seen.insert(path))
        .take(FILES_MAX)
        .cloned()
        .collect()
}

/// What the model does not get to see is said, never silently dropped.
pub(super) async fn report(desk: &Desk, left_out: &[LeftOut]) {
    if left_out.is_empty() {
        return;
    }
    let list: Vec<String> = left_out
        .iter()
        .map(|out| format!("{} ({} tokens)", out.what, out.tokens))
        .collect();
    let message = format!(
        "left out of the prompt, because the context window is full: {}",
        list.join(", ")
    );
    desk.notify(NoticeLevel::Warning, None, message).await;
}

/// The stages that the planner may leave out, with what they do.
pub(super) fn optional_stages(state: &State) -> Vec<(StageId, &'static str)> {
    let stages = state.graph.all().into_iter();
    stages
        .filter(|stage| stage.presence == Presence::Optional)
        .map(|stage| (stage.id.clone(), description(stage.kind())))
        .collect()
}

fn description(kind: Option<StageKind>) -> &'static str {
    let Some(kind) = kind else {
        return "do further parts of the work, side by side";
    };
    match kind {
        StageKind::Retrieval => "find relevant code",
        StageKind::Planning => "plan",
        StageKind::CodeGeneration => "write the code",
        StageKind::TestGeneration => "write automated tests for the new code",
        StageKind::Checks => "check the syntax and formatting of the new code",
        StageKind::Review => "ask the person",
        StageKind::Apply => "write and commit",
        StageKind::Revert => "take back what was committed",
    }
}
