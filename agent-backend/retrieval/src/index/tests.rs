use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::store::MemoryStore;
use crate::testing::{Behaviour, FakeEmbedder, FlakyStore, failure, workspace, write};

struct Fixture {
    dir: tempfile::TempDir,
    store: FlakyStore,
    embedder: Option<FakeEmbedder>,
    id: WorkspaceId,
}

impl Fixture {
    fn new(files: &[(&str, &str)], embedder: Option<FakeEmbedder>) -> Self {
        let dir = workspace(files);
        let id = WorkspaceId::of(dir.path());
        Self {
            dir,
            store: FlakyStore::default(),
            embedder,
            id,
        }
    }

    async fn update(&self, known: &mut Option<Manifest>) -> Result<IndexReport, Error> {
        self.update_in(&self.store, known, None).await
    }

    async fn update_in(
        &self,
        store: &dyn Store,
        known: &mut Option<Manifest>,
        deadline: Option<Instant>,
    ) -> Result<IndexReport, Error> {
        let target = Target {
            store,
            files: None,
            embedder: self.embedder.as_ref().map(|embedder| embedder as &dyn Embedder),
            workspace: &self.id,
            root: self.dir.path(),
            deadline,
        };
        let manifest = look(&target, known.take()).await?;
        let scan = walk::scan(self.dir.path());
        let (report, manifest) = update(&target, &scan, manifest, &|_| {}).await?;
        *known = Some(manifest);
        Ok(report)
    }

    /// Whether the store is what a fresh run over the same files makes.
    async fn is_as_fresh(&self) -> bool {
        let fresh = MemoryStore::default();
        self.update_in(&fresh, &mut None, None).await.unwrap();
        fresh.points() == self.store.inner.points()
    }
}

fn counts(report: &IndexReport) -> [usize; 6] {
    [
        report.files_total,
        report.files_indexed,
        report.files_unchanged,
        report.files_deleted,
        report.chunks_written,
        report.chunks_deleted,
    ]
}

const A: &str = "def a():\n    return 1\n\n\ndef b():\n    return 2\n";

#[tokio::test]
async fn only_what_changed_is_written() {
    let fixture = Fixture::new(
        &[("a.py", A), ("b.md", "# B\n")],
        Some(FakeEmbedder::new(Behaviour::Works)),
    );
    let mut known = None;
    let check = async |known: &mut Option<Manifest>, expect: [usize; 6]| {
        assert_eq!(counts(&fixture.update(known).await.unwrap()), expect);
        assert!(fixture.is_as_fresh().await);
    };
    check(&mut known, [2, 2, 0, 0, 3, 0]).await;
    check(&mut known, [2, 0, 2, 0, 0, 0]).await;
    // Another process asks the store.
    check(&mut None, [2, 0, 2, 0, 0, 0]).await;
    write(fixture.dir.path(), "a.py", "def a():\n    return 3\n");
    check(&mut known, [2, 1, 1, 0, 1, 2]).await;
    fs::remove_file(fixture.dir.path().join("b.md")).unwrap();
    check(&mut known, [1, 0, 1, 1, 0, 1]).await;
    fs::rename(fixture.dir.path().join("a.py"), fixture.dir.path().join("c.py")).unwrap();
    check(&mut known, [1, 1, 0, 1, 1, 1]).await;
}

#[tokio::test]
async fn what_is_known_spares_the_listing_until_it_is_wrong() {
    let fixture = Fixture::new(&[("a.py", A)], None);
    let mut known = None;
    fixture.update(&mut known).await.unwrap();
    fixture.update(&mut known).await.unwrap();
    assert_eq!(*fixture.store.listings.lock().unwrap(), 1);
    // Somebody emptied the database.
    let ids = fixture
        .store
        .inner
        .points()
        .iter()
        .map(|point| point.id)
        .collect();
    fixture.store.inner.delete(ids).await.unwrap();
    assert_eq!(
        counts(&fixture.update(&mut known).await.unwrap()),
        [1, 1, 0, 0, 2, 0]
    );
    assert_eq!(*fixture.store.listings.lock().unwrap(), 2);
}

/// A database that lost the end of its log and got as many other points since:
/// the count alone would not tell.
#[tokio::test]
async fn a_database_that_started_anew_is_compared_again() {
    let fixture = Fixture::new(&[("a.py", A), ("b.py", "def c():\n    return 3\n")], None);
    let mut known = None;
    fixture.update(&mut known).await.unwrap();
    let points = fixture.store.inner.points();
    let lost = points
        .iter()
        .find(|point| point.record.path == "b.py")
        .unwrap()
        .clone();
    fixture.store.inner.delete(vec![lost.id]).await.unwrap();
    let stray = Point {
        id: Uuid::from_u128(1),
        record: Record {
            path: "gone.py".to_owned(),
            ..lost.record
        },
        ..lost
    };
    fixture.store.inner.upsert(vec![stray]).await.unwrap();
    assert_eq!(
        counts(&fixture.update(&mut known).await.unwrap()),
        [2, 0, 2, 0, 0, 0]
    );
    *fixture.store.generation.lock().unwrap() = "second".to_owned();
    assert_eq!(
        counts(&fixture.update(&mut known).await.unwrap()),
        [2, 1, 1, 1, 1, 1]
    );
    assert!(fixture.is_as_fresh().await);
}

#[tokio::test]
async fn workspaces_do_not_touch_each_other() {
    let fixture = Fixture::new(&[("a.py", A)], None);
    let other = Fixture::new(&[("a.py", A), ("z.py", "z = 1\n")], None);
    fixture.update(&mut None).await.unwrap();
    other.update_in(&fixture.store, &mut None, None).await.unwrap();
    fs::remove_file(fixture.dir.path().join("a.py")).unwrap();
    fixture.update(&mut None).await.unwrap();
    assert_eq!(fixture.store.count(&fixture.id).await.unwrap(), 0);
    assert_eq!(fixture.store.count(&other.id).await.unwrap(), 3);
}

#[tokio::test]
async fn documents_carry_the_models_prefix_and_their_name() {
    let fixture = Fixture::new(
        &[("a.py", "def f():\n    pass\n")],
        Some(FakeEmbedder::new(Behaviour::Works)),
    );
    fixture.update(&mut None).await.unwrap();
    let sent = fixture
        .embedder
        .as_ref()
        .unwrap()
        .documents
        .lock()
        .unwrap()
        .clone();
    assert_eq!(sent, ["search_document: f\ndef f():\n    pass"]);
}

#[tokio::test]
async fn an_interrupted_run_is_continued_wherever_it_broke() {
    for operations in 0..12 {
        let files: Vec<(String, String)> = (0..70)
            .map(|n| (format!("f{n}.py"), format!("def f{n}():\n    return {n}\n")))
            .collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let fixture = Fixture::new(&files, None);
        let mut known = None;
        fixture.update(&mut known).await.unwrap();
        for n in 0..70 {
            write(
                fixture.dir.path(),
                &format!("f{n}.py"),
                &format!("def g{n}():\n    return 1\n\n\nx = {n}\n"),
            );
        }
        fixture.store.breaks_after(operations);
        let broken = fixture.update(&mut known).await;
        fixture.store.is_mended();
        if let Err(error) = broken {
            assert!(matches!(error, Error::Unavailable { .. }));
        }
        fixture.update(&mut known).await.unwrap();
        assert!(fixture.is_as_fresh().await, "broken after {operations}");
    }
}

#[tokio::test]
async fn batches_are_bounded() {
    let text = (0..600).fold(String::new(), |text, n| {
        format!("{text}def f{n}():\n    return {n}\n\n")
    });
    let fixture = Fixture::new(&[("a.py", &text)], Some(FakeEmbedder::new(Behaviour::Works)));
    fixture.update(&mut None).await.unwrap();
    let upserts = fixture.store.upserts.lock().unwrap().clone();
    assert_eq!(upserts.iter().sum::<usize>(), 600);
    assert!(upserts.iter().all(|points| *points <= POINTS_PER_BATCH));
}

#[tokio::test(start_paused = true)]
async fn time_runs_out_and_the_next_run_goes_on() {
    let fixture = Fixture::new(&[("a.py", A)], Some(FakeEmbedder::new(Behaviour::Hangs)));
    let mut known = None;
    let deadline = Some(Instant::now() + std::time::Duration::from_secs(60));
    let report = fixture
        .update_in(&fixture.store, &mut known, deadline)
        .await
        .unwrap();
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(counts(&report), [1, 0, 0, 0, 0, 0]);
    fixture.embedder.as_ref().unwrap().becomes(Behaviour::Works);
    let report = fixture.update(&mut known).await.unwrap();
    assert_eq!(report.completeness, Completeness::Complete);
    assert!(fixture.is_as_fresh().await);
}

#[tokio::test]
async fn a_failing_model_is_told_apart_from_a_failing_store() {
    let fixture = Fixture::new(
        &[("a.py", A)],
        Some(FakeEmbedder::new(Behaviour::FailsOnDocuments)),
    );
    let result = fixture.update(&mut None).await;
    assert!(matches!(result, Err(Error::Embedding(got)) if got == failure()));
}

#[tokio::test]
async fn progress_grows_to_the_end() {
    let files: Vec<(String, String)> = (0..130)
        .map(|n| (format!("f{n}.md"), format!("text {n}\n")))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let fixture = Fixture::new(&files, None);
    let seen = Mutex::new(Vec::new());
    let target = Target {
        store: &fixture.store,
        files: None,
        embedder: None,
        workspace: &fixture.id,
        root: fixture.dir.path(),
        deadline: None,
    };
    let scan = walk::scan(fixture.dir.path());
    let manifest = look(&target, None).await.unwrap();
    update(&target, &scan, manifest, &|progress| {
        seen.lock().unwrap().push(progress)
    })
    .await
    .unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].files_done <= pair[1].files_done)
    );
    let last = Progress {
        phase: Phase::Done,
        files_done: 130,
        files_total: 130,
        chunks_done: 130,
    };
    assert_eq!(seen.last(), Some(&last));
}

#[tokio::test]
async fn keys_in_code_are_not_stored() {
    let text = "token = \"ghp_0123456789abcdefghijklmnopqrstuvwxyz\"\n";
    let fixture = Fixture::new(&[("a.py", text)], None);
    fixture.update(&mut None).await.unwrap();
    let points = fixture.store.inner.points();
    assert_eq!(points.len(), 1);
    assert!(
        !points[0].record.text.contains("ghp_"),
        "{}",
        points[0].record.text
    );
}

#[derive(Debug, Clone)]
enum Edit {
    Write(usize, usize),
    Remove(usize),
    Rename(usize, usize),
    Update,
    Break(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (0..6_usize, 0..5_usize).prop_map(|(file, version)| Edit::Write(file, version)),
        2 => (0..6_usize).prop_map(Edit::Remove),
        2 => (0..6_usize, 0..6_usize).prop_map(|(from, to)| Edit::Rename(from, to)),
        2 => Just(Edit::Update),
        1 => (0..6_usize).prop_map(Edit::Break),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn step_by_step_equals_fresh(edits in prop::collection::vec(edit(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new(&[("f0.py", A)], None);
            let root = fixture.dir.path();
            let file = |n: usize| root.join(format!("f{n}.py"));
            let mut known = None;
            for edit in edits {
                match edit {
                    Edit::Write(n, version) => {
                        let text = (0..=version).fold(String::new(), |text, m| format!("{text}def f{m}():\n    pass\n\n"));
                        fs::write(file(n), text).unwrap();
                    }
                    Edit::Remove(n) => drop(fs::remove_file(file(n))),
                    Edit::Rename(from, to) => drop(fs::rename(file(from), file(to))),
                    Edit::Update => {
                        fixture.store.is_mended();
                        fixture.update(&mut known).await.unwrap();
                    }
                    Edit::Break(operations) => {
                        fixture.store.breaks_after(operations);
                        let _ = fixture.update(&mut known).await;
                        fixture.store.is_mended();
                    }
                }
            }
            fixture.update(&mut known).await.unwrap();
            assert!(fixture.is_as_fresh().await);
            let ids: BTreeSet<_> = fixture.store.inner.points().iter().map(|point| point.id).collect();
            assert_eq!(ids.len(), known.unwrap().points());
        });
    }
}
