//! What workers work with.

use std::{path::PathBuf, sync::Arc};

use engine::ports::Journal;

use super::{
    editor::Editors,
    pressure::Pressure,
    servers::Servers,
    worker::{Answers, Runs, Said},
};
use crate::{
    config::Retrieval, error::Error, indexing::Indexing, memory::Memory, providers::Models,
    search::CodeSearch, trials::Trials,
};

/// What workers work with; built once at start.
#[derive(Clone)]
pub struct Services {
    /// Durable history.
    pub journal: Arc<dyn Journal>,
    /// Whether the journal takes what it is given.
    pub pressure: Arc<Pressure>,
    /// Where files of the backend lie.
    pub data_dir: PathBuf,
    /// The language models.
    pub models: Models,
    /// The memory that they run in.
    pub memory: Memory,
    /// How far the questions are that begin anew.
    pub runs: Arc<Runs>,
    /// What workflows were told of how their models think.
    pub said: Arc<Said>,
    /// The answers that are known already.
    pub answers: Answers,
    /// Most tokens of one answer.
    pub answer_tokens_max: u32,
    /// Code search.
    pub search: CodeSearch,
    /// Keeps what is searched up to date.
    pub indexing: Indexing,
    /// Who puts questions to the search.
    pub retrieval: Retrieval,
    /// What people's editors show.
    pub editors: Arc<Editors>,
    /// Builds and tests proposals.
    pub trials: Arc<Trials>,
    /// The servers of tools that models may call.
    pub tools: Arc<Servers>,
    /// Workspace of requests that name none.
    pub default_workspace: Option<PathBuf>,
}

impl Services {
    /// The same services with one model for everything.
    pub(super) fn with_model(&self, name: &str) -> Result<Self, Error> {
        Ok(Self {
            models: self.models.with_model(name)?,
            ..self.clone()
        })
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services")
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}
