//! The older search, before there was a universal query.

use qdrant_edge::{Filter, SearchParams, SparseVector, VectorInternal, WithPayloadInterface, WithVector};
use serde::Deserialize;
use serde_json::Value;
use validator::Validate;

use super::{Checked, no_shard_key};
use crate::embedded::{
    convert::point,
    error::Result,
    query::{Input, Search, Stage, Wanted},
    validate::UNNAMED,
};

/// The older search by one vector.
#[derive(Debug, Deserialize, Validate)]
pub struct OldSearch {
    #[serde(flatten)]
    #[validate(nested)]
    search_request: OldWhole,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize, Validate)]
struct OldWhole {
    #[validate(nested)]
    vector: OldVector,
    #[validate(nested)]
    filter: Option<Filter>,
    #[validate(nested)]
    params: Option<SearchParams>,
    #[serde(alias = "top")]
    #[validate(range(min = 1))]
    limit: usize,
    offset: Option<usize>,
    with_payload: Option<WithPayloadInterface>,
    #[serde(alias = "with_vectors")]
    with_vector: Option<WithVector>,
    score_threshold: Option<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OldVector {
    Unnamed(Vec<f32>),
    Dense { name: String, vector: Vec<f32> },
    Sparse(OldSparse),
}

#[derive(Debug, Deserialize, Validate)]
struct OldSparse {
    name: String,
    #[validate(nested)]
    vector: SparseVector,
}

impl Validate for OldVector {
    fn validate(&self) -> Checked {
        match self {
            Self::Sparse(sparse) => sparse.validate(),
            Self::Unnamed(_) | Self::Dense { .. } => Ok(()),
        }
    }
}

impl OldSearch {
    /// The search it asks for.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn search(self) -> Result<Search> {
        no_shard_key(self.shard_key.as_ref())?;
        let request = self.search_request;
        let (using, vector) = match request.vector {
            OldVector::Unnamed(vector) => (UNNAMED.to_owned(), VectorInternal::Dense(vector)),
            OldVector::Dense { name, vector } => (name, VectorInternal::Dense(vector)),
            OldVector::Sparse(OldSparse { name, vector }) => {
                (name, point::sparse(vector.indices, vector.values))
            }
        };
        Ok(Search {
            stage: Stage {
                wanted: Some(Wanted::Nearest(Input::Vector(vector))),
                using,
                filter: request.filter,
                params: request.params,
                score_threshold: request.score_threshold,
                limit: request.limit,
                ..Stage::default()
            },
            offset: request.offset.unwrap_or_default(),
            with_vector: request.with_vector.unwrap_or(WithVector::Bool(false)),
            with_payload: request.with_payload.unwrap_or(WithPayloadInterface::Bool(false)),
        })
    }
}
