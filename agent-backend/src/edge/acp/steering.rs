//! Words that come while a turn runs. They are for the models that the turn's
//! workflow asks from then on; where the person is asked, they are the answer.
//!
//! They come by `_session/steering`, a method that several agents have and
//! that the protocol does not, or as another prompt.

use agent_client_protocol::{
    JsonRpcRequest, JsonRpcResponse,
    v1::schema::{ContentBlock, Meta, SessionId},
};
use engine::{Phase, artifact::Decision};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    error::Code,
    id::{Seq, WorkflowId},
};

use super::{follower::Follower, session::Session, streaming::VENDOR};
use crate::{error::Error, runtime::Runtime};

/// The request of the method.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcRequest)]
#[request(method = "_session/steering", response = Steered)]
pub(super) struct Steer {
    #[serde(rename = "sessionId")]
    pub(super) session: SessionId,
    pub(super) prompt: Vec<ContentBlock>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonRpcResponse)]
pub(super) struct Steered {
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    /// The running turn has the words.
    Injected,
    /// They have to be sent as a prompt.
    PromptRequired,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Reason {
    NoRunningTurn,
}

impl Steered {
    /// `workflow` is the one that was told, if one was.
    pub(super) fn of(workflow: Option<&WorkflowId>) -> Self {
        match workflow {
            Some(_) => Self {
                outcome: Outcome::Injected,
                reason: None,
            },
            None => Self {
                outcome: Outcome::PromptRequired,
                reason: Some(Reason::NoRunningTurn),
            },
        }
    }
}

/// What `initialize` says of it, in the words of those who have it.
pub(super) fn offer() -> Meta {
    Meta::from_iter([("steering".to_owned(), json!({ "supported": true }))])
}

/// What the answer to a prompt says that became a remark.
pub(super) fn told(workflow: &WorkflowId) -> Meta {
    let remark = json!({ "remark": { "workflow_id": workflow } });
    Meta::from_iter([(VENDOR.to_owned(), remark)])
}

/// Tells the workflow of the turn that runs: which one, and after which event;
/// none where no turn runs, or its workflow is over.
pub(super) async fn steer(
    runtime: &Runtime,
    session: &Session,
    follower: &Follower,
    text: String,
) -> Result<Option<(WorkflowId, Seq)>, Error> {
    let Some(workflow) = session.works_on().await else {
        return Ok(None);
    };
    follower.said(&text);
    let state = runtime.state(&workflow).await?;
    let asked = matches!(state.phase, Phase::AwaitingDecision { .. });
    let said = match asked {
        true => {
            let feedback = text.clone();
            match runtime
                .decide(&workflow, None, Decision::Modify { feedback })
                .await
            {
                // Somebody has answered meanwhile.
                Err(error) if error.code == Code::DecisionNotPending => runtime.remark(&workflow, text).await,
                answered => answered,
            }
        }
        false => runtime.remark(&workflow, text).await,
    };
    match said {
        Ok(()) => Ok(Some((workflow, state.head))),
        Err(error) if error.code == Code::WorkflowFinished => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_looks_as_those_of_others_do() {
        let check = |workflow: Option<&WorkflowId>, expect: serde_json::Value| {
            assert_eq!(serde_json::to_value(Steered::of(workflow)).unwrap(), expect);
        };
        check(Some(&WorkflowId::new("w1")), json!({ "outcome": "injected" }));
        check(
            None,
            json!({ "outcome": "promptRequired", "reason": "noRunningTurn" }),
        );
    }
}
