//! Steps that change nothing.

use qdrant_client::{
    Qdrant,
    qdrant::{
        Condition, ContextInputBuilder, ContextInputPair, CountPointsBuilder, DatetimeRange, Direction,
        DiscoverInputBuilder, Expression, FacetCountsBuilder, Filter, FormulaBuilder, Fusion, GeoPoint,
        GeoRadius, GetPointsBuilder, OrderByBuilder, PayloadExcludeSelector, PointId, PrefetchQueryBuilder,
        Query, QueryBatchPointsBuilder, QueryPointGroupsBuilder, QueryPointsBuilder, Range,
        RecommendInputBuilder, RecommendStrategy, Rrf, Sample, ScrollPointsBuilder,
        SearchMatrixPointsBuilder, SearchParamsBuilder, SearchPointsBuilder, Timestamp, ValuesCount,
        VectorInput, VectorsSelector, facet_value, group_id, query::Variant, start_from::Value as StartFrom,
    },
};
use serde_json::{Value, json};

use super::{
    Record,
    data::{DIMENSIONS, NAME, numbers, terms},
    found, id, ids, payload,
};

/// All of them.
pub async fn all(client: &Qdrant, record: &mut Record) {
    retrieve(client, record).await;
    filters(client, record).await;
    scrolls(client, record).await;
    nearest(client, record).await;
    fused(client, record).await;
    examples(client, record).await;
    summaries(client, record).await;
    refused(client, record).await;
}

fn near(seed: u64) -> Query {
    Query::new_nearest(numbers(seed, DIMENSIONS))
}

fn dense(seed: u64) -> QueryPointsBuilder {
    QueryPointsBuilder::new(NAME)
        .query(near(seed))
        .using("dense")
        .limit(5)
}

fn sparse(seed: u64) -> Query {
    let (indices, values): (Vec<u32>, Vec<f32>) = terms(seed).into_iter().unzip();
    Query::new_nearest(VectorInput::new_sparse(indices, values))
}

fn berlin() -> Filter {
    Filter::must([Condition::matches("city", "Berlin".to_owned())])
}

async fn retrieve(client: &Qdrant, record: &mut Record) {
    let by_id = |list: &[u64]| {
        GetPointsBuilder::new(NAME, list.iter().map(|id| PointId::from(*id)).collect::<Vec<_>>())
    };
    let some = client.get_points(by_id(&[3, 99, 1]).with_payload(false)).await;
    record.note("get, one is missing", some, |answer| ids(answer.result));
    let unsaid = client
        .get_points(qdrant_client::qdrant::GetPoints {
            collection_name: NAME.to_owned(),
            ids: vec![PointId::from(5)],
            ..Default::default()
        })
        .await;
    record.note("get without saying what", unsaid, |answer| {
        payload(answer.result.into_iter().next().unwrap().payload)
    });
    let one = client.get_points(by_id(&[5]).with_payload(true)).await;
    record.note("get payload", one, |answer| {
        payload(answer.result.into_iter().next().unwrap().payload)
    });
    let without = PayloadExcludeSelector::from(
        ["text", "parts", "place", "at", "uuid", "tags"]
            .map(str::to_owned)
            .to_vec(),
    );
    let one = client.get_points(by_id(&[5]).with_payload(without)).await;
    record.note("get part of a payload", one, |answer| {
        payload(answer.result.into_iter().next().unwrap().payload)
    });
    let one = client
        .get_points(
            by_id(&[2]).with_vectors(VectorsSelector::from(vec!["far".to_owned(), "terms".to_owned()])),
        )
        .await;
    record.note("get some vectors", one, |answer| {
        let vectors = answer.result.into_iter().next().unwrap().vectors.unwrap();
        let mut names: Vec<String> = match vectors.vectors_options.unwrap() {
            qdrant_client::qdrant::vectors_output::VectorsOptions::Vectors(named) => {
                named.vectors.into_keys().collect()
            }
            other => panic!("{other:?}"),
        };
        names.sort();
        json!(names)
    });
}

async fn filters(client: &Qdrant, record: &mut Record) {
    let range = |gte: f64, lt: f64| Range {
        gte: Some(gte),
        lt: Some(lt),
        ..Range::default()
    };
    // 2024-01-10T00:00:00Z.
    let tenth = Timestamp {
        seconds: 1_704_844_800,
        nanos: 0,
    };
    let cases = [
        (
            "keyword",
            Filter::must([Condition::matches("city", "Paris".to_owned())]),
        ),
        (
            "any keyword",
            Filter::must([Condition::matches(
                "city",
                vec!["Paris".to_owned(), "Berlin".to_owned()],
            )]),
        ),
        ("integer", Filter::must([Condition::matches("number", 7)])),
        ("bool", Filter::must([Condition::matches("even", true)])),
        (
            "range",
            Filter::must([Condition::range("price", range(3.0, 6.0))]),
        ),
        (
            "moment",
            Filter::must([Condition::datetime_range(
                "at",
                DatetimeRange {
                    lt: Some(tenth),
                    ..DatetimeRange::default()
                },
            )]),
        ),
        (
            "uuid",
            Filter::must([Condition::matches(
                "uuid",
                "00000000-0000-0000-0000-000000000011".to_owned(),
            )]),
        ),
        (
            "text",
            Filter::must([Condition::matches_text("text", "paris HOUSE")]),
        ),
        (
            "circle",
            Filter::must([Condition::geo_radius(
                "place",
                GeoRadius {
                    center: Some(GeoPoint { lon: 11.0, lat: 50.0 }),
                    radius: 20_000.0,
                },
            )]),
        ),
        (
            "element",
            Filter::must([Condition::matches("tags", "t3".to_owned())]),
        ),
        (
            "nested",
            Filter::must([Condition::nested(
                "parts",
                Filter::must([
                    Condition::matches("kind", "a".to_owned()),
                    Condition::range("size", range(4.0, 6.0)),
                ]),
            )]),
        ),
        (
            "not nested",
            Filter::must([
                Condition::matches("parts[].kind", "a".to_owned()),
                Condition::range("parts[].size", range(4.0, 6.0)),
            ]),
        ),
        ("empty", Filter::must([Condition::is_empty("empty")])),
        ("null", Filter::must([Condition::is_null("nothing")])),
        ("ids", Filter::must([Condition::has_id([1_u64, 2, 77])])),
        ("vector", Filter::must([Condition::has_vector("far")])),
        (
            "number of values",
            Filter::must([Condition::values_count(
                "tags",
                ValuesCount {
                    gte: Some(2),
                    ..ValuesCount::default()
                },
            )]),
        ),
        (
            "should",
            Filter::should([Condition::matches("number", 1), Condition::matches("number", 2)]),
        ),
        ("must not", Filter::must_not([Condition::matches("even", true)])),
        (
            "two of three",
            Filter::min_should(
                2,
                [
                    Condition::matches("even", true),
                    Condition::matches("city", "Berlin".to_owned()),
                    Condition::range("number", range(0.0, 4.0)),
                ],
            ),
        ),
        (
            "unindexed field",
            Filter::must([Condition::matches("unknown", 1)]),
        ),
        ("nothing", Filter::default()),
    ];
    for (name, filter) in cases {
        let page = client
            .scroll(
                ScrollPointsBuilder::new(NAME)
                    .filter(filter.clone())
                    .limit(30)
                    .with_payload(false),
            )
            .await;
        record.note(&format!("filter: {name}"), page, |answer| ids(answer.result));
        let count = client
            .count(CountPointsBuilder::new(NAME).filter(filter).exact(true))
            .await;
        record.note(&format!("count: {name}"), count, |answer| {
            json!(answer.result.unwrap().count)
        });
    }
}

async fn scrolls(client: &Qdrant, record: &mut Record) {
    let page = client.scroll(ScrollPointsBuilder::new(NAME).limit(5)).await;
    record.note("scroll, first page", page, |answer| {
        json!([ids(answer.result), id(answer.next_page_offset)])
    });
    let page = client
        .scroll(ScrollPointsBuilder::new(NAME).limit(30).offset(PointId::from(20)))
        .await;
    record.note("scroll, last page", page, |answer| {
        json!([ids(answer.result), answer.next_page_offset.is_none()])
    });
    let downwards = OrderByBuilder::new("price")
        .direction(Direction::Desc.into())
        .start_from(StartFrom::Float(6.0));
    let page = client
        .scroll(ScrollPointsBuilder::new(NAME).limit(4).order_by(downwards))
        .await;
    record.note("scroll, ordered", page, |answer| ids(answer.result));
    let page = client
        .scroll(ScrollPointsBuilder::new(NAME).order_by(OrderByBuilder::new("even")))
        .await;
    record.note("scroll, ordered by what cannot be", page, |answer| {
        ids(answer.result)
    });
}

async fn nearest(client: &Qdrant, record: &mut Record) {
    let mut ask = async |step: &str, query: QueryPointsBuilder| {
        record.note(step, client.query(query).await, |answer| found(answer.result));
    };
    ask("nearest, cosine", dense(1000)).await;
    ask("nearest, filtered", dense(1000).filter(berlin())).await;
    ask("nearest, threshold", dense(1000).score_threshold(0.3)).await;
    ask("nearest, offset", dense(1000).offset(2).limit(2)).await;
    ask(
        "nearest, exact",
        dense(1001).params(SearchParamsBuilder::default().exact(true)),
    )
    .await;
    let by_id = Query::new_nearest(VectorInput::new_id(7));
    ask("nearest to a point", dense(0).query(by_id)).await;
    let far = Query::new_nearest(numbers(1002, 3));
    ask("nearest, euclid", dense(0).query(far.clone()).using("far")).await;
    ask(
        "nearest, euclid with threshold",
        dense(0).query(far).using("far").score_threshold(0.6),
    )
    .await;
    ask("sparse with idf", dense(0).query(sparse(3)).using("terms")).await;
    ask(
        "sparse, filtered",
        dense(0).query(sparse(4)).using("terms").filter(berlin()),
    )
    .await;
    let rows = VectorInput::new_multi(vec![numbers(1003, 4), numbers(1004, 4)]);
    ask(
        "multi-vector",
        dense(0).query(Query::new_nearest(rows)).using("rows"),
    )
    .await;
    let search = SearchPointsBuilder::new(NAME, numbers(1000, DIMENSIONS), 3).vector_name("dense");
    record.note("the older search", client.search_points(search).await, |answer| {
        found(answer.result)
    });
}

async fn fused(client: &Qdrant, record: &mut Record) {
    let hybrid = |query: Query| {
        QueryPointsBuilder::new(NAME)
            .add_prefetch(
                PrefetchQueryBuilder::default()
                    .query(near(1000))
                    .using("dense")
                    .limit(6_u64),
            )
            .add_prefetch(
                PrefetchQueryBuilder::default()
                    .query(sparse(3))
                    .using("terms")
                    .limit(6_u64),
            )
            .query(query)
            .limit(5)
    };
    let mut ask = async |step: &str, query: QueryPointsBuilder| {
        record.note(step, client.query(query).await, |answer| found(answer.result));
    };
    // The fifth and sixth have equal scores, and either may come first.
    let untied = 4;
    ask("rrf", hybrid(Query::new_fusion(Fusion::Rrf)).limit(untied)).await;
    ask("dbsf", hybrid(Query::new_fusion(Fusion::Dbsf))).await;
    let rrf = Rrf {
        k: Some(60),
        ..Rrf::default()
    };
    ask(
        "rrf of 60",
        hybrid(Query {
            variant: Some(Variant::Rrf(rrf)),
        })
        .limit(untied),
    )
    .await;
    ask("rescored", hybrid(near(1005)).using("dense")).await;
    let formula = Expression::sum_with([
        Expression::score(),
        Expression::mult_with([
            Expression::constant(2.0),
            Expression::condition(Condition::matches("city", "Berlin".to_owned())),
        ]),
        Expression::variable("price"),
    ]);
    ask(
        "formula",
        hybrid(Query::new_formula(FormulaBuilder::new(formula))),
    )
    .await;
    let missing = FormulaBuilder::new(Expression::sum_with([
        Expression::score(),
        Expression::variable("none"),
    ]))
    .add_default("none", 3.5);
    ask("formula with a default", hybrid(Query::new_formula(missing))).await;
    ask(
        "fusion without prefetches",
        dense(0).query(Query::new_fusion(Fusion::Rrf)),
    )
    .await;
}

async fn examples(client: &Qdrant, record: &mut Record) {
    let mut ask = async |step: &str, query: Query| {
        record.note(step, client.query(dense(0).query(query)).await, |answer| {
            found(answer.result)
        });
    };
    for (step, strategy) in [
        ("recommend, average", RecommendStrategy::AverageVector),
        ("recommend, best score", RecommendStrategy::BestScore),
        ("recommend, sum of scores", RecommendStrategy::SumScores),
    ] {
        let input = RecommendInputBuilder::default()
            .positive(vec![
                VectorInput::new_id(1),
                VectorInput::from(numbers(1006, DIMENSIONS)),
            ])
            .negative(vec![VectorInput::new_id(2)])
            .strategy(strategy);
        ask(step, Query::new_recommend(input)).await;
    }
    let pair = || ContextInputPair {
        positive: Some(VectorInput::new_id(3)),
        negative: Some(VectorInput::new_id(4)),
    };
    let context = ContextInputBuilder::default().pairs(vec![pair()]);
    let discover = DiscoverInputBuilder::new(numbers(1007, DIMENSIONS), context);
    ask("discover", Query::new_discover(discover)).await;
    ask(
        "nearest to a point that is not there",
        Query::new_nearest(VectorInput::new_id(99)),
    )
    .await;
    let ordered = dense(0)
        .query(Query::new_order_by(
            OrderByBuilder::new("price").direction(Direction::Desc.into()),
        ))
        .limit(3);
    record.note("ordered by price", client.query(ordered).await, |answer| {
        answer.result.into_iter().map(|point| id(point.id)).collect()
    });
    let random = dense(0).query(Query::new_sample(Sample::Random)).limit(7);
    record.note("random points", client.query(random).await, |answer| {
        json!(answer.result.len())
    });
    let two = QueryBatchPointsBuilder::new(
        NAME,
        vec![dense(1000).build(), dense(1001).filter(berlin()).build()],
    );
    record.note("batch", client.query_batch(two).await, |answer| {
        answer.result.into_iter().map(|list| found(list.result)).collect()
    });
}

async fn summaries(client: &Qdrant, record: &mut Record) {
    let groups = QueryPointGroupsBuilder::new(NAME, "city")
        .query(near(1000))
        .using("dense")
        .limit(3_u64)
        .group_size(2_u64);
    record.note("groups", client.query_groups(groups).await, |answer| {
        let groups = answer.result.unwrap().groups.into_iter();
        groups
            .map(|group| {
                let value = match group.id.unwrap().kind.unwrap() {
                    group_id::Kind::StringValue(text) => text,
                    group_id::Kind::UnsignedValue(_) | group_id::Kind::IntegerValue(_) => {
                        panic!("cities are texts")
                    }
                };
                json!([value, found(group.hits)])
            })
            .collect()
    });
    let facet = FacetCountsBuilder::new(NAME, "city").exact(true);
    record.note("facet", client.facet(facet).await, |answer| {
        let mut hits: Vec<Value> = answer
            .hits
            .into_iter()
            .map(|hit| match hit.value.unwrap().variant.unwrap() {
                facet_value::Variant::StringValue(text) => json!([text, hit.count]),
                facet_value::Variant::IntegerValue(_) | facet_value::Variant::BoolValue(_) => {
                    panic!("cities are texts")
                }
            })
            .collect();
        hits.sort_by_key(Value::to_string);
        json!(hits)
    });
    let facet = FacetCountsBuilder::new(NAME, "unknown").exact(true);
    record.note(
        "facet of an unindexed field",
        client.facet(facet).await,
        |answer| json!(answer.hits.len()),
    );
    let matrix = SearchMatrixPointsBuilder::new(NAME)
        .using("dense")
        .sample(24)
        .limit(2);
    record.note("matrix", client.search_matrix_pairs(matrix).await, |answer| {
        json!(answer.result.unwrap().pairs.len())
    });
}

async fn refused(client: &Qdrant, record: &mut Record) {
    let mut ask = async |step: &str, query: QueryPointsBuilder| {
        record.note(step, client.query(query).await, |answer| found(answer.result));
    };
    ask(
        "unknown collection",
        QueryPointsBuilder::new("missing").query(near(1)),
    )
    .await;
    ask("unknown vector", dense(1).using("none")).await;
    ask("no vector name", QueryPointsBuilder::new(NAME).query(near(1))).await;
    ask("wrong dimension", dense(0).query(Query::new_nearest(vec![1.0]))).await;
    ask("sparse against dense", dense(0).query(sparse(1))).await;
    ask("limit of nothing", dense(1).limit(0)).await;
    let unknown = Filter::must([Condition::matches("a[", 1)]);
    ask("a path that is none", dense(1).filter(unknown)).await;
    let missing = client
        .get_points(GetPointsBuilder::new(NAME, vec!["no-uuid".into()]))
        .await;
    record.note("an id that is none", missing, |answer| ids(answer.result));
    let missing = client.count(CountPointsBuilder::new("missing")).await;
    record.note("count of an unknown collection", missing, |answer| {
        json!(answer.result.unwrap().count)
    });
}
