//! Collections, indexes, vector names, aliases and snapshots.

use qdrant_client::{
    Qdrant,
    qdrant::{
        CreateAlias, CreateCollection, CreateCollectionBuilder, CreateFieldIndexCollection,
        DeleteFieldIndexCollection, Distance, FieldType, HnswConfigDiff, OptimizersConfigDiff,
        PayloadIndexParams, RenameAlias, SparseVectorConfig, UpdateCollection, VectorParams,
        VectorParamsBuilder, VectorParamsDiff, VectorParamsDiffMap, VectorsConfig, VectorsConfigDiff,
        payload_index_params::IndexParams, vectors_config, vectors_config_diff,
    },
};
use serde_json::json;

use super::{BAD, Record, done, new};

fn unnamed(name: &str, size: u64, distance: i32) -> CreateCollection {
    CreateCollection {
        collection_name: name.to_owned(),
        vectors_config: Some(VectorsConfig {
            config: Some(vectors_config::Config::Params(VectorParams {
                size,
                distance,
                ..VectorParams::default()
            })),
        }),
        ..CreateCollection::default()
    }
}

/// Collections that may not be, and some that may.
pub async fn create(client: &Qdrant, record: &mut Record) {
    let dot = Distance::Dot.into();
    let long = "x".repeat(256);
    for (step, request) in [
        ("bad: create without a name", unnamed("", 4, dot)),
        ("bad: create with a slash", unnamed("a/b", 4, dot)),
        ("bad: create with a colon", unnamed("a:b", 4, dot)),
        ("bad: create with a backslash", unnamed("a\\b", 4, dot)),
        ("bad: create with a long name", unnamed(&long, 4, dot)),
        (
            "bad: create with too many dimensions",
            unnamed("conformance-2", 65_537, dot),
        ),
        ("bad: create without a distance", unnamed("conformance-2", 4, 0)),
        (
            "bad: create with an unknown distance",
            unnamed("conformance-2", 4, 99),
        ),
    ] {
        record.note(step, client.create_collection(request).await, done);
    }
    let _some_are_there = client.delete_collection("conformance-2").await;

    let nothing = CreateCollection {
        collection_name: "conformance-2".to_owned(),
        ..CreateCollection::default()
    };
    record.note(
        "bad: create without vectors",
        client.create_collection(nothing).await,
        done,
    );
    let _may_be_there = client.delete_collection("conformance-2").await;

    let both = CreateCollection {
        sparse_vectors_config: Some(SparseVectorConfig {
            map: [(
                "a".to_owned(),
                qdrant_client::qdrant::SparseVectorParams::default(),
            )]
            .into(),
        }),
        ..new("conformance-2").build()
    };
    record.note(
        "bad: create dense and sparse of one name",
        client.create_collection(both).await,
        done,
    );
    let _may_be_there = client.delete_collection("conformance-2").await;

    let hnsw = HnswConfigDiff {
        m: Some(20_000),
        ..HnswConfigDiff::default()
    };
    let strange = CreateCollectionBuilder::new("conformance-2")
        .vectors_config(VectorParamsBuilder::new(4, Distance::Dot))
        .hnsw_config(hnsw);
    record.note(
        "bad: create with a large m",
        client.create_collection(strange).await,
        done,
    );
    let _may_be_there = client.delete_collection("conformance-2").await;
    let strange = CreateCollectionBuilder::new("conformance-2")
        .vectors_config(VectorParamsBuilder::new(4, Distance::Dot))
        .hnsw_config(HnswConfigDiff {
            ef_construct: Some(1),
            ..HnswConfigDiff::default()
        });
    record.note(
        "bad: create with a small ef",
        client.create_collection(strange).await,
        done,
    );
    let _may_be_there = client.delete_collection("conformance-2").await;
    let strange = CreateCollectionBuilder::new("conformance-2")
        .vectors_config(VectorParamsBuilder::new(4, Distance::Dot))
        .optimizers_config(OptimizersConfigDiff {
            deleted_threshold: Some(2.0),
            ..OptimizersConfigDiff::default()
        });
    record.note(
        "bad: create with a large threshold",
        client.create_collection(strange).await,
        done,
    );
    let _may_be_there = client.delete_collection("conformance-2").await;
    for (step, name) in [
        ("bad: exists without a name", ""),
        ("bad: exists with a slash", "a/b"),
    ] {
        record.note(step, client.collection_exists(name).await, |yes| json!(yes));
    }
    record.note(
        "bad: delete without a name",
        client.delete_collection("").await,
        done,
    );
}

fn index(field: &str, kind: Option<FieldType>) -> CreateFieldIndexCollection {
    CreateFieldIndexCollection {
        collection_name: BAD.to_owned(),
        wait: Some(true),
        field_name: field.to_owned(),
        field_type: kind.map(i32::from),
        ..CreateFieldIndexCollection::default()
    }
}

/// Changes of what there is.
pub async fn change(client: &Qdrant, record: &mut Record) {
    for (step, request) in [
        ("bad: index of no field", index("", Some(FieldType::Keyword))),
        (
            "bad: index of a path that is none",
            index("a[", Some(FieldType::Keyword)),
        ),
        ("bad: index without a kind", index("n", None)),
        ("bad: index", index("n", Some(FieldType::Integer))),
        ("bad: index again", index("n", Some(FieldType::Integer))),
        ("bad: index of another kind", index("n", Some(FieldType::Keyword))),
        (
            "bad: index of a kind and the parameters of another",
            CreateFieldIndexCollection {
                field_index_params: Some(PayloadIndexParams {
                    index_params: Some(IndexParams::FloatIndexParams(
                        qdrant_client::qdrant::FloatIndexParams::default(),
                    )),
                }),
                ..index("word", Some(FieldType::Keyword))
            },
        ),
    ] {
        record.note(step, client.create_field_index(request).await, done);
    }
    let no_index = |field: &str, collection: &str| DeleteFieldIndexCollection {
        collection_name: collection.to_owned(),
        wait: Some(true),
        field_name: field.to_owned(),
        ..DeleteFieldIndexCollection::default()
    };
    for (step, request) in [
        ("bad: no index where none is", no_index("none", BAD)),
        ("bad: no index of a path that is none", no_index("a[", BAD)),
        ("bad: no index elsewhere", no_index("n", "missing")),
    ] {
        record.note(step, client.delete_field_index(request).await, done);
    }
    let alias = |name: &str, collection: &str| CreateAlias {
        alias_name: name.to_owned(),
        collection_name: collection.to_owned(),
    };
    for (step, request) in [
        ("bad: alias without a name", alias("", BAD)),
        ("bad: alias with a slash", alias("a/b", BAD)),
        ("bad: alias that is a collection", alias(BAD, BAD)),
        ("bad: alias of an alias", alias("conformance-of", "a/b")),
    ] {
        record.note(step, client.create_alias(request).await, done);
    }
    for name in ["", "a/b", "conformance-of"] {
        let _may_not_be_there = client.delete_alias(name).await;
    }
    record.note("bad: delete no alias", client.delete_alias("none").await, done);
    let rename = RenameAlias {
        old_alias_name: "none".to_owned(),
        new_alias_name: "other".to_owned(),
    };
    record.note("bad: rename no alias", client.rename_alias(rename).await, done);
    record.note(
        "bad: aliases elsewhere",
        client.list_collection_aliases("missing").await,
        done,
    );

    let update = |name: &str| UpdateCollection {
        collection_name: name.to_owned(),
        optimizers_config: Some(OptimizersConfigDiff {
            indexing_threshold: Some(1_000),
            ..OptimizersConfigDiff::default()
        }),
        ..UpdateCollection::default()
    };
    record.note(
        "bad: change elsewhere",
        client.update_collection(update("missing")).await,
        done,
    );
    let unknown = UpdateCollection {
        vectors_config: Some(VectorsConfigDiff {
            config: Some(vectors_config_diff::Config::ParamsMap(VectorParamsDiffMap {
                map: [(
                    "none".to_owned(),
                    VectorParamsDiff {
                        hnsw_config: Some(HnswConfigDiff::default()),
                        ..VectorParamsDiff::default()
                    },
                )]
                .into(),
            })),
        }),
        ..update(BAD)
    };
    record.note(
        "bad: change an unknown vector",
        client.update_collection(unknown).await,
        done,
    );
    let nothing = UpdateCollection {
        collection_name: BAD.to_owned(),
        ..UpdateCollection::default()
    };
    record.note(
        "bad: change nothing",
        client.update_collection(nothing).await,
        done,
    );
    record.note(
        "bad: snapshot elsewhere",
        client.create_snapshot("missing").await,
        done,
    );
    record.note(
        "bad: snapshots elsewhere",
        client.list_snapshots("missing").await,
        done,
    );
}
