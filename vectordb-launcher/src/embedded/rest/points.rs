//! The handlers of points: writes in turn, reads in the pool.

use std::{future::Future, pin::Pin};

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{delete, get, post, put},
};
use http::{Method, Uri};
use qdrant_edge::{
    CountRequest, FacetRequest, Filter, JsonPath, OrderByInterface, PointId, RetrieveRequest, ScrollRequest,
    SearchMatrixRequest, SearchMatrixResponse, UpdateOperation, VectorNameConfig, WithPayloadInterface,
    WithVector,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::Instant;
use validator::{Validate, ValidationErrors};

use super::{
    Rest, answer, forms,
    query::{Groups, OldSearch, Query, no_shard_key},
    request::{Parameters, Payload, Reading, Writing, body, unknown},
    writes,
};
use crate::embedded::{
    calls::{self, FACET_LIMIT, MATRIX_LIMIT, MATRIX_SAMPLE, SCROLL_LIMIT},
    error::{Error, Result},
    store::Store,
    validate::UNNAMED,
};

/// A handler's answer; boxed, because the helpers below return handlers.
type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

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
fn write<B: DeserializeOwned + Validate + Send + 'static>(
    convert: fn(B) -> Result<UpdateOperation>,
) -> impl Fn(State<Rest>, Path<String>, Parameters<Writing>, Payload) -> Answering + Clone + Send + Sync + 'static
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
) -> impl Fn(State<Rest>, Path<String>, Parameters<Reading>, Payload) -> Answering + Clone + Send + Sync + 'static
where
    B: DeserializeOwned + Validate + Send + 'static,
    T: Serialize + Send + 'static,
{
    move |State(rest), Path(name), _, bytes| {
        Box::pin(async move {
            let started = Instant::now();
            let found = rest.calls.run(move |store| work(store, &name, body(bytes)?));
            answer(found.await, started)
        })
    }
}

async fn written<F>(rest: &Rest, name: &str, waiting: &Writing, convert: F) -> Result<Value>
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
    Parameters(waiting): Parameters<Writing>,
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
    Parameters(waiting): Parameters<Writing>,
) -> Response {
    let started = Instant::now();
    let Ok(field) = field.parse::<JsonPath>() else {
        let text = format!("Deserialize error in path parameters: Invalid json path: '{field}'");
        return answer::<()>(Err(Error::Malformed(text)), started);
    };
    let work = move || Ok(writes::delete_index(field));
    answer(written(&rest, &name, &waiting, work).await, started)
}

/// The engine's own form.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct NewVector(VectorNameConfig);

impl Validate for NewVector {
    fn validate(&self) -> std::result::Result<(), ValidationErrors> {
        Ok(())
    }
}

async fn create_vector(
    State(rest): State<Rest>,
    Path((name, vector)): Path<(String, String)>,
    Parameters(waiting): Parameters<Writing>,
    bytes: Payload,
) -> Response {
    let started = Instant::now();
    let work = move || writes::create_vector(vector, body::<NewVector>(bytes)?.0);
    answer(written(&rest, &name, &waiting, work).await, started)
}

async fn delete_vector(
    State(rest): State<Rest>,
    Path((name, vector)): Path<(String, String)>,
    Parameters(waiting): Parameters<Writing>,
) -> Response {
    let started = Instant::now();
    let work = move || Ok(writes::delete_vector(vector));
    answer(written(&rest, &name, &waiting, work).await, started)
}

#[derive(Debug, Deserialize, Validate)]
struct Retrieve {
    ids: Vec<PointId>,
    with_payload: Option<WithPayloadInterface>,
    #[serde(alias = "with_vectors")]
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

fn point_id(text: &str) -> Result<PointId> {
    text.parse()
        .map_err(|()| Error::BadInput(format!("Can not recognize \"{text}\" as point id")))
}

/// A path of another method. Whoever asks for one like `points/query` asks for a
/// point, which is none.
pub async fn no_such_method(method: Method, uri: Uri) -> Response {
    let parts: Vec<&str> = uri.path().split('/').collect();
    match (method, &*parts) {
        (Method::GET, ["", "collections", _, "points", id]) => {
            answer(point_id(id).map(|_| ()), Instant::now())
        }
        _ => unknown(),
    }
}

async fn one_point(
    State(rest): State<Rest>,
    Path((name, id)): Path<(String, String)>,
    _: Parameters<Reading>,
) -> Response {
    let started = Instant::now();
    let work = move |store: &Store| {
        let id = point_id(&id)?;
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

// The outer structs have Qdrant's own names and parts, because its refusals say
// them.

#[derive(Debug, Deserialize, Validate)]
struct ScrollForm {
    #[serde(flatten)]
    #[validate(nested)]
    scroll_request: Scroll,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize, Validate)]
struct Scroll {
    offset: Option<PointId>,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    #[validate(nested)]
    filter: Option<Filter>,
    with_payload: Option<WithPayloadInterface>,
    #[serde(alias = "with_vectors")]
    with_vector: Option<WithVector>,
    order_by: Option<OrderByInterface>,
}

fn scroll(store: &Store, name: &str, form: ScrollForm) -> Result<forms::Page> {
    no_shard_key(form.shard_key.as_ref())?;
    let body = form.scroll_request;
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

#[derive(Debug, Deserialize, Validate)]
struct CountForm {
    #[serde(flatten)]
    #[validate(nested)]
    count_request: Count,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize, Validate)]
struct Count {
    #[validate(nested)]
    filter: Option<Filter>,
    exact: Option<bool>,
}

fn count(store: &Store, name: &str, form: CountForm) -> Result<Value> {
    no_shard_key(form.shard_key.as_ref())?;
    let body = form.count_request;
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

#[derive(Debug, Deserialize, Validate)]
struct Searches<T: Validate> {
    #[validate(nested)]
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

fn query_groups(store: &Store, name: &str, body: Groups) -> Result<forms::Groups> {
    let (search, by) = body.search()?;
    Ok(calls::groups(store, name, by, search)?.into())
}

#[derive(Debug, Deserialize, Validate)]
struct FacetForm {
    #[serde(flatten)]
    #[validate(nested)]
    facet_request: Facet,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize, Validate)]
struct Facet {
    key: JsonPath,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    #[validate(nested)]
    filter: Option<Filter>,
    exact: Option<bool>,
}

fn facet(store: &Store, name: &str, form: FacetForm) -> Result<Value> {
    no_shard_key(form.shard_key.as_ref())?;
    let body = form.facet_request;
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

#[derive(Debug, Deserialize, Validate)]
struct MatrixForm {
    #[serde(flatten)]
    #[validate(nested)]
    search_request: Matrix,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize, Validate)]
struct Matrix {
    #[validate(range(min = 2))]
    sample: Option<usize>,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    #[validate(nested)]
    filter: Option<Filter>,
    using: Option<String>,
}

fn matrix(store: &Store, name: &str, form: MatrixForm) -> Result<SearchMatrixResponse> {
    no_shard_key(form.shard_key.as_ref())?;
    let body = form.search_request;
    let collection = store.collection(name)?;
    let using = body.using.unwrap_or_else(|| UNNAMED.to_owned());
    collection.search_matrix(SearchMatrixRequest {
        sample_size: body.sample.unwrap_or(MATRIX_SAMPLE),
        limit_per_sample: body.limit.unwrap_or(MATRIX_LIMIT),
        filter: body.filter,
        using,
    })
}

fn matrix_pairs(store: &Store, name: &str, body: MatrixForm) -> Result<forms::MatrixPairs> {
    Ok(matrix(store, name, body)?.into())
}

fn matrix_offsets(store: &Store, name: &str, body: MatrixForm) -> Result<forms::MatrixOffsets> {
    Ok(matrix(store, name, body)?.into())
}
