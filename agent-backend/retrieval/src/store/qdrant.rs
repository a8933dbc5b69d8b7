//! The store in Qdrant, or in anything that speaks its gRPC interface.
//!
//! Only these calls are used: health check, collection exists / create / list /
//! delete, create field index, upsert, scroll, count, delete by ids, and query
//! of the nearest.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder,
    DeletePointsBuilder, Distance, FieldType, Filter, NamedVectors, PayloadIncludeSelector, PointId,
    PointStruct, PointsIdsList, Query as QdrantQuery, QueryPointsBuilder, ScrollPointsBuilder,
    SparseVectorParamsBuilder, SparseVectorsConfigBuilder, UpsertPointsBuilder, Vector, VectorInput,
    VectorParamsBuilder, VectorsConfigBuilder, point_id::PointIdOptions, vector_output::Vector as VectorOut,
};
use qdrant_client::{Qdrant, QdrantError};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Hit, Nearness, Point, Query, Store, StoredPoint, Vectors, payload};
use crate::embed::Identity;
use crate::error::Error;
use crate::identity::{CHUNKER_VERSION, WorkspaceId};

/// What the names of all collections begin with.
const COLLECTIONS: &str = "workspace_";
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

/// Payload fields with an index: what filters ask for.
const INDEXED: [&str; 4] = [
    payload::WORKSPACE,
    payload::PATH,
    payload::LANGUAGE,
    payload::CLASS,
];
/// The gRPC status of a collection that does not exist.
const NOT_FOUND: i32 = 5;

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

/// What the points of a collection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Whole files: an embedding and terms.
    Files,
    /// Functions, types and what is between them: an embedding.
    Functions,
}

impl Level {
    fn collection(self) -> &'static str {
        match self {
            Self::Files => "workspace_files",
            Self::Functions => "workspace_functions",
        }
    }

    /// Name of the embeddings.
    fn vector(self) -> &'static str {
        match self {
            Self::Files => "file_embedding",
            Self::Functions => "function_embedding",
        }
    }
}

/// The collection of an embedding model: another model, dimension or chunker
/// never meets vectors it cannot compare with its own.
pub fn collection_name(level: Level, Identity { model, dimension }: &Identity) -> String {
    let name = format!("{model}\u{0}{dimension}");
    format!(
        "{}_v{CHUNKER_VERSION}_{}",
        level.collection(),
        hex::encode(&Sha256::digest(name)[..6])
    )
}

/// Whether a collection was written by an older version of this crate, which
/// nothing reads any more. The first version had no number in the name.
fn is_outdated(collection: &str) -> bool {
    [Level::Files, Level::Functions].into_iter().any(|level| {
        let Some(rest) = collection.strip_prefix(level.collection()) else {
            return false;
        };
        let Some(rest) = rest.strip_prefix('_') else {
            return false;
        };
        let is_hash = rest.len() == 12 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let version = rest
            .strip_prefix('v')
            .and_then(|rest| rest.split_once('_'))
            .and_then(|(version, _)| version.parse::<u32>().ok());
        is_hash || rest.starts_with("keyword_v") || version.is_some_and(|version| version < CHUNKER_VERSION)
    })
}

/// One collection of a Qdrant server.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "the client has none")]
pub struct QdrantStore {
    client: Qdrant,
    level: Level,
    collection: String,
    dimension: u64,
}

impl QdrantStore {
    /// The store for vectors of `identity`; without one there is no collection,
    /// and only what concerns the whole database may be asked.
    pub fn new(client: Qdrant, level: Level, identity: Option<&Identity>) -> Self {
        let dimension = identity.map_or(0, |identity| identity.dimension);
        Self {
            client,
            level,
            collection: identity.map_or_else(String::new, |identity| collection_name(level, identity)),
            dimension: u64::try_from(dimension).unwrap_or(u64::MAX),
        }
    }

    async fn create(&self) -> Result<(), QdrantError> {
        let mut dense = VectorsConfigBuilder::default();
        let params = VectorParamsBuilder::new(self.dimension, Distance::Cosine);
        dense.add_named_vector_params(self.level.vector(), params);
        let mut request = CreateCollectionBuilder::new(&self.collection).vectors_config(dense);
        match self.level {
            Level::Files => {
                let mut sparse = SparseVectorsConfigBuilder::default();
                sparse.add_named_vector_params(SPARSE, SparseVectorParamsBuilder::default());
                request = request.sparse_vectors_config(sparse);
            }
            Level::Functions => {}
        }
        if let Err(error) = self.client.create_collection(request).await {
            // Another backend may have been faster.
            if !self.client.collection_exists(&self.collection).await? {
                return Err(error);
            }
        }
        self.drop_outdated().await
    }

    async fn drop_outdated(&self) -> Result<(), QdrantError> {
        let there = self.client.list_collections().await?.collections;
        for name in there.into_iter().map(|collection| collection.name) {
            if is_outdated(&name) {
                tracing::info!(collection = name, "dropping a collection of an older version");
                self.client.delete_collection(name).await?;
            }
        }
        Ok(())
    }

    fn point_struct(&self, point: Point) -> PointStruct {
        let mut vectors = NamedVectors::default();
        match self.level {
            Level::Files => {
                let sparse = Vector::new_sparse(point.sparse.indices, point.sparse.values);
                vectors = vectors.add_vector(SPARSE, sparse);
            }
            Level::Functions => {}
        }
        if let Some(dense) = point.dense {
            vectors = vectors.add_vector(self.level.vector(), Vector::new_dense(dense));
        }
        PointStruct {
            id: Some(point_id(point.id)),
            payload: payload::write(&point.record),
            vectors: Some(vectors.into()),
        }
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

    /// The embedded engine puts its generation in the place of the commit. A real
    /// Qdrant puts there what it was built from, which tells of an upgrade only.
    async fn generation(&self) -> Result<String, Error> {
        let answer = self.client.health_check().await;
        let answer = answer.map_err(|error| write_error(&error))?;
        let commit = answer.commit.unwrap_or_default();
        Ok(format!("{} {commit}", answer.version))
    }

    async fn prepare(&self) -> Result<(), Error> {
        let fields = match self.client.collection_info(&self.collection).await {
            Ok(info) => info.result.unwrap_or_default().payload_schema,
            Err(QdrantError::ResponseError { status }) if i32::from(status.code()) == NOT_FOUND => {
                self.create().await.map_err(|error| write_error(&error))?;
                HashMap::new()
            }
            Err(error) => return Err(write_error(&error)),
        };
        // A killed creation, or a log that lost its end, leaves a collection
        // without some of them: right answers, but slow ones.
        let missing = INDEXED.into_iter().filter(|field| !fields.contains_key(*field));
        for field in missing {
            let index = CreateFieldIndexCollectionBuilder::new(&self.collection, field, FieldType::Keyword);
            let made = self.client.create_field_index(index.wait(true)).await;
            made.map_err(|error| write_error(&error))?;
        }
        Ok(())
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
        let points: Vec<PointStruct> = points.into_iter().map(|point| self.point_struct(point)).collect();
        let request = UpsertPointsBuilder::new(&self.collection, points).wait(true);
        shared::crash::point("store:before_upsert");
        self.client
            .upsert_points(request)
            .await
            .map_err(|error| write_error(&error))?;
        shared::crash::point("store:after_upsert");
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
            shared::crash::point("store:after_delete");
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
        let (near, using) = match &query.near {
            Nearness::Meaning(vector) => (VectorInput::new_dense(vector.clone()), self.level.vector()),
            Nearness::Terms(terms) => {
                let input = VectorInput::new_sparse(terms.indices.clone(), terms.values.clone());
                (input, SPARSE)
            }
        };
        let request = QueryPointsBuilder::new(&self.collection)
            .query(QdrantQuery::new_nearest(near))
            .using(using)
            .filter(wanted(query))
            .limit(u64::try_from(query.limit).unwrap_or(u64::MAX))
            .with_payload(true)
            .with_vectors(match query.vectors {
                Vectors::Wanted => true,
                Vectors::Unwanted => false,
            });
        let answer = self
            .client
            .query(request)
            .await
            .map_err(|error| search_error(&error))?;
        let hits = answer.result.into_iter().map(|point| {
            let record = payload::read(&point.payload).map_err(|field| Error::Search {
                reason: foreign(field),
            })?;
            let vector = point
                .vectors
                .and_then(|all| all.get_vector_by_name(self.level.vector()));
            Ok(Hit {
                record,
                score: f64::from(point.score),
                vector: match vector {
                    Some(VectorOut::Dense(dense)) => Some(dense.data),
                    Some(VectorOut::Sparse(_) | VectorOut::MultiDense(_)) | None => None,
                },
            })
        });
        hits.collect()
    }
}

fn wanted(query: &Query) -> Filter {
    let mut filter = of(&query.workspace);
    if !query.languages.is_empty() {
        let names: Vec<String> = query.languages.iter().map(|it| it.as_str().to_owned()).collect();
        filter.must.push(Condition::matches(payload::LANGUAGE, names));
    }
    if !query.without.is_empty() {
        let names: Vec<String> = query.without.iter().map(|it| it.as_str().to_owned()).collect();
        filter.must_not.push(Condition::matches(payload::CLASS, names));
    }
    filter
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

    fn identity(model: &str, dimension: usize) -> Identity {
        Identity {
            model: model.to_owned(),
            dimension,
        }
    }

    #[test]
    fn each_model_has_its_own_collections() {
        let name = |model: &str, dimension| collection_name(Level::Functions, &identity(model, dimension));
        let nomic = name("nomic-embed-text", 768);
        let version = format!("workspace_functions_v{CHUNKER_VERSION}_");
        assert!(nomic.starts_with(&version), "{nomic}");
        assert_eq!(nomic, name("nomic-embed-text", 768));
        assert_ne!(nomic, name("nomic-embed-text", 512));
        assert_ne!(nomic, name("other", 768));
        let files = collection_name(Level::Files, &identity("nomic-embed-text", 768));
        assert_eq!(files, nomic.replace("functions", "files"));
    }

    #[test]
    fn collections_of_older_versions_are_known() {
        let check = |name: &str, expect: bool| assert_eq!(is_outdated(name), expect, "{name}");
        check("workspace_functions_keyword_v1", true);
        check("workspace_functions_0123456789ab", true);
        check("workspace_functions_v1_0123456789ab", true);
        check(&collection_name(Level::Files, &identity("m", 3)), false);
        check(&collection_name(Level::Functions, &identity("m", 3)), false);
        // Of a newer version, and of somebody else.
        check("workspace_files_v999_0123456789ab", false);
        check("workspace_functions", false);
        check("workspace_files_of_mine", false);
        check("recipes", false);
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_unavailable() {
        // Bound and never listening: the port is refused for sure.
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        drop(socket);
        let store = QdrantStore::new(
            connect(&url, None).unwrap(),
            Level::Files,
            Some(&identity("m", 3)),
        );
        assert!(matches!(store.health().await, Err(Error::Unavailable { .. })));
        let error = store.prepare().await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        assert!(matches!(connect("not a url", None), Err(Error::Address { .. })));
    }
}
