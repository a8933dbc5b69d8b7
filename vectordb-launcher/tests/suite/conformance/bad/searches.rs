//! Reads and searches.

use qdrant_client::qdrant::{
    Expression, FieldCondition, MinShould, VectorsSelector, condition::ConditionOneOf,
};
use qdrant_client::{
    Qdrant,
    qdrant::{
        Condition, ContextInput, ContextInputPair, CountPoints, DiscoverInput, FacetCounts, Filter, Formula,
        Fusion, GeoBoundingBox, GeoLineString, GeoPoint, GeoPolygon, GeoRadius, GetPoints, LookupLocation,
        Match, Mmr, NearestInputWithMmr, OrderBy, PrefetchQuery, Query, QueryBatchPoints, QueryPointGroups,
        QueryPoints, Range, RecommendInput, Rrf, ScrollPoints, SearchMatrixPoints, SearchParams,
        SearchPoints, VectorInput, WithVectorsSelector, r#match::MatchValue, query::Variant,
        with_vectors_selector::SelectorOptions,
    },
};
use serde_json::json;

use super::{
    super::{found, ids},
    BAD, Record, done,
};

/// All of them.
pub async fn all(client: &Qdrant, record: &mut Record) {
    // The tables are long.
    Box::pin(queries(client, record)).await;
    Box::pin(stages(client, record)).await;
    filters(client, record).await;
    Box::pin(others(client, record)).await;
}

fn near(values: &[f32]) -> Option<Query> {
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

fn ones() -> QueryPoints {
    query(near(&[1.0, 1.0]))
}

fn using(name: &str, query: QueryPoints) -> QueryPoints {
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

fn where_(condition: impl Into<Condition>) -> Filter {
    Filter::must([condition.into()])
}

async fn filters(client: &Qdrant, record: &mut Record) {
    let corner = |lat: f64| GeoPoint { lon: 10.0, lat };
    let field = |condition: FieldCondition| Condition {
        condition_one_of: Some(ConditionOneOf::Field(condition)),
    };
    let line = |points: Vec<GeoPoint>| GeoPolygon {
        exterior: Some(GeoLineString { points }),
        interiors: Vec::new(),
    };
    for (step, filter) in [
        (
            "bad: filter of no condition",
            where_(Condition {
                condition_one_of: None,
            }),
        ),
        ("bad: filter of an empty path", where_(Condition::matches("", 1))),
        (
            "bad: filter of a path that is none",
            where_(Condition::matches("a[", 1)),
        ),
        (
            "bad: filter of no match",
            where_(field(FieldCondition {
                key: "n".to_owned(),
                r#match: Some(Match { match_value: None }),
                ..FieldCondition::default()
            })),
        ),
        (
            "bad: filter of nothing about a field",
            where_(field(FieldCondition {
                key: "n".to_owned(),
                ..FieldCondition::default()
            })),
        ),
        (
            "bad: filter without an index",
            where_(Condition::matches("word", "x".to_owned())),
        ),
        (
            "bad: filter of another kind",
            where_(Condition::matches("word", 1)),
        ),
        (
            "bad: range of words",
            where_(Condition::range(
                "word",
                Range {
                    gte: Some(0.0),
                    ..Range::default()
                },
            )),
        ),
        (
            "bad: range of nothing",
            where_(Condition::range("n", Range::default())),
        ),
        (
            "bad: range of NaN",
            where_(Condition::range(
                "n",
                Range {
                    gte: Some(f64::NAN),
                    ..Range::default()
                },
            )),
        ),
        (
            "bad: words in a number",
            where_(Condition::matches_text("n", "x")),
        ),
        (
            "bad: match of no words",
            where_(field(FieldCondition {
                key: "word".to_owned(),
                r#match: Some(Match {
                    match_value: Some(MatchValue::Text(String::new())),
                }),
                ..FieldCondition::default()
            })),
        ),
        (
            "bad: any of none",
            where_(Condition::matches("word", Vec::<String>::new())),
        ),
        ("bad: unknown vector", where_(Condition::has_vector("none"))),
        ("bad: id that is none", where_(Condition::has_id(["none"]))),
        ("bad: no ids", where_(Condition::has_id(Vec::<u64>::new()))),
        (
            "bad: nested of a path that is none",
            where_(Condition::nested("a[", Filter::default())),
        ),
        (
            "bad: north of the pole",
            where_(Condition::geo_radius(
                "at",
                GeoRadius {
                    center: Some(corner(100.0)),
                    radius: 1.0,
                },
            )),
        ),
        (
            "bad: circle without a center",
            where_(Condition::geo_radius(
                "at",
                GeoRadius {
                    center: None,
                    radius: 1.0,
                },
            )),
        ),
        (
            "bad: half a box",
            where_(Condition::geo_bounding_box(
                "at",
                GeoBoundingBox {
                    top_left: Some(corner(1.0)),
                    bottom_right: None,
                },
            )),
        ),
        (
            "bad: polygon of a point",
            where_(Condition::geo_polygon("at", line(vec![corner(1.0)]))),
        ),
        (
            "bad: open polygon",
            where_(Condition::geo_polygon(
                "at",
                line(vec![
                    corner(1.0),
                    corner(2.0),
                    corner(3.0),
                    GeoPoint { lon: 11.0, lat: 1.0 },
                ]),
            )),
        ),
        (
            "bad: polygon of nothing",
            where_(Condition::geo_polygon("at", GeoPolygon::default())),
        ),
        (
            "bad: more than there are",
            Filter::min_should(3, [Condition::matches("n", 1)]),
        ),
        (
            "bad: at least none",
            Filter {
                min_should: Some(MinShould::default()),
                ..Filter::default()
            },
        ),
    ] {
        let request = ScrollPoints {
            collection_name: BAD.to_owned(),
            filter: Some(filter),
            ..ScrollPoints::default()
        };
        record.note(step, client.scroll(request).await, |answer| ids(answer.result));
    }
}

async fn others(client: &Qdrant, record: &mut Record) {
    let scroll = || ScrollPoints {
        collection_name: BAD.to_owned(),
        ..ScrollPoints::default()
    };
    for (step, request) in [
        (
            "bad: scroll of limit zero",
            ScrollPoints {
                limit: Some(0),
                ..scroll()
            },
        ),
        (
            "bad: scroll from an id that is none",
            ScrollPoints {
                offset: Some("none".into()),
                ..scroll()
            },
        ),
        (
            "bad: scroll from nobody",
            ScrollPoints {
                offset: Some(3.into()),
                limit: Some(1),
                ..scroll()
            },
        ),
        (
            "bad: scroll in the order of what has no index",
            ScrollPoints {
                order_by: Some(OrderBy {
                    key: "n".to_owned(),
                    ..OrderBy::default()
                }),
                ..scroll()
            },
        ),
        (
            "bad: scroll of no name",
            ScrollPoints {
                collection_name: String::new(),
                ..scroll()
            },
        ),
    ] {
        record.note(step, client.scroll(request).await, |answer| ids(answer.result));
    }
    let get = GetPoints {
        collection_name: BAD.to_owned(),
        ..GetPoints::default()
    };
    record.note("bad: get nothing", client.get_points(get).await, |answer| {
        ids(answer.result)
    });
    let count = CountPoints {
        collection_name: BAD.to_owned(),
        filter: Some(where_(Condition::matches("a[", 1))),
        ..CountPoints::default()
    };
    record.note(
        "bad: count at a path that is none",
        client.count(count).await,
        done,
    );

    let groups = |by: &str| QueryPointGroups {
        collection_name: BAD.to_owned(),
        query: near(&[1.0, 1.0]),
        using: Some("a".to_owned()),
        group_by: by.to_owned(),
        ..QueryPointGroups::default()
    };
    for (step, request) in [
        ("bad: groups by nothing", groups("")),
        ("bad: groups by a path that is none", groups("a[")),
        ("bad: groups by what nobody has", groups("none")),
        (
            "bad: no groups",
            QueryPointGroups {
                limit: Some(0),
                ..groups("word")
            },
        ),
        (
            "bad: empty groups",
            QueryPointGroups {
                group_size: Some(0),
                ..groups("word")
            },
        ),
        ("bad: groups without an index", groups("word")),
    ] {
        record.note(step, client.query_groups(request).await, |answer| {
            let groups = answer.result.unwrap().groups.into_iter();
            groups.map(|group| found(group.hits)).collect()
        });
    }
    let facet = |key: &str, limit: Option<u64>| FacetCounts {
        collection_name: BAD.to_owned(),
        key: key.to_owned(),
        limit,
        ..FacetCounts::default()
    };
    for (step, request) in [
        ("bad: facet of nothing", facet("", None)),
        ("bad: facet of a path that is none", facet("a[", None)),
        ("bad: facet without an index", facet("word", None)),
        ("bad: facet of limit zero", facet("word", Some(0))),
    ] {
        record.note(step, client.facet(request).await, |answer| {
            json!(answer.hits.len())
        });
    }
    let matrix = |sample: u64, limit: u64, name: &str| SearchMatrixPoints {
        collection_name: BAD.to_owned(),
        sample: Some(sample),
        limit: Some(limit),
        using: Some(name.to_owned()),
        ..SearchMatrixPoints::default()
    };
    for (step, request) in [
        ("bad: matrix of one", matrix(1, 3, "a")),
        ("bad: matrix of none", matrix(3, 0, "a")),
        ("bad: matrix of an unknown vector", matrix(3, 3, "none")),
    ] {
        record.note(step, client.search_matrix_pairs(request).await, |answer| {
            json!(answer.result.unwrap().pairs.len())
        });
    }
    let batch = |queries: Vec<QueryPoints>| QueryBatchPoints {
        collection_name: BAD.to_owned(),
        query_points: queries,
        ..QueryBatchPoints::default()
    };
    for (step, request) in [
        ("bad: batch of no queries", batch(Vec::new())),
        (
            "bad: batch with a bad one",
            batch(vec![ones(), using("none", ones())]),
        ),
    ] {
        record.note(step, client.query_batch(request).await, |answer| {
            answer.result.into_iter().map(|list| found(list.result)).collect()
        });
    }
}
