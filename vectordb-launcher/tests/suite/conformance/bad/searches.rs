//! Searches.

use qdrant_client::{
    Qdrant,
    qdrant::{
        ContextInput, ContextInputPair, DiscoverInput, Expression, Formula, Fusion, LookupLocation, Mmr,
        NearestInputWithMmr, OrderBy, PrefetchQuery, Query, QueryPoints, RecommendInput, Rrf, SearchParams,
        SearchPoints, VectorInput, VectorsSelector, WithVectorsSelector, query::Variant,
        with_vectors_selector::SelectorOptions,
    },
};

use super::{super::found, BAD, Record};

/// All of them.
pub async fn all(client: &Qdrant, record: &mut Record) {
    // The tables are long.
    Box::pin(queries(client, record)).await;
    Box::pin(stages(client, record)).await;
}

pub(super) fn near(values: &[f32]) -> Option<Query> {
    Some(Query::new_nearest(values.to_vec()))
}

fn query(query: Option<Query>) -> QueryPoints {
    QueryPoints {
        collection_name: BAD.to_owned(),
        query,
        using: Some("a".to_owned()),
        // More than there are: which of equal ones is cut off is nobody's promise.
        limit: Some(10),
        ..QueryPoints::default()
    }
}

fn of(variant: Variant) -> QueryPoints {
    query(Some(Query {
        variant: Some(variant),
    }))
}

pub(super) fn ones() -> QueryPoints {
    query(near(&[1.0, 1.0]))
}

pub(super) fn using(name: &str, query: QueryPoints) -> QueryPoints {
    QueryPoints {
        using: Some(name.to_owned()),
        ..query
    }
}

async fn queries(client: &Qdrant, record: &mut Record) {
    let nan = f32::NAN;
    for (step, request) in [
        ("bad: query", ones()),
        ("bad: query without a query", query(None)),
        ("bad: query without a kind", query(Some(Query { variant: None }))),
        (
            "bad: query by nothing",
            of(Variant::Nearest(VectorInput { variant: None })),
        ),
        ("bad: query of no dimensions", query(near(&[]))),
        ("bad: query of too many dimensions", query(near(&[1.0, 2.0, 3.0]))),
        ("bad: query by NaN", query(near(&[nan, 1.0]))),
        ("bad: query by infinity", query(near(&[f32::INFINITY, 1.0]))),
        ("bad: query by zeroes", query(near(&[0.0, 0.0]))),
        ("bad: query of an unknown vector", using("none", ones())),
        ("bad: query of the unnamed vector", using("", ones())),
        ("bad: query of a sparse vector by a dense one", using("s", ones())),
        (
            "bad: query of a dense vector by a sparse one",
            query(Some(Query::new_nearest(VectorInput::new_sparse(
                vec![1],
                vec![1.0],
            )))),
        ),
        (
            "bad: query by unequal lengths",
            using(
                "s",
                query(Some(Query::new_nearest(VectorInput::new_sparse(
                    vec![1, 2],
                    vec![1.0],
                )))),
            ),
        ),
        (
            "bad: query by an index twice",
            using(
                "s",
                query(Some(Query::new_nearest(VectorInput::new_sparse(
                    vec![1, 1],
                    vec![1.0, 2.0],
                )))),
            ),
        ),
        (
            "bad: query by an empty sparse vector",
            using(
                "s",
                query(Some(Query::new_nearest(VectorInput::new_sparse(
                    Vec::<u32>::new(),
                    Vec::<f32>::new(),
                )))),
            ),
        ),
        (
            "bad: query by rows",
            query(Some(Query::new_nearest(VectorInput::new_multi(vec![vec![
                1.0, 2.0,
            ]])))),
        ),
        (
            "bad: query of limit zero",
            QueryPoints {
                limit: Some(0),
                ..ones()
            },
        ),
        (
            "bad: query of a huge limit",
            QueryPoints {
                limit: Some(u64::from(u32::MAX)),
                ..ones()
            },
        ),
        (
            "bad: query behind the end",
            QueryPoints {
                offset: Some(100),
                ..ones()
            },
        ),
        (
            "bad: query with a threshold of NaN",
            QueryPoints {
                score_threshold: Some(nan),
                ..ones()
            },
        ),
        (
            "bad: query with an ef of zero",
            QueryPoints {
                params: Some(SearchParams {
                    hnsw_ef: Some(0),
                    ..SearchParams::default()
                }),
                ..ones()
            },
        ),
        (
            "bad: query without a query with a threshold",
            QueryPoints {
                score_threshold: Some(0.1),
                ..query(None)
            },
        ),
        (
            "bad: query for vectors that are none",
            QueryPoints {
                with_vectors: Some(WithVectorsSelector {
                    selector_options: Some(SelectorOptions::Include(VectorsSelector {
                        names: vec!["none".to_owned()],
                    })),
                }),
                ..ones()
            },
        ),
        (
            "bad: query by a point elsewhere",
            QueryPoints {
                lookup_from: Some(LookupLocation {
                    collection_name: "missing".to_owned(),
                    ..LookupLocation::default()
                }),
                ..query(Some(Query::new_nearest(VectorInput::new_id(1))))
            },
        ),
        (
            "bad: query by another vector of a point",
            QueryPoints {
                lookup_from: Some(LookupLocation {
                    collection_name: BAD.to_owned(),
                    vector_name: Some("b".to_owned()),
                    ..LookupLocation::default()
                }),
                ..query(Some(Query::new_nearest(VectorInput::new_id(1))))
            },
        ),
        (
            "bad: query by a point without that vector",
            using("s", query(Some(Query::new_nearest(VectorInput::new_id(1))))),
        ),
        (
            "bad: query by an id that is none",
            query(Some(Query::new_nearest(VectorInput::new_id("none")))),
        ),
        (
            "bad: recommend like nothing",
            of(Variant::Recommend(RecommendInput::default())),
        ),
        (
            "bad: recommend unlike something",
            of(Variant::Recommend(RecommendInput {
                negative: vec![VectorInput::new_id(1)],
                ..RecommendInput::default()
            })),
        ),
        (
            "bad: recommend the best like nothing",
            of(Variant::Recommend(RecommendInput {
                strategy: Some(1),
                ..RecommendInput::default()
            })),
        ),
        (
            "bad: recommend by an unknown strategy",
            of(Variant::Recommend(RecommendInput {
                positive: vec![VectorInput::new_id(1)],
                strategy: Some(99),
                ..RecommendInput::default()
            })),
        ),
        (
            "bad: discover nothing",
            of(Variant::Discover(DiscoverInput::default())),
        ),
        (
            "bad: discover without context",
            of(Variant::Discover(DiscoverInput {
                target: Some(VectorInput::new_id(1)),
                context: None,
            })),
        ),
        (
            "bad: discover with an empty context",
            of(Variant::Discover(DiscoverInput {
                target: Some(VectorInput::new_id(1)),
                context: Some(ContextInput::default()),
            })),
        ),
        (
            "bad: context of nothing",
            of(Variant::Context(ContextInput::default())),
        ),
        (
            "bad: context of half a pair",
            of(Variant::Context(ContextInput {
                pairs: vec![ContextInputPair {
                    positive: Some(VectorInput::new_id(1)),
                    negative: None,
                }],
            })),
        ),
        (
            "bad: order by what has no index",
            of(Variant::OrderBy(OrderBy {
                key: "n".to_owned(),
                ..OrderBy::default()
            })),
        ),
        ("bad: order by nothing", of(Variant::OrderBy(OrderBy::default()))),
        ("bad: sample of an unknown kind", of(Variant::Sample(99))),
        (
            "bad: diversity of two",
            of(Variant::NearestWithMmr(NearestInputWithMmr {
                nearest: Some(VectorInput::from(vec![1.0, 1.0])),
                mmr: Some(Mmr {
                    diversity: Some(2.0),
                    candidates_limit: None,
                }),
            })),
        ),
        (
            "bad: diversity of nothing",
            of(Variant::NearestWithMmr(NearestInputWithMmr {
                nearest: None,
                mmr: Some(Mmr::default()),
            })),
        ),
    ] {
        record.note(step, client.query(request).await, |answer| found(answer.result));
    }
    let search = |limit: u64, name: Option<&str>| SearchPoints {
        collection_name: BAD.to_owned(),
        vector: vec![1.0, 1.0],
        limit,
        vector_name: name.map(str::to_owned),
        ..SearchPoints::default()
    };
    for (step, request) in [
        ("bad: older search of limit zero", search(0, Some("a"))),
        ("bad: older search without a name", search(1, None)),
        ("bad: older search of a wrong dimension", search(1, Some("b"))),
    ] {
        record.note(step, client.search_points(request).await, |answer| {
            found(answer.result)
        });
    }
}

fn staged(prefetch: Vec<PrefetchQuery>, query: Option<Query>) -> QueryPoints {
    QueryPoints {
        prefetch,
        using: None,
        ..self::query(query)
    }
}

async fn stages(client: &Qdrant, record: &mut Record) {
    let part = |values: &[f32], name: &str| PrefetchQuery {
        query: near(values),
        using: Some(name.to_owned()),
        limit: Some(3),
        ..PrefetchQuery::default()
    };
    let good = || part(&[1.0, 1.0], "a");
    let both = || vec![good(), part(&[1.0, 0.0, 1.0], "b")];
    let rrf = || Some(Query::new_fusion(Fusion::Rrf));
    let weighted = |k: Option<u32>, weights: Vec<f32>| {
        Some(Query {
            variant: Some(Variant::Rrf(Rrf { k, weights })),
        })
    };
    let scored = |expression: Expression| {
        Some(Query {
            variant: Some(Variant::Formula(Formula {
                expression: Some(expression),
                ..Formula::default()
            })),
        })
    };
    for (step, request) in [
        ("bad: fusion", staged(both(), rrf())),
        ("bad: fusion using a vector", using("a", staged(both(), rrf()))),
        ("bad: fusion of nothing", staged(Vec::new(), rrf())),
        (
            "bad: fusion of an unknown kind",
            staged(
                both(),
                Some(Query {
                    variant: Some(Variant::Fusion(99)),
                }),
            ),
        ),
        ("bad: prefetches and no query", staged(both(), None)),
        (
            "bad: fusion of a wrong dimension",
            staged(vec![good(), part(&[1.0], "b")], rrf()),
        ),
        (
            "bad: fusion of an unknown vector",
            staged(vec![part(&[1.0], "none")], rrf()),
        ),
        (
            "bad: fusion of limit zero inside",
            staged(
                vec![PrefetchQuery {
                    limit: Some(0),
                    ..good()
                }],
                rrf(),
            ),
        ),
        (
            "bad: fusion of what merges nothing",
            staged(
                vec![PrefetchQuery {
                    prefetch: both(),
                    query: None,
                    ..good()
                }],
                rrf(),
            ),
        ),
        ("bad: rrf of zero", staged(both(), weighted(Some(0), Vec::new()))),
        (
            "bad: rrf with a weight too few",
            staged(both(), weighted(None, vec![1.0])),
        ),
        (
            "bad: rrf with negative weights",
            staged(both(), weighted(None, vec![-1.0, 1.0])),
        ),
        (
            "bad: rrf with weights",
            staged(both(), weighted(None, vec![3.0, 1.0])),
        ),
        (
            "bad: formula of nothing",
            staged(
                both(),
                Some(Query {
                    variant: Some(Variant::Formula(Formula::default())),
                }),
            ),
        ),
        (
            "bad: formula without prefetches",
            staged(Vec::new(), scored(Expression::score())),
        ),
        (
            "bad: formula of an unknown variable",
            staged(both(), scored(Expression::variable("none"))),
        ),
        (
            "bad: formula of a word",
            staged(both(), scored(Expression::variable("word"))),
        ),
        (
            "bad: formula of a variable that is none",
            staged(both(), scored(Expression::variable("a["))),
        ),
        (
            "bad: formula of a score that is none",
            staged(both(), scored(Expression::variable("$score[7]"))),
        ),
        (
            "bad: formula that divides by zero",
            staged(
                both(),
                scored(Expression::div_with(
                    Expression::constant(1.0),
                    Expression::constant(0.0),
                    None,
                )),
            ),
        ),
        (
            "bad: formula of a negative root",
            staged(both(), scored(Expression::sqrt(Expression::constant(-1.0)))),
        ),
    ] {
        record.note(step, client.query(request).await, |answer| found(answer.result));
    }
}
