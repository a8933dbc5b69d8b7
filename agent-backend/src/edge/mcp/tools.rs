//! The work of the tools: from arguments to an answer.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use retrieval::{browse::Workspace, references::How};
use shared::error::Code;
use tokio::sync::OwnedMutexGuard;

use super::{Stop, Tool, input, output, output::Answer, roots};
use crate::error::Error;

/// Workspaces whose index is kept; beyond that all are made anew.
const WORKSPACES_MAX: usize = 8;

/// The workspaces that were asked about, by canonical root. Calls for one wait
/// for each other.
#[derive(Debug, Default)]
pub(super) struct Workspaces {
    open: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<Workspace>>>>,
}

impl Workspaces {
    async fn get(&self, root: &Path) -> Result<OwnedMutexGuard<Workspace>, Error> {
        let root = root.to_owned();
        let workspace = blocking(move || Ok(Workspace::open(&root)?)).await?;
        let shared = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.len() >= WORKSPACES_MAX && !open.contains_key(workspace.root()) {
                open.clear();
            }
            let key = workspace.root().to_owned();
            Arc::clone(
                open.entry(key)
                    .or_insert_with(|| Arc::new(tokio::sync::Mutex::new(workspace))),
            )
        };
        Ok(shared.lock_owned().await)
    }
}

/// Answers one call.
pub(super) async fn run(
    workspaces: Arc<Workspaces>,
    tool: Tool,
    arguments: serde_json::Value,
    roots: Vec<PathBuf>,
    stop: Stop,
) -> Result<Answer, Error> {
    let call = Call {
        workspaces,
        roots,
        stop,
    };
    match tool {
        Tool::SearchCode => call.search_code(input::read(arguments)?).await,
        Tool::FindDefinition => call.find_definition(input::read(arguments)?).await,
        Tool::FindReferences => call.find_references(input::read(arguments)?).await,
        Tool::RelatedFiles => call.related_files(input::read(arguments)?).await,
        Tool::IndexStatus => call.index_status(input::read(arguments)?).await,
    }
}

/// One call.
struct Call {
    workspaces: Arc<Workspaces>,
    roots: Vec<PathBuf>,
    stop: Stop,
}

impl Call {
    /// The workspace that is meant, and what to say about the choice.
    async fn open(
        &self,
        root: Option<&str>,
        path: Option<&str>,
    ) -> Result<(OwnedMutexGuard<Workspace>, Vec<String>), Error> {
        let chosen = roots::choose(&self.roots, root, path)?;
        let mut notes = Vec::new();
        if self.roots.len() > 1 && root.is_none() {
            let others = self.roots.iter().filter(|other| **other != chosen);
            let others: Vec<String> = others.map(|other| other.display().to_string()).collect();
            notes.push(format!(
                "of the workspace {}; name another with `root`: {}",
                chosen.display(),
                others.join(", ")
            ));
        }
        Ok((self.workspaces.get(&chosen).await?, notes))
    }

    async fn search_code(self, asked: input::SearchCode) -> Result<Answer, Error> {
        let query = input::query(&asked.query)?.to_owned();
        let (top, tokens) = (input::top(asked.top, 10)?, input::tokens(asked.max_tokens)?);
        let globs = asked.paths.unwrap_or_default();
        let first = globs.first().map(String::as_str);
        let (mut workspace, notes) = self.open(asked.root.as_deref(), first).await?;
        let filter = input::filter(
            workspace.root(),
            &globs,
            asked.language.as_deref(),
            asked.include_tests,
        )?;
        workspace.refresh().await?;
        blocking(move || {
            let packed = workspace.search(&query, &filter, top, tokens);
            output::code(workspace.root(), packed, notes)
        })
        .await
    }

    async fn find_definition(self, asked: input::FindDefinition) -> Result<Answer, Error> {
        let wanted = input::symbol(&asked.symbol)?;
        let (top, tokens) = (input::top(asked.top, 10)?, input::tokens(asked.max_tokens)?);
        let (mut workspace, notes) = self.open(asked.root.as_deref(), asked.path.as_deref()).await?;
        let filter = input::filter(
            workspace.root(),
            asked.path.as_slice(),
            asked.language.as_deref(),
            None,
        )?;
        workspace.look().await?;
        let stop = self.stop;
        blocking(move || {
            let places = workspace.definitions(&wanted, &filter, top, &|| stop.is_told());
            let items = workspace.definition_items(&places.found);
            output::definitions(workspace.root(), &asked.symbol, places, &items, tokens, notes)
        })
        .await
    }

    async fn find_references(self, asked: input::FindReferences) -> Result<Answer, Error> {
        let wanted = input::symbol(&asked.symbol)?;
        let (top, tokens) = (input::top(asked.top, 50)?, input::tokens(asked.max_tokens)?);
        let how = match asked.how {
            Some(input::Manner::Text) => How::Text,
            Some(input::Manner::Syntax) | None => How::Syntax,
        };
        let (mut workspace, notes) = self.open(asked.root.as_deref(), asked.path.as_deref()).await?;
        let globs = asked.path.as_slice();
        let filter = input::filter(
            workspace.root(),
            globs,
            asked.language.as_deref(),
            asked.include_tests,
        )?;
        workspace.look().await?;
        let stop = self.stop;
        blocking(move || {
            let places = workspace.references(&wanted, how, &filter, top, &|| stop.is_told());
            output::references(workspace.root(), &wanted.name, places, tokens, notes)
        })
        .await
    }

    async fn related_files(self, asked: input::RelatedFiles) -> Result<Answer, Error> {
        let top = input::top(asked.top, 10)?;
        let (mut workspace, notes) = self.open(asked.root.as_deref(), Some(&asked.path)).await?;
        let filter = input::filter(workspace.root(), &[], None, asked.include_tests)?;
        let path = input::path(workspace.root(), &asked.path)?;
        workspace.refresh().await?;
        if !workspace.has(&path) {
            let message = format!(
                "`{path}` is not a file that can be searched: it does not exist, is ignored, or is left out \
                 (index_status counts why)"
            );
            return Err(Error::user(Code::InvalidRequest, message));
        }
        let stop = self.stop;
        blocking(move || {
            let files = workspace.related(&path, &filter, top, &|| stop.is_told());
            output::related(workspace.root(), path, files, notes)
        })
        .await
    }

    async fn index_status(self, asked: input::IndexStatus) -> Result<Answer, Error> {
        let (mut workspace, _notes) = self.open(asked.root.as_deref(), None).await?;
        workspace.look().await?;
        output::status(workspace.root(), &self.roots, &workspace.status())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::internal(format!("the search panicked: {error}"))),
    }
}
