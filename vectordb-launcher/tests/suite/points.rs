//! The calls on points beyond what retrieval needs.

use qdrant_client::{
    Payload,
    qdrant::{
        Condition, ContextInputBuilder, CountPointsBuilder, CreateFieldIndexCollectionBuilder,
        DeletePayloadPointsBuilder, Direction, DiscoverInputBuilder, Distance, FacetCountsBuilder, FieldType,
        Filter, Fusion, GetPointsBuilder, Modifier, NamedVectors, OptimizersConfigDiff, OrderByBuilder,
        PointId, PointStruct, PointsIdsList, PrefetchQueryBuilder, Query, QueryBatchPointsBuilder,
        QueryPointGroupsBuilder, QueryPointsBuilder, RecommendInputBuilder, ScrollPointsBuilder,
        SearchPointsBuilder, SetPayloadPointsBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder,
        UpsertPointsBuilder, Vector, VectorInput, VectorParamsBuilder, VectorsConfigBuilder,
        point_id::PointIdOptions, vector_output,
    },
};
use serde_json::json;
use tempfile::tempdir;

use crate::support::{CODE, Launcher, fill, ids, make, point};

fn payload(value: serde_json::Value) -> Payload {
    Payload::try_from(value).unwrap()
}

fn listed(numbers: &[u64]) -> PointsIdsList {
    PointsIdsList {
        ids: numbers.iter().map(|number| (*number).into()).collect(),
    }
}

#[tokio::test]
async fn payloads_change() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let stored = async || {
        let got = client
            .get_points(GetPointsBuilder::new(CODE, vec![1.into()]).with_payload(true))
            .await
            .unwrap();
        let payload = got.result.into_iter().next().unwrap().payload;
        payload
            .into_iter()
            .map(|(key, value)| (key, value.into_json()))
            .collect::<serde_json::Value>()
    };
    client
        .set_payload(
            SetPayloadPointsBuilder::new(CODE, payload(json!({"tag": [1, null, {"x": 0.5}]})))
                .points_selector(listed(&[1]))
                .wait(true),
        )
        .await
        .unwrap();
    assert_eq!(
        stored().await,
        json!({"workspace": "a", "path": "src/1.rs", "line": 1, "tag": [1, null, {"x": 0.5}]})
    );
    client
        .delete_payload(
            DeletePayloadPointsBuilder::new(CODE, vec!["tag".to_owned(), "line".to_owned()])
                .points_selector(listed(&[1]))
                .wait(true),
        )
        .await
        .unwrap();
    assert_eq!(stored().await, json!({"workspace": "a", "path": "src/1.rs"}));
    client
        .overwrite_payload(
            SetPayloadPointsBuilder::new(CODE, payload(json!({"only": true})))
                .points_selector(Filter::must([Condition::matches("path", "src/1.rs".to_owned())]))
                .wait(true),
        )
        .await
        .unwrap();
    assert_eq!(stored().await, json!({"only": true}));
}

#[tokio::test]
async fn points_come_with_their_vectors() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    let uuid = "550e8400-e29b-41d4-a716-446655440000";
    let mut odd = point(1, "a", [0.0, 2.0, 0.0, 0.0], &[(9, 0.5), (3, 0.25)]);
    odd.id = Some(uuid.into());
    client
        .upsert_points(UpsertPointsBuilder::new(CODE, vec![odd]).wait(true))
        .await
        .unwrap();
    let got = client
        .get_points(GetPointsBuilder::new(CODE, vec![PointId::from(uuid), 99.into()]).with_vectors(true))
        .await
        .unwrap();
    assert_eq!(got.result.len(), 1);
    let found = &got.result[0];
    assert_eq!(
        found.id.clone().unwrap().point_id_options,
        Some(PointIdOptions::Uuid(uuid.to_owned()))
    );
    let vectors = found.vectors.as_ref().unwrap();
    match vectors.get_vector_by_name("dense") {
        // Cosine vectors are stored normalized, as in Qdrant.
        Some(vector_output::Vector::Dense(dense)) => assert_eq!(dense.data, [0.0, 1.0, 0.0, 0.0]),
        other => panic!("{other:?}"),
    }
    match vectors.get_vector_by_name("bm25") {
        Some(vector_output::Vector::Sparse(sparse)) => {
            assert_eq!((sparse.indices, sparse.values), (vec![3, 9], vec![0.25, 0.5]));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn queries_of_every_kind() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let client = &client;
    client
        .create_field_index(
            CreateFieldIndexCollectionBuilder::new(CODE, "line", FieldType::Integer).wait(true),
        )
        .await
        .unwrap();
    let check = async |query: Query, expect: &[u64]| {
        let request = QueryPointsBuilder::new(CODE)
            .query(query.clone())
            .using("dense")
            .limit(expect.len() as u64);
        assert_eq!(
            ids(client.query(request).await.unwrap().result),
            expect,
            "{query:?}"
        );
    };
    // A point that is named is not among its own neighbours.
    check(Query::new_nearest(VectorInput::new_id(3)), &[2]).await;
    check(Query::new_nearest(VectorInput::new_id(1)), &[5, 2]).await;
    let recommend = RecommendInputBuilder::default()
        .add_positive(VectorInput::new_id(1))
        .build();
    check(Query::new_recommend(recommend), &[5, 2]).await;
    let discover = DiscoverInputBuilder::new(
        vec![1.0, 0.0, 0.0, 0.0],
        ContextInputBuilder::default().add_pair(VectorInput::new_id(1), VectorInput::new_id(3)),
    );
    check(Query::new_discover(discover), &[5, 2]).await;
    check(
        Query::new_order_by(OrderByBuilder::new("line").direction(Direction::Desc as i32)),
        &[5, 4],
    )
    .await;

    let batch = QueryBatchPointsBuilder::new(
        CODE,
        vec![
            QueryPointsBuilder::new(CODE)
                .query(vec![0.0, 0.0, 1.0, 0.0])
                .using("dense")
                .limit(1)
                .build(),
            QueryPointsBuilder::new(CODE)
                .add_prefetch(
                    PrefetchQueryBuilder::default()
                        .query(Query::new_nearest(VectorInput::new_sparse(vec![30], vec![1.0])))
                        .using("bm25"),
                )
                .query(Fusion::Dbsf)
                .limit(1)
                .build(),
        ],
    );
    let lists = client.query_batch(batch).await.unwrap().result;
    assert_eq!(
        lists.into_iter().map(|list| ids(list.result)).collect::<Vec<_>>(),
        [[4], [4]]
    );

    let old = SearchPointsBuilder::new(CODE, vec![0.0, 1.0, 0.0, 0.0], 1).vector_name("dense");
    assert_eq!(ids(client.search_points(old).await.unwrap().result), [3]);

    let groups = QueryPointGroupsBuilder::new(CODE, "workspace")
        .query(vec![1.0, 0.0, 0.0, 0.0])
        .using("dense")
        .group_size(1_u64)
        .limit(5_u64);
    let groups = client.query_groups(groups).await.unwrap().result.unwrap().groups;
    let mut best: Vec<u64> = groups.into_iter().flat_map(|group| ids(group.hits)).collect();
    best.sort_unstable();
    assert_eq!(best, [1, 5]);

    let facets = client
        .facet(FacetCountsBuilder::new(CODE, "workspace").exact(true))
        .await
        .unwrap();
    assert_eq!(
        facets.hits.iter().map(|hit| hit.count).collect::<Vec<_>>(),
        [4, 1]
    );

    let ordered = ScrollPointsBuilder::new(CODE)
        .order_by(OrderByBuilder::new("line").direction(Direction::Desc as i32));
    assert_eq!(ids(client.scroll(ordered).await.unwrap().result), [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn a_bad_batch_leaves_nothing_behind() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    let mut points: Vec<_> = (1..=10).map(|id| point(id, "a", [1.0; 4], &[(1, 1.0)])).collect();
    let short = NamedVectors::default().add_vector("dense", Vector::new_dense(vec![1.0; 3]));
    points.push(PointStruct::new(11, short, Payload::new()));
    assert!(
        client
            .upsert_points(UpsertPointsBuilder::new(CODE, points).wait(true))
            .await
            .is_err()
    );
    let count = client
        .count(CountPointsBuilder::new(CODE).exact(true))
        .await
        .unwrap();
    assert_eq!(count.result.unwrap().count, 0);
}

/// Clients read settings back into types that know no absent values.
#[tokio::test]
async fn settings_come_back() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    let config = client
        .collection_info(CODE)
        .await
        .unwrap()
        .result
        .unwrap()
        .config
        .unwrap();
    let params = config.params.unwrap();
    let mut vectors = VectorsConfigBuilder::default();
    vectors.add_named_vector_params("dense", VectorParamsBuilder::new(4, Distance::Cosine));
    assert_eq!(params.vectors_config, Some(vectors.into()));
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params(
        "bm25",
        SparseVectorParamsBuilder::default().modifier(Modifier::Idf),
    );
    assert_eq!(params.sparse_vectors_config, Some(sparse.into()));
    assert_eq!(
        config.optimizer_config,
        Some(OptimizersConfigDiff {
            deleted_threshold: Some(0.2),
            vacuum_min_vector_number: Some(1000),
            default_segment_number: Some(0),
            indexing_threshold: Some(65_000),
            flush_interval_sec: Some(5),
            ..OptimizersConfigDiff::default()
        })
    );
    let hnsw = config.hnsw_config.unwrap();
    assert_eq!(
        (hnsw.m, hnsw.ef_construct, hnsw.max_indexing_threads),
        (Some(16), Some(100), Some(1))
    );
}
