//! The stage graph that a workflow is pinned to.

use engine::graph;
use serde::{Deserialize, Serialize};
use shared::id::StageId;

use super::{
    Unreadable,
    words::{Presence, StageKind},
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Graph {
    name: String,
    version: u32,
    stages: Vec<Stage>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stage {
    id: String,
    kind: StageKind,
    #[serde(rename = "pres")]
    presence: Presence,
    #[serde(rename = "max")]
    attempts_max: u32,
    #[serde(rename = "retry", default, skip_serializing_if = "Option::is_none")]
    retry_from: Option<String>,
    #[serde(rename = "modify", default, skip_serializing_if = "Option::is_none")]
    on_modify: Option<String>,
}

impl From<&graph::Graph> for Graph {
    fn from(graph: &graph::Graph) -> Self {
        let graph::Graph {
            name,
            version,
            stages,
        } = graph;
        Self {
            name: name.clone(),
            version: *version,
            stages: stages.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<Graph> for graph::Graph {
    type Error = Unreadable;

    // Not validated again: a rule that is added later must not make the
    // history of a workflow unreadable that began before it.
    fn try_from(graph: Graph) -> Result<Self, Unreadable> {
        let Graph {
            name,
            version,
            stages,
        } = graph;
        Ok(Self {
            name,
            version,
            stages: stages
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl From<&graph::Stage> for Stage {
    fn from(stage: &graph::Stage) -> Self {
        let graph::Stage {
            id,
            kind,
            presence,
            attempts_max,
            retry_from,
            on_modify,
        } = stage;
        Self {
            id: id.to_string(),
            kind: (*kind).into(),
            presence: (*presence).into(),
            attempts_max: *attempts_max,
            retry_from: retry_from.as_ref().map(ToString::to_string),
            on_modify: on_modify.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<Stage> for graph::Stage {
    type Error = Unreadable;

    fn try_from(stage: Stage) -> Result<Self, Unreadable> {
        let Stage {
            id,
            kind,
            presence,
            attempts_max,
            retry_from,
            on_modify,
        } = stage;
        Ok(Self {
            id: StageId::parse(&id)?,
            kind: kind.into(),
            presence: presence.into(),
            attempts_max,
            retry_from: retry_from.as_deref().map(StageId::parse).transpose()?,
            on_modify: on_modify.as_deref().map(StageId::parse).transpose()?,
        })
    }
}
