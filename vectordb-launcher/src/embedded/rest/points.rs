//! The handlers of points: writes in turn, reads in the pool.

use std::{future::Future, pin::Pin};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query as Parameters, State, rejection::BytesRejection},
    response::Response,
    routing::{delete, get, post, put},
};
use qdrant_edge::{
    CountRequest, FacetRequest, Filter, JsonPath, OrderByInterface, PointId, RetrieveRequest, ScrollRequest,
    SearchMatrixRequest, SearchMatrixResponse, UpdateOperation, VectorNameConfig, WithPayloadInterface,
    WithVector,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Rest, answer, body, forms,
    query::{OldSearch, Query, no_shard_key},
    writes,
};
use crate::embedded::{
    calls::{self, FACET_LIMIT, GROUP_SIZE, GROUPS, Grouping, MATRIX_LIMIT, MATRIX_SAMPLE, SCROLL_LIMIT},
    error::{Error, Result},
    store::Store,
    validate::UNNAMED,
};

/// A handler's answer; boxed, because the helpers below return handlers.
type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

type Payload = std::result::Result<Bytes, BytesRejection>;

/// The parameters of a write that have a meaning here.
#[derive(Debug, Default, Deserialize)]
pub struct Waiting {
    #[serde(default)]
    wait: bool,
}

/// The routes below `/collections/{name}`.
pub fn routes() -> Router<Rest> {
    Router::new()
        .route("/points", put(write(writes::upsert)).post(read(retrieve)))
        .route("/points/{id}", get(one_point))
        .route("/points/delete", post(write(writes::delete)))
        .route("/points/batch", post(batch))
        .route(
            "/points/payload",
            post(write(writes::set_payload)).put(write(writes::overwrite_payload)),
        )
        .route("/points/payload/delete", post(write(writes::delete_payload)))
        .route("/points/payload/clear", post(write(writes::clear_payload)))
        .route("/points/vectors", put(write(writes::update_vectors)))
        .route("/points/vectors/delete", post(write(writes::delete_vectors)))
        .route("/points/scroll", post(read(scroll)))
        .route("/points/count", post(read(count)))
        .route("/points/query", post(read(query)))
        .route("/points/query/batch", post(read(query_batch)))
        .route("/points/query/groups", post(read(query_groups)))
        .route("/points/search", post(read(search)))
        .route("/points/search/batch", post(read(search_batch)))
        .route("/points/search/matrix/pairs", post(read(matrix_pairs)))
        .route("/points/search/matrix/offsets", post(read(matrix_offsets)))
        .route("/facet", post(read(facet)))
        .route("/index", put(write(writes::create_index)))
        .route("/index/{field}", delete(delete_index))
        .route("/vectors/{vector}", put(create_vector).delete(delete_vector))
}

/// A handler that applies what `convert` makes of the body.
fn write<B: DeserializeOwned + Send + 'static>(
    convert: fn(B) -> Result<UpdateOperation>,
) -> impl Fn(State<Rest>, Path<String>, Parameters<Waiting>, Payload) -> Answering + Clone + Send + Sync + 'static
{
    move |State(rest), Path(name), Parameters(waiting), bytes| {
        Box::pin(async move {
            let started = Instant::now();
            let work = move || convert(body(bytes)?);
            answer(written(&rest, &name, &waiting, work).await, started)
        })
    }
}

/// A handler that answers what `work` finds. It blocks, in the pool.
fn read<B, T>(
    work: fn(&Store, &str, B) -> Result<T>,
) -> impl Fn(State<Rest>, Path<String>, Payload) -> Answering + Clone + Send + Sync + 'static
where
    B: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
{
    move |State(rest), Path(name), bytes| {
        Box::pin(async move {
            let started = Instant::now();
            let found = rest.calls.run(move |store| work(store, &name, body(bytes)?));
            answer(found.await, started)
        })
    }
}

async fn written<F>(rest: &Rest, name: &str, waiting: &Waiting, convert: F) -> Result<Value>
where
    F: FnOnce() -> Result<UpdateOperation> + Send + 'static,
{
    let number = rest.calls.write(name, convert).await?;
    let status = if waiting.wait { "completed" } else { "acknowledged" };
    Ok(json!({"operation_id": number, "status": status}))
}

/// One after the other, as in Qdrant: those before a bad one stay.
async fn batch(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    Parameters(waiting): Parameters<Waiting>,
    bytes: Payload,
) -> Response {
    let started = Instant::now();
    let all = async {
        let batch = rest.calls.run(move |_| body::<writes::Batch>(bytes)).await?;
        let mut done = Vec::with_capacity(batch.operations.len());
        for operation in batch.operations {
            let convert = move || writes::operation(operation);
            done.push(written(&rest, &name, &waiting, convert).await?);
        }
        Ok(done)
    };
    answer(all.await, started)
}

async fn delete_index(
    State(rest): State<Rest>,
    Path((name, field)): Path<(String, String)>,
    Parameters(waiting): Parameters<Waiting>,
) -> Response {
    let started = Instant::now();
    let work = move || writes::delete_index(&field);
    answer(written(&rest, &name, &waiting, work).await, started)
}

async fn create_vector(
    State(rest): State<Rest>,
    Path((name, vector)): Path<(String, String)>,
    Parameters(waiting): Parameters<Waiting>,
    bytes: Payload,
) -> Response {
    let started = Instant::now();
    let work = move || writes::create_vector(vector, body::<VectorNameConfig>(bytes)?);
    answer(written(&rest, &name, &waiting, work).await, started)
}

async fn delete_vector(
    State(rest): State<Rest>,
    Path((name, vector)): Path<(String, String)>,
    Parameters(waiting): Parameters<Waiting>,
) -> Response {
    let started = Instant::now();
    if let Err(error) = calls::needs_vector(rest.calls.store(), &name, &vector) {
        return answer::<()>(Err(error), started);
    }
    let work = move || Ok(writes::delete_vector(vector));
    answer(written(&rest, &name, &waiting, work).await, started)
}

#[derive(Debug, Deserialize)]
struct Retrieve {
    ids: Vec<PointId>,
    with_payload: Option<WithPayloadInterface>,
    with_vector: Option<WithVector>,
    shard_key: Option<Value>,
}

fn retrieve(store: &Store, name: &str, body: Retrieve) -> Result<Vec<forms::Point>> {
    no_shard_key(body.shard_key.as_ref())?;
    let records = store.collection(name)?.retrieve(RetrieveRequest {
        point_ids: body.ids,
        with_payload: body.with_payload,
        with_vector: Some(body.with_vector.unwrap_or(WithVector::Bool(false))),
    })?;
    Ok(records.into_iter().map(forms::Point::from).collect())
}

async fn one_point(State(rest): State<Rest>, Path((name, id)): Path<(String, String)>) -> Response {
    let started = Instant::now();
    let work = move |store: &Store| {
        let id: PointId = id
            .parse()
            .map_err(|()| Error::BadInput(format!("Can not recognize \"{id}\" as point id")))?;
        let records = store.collection(&name)?.retrieve(RetrieveRequest {
            point_ids: vec![id],
            with_payload: Some(WithPayloadInterface::Bool(true)),
            with_vector: Some(WithVector::Bool(true)),
        })?;
        let missing = || Error::NotFound(format!("Point with id {id} does not exists!"));
        let record = records.into_iter().next().ok_or_else(missing)?;
        Ok(forms::Point::from(record))
    };
    answer(rest.calls.run(work).await, started)
}

#[derive(Debug, Deserialize)]
struct Scroll {
    offset: Option<PointId>,
    limit: Option<usize>,
    filter: Option<Filter>,
    with_payload: Option<WithPayloadInterface>,
    with_vector: Option<WithVector>,
    order_by: Option<OrderByInterface>,
    shard_key: Option<Value>,
}

fn scroll(store: &Store, name: &str, body: Scroll) -> Result<forms::Page> {
    no_shard_key(body.shard_key.as_ref())?;
    let page = store.collection(name)?.scroll(ScrollRequest {
        offset: body.offset,
        limit: Some(body.limit.unwrap_or(SCROLL_LIMIT)),
        filter: body.filter,
        with_payload: Some(body.with_payload.unwrap_or(WithPayloadInterface::Bool(true))),
        with_vector: body.with_vector.unwrap_or(WithVector::Bool(false)),
        order_by: body.order_by,
    })?;
    Ok(page.into())
}

#[derive(Debug, Deserialize)]
struct Count {
    filter: Option<Filter>,
    exact: Option<bool>,
    shard_key: Option<Value>,
}

fn count(store: &Store, name: &str, body: Count) -> Result<Value> {
    no_shard_key(body.shard_key.as_ref())?;
    let count = store.collection(name)?.count(CountRequest {
        filter: body.filter,
        exact: body.exact.unwrap_or(true),
    })?;
    Ok(json!({ "count": count }))
}

fn query(store: &Store, name: &str, body: Query) -> Result<forms::Points> {
    let mut lists = calls::search(store, name, vec![body.search()?])?;
    Ok(lists.pop().unwrap_or_default().into())
}

#[derive(Debug, Deserialize)]
struct Searches<T> {
    searches: Vec<T>,
}

fn query_batch(store: &Store, name: &str, body: Searches<Query>) -> Result<Vec<forms::Points>> {
    let searches = body.searches.into_iter().map(Query::search);
    let lists = calls::search(store, name, searches.collect::<Result<_>>()?)?;
    Ok(lists.into_iter().map(forms::Points::from).collect())
}

fn search(store: &Store, name: &str, body: OldSearch) -> Result<Vec<forms::Point>> {
    let mut lists = calls::search(store, name, vec![body.search()?])?;
    Ok(forms::points(lists.pop().unwrap_or_default()))
}

fn search_batch(store: &Store, name: &str, body: Searches<OldSearch>) -> Result<Vec<Vec<forms::Point>>> {
    let searches = body.searches.into_iter().map(OldSearch::search);
    let lists = calls::search(store, name, searches.collect::<Result<_>>()?)?;
    Ok(lists.into_iter().map(forms::points).collect())
}

#[derive(Debug, Deserialize)]
struct Grouped {
    #[serde(flatten)]
    query: Query,
    group_by: JsonPath,
    group_size: Option<usize>,
    with_lookup: Option<Value>,
}

fn query_groups(store: &Store, name: &str, body: Grouped) -> Result<forms::Groups> {
    if body.with_lookup.is_some() {
        return Err(Error::unsupported("with_lookup"));
    }
    let by = Grouping {
        field: body.group_by,
        groups: body.query.limit().unwrap_or(GROUPS),
        size: body.group_size.unwrap_or(GROUP_SIZE),
    };
    Ok(calls::groups(store, name, by, body.query.search()?)?.into())
}

#[derive(Debug, Deserialize)]
struct Facet {
    key: JsonPath,
    limit: Option<usize>,
    filter: Option<Filter>,
    exact: Option<bool>,
    shard_key: Option<Value>,
}

fn facet(store: &Store, name: &str, body: Facet) -> Result<Value> {
    no_shard_key(body.shard_key.as_ref())?;
    let response = store.collection(name)?.facet(FacetRequest {
        key: body.key,
        limit: body.limit.unwrap_or(FACET_LIMIT),
        filter: body.filter,
        exact: body.exact.unwrap_or(false),
    })?;
    let hits = response.hits.into_iter();
    let hits = hits.map(|hit| json!({"value": forms::facet_value(hit.value), "count": hit.count}));
    Ok(json!({ "hits": hits.collect::<Vec<_>>() }))
}

#[derive(Debug, Deserialize)]
struct Matrix {
    sample: Option<usize>,
    limit: Option<usize>,
    filter: Option<Filter>,
    using: Option<String>,
    shard_key: Option<Value>,
}

fn matrix(store: &Store, name: &str, body: Matrix) -> Result<SearchMatrixResponse> {
    no_shard_key(body.shard_key.as_ref())?;
    let collection = store.collection(name)?;
    let using = body.using.unwrap_or_else(|| UNNAMED.to_owned());
    collection.search_matrix(SearchMatrixRequest {
        sample_size: body.sample.unwrap_or(MATRIX_SAMPLE),
        limit_per_sample: body.limit.unwrap_or(MATRIX_LIMIT),
        filter: body.filter,
        using,
    })
}

fn matrix_pairs(store: &Store, name: &str, body: Matrix) -> Result<forms::MatrixPairs> {
    Ok(matrix(store, name, body)?.into())
}

fn matrix_offsets(store: &Store, name: &str, body: Matrix) -> Result<forms::MatrixOffsets> {
    Ok(matrix(store, name, body)?.into())
}
