use std::fs;

use proptest::prelude::*;
use shared::error::Code;

use super::*;
use crate::embed::Embedder;
use crate::report::{Mode, Retrieved};
use crate::service::{Models, Options, Request, Stores};
use crate::store::Store as _;
use crate::testing::{Behaviour, FakeEmbedder, FlakyStore, Repository, workspace, write};

struct Fixture {
    dir: tempfile::TempDir,
    embedder: Arc<FakeEmbedder>,
    store: Arc<FlakyStore>,
    service: Service,
}

impl Fixture {
    fn new(behaviour: Option<Behaviour>) -> Self {
        let dir = workspace(&[
            ("a.py", "def alpha():\n    return 1\n"),
            ("b.py", "def beta():\n    return 2\n"),
        ]);
        let embedder = Arc::new(FakeEmbedder::new(behaviour.unwrap_or(Behaviour::Works)));
        let store = Arc::new(FlakyStore::default());
        let stores = Stores {
            hybrid: store.clone(),
            files: Arc::new(FlakyStore::default()),
            keyword: store.clone(),
        };
        let models = Models {
            embedder: behaviour.map(|_| embedder.clone() as Arc<dyn Embedder>),
            ..Models::default()
        };
        Self {
            dir,
            embedder,
            store,
            service: Service::over(Options::default(), models, stores),
        }
    }

    async fn look(&self, paths: &[&str]) -> CaughtUp {
        let change = Change {
            files: Touched::Paths(paths.iter().map(|path| (*path).to_owned()).collect()),
            history: Touch::Same,
        };
        self.service.catch_up(self.dir.path(), change).await.unwrap()
    }

    async fn ask(&self, query: &str) -> Retrieved {
        self.service.retrieve(self.dir.path(), query).await.unwrap()
    }

    /// Mode, codes of the notices, paths of what was found.
    async fn check(&self, query: &str, mode: Mode, notices: &[Code], found: &[&str]) {
        let got = self.ask(query).await;
        let codes: Vec<Code> = got.notices.iter().map(|notice| notice.code).collect();
        let paths: Vec<&str> = got.items.iter().map(|item| item.path.as_str()).collect();
        assert_eq!(
            (got.mode, &codes[..], &paths[..]),
            (mode, notices, found),
            "{query}"
        );
    }
}

/// On a runtime whose only thread for blocking work is busy when the question
/// needs it.
#[test]
fn a_question_that_is_dropped_takes_nothing_with_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build();
    runtime.unwrap().block_on(drop_a_question());
}

async fn drop_a_question() {
    let fixture = Fixture::new(None);
    fixture.look(&[]).await;
    let session = fixture.service.open(fixture.dir.path()).await.unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let busy = tokio::task::spawn_blocking(move || released.recv());
    let request = Request::new("alpha");
    // Dropped at its first wait, before the index is at work for it.
    let answered = tokio::select! {
        biased;
        _ = session.search(&request) => true,
        () = std::future::ready(()) => false,
    };
    assert!(!answered);
    release.send(()).unwrap();
    busy.await.unwrap().unwrap();
    drop(session);
    fixture
        .check("alpha", Mode::Keyword, &[Code::EmbeddingFailed], &["a.py"])
        .await;
    assert_eq!(fixture.look(&["b.py"]).await.files, 2);
}

#[tokio::test]
async fn a_watched_workspace_is_looked_at_only_where_it_changed() {
    let fixture = Fixture::new(None);
    let check = async |query: &str, found: &[&str]| {
        fixture
            .check(query, Mode::Keyword, &[Code::EmbeddingFailed], found)
            .await;
    };
    assert_eq!(fixture.look(&[]).await.files, 2);
    write(fixture.dir.path(), "sub/c.py", "def gamma():\n    return 3\n");
    fs::remove_file(fixture.dir.path().join("a.py")).unwrap();
    check("gamma", &[]).await;
    let expect = CaughtUp {
        files: 2,
        parts: 2,
        indexed: 1,
        removed: 1,
    };
    assert_eq!(fixture.look(&["sub", "a.py"]).await, expect);
    check("gamma", &["sub/c.py"]).await;
    check("alpha", &[]).await;
    // Without a watch every question looks.
    write(fixture.dir.path(), "d.py", "def delta():\n    return 4\n");
    fixture.service.unwatch(fixture.dir.path()).await;
    check("delta", &["d.py"]).await;
}

#[tokio::test]
async fn questions_do_not_embed_and_do_not_wait_for_vectors() {
    let fixture = Fixture::new(Some(Behaviour::Works));
    fixture.look(&[]).await;
    let few = [Code::IndexFailed];
    fixture.check("alpha", Mode::Keyword, &few, &["a.py"]).await;
    assert_eq!(fixture.embedder.documents.lock().unwrap().len(), 0);
    let report = fixture.service.embed(fixture.dir.path(), |_| {}).await.unwrap();
    assert_eq!(report.unwrap().files_indexed, 2);
    let got = fixture.ask("alpha").await;
    assert_eq!((got.mode, got.items[0].path.as_str()), (Mode::Hybrid, "a.py"));

    // Half of the files have old vectors; embedding hangs.
    fixture.embedder.becomes(Behaviour::Hangs);
    write(fixture.dir.path(), "a.py", "def omega():\n    return 9\n");
    fixture.look(&["a.py"]).await;
    let (service, root) = (fixture.service.clone(), fixture.dir.path().to_owned());
    let embedding = tokio::spawn(async move { service.embed(&root, |_| {}).await.map(|_| ()) });
    fixture.check("omega", Mode::Keyword, &few, &["a.py"]).await;

    // It is given up, and another run goes on.
    embedding.abort();
    assert!(embedding.await.unwrap_err().is_cancelled());
    fixture.embedder.becomes(Behaviour::Works);
    fixture.service.embed(fixture.dir.path(), |_| {}).await.unwrap();
    let got = fixture.ask("omega").await;
    assert_eq!((got.mode, got.items[0].path.as_str()), (Mode::Hybrid, "a.py"));
    assert_eq!(fixture.embedder.documents.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_database_that_is_down_is_told_and_costs_no_embedding() {
    let fixture = Fixture::new(Some(Behaviour::Works));
    fixture.look(&[]).await;
    fixture.store.breaks_after(0);
    let error = fixture
        .service
        .embed(fixture.dir.path(), |_| {})
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::VectorDbUnavailable);
    assert_eq!(fixture.embedder.documents.lock().unwrap().len(), 0);
    let down = [Code::VectorDbUnavailable];
    fixture.check("beta", Mode::LocalKeyword, &down, &["b.py"]).await;
}

#[tokio::test]
async fn a_forgotten_workspace_leaves_nothing_and_takes_nothing_of_others() {
    let (one, other) = (Fixture::new(Some(Behaviour::Works)), Fixture::new(None));
    one.look(&[]).await;
    one.service.embed(one.dir.path(), |_| {}).await.unwrap();
    let stored = one.store.inner.points().len();
    one.service.embed(other.dir.path(), |_| {}).await.unwrap();
    one.service.forget(other.dir.path()).await.unwrap();
    assert_eq!(one.store.inner.points().len(), stored);
    one.service.forget(one.dir.path()).await.unwrap();
    assert_eq!(one.store.inner.points(), []);
    // It can be built again.
    one.service.embed(one.dir.path(), |_| {}).await.unwrap();
    assert_eq!(one.store.inner.points().len(), stored);
}

#[tokio::test]
async fn services_that_share_have_one_index() {
    let keyword = Fixture::new(None);
    let hybrid = Fixture::new(Some(Behaviour::Works));
    let shared = hybrid.service.sharing(&keyword.service);
    keyword.look(&[]).await;
    write(keyword.dir.path(), "c.py", "def gamma():\n    return 3\n");
    let found = shared.retrieve(keyword.dir.path(), "gamma").await.unwrap();
    assert_eq!(found.items, [], "the one that is watched");
}

#[tokio::test]
async fn commits_are_read_when_told() {
    let repository = Repository::new();
    let text = "def run():\n    return 1\n";
    repository.commit("start", &[("a.py", text), ("b.py", text)], 0);
    let service = Fixture::new(None).service;
    let look = async |history| {
        let files = Touched::Paths(["b.py".to_owned()].into());
        let change = Change { files, history };
        service.catch_up(repository.root(), change).await.unwrap();
    };
    let best = async || {
        let found = service.retrieve(repository.root(), "run zebra").await.unwrap();
        found.items[0].path.clone()
    };
    look(Touch::Same).await;
    assert_eq!(best().await, "a.py");
    let longer = format!("{text}\n");
    repository.commit("Teach the zebra", &[("b.py", &longer)], 1);
    look(Touch::Same).await;
    assert_eq!(best().await, "a.py");
    look(Touch::Changed).await;
    assert_eq!(best().await, "b.py");
}

/// An edit: which path, and its new words or none.
fn edits() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    let path = prop::sample::select(vec!["a.py", "d/a.py", "d/b.md", "d/e/c.rs", "f.txt"]);
    let text = prop::option::weighted(0.7, "(alpha|beta|gamma|delta)( (alpha|beta|gamma)){0,3}");
    prop::collection::vec((path.prop_map(str::to_owned), text), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_index_that_is_kept_answers_as_a_fresh_one(rounds in prop::collection::vec(edits(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new(Some(Behaviour::Works));
            let root = fixture.dir.path();
            fixture.look(&[]).await;
            for edits in rounds {
                let mut changed = Vec::new();
                for (path, text) in edits {
                    match text {
                        Some(text) => write(root, &path, &text),
                        // It may not be there.
                        None => drop(fs::remove_file(root.join(&path))),
                    }
                    changed.push(path);
                }
                let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
                fixture.look(&changed).await;
                fixture.service.embed(root, |_| {}).await.unwrap();
                let fresh = Fixture::new(Some(Behaviour::Works));
                for query in ["alpha", "beta gamma", "delta"] {
                    let mut fresh = fresh.service.retrieve(root, query).await.unwrap();
                    let mut kept = fixture.ask(query).await;
                    (fresh.times, kept.times) = (Vec::new(), Vec::new());
                    assert_eq!(kept, fresh, "{query}");
                }
            }
        });
    }
}

/// The database is killed and comes back without a point, and nothing changed in
/// the workspace: the next question finds out, whatever the watch says.
#[tokio::test]
async fn a_database_that_lost_points_is_made_whole_by_a_question() {
    let fixture = Fixture::new(Some(Behaviour::Works));
    fixture.look(&[]).await;
    fixture.service.embed(fixture.dir.path(), |_| {}).await.unwrap();
    let whole = fixture.store.inner.points();
    let embedded = || fixture.embedder.documents.lock().unwrap().len();
    assert_eq!((whole.len(), embedded()), (2, 2));
    let lose = async || fixture.store.inner.delete(vec![whole[0].id]).await.unwrap();
    let again = async |expect: usize| {
        assert_eq!(fixture.ask("alpha").await.mode, Mode::Hybrid);
        assert_eq!(
            (fixture.store.inner.points(), embedded()),
            (whole.clone(), expect)
        );
    };
    again(2).await;
    // The count tells.
    lose().await;
    again(3).await;
    // It does not, and the generation does.
    lose().await;
    let mut other = whole[1].clone();
    other.id = uuid::Uuid::from_u128(1);
    other.record.path = "gone.py".to_owned();
    fixture.store.inner.upsert(vec![other]).await.unwrap();
    *fixture.store.generation.lock().unwrap() = "second".to_owned();
    assert_eq!(fixture.ask("alpha").await.mode, Mode::Hybrid);
    assert_eq!(embedded(), 4);
    // It was away in between: then it is compared, and nothing is missing.
    let listings = || *fixture.store.listings.lock().unwrap();
    let before = listings();
    fixture.store.breaks_after(0);
    assert_eq!(fixture.ask("alpha").await.mode, Mode::LocalKeyword);
    fixture.store.is_mended();
    assert_eq!(fixture.ask("alpha").await.mode, Mode::Hybrid);
    assert_eq!((listings(), embedded()), (before + 1, 4));
}

/// Whoever brings the vectors up to date has not looked yet.
#[tokio::test(start_paused = true)]
async fn a_question_does_not_trust_what_was_seen_of_a_database_before_it_started_anew() {
    let fixture = Fixture::new(Some(Behaviour::Works));
    fixture.look(&[]).await;
    fixture.service.embed(fixture.dir.path(), |_| {}).await.unwrap();
    let whole = fixture.store.inner.points();
    let kept = fixture.service.kept(&fixture.dir.path().canonicalize().unwrap());
    let writer = kept.hybrid.lock().await;
    assert_eq!(fixture.ask("alpha").await.mode, Mode::Hybrid);
    fixture.store.inner.delete(vec![whole[0].id]).await.unwrap();
    *fixture.store.generation.lock().unwrap() = "second".to_owned();
    fixture
        .check("alpha", Mode::Keyword, &[Code::IndexFailed], &["a.py"])
        .await;
    drop(writer);
    assert_eq!(fixture.ask("alpha").await.mode, Mode::Hybrid);
    assert_eq!(fixture.store.inner.points(), whole);
}

#[tokio::test]
async fn a_question_embeds_nothing_while_that_is_paused() {
    let fixture = Fixture::new(Some(Behaviour::Works));
    fixture.look(&[]).await;
    fixture.service.embed(fixture.dir.path(), |_| {}).await.unwrap();
    let points = fixture.store.inner.points();
    fixture.service.embedding(fixture.dir.path(), Embedding::Paused);
    assert_eq!(fixture.ask("alpha").await.mode, Mode::Hybrid);
    fixture.store.inner.delete(vec![points[0].id]).await.unwrap();
    let embedded = || fixture.embedder.documents.lock().unwrap().len();
    fixture
        .check("alpha", Mode::Keyword, &[Code::IndexFailed], &["a.py"])
        .await;
    assert_eq!(embedded(), 2);
    fixture.service.embedding(fixture.dir.path(), Embedding::Allowed);
    assert_eq!(fixture.ask("alpha").await.mode, Mode::Hybrid);
    assert_eq!(embedded(), 3);
}
