//! The work of the tools: from arguments to an answer.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use retrieval::{Reach, Request, Session, references::How};
use shared::error::Code;

use super::{Stop, Tool, input, output, output::Answer, roots};
use crate::{error::Error, indexing::Indexing, search::CodeSearch};

/// Workspaces whose index is kept in a process of its own; beyond that all are
/// made anew.
const WORKSPACES_MAX: usize = 8;

/// The search that the tools use, and who keeps the indexes up to date.
#[derive(Debug)]
pub(crate) struct Workspaces {
    search: CodeSearch,
    keeper: Keeper,
}

#[derive(Debug)]
enum Keeper {
    /// The running backend: before a question it has seen what was changed.
    Backend(Indexing),
    /// Each question looks at the files first. By canonical root.
    Questions(Mutex<HashSet<PathBuf>>),
}

/// What a tool needs to know of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// The files that there are.
    Files,
    /// Their words and their history.
    Words,
}

impl Workspaces {
    /// Indexes of this process alone.
    pub(super) fn own() -> Result<Self, Error> {
        Ok(Self {
            search: CodeSearch::without_models()?,
            keeper: Keeper::Questions(Mutex::default()),
        })
    }

    /// The indexes of the running backend.
    pub(super) fn of_backend(search: CodeSearch, indexing: Indexing) -> Self {
        Self {
            search,
            keeper: Keeper::Backend(indexing),
        }
    }

    /// Makes the workspace ready for a question. Returns its canonical path.
    async fn prepare(&self, root: &Path) -> Result<PathBuf, Error> {
        let root = root.to_owned();
        let root = blocking(move || Ok(retrieval::walk::canonical_root(&root)?)).await?;
        match &self.keeper {
            Keeper::Backend(indexing) => indexing.settle(&root).await?,
            Keeper::Questions(asked) => {
                let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
                if asked.len() >= WORKSPACES_MAX && !asked.contains(&root) {
                    asked.drain().for_each(|root| self.search.close(&root));
                }
                asked.insert(root.clone());
            }
        }
        Ok(root)
    }

    async fn open(&self, root: &Path, needs: Needs) -> Result<Session, Error> {
        match needs {
            Needs::Files => self.search.look(root).await,
            Needs::Words => self.search.open(root).await,
        }
    }

    fn kept_by(&self) -> output::KeptBy {
        match &self.keeper {
            Keeper::Backend(_) => output::KeptBy::Backend,
            Keeper::Questions(_) => output::KeptBy::ThisProcess,
        }
    }
}

/// Answers one call about one of `roots`.
pub(super) async fn run(
    workspaces: &Workspaces,
    tool: Tool,
    arguments: serde_json::Value,
    roots: &[PathBuf],
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
struct Call<'a> {
    workspaces: &'a Workspaces,
    roots: &'a [PathBuf],
    stop: Stop,
}

impl Call<'_> {
    /// The workspace that is meant, and what to say about the choice.
    async fn choose(&self, root: Option<&str>, path: Option<&str>) -> Result<(PathBuf, Vec<String>), Error> {
        let chosen = roots::choose(self.roots, root, path)?;
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
        Ok((self.workspaces.prepare(&chosen).await?, notes))
    }

    async fn search_code(self, asked: input::SearchCode) -> Result<Answer, Error> {
        let query = input::query(&asked.query)?;
        let (top, tokens) = (input::top(asked.top, 10)?, input::tokens(asked.max_tokens)?);
        let globs = asked.paths.unwrap_or_default();
        let first = globs.first().map(String::as_str);
        let (root, notes) = self.choose(asked.root.as_deref(), first).await?;
        let mut request = Request {
            filter: input::filter(&root, &globs, asked.language.as_deref(), asked.include_tests)?,
            top: Some(top),
            reach: match self.workspaces.keeper {
                Keeper::Backend(_) => Reach::Everything,
                Keeper::Questions(_) => Reach::ThisProcess,
            },
            ..Request::new(query)
        };
        let profile = &mut request.profile;
        profile.files.top = profile.files.top.max(top);
        profile.parts.top = profile.parts.top.max(top);
        profile.parts.files = profile.parts.files.max(top.div_ceil(profile.parts.per_file));
        profile.top = profile.top.max(top);
        let found = Box::pin(self.workspaces.search.search(&root, &request)).await?;
        output::code(&root, &found, tokens, notes)
    }

    async fn find_definition(self, asked: input::FindDefinition) -> Result<Answer, Error> {
        let wanted = input::symbol(&asked.symbol)?;
        let (top, tokens) = (input::top(asked.top, 10)?, input::tokens(asked.max_tokens)?);
        let (root, notes) = self.choose(asked.root.as_deref(), asked.path.as_deref()).await?;
        let globs = asked.path.as_slice();
        let filter = input::filter(&root, globs, asked.language.as_deref(), None)?.matcher()?;
        let session = self.workspaces.open(&root, Needs::Files).await?;
        let stop = self.stop;
        blocking(move || {
            let places = session
                .view()
                .definitions(&wanted, &filter, top, &|| stop.is_told());
            let items = session.view().definition_items(&places.found);
            output::definitions(session.root(), &asked.symbol, places, &items, tokens, notes)
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
        let (root, notes) = self.choose(asked.root.as_deref(), asked.path.as_deref()).await?;
        let globs = asked.path.as_slice();
        let filter =
            input::filter(&root, globs, asked.language.as_deref(), asked.include_tests)?.matcher()?;
        let session = self.workspaces.open(&root, Needs::Files).await?;
        let stop = self.stop;
        blocking(move || {
            let places = session
                .view()
                .references(&wanted, how, &filter, top, &|| stop.is_told());
            output::references(session.root(), &wanted.name, places, tokens, notes)
        })
        .await
    }

    async fn related_files(self, asked: input::RelatedFiles) -> Result<Answer, Error> {
        let top = input::top(asked.top, 10)?;
        let (root, notes) = self.choose(asked.root.as_deref(), Some(&asked.path)).await?;
        let filter = input::filter(&root, &[], None, asked.include_tests)?.matcher()?;
        let path = input::path(&root, &asked.path)?;
        let session = self.workspaces.open(&root, Needs::Words).await?;
        if !session.view().has(&path) {
            let message = format!(
                "`{path}` is not a file that can be searched: it does not exist, is ignored, or is left out \
                 (index_status counts why)"
            );
            return Err(Error::user(Code::InvalidRequest, message));
        }
        let stop = self.stop;
        blocking(move || {
            let files = session.view().related(&path, &filter, top, &|| stop.is_told());
            output::related(session.root(), path, files, notes)
        })
        .await
    }

    async fn index_status(self, asked: input::IndexStatus) -> Result<Answer, Error> {
        let (root, _notes) = self.choose(asked.root.as_deref(), None).await?;
        let session = self.workspaces.open(&root, Needs::Files).await?;
        output::status(
            &root,
            self.roots,
            &session.view().status(),
            self.workspaces.kept_by(),
        )
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
