//! Errors and choices, from and to the wire. The only place that maps an error
//! class to a transport's own kind of error.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use engine::{
    artifact::{Choices, Decision, FileSelection, Search, Selection, ThoughtLevel},
    blob::Blob,
};
use shared::{
    error::{Class, Code},
    wire::{self, DecisionRequest, ErrorBody, HunkChoice},
};

use crate::{
    error::Error,
    images::Picture,
    runtime::{
        Decided, Scope,
        choices::{self, CONFIGURED},
    },
};

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
        Code::UndoRefused,
        StatusCode::CONFLICT,
        tonic::Code::FailedPrecondition,
    ),
    (
        Code::UndoConflict,
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

/// Pictures of a request.
pub(crate) fn pictures(images: &[wire::Image]) -> Result<Vec<Picture>, Error> {
    let picture = |image: &wire::Image| Picture::of_base64(image.media_type.as_deref(), &image.data);
    images.iter().map(picture).collect()
}

/// A decision as the engine takes it.
pub(crate) fn decision(request: DecisionRequest) -> Result<Decided, Error> {
    let mut texts = Vec::new();
    let decision = match request.decision {
        wire::Decision::Accept => Decision::Accept(match request.hunks {
            None => Selection::All,
            Some(files) => {
                let mut choose = |file| choice(file, &mut texts);
                Selection::Files(files.into_iter().map(&mut choose).collect::<Result<_, _>>()?)
            }
        }),
        wire::Decision::Reject => Decision::Reject {
            feedback: request.feedback,
        },
        wire::Decision::Modify => match request.feedback {
            Some(feedback) => Decision::Modify { feedback },
            None => return Err(engine::Reject::FeedbackEmpty.into()),
        },
    };
    let scope = if request.remember {
        Scope::Workspace
    } else {
        Scope::Once
    };
    Ok(Decided {
        decision,
        texts,
        scope,
    })
}

/// What is taken of one file; a text of the person's own goes to `texts`.
fn choice(file: HunkChoice, texts: &mut Vec<Blob>) -> Result<FileSelection, Error> {
    let HunkChoice { path, hunks, text } = file;
    let max = tools::limits::FILE_BYTES_MAX;
    let bytes = text.as_ref().map_or(0, String::len) as u64;
    if bytes > max {
        return Err(tools::Error::TooLarge { path, bytes, max }.into());
    }
    let text = text.map(|text| Blob::new(text.into_bytes()));
    let selection = FileSelection {
        path,
        hunks,
        text: text.as_ref().map(Blob::id),
    };
    texts.extend(text);
    Ok(selection)
}

/// What was chosen for a workflow. Whether the model and the folders are there is
/// asked when it begins.
pub(crate) fn choices(
    model: Option<&str>,
    thought_level: Option<wire::ThoughtLevel>,
    retrieval: Option<wire::Retrieval>,
    folders: &[String],
) -> Result<Choices, Error> {
    Ok(Choices {
        model: model
            .filter(|model| !model.is_empty() && *model != CONFIGURED)
            .map(str::to_owned),
        thought_level: thought_level.map(self::thought_level).unwrap_or_default(),
        search: match retrieval {
            None | Some(wire::Retrieval::On) => Search::On,
            Some(wire::Retrieval::Off) => Search::Off,
        },
        folders: choices::folders(folders)?,
        undoes: None,
    })
}

/// A level as the engine takes it.
pub(crate) fn thought_level(level: wire::ThoughtLevel) -> ThoughtLevel {
    match level {
        wire::ThoughtLevel::Default => ThoughtLevel::Default,
        wire::ThoughtLevel::Off => ThoughtLevel::Off,
        wire::ThoughtLevel::Low => ThoughtLevel::Low,
        wire::ThoughtLevel::Medium => ThoughtLevel::Medium,
        wire::ThoughtLevel::High => ThoughtLevel::High,
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
