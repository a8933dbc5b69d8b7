use shared::error::Code;

use super::*;
use crate::pack;
use crate::report::{Completeness, Mode};
use crate::testing::{Behaviour, Database, FakeEmbedder, FlakyStore, workspace, write};

const FILES: &[(&str, &str)] = &[
    (
        "app/users.py",
        "class UserRepository:\n    def find_by_email(self, email):\n        return self.db.get(email)\n",
    ),
    (
        "app/orders.py",
        "def total_price(order):\n    return sum(line.price for line in order.lines)\n",
    ),
    ("README.md", "# Shop\n\nA small shop.\n"),
];

struct Fixture {
    dir: tempfile::TempDir,
    embedder: Arc<FakeEmbedder>,
    hybrid: Arc<FlakyStore>,
    files: Arc<FlakyStore>,
    keyword: Arc<FlakyStore>,
    service: Service,
}

impl Fixture {
    fn new(behaviour: Option<Behaviour>) -> Self {
        let embedder = Arc::new(FakeEmbedder::new(behaviour.unwrap_or(Behaviour::Works)));
        let (hybrid, keyword) = (Arc::new(FlakyStore::default()), Arc::new(FlakyStore::default()));
        let files = Arc::new(FlakyStore::default());
        let stores = Stores {
            hybrid: hybrid.clone(),
            files: files.clone(),
            keyword: keyword.clone(),
        };
        let models = Models {
            embedder: behaviour.map(|_| embedder.clone() as Arc<dyn Embedder>),
            ..Models::default()
        };
        let service = Service::over(Options::default(), models, stores);
        Self {
            dir: workspace(FILES),
            embedder,
            hybrid,
            files,
            keyword,
            service,
        }
    }

    async fn ask(&self, query: &str) -> Retrieved {
        self.service.retrieve(self.dir.path(), query).await.unwrap()
    }
}

fn codes(retrieved: &Retrieved) -> Vec<Code> {
    retrieved.notices.iter().map(|notice| notice.code).collect()
}

/// Mode, codes of the notices, path of the best item.
#[track_caller]
fn check(got: &Retrieved, mode: Mode, notices: &[Code], best: &str) {
    assert_eq!((got.mode, codes(got).as_slice()), (mode, notices));
    assert_eq!(got.items.first().map(|item| item.path.as_str()), Some(best));
    assert_eq!(got.ranked.first().map(|item| item.path.as_str()), Some(best));
    assert!(got.packed.starts_with(&format!("=== {best}:")), "{}", got.packed);
    assert_eq!(got.tokens, pack::tokens(&got.packed));
}

#[tokio::test]
async fn hybrid() {
    let fixture = Fixture::new(Some(Behaviour::Works));
    check(
        &fixture.ask("find a user by email").await,
        Mode::Hybrid,
        &[],
        "app/users.py",
    );
    check(
        &fixture.ask("total price of an order").await,
        Mode::Hybrid,
        &[],
        "app/orders.py",
    );
    let queries = fixture.embedder.queries.lock().unwrap().clone();
    assert_eq!(
        queries,
        [
            "search_query: find a user by email",
            "search_query: total price of an order"
        ]
    );
    assert_eq!(fixture.keyword.inner.points(), []);
}

#[tokio::test]
async fn whole_answer() {
    let fixture = Fixture::new(None);
    let got = fixture.ask("totalPrice").await;
    let text = FILES[1].1.trim_end();
    assert_eq!(
        got.packed,
        format!("=== app/orders.py:1-2 total_price ===\n{text}\n\n")
    );
    assert_eq!(got.items.len(), 1);
    let item = &got.items[0];
    assert_eq!(
        (item.start_line, item.end_line, item.symbol.as_deref()),
        (1, 2, Some("total_price"))
    );
    assert_eq!((item.text.as_str(), &got.ranked), (text, &got.items));
}

#[tokio::test]
async fn without_a_model_keywords_answer_and_say_so() {
    let fixture = Fixture::new(None);
    check(
        &fixture.ask("find user email").await,
        Mode::Keyword,
        &[Code::EmbeddingFailed],
        "app/users.py",
    );
}

#[tokio::test]
async fn a_model_that_fails_costs_only_the_vectors() {
    let fixture = Fixture::new(Some(Behaviour::FailsOnDocuments));
    check(
        &fixture.ask("find user email").await,
        Mode::Keyword,
        &[Code::ModelNotPulled],
        "app/users.py",
    );
    fixture.embedder.becomes(Behaviour::Works);
    check(
        &fixture.ask("find user email").await,
        Mode::Hybrid,
        &[],
        "app/users.py",
    );
    fixture.embedder.becomes(Behaviour::FailsOnQueries);
    check(
        &fixture.ask("find user email").await,
        Mode::Keyword,
        &[Code::ModelNotPulled],
        "app/users.py",
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_that_hangs_does_not_hold_the_answer_back() {
    let fixture = Fixture::new(Some(Behaviour::Hangs));
    let got = fixture.ask("find user email").await;
    check(&got, Mode::Keyword, &[Code::IndexFailed], "app/users.py");
    assert_eq!(
        got.notices[0].message,
        "0 of 3 files are embedded so far; this search used keywords alone"
    );
}

#[tokio::test]
async fn without_the_database_this_process_answers() {
    let fixture = Fixture::new(Some(Behaviour::Works));
    for store in [&fixture.hybrid, &fixture.keyword] {
        store.breaks_after(0);
    }
    check(
        &fixture.ask("find user email").await,
        Mode::LocalKeyword,
        &[Code::VectorDbUnavailable],
        "app/users.py",
    );
    // It sees what changed.
    write(fixture.dir.path(), "app/users.py", "x = 1\n");
    write(
        fixture.dir.path(),
        "app/mail.py",
        "def find_user_email():\n    pass\n",
    );
    check(
        &fixture.ask("find user email").await,
        Mode::LocalKeyword,
        &[Code::VectorDbUnavailable],
        "app/mail.py",
    );
    for store in [&fixture.hybrid, &fixture.keyword] {
        store.is_mended();
    }
    check(
        &fixture.ask("find user email").await,
        Mode::Hybrid,
        &[],
        "app/mail.py",
    );
}

#[tokio::test]
async fn a_database_lost_on_the_way_is_one_that_does_not_answer() {
    for operations in 1..6 {
        let fixture = Fixture::new(Some(Behaviour::Works));
        fixture.hybrid.breaks_after(operations);
        let got = fixture.ask("find user email").await;
        if operations < 5 {
            check(
                &got,
                Mode::LocalKeyword,
                &[Code::VectorDbUnavailable],
                "app/users.py",
            );
        } else {
            check(&got, Mode::Hybrid, &[], "app/users.py");
        }
    }
}

#[tokio::test]
async fn keyword_rankings_agree_with_and_without_the_database() {
    let fixture = Fixture::new(None);
    let stored = fixture.ask("price of the user's order email").await;
    fixture.keyword.breaks_after(0);
    let local = fixture.ask("price of the user's order email").await;
    assert_eq!(local.ranked, stored.ranked);
    assert_eq!(local.packed, stored.packed);
}

#[tokio::test]
async fn queries_without_an_answer_are_answered() {
    let fixture = Fixture::new(None);
    let check = async |query: &str, notices: &[Code]| {
        let got = fixture.ask(query).await;
        assert_eq!(
            (codes(&got).as_slice(), got.packed.as_str(), got.tokens),
            (notices, "", 0)
        );
        assert_eq!((got.items, got.ranked), (vec![], vec![]));
    };
    check("", &[Code::QueryEmpty]).await;
    check(" \n", &[Code::QueryEmpty]).await;
    check("?!", &[Code::EmbeddingFailed]).await;
    check("zebra", &[Code::EmbeddingFailed]).await;
    check("スープの作り方", &[Code::EmbeddingFailed]).await;
    check(&"unrelated ".repeat(10_000), &[Code::EmbeddingFailed]).await;
}

#[tokio::test]
async fn only_the_workspace_can_be_an_error() {
    let fixture = Fixture::new(None);
    let missing = fixture.dir.path().join("missing");
    let error = fixture.service.retrieve(&missing, "x").await.unwrap_err();
    assert_eq!(error.code(), Code::WorkspaceNotADirectory);
}

#[tokio::test]
async fn two_calls_at_once_index_once() {
    let fixture = Fixture::new(Some(Behaviour::Works));
    let (a, b) = tokio::join!(fixture.ask("find user email"), fixture.ask("total price"));
    check(&a, Mode::Hybrid, &[], "app/users.py");
    check(&b, Mode::Hybrid, &[], "app/orders.py");
    assert_eq!(fixture.hybrid.upserts.lock().unwrap().len(), 1);
    assert_eq!(
        fixture.embedder.documents.lock().unwrap().len(),
        fixture.hybrid.inner.points().len()
    );
}

#[tokio::test]
async fn index_reports() {
    let fixture = Fixture::new(Some(Behaviour::Works));
    let report = fixture.service.index(fixture.dir.path(), |_| {}).await.unwrap();
    assert_eq!(
        (report.mode, report.completeness, report.files_indexed),
        (Mode::Hybrid, Completeness::Complete, 3)
    );
    assert_eq!(report.notices, []);
    fixture.embedder.becomes(Behaviour::FailsOnDocuments);
    write(fixture.dir.path(), "new.md", "new\n");
    let report = fixture.service.index(fixture.dir.path(), |_| {}).await.unwrap();
    // The index in this process follows whether or not there are vectors.
    assert_eq!((report.mode, report.files_indexed), (Mode::Keyword, 1));
    assert_eq!(report.notices[0].code, Code::ModelNotPulled);
    fixture.keyword.breaks_after(0);
    let error = fixture
        .service
        .index(fixture.dir.path(), |_| {})
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::VectorDbUnavailable);
}

/// Against a real server, where `QDRANT_URL` or `QDRANT_BIN` names one.
#[tokio::test]
async fn a_real_database_answers_as_the_one_in_memory() {
    let Some(database) = Database::start().await else {
        return;
    };
    let fixture = Fixture::new(Some(Behaviour::Works));
    let options = Options {
        qdrant_url: database.url.clone(),
        ..Options::default()
    };
    let root = fixture.dir.path();
    for embedder in [Some(fixture.embedder.clone() as Arc<dyn Embedder>), None] {
        let models = Models {
            embedder,
            ..Models::default()
        };
        let real = Service::new(options.clone(), models.clone()).unwrap();
        let stores = Stores {
            hybrid: fixture.hybrid.clone(),
            files: fixture.files.clone(),
            keyword: fixture.keyword.clone(),
        };
        let memory = Service::over(options.clone(), models, stores);
        real.health().await.unwrap();
        for text in [FILES[0].1, "def find_user():\n    return email\n", ""] {
            write(root, "app/users.py", text);
            let report = real.index(root, |_| {}).await.unwrap();
            assert_eq!(memory.index(root, |_| {}).await.unwrap(), report);
            let (got, expect) = (
                real.retrieve(root, "find user email").await.unwrap(),
                memory.retrieve(root, "find user email").await.unwrap(),
            );
            assert_eq!((got.mode, &got.notices), (expect.mode, &expect.notices));
            // Scores depend on the IDF of other workspaces that were ever stored there.
            let paths = |items: &[crate::report::Item]| -> std::collections::BTreeSet<_> {
                items
                    .iter()
                    .map(|item| (item.path.clone(), item.start_line, item.text.clone()))
                    .collect()
            };
            assert_eq!(paths(&got.ranked), paths(&expect.ranked));
            assert_eq!(
                got.ranked.first().map(|item| &item.path),
                expect.ranked.first().map(|item| &item.path)
            );
        }
        write(root, "app/users.py", FILES[0].1);
    }
}
