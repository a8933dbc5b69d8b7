//! Has the model write code or tests, and turns its answer into a proposal.

use std::collections::BTreeMap;

use agents::edit;
use engine::{
    Output, State,
    artifact::{ContextRead, FileChange, Proposal},
    blob::BlobId,
    event::NoticeLevel,
};
use shared::error::Class;
use tools::proposal::{Before, NewContents};

use super::{
    Desk, Done,
    apply::contents,
    ask::{self, Asked},
    material::{BaseFile, Material},
    retrieval,
    shown::Texts,
    stream,
    toolbox::Toolbox,
};
use crate::{error::Error, runtime::services::Services};

/// What is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The feature.
    Code,
    /// Tests for the current proposal, which they join.
    Tests,
}

pub(super) async fn run(services: &Services, state: &State, desk: &Desk, what: What) -> Result<Done, Error> {
    let refined = retrieval::refine(services, state, desk).await;
    let collected = Material::collect(services, state, desk, refined).await?;
    let shown = collected.borrow();
    let tools = Toolbox::of(collected.paths());
    let answer = ask::ask(services, state, desk, tools, |window| {
        let facts = shown.facts(state, window);
        let built = match what {
            What::Code => agents::prompt::code_generation(&facts, window.prompt_tokens_max),
            What::Tests => agents::prompt::test_generation(&facts, window.prompt_tokens_max),
        };
        Asked {
            request: stream::request(services, built.prompt),
            left_out: built.left_out,
        }
    })
    .await?;
    let read = edit::read(&answer.text)?;
    if read.unnamed_fences > 0 {
        let message = format!(
            "{} code block(s) of the answer name no file and were passed over",
            read.unnamed_fences
        );
        desk.notify(NoticeLevel::Warning, None, message).await;
    }
    // Tests join the proposal that they are for.
    let mut reads = match (what, &state.proposal) {
        (What::Tests, Some(proposal)) => proposal.reads.clone(),
        (What::Tests, None) | (What::Code, _) => Vec::new(),
    };
    reads.extend(answer.read);
    let Material { base, shown, .. } = collected;
    propose(
        services,
        state,
        Written {
            base,
            shown,
            edits: read.edits,
        },
        reads,
    )
    .await
}

/// What a model wrote.
struct Written {
    /// Files that were proposed before.
    base: Vec<BaseFile>,
    /// Files as editors showed them to it.
    shown: Texts,
    edits: Vec<edit::Edit>,
}

/// Turns edits, made to `base` where it has the file and to the workspace as
/// editors show it otherwise, into a proposal.
async fn propose(
    services: &Services,
    state: &State,
    written: Written,
    reads: Vec<ContextRead>,
) -> Result<Done, Error> {
    let Written {
        base,
        mut shown,
        edits,
    } = written;
    let workspace = super::open(state).await?;
    let before = before(services, state).await?;
    let named = edits.iter().flat_map(edit::Edit::paths).map(str::to_owned);
    let paths = base.iter().map(|(path, _)| path.clone()).chain(named);
    shown.ask(services, state, &workspace, paths.collect()).await?;
    let summary = state
        .plan
        .as_ref()
        .map(|plan| plan.summary.clone())
        .unwrap_or_default();
    super::blocking(move || {
        let workspace = shown.over(workspace);
        let mut texts: BTreeMap<String, Option<String>> = base.into_iter().collect();
        let mut current = texts.clone();
        let paths = edits.iter().flat_map(edit::Edit::paths);
        for path in paths.filter(|path| !texts.contains_key(*path)) {
            let text = workspace
                .read_text(path)
                .map_err(by_the_model)?
                .map(|file| file.text);
            current.insert(path.to_owned(), text);
        }
        let changed = edit::apply_all(&edits, |path| current.get(path).and_then(Option::as_deref))?;
        texts.extend(changed.into_iter().map(|changed| (changed.path, changed.text)));
        let contents: Vec<_> = texts
            .into_iter()
            .map(|(path, text)| NewContents { path, text })
            .collect();
        let made = tools::proposal::propose_after(&workspace, &contents, &before)?;
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
                reads,
            }),
            made.blobs,
        ))
    })
    .await
}

/// The proposal that this one goes on from.
async fn before(services: &Services, state: &State) -> Result<BTreeMap<String, Before>, Error> {
    let proposal = state.proposal.as_deref().or(state.previous.as_deref());
    let files = proposal.map_or(&[][..], |proposal| &proposal.files);
    let contents = contents(services, files).await?;
    let of = |id: Option<BlobId>| id.and_then(|id| contents.get(&id).cloned());
    let before = |file: &FileChange| {
        let (old, new) = (of(file.old), of(file.new));
        (file.path.clone(), Before { old, new })
    };
    Ok(files.iter().map(before).collect())
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
