//! Filters and everything else that only reads.

use qdrant_client::{
    Qdrant,
    qdrant::{
        Condition, CountPoints, FacetCounts, FieldCondition, Filter, GeoBoundingBox, GeoLineString, GeoPoint,
        GeoPolygon, GeoRadius, GetPoints, Match, MinShould, OrderBy, QueryBatchPoints, QueryPointGroups,
        QueryPoints, Range, ScrollPoints, SearchMatrixPoints, condition::ConditionOneOf, r#match::MatchValue,
    },
};
use serde_json::json;

use super::{
    super::{found, ids},
    BAD, Record, done,
    searches::{near, ones, using},
};

/// All of them.
pub async fn all(client: &Qdrant, record: &mut Record) {
    filters(client, record).await;
    Box::pin(others(client, record)).await;
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
