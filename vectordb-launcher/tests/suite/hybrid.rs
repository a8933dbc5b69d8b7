//! What retrieval does: the whole way through one collection.

use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, DeletePointsBuilder, Filter, Fusion, PrefetchQueryBuilder, Query,
    QueryPointsBuilder, ScrollPointsBuilder, Value, VectorInput,
};
use tempfile::tempdir;

use crate::support::{CODE, Launcher, fill, ids, make};

fn in_workspace(name: &str) -> Filter {
    Filter::must([Condition::matches("workspace", name.to_owned())])
}

fn dense() -> Query {
    Query::new_nearest(vec![1.0, 0.0, 0.0, 0.0])
}

fn sparse() -> Query {
    Query::new_nearest(VectorInput::new_sparse(vec![20, 10], vec![1.0, 1.0]))
}

#[tokio::test]
async fn retrieval_finds_what_it_stored() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;

    let count = async |filter: Filter| {
        client
            .count(CountPointsBuilder::new(CODE).filter(filter).exact(true))
            .await
            .unwrap()
            .result
            .unwrap()
            .count
    };
    assert_eq!(count(in_workspace("a")).await, 4);
    assert_eq!(count(Filter::default()).await, 5);

    let prefetch = |query: Query, using: &str| {
        PrefetchQueryBuilder::default()
            .query(query)
            .using(using)
            .filter(in_workspace("a"))
            .limit(10_u64)
    };
    let hybrid = QueryPointsBuilder::new(CODE)
        .add_prefetch(prefetch(dense(), "dense"))
        .add_prefetch(prefetch(sparse(), "bm25"))
        .query(Fusion::Rrf)
        .limit(3)
        .with_payload(true);
    let found = client.query(hybrid).await.unwrap().result;
    // Reciprocal ranks with k = 2: point 2 is second in both lists, 1 is first
    // and third, 3 is third and first; 5 is in another workspace.
    assert_eq!(found[0].payload.get("workspace"), Some(&Value::from("a")));
    let scores: Vec<f32> = found.iter().map(|point| point.score).collect();
    let mut got = ids(found);
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
    got.sort_unstable();
    assert_eq!(got, [1, 2, 3]);

    let sparse_only = QueryPointsBuilder::new(CODE)
        .query(sparse())
        .using("bm25")
        .filter(in_workspace("a"))
        .limit(10);
    let found = client.query(sparse_only).await.unwrap().result;
    let mut got = ids(found);
    got.sort_unstable();
    assert_eq!(got, [1, 2, 3], "point 4 shares no term");

    let dense_only = QueryPointsBuilder::new(CODE)
        .query(dense())
        .using("dense")
        .limit(3);
    assert_eq!(ids(client.query(dense_only).await.unwrap().result)[2], 2);

    let page = client
        .scroll(
            ScrollPointsBuilder::new(CODE)
                .filter(in_workspace("a"))
                .limit(3)
                .with_payload(true),
        )
        .await
        .unwrap();
    assert_eq!(page.result[0].payload.get("path"), Some(&Value::from("src/1.rs")));
    assert_eq!(ids(page.result), [1, 2, 3]);
    assert_eq!(page.next_page_offset, Some(4.into()));

    let path = Filter::must([Condition::matches("path", "src/2.rs".to_owned())]);
    client
        .delete_points(DeletePointsBuilder::new(CODE).points(path).wait(true))
        .await
        .unwrap();
    assert_eq!(count(in_workspace("a")).await, 3);
}

#[tokio::test]
async fn rare_terms_count_more() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let score = async |term: u32| {
        let query = Query::new_nearest(VectorInput::new_sparse(vec![term], vec![1.0]));
        let request = QueryPointsBuilder::new(CODE).query(query).using("bm25").limit(1);
        client.query(request).await.unwrap().result[0].score
    };
    // Term 10 is in three of five points, 30 in one: ln((n - df + 0.5) / (df + 0.5) + 1).
    let idf = |df: f32| ((5.0 - df + 0.5) / (df + 0.5) + 1.0).ln();
    assert!((score(10).await - 3.0 * idf(3.0)).abs() < 1e-4);
    assert!((score(30).await - idf(1.0)).abs() < 1e-4);
}
