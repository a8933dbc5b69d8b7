//! Answers that hold for a workspace.

use engine::{Phase, artifact::Decision, state::Question};
use shared::{error::Code, id::WorkflowId};

use super::Runtime;
use crate::{
    consents::{Matter, Standing},
    error::Error,
};

impl Runtime {
    /// Makes the answer to an open question hold for its workspace, before it is
    /// given: where the process ends in between, it holds at the next one.
    pub(super) async fn remember(&self, id: &WorkflowId, decision: &Decision) -> Result<(), Error> {
        let state = self.state(id).await?;
        let about = match &state.phase {
            Phase::AwaitingDecision { question, .. } => match question {
                Question::Unisolated => Some(Matter::Unisolated),
                Question::Tool(call) => Some(Matter::tool(call)),
                Question::Review | Question::Failure => None,
            },
            Phase::Running(_) | Phase::Waiting { .. } | Phase::Joining(_) | Phase::Finished(_) => None,
        };
        let answer = match decision {
            Decision::Accept(_) => Some(Standing::Always),
            Decision::Reject { .. } => Some(Standing::Never),
            Decision::Modify { .. } => None,
        };
        let (Some(about), Some(answer)) = (about, answer) else {
            let message = "`remember` is for the questions whether code may run without a sandbox and whether a tool may \
                           be called, and for yes or no";
            return Err(Error::user(Code::InvalidRequest, message));
        };
        let consents = self.0.services.trials.consents().clone();
        let workspace = state.task.workspace.clone();
        tokio::task::spawn_blocking(move || consents.remember(&workspace, about, answer))
            .await
            .map_err(|error| Error::internal(error.to_string()))?
    }
}
