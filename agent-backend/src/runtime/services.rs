//! What workers work with.

use std::{path::PathBuf, sync::Arc};

use engine::ports::Journal;
use models::Provider;

use crate::search::CodeSearch;

/// What workers work with; built once at start.
pub struct Services {
    /// Durable history.
    pub journal: Arc<dyn Journal>,
    /// The language model.
    pub model: Arc<dyn Provider>,
    /// Name of the model, which decides the edit format.
    pub model_name: String,
    /// Context window of the model, in tokens.
    pub context_tokens_max: u32,
    /// Most tokens of one answer.
    pub answer_tokens_max: u32,
    /// Code search.
    pub search: CodeSearch,
    /// Workspace of requests that name none.
    pub default_workspace: Option<PathBuf>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services")
            .field("model", &self.model_name)
            .finish_non_exhaustive()
    }
}
