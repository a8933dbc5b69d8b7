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
        (statuses(&self).0, Json(body)).into_response()
    }
}

/// Codes whose answer says more than their class.
const BY_CODE: &[(Code, StatusCode, tonic::Code)] = &[
    (
        Code::UnknownWorkflow,
        StatusCode::NOT_FOUND,
        tonic::Code::NotFound,
    ),
    (
        Code::CorrelationConflict,
        StatusCode::CONFLICT,
        tonic::Code::AlreadyExists,
    ),
    (
        Code::DecisionNotPending,
        StatusCode::CONFLICT,
        tonic::Code::FailedPrecondition,
    ),
    (
        Code::StillRunning,
        StatusCode::CONFLICT,
        tonic::Code::FailedPrecondition,
    ),
    (
        Code::WorkflowFinished,
        StatusCode::CONFLICT,
        tonic::Code::FailedPrecondition,
    ),
    (
        Code::QueryTooLong,
        StatusCode::PAYLOAD_TOO_LARGE,
        tonic::Code::InvalidArgument,
    ),
    (
        Code::Overloaded,
        StatusCode::TOO_MANY_REQUESTS,
        tonic::Code::ResourceExhausted,
    ),
    (
        Code::Unauthenticated,
        StatusCode::UNAUTHORIZED,
        tonic::Code::Unauthenticated,
    ),
    (
        Code::OriginRefused,
        StatusCode::FORBIDDEN,
        tonic::Code::PermissionDenied,
    ),
];

/// How an error is told over HTTP and over gRPC.
fn statuses(error: &Error) -> (StatusCode, tonic::Code) {
    let by_code = BY_CODE.iter().find(|(code, ..)| *code == error.code);
    by_code
        .map(|(_, http, grpc)| (*http, *grpc))
        .unwrap_or(match error.class {
            Class::User => (StatusCode::BAD_REQUEST, tonic::Code::InvalidArgument),
            Class::Transient => (StatusCode::SERVICE_UNAVAILABLE, tonic::Code::Unavailable),
            Class::Permanent | Class::Fatal => (StatusCode::INTERNAL_SERVER_ERROR, tonic::Code::Internal),
        })
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        let (_, code) = statuses(&error);
        Self::new(code, format!("{}: {}", error.code, error.message))
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
