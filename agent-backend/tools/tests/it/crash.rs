//! Death at every step of an execution, then the same execution again: the
//! same tree, the same status, one commit.

use std::path::Path;

use engine::artifact::{ApplyIntent, FileChange};
use tools::{Workspace, apply::CRASH_POINTS};

use crate::support::Place;

/// Names the place for the child process.
const CHILD_VARIABLE: &str = "TOOLS_CRASH_HOME";

fn intent(place: &Place) -> (Workspace, Vec<FileChange>, ApplyIntent) {
    let workspace = place.open();
    let changes = [
        ("a", Some("b\n")),
        ("dir/new", Some("n\n")),
        ("gone", None),
        ("new.sh", Some("run\nit\n")),
        ("old.sh", None),
        ("z", Some("zz\n")),
    ];
    let files = place.proposal(&workspace, &changes);
    let planned = place.plan(&workspace, &files).unwrap();
    (workspace, files, planned.intent)
}

fn place(unborn: bool) -> Place {
    let place = Place::unborn();
    for path in ["a", "gone", "z", "mine"] {
        place.write(path, "a\n");
    }
    // One that is renamed keeps its mode, which is part of what is committed.
    place.write("old.sh", "run\nit\n");
    place.set_mode("old.sh", 0o755);
    if !unborn {
        place.git(&["add", "-A"]);
        place.git(&["commit", "-qm", "first"]);
    }
    place.write("mine", "dirty\n");
    place.write("staged", "s\n");
    place.git(&["add", "staged"]);
    place
}

/// Not a test of its own: what the child process of the others does.
#[test]
fn child() {
    let Some(home) = std::env::var_os(CHILD_VARIABLE) else {
        return;
    };
    let place = Place::existing(Path::new(&home));
    let (workspace, _, intent) = intent(&place);
    let _ = place.execute(&workspace, &intent);
}

fn crash_at(place: &Place, point: &str) {
    place.crash_at("crash::child", CHILD_VARIABLE, point);
}

type Outcome = (String, String, Vec<String>, Vec<Option<String>>);

fn outcome(place: &Place) -> Outcome {
    let contents = ["a", "dir/new", "gone", "z", "mine", "staged"].map(|path| place.read(path));
    assert_eq!(place.mode("new.sh"), 0o755);
    (
        place.git(&["rev-parse", "HEAD"]),
        place.status(),
        place.log(),
        contents.to_vec(),
    )
}

fn undisturbed(unborn: bool) -> Outcome {
    let place = place(unborn);
    let (workspace, _, intent) = intent(&place);
    place.execute(&workspace, &intent).unwrap();
    outcome(&place)
}

#[test]
fn the_same_intent_ends_right_after_a_crash_anywhere() {
    for unborn in [false, true] {
        let expect = undisturbed(unborn);
        assert_eq!(expect.2.first().map(String::as_str), Some("feat: add things"));
        for point in CRASH_POINTS {
            let place = place(unborn);
            let (workspace, _, intent) = intent(&place);
            crash_at(&place, point);
            // Twice: the process can die again at the same place.
            if *point != "apply:after_ref" {
                let again = place.execute(&workspace, &intent).unwrap();
                assert_eq!(again.commit.as_deref(), Some(expect.0.trim()), "{point}");
            }
            place.execute(&workspace, &intent).unwrap();
            assert_eq!(outcome(&place), expect, "{point}, unborn: {unborn}");
            let litter = std::fs::read_dir(&place.root).unwrap().filter_map(Result::ok);
            let litter: Vec<_> = litter
                .map(|entry| entry.file_name())
                .filter(|name| name.to_string_lossy().starts_with(".agentic-ide"))
                .collect();
            assert!(
                litter.is_empty() && !place.root.join(".git/agentic-ide").exists(),
                "{point}: {litter:?}"
            );
        }
    }
}

#[test]
fn planning_again_after_a_crash_ends_in_one_commit_too() {
    let expect = undisturbed(false);
    for point in CRASH_POINTS {
        let place = place(false);
        let (workspace, files, _) = intent(&place);
        crash_at(&place, point);
        let planned = place.plan(&workspace, &files).unwrap();
        place.execute(&workspace, &planned.intent).unwrap();
        assert_eq!(outcome(&place), expect, "{point}");
    }
}
