//! The history kept up to date against a fresh reading, whatever happens to HEAD.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// Something that happens to a repository.
#[derive(Debug, Clone)]
enum Step {
    Commit(usize),
    Amend,
    Move(usize, usize),
    /// HEAD back by so many commits.
    Reset(usize),
    Detach(usize),
    /// A commit on a branch from before, merged.
    Merge(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_usize).prop_map(Step::Commit),
        1 => Just(Step::Amend),
        1 => (0..4_usize, 0..4_usize).prop_map(|(from, to)| Step::Move(from, to)),
        1 => (1..3_usize).prop_map(Step::Reset),
        1 => (1..3_usize).prop_map(Step::Detach),
        1 => (0..4_usize).prop_map(Step::Merge),
    ]
}

fn happen(repository: &Repository, step: &Step, day: u32) {
    let exists = |commit: &str| {
        let found = Command::new("git")
            .arg("-C")
            .arg(repository.root())
            .args(["rev-parse", "--quiet", "--verify", commit])
            .stdout(Stdio::null())
            .status();
        found.unwrap().success()
    };
    let file = |number: usize| format!("file{number}.py");
    match step {
        Step::Commit(number) => {
            repository.commit(
                &format!("teach number{number} day{day}"),
                &[(&file(*number), &format!("v = {day}\n"))],
                day,
            );
        }
        Step::Amend => {
            repository.git(&[
                "commit",
                "--quiet",
                "--amend",
                "--allow-empty",
                "--message",
                &format!("amend day{day}"),
            ]);
        }
        Step::Move(from, to) => {
            let there = repository.root().join(file(*from)).exists();
            if there && from != to {
                repository.git(&["mv", "--force", &file(*from), &file(*to)]);
                repository.commit(&format!("move day{day}"), &[], day);
            }
        }
        Step::Reset(back) => {
            let commit = format!("HEAD~{back}");
            if exists(&commit) {
                repository.git(&["reset", "--quiet", "--hard", &commit]);
            }
        }
        Step::Detach(back) => {
            let commit = format!("HEAD~{back}");
            if exists(&commit) {
                repository.git(&["checkout", "--quiet", "--detach", &commit]);
            }
        }
        Step::Merge(number) => {
            if exists("HEAD~1") {
                let head = repository.git(&["rev-parse", "HEAD"]);
                repository.git(&["checkout", "--quiet", "--detach", "HEAD~1"]);
                let path = format!("side{number}_{day}.py");
                repository.commit(&format!("side day{day}"), &[(&path, "s = 1\n")], day);
                let side = repository.git(&["rev-parse", "HEAD"]);
                repository.git(&["checkout", "--quiet", "--detach", head.trim()]);
                repository.git(&["merge", "--quiet", "--no-ff", "--no-edit", side.trim()]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_history_kept_up_to_date_is_a_fresh_one(steps in prop::collection::vec(step(), 1..7)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let repository = Repository::new();
        repository.commit("start", &[("file0.py", "v = 0\n")], 0);
        let mut history = History::default();
        let mut corpus = Corpus::default();
        for (day, step) in steps.iter().enumerate() {
            happen(&repository, step, u32::try_from(day).unwrap() + 1);
            let news = runtime.block_on(history.update(repository.root()));
            corpus.refresh(repository.root());
            corpus.join(&history, news);
            prop_assert!(runtime.block_on(history.check(repository.root())), "{:?}", step);
            let (fresh, _) = runtime.block_on(repository.index());
            for query in ["number1 teach", "side day2", "move amend"] {
                prop_assert_eq!(ask(&corpus, query), ask(&fresh, query));
            }
        }
    }
}

#[tokio::test]
async fn the_checker_sees_a_history_that_is_old() {
    let repository = Repository::new();
    repository.commit("start", &[("a.py", "a = 1\n")], 0);
    let mut history = History::default();
    history.update(repository.root()).await;
    assert!(history.check(repository.root()).await);
    repository.commit("next", &[("a.py", "a = 2\n")], 1);
    assert!(!history.check(repository.root()).await);
}

#[tokio::test]
async fn an_amended_message_is_forgotten() {
    let repository = Repository::new();
    repository.commit("start", &[("a.py", "a = 1\n")], 0);
    repository.commit("teach the giraffe", &[("a.py", "a = 2\n")], 1);
    let (mut corpus, mut history) = repository.index().await;
    assert_eq!(paths(&ask(&corpus, "giraffe")), ["a.py"]);
    repository.git(&["commit", "--quiet", "--amend", "--message", "teach the zebra"]);
    assert!(history.update(repository.root()).await);
    corpus.join(&history, true);
    assert_eq!(paths(&ask(&corpus, "giraffe")), [""; 0]);
    assert_eq!(paths(&ask(&corpus, "zebra")), ["a.py"]);
}

#[tokio::test]
async fn a_shallow_clone_has_what_it_has_and_learns_the_rest() {
    let origin = Repository::new();
    origin.commit("teach the giraffe", &[("a.py", "a = 1\n")], 0);
    origin.commit("teach the zebra", &[("b.py", "b = 1\n")], 1);
    let clone = Repository::new();
    let url = format!("file://{}", origin.root().display());
    clone.git(&["fetch", "--quiet", "--depth", "1", &url, "main"]);
    clone.git(&["checkout", "--quiet", "--detach", "FETCH_HEAD"]);
    let (_, mut history) = clone.index().await;
    // What the last commit is said to have added is the whole tree.
    assert_eq!(history.commits(), 1);
    clone.git(&["fetch", "--quiet", "--unshallow", &url, "main"]);
    assert!(history.update(clone.root()).await);
    assert_eq!(history.commits(), 2);
    assert!(history.check(clone.root()).await);
}

#[tokio::test]
async fn a_history_of_a_hundred_thousand_commits_is_read_from_its_newer_end() {
    const COMMITS: usize = 100_000;
    let repository = Repository::new();
    let mut git = Command::new("git")
        .arg("-C")
        .arg(repository.root())
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stream = String::new();
    for number in 0..COMMITS {
        let message = format!("teach {}\n", word(number));
        let text = format!("v = {number}\n");
        write!(
            stream,
            "commit refs/heads/main\ncommitter A <a@example.org> {} +0000\ndata {}\n{message}M 100644 inline f{}.py\ndata {}\n{text}",
            1_704_067_200 + number,
            message.len(),
            number % 8,
            text.len(),
        )
        .unwrap();
    }
    git.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(git.wait().unwrap().success());
    repository.git(&["reset", "--quiet", "--hard"]);
    let (corpus, history) = repository.index().await;
    assert_eq!(history.commits(), 10_000);
    let last = COMMITS - 1;
    let check = |number: usize, expect: &[&str]| {
        assert_eq!(paths(&ask(&corpus, &word(number))), expect, "{number}");
    };
    check(last, &[format!("f{}.py", last % 8).as_str()]);
    check(0, &[]);
}

/// A word of its own for each number.
fn word(number: usize) -> String {
    let digits = number.to_string();
    let letters = digits.bytes().map(|digit| char::from(digit - b'0' + b'k'));
    letters.chain("zzq".chars()).collect()
}
