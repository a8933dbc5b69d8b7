//! What a caller of the API gets told. The codes and words are Qdrant's own,
//! because clients match on them; the launcher's `E16xx` codes are for the
//! person who runs it and never cross this API.

use qdrant_edge::OperationError;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A message that cannot be understood at all.
    #[error("{0}")]
    Malformed(String),
    /// A value in a REST request that may not be; the whole sentence.
    #[error("{0}")]
    Invalid(String),
    /// A message that does not fit the collection.
    #[error("Wrong input: {0}")]
    BadInput(String),
    /// A message that asks for what makes no sense.
    #[error("Bad request: {0}")]
    BadRequest(String),
    /// A name is taken.
    #[error("Wrong input: {0}")]
    AlreadyExists(String),
    /// A collection, alias or point does not exist.
    #[error("Not found: {0}")]
    NotFound(String),
    /// The engine or the disk failed.
    #[error("Service internal error: {0}")]
    Internal(String),
    /// Qdrant can do it, the embedded engine cannot.
    #[error("{0} is not supported by the embedded engine")]
    Unsupported(String),
    /// Too many calls wait for the engine.
    #[error("Too many requests wait for the embedded engine")]
    Overloaded,
}

/// What helps a damaged collection: the store is an index.
const REBUILD: &str = "delete the collection, and whoever filled it fills it anew";

/// Result of an API call.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The collection `name` does not exist.
    pub fn no_collection(name: &str) -> Self {
        Self::NotFound(format!("Collection `{name}` doesn't exist!"))
    }

    /// No vector has this name.
    pub fn no_vector(name: &str) -> Self {
        Self::BadInput(format!("Not existing vector name error: {name}"))
    }

    /// A sparse vector in place of another kind, or another in place of a sparse one.
    pub fn wrong_sparse() -> Self {
        Self::BadInput("Conversion between sparse and regular vectors failed".to_owned())
    }

    /// Several rows in place of one vector, or the other way round.
    pub fn wrong_multi() -> Self {
        Self::BadInput("Conversion between multi and regular vectors failed".to_owned())
    }

    /// The files of a collection cannot be read.
    pub fn damaged(what: &str) -> Self {
        Self::Internal(format!(
            "{what}. If this stays, the collection's files are damaged: {REBUILD}"
        ))
    }

    /// What goes wrong inside of the engine while it only reads, with a hint what
    /// to do about it; any other error as it is.
    pub fn while_reading(self) -> Self {
        match self {
            Self::Internal(what) => Self::damaged(&what),
            refused @ (Self::Malformed(_)
            | Self::Invalid(_)
            | Self::BadInput(_)
            | Self::BadRequest(_)
            | Self::AlreadyExists(_)
            | Self::NotFound(_)
            | Self::Unsupported(_)
            | Self::Overloaded) => refused,
        }
    }

    /// A call or a parameter that this server does not have.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }
}

impl From<OperationError> for Error {
    fn from(error: OperationError) -> Self {
        let text = error.to_string();
        match error {
            OperationError::WrongVectorDimension { .. }
            | OperationError::MalformedVectorBlob { .. }
            | OperationError::MalformedPayloadBlob { .. }
            | OperationError::VectorNameNotExists { .. }
            | OperationError::TypeError { .. }
            | OperationError::TypeInferenceError { .. }
            | OperationError::MissingRangeIndexForOrderBy { .. }
            | OperationError::MissingMapIndexForFacet { .. }
            | OperationError::VariableTypeError { .. }
            | OperationError::NonFiniteNumber { .. }
            | OperationError::ValidationError { .. } => Self::BadInput(text),
            OperationError::WrongSparse => Self::wrong_sparse(),
            OperationError::WrongMulti => Self::wrong_multi(),
            OperationError::PointIdError { missed_point_id } => {
                Self::NotFound(format!("No point with id {missed_point_id} found"))
            }
            OperationError::ServiceError {
                description,
                backtrace: _,
            } => Self::Internal(description),
            OperationError::InconsistentStorage { .. }
            | OperationError::FileNotFound { .. }
            | OperationError::OutOfMemory { .. }
            | OperationError::Cancelled { .. }
            | OperationError::Timeout { .. }
            | OperationError::OutOfAppendableCapacity { .. } => Self::Internal(text),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Malformed(_) | Error::Invalid(_) | Error::BadInput(_) | Error::BadRequest(_) => {
                tonic::Code::InvalidArgument
            }
            Error::AlreadyExists(_) => tonic::Code::AlreadyExists,
            Error::NotFound(_) => tonic::Code::NotFound,
            Error::Internal(_) => tonic::Code::Internal,
            Error::Unsupported(_) => tonic::Code::Unimplemented,
            Error::Overloaded => tonic::Code::ResourceExhausted,
        };
        Self::new(code, error.to_string())
    }
}

impl From<&Error> for http::StatusCode {
    fn from(error: &Error) -> Self {
        match error {
            Error::Malformed(_) | Error::BadInput(_) | Error::BadRequest(_) => Self::BAD_REQUEST,
            Error::Invalid(_) => Self::UNPROCESSABLE_ENTITY,
            Error::AlreadyExists(_) => Self::CONFLICT,
            Error::NotFound(_) => Self::NOT_FOUND,
            Error::Internal(_) => Self::INTERNAL_SERVER_ERROR,
            Error::Unsupported(_) => Self::NOT_IMPLEMENTED,
            Error::Overloaded => Self::TOO_MANY_REQUESTS,
        }
    }
}
