//! What the reading calls of [`points`](super::points) share.

use qdrant_client::qdrant as grpc;
use qdrant_edge::{
    CountRequest, FacetRequest, FacetValue, OrderByInterface, RetrieveRequest, ScrollRequest,
    SearchMatrixRequest, SearchMatrixResponse, WithPayloadInterface,
};
use tonic::Status;

use super::Service;
use crate::embedded::{
    calls::{self, FACET_LIMIT, GROUP_SIZE, GROUPS, MATRIX_LIMIT, MATRIX_SAMPLE, SCROLL_LIMIT},
    convert::{
        filter::{self, path},
        point::{
            point_id, to_u64, to_usize, vector_name, wire_id, wire_record, wire_scored, with_payload,
            with_vectors,
        },
        search::order_by,
        update::no_shard_key,
    },
    error::{Error, Result as ApiResult},
    query::Search,
};

impl Service {
    /// Runs several searches on one collection, in one pass over its segments.
    pub(super) async fn search_all<F>(
        &self,
        name: String,
        convert: F,
    ) -> Result<Vec<Vec<grpc::ScoredPoint>>, Status>
    where
        F: FnOnce() -> ApiResult<Vec<Search>> + Send + 'static,
    {
        self.run(move |store| {
            let lists = calls::search(store, &name, convert()?)?;
            Ok(lists
                .into_iter()
                .map(|list| list.into_iter().map(wire_scored).collect())
                .collect())
        })
        .await
    }

    /// As [`Self::search_all`], for one search.
    pub(super) async fn search_one<F>(
        &self,
        name: String,
        convert: F,
    ) -> Result<Vec<grpc::ScoredPoint>, Status>
    where
        F: FnOnce() -> ApiResult<Search> + Send + 'static,
    {
        let mut lists = self.search_all(name, move || Ok(vec![convert()?])).await?;
        Ok(lists.pop().unwrap_or_default())
    }

    /// Groups the results of a search by a payload field.
    pub(super) async fn groups<F>(
        &self,
        name: String,
        by: Grouping,
        convert: F,
    ) -> Result<grpc::GroupsResult, Status>
    where
        F: FnOnce() -> ApiResult<Search> + Send + 'static,
    {
        self.run(move |store| {
            if by.with_lookup.is_some() {
                return Err(Error::unsupported("with_lookup"));
            }
            let by = calls::Grouping {
                field: path(&by.field)?,
                groups: by.groups.map_or(GROUPS, to_usize),
                size: by.size.map_or(GROUP_SIZE, to_usize),
            };
            let groups = calls::groups(store, &name, by, convert()?)?
                .into_iter()
                .map(|(key, hits)| grpc::PointGroup {
                    id: group_id(&key),
                    hits: hits.into_iter().map(wire_scored).collect(),
                    lookup: None,
                })
                .collect();
            Ok(grpc::GroupsResult { groups })
        })
        .await
    }

    pub(super) async fn retrieve(
        &self,
        request: grpc::GetPoints,
    ) -> Result<Vec<grpc::RetrievedPoint>, Status> {
        self.run(move |store| {
            no_shard_key(request.shard_key_selector.as_ref())?;
            let collection = store.collection(&request.collection_name)?;
            let ids = request
                .ids
                .into_iter()
                .map(|id| point_id(Some(id)))
                .collect::<ApiResult<_>>()?;
            let records = collection.retrieve(RetrieveRequest {
                point_ids: ids,
                with_payload: with_payload(request.with_payload)?,
                with_vector: Some(with_vectors(request.with_vectors)),
            })?;
            Ok(records.into_iter().map(wire_record).collect())
        })
        .await
    }

    pub(super) async fn page(
        &self,
        request: grpc::ScrollPoints,
    ) -> Result<(Vec<grpc::RetrievedPoint>, Option<grpc::PointId>), Status> {
        self.run(move |store| {
            no_shard_key(request.shard_key_selector.as_ref())?;
            let collection = store.collection(&request.collection_name)?;
            let (records, next) = collection.scroll(ScrollRequest {
                offset: request.offset.map(|id| point_id(Some(id))).transpose()?,
                limit: Some(request.limit.map_or(SCROLL_LIMIT, |limit| to_usize(limit.into()))),
                filter: filter::optional(request.filter)?,
                with_payload: Some(
                    with_payload(request.with_payload)?.unwrap_or(WithPayloadInterface::Bool(true)),
                ),
                with_vector: with_vectors(request.with_vectors),
                order_by: request
                    .order_by
                    .map(order_by)
                    .transpose()?
                    .map(OrderByInterface::Struct),
            })?;
            Ok((records.into_iter().map(wire_record).collect(), next.map(wire_id)))
        })
        .await
    }

    pub(super) async fn counted(&self, request: grpc::CountPoints) -> Result<u64, Status> {
        self.run(move |store| {
            no_shard_key(request.shard_key_selector.as_ref())?;
            let collection = store.collection(&request.collection_name)?;
            let filter = filter::optional(request.filter)?;
            let count = collection.count(CountRequest {
                filter,
                exact: request.exact.unwrap_or(true),
            })?;
            Ok(to_u64(count))
        })
        .await
    }

    pub(super) async fn facets(&self, request: grpc::FacetCounts) -> Result<Vec<grpc::FacetHit>, Status> {
        self.run(move |store| {
            no_shard_key(request.shard_key_selector.as_ref())?;
            let collection = store.collection(&request.collection_name)?;
            let response = collection.facet(FacetRequest {
                key: path(&request.key)?,
                limit: request.limit.map_or(FACET_LIMIT, to_usize),
                filter: filter::optional(request.filter)?,
                exact: request.exact.unwrap_or(false),
            })?;
            Ok(response
                .hits
                .into_iter()
                .map(|hit| grpc::FacetHit {
                    value: Some(facet_value(hit.value)),
                    count: to_u64(hit.count),
                })
                .collect())
        })
        .await
    }

    pub(super) async fn matrix(
        &self,
        request: grpc::SearchMatrixPoints,
    ) -> Result<SearchMatrixResponse, Status> {
        self.run(move |store| {
            no_shard_key(request.shard_key_selector.as_ref())?;
            let collection = store.collection(&request.collection_name)?;
            let using = vector_name(request.using);
            collection.search_matrix(SearchMatrixRequest {
                sample_size: request.sample.map_or(MATRIX_SAMPLE, to_usize),
                limit_per_sample: request.limit.map_or(MATRIX_LIMIT, to_usize),
                filter: filter::optional(request.filter)?,
                using,
            })
        })
        .await
    }
}

/// How a search is grouped.
#[derive(Debug)]
pub(super) struct Grouping {
    pub field: String,
    pub groups: Option<u64>,
    pub size: Option<u64>,
    pub with_lookup: Option<grpc::WithLookup>,
}

fn group_id(value: &serde_json::Value) -> Option<grpc::GroupId> {
    use grpc::group_id::Kind;
    let kind = value
        .as_u64()
        .map(Kind::UnsignedValue)
        .or_else(|| value.as_i64().map(Kind::IntegerValue))
        .or_else(|| value.as_str().map(|text| Kind::StringValue(text.to_owned())))?;
    Some(grpc::GroupId { kind: Some(kind) })
}

fn facet_value(value: FacetValue) -> grpc::FacetValue {
    use grpc::facet_value::Variant;
    let variant = match value {
        FacetValue::Keyword(text) => Variant::StringValue(text),
        FacetValue::Int(number) => Variant::IntegerValue(number),
        FacetValue::Uuid(number) => Variant::StringValue(uuid::Uuid::from_u128(number).to_string()),
        FacetValue::Bool(flag) => Variant::BoolValue(flag),
    };
    grpc::FacetValue {
        variant: Some(variant),
    }
}

/// A distance matrix as pairs of ids.
pub(super) fn pairs(response: SearchMatrixResponse) -> grpc::SearchMatrixPairs {
    let pairs = response
        .sample_ids
        .into_iter()
        .zip(response.nearests)
        .flat_map(|(a, near)| {
            near.into_iter().map(move |b| grpc::SearchMatrixPair {
                a: Some(wire_id(a)),
                b: Some(wire_id(b.id)),
                score: b.score,
            })
        })
        .collect();
    grpc::SearchMatrixPairs { pairs }
}

/// A distance matrix as offsets into a list of ids.
pub(super) fn offsets(response: &SearchMatrixResponse) -> grpc::SearchMatrixOffsets {
    let mut result = grpc::SearchMatrixOffsets {
        ids: response.sample_ids.iter().map(|id| wire_id(*id)).collect(),
        ..Default::default()
    };
    for (row, near) in response.nearests.iter().enumerate() {
        for point in near {
            if let Some(column) = response.sample_ids.iter().position(|id| *id == point.id) {
                result.offsets_row.push(to_u64(row));
                result.offsets_col.push(to_u64(column));
                result.scores.push(point.score);
            }
        }
    }
    result
}
