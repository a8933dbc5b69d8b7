//! What is told of a repository's history, and what is not.

use tools::{Workspace, history::Between};

use crate::support::Place;

fn open(place: &Place) -> Workspace {
    Workspace::open_with(&place.root, place.environment()).unwrap()
}

fn place() -> Place {
    let place = Place::repository(&[("a.txt", "one\n"), ("b.txt", "b\n"), (".env", "KEY=hunter2\n")]);
    place.write("a.txt", "one\ntwo\n");
    place.write(".env", "KEY=hunter3\n");
    place.git(&["commit", "-q", "-a", "-m", "second"]);
    place
}

/// The text, or the code of the error and what it says.
fn told(result: Result<String, tools::Error>) -> String {
    result.unwrap_or_else(|error| format!("{}: {error}", error.code()))
}

#[test]
fn commits_are_listed_and_shown() {
    let place = place();
    let workspace = open(&place);
    let log = told(workspace.git_log(None, None, 10));
    let lines: Vec<&str> = log.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(lines, ["2020-09-13 Ada: second", "2020-09-13 Ada: first"]);
    assert_eq!(
        told(workspace.git_log(None, Some("b.txt"), 10)).lines().count(),
        1
    );
    assert_eq!(
        told(workspace.git_log(Some("HEAD~1"), None, 10)).lines().count(),
        1
    );
    assert_eq!(told(workspace.git_log(None, None, 0)).lines().count(), 1);
    let shown = told(workspace.git_show("HEAD", None));
    assert!(
        shown.contains("second") && shown.ends_with("@@ -1 +1,2 @@\n one\n+two\n"),
        "{shown}"
    );
    assert!(!shown.contains("hunter") && !shown.contains(".env"), "{shown}");
    let other = told(workspace.git_show("HEAD", Some("b.txt")));
    assert!(!other.contains("two"), "{other}");
    let blame = told(workspace.git_blame("a.txt", 2, 900));
    assert!(
        blame.lines().count() == 1 && blame.contains("Ada") && blame.ends_with(") two\n"),
        "{blame}"
    );
}

#[test]
fn what_is_changed_is_told_without_secrets() {
    let place = place();
    place.write("b.txt", "c\n");
    place.write(".env", "KEY=hunter4\n");
    place.write("new.pem", "hunter5\n");
    place.write("new.txt", "token: ghp_0123456789abcdef0123456789abcdef0123\n");
    let workspace = open(&place);
    assert_eq!(told(workspace.git_status()), "## main\n M b.txt\n?? new.txt\n");
    let diff = told(workspace.git_diff(Between::IndexAndFiles, None));
    assert!(
        diff.ends_with("@@ -1 +1 @@\n-b\n+c\n") && !diff.contains("hunter"),
        "{diff}"
    );
    assert_eq!(told(workspace.git_diff(Between::CommitAndIndex, None)), "");
    place.git(&["add", "new.txt"]);
    let staged = told(workspace.git_diff(Between::CommitAndIndex, Some("new.txt")));
    assert!(staged.ends_with("+token: [redacted]\n"), "{staged}");
    let since = told(workspace.git_diff(Between::RevisionAndFiles("HEAD~1"), Some("a.txt")));
    assert!(since.ends_with("+two\n"), "{since}");
    let between = told(workspace.git_diff(Between::Revisions("HEAD~1", "HEAD"), None));
    assert!(
        between.ends_with("+two\n") && !between.contains("hunter"),
        "{between}"
    );
}

#[test]
fn a_workspace_inside_a_repository_shows_itself_alone() {
    let place = Place::repository(&[("sub/a.txt", "a\n"), ("sub/.env", "hunter2\n"), ("b.txt", "b\n")]);
    place.write("sub/a.txt", "c\n");
    place.write("b.txt", "d\n");
    let workspace = Workspace::open_with(&place.root.join("sub"), place.environment()).unwrap();
    assert_eq!(told(workspace.git_status()), "## main\n M sub/a.txt\n");
    let diff = told(workspace.git_diff(Between::IndexAndFiles, None));
    assert!(diff.ends_with("-a\n+c\n") && !diff.contains("b.txt"), "{diff}");
    let shown = told(workspace.git_show("HEAD", None));
    assert!(
        shown.contains("sub/a.txt") && !shown.contains("b.txt") && !shown.contains("hunter"),
        "{shown}"
    );
    assert_eq!(told(workspace.git_log(None, Some("a.txt"), 9)).lines().count(), 1);
}

#[test]
fn nothing_leads_out() {
    let place = place();
    let workspace = open(&place);
    for path in ["../x", "/etc/passwd", "a/../../x"] {
        assert!(told(workspace.git_blame(path, 1, 1)).starts_with("E1205: "));
    }
    for path in [".env", ".git/config", "x.pem"] {
        assert!(
            told(workspace.git_log(None, Some(path), 1)).starts_with("E1206: "),
            "{path}"
        );
        assert!(
            told(workspace.git_show("HEAD", Some(path))).starts_with("E1206: "),
            "{path}"
        );
        assert!(told(workspace.git_diff(Between::IndexAndFiles, Some(path))).starts_with("E1206: "));
    }
    let none = "E1210: `git rev-parse` failed: this is no name of a commit";
    for revision in ["--output=x", "-p", "", "HEAD:.env", "a b", ":/first", "a\nb"] {
        assert_eq!(told(workspace.git_show(revision, None)), none, "{revision:?}");
    }
    assert_eq!(
        told(workspace.git_show("no-such", None)),
        "E1210: `git rev-parse` failed: there is no commit `no-such`"
    );
    // A blob has a number, and is no commit.
    let blob = place.git(&["rev-parse", "HEAD:.env"]);
    assert!(told(workspace.git_show(blob.trim(), None)).contains("there is no commit"));
}

#[test]
fn without_a_repository_it_is_said() {
    let place = Place::plain();
    assert_eq!(
        told(open(&place).git_status()),
        "E1210: `git status` failed: the workspace is in no git repository"
    );
}
