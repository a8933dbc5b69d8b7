//! What workers work with.

use std::{path::PathBuf, sync::Arc};

use engine::ports::Journal;
use models::Provider;

use super::pressure::Pressure;
use crate::{config::Retrieval, error::Error, indexing::Indexing, search::CodeSearch};

/// Makes the provider of another model.
pub type OtherModel = Arc<dyn Fn(&str) -> Result<Arc<dyn Provider>, Error> + Send + Sync>;

/// What workers work with; built once at start.
#[derive(Clone)]
pub struct Services {
    /// Durable history.
    pub journal: Arc<dyn Journal>,
    /// Whether the journal takes what it is given.
    pub pressure: Arc<Pressure>,
    /// Where files of the backend lie.
    pub data_dir: PathBuf,
    /// The language model.
    pub model: Arc<dyn Provider>,
    /// Name of the model, which decides the edit format.
    pub model_name: String,
    /// Another model by its name, for forks that ask for one.
    pub other_model: OtherModel,
    /// Context window of the model, in tokens.
    pub context_tokens_max: u32,
    /// Most tokens of one answer.
    pub answer_tokens_max: u32,
    /// Code search.
    pub search: CodeSearch,
    /// Keeps what is searched up to date.
    pub indexing: Indexing,
    /// Who puts questions to the search.
    pub retrieval: Retrieval,
    /// Workspace of requests that name none.
    pub default_workspace: Option<PathBuf>,
}

impl Services {
    /// The same services with another model.
    pub(super) fn with_model(&self, name: &str) -> Result<Self, Error> {
        Ok(Self {
            model: (self.other_model)(name)?,
            model_name: name.to_owned(),
            ..self.clone()
        })
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services")
            .field("model", &self.model_name)
            .finish_non_exhaustive()
    }
}
