//! Errors and choices, from and to the wire. The only place that maps an error
//! class to a transport's own kind of error.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use engine::artifact::{Decision, FileSelection, Selection};
use shared::{
    error::{Class, Code},
    wire::{self, DecisionRequest, ErrorBody},
};

use crate::error::Error;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            code: self.code.as_str().to_owned(),
            message: self.message.clone(),
        };
        (http_status(&self), Json(body)).into_response()
    }
}

fn http_status(error: &Error) -> StatusCode {
    let by_code = match error.code {
        Code::UnknownWorkflow => Some(StatusCode::NOT_FOUND),
        Code::CorrelationConflict | Code::DecisionNotPending | Code::WorkflowFinished => {
            Some(StatusCode::CONFLICT)
        }
        Code::QueryTooLong => Some(StatusCode::PAYLOAD_TOO_LARGE),
        Code::Overloaded => Some(StatusCode::TOO_MANY_REQUESTS),
        Code::Unauthenticated => Some(StatusCode::UNAUTHORIZED),
        Code::OriginRefused => Some(StatusCode::FORBIDDEN),
        _ => None,
    };
    by_code.unwrap_or(match error.class {
        Class::User => StatusCode::BAD_REQUEST,
        Class::Transient => StatusCode::SERVICE_UNAVAILABLE,
        Class::Permanent | Class::Fatal => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        let by_code = match error.code {
            Code::UnknownWorkflow => Some(tonic::Code::NotFound),
            Code::CorrelationConflict => Some(tonic::Code::AlreadyExists),
            Code::DecisionNotPending | Code::WorkflowFinished => Some(tonic::Code::FailedPrecondition),
            Code::Overloaded => Some(tonic::Code::ResourceExhausted),
            Code::Unauthenticated => Some(tonic::Code::Unauthenticated),
            _ => None,
        };
        let code = by_code.unwrap_or(match error.class {
            Class::User => tonic::Code::InvalidArgument,
            Class::Transient => tonic::Code::Unavailable,
            Class::Permanent | Class::Fatal => tonic::Code::Internal,
        });
        tonic::Status::new(code, format!("{}: {}", error.code, error.message))
    }
}

/// A decision as the engine takes it.
pub(crate) fn decision(request: DecisionRequest) -> Result<Decision, Error> {
    match request.decision {
        wire::Decision::Accept => Ok(Decision::Accept(match request.hunks {
            None => Selection::All,
            Some(files) => Selection::Files(
                files
                    .into_iter()
                    .map(|file| FileSelection {
                        path: file.path,
                        hunks: file.hunks,
                    })
                    .collect(),
            ),
        })),
        wire::Decision::Reject => Ok(Decision::Reject {
            feedback: request.feedback,
        }),
        wire::Decision::Modify => match request.feedback {
            Some(feedback) => Ok(Decision::Modify { feedback }),
            None => Err(engine::Reject::FeedbackEmpty.into()),
        },
    }
}

/// An id that came from outside.
pub(crate) fn workflow_id(text: &str) -> Result<shared::id::WorkflowId, Error> {
    shared::id::WorkflowId::parse(text).map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        Error::unknown_workflow(&shown)
    })
}

/// A correlation id that came from outside; none for an empty one.
pub(crate) fn correlation(text: Option<&str>) -> Result<Option<shared::id::CorrelationId>, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let parsed = shared::id::CorrelationId::parse(text);
    parsed
        .map(Some)
        .map_err(|error| Error::user(Code::InvalidRequest, format!("correlation_id: {error}")))
}
