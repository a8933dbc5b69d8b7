//! Refusals: the code and the words that real Qdrant uses.

use qdrant_client::{
    Qdrant,
    qdrant::{
        Condition, CreateAliasBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance,
        Document, FieldType, Filter, Fusion, GetPointsBuilder, NamedVectors, PointStruct,
        PrefetchQueryBuilder, Query, QueryPointsBuilder, TextQuery, UpsertPointsBuilder, Vector, VectorInput,
        VectorParamsBuilder, query::Variant,
    },
};
use tempfile::tempdir;
use tonic::Code;

use crate::support::{CODE, Launcher, Real, Start, fill, make, told};

fn check((code, message): (Code, String), expect: (Code, &str)) {
    assert_eq!((code, &*message), expect);
}

const MISSING: &str = "Not found: Collection `missing` doesn't exist!";

#[tokio::test]
async fn refusals_are_qdrants() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    refusals(&launcher.client()).await;
    limits(&launcher.client()).await;
}

#[tokio::test]
async fn they_are_indeed() {
    let Some(program) = Real::program() else { return };
    let folder = tempdir().unwrap();
    refusals(&Launcher::supervising(folder.path(), &program).client()).await;
}

async fn refusals(client: &Qdrant) {
    make(client).await;
    fill(client).await;

    check(
        told(client.collection_info("missing").await),
        (Code::NotFound, MISSING),
    );
    check(
        told(
            client
                .query(QueryPointsBuilder::new("missing").query(vec![1.0]))
                .await,
        ),
        (Code::NotFound, MISSING),
    );
    let again = CreateCollectionBuilder::new(CODE).vectors_config(VectorParamsBuilder::new(4, Distance::Dot));
    check(
        told(client.create_collection(again).await),
        (
            Code::AlreadyExists,
            "Wrong input: Collection `code` already exists!",
        ),
    );
    let slash =
        CreateCollectionBuilder::new("a/b").vectors_config(VectorParamsBuilder::new(4, Distance::Dot));
    check(
        told(client.create_collection(slash).await),
        (
            Code::InvalidArgument,
            "Validation error in body: [collection_name: collection name cannot contain \"/\" char]",
        ),
    );
    assert!(!client.collection_exists("missing").await.unwrap());
    assert!(!client.delete_collection("missing").await.unwrap().result);

    let upsert = async |name: &str, vector: Vector| {
        let vectors = NamedVectors::default().add_vector(name, vector);
        let point = PointStruct::new(1, vectors, qdrant_client::Payload::new());
        told(
            client
                .upsert_points(UpsertPointsBuilder::new(CODE, vec![point]).wait(true))
                .await,
        )
    };
    check(
        upsert("dense", Vector::new_dense(vec![1.0; 3])).await,
        (
            Code::InvalidArgument,
            "Wrong input: Vector dimension error: expected dim: 4, got 3 for vector 'dense'",
        ),
    );
    check(
        upsert("other", Vector::new_dense(vec![1.0; 4])).await,
        (
            Code::InvalidArgument,
            "Wrong input: Not existing vector name error: other",
        ),
    );

    let query = async |query: Query, using: &str| {
        told(
            client
                .query(QueryPointsBuilder::new(CODE).query(query).using(using))
                .await,
        )
    };
    check(
        query(Query::new_nearest(vec![1.0; 3]), "dense").await,
        (
            Code::InvalidArgument,
            "Wrong input: Vector dimension error: expected dim: 4, got 3",
        ),
    );
    check(
        query(Query::new_nearest(vec![1.0; 4]), "other").await,
        (
            Code::InvalidArgument,
            "Wrong input: Not existing vector name error: other",
        ),
    );
    check(
        query(Query::new_nearest(VectorInput::new_id(99)), "dense").await,
        (Code::NotFound, "Not found: No point with id 99 found"),
    );
    check(
        query(Query::new_fusion(Fusion::Rrf), "dense").await,
        (
            Code::InvalidArgument,
            "Bad request: Fusion queries cannot be combined with the 'using' field.",
        ),
    );
    let no_query =
        QueryPointsBuilder::new(CODE).add_prefetch(PrefetchQueryBuilder::default().query(vec![1.0; 4]));
    check(
        told(client.query(no_query).await),
        (
            Code::InvalidArgument,
            "Bad request: A query is needed to merge the prefetches. Can't have prefetches without defining a query.",
        ),
    );
    check(
        told(
            client
                .get_points(GetPointsBuilder::new(CODE, vec!["no-uuid".into()]))
                .await,
        ),
        (Code::InvalidArgument, "Unable to parse UUID: no-uuid"),
    );
    let filter = Filter::must([Condition::matches("a[", 1)]);
    check(
        told(client.query(QueryPointsBuilder::new(CODE).filter(filter)).await),
        (Code::InvalidArgument, "Invalid json path: 'a['"),
    );
    check(
        told(
            client
                .create_field_index(CreateFieldIndexCollectionBuilder::new(
                    "missing",
                    "x",
                    FieldType::Text,
                ))
                .await,
        ),
        (Code::NotFound, MISSING),
    );
    check(
        told(
            client
                .create_alias(CreateAliasBuilder::new("missing", "short"))
                .await,
        ),
        (Code::NotFound, MISSING),
    );
}

/// What the engine cannot do is said by name.
async fn limits(client: &Qdrant) {
    let vectors = NamedVectors::default().add_vector("dense", Vector::from(Document::new("text", "model")));
    let point = PointStruct::new(1, vectors, qdrant_client::Payload::new());
    check(
        told(
            client
                .upsert_points(UpsertPointsBuilder::new(CODE, vec![point]))
                .await,
        ),
        (
            Code::Unimplemented,
            "inference (a text, image or object in place of a vector) is not supported by the embedded engine",
        ),
    );
    let text = Query {
        variant: Some(Variant::Text(TextQuery::default())),
    };
    check(
        told(
            client
                .query(QueryPointsBuilder::new(CODE).query(text).using("dense"))
                .await,
        ),
        (
            Code::Unimplemented,
            "a text query is not supported by the embedded engine",
        ),
    );
    check(
        told(client.create_full_snapshot().await),
        (
            Code::Unimplemented,
            "Snapshots/CreateFull is not supported by the embedded engine",
        ),
    );
}

#[tokio::test]
async fn a_key_is_asked_for() {
    let folder = tempdir().unwrap();
    keyed(
        &Start::new(folder.path())
            .arg("--embedded")
            .arg("--api-key")
            .arg("12345678")
            .ready(),
    )
    .await;
}

#[tokio::test]
async fn a_real_qdrant_asks_for_it_alike() {
    let Some(program) = Real::program() else { return };
    let folder = tempdir().unwrap();
    let start = Start::new(folder.path()).arg("--qdrant").arg(program);
    keyed(&start.arg("--api-key").arg("12345678").ready()).await;
}

async fn keyed(launcher: &Launcher) {
    check(
        told(launcher.client().list_collections().await),
        (
            Code::Unauthenticated,
            "Must provide an API key or an Authorization bearer token",
        ),
    );
    check(
        told(launcher.client_with(Some("wrong")).list_collections().await),
        (Code::Unauthenticated, "Invalid API key or JWT"),
    );
    assert_eq!(
        launcher
            .client_with(Some("12345678"))
            .list_collections()
            .await
            .unwrap()
            .collections,
        []
    );
    // Without a key.
    launcher.client().health_check().await.unwrap();
}

#[test]
fn a_launcher_says_why_it_does_not_start() {
    let fails = |args: &[&str], status: i32, code: &str, words: &str| {
        let folder = tempdir().unwrap();
        let start = args
            .iter()
            .fold(Start::new(folder.path()), |start, arg| start.arg(arg));
        let (got, text) = start.fails();
        assert_eq!(got, status, "{text}");
        assert!(text.contains(code) && text.contains(words), "{text}");
    };
    fails(&["--embedded", "--host", "0.0.0.0"], 2, "E1015", "no API key");
    fails(&["--qdrant", "/no/such/qdrant"], 1, "E1601", "/no/such/qdrant");
    fails(&["--config", "/no/such/file"], 2, "E1604", "/no/such/file");
    fails(
        &["--embedded", "--url", "http://127.0.0.1:1"],
        2,
        "E1604",
        "choose one",
    );
}

#[test]
fn a_misspelt_variable_is_refused() {
    let folder = tempdir().unwrap();
    let start = Start::new(folder.path()).arg("--embedded");
    let (status, text) = start.env("AGENTIC_IDE_VECTORDB_GRCP_PORT", "7000").fails();
    assert_eq!(status, 2);
    let meant = "did you mean AGENTIC_IDE_VECTORDB_GRPC_PORT?";
    assert!(text.contains("E1604") && text.contains(meant), "{text}");
}

#[test]
fn a_taken_port_names_its_holder() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let folder = tempdir().unwrap();
    let (status, text) = Start::at(folder.path(), port).arg("--embedded").fails();
    assert_eq!(status, 2);
    let holder = format!("(pid {})", std::process::id());
    assert!(
        text.contains("E1602") && text.contains("grpc port") && text.contains(&holder),
        "{text}"
    );
}
