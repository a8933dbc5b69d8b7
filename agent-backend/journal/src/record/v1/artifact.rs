//! What stages make.

use engine::{artifact, blob::BlobId, state};
use serde::{Deserialize, Serialize};
use shared::id::{StageId, WorkflowId};

use super::{
    Unreadable, parse_code,
    words::{CheckStatus, Class, ImageFormat, RetrievalMode, Search, ThoughtLevel},
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Task {
    #[serde(rename = "type")]
    workflow_type: String,
    #[serde(rename = "q")]
    query: String,
    #[serde(rename = "ws")]
    workspace: String,
    #[serde(rename = "mdl", default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(rename = "thk", default, skip_serializing_if = "Option::is_none")]
    thought_level: Option<ThoughtLevel>,
    #[serde(rename = "srch", default, skip_serializing_if = "Option::is_none")]
    search: Option<Search>,
    #[serde(rename = "dirs", default, skip_serializing_if = "Vec::is_empty")]
    folders: Vec<String>,
    #[serde(rename = "undo", default, skip_serializing_if = "Option::is_none")]
    undoes: Option<String>,
    #[serde(rename = "img", default, skip_serializing_if = "Vec::is_empty")]
    images: Vec<Image>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    blob: String,
    #[serde(rename = "type")]
    format: ImageFormat,
    #[serde(rename = "len")]
    bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Context {
    mode: RetrievalMode,
    items: Vec<ContextItem>,
    packed: String,
    #[serde(rename = "tok")]
    tokens: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextItem {
    #[serde(rename = "p")]
    path: String,
    #[serde(rename = "a")]
    start_line: u32,
    #[serde(rename = "b")]
    end_line: u32,
    #[serde(rename = "sym", default, skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    /// Shortest text that reads back to the same number: JSON has no infinity,
    /// and not every reader of JSON numbers is exact.
    #[serde(rename = "s")]
    score: String,
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    found_by: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Plan {
    #[serde(rename = "sum")]
    summary: String,
    steps: Vec<String>,
    files: Vec<String>,
    stages: Vec<StageChoice>,
    #[serde(rename = "est", default, skip_serializing_if = "Vec::is_empty")]
    estimates: Vec<Estimate>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Estimate {
    #[serde(rename = "st")]
    stage: String,
    /// The least and the most.
    #[serde(rename = "tok", default, skip_serializing_if = "Option::is_none")]
    tokens: Option<(u64, u64)>,
    /// The least and the most.
    #[serde(rename = "ms", default, skip_serializing_if = "Option::is_none")]
    duration_ms: Option<(u64, u64)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StageChoice {
    #[serde(rename = "st")]
    stage: String,
    run: bool,
    #[serde(rename = "why")]
    reason: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Proposal {
    #[serde(rename = "sum")]
    summary: String,
    files: Vec<FileChange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reads: Vec<ContextRead>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextRead {
    #[serde(rename = "by")]
    provider: String,
    #[serde(rename = "m")]
    model: String,
    #[serde(rename = "ctx")]
    requested: u32,
    #[serde(rename = "load", default, skip_serializing_if = "Option::is_none")]
    loaded: Option<u32>,
    #[serde(rename = "sent")]
    sent_min: u64,
    #[serde(rename = "used", default, skip_serializing_if = "Option::is_none")]
    used: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileChange {
    #[serde(rename = "p")]
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new: Option<String>,
    #[serde(rename = "add")]
    lines_added: u32,
    #[serde(rename = "del")]
    lines_removed: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct CheckReport {
    name: String,
    status: CheckStatus,
    #[serde(rename = "cmd", default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(rename = "exit", default, skip_serializing_if = "Option::is_none")]
    exit_status: Option<i32>,
    #[serde(rename = "ms")]
    duration_ms: u64,
    #[serde(rename = "out")]
    output: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Failure {
    class: Class,
    code: String,
    #[serde(rename = "msg")]
    message: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Applied {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    paths: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "d", deny_unknown_fields)]
pub(in super::super) enum Decision {
    #[serde(rename = "accept")]
    Accept {
        /// Absent for the whole proposal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<Vec<FileSelection>>,
    },
    #[serde(rename = "reject")]
    Reject {
        #[serde(rename = "fb", default, skip_serializing_if = "Option::is_none")]
        feedback: Option<String>,
    },
    #[serde(rename = "modify")]
    Modify {
        #[serde(rename = "fb")]
        feedback: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct FileSelection {
    #[serde(rename = "p")]
    path: String,
    /// Absent for the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hunks: Option<Vec<u32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "o", deny_unknown_fields)]
pub(in super::super) enum Outcome {
    #[serde(rename = "completed")]
    Completed {},
    #[serde(rename = "rejected")]
    Rejected {},
    #[serde(rename = "cancelled")]
    Cancelled {},
    #[serde(rename = "failed")]
    Failed {
        #[serde(rename = "fail")]
        failure: Failure,
    },
}

pub(super) fn blob(hex: &str) -> Result<BlobId, Unreadable> {
    BlobId::from_hex(hex).ok_or_else(|| Unreadable::Damaged(format!("`{hex}` is no blob id")))
}

impl From<&artifact::Task> for Task {
    fn from(task: &artifact::Task) -> Self {
        let artifact::Task {
            workflow_type,
            query,
            workspace,
            choices:
                artifact::Choices {
                    model,
                    thought_level,
                    search,
                    folders,
                    undoes,
                },
            images,
        } = task.clone();
        let image = |image: artifact::Image| {
            let artifact::Image { blob, format, bytes } = image;
            Image {
                blob: blob.to_hex(),
                format: format.into(),
                bytes,
            }
        };
        Self {
            workflow_type,
            query,
            workspace,
            model,
            thought_level: (thought_level != artifact::ThoughtLevel::default()).then(|| thought_level.into()),
            search: (search != artifact::Search::default()).then(|| search.into()),
            folders,
            undoes: undoes.map(|workflow| workflow.to_string()),
            images: images.into_iter().map(image).collect(),
        }
    }
}

impl TryFrom<Task> for artifact::Task {
    type Error = Unreadable;

    fn try_from(task: Task) -> Result<Self, Unreadable> {
        let Task {
            workflow_type,
            query,
            workspace,
            model,
            thought_level,
            search,
            folders,
            undoes,
            images,
        } = task;
        let image = |image: Image| {
            let Image { blob, format, bytes } = image;
            Ok(artifact::Image {
                blob: self::blob(&blob)?,
                format: format.into(),
                bytes,
            })
        };
        Ok(Self {
            workflow_type,
            query,
            workspace,
            choices: artifact::Choices {
                model,
                thought_level: thought_level.map(Into::into).unwrap_or_default(),
                search: search.map(Into::into).unwrap_or_default(),
                folders,
                undoes: undoes.as_deref().map(WorkflowId::parse).transpose()?,
            },
            images: images.into_iter().map(image).collect::<Result<_, Unreadable>>()?,
        })
    }
}

impl From<&artifact::Context> for Context {
    fn from(context: &artifact::Context) -> Self {
        let artifact::Context {
            mode,
            items,
            packed,
            tokens,
        } = context;
        let item = |item: &artifact::ContextItem| {
            let artifact::ContextItem {
                path,
                start_line,
                end_line,
                symbol,
                score,
                found_by,
            } = item.clone();
            ContextItem {
                path,
                start_line,
                end_line,
                symbol,
                score: format!("{score:?}"),
                found_by,
            }
        };
        Self {
            mode: (*mode).into(),
            items: items.iter().map(item).collect(),
            packed: packed.to_hex(),
            tokens: *tokens,
        }
    }
}

impl TryFrom<Context> for artifact::Context {
    type Error = Unreadable;

    fn try_from(context: Context) -> Result<Self, Unreadable> {
        let Context {
            mode,
            items,
            packed,
            tokens,
        } = context;
        let item = |item: ContextItem| {
            let ContextItem {
                path,
                start_line,
                end_line,
                symbol,
                score,
                found_by,
            } = item;
            let score = score
                .parse()
                .map_err(|_| Unreadable::Damaged(format!("score `{score}` is no number")))?;
            Ok(artifact::ContextItem {
                path,
                start_line,
                end_line,
                symbol,
                score,
                found_by,
            })
        };
        Ok(Self {
            mode: mode.into(),
            items: items.into_iter().map(item).collect::<Result<_, Unreadable>>()?,
            packed: blob(&packed)?,
            tokens,
        })
    }
}

impl From<&artifact::Plan> for Plan {
    fn from(plan: &artifact::Plan) -> Self {
        let artifact::Plan {
            summary,
            steps,
            files,
            stages,
            estimates,
        } = plan.clone();
        let pair = |span: artifact::Span| (span.least, span.most);
        let estimate = |estimate: artifact::Estimate| {
            let artifact::Estimate {
                stage,
                tokens,
                duration_ms,
            } = estimate;
            Estimate {
                stage: stage.to_string(),
                tokens: tokens.map(pair),
                duration_ms: duration_ms.map(pair),
            }
        };
        let choice = |choice: artifact::StageChoice| {
            let artifact::StageChoice { stage, run, reason } = choice;
            StageChoice {
                stage: stage.to_string(),
                run,
                reason,
            }
        };
        Self {
            summary,
            steps,
            files,
            stages: stages.into_iter().map(choice).collect(),
            estimates: estimates.into_iter().map(estimate).collect(),
        }
    }
}

impl TryFrom<Plan> for artifact::Plan {
    type Error = Unreadable;

    fn try_from(plan: Plan) -> Result<Self, Unreadable> {
        let Plan {
            summary,
            steps,
            files,
            stages,
            estimates,
        } = plan;
        let span = |(least, most): (u64, u64)| artifact::Span { least, most };
        let estimate = |estimate: Estimate| {
            let Estimate {
                stage,
                tokens,
                duration_ms,
            } = estimate;
            Ok(artifact::Estimate {
                stage: StageId::parse(&stage)?,
                tokens: tokens.map(span),
                duration_ms: duration_ms.map(span),
            })
        };
        let estimates = estimates
            .into_iter()
            .map(estimate)
            .collect::<Result<_, Unreadable>>()?;
        let choice = |choice: StageChoice| {
            let StageChoice { stage, run, reason } = choice;
            Ok(artifact::StageChoice {
                stage: StageId::parse(&stage)?,
                run,
                reason,
            })
        };
        let stages = stages
            .into_iter()
            .map(choice)
            .collect::<Result<_, Unreadable>>()?;
        Ok(Self {
            summary,
            steps,
            files,
            stages,
            estimates,
        })
    }
}

impl From<&artifact::Proposal> for Proposal {
    fn from(proposal: &artifact::Proposal) -> Self {
        let artifact::Proposal {
            summary,
            files,
            reads,
        } = proposal;
        Self {
            summary: summary.clone(),
            files: files.iter().map(Into::into).collect(),
            reads: reads.iter().cloned().map(Into::into).collect(),
        }
    }
}

impl TryFrom<Proposal> for artifact::Proposal {
    type Error = Unreadable;

    fn try_from(proposal: Proposal) -> Result<Self, Unreadable> {
        let Proposal {
            summary,
            files,
            reads,
        } = proposal;
        Ok(Self {
            summary,
            files: files
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            reads: reads.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<artifact::ContextRead> for ContextRead {
    fn from(read: artifact::ContextRead) -> Self {
        let artifact::ContextRead {
            provider,
            model,
            requested,
            loaded,
            sent_min,
            used,
        } = read;
        Self {
            provider,
            model,
            requested,
            loaded,
            sent_min,
            used,
        }
    }
}

impl From<ContextRead> for artifact::ContextRead {
    fn from(read: ContextRead) -> Self {
        let ContextRead {
            provider,
            model,
            requested,
            loaded,
            sent_min,
            used,
        } = read;
        Self {
            provider,
            model,
            requested,
            loaded,
            sent_min,
            used,
        }
    }
}

impl From<&artifact::FileChange> for FileChange {
    fn from(change: &artifact::FileChange) -> Self {
        let artifact::FileChange {
            path,
            old,
            new,
            lines_added,
            lines_removed,
        } = change.clone();
        Self {
            path,
            old: old.map(BlobId::to_hex),
            new: new.map(BlobId::to_hex),
            lines_added,
            lines_removed,
        }
    }
}

impl TryFrom<FileChange> for artifact::FileChange {
    type Error = Unreadable;

    fn try_from(change: FileChange) -> Result<Self, Unreadable> {
        let FileChange {
            path,
            old,
            new,
            lines_added,
            lines_removed,
        } = change;
        Ok(Self {
            path,
            old: old.as_deref().map(blob).transpose()?,
            new: new.as_deref().map(blob).transpose()?,
            lines_added,
            lines_removed,
        })
    }
}

impl From<&artifact::CheckReport> for CheckReport {
    fn from(report: &artifact::CheckReport) -> Self {
        let artifact::CheckReport {
            name,
            status,
            command,
            exit_status,
            duration_ms,
            output,
            log,
        } = report.clone();
        Self {
            name,
            status: status.into(),
            command,
            exit_status,
            duration_ms,
            output,
            log: log.map(BlobId::to_hex),
        }
    }
}

impl TryFrom<CheckReport> for artifact::CheckReport {
    type Error = Unreadable;

    fn try_from(report: CheckReport) -> Result<Self, Unreadable> {
        let CheckReport {
            name,
            status,
            command,
            exit_status,
            duration_ms,
            output,
            log,
        } = report;
        Ok(Self {
            name,
            status: status.into(),
            command,
            exit_status,
            duration_ms,
            output,
            log: log.as_deref().map(blob).transpose()?,
        })
    }
}

impl From<&artifact::Failure> for Failure {
    fn from(failure: &artifact::Failure) -> Self {
        let artifact::Failure { class, code, message } = failure;
        Self {
            class: (*class).into(),
            code: code.to_string(),
            message: message.clone(),
        }
    }
}

impl TryFrom<Failure> for artifact::Failure {
    type Error = Unreadable;

    fn try_from(failure: Failure) -> Result<Self, Unreadable> {
        let Failure { class, code, message } = failure;
        Ok(Self {
            class: class.into(),
            code: parse_code(&code)?,
            message,
        })
    }
}

impl From<&artifact::Applied> for Applied {
    fn from(applied: &artifact::Applied) -> Self {
        let artifact::Applied {
            commit,
            branch,
            paths,
        } = applied.clone();
        Self {
            commit,
            branch,
            paths,
        }
    }
}

impl From<Applied> for artifact::Applied {
    fn from(applied: Applied) -> Self {
        let Applied {
            commit,
            branch,
            paths,
        } = applied;
        Self {
            commit,
            branch,
            paths,
        }
    }
}

impl From<&artifact::Decision> for Decision {
    fn from(decision: &artifact::Decision) -> Self {
        let file = |file: artifact::FileSelection| {
            let artifact::FileSelection { path, hunks, text } = file;
            FileSelection {
                path,
                hunks,
                text: text.map(BlobId::to_hex),
            }
        };
        match decision.clone() {
            artifact::Decision::Accept(artifact::Selection::All) => Self::Accept { files: None },
            artifact::Decision::Accept(artifact::Selection::Files(files)) => Self::Accept {
                files: Some(files.into_iter().map(file).collect()),
            },
            artifact::Decision::Reject { feedback } => Self::Reject { feedback },
            artifact::Decision::Modify { feedback } => Self::Modify { feedback },
        }
    }
}

impl TryFrom<Decision> for artifact::Decision {
    type Error = Unreadable;

    fn try_from(decision: Decision) -> Result<Self, Unreadable> {
        let file = |file: FileSelection| {
            let FileSelection { path, hunks, text } = file;
            let text = text.as_deref().map(blob).transpose()?;
            Ok::<_, Unreadable>(artifact::FileSelection { path, hunks, text })
        };
        Ok(match decision {
            Decision::Accept { files: None } => Self::Accept(artifact::Selection::All),
            Decision::Accept { files: Some(files) } => {
                let files = files.into_iter().map(file).collect::<Result<_, _>>()?;
                Self::Accept(artifact::Selection::Files(files))
            }
            Decision::Reject { feedback } => Self::Reject { feedback },
            Decision::Modify { feedback } => Self::Modify { feedback },
        })
    }
}

impl From<&state::Outcome> for Outcome {
    fn from(outcome: &state::Outcome) -> Self {
        match outcome {
            state::Outcome::Completed => Self::Completed {},
            state::Outcome::Rejected => Self::Rejected {},
            state::Outcome::Cancelled => Self::Cancelled {},
            state::Outcome::Failed(failure) => Self::Failed {
                failure: failure.into(),
            },
        }
    }
}

impl TryFrom<Outcome> for state::Outcome {
    type Error = Unreadable;

    fn try_from(outcome: Outcome) -> Result<Self, Unreadable> {
        Ok(match outcome {
            Outcome::Completed {} => Self::Completed,
            Outcome::Rejected {} => Self::Rejected,
            Outcome::Cancelled {} => Self::Cancelled,
            Outcome::Failed { failure } => Self::Failed(failure.try_into()?),
        })
    }
}
