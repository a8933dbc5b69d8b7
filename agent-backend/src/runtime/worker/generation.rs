//! Has the model write code or tests, and turns its answer into a proposal.

use std::collections::{BTreeMap, BTreeSet};

use agents::{
    budget::{self, LeftOut},
    edit::{self, Format},
    prompt::{Facts, FileText, ProposedFile},
};
use engine::{
    Output, State,
    artifact::{FileChange, Proposal},
    event::NoticeLevel,
};
use shared::{error::Class, id::StageId};
use tools::proposal::NewContents;

use super::{Desk, Done, planning, stream};
use crate::{error::Error, runtime::services::Services};

/// Whole files that are shown to the model beside the packed context.
const FILES_MAX: usize = 12;

/// What is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The feature.
    Code,
    /// Tests for the current proposal, which they join.
    Tests,
}

pub(super) async fn run(services: &Services, state: &State, desk: &Desk, what: What) -> Result<Done, Error> {
    let material = Material::collect(services, state).await?;
    let shown = material.borrow();
    let facts = shown.facts(state);
    let built = match what {
        What::Code => agents::prompt::code_generation(&facts, prompt_tokens_max(services)),
        What::Tests => agents::prompt::test_generation(&facts, prompt_tokens_max(services)),
    };
    report(desk, &built.left_out).await;
    let request = stream::request(services, built.prompt);
    let answer = stream::ask(services, desk, request).await?;
    let edits = edit::parse(&answer)?;
    propose(state, material.base, edits).await
}

/// Turns edits, made to `base` where it has the file and to the workspace
/// otherwise, into a proposal.
async fn propose(state: &State, base: Vec<BaseFile>, edits: Vec<edit::Edit>) -> Result<Done, Error> {
    let workspace = super::open(state).await?;
    let summary = state
        .plan
        .as_ref()
        .map(|plan| plan.summary.clone())
        .unwrap_or_default();
    super::blocking(move || {
        let mut texts: BTreeMap<String, Option<String>> = base.into_iter().collect();
        let mut current = texts.clone();
        for edit in edits.iter().filter(|edit| !texts.contains_key(&edit.path)) {
            let text = workspace
                .read_text(&edit.path)
                .map_err(by_the_model)?
                .map(|file| file.text);
            current.insert(edit.path.clone(), text);
        }
        let changed = edit::apply_all(&edits, |path| current.get(path).and_then(Option::as_deref))?;
        texts.extend(changed.into_iter().map(|changed| (changed.path, changed.text)));
        let contents: Vec<_> = texts
            .into_iter()
            .map(|(path, text)| NewContents { path, text })
            .collect();
        let made = tools::proposal::propose(&workspace, &contents)?;
        // Half of an answer is not proposed; the model is told what is wrong.
        if let Some(refused) = made.refused.into_iter().next() {
            return Err(by_the_model(refused.error));
        }
        if made.files.is_empty() {
            return Err(agents::Error::NoChange.into());
        }
        Ok((
            Output::Proposal(Proposal {
                summary,
                files: made.files,
            }),
            made.blobs,
        ))
    })
    .await
}

/// What a person would have to put right is the model's to put right here: it
/// is told, and tries again.
fn by_the_model(error: tools::Error) -> Error {
    let error = Error::from(error);
    let class = if error.class == Class::User {
        Class::Permanent
    } else {
        error.class
    };
    Error { class, ..error }
}

/// Path and text of a proposed file; no text for one that is removed.
type BaseFile = (String, Option<String>);

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
    files: Vec<(String, String)>,
    /// The proposal of the attempt or iteration before.
    base: Vec<BaseFile>,
    optional: Vec<(StageId, &'static str)>,
    test_files: Vec<String>,
    format: Format,
}

impl Material {
    pub(super) async fn collect(services: &Services, state: &State) -> Result<Self, Error> {
        let packed = match &state.context {
            Some(context) => super::text_blob(services, context.packed).await?,
            None => String::new(),
        };
        let base = proposed(services, state.proposal.as_ref().or(state.previous.as_ref())).await?;
        let workspace = super::open(state).await?;
        let wanted = wanted(state, &base);
        let (files, test_files) = super::blocking(move || {
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
            let tests = retrieval::walk::paths(workspace.root(), agents::prompt::TEST_FILES_MAX, is_test);
            Ok((files, tests))
        })
        .await?;
        let largest = files
            .iter()
            .map(|(_, text)| budget::estimate(text))
            .max()
            .unwrap_or_default();
        let format = Format::choose(&services.model_name, largest);
        let optional = planning::optional_stages(state);
        Ok(Self {
            packed,
            files,
            base,
            optional,
            test_files,
            format,
        })
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
    pub(super) fn facts(&'a self, state: &'a State) -> Facts<'a> {
        Facts {
            query: &state.task.query,
            packed_context: &self.material.packed,
            files: &self.files,
            plan: state.plan.as_ref(),
            previous: &self.base,
            feedback: &state.feedback,
            failures: &state.failures,
            optional_stages: &self.material.optional,
            test_files: &self.material.test_files,
            format: self.material.format,
            today: None,
        }
    }
}

/// Files to show whole: what the plan names, then what the search found. Those
/// of the proposal are shown as they were proposed.
fn wanted(state: &State, base: &[BaseFile]) -> Vec<String> {
    let planned = state.plan.iter().flat_map(|plan| plan.files.iter());
    let found = state
        .context
        .iter()
        .flat_map(|context| context.items.iter().map(|item| &item.path));
    let mut seen: BTreeSet<&str> = base.iter().map(|(path, _)| path.as_str()).collect();
    planned
        .chain(found)
        .filter(|path| seen.insert(path))
        .take(FILES_MAX)
        .cloned()
        .collect()
}

/// Whether a path looks like a test, in the conventions of the languages we read.
fn is_test(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let by_name = name.starts_with("test_")
        || ["_test.", ".test.", ".spec.", "Test.", "Tests."]
            .iter()
            .any(|mark| name.contains(mark));
    by_name || parts.any(|folder| matches!(folder, "test" | "tests" | "__tests__"))
}

/// Tokens a prompt may have so that the answer still fits.
pub(super) fn prompt_tokens_max(services: &Services) -> u64 {
    u64::from(
        services
            .context_tokens_max
            .saturating_sub(services.answer_tokens_max),
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expect: bool) {
        assert_eq!(is_test(path), expect, "{path}");
    }

    #[test]
    fn tests_are_known_by_name_or_folder() {
        check("tests/helpers.py", true);
        check("src/app/test_auth.py", true);
        check("web/login.spec.ts", true);
        check("pkg/server_test.go", true);
        check("src/LoginTest.java", true);
        check("src/contest.py", false);
        check("src/latest/api.py", false);
    }
}
