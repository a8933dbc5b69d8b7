//! Request and answer bodies of the REST interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    event::{Body, FileDiff, PlanStage, WorkflowState},
    question::Decision,
};
use crate::id::{CorrelationId, Seq, StageId, WorkflowId};

/// `POST /api/workflow/submit`. Ids are plain text here, because a wrong one
/// must be answered with a coded error rather than a parser's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubmitRequest {
    /// Name of a workflow definition, for example `feature_implementation`.
    pub workflow_type: String,
    /// What the person asks for.
    pub user_query: String,
    /// The client's own id; the same id with the same request gives the same
    /// workflow. One is made up where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Absolute path of the workspace on the backend's machine; the backend's
    /// configured one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The model that is asked for everything, as `PROVIDER/MODEL`; those that are
    /// configured for each role where it is left out, or `configured`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How much the models think before they answer; as they are configured where
    /// it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thought_level: Option<ThoughtLevel>,
    /// Whether code is searched for; it is where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieval: Option<Retrieval>,
    /// Absolute paths of up to 16 further folders on the backend's machine, which
    /// are searched and never written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<String>,
    /// Up to 8 pictures that belong to the request, of a model that sees them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
}

/// A picture of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The bytes of a PNG, JPEG, GIF or WebP file of up to 3.75 MB, in base64.
    pub data: String,
    /// What kind of file it is, for example `image/png`; found out where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// How much the models think before they answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThoughtLevel {
    /// As they are configured.
    #[default]
    Default,
    /// Not at all.
    Off,
    /// Little.
    Low,
    /// As much as most questions need.
    Medium,
    /// Much.
    High,
}

impl ThoughtLevel {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Off => "off",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What was chosen for a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Choices {
    /// The model that is asked for everything, as `PROVIDER/MODEL`; none where each
    /// role has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How much the models think before they answer.
    pub thought_level: ThoughtLevel,
    /// Whether code is searched for.
    pub retrieval: Retrieval,
    /// Absolute paths of further folders that are searched.
    pub folders: Vec<String>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            model: None,
            thought_level: ThoughtLevel::Default,
            retrieval: Retrieval::On,
            folders: Vec::new(),
        }
    }
}

/// Whether code is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retrieval {
    /// In each stage that searches.
    On,
    /// Never: the models see what the plan names, and what the request says.
    Off,
}

/// `202` of a submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubmitResponse {
    /// The new workflow, or the one this correlation id already has.
    pub workflow_id: WorkflowId,
    /// As sent, or made up.
    pub correlation_id: CorrelationId,
}

/// `POST /api/workflow/{id}/fork`; the answer is that of a submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForkRequest {
    /// The last event that the new workflow takes over.
    pub at: Seq,
    /// The model that goes on; the configured one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// `201` of `POST /api/workflows/import`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportResponse {
    /// The workflow, under the id that it had where it was exported.
    pub workflow_id: WorkflowId,
}

/// `POST /api/workflow/{id}/decision`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionRequest {
    /// The choice.
    pub decision: Decision,
    /// What to change; needed with `modify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
    /// Which parts of the diff an `accept` takes; all where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunks: Option<Vec<HunkChoice>>,
    /// Whether the answer holds for the workspace from now on; only for the
    /// questions whether code may run without a sandbox, and whether a tool may
    /// be called.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remember: bool,
}

/// `POST /api/workflow/{id}/remark`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemarkRequest {
    /// What the models should know that are asked from now on; the same words
    /// count once.
    pub text: String,
}

/// The parts of one file that are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HunkChoice {
    /// Path as in the diff.
    pub path: String,
    /// Indexes of the accepted hunks, from 0; all where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunks: Option<Vec<u32>>,
    /// The whole text of the file in place of the proposed one: what the person
    /// made of it. `hunks` is left out then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// `200` of `POST /api/workflow/{id}/undo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoResponse {
    /// The workflow that did it.
    pub workflow_id: WorkflowId,
    /// The commit that takes the other one back; none where nothing of it was
    /// left.
    pub commit: Option<String>,
    /// Branch that moved; none with a detached HEAD.
    pub branch: Option<String>,
}

/// Body of every error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// `E1001` …; see `docs/errors/`.
    pub code: String,
    /// What went wrong and what to do.
    pub message: String,
}

/// `GET /api/workflow/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowView {
    /// Head of the list entry.
    #[serde(flatten)]
    pub summary: WorkflowSummary,
    /// What was chosen for it.
    #[serde(default)]
    pub choices: Choices,
    /// Iteration, from 1.
    pub iteration: u32,
    /// Stages of the current iteration, in order.
    pub stages: Vec<StageView>,
    /// What the plan says of optional stages.
    pub plan: Vec<PlanStage>,
    /// The proposed diff, once there is one.
    pub diff: Option<Vec<FileDiff>>,
    /// Results of the checks on it: `check_result` bodies.
    pub evidence: Vec<Body>,
    /// The commit, once applied.
    pub commit: Option<String>,
    /// The workflow that has taken that commit back, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<WorkflowId>,
    /// The workflow whose commit this one takes back, if it is an undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<WorkflowId>,
    /// Why it failed.
    pub error: Option<ErrorBody>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageView {
    /// The stage.
    pub stage_id: StageId,
    /// `pending`, `running`, `succeeded`, `skipped` or `failed`.
    pub status: String,
    /// Attempts so far.
    pub attempt: u32,
    /// Milliseconds it took, once it has ended.
    pub duration_ms: Option<u64>,
}

/// One entry of a list of workflows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowSummary {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The client's own id.
    pub correlation_id: CorrelationId,
    /// Name of its definition.
    pub workflow_type: String,
    /// What was asked for.
    pub user_query: String,
    /// Absolute path of the workspace.
    pub workspace: String,
    /// State as a whole.
    pub state: WorkflowState,
    /// Last event.
    pub head: Seq,
    /// Seconds since the Unix epoch.
    pub created_at: u64,
    /// Seconds since the Unix epoch.
    pub updated_at: u64,
}

/// `GET /api/workflows?cursor=&limit=`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowPage {
    /// This page.
    pub workflows: Vec<WorkflowSummary>,
    /// Pass it as `cursor` for the next page; none on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
