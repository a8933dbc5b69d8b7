//! The stage graph that a workflow is pinned to. What a stage has beyond the
//! first definitions is left out where it is the default.

use engine::graph;
use serde::{Deserialize, Serialize};
use shared::id::StageId;

use super::{
    Unreadable,
    artifact::blob,
    words::{DefaultAnswer, Join, List, OnFailure, Presence, StageKind},
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Graph {
    name: String,
    version: u32,
    #[serde(rename = "src", default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    stages: Vec<Stage>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stage {
    id: String,
    /// None for a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<StageKind>,
    #[serde(rename = "pres")]
    presence: Presence,
    #[serde(rename = "max")]
    attempts_max: u32,
    #[serde(rename = "run_max", default, skip_serializing_if = "Option::is_none")]
    run_attempts_max: Option<u32>,
    #[serde(rename = "retry", default, skip_serializing_if = "Option::is_none")]
    retry_from: Option<String>,
    #[serde(rename = "modify", default, skip_serializing_if = "Option::is_none")]
    on_modify: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<String>,
    #[serde(rename = "fail", default, skip_serializing_if = "Option::is_none")]
    retry: Option<Retry>,
    #[serde(rename = "fall", default, skip_serializing_if = "Option::is_none")]
    fall_back: Option<String>,
    #[serde(rename = "tmo", default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(rename = "dead", default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Deadline>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    cache: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<Group>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Retry {
    #[serde(rename = "t")]
    transient: OnFailure,
    #[serde(rename = "p")]
    permanent: OnFailure,
    #[serde(rename = "u")]
    user: OnFailure,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    exhausted: Option<OnFailure>,
    first_ms: u64,
    max_ms: u64,
    #[serde(rename = "jit")]
    jitter_percent: u8,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deadline {
    #[serde(rename = "ms")]
    after_ms: u64,
    #[serde(rename = "def")]
    default: DefaultAnswer,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    join: Join,
    #[serde(rename = "par")]
    parallel_max: u32,
    lanes: Lanes,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum Lanes {
    #[serde(rename = "branches")]
    Branches(Vec<Branch>),
    #[serde(rename = "each")]
    Each {
        list: List,
        #[serde(rename = "max")]
        items_max: u32,
        stages: Vec<Stage>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Branch {
    id: String,
    #[serde(rename = "wf", default, skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    stages: Vec<Stage>,
}

fn stages(stages: Vec<Stage>) -> Result<Vec<graph::Stage>, Unreadable> {
    stages.into_iter().map(TryInto::try_into).collect()
}

fn id(text: Option<&str>) -> Result<Option<StageId>, Unreadable> {
    Ok(text.map(StageId::parse).transpose()?)
}

impl From<&graph::Graph> for Graph {
    fn from(graph: &graph::Graph) -> Self {
        let graph::Graph {
            name,
            version,
            source,
            stages,
        } = graph;
        Self {
            name: name.clone(),
            version: *version,
            source: source.map(engine::blob::BlobId::to_hex),
            stages: stages.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<Graph> for graph::Graph {
    type Error = Unreadable;

    // Not checked again: a rule that is added later must not make the history
    // of a workflow unreadable that began before it.
    fn try_from(graph: Graph) -> Result<Self, Unreadable> {
        let Graph {
            name,
            version,
            source,
            stages: list,
        } = graph;
        Ok(Self {
            name,
            version,
            source: source.as_deref().map(blob).transpose()?,
            stages: stages(list)?,
        })
    }
}

impl From<&graph::Stage> for Stage {
    fn from(stage: &graph::Stage) -> Self {
        let graph::Stage {
            id,
            work,
            presence,
            when,
            attempts_max,
            run_attempts_max,
            retry,
            fall_back,
            retry_from,
            on_modify,
            timeout_ms,
            deadline,
            role,
            cache,
        } = stage;
        let text = |id: &Option<StageId>| id.as_ref().map(ToString::to_string);
        let (kind, group) = match work {
            graph::Work::Kind(kind) => (Some((*kind).into()), None),
            graph::Work::Group(group) => (None, Some(group.into())),
        };
        Self {
            id: id.to_string(),
            kind,
            presence: (*presence).into(),
            attempts_max: *attempts_max,
            run_attempts_max: *run_attempts_max,
            retry_from: text(retry_from),
            on_modify: text(on_modify),
            when: when.as_ref().map(ToString::to_string),
            retry: (*retry != graph::Retry::default()).then(|| retry.into()),
            fall_back: text(fall_back),
            timeout_ms: *timeout_ms,
            deadline: deadline.map(|deadline| {
                let graph::Deadline { after_ms, default } = deadline;
                Deadline {
                    after_ms,
                    default: default.into(),
                }
            }),
            role: role.clone(),
            cache: *cache,
            group,
        }
    }
}

impl TryFrom<Stage> for graph::Stage {
    type Error = Unreadable;

    fn try_from(stage: Stage) -> Result<Self, Unreadable> {
        let Stage {
            id: name,
            kind,
            presence,
            attempts_max,
            run_attempts_max,
            retry_from,
            on_modify,
            when,
            retry,
            fall_back,
            timeout_ms,
            deadline,
            role,
            cache,
            group,
        } = stage;
        let work = match (kind, group) {
            (Some(kind), None) => graph::Work::Kind(kind.into()),
            (None, Some(group)) => graph::Work::Group(group.try_into()?),
            (Some(_), Some(_)) | (None, None) => {
                return Err(Unreadable::Damaged(format!("stage `{name}` has no work, or two")));
            }
        };
        let condition = |text: String| {
            graph::Expr::parse(&text).map_err(|error| Unreadable::Damaged(format!("`{text}`: {error}")))
        };
        Ok(Self {
            id: StageId::parse(&name)?,
            work,
            presence: presence.into(),
            when: when.map(condition).transpose()?,
            attempts_max,
            run_attempts_max,
            retry: retry.map(Into::into).unwrap_or_default(),
            fall_back: id(fall_back.as_deref())?,
            retry_from: id(retry_from.as_deref())?,
            on_modify: id(on_modify.as_deref())?,
            timeout_ms,
            deadline: deadline.map(|deadline| {
                let Deadline { after_ms, default } = deadline;
                graph::Deadline {
                    after_ms,
                    default: default.into(),
                }
            }),
            role,
            cache,
        })
    }
}

impl From<&graph::Retry> for Retry {
    fn from(retry: &graph::Retry) -> Self {
        let graph::Retry {
            transient,
            permanent,
            user,
            exhausted,
            backoff,
        } = *retry;
        let graph::Backoff {
            first_ms,
            max_ms,
            jitter_percent,
        } = backoff;
        Self {
            transient: transient.into(),
            permanent: permanent.into(),
            user: user.into(),
            exhausted: exhausted.map(Into::into),
            first_ms,
            max_ms,
            jitter_percent,
        }
    }
}

impl From<Retry> for graph::Retry {
    fn from(retry: Retry) -> Self {
        let Retry {
            transient,
            permanent,
            user,
            exhausted,
            first_ms,
            max_ms,
            jitter_percent,
        } = retry;
        Self {
            transient: transient.into(),
            permanent: permanent.into(),
            user: user.into(),
            exhausted: exhausted.map(Into::into),
            backoff: graph::Backoff {
                first_ms,
                max_ms,
                jitter_percent,
            },
        }
    }
}

impl From<&graph::Group> for Group {
    fn from(group: &graph::Group) -> Self {
        let graph::Group {
            lanes,
            join,
            parallel_max,
        } = group;
        let lanes = match lanes {
            graph::Lanes::Branches(branches) => Lanes::Branches(
                branches
                    .iter()
                    .map(|branch| {
                        let graph::Branch { id, workflow, stages } = branch;
                        Branch {
                            id: id.to_string(),
                            workflow: workflow.clone(),
                            stages: stages.iter().map(Into::into).collect(),
                        }
                    })
                    .collect(),
            ),
            graph::Lanes::Each {
                list,
                items_max,
                stages,
            } => Lanes::Each {
                list: (*list).into(),
                items_max: *items_max,
                stages: stages.iter().map(Into::into).collect(),
            },
        };
        Self {
            join: (*join).into(),
            parallel_max: *parallel_max,
            lanes,
        }
    }
}

impl TryFrom<Group> for graph::Group {
    type Error = Unreadable;

    fn try_from(group: Group) -> Result<Self, Unreadable> {
        let Group {
            join,
            parallel_max,
            lanes,
        } = group;
        let branch = |branch: Branch| {
            let Branch {
                id,
                workflow,
                stages: list,
            } = branch;
            Ok::<_, Unreadable>(graph::Branch {
                id: StageId::parse(&id)?,
                workflow,
                stages: stages(list)?,
            })
        };
        Ok(Self {
            lanes: match lanes {
                Lanes::Branches(branches) => {
                    graph::Lanes::Branches(branches.into_iter().map(branch).collect::<Result<_, _>>()?)
                }
                Lanes::Each {
                    list,
                    items_max,
                    stages: inner,
                } => graph::Lanes::Each {
                    list: list.into(),
                    items_max,
                    stages: stages(inner)?,
                },
            },
            join: join.into(),
            parallel_max,
        })
    }
}
