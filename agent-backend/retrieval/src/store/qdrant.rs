//! The store in Qdrant, or in anything that speaks its gRPC interface.
//!
//! Only these calls are used: health check, collection exists / info / create,
//! create field index, upsert, scroll, count, delete by ids, and query with
//! prefetch and RRF fusion.

use std::time::Duration;

use async_trait::async_trait;
use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder,
    DeletePointsBuilder, Distance, FieldType, Filter, Fusion, Modifier, NamedVectors, PayloadIncludeSelector,
    PointId, PointStruct, PointsIdsList, PrefetchQueryBuilder, Query as QdrantQuery, QueryPointsBuilder,
    ScrollPointsBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder, UpsertPointsBuilder, Vector,
    VectorInput, VectorParamsBuilder, VectorsConfigBuilder, point_id::PointIdOptions,
};
use qdrant_client::{Qdrant, QdrantError};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Hit, Point, Query, Store, StoredPoint, payload};
use crate::embed::Identity;
use crate::error::Error;
use crate::identity::{CHUNKER_VERSION, WorkspaceId};

/// What the names of all collections begin with.
const COLLECTIONS: &str = "workspace_";
/// Name of the embedding vectors.
const DENSE: &str = "dense";
/// Name of the keyword vectors.
const SPARSE: &str = "bm25";
/// Points per page when a workspace is listed.
const PAGE_POINTS: u32 = 2_000;
/// Ids per delete request.
const DELETE_IDS_MAX: usize = 1_000;
/// A connection takes milliseconds or will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A health check answers at once or the database hangs.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);
/// Upserts wait until they are stored.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// gRPC statuses after which the same request may succeed: cancelled, unknown
/// (a connection that broke), deadline exceeded, resource exhausted, aborted,
/// unavailable.
const TRANSIENT_STATUS: [i32; 6] = [1, 2, 4, 8, 10, 14];

/// A client for the database at `url`; it connects with its first request.
pub fn connect(url: &str, api_key: Option<&str>) -> Result<Qdrant, Error> {
    let mut config = Qdrant::from_url(url)
        .timeout(REQUEST_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .skip_compatibility_check();
    if let Some(key) = api_key {
        config.set_api_key(key);
    }
    config.build().map_err(|error| Error::Address {
        url: url.to_owned(),
        reason: error.to_string(),
    })
}

/// The collection of an embedding model, or of keywords alone: another model,
/// dimension or chunker never meets vectors it cannot compare with its own.
pub fn collection_name(identity: Option<&Identity>) -> String {
    match identity {
        None => format!("workspace_functions_keyword_v{CHUNKER_VERSION}"),
        Some(Identity { model, dimension }) => {
            let name = format!("{model}\u{0}{dimension}\u{0}{CHUNKER_VERSION}");
            format!("workspace_functions_{}", hex::encode(&Sha256::digest(name)[..6]))
        }
    }
}

/// One collection of a Qdrant server.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "the client has none")]
pub struct QdrantStore {
    client: Qdrant,
    collection: String,
    dimension: Option<u64>,
}

impl QdrantStore {
    /// The store for vectors of `identity`, or for keywords alone.
    pub fn new(client: Qdrant, identity: Option<&Identity>) -> Self {
        let dimension = identity.and_then(|identity| u64::try_from(identity.dimension).ok());
        Self {
            client,
            collection: collection_name(identity),
            dimension,
        }
    }

    async fn create(&self) -> Result<(), QdrantError> {
        let mut sparse = SparseVectorsConfigBuilder::default();
        sparse.add_named_vector_params(
            SPARSE,
            SparseVectorParamsBuilder::default().modifier(Modifier::Idf),
        );
        let mut request = CreateCollectionBuilder::new(&self.collection).sparse_vectors_config(sparse);
        if let Some(dimension) = self.dimension {
            let mut dense = VectorsConfigBuilder::default();
            dense.add_named_vector_params(DENSE, VectorParamsBuilder::new(dimension, Distance::Cosine));
            request = request.vectors_config(dense);
        }
        if let Err(error) = self.client.create_collection(request).await {
            // Another backend may have been faster.
            if !self.client.collection_exists(&self.collection).await? {
                return Err(error);
            }
        }
        for field in [payload::WORKSPACE, payload::PATH] {
            let index = CreateFieldIndexCollectionBuilder::new(&self.collection, field, FieldType::Keyword);
            self.client.create_field_index(index.wait(true)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Store for QdrantStore {
    async fn health(&self) -> Result<(), Error> {
        match tokio::time::timeout(HEALTH_TIMEOUT, self.client.health_check()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Error::Unavailable {
                reason: reason(&error),
            }),
            Err(_) => {
                let seconds = HEALTH_TIMEOUT.as_secs();
                Err(Error::Unavailable {
                    reason: format!("no answer within {seconds} seconds"),
                })
            }
        }
    }

    async fn prepare(&self) -> Result<(), Error> {
        let exists = self
            .client
            .collection_exists(&self.collection)
            .await
            .map_err(|error| write_error(&error))?;
        if exists {
            Ok(())
        } else {
            self.create().await.map_err(|error| write_error(&error))
        }
    }

    async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<StoredPoint>, Error> {
        let fields = [payload::PATH, payload::CONTENT_HASH, payload::CHUNKS];
        let mut points = Vec::new();
        let mut offset: Option<PointId> = None;
        loop {
            let include = PayloadIncludeSelector {
                fields: fields.map(str::to_owned).to_vec(),
            };
            let mut request = ScrollPointsBuilder::new(&self.collection)
                .filter(of(workspace))
                .limit(PAGE_POINTS)
                .with_payload(include)
                .with_vectors(false);
            if let Some(offset) = offset.take() {
                request = request.offset(offset);
            }
            let page = self
                .client
                .scroll(request)
                .await
                .map_err(|error| write_error(&error))?;
            for point in page.result {
                points.push(stored(point.id, &point.payload)?);
            }
            match page.next_page_offset {
                Some(next) => offset = Some(next),
                None => return Ok(points),
            }
        }
    }

    async fn count(&self, workspace: &WorkspaceId) -> Result<usize, Error> {
        let request = CountPointsBuilder::new(&self.collection)
            .filter(of(workspace))
            .exact(true);
        let answer = self
            .client
            .count(request)
            .await
            .map_err(|error| write_error(&error))?;
        let count = answer.result.map_or(0, |result| result.count);
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn upsert(&self, points: Vec<Point>) -> Result<(), Error> {
        let points: Vec<PointStruct> = points.into_iter().map(point_struct).collect();
        let request = UpsertPointsBuilder::new(&self.collection, points).wait(true);
        self.client
            .upsert_points(request)
            .await
            .map_err(|error| write_error(&error))?;
        Ok(())
    }

    async fn delete(&self, ids: Vec<Uuid>) -> Result<(), Error> {
        for ids in ids.chunks(DELETE_IDS_MAX) {
            let ids = PointsIdsList {
                ids: ids.iter().copied().map(point_id).collect(),
            };
            let request = DeletePointsBuilder::new(&self.collection).points(ids).wait(true);
            self.client
                .delete_points(request)
                .await
                .map_err(|error| write_error(&error))?;
        }
        Ok(())
    }

    async fn forget(&self, workspace: &WorkspaceId) -> Result<(), Error> {
        let list = self.client.list_collections().await;
        let collections = list.map_err(|error| write_error(&error))?.collections;
        for name in collections.into_iter().map(|collection| collection.name) {
            if name.starts_with(COLLECTIONS) {
                let request = DeletePointsBuilder::new(name).points(of(workspace)).wait(true);
                self.client
                    .delete_points(request)
                    .await
                    .map_err(|error| write_error(&error))?;
            }
        }
        Ok(())
    }

    async fn search(&self, query: &Query) -> Result<Vec<Hit>, Error> {
        let limit = u64::try_from(query.limit).unwrap_or(u64::MAX);
        let filter = of(&query.workspace);
        let sparse = VectorInput::new_sparse(query.sparse.indices.clone(), query.sparse.values.clone());
        let sparse = QdrantQuery::new_nearest(sparse);
        let request = QueryPointsBuilder::new(&self.collection)
            .limit(limit)
            .with_payload(true);
        let request = match &query.dense {
            None => request.query(sparse).using(SPARSE).filter(filter),
            Some(dense) if query.sparse.is_empty() => request
                .query(QdrantQuery::new_nearest(VectorInput::new_dense(dense.clone())))
                .using(DENSE)
                .filter(filter),
            Some(dense) => {
                let prefetch = |query: QdrantQuery, using: &str| {
                    PrefetchQueryBuilder::default()
                        .query(query)
                        .using(using)
                        .filter(filter.clone())
                        .limit(limit)
                };
                let dense = QdrantQuery::new_nearest(VectorInput::new_dense(dense.clone()));
                request
                    .add_prefetch(prefetch(dense, DENSE))
                    .add_prefetch(prefetch(sparse, SPARSE))
                    .query(QdrantQuery::new_fusion(Fusion::Rrf))
            }
        };
        let answer = self
            .client
            .query(request)
            .await
            .map_err(|error| search_error(&error))?;
        let hits = answer.result.into_iter().map(|point| {
            let record = payload::read(&point.payload).map_err(|field| Error::Search {
                reason: foreign(field),
            })?;
            Ok(Hit {
                record,
                score: f64::from(point.score),
            })
        });
        hits.collect()
    }
}

fn of(workspace: &WorkspaceId) -> Filter {
    Filter::must([Condition::matches(
        payload::WORKSPACE,
        workspace.as_str().to_owned(),
    )])
}

fn point_id(id: Uuid) -> PointId {
    PointId::from(id.to_string())
}

fn point_struct(point: Point) -> PointStruct {
    let sparse = Vector::new_sparse(point.sparse.indices, point.sparse.values);
    let mut vectors = NamedVectors::default().add_vector(SPARSE, sparse);
    if let Some(dense) = point.dense {
        vectors = vectors.add_vector(DENSE, Vector::new_dense(dense));
    }
    PointStruct {
        id: Some(point_id(point.id)),
        payload: payload::write(&point.record),
        vectors: Some(vectors.into()),
    }
}

fn stored(id: Option<PointId>, fields: &payload::Payload) -> Result<StoredPoint, Error> {
    let read = || {
        let id = match id.and_then(|id| id.point_id_options) {
            Some(PointIdOptions::Uuid(id)) => Uuid::parse_str(&id).map_err(|_| "id")?,
            Some(PointIdOptions::Num(_)) | None => return Err("id"),
        };
        Ok(StoredPoint {
            id,
            path: payload::get_text(fields, payload::PATH)?.to_owned(),
            content: payload::get_hash(fields)?,
            chunks: payload::get_number(fields, payload::CHUNKS)?,
        })
    };
    read().map_err(|field| Error::Index {
        reason: foreign(field),
    })
}

fn foreign(field: &str) -> String {
    format!("the collection holds a point that Agentic IDE did not write (`{field}`)")
}

fn write_error(error: &QdrantError) -> Error {
    if is_unavailable(error) {
        Error::Unavailable {
            reason: reason(error),
        }
    } else {
        Error::Index {
            reason: reason(error),
        }
    }
}

fn search_error(error: &QdrantError) -> Error {
    if is_unavailable(error) {
        Error::Unavailable {
            reason: reason(error),
        }
    } else {
        Error::Search {
            reason: reason(error),
        }
    }
}

fn is_unavailable(error: &QdrantError) -> bool {
    if let QdrantError::ResponseError { status } = error {
        // The client reports a refused connection as an internal error.
        return TRANSIENT_STATUS.contains(&i32::from(status.code()))
            || status.message().starts_with("Failed to connect");
    }
    matches!(
        error,
        QdrantError::ResourceExhaustedError { .. } | QdrantError::Io(_)
    )
}

/// One line: the status' metadata would fill a screen, and so would the chain
/// of transport errors behind a refused connection.
fn reason(error: &QdrantError) -> String {
    if let QdrantError::ResponseError { status } = error {
        let message = status.message();
        let chain = message.find("transport::Error(");
        let refused = chain.and_then(|at| message[..at].rsplit_once(": "));
        return refused.map_or_else(
            || format!("{message} ({})", status.code()),
            |(refused, _)| refused.to_owned(),
        );
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_has_its_own_collection() {
        let name = |model: &str, dimension| {
            collection_name(Some(&Identity {
                model: model.to_owned(),
                dimension,
            }))
        };
        assert_eq!(collection_name(None), "workspace_functions_keyword_v2");
        let nomic = name("nomic-embed-text", 768);
        assert!(
            nomic.starts_with("workspace_functions_") && nomic.len() == 32,
            "{nomic}"
        );
        assert_eq!(nomic, name("nomic-embed-text", 768));
        assert_ne!(nomic, name("nomic-embed-text", 512));
        assert_ne!(nomic, name("other", 768));
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_unavailable() {
        // Bound and never listening: the port is refused for sure.
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        drop(socket);
        let store = QdrantStore::new(connect(&url, None).unwrap(), None);
        assert!(matches!(store.health().await, Err(Error::Unavailable { .. })));
        let error = store.prepare().await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        assert!(matches!(connect("not a url", None), Err(Error::Address { .. })));
    }
}
