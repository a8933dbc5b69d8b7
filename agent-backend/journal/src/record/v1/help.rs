//! What a person is asked about a stage.

use engine::{artifact, event};
use serde::{Deserialize, Serialize};
use shared::id::StageId;

use super::{Unreadable, artifact::blob, words::Effect};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct HelpRequested {
    #[serde(rename = "st")]
    stage: String,
    #[serde(rename = "q", default, skip_serializing_if = "Help::is_failure")]
    question: Help,
}

#[derive(Debug, Default, Serialize, Deserialize)]
enum Help {
    /// What every question was about before there were others.
    #[default]
    #[serde(rename = "failure")]
    Failure,
    #[serde(rename = "unisolated")]
    Unisolated,
    #[serde(rename = "tool")]
    Tool(Box<WantedCall>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedCall {
    asked: String,
    #[serde(rename = "n")]
    number: u32,
    turn: String,
    server: String,
    at: String,
    tool: String,
    title: String,
    does: Effect,
    with: String,
    shown: String,
}

impl Help {
    fn is_failure(&self) -> bool {
        matches!(self, Self::Failure)
    }
}

impl HelpRequested {
    pub(super) fn new(stage: &StageId, question: &event::Help) -> Self {
        Self {
            stage: stage.to_string(),
            question: match question {
                event::Help::Failure => Help::Failure,
                event::Help::Unisolated => Help::Unisolated,
                event::Help::Tool(call) => Help::Tool(Box::new(WantedCall::from(call.as_ref()))),
            },
        }
    }
}

impl From<&artifact::WantedCall> for WantedCall {
    fn from(call: &artifact::WantedCall) -> Self {
        let artifact::WantedCall {
            asked,
            number,
            turn,
            server,
            reached,
            tool,
            title,
            effect,
            arguments,
            shown,
        } = call.clone();
        Self {
            asked: asked.to_hex(),
            number,
            turn: turn.to_hex(),
            server,
            at: reached.to_hex(),
            tool,
            title,
            does: effect.into(),
            with: arguments.to_hex(),
            shown,
        }
    }
}

impl TryFrom<WantedCall> for artifact::WantedCall {
    type Error = Unreadable;

    fn try_from(call: WantedCall) -> Result<Self, Unreadable> {
        Ok(Self {
            asked: blob(&call.asked)?,
            number: call.number,
            turn: blob(&call.turn)?,
            server: call.server,
            reached: blob(&call.at)?,
            tool: call.tool,
            title: call.title,
            effect: call.does.into(),
            arguments: blob(&call.with)?,
            shown: call.shown,
        })
    }
}

impl TryFrom<HelpRequested> for event::Event {
    type Error = Unreadable;

    fn try_from(requested: HelpRequested) -> Result<Self, Unreadable> {
        Ok(Self::HelpRequested {
            stage: StageId::parse(&requested.stage)?,
            question: match requested.question {
                Help::Failure => event::Help::Failure,
                Help::Unisolated => event::Help::Unisolated,
                Help::Tool(call) => event::Help::Tool(Box::new((*call).try_into()?)),
            },
        })
    }
}
