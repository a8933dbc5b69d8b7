//! Proposals: what is proposed, what is refused, what is left out.

use engine::{artifact::FileChange, blob::BlobId};
use shared::error::Code;

use crate::support::Place;

fn id(text: &str) -> Option<BlobId> {
    Some(BlobId::of(text.as_bytes()))
}

#[test]
fn files_are_added_changed_and_removed() {
    let place = Place::repository(&[("a.py", "a\nb\n"), ("gone.py", "x\n"), ("same.py", "s\n")]);
    let workspace = place.open();
    let files = place.proposal(
        &workspace,
        &[
            ("./a.py", Some("a\nc\nd")),
            ("gone.py", None),
            ("new/n.py", Some("n")),
            ("same.py", Some("s\r\n")),
            ("never.py", None),
        ],
    );
    let change = |path: &str, old, new, lines_added, lines_removed| FileChange {
        path: path.to_owned(),
        old,
        new,
        lines_added,
        lines_removed,
    };
    assert_eq!(
        files,
        [
            change("a.py", id("a\nb\n"), id("a\nc\nd\n"), 2, 1),
            change("gone.py", id("x\n"), None, 0, 1),
            change("new/n.py", None, id("n\n"), 1, 0),
        ]
    );
    for change in files {
        for id in [change.old, change.new].into_iter().flatten() {
            assert!(place.blob(id).is_some());
        }
    }
    assert_eq!(place.status(), "");
}

#[test]
fn the_last_contents_of_a_path_count() {
    let place = Place::repository(&[]);
    let files = place.proposal(&place.open(), &[("a", Some("1")), ("./a", Some("2"))]);
    assert_eq!(files.iter().map(|file| file.new).collect::<Vec<_>>(), [id("2\n")]);
}

#[test]
fn one_bad_file_is_named_and_the_others_stay() {
    let place = Place::repository(&[(".gitignore", "/build\n")]);
    let proposed = place.propose(
        &place.open(),
        &[
            ("../x", Some("x")),
            ("ok.py", Some("x")),
            ("build/out.py", Some("x")),
            ("nul.py", Some("\0")),
        ],
    );
    let refused: Vec<_> = proposed
        .refused
        .iter()
        .map(|r| (r.path.as_str(), r.error.code()))
        .collect();
    assert_eq!(
        refused,
        [
            ("../x", Code::PathOutsideWorkspace),
            ("nul.py", Code::FileNotText),
            ("build/out.py", Code::PathProtected),
        ]
    );
    assert_eq!(
        proposed
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect::<Vec<_>>(),
        ["ok.py"]
    );
}

#[test]
fn unified_diffs_are_what_git_applies() {
    let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk";
    let new = "a\nB\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n";
    let place = Place::repository(&[("f", old), ("gone", "1\n2\n")]);
    let mut patch = tools::diff::unified("f", Some(old), Some(new));
    patch.push_str(&tools::diff::unified("gone", Some("1\n2\n"), None));
    patch.push_str(&tools::diff::unified("n/new", None, Some("x\n")));
    std::fs::write(place.home.join("patch"), patch).unwrap();
    place.git(&["apply", "../patch"]);
    assert_eq!(
        (
            place.read("f").as_deref(),
            place.read("gone"),
            place.read("n/new").as_deref()
        ),
        (Some(new), None, Some("x\n"))
    );
}
