//! `WorkflowService`.

use futures::{StreamExt as _, stream::BoxStream};
use proto::v1::{self, workflow_service_server::WorkflowService};
use shared::{
    error::Code,
    id::Seq,
    wire::{self, Body, DecisionRequest, Envelope, HunkChoice},
};
use tonic::{Request, Response, Status};

use crate::{
    edge::{convert, rest, stream::Feed},
    error::Error,
    images::Picture,
    present::{self, Mode},
    runtime::{Missing, Runtime, Submission},
};

pub(super) struct Service(pub(super) Runtime);

#[tonic::async_trait]
impl WorkflowService for Service {
    type WatchStream = BoxStream<'static, Result<v1::Event, Status>>;

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let mut request = request.into_inner();
        let images = std::mem::take(&mut request.images).into_iter().map(picture);
        let submission = Submission {
            images: images.collect::<Result<_, _>>()?,
            choices: convert::choices(
                Some(&request.model),
                thought_level(request.thought_level)?,
                retrieval(request.retrieval)?,
                &request.folders,
            )?,
            missing: Missing::Refused,
            servers: Vec::new(),
            correlation: convert::correlation(Some(&request.correlation_id))?,
            workflow_type: request.workflow_type,
            query: request.user_query,
            workspace: Some(request.workspace).filter(|path| !path.is_empty()),
        };
        let (workflow, correlation) = self.0.submit(submission).await?;
        Ok(Response::new(v1::SubmitResponse {
            workflow_id: workflow.to_string(),
            correlation_id: correlation.to_string(),
        }))
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::GetResponse>, Status> {
        let id = convert::workflow_id(&request.into_inner().workflow_id)?;
        let state = self.0.state(&id).await?;
        let view = present::view(self.0.services().journal.as_ref(), &state).await?;
        Ok(Response::new(get_response(view)))
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        let request = request.into_inner();
        let limit = usize::try_from(request.limit).ok();
        let page = rest::page(&self.0, limit, Some(&request.cursor)).await?;
        Ok(Response::new(v1::ListResponse {
            workflows: page.workflows.into_iter().map(summary).collect(),
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let request = request.into_inner();
        let id = convert::workflow_id(&request.workflow_id)?;
        let mode = if request.delta_only {
            Mode::Delta
        } else {
            Mode::Full
        };
        let mut feed = Feed::open(&self.0, &id, Seq(request.after), mode).await?;
        let events = async_stream::try_stream! {
            while let Some(envelope) = feed.next().await? {
                yield event(envelope)?;
            }
        };
        Ok(Response::new(events.boxed()))
    }

    async fn decide(
        &self,
        request: Request<v1::DecideRequest>,
    ) -> Result<Response<v1::DecideResponse>, Status> {
        let request = request.into_inner();
        let id = convert::workflow_id(&request.workflow_id)?;
        let decision = match request.decision() {
            v1::Decision::Accept => wire::Decision::Accept,
            v1::Decision::Reject => wire::Decision::Reject,
            v1::Decision::Modify => wire::Decision::Modify,
            v1::Decision::Unspecified => {
                let message = "decision: accept, reject or modify must be given";
                return Err(Error::user(Code::InvalidRequest, message).into());
            }
        };
        let feedback = Some(request.feedback).filter(|feedback| !feedback.is_empty());
        let decision = convert::decision(DecisionRequest {
            decision,
            feedback,
            hunks: request
                .selection
                .map(|selection| selection.files.into_iter().map(choice).collect()),
            remember: request.remember,
        })?;
        self.0.decide(&id, None, decision).await?;
        Ok(Response::new(v1::DecideResponse {}))
    }

    async fn remark(
        &self,
        request: Request<v1::RemarkRequest>,
    ) -> Result<Response<v1::RemarkResponse>, Status> {
        let request = request.into_inner();
        let id = convert::workflow_id(&request.workflow_id)?;
        self.0.remark(&id, request.text).await?;
        Ok(Response::new(v1::RemarkResponse {}))
    }

    async fn cancel(
        &self,
        request: Request<v1::CancelRequest>,
    ) -> Result<Response<v1::CancelResponse>, Status> {
        let id = convert::workflow_id(&request.into_inner().workflow_id)?;
        self.0.cancel(&id).await?;
        Ok(Response::new(v1::CancelResponse {}))
    }

    async fn undo(&self, request: Request<v1::UndoRequest>) -> Result<Response<v1::UndoResponse>, Status> {
        let id = convert::workflow_id(&request.into_inner().workflow_id)?;
        let undo = self.0.undo(&id).await?;
        Ok(Response::new(v1::UndoResponse {
            workflow_id: undo.workflow.to_string(),
            commit: undo.commit.unwrap_or_default(),
            branch: undo.branch.unwrap_or_default(),
        }))
    }
}

/// What is taken of one file.
fn choice(file: v1::FileChoice) -> HunkChoice {
    let (hunks, text) = match file.part {
        None => (None, None),
        Some(v1::file_choice::Part::Hunks(hunks)) => (Some(hunks.indexes), None),
        Some(v1::file_choice::Part::Text(text)) => (None, Some(text)),
    };
    HunkChoice {
        path: file.path,
        hunks,
        text,
    }
}

fn picture(image: v1::Image) -> Result<Picture, Error> {
    let v1::Image { data, media_type } = image;
    let named = Some(media_type.as_str()).filter(|named| !named.is_empty());
    Picture::of(named, data)
}

/// What is said of thinking; nothing for what is left out.
fn thought_level(value: i32) -> Result<Option<wire::ThoughtLevel>, Error> {
    match v1::ThoughtLevel::try_from(value) {
        Ok(v1::ThoughtLevel::Unspecified) => Ok(None),
        Ok(v1::ThoughtLevel::Off) => Ok(Some(wire::ThoughtLevel::Off)),
        Ok(v1::ThoughtLevel::Low) => Ok(Some(wire::ThoughtLevel::Low)),
        Ok(v1::ThoughtLevel::Medium) => Ok(Some(wire::ThoughtLevel::Medium)),
        Ok(v1::ThoughtLevel::High) => Ok(Some(wire::ThoughtLevel::High)),
        Err(_) => {
            let message = format!("thought_level: {value} is none of its values");
            Err(Error::user(Code::InvalidRequest, message))
        }
    }
}

/// What is said of the search; nothing for what is left out.
fn retrieval(value: i32) -> Result<Option<wire::Retrieval>, Error> {
    match v1::Retrieval::try_from(value) {
        Ok(v1::Retrieval::Unspecified) => Ok(None),
        Ok(v1::Retrieval::On) => Ok(Some(wire::Retrieval::On)),
        Ok(v1::Retrieval::Off) => Ok(Some(wire::Retrieval::Off)),
        Err(_) => {
            let message = format!("retrieval: {value} is none of its values; on and off are");
            Err(Error::user(Code::InvalidRequest, message))
        }
    }
}

fn event(envelope: Envelope) -> Result<v1::Event, Error> {
    let json = serde_json::to_value(&envelope).map_err(|error| Error::internal(error.to_string()))?;
    let kind = json
        .get("type")
        .and_then(|kind| kind.as_str())
        .unwrap_or_default()
        .to_owned();
    let text = json.to_string();
    let update = match envelope.body {
        Body::AgentStreamingUpdate {
            stage_id,
            attempt,
            delta,
            offset,
            partial_result,
            tokens_so_far,
            is_final,
            metrics,
        } => Some(v1::StreamingUpdate {
            stage_id: stage_id.to_string(),
            attempt,
            delta,
            offset,
            partial_result,
            tokens_so_far,
            is_final,
            generation_time_sec: metrics.map(|metrics| metrics.generation_time_sec),
            tokens_per_sec: metrics.map(|metrics| metrics.tokens_per_sec),
        }),
        Body::WorkflowState { .. }
        | Body::StageStarted { .. }
        | Body::StageFinished { .. }
        | Body::AttemptDiscarded { .. }
        | Body::AttemptResumed { .. }
        | Body::RetrievalResult { .. }
        | Body::Plan { .. }
        | Body::CheckResult { .. }
        | Body::DiffReady { .. }
        | Body::DecisionNeeded { .. }
        | Body::DecisionTaken { .. }
        | Body::Applied { .. }
        | Body::Failed { .. }
        | Body::Notice { .. }
        | Body::ModelCalled { .. }
        | Body::ToolCalled { .. }
        | Body::Remarked { .. }
        | Body::Resync { .. } => None,
    };
    Ok(v1::Event {
        seq: envelope.seq.0,
        workflow_id: envelope.workflow_id.to_string(),
        correlation_id: envelope.correlation_id.to_string(),
        timestamp: envelope.timestamp,
        r#type: kind,
        json: text,
        update,
    })
}

fn summary(summary: wire::WorkflowSummary) -> v1::WorkflowSummary {
    let state = match summary.state {
        wire::WorkflowState::Running => v1::WorkflowState::Running,
        wire::WorkflowState::AwaitingDecision => v1::WorkflowState::AwaitingDecision,
        wire::WorkflowState::Completed => v1::WorkflowState::Completed,
        wire::WorkflowState::Rejected => v1::WorkflowState::Rejected,
        wire::WorkflowState::Cancelled => v1::WorkflowState::Cancelled,
        wire::WorkflowState::Failed => v1::WorkflowState::Failed,
    };
    v1::WorkflowSummary {
        workflow_id: summary.workflow_id.to_string(),
        correlation_id: summary.correlation_id.to_string(),
        workflow_type: summary.workflow_type,
        user_query: summary.user_query,
        workspace: summary.workspace,
        state: state.into(),
        head: summary.head.0,
        created_at: summary.created_at,
        updated_at: summary.updated_at,
    }
}

fn get_response(view: wire::WorkflowView) -> v1::GetResponse {
    let (error_code, error_message) = view
        .error
        .map(|error| (error.code, error.message))
        .unwrap_or_default();
    v1::GetResponse {
        summary: Some(summary(view.summary)),
        choices: Some(choices(view.choices)),
        iteration: view.iteration,
        stages: view
            .stages
            .into_iter()
            .map(|stage| v1::Stage {
                stage_id: stage.stage_id.to_string(),
                status: stage.status,
                attempt: stage.attempt,
                duration_ms: stage.duration_ms,
            })
            .collect(),
        diff: view.diff.unwrap_or_default().into_iter().map(file).collect(),
        evidence: view.evidence.into_iter().filter_map(check).collect(),
        commit: view.commit.unwrap_or_default(),
        undone_by: view.undone_by.map(|id| id.to_string()).unwrap_or_default(),
        undoes: view.undoes.map(|id| id.to_string()).unwrap_or_default(),
        error_code,
        error_message,
    }
}

fn choices(choices: wire::Choices) -> v1::Choices {
    let thought_level = match choices.thought_level {
        wire::ThoughtLevel::Default => v1::ThoughtLevel::Unspecified,
        wire::ThoughtLevel::Off => v1::ThoughtLevel::Off,
        wire::ThoughtLevel::Low => v1::ThoughtLevel::Low,
        wire::ThoughtLevel::Medium => v1::ThoughtLevel::Medium,
        wire::ThoughtLevel::High => v1::ThoughtLevel::High,
    };
    let retrieval = match choices.retrieval {
        wire::Retrieval::On => v1::Retrieval::On,
        wire::Retrieval::Off => v1::Retrieval::Off,
    };
    v1::Choices {
        model: choices.model.unwrap_or_default(),
        thought_level: thought_level.into(),
        retrieval: retrieval.into(),
        folders: choices.folders,
    }
}

fn file(file: wire::FileDiff) -> v1::FileDiff {
    let change = match file.change {
        wire::ChangeKind::Create => "create",
        wire::ChangeKind::Edit => "edit",
        wire::ChangeKind::Delete => "delete",
    };
    v1::FileDiff {
        path: file.path,
        change: change.to_owned(),
        old_text: file.old_text,
        new_text: file.new_text,
        lines_added: file.lines_added,
        lines_removed: file.lines_removed,
        hunks: file.hunks.into_iter().map(hunk).collect(),
    }
}

fn hunk(hunk: wire::Hunk) -> v1::Hunk {
    v1::Hunk {
        old_start: hunk.old_start,
        old_lines: hunk.old_lines,
        new_start: hunk.new_start,
        new_lines: hunk.new_lines,
    }
}

fn check(body: Body) -> Option<v1::Check> {
    let Body::CheckResult {
        name,
        status,
        command,
        exit_status,
        duration_ms,
        output,
        has_log,
    } = body
    else {
        return None;
    };
    let status = match status {
        wire::CheckStatus::Passed => "passed",
        wire::CheckStatus::Failed => "failed",
        wire::CheckStatus::Skipped => "skipped",
    };
    Some(v1::Check {
        name,
        status: status.to_owned(),
        command,
        exit_status,
        duration_ms,
        output,
        has_log,
    })
}
