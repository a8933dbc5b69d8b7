//! What a person is asked, and what they can answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::StageId;

/// What a person is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Question {
    /// What becomes of the proposal; of the plan, where nothing was proposed.
    #[default]
    Review,
    /// What follows a failure. `accept` tries the stage again, `modify` does so
    /// with the feedback, `reject` ends the workflow.
    Failure {
        /// The stage that failed; its `stage_finished` says why.
        stage_id: StageId,
    },
    /// Whether the project's build and tests may run although nothing here
    /// isolates what is run; the notice before says why. `accept` runs them with
    /// the person's own rights, `reject` leaves them out; `remember` makes either
    /// hold for the workspace.
    Unisolated {
        /// The stage that would run them.
        stage_id: StageId,
    },
    /// Whether a model may call a tool that does not say that it only reads.
    /// `accept` calls it this once; after `reject` the model is told so, with
    /// the feedback, and goes on without; `remember` makes either hold for this
    /// tool in the workspace.
    ToolCall {
        /// The stage whose model wants to call it.
        stage_id: StageId,
        /// What it would call.
        call: WantedCall,
    },
}

/// A call of a tool that a person is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WantedCall {
    /// The server that has the tool.
    pub server: String,
    /// The tool, as its server names it.
    pub tool: String,
    /// Its title.
    pub title: String,
    /// What it does, by its server's word.
    pub effect: ToolEffect,
    /// What it would be called with, as JSON; credentials are replaced, and what
    /// is long is cut.
    pub arguments: String,
}

/// What a tool that may change something does, by its server's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolEffect {
    /// The server does not say.
    Unknown,
    /// It only adds.
    Adds,
    /// It may destroy.
    Destroys,
}

/// What a person can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Apply and commit it; go on.
    Accept,
    /// Drop it.
    Reject,
    /// Make another one, with feedback.
    Modify,
}
