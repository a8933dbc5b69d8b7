//! Points: every call of Qdrant's service, in its order.

use qdrant_client::qdrant::{
    self as grpc, BatchResult, ClearPayloadPoints, CountPoints, CountResponse, CountResult,
    CreateFieldIndexCollection, CreateVectorNameRequest, DeleteFieldIndexCollection, DeletePayloadPoints,
    DeletePointVectors, DeletePoints, DeleteVectorNameRequest, DiscoverBatchPoints, DiscoverBatchResponse,
    DiscoverPoints, DiscoverResponse, FacetCounts, FacetResponse, GetPoints, GetResponse,
    PointsOperationResponse, QueryBatchPoints, QueryBatchResponse, QueryGroupsResponse, QueryPointGroups,
    QueryPoints, QueryResponse, RecommendBatchPoints, RecommendBatchResponse, RecommendGroupsResponse,
    RecommendPointGroups, RecommendPoints, RecommendResponse, ScrollPoints, ScrollResponse,
    SearchBatchPoints, SearchBatchResponse, SearchGroupsResponse, SearchMatrixOffsetsResponse,
    SearchMatrixPairsResponse, SearchMatrixPoints, SearchPointGroups, SearchPoints, SearchResponse,
    SetPayloadPoints, UpdateBatchPoints, UpdateBatchResponse, UpdatePointVectors, UpdateResult, UpsertPoints,
    points_server::Points,
};
use qdrant_edge::{
    CreateIndex, DeleteVectorName, FieldIndexOperations, UpdateOperation, VectorNameOperations,
};
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::{
    Service,
    check::checked,
    reads::{Grouping, offsets, pairs},
    seconds, unimplemented,
};
use crate::embedded::convert::{
    create,
    filter::path,
    index, search,
    update::{self, Others, no_shard_key},
};

type Answer<T> = Result<Response<T>, Status>;

fn written(result: UpdateResult, started: Instant) -> Response<PointsOperationResponse> {
    Response::new(PointsOperationResponse {
        result: Some(result),
        time: seconds(started),
        usage: None,
    })
}

fn batches(lists: Vec<Vec<grpc::ScoredPoint>>) -> Vec<BatchResult> {
    lists.into_iter().map(|result| BatchResult { result }).collect()
}

#[tonic::async_trait]
impl Points for Service {
    async fn upsert(&self, request: Request<UpsertPoints>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            no_shard_key(r.shard_key_selector.as_ref())?;
            update::upsert(r.points, r.update_filter, r.update_mode)
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn delete(&self, request: Request<DeletePoints>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            no_shard_key(r.shard_key_selector.as_ref())?;
            update::delete(r.points)
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn get(&self, request: Request<GetPoints>) -> Answer<GetResponse> {
        let started = Instant::now();
        let result = self.retrieve(checked(request)?).await?;
        Ok(Response::new(GetResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn update_vectors(&self, request: Request<UpdatePointVectors>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            no_shard_key(r.shard_key_selector.as_ref())?;
            update::update_vectors(r.points, r.update_filter)
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn delete_vectors(&self, request: Request<DeletePointVectors>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            no_shard_key(r.shard_key_selector.as_ref())?;
            update::delete_vectors(r.points_selector, r.vectors)
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn set_payload(&self, request: Request<SetPayloadPoints>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            no_shard_key(r.shard_key_selector.as_ref())?;
            update::set_payload(r.payload, r.points_selector, r.key.as_deref(), Others::Kept)
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn overwrite_payload(&self, request: Request<SetPayloadPoints>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            no_shard_key(r.shard_key_selector.as_ref())?;
            update::set_payload(r.payload, r.points_selector, r.key.as_deref(), Others::Dropped)
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn delete_payload(&self, request: Request<DeletePayloadPoints>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            no_shard_key(r.shard_key_selector.as_ref())?;
            update::delete_payload(&r.keys, r.points_selector)
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn clear_payload(&self, request: Request<ClearPayloadPoints>) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            no_shard_key(r.shard_key_selector.as_ref())?;
            update::clear_payload(r.points)
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn create_field_index(
        &self,
        request: Request<CreateFieldIndexCollection>,
    ) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            Ok(UpdateOperation::FieldIndexOperation(
                FieldIndexOperations::CreateIndex(CreateIndex {
                    field_name: path(&r.field_name)?,
                    field_schema: Some(index::schema(r.field_type, r.field_index_params)?),
                }),
            ))
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn delete_field_index(
        &self,
        request: Request<DeleteFieldIndexCollection>,
    ) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || {
            let field = path(&r.field_name)?;
            Ok(UpdateOperation::FieldIndexOperation(
                FieldIndexOperations::DeleteIndex(field),
            ))
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn create_vector_name(
        &self,
        request: Request<CreateVectorNameRequest>,
    ) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let (name, wait) = (r.collection_name.clone(), r.wait);
        let convert = move || {
            let operation = VectorNameOperations::CreateVectorName(create::vector_name(r)?);
            Ok(UpdateOperation::VectorNameOperation(operation))
        };
        Ok(written(self.write(name, wait, convert).await?, started))
    }

    async fn delete_vector_name(
        &self,
        request: Request<DeleteVectorNameRequest>,
    ) -> Answer<PointsOperationResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        self.store.collection(&r.collection_name)?.kind(&r.vector_name)?;
        let convert = move || {
            let operation = VectorNameOperations::DeleteVectorName(DeleteVectorName {
                vector_name: r.vector_name,
            });
            Ok(UpdateOperation::VectorNameOperation(operation))
        };
        Ok(written(
            self.write(r.collection_name, r.wait, convert).await?,
            started,
        ))
    }

    async fn search(&self, request: Request<SearchPoints>) -> Answer<SearchResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let result = self
            .search_one(r.collection_name.clone(), move || search::search(r))
            .await?;
        Ok(Response::new(SearchResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn search_batch(&self, request: Request<SearchBatchPoints>) -> Answer<SearchBatchResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || r.search_points.into_iter().map(search::search).collect();
        let result = batches(self.search_all(r.collection_name, convert).await?);
        Ok(Response::new(SearchBatchResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn search_groups(&self, request: Request<SearchPointGroups>) -> Answer<SearchGroupsResponse> {
        let started = Instant::now();
        let mut r = checked(request)?;
        let by = Grouping {
            field: std::mem::take(&mut r.group_by),
            groups: Some(r.limit.into()),
            size: Some(r.group_size.into()),
            with_lookup: r.with_lookup.take(),
        };
        let result = self
            .groups(r.collection_name.clone(), by, move || search::grouped_search(r))
            .await?;
        Ok(Response::new(SearchGroupsResponse {
            result: Some(result),
            time: seconds(started),
            usage: None,
        }))
    }

    async fn scroll(&self, request: Request<ScrollPoints>) -> Answer<ScrollResponse> {
        let started = Instant::now();
        let (result, next_page_offset) = self.page(checked(request)?).await?;
        Ok(Response::new(ScrollResponse {
            next_page_offset,
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn recommend(&self, request: Request<RecommendPoints>) -> Answer<RecommendResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let result = self
            .search_one(r.collection_name.clone(), move || search::recommend(r))
            .await?;
        Ok(Response::new(RecommendResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn recommend_batch(
        &self,
        request: Request<RecommendBatchPoints>,
    ) -> Answer<RecommendBatchResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || r.recommend_points.into_iter().map(search::recommend).collect();
        let result = batches(self.search_all(r.collection_name, convert).await?);
        Ok(Response::new(RecommendBatchResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn recommend_groups(&self, _: Request<RecommendPointGroups>) -> Answer<RecommendGroupsResponse> {
        Err(unimplemented("Points/RecommendGroups"))
    }

    async fn discover(&self, request: Request<DiscoverPoints>) -> Answer<DiscoverResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let result = self
            .search_one(r.collection_name.clone(), move || search::discover(r))
            .await?;
        Ok(Response::new(DiscoverResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn discover_batch(&self, request: Request<DiscoverBatchPoints>) -> Answer<DiscoverBatchResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || r.discover_points.into_iter().map(search::discover).collect();
        let result = batches(self.search_all(r.collection_name, convert).await?);
        Ok(Response::new(DiscoverBatchResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn count(&self, request: Request<CountPoints>) -> Answer<CountResponse> {
        let started = Instant::now();
        let count = self.counted(checked(request)?).await?;
        Ok(Response::new(CountResponse {
            result: Some(CountResult { count }),
            time: seconds(started),
            usage: None,
        }))
    }

    /// One after the other, as in Qdrant: those before a bad one stay.
    async fn update_batch(&self, request: Request<UpdateBatchPoints>) -> Answer<UpdateBatchResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let mut result = Vec::with_capacity(r.operations.len());
        for operation in r.operations {
            let convert = move || update::batched(operation);
            result.push(self.write(r.collection_name.clone(), r.wait, convert).await?);
        }
        Ok(Response::new(UpdateBatchResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn query(&self, request: Request<QueryPoints>) -> Answer<QueryResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let result = self
            .search_one(r.collection_name.clone(), move || search::query(r))
            .await?;
        Ok(Response::new(QueryResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn query_batch(&self, request: Request<QueryBatchPoints>) -> Answer<QueryBatchResponse> {
        let started = Instant::now();
        let r = checked(request)?;
        let convert = move || r.query_points.into_iter().map(search::query).collect();
        let result = batches(self.search_all(r.collection_name, convert).await?);
        Ok(Response::new(QueryBatchResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn query_groups(&self, request: Request<QueryPointGroups>) -> Answer<QueryGroupsResponse> {
        let started = Instant::now();
        let mut r = checked(request)?;
        let by = Grouping {
            field: std::mem::take(&mut r.group_by),
            groups: r.limit,
            size: r.group_size,
            with_lookup: r.with_lookup.take(),
        };
        let result = self
            .groups(r.collection_name.clone(), by, move || search::grouped_query(r))
            .await?;
        Ok(Response::new(QueryGroupsResponse {
            result: Some(result),
            time: seconds(started),
            usage: None,
        }))
    }

    async fn facet(&self, request: Request<FacetCounts>) -> Answer<FacetResponse> {
        let started = Instant::now();
        let hits = self.facets(checked(request)?).await?;
        Ok(Response::new(FacetResponse {
            hits,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn search_matrix_pairs(
        &self,
        request: Request<SearchMatrixPoints>,
    ) -> Answer<SearchMatrixPairsResponse> {
        let started = Instant::now();
        let result = Some(pairs(self.matrix(checked(request)?).await?));
        Ok(Response::new(SearchMatrixPairsResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }

    async fn search_matrix_offsets(
        &self,
        request: Request<SearchMatrixPoints>,
    ) -> Answer<SearchMatrixOffsetsResponse> {
        let started = Instant::now();
        let result = Some(offsets(&self.matrix(checked(request)?).await?));
        Ok(Response::new(SearchMatrixOffsetsResponse {
            result,
            time: seconds(started),
            usage: None,
        }))
    }
}
