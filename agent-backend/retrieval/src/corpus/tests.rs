//! The index kept up to date step by step against a fresh one, and the quality
//! of the answers on a small repository.

use std::fs;
use std::path::Path;

use super::*;
use crate::chunk::Kind;
use crate::corpus::rank::{Detail, Ranking, Weights};
use crate::corpus::signals::Signal;
use crate::fusion::Fusion;
use crate::identity::{ContentHash, WorkspaceId};
use crate::language::Language;
use crate::profile::Profile;
use crate::search::{Near, Question};
use crate::store::{Hit, Record};
use crate::testing::{Repository, workspace, write};

mod bad_input;
mod incremental;
mod past;
mod quality;

fn fresh(root: &Path) -> Corpus {
    let mut corpus = Corpus::default();
    corpus.refresh(root);
    corpus.join(&History::default(), true);
    corpus
}

fn ask(corpus: &Corpus, query: &str) -> Ranking {
    corpus.ask(&Question::new(query), &[], &Weights::default(), 50)
}

fn paths(ranking: &Ranking) -> Vec<&str> {
    ranking.files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn each_signal_finds_its_file() {
    let dir = workspace(&[
        ("src/mail.py", "def deliver(message):\n    return 1\n"),
        ("src/parcel_box.py", "x = 1\n"),
        ("web/from-json.ts", "x = 1\n"),
        ("web/to-json.ts", "x = 1\n"),
        ("src/other.py", "# the zebra\ny = 2\n"),
        ("tests/test_other.py", "# the zebra\n"),
    ]);
    let corpus = fresh(dir.path());
    let check = |query: &str, expect: &[&str]| assert_eq!(paths(&ask(&corpus, query)), expect, "{query}");
    check("parcel box", &["src/parcel_box.py"]);
    check("toJson", &["web/to-json.ts", "web/from-json.ts"]);
    check("deliver", &["src/mail.py"]);
    check("zebra", &["src/other.py", "tests/test_other.py"]);
    check("", &[]);
    check("nothing of it", &[]);
}

/// The first part of a file as the vector database finds it.
fn near(path: &str, score: f64) -> Hit {
    Hit {
        record: Record {
            workspace: WorkspaceId::of(Path::new("/w")),
            path: path.to_owned(),
            language: Language::of(path),
            kind: Kind::Block,
            symbol: None,
            start_line: 1,
            end_line: 1,
            content: ContentHash::of(b""),
            chunks: 1,
            text: String::new(),
        },
        score,
        vector: None,
    }
}

#[test]
fn a_model_decides_what_the_words_leave_open() {
    let dir = workspace(&[
        ("a.py", "# the zebra, the zebra\n"),
        ("b.py", "# the zebra and other animals of the wide savanna\n"),
        ("c.py", "x = 1\n"),
    ]);
    let corpus = fresh(dir.path());
    let hits = [near("b.py", 0.9), near("c.py", 0.8), near("a.py", 0.1)];
    let check = |query: &str, fusion: Fusion, expect: &[&str]| {
        let mut profile = Profile::best();
        profile.files.fusion = fusion;
        profile.files.weights.set(Signal::Meaning, 1.5);
        let near = Near {
            chunks: hits.to_vec(),
            ..Near::default()
        };
        let question = Question::new(query);
        let ranking = corpus.rank(&question, &near, &profile, Detail::Values, &mut |_| true);
        assert_eq!(paths(&ranking), expect, "{query}");
    };
    check("zebra", Fusion::Weighted, &["b.py", "a.py", "c.py"]);
    check("zebra", Fusion::Complement, &["a.py", "b.py", "c.py"]);
    check("striped", Fusion::Complement, &["b.py", "c.py"]);
}

#[test]
fn parts_are_those_of_the_best_files_and_shown_without_secrets() {
    let dir = workspace(&[(
        "app.py",
        "def one():\n    return 1\n\n\ndef connect():\n    password = \"hunter2hunter2\"\n",
    )]);
    let corpus = fresh(dir.path());
    let ranking = ask(&corpus, "connect");
    let items = corpus.items(dir.path(), &ranking.parts);
    assert_eq!(
        (items[0].start_line, items[0].end_line, items[0].symbol.as_deref()),
        (5, 6, Some("connect"))
    );
    // What changed since is not shown: its lines are elsewhere.
    write(dir.path(), "app.py", "x = 1\n");
    assert_eq!(corpus.items(dir.path(), &ranking.parts), []);
}

#[test]
fn what_an_update_did() {
    let dir = workspace(&[("a.py", "a = 1\n"), ("b.py", "b = 1\n")]);
    let root = dir.path();
    let mut corpus = Corpus::default();
    let mut check = |indexed, unchanged, removed| {
        let update = corpus.refresh(root);
        assert_eq!(
            (update.indexed, update.unchanged, update.removed),
            (indexed, unchanged, removed)
        );
    };
    check(2, 0, 0);
    check(0, 2, 0);
    write(root, "a.py", "a = 2\n");
    fs::remove_file(root.join("b.py")).unwrap();
    write(root, "c.py", "c = 1\n");
    check(2, 0, 1);
}

#[tokio::test]
async fn history_finds_what_the_text_does_not_say() {
    let repository = Repository::new();
    repository.commit("start", &[("src/a.py", "x = 1\n"), ("src/b.py", "y = 1\n")], 1);
    repository.commit("teach the giraffe to swim", &[("src/b.py", "y = 2\n")], 2);
    let (corpus, history) = repository.index().await;
    assert_eq!(history.commits(), 2);
    let ranking = ask(&corpus, "giraffe drowns");
    assert_eq!(paths(&ranking), ["src/b.py"]);
    let value = |signal: Signal| {
        let at = Signal::ALL.iter().position(|other| *other == signal).unwrap();
        ranking.files[0].values[at]
    };
    assert!(value(Signal::Messages) > 0.0 && value(Signal::Similar) > 0.0);
    assert_eq!(value(Signal::Body), 0.0);
    // None of its parts says it either: its head stands for the file.
    assert_eq!(ranking.parts.len(), 1);
    assert_eq!(ranking.parts[0].score, ranking.files[0].score);
}

#[tokio::test]
async fn history_follows_renames_and_stops_at_head() {
    let repository = Repository::new();
    repository.commit(
        "teach the giraffe to swim",
        &[("old.py", "a = 1\nb = 2\nc = 3\n")],
        1,
    );
    repository.git(&["mv", "old.py", "new.py"]);
    repository.commit("move", &[], 2);
    let before = repository.git(&["rev-parse", "HEAD"]);
    repository.commit(
        "teach the zebra to fly",
        &[("new.py", "a = 1\nb = 2\nc = 4\n")],
        3,
    );
    let (mut corpus, mut history) = repository.index().await;
    assert_eq!(paths(&ask(&corpus, "giraffe")), ["new.py"]);
    assert_eq!(paths(&ask(&corpus, "zebra")), ["new.py"]);
    // Back in time: what came later must be forgotten.
    repository.git(&["checkout", "--quiet", "--detach", before.trim()]);
    assert!(history.update(repository.root()).await);
    corpus.refresh(repository.root());
    corpus.join(&history, true);
    assert_eq!(paths(&ask(&corpus, "zebra")), [""; 0]);
    assert_eq!(paths(&ask(&corpus, "giraffe")), ["new.py"]);
}

#[tokio::test]
async fn history_read_in_steps_is_history_read_at_once() {
    let repository = Repository::new();
    let mut history = History::default();
    let words = [
        "parse the header",
        "write the header",
        "drop the cache",
        "cache the parser",
    ];
    for (time, message) in words.iter().enumerate() {
        let path = format!("f{}.py", time % 2);
        repository.commit(
            message,
            &[(path.as_str(), &format!("v = {time}\n"))],
            u32::try_from(time).unwrap(),
        );
        assert!(history.update(repository.root()).await);
        assert!(!history.update(repository.root()).await);
    }
    let (fresh, _) = repository.index().await;
    let mut stepwise = Corpus::default();
    stepwise.refresh(repository.root());
    stepwise.join(&history, true);
    for query in ["header", "cache parser", "drop"] {
        assert_eq!(ask(&stepwise, query), ask(&fresh, query));
    }
}

#[tokio::test]
async fn without_a_history_nothing_fails() {
    let plain = workspace(&[("a.py", "giraffe = 1\n")]);
    let mut history = History::default();
    assert!(!history.update(plain.path()).await);
    assert_eq!(history.commits(), 0);
    // A repository without a commit.
    let repository = Repository::new();
    write(repository.root(), "a.py", "giraffe = 1\n");
    let (corpus, history) = repository.index().await;
    assert_eq!(
        (history.commits(), paths(&ask(&corpus, "giraffe"))),
        (0, vec!["a.py"])
    );
    // A damaged one.
    repository.commit("start", &[], 1);
    fs::remove_dir_all(repository.root().join(".git/objects")).unwrap();
    let (corpus, history) = repository.index().await;
    assert_eq!(
        (history.commits(), paths(&ask(&corpus, "giraffe"))),
        (0, vec!["a.py"])
    );
}

#[tokio::test]
async fn a_directory_of_a_repository_has_its_own_history() {
    let repository = Repository::new();
    repository.commit("teach the giraffe", &[("app/a.py", "x = 1\n")], 1);
    repository.commit("teach the zebra", &[("lib/b.py", "x = 1\n")], 2);
    let root = repository.root().join("app");
    let mut history = History::default();
    history.update(&root).await;
    let mut corpus = Corpus::default();
    corpus.refresh(&root);
    corpus.join(&history, true);
    assert_eq!(paths(&ask(&corpus, "giraffe")), ["a.py"]);
    assert_eq!(paths(&ask(&corpus, "zebra")), [""; 0]);
}
