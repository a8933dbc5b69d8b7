//! Parameters of the methods that we add to the Agent Client Protocol, and the
//! position in a session that two of them speak of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DecisionRequest;
use crate::id::{CorrelationId, Seq, WorkflowId};

/// `_agentic_ide/workflow/get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowGetRequest {
    /// The workflow.
    pub workflow_id: String,
}

/// `_agentic_ide/workflow/list`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowListRequest {
    /// Workflows of the page, at most 200; 50 where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before; the first page where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `_agentic_ide/workflow/decide`: an answer to the question of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowDecideRequest {
    /// The workflow.
    pub workflow_id: String,
    /// The answer, as it is sent over REST.
    #[serde(flatten)]
    pub decision: DecisionRequest,
}

/// `_agentic_ide/session/replay`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionReplayRequest {
    /// The session.
    #[serde(rename = "sessionId")]
    pub session_id: String,
    /// The last position that the client has; everything is told where it is
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<SessionPosition>,
}

/// Where in a session an update comes from. Told with each update, where a client
/// asked for that, and given back for what comes after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionPosition {
    /// The request of the session that it belongs to.
    pub correlation_id: CorrelationId,
    /// The workflow of that request, if it began one. Not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<WorkflowId>,
    /// The workflow's event that it tells of; 0 for the request itself.
    pub seq: Seq,
    /// Which update of that event it is, from 1. Left out, all of the event is
    /// meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
}
