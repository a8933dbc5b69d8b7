//! A commit is taken back by a new one, on top of whatever the person did since.

use std::{fs, path::Path};

use engine::artifact::{ApplyIntent, FileChange};
use shared::error::Code;
use tools::{
    CommitMessage, Error, Workspace,
    apply::{self, CRASH_POINTS, Planned},
};

use crate::support::{NOW, Place, code};

/// Names the place for the child process.
const CHILD_VARIABLE: &str = "TOOLS_UNDO_CRASH_HOME";

const LONG: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n";

/// A commit of ours, and what takes it back.
struct Made {
    commit: String,
    reverse: Vec<FileChange>,
}

fn made(place: &Place, files: &[(&str, Option<&str>)]) -> Made {
    made_in(place, &place.open(), files)
}

fn made_in(place: &Place, workspace: &Workspace, files: &[(&str, Option<&str>)]) -> Made {
    let files = place.proposal(workspace, files);
    let planned = place.plan(workspace, &files).unwrap();
    let applied = place.execute(workspace, &planned.intent).unwrap();
    Made {
        commit: applied.commit.unwrap(),
        reverse: reverse(&planned.intent),
    }
}

fn reverse(intent: &ApplyIntent) -> Vec<FileChange> {
    let swapped = |file: &FileChange| FileChange {
        path: file.path.clone(),
        old: file.new,
        new: file.old,
        lines_added: file.lines_removed,
        lines_removed: file.lines_added,
    };
    intent.files.iter().map(swapped).collect()
}

fn plan_in(place: &Place, workspace: &Workspace, made: &Made, by: &str) -> Result<Planned, Error> {
    let message = CommitMessage {
        subject: "Revert \"feat: add things\"".to_owned(),
        body: format!("This reverts commit {}.", made.commit),
        trailers: vec![("Workflow-Id".to_owned(), by.to_owned())],
    };
    let blob = |id| place.blob(id);
    let (commit, files) = (&made.commit, &made.reverse);
    let mut planned = apply::plan_undo(workspace, commit, files, &blob, &message, NOW + 60)?;
    place.keep(std::mem::take(&mut planned.blobs));
    Ok(planned)
}

fn plan(place: &Place, made: &Made) -> Result<Planned, Error> {
    plan_in(place, &place.open(), made, "wf-2")
}

/// Takes it back; the commit, if there was anything left.
#[track_caller]
fn undo(place: &Place, made: &Made) -> Option<String> {
    let planned = plan(place, made).unwrap();
    place.apply_planned(&place.open(), &planned.intent).commit
}

fn tree(place: &Place, commit: &str) -> String {
    place.git(&["rev-parse", &format!("{commit}^{{tree}}")])
}

/// Everything that an undo which is refused must leave as it is.
fn everything(place: &Place) -> (String, String, String) {
    (
        place.git(&["rev-parse", "HEAD"]),
        place.status(),
        place.git(&["diff", "HEAD"]),
    )
}

#[track_caller]
fn check_refused(place: &Place, made: &Made, expect: Code, parts: &[&str]) {
    let before = everything(place);
    let error = plan(place, made).unwrap_err();
    let message = error.to_string();
    assert_eq!(error.code(), expect, "{message}");
    for part in parts {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(everything(place), before);
}

#[test]
fn the_tree_is_as_it_was_and_what_is_in_hand_stays() {
    let place = Place::repository(&[("a", "a\n"), ("gone", "g\n"), ("staged", "1\n"), ("dirty", "1\n")]);
    let made = made(
        &place,
        &[("a", Some("b\n")), ("gone", None), ("dir/new", Some("n\n"))],
    );
    place.write("staged", "2\n");
    place.git(&["add", "staged"]);
    place.write("dirty", "2\n");
    place.write("untracked", "u\n");
    let before = place.status();
    let commit = undo(&place, &made).unwrap();
    assert_eq!(place.git(&["rev-parse", "HEAD"]).trim(), commit);
    assert_eq!(place.git(&["rev-parse", "HEAD~1"]).trim(), made.commit);
    assert_eq!(tree(&place, "HEAD"), tree(&place, "HEAD~2"));
    assert_eq!(place.status(), before);
    assert!(!place.root.join("dir").exists());
    assert_eq!(
        place.log(),
        ["Revert \"feat: add things\"", "feat: add things", "first"]
    );
}

#[test]
fn what_was_undone_can_be_done_again_and_nothing_is_undone_twice() {
    let place = Place::repository(&[("a", "a\n"), ("gone", "g\n")]);
    let first = made(&place, &[("a", Some("b\n")), ("gone", None)]);
    let planned = plan(&place, &first).unwrap();
    let reverting = place
        .apply_planned(&place.open(), &planned.intent)
        .commit
        .unwrap();
    // Another one finds nothing left.
    let again = plan_in(&place, &place.open(), &first, "wf-3").unwrap();
    assert_eq!(place.apply_planned(&place.open(), &again.intent).commit, None);
    assert_eq!(place.log().len(), 3);
    let second = Made {
        commit: reverting,
        reverse: reverse(&planned.intent),
    };
    undo(&place, &second).unwrap();
    assert_eq!(tree(&place, "HEAD"), tree(&place, &first.commit));
}

#[test]
fn what_came_after_stays() {
    let place = Place::repository(&[("f", LONG), ("g", LONG), ("h", LONG)]);
    let two = |text: &str| text.replace("\n2\n", "\ntwo\n");
    let made = made(
        &place,
        &[
            ("f", Some(&two(LONG))),
            ("g", Some(&two(LONG))),
            ("h", Some(&two(LONG))),
        ],
    );
    // Committed in one file, in hand in another.
    let later = |text: &str| text.replace("\n18\n", "\nmine\n");
    place.write("f", &later(&two(LONG)));
    place.write("new", "mine\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "mine"]);
    place.write("g", &later(&two(LONG)));
    undo(&place, &made).unwrap();
    assert_eq!(place.committed("f").unwrap(), later(LONG));
    assert_eq!(place.committed("g").unwrap(), LONG);
    assert_eq!(place.read("g").unwrap(), later(LONG));
    assert_eq!(place.committed("h").unwrap(), LONG);
    assert_eq!(place.committed("new").unwrap(), "mine\n");
    assert_eq!(
        place.git(&["show", "--format=", "--name-status"]),
        "M\tf\nM\tg\nM\th\n"
    );
    let diff = place.git(&["diff", "-U0", "--", "g"]);
    assert!(diff.ends_with("-18\n+mine\n"), "{diff}");
}

#[test]
fn every_file_that_collides_is_named_and_nothing_is_written() {
    let files = [
        ("lines", "a\n"),
        ("moved", "a\n"),
        ("gone", "a\n"),
        ("fine", "a\n"),
    ];
    let place = Place::repository(&files);
    let made = made(
        &place,
        &[
            ("lines", Some("b\n")),
            ("moved", Some("b\n")),
            ("gone", None),
            ("fine", Some("b\n")),
            ("new", Some("n\n")),
        ],
    );
    place.write("lines", "mine\n");
    place.git(&["mv", "moved", "elsewhere"]);
    place.write("gone", "mine\n");
    place.write("new", "mine\n");
    let all = [
        "`lines` (the same lines were changed)",
        "`moved` (it has been removed)",
        "`gone` (a file of this name has appeared)",
        "`new` (it was to be removed and has been edited)",
    ];
    // Not committed, and committed.
    check_refused(&place, &made, Code::UndoConflict, &all);
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "mine"]);
    check_refused(&place, &made, Code::UndoConflict, &all);
    assert_eq!(place.read("fine").as_deref(), Some("b\n"));
}

#[test]
fn what_the_person_has_taken_back_already_is_no_conflict() {
    let place = Place::repository(&[("a", "a\n"), ("gone", "g\n"), ("b", "a\n")]);
    let made = made(
        &place,
        &[
            ("a", Some("x\n")),
            ("b", Some("x\n")),
            ("gone", None),
            ("new", Some("n\n")),
        ],
    );
    place.write("a", "a\n");
    place.write("gone", "g\n");
    fs::remove_file(place.root.join("new")).unwrap();
    undo(&place, &made).unwrap();
    assert_eq!(tree(&place, "HEAD"), tree(&place, "HEAD~2"));
    assert_eq!(place.status(), "");
}

#[test]
fn what_git_has_reverted_needs_no_commit() {
    let place = Place::repository(&[("a", "a\n"), ("gone", "g\n")]);
    let made = made(
        &place,
        &[("a", Some("b\n")), ("gone", None), ("new", Some("n\n"))],
    );
    place.git(&["revert", "--no-edit", "HEAD"]);
    assert_eq!(undo(&place, &made), None);
    assert_eq!((place.log().len(), place.status().as_str()), (3, ""));
}

#[test]
fn it_stands_until_it_is_taken_back_on_the_branch() {
    let long = |two: &str, last: &str| LONG.replace("\n2\n", two).replace("\n18\n", last);
    let (ours, theirs) = (long("\ntwo\n", "\n18\n"), long("\n2\n", "\nmine\n"));
    let place = Place::repository(&[("f", LONG), ("gone", "g\n")]);
    let made = made(
        &place,
        &[("f", Some(&ours)), ("gone", None), ("new", Some("n\n"))],
    );
    let check = |text: Option<&str>, expect: bool| {
        if let Some(text) = text {
            place.write("f", text);
            place.git(&["commit", "-qam", "later"]);
        }
        assert_eq!(
            apply::stands(&place.open(), &made.commit).unwrap(),
            expect,
            "{text:?}"
        );
    };
    check(None, true);
    // Something else is changed in the file, or the very lines are.
    check(Some(&long("\ntwo\n", "\nmine\n")), true);
    check(Some(&long("\nanother\n", "\nmine\n")), true);
    // They are as they were before, beside what was changed.
    check(Some(&theirs), false);
    check(Some(&long("\ntwo\n", "\nmine\n")), true);
    fs::remove_file(place.root.join("new")).unwrap();
    check(Some(&ours), false);
    place.git(&["revert", "--no-edit", "HEAD"]);
    check(None, true);
    // What is not committed does not count.
    place.write("f", LONG);
    check(None, true);
    place.git(&["reset", "-q", "--hard", &format!("{}~", made.commit)]);
    check(None, false);
}

#[test]
fn modes_are_as_they_were() {
    let place = Place::unborn();
    for path in ["run.sh", "old.sh", "plain", "kept.sh"] {
        place.write(path, &format!("{path}\nof\nits\nown\n"));
    }
    for path in ["run.sh", "old.sh", "kept.sh"] {
        place.set_mode(path, 0o755);
    }
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "first"]);
    let made = made(
        &place,
        &[
            // One that goes, one that is renamed, one that another one is made of.
            ("run.sh", None),
            ("old.sh", None),
            ("new.sh", Some("old.sh\nof\nits\nown\n")),
            ("plain", None),
            ("program", Some("plain\nof\nits\nown\n")),
            ("kept.sh", Some("kept.sh\nof\nours\n")),
        ],
    );
    place.set_mode("program", 0o755);
    place.set_mode("kept.sh", 0o644);
    place.git(&["commit", "-qam", "modes"]);
    undo(&place, &made).unwrap();
    assert_eq!(place.status(), "");
    let modes = place.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", "HEAD"]);
    assert_eq!(
        modes, "100644 kept.sh\n100755 old.sh\n100644 plain\n100755 run.sh\n",
        "what the person made of a file that stayed stays"
    );
    assert_eq!((place.mode("run.sh"), place.mode("plain") & 0o111), (0o755, 0));
}

#[test]
fn in_a_folder_of_the_repository_modes_are_found_too() {
    let place = Place::unborn();
    place.write("sub/run.sh", "run\n");
    place.write("run.sh", "another\n");
    place.set_mode("sub/run.sh", 0o755);
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "first"]);
    let workspace = place.open_below("sub");
    let made = made_in(&place, &workspace, &[("run.sh", None), ("n", Some("n\n"))]);
    let workspace = place.open_below("sub");
    let planned = plan_in(&place, &workspace, &made, "wf-2").unwrap();
    place.apply_planned(&workspace, &planned.intent);
    assert_eq!(tree(&place, "HEAD"), tree(&place, "HEAD~2"));
    assert_eq!((place.status().as_str(), place.mode("sub/run.sh")), ("", 0o755));
}

#[test]
fn line_ends_are_as_they_were() {
    let text = LONG.replace('\n', "\r\n");
    let two = text.replace("\r\n2\r\n", "\r\ntwo\r\n");
    let mine = |text: &str| text.replace("\r\n18\r\n", "\r\nmine\r\n");
    for autocrlf in ["true", "false"] {
        let place = Place::unborn();
        place.git(&["config", "core.autocrlf", autocrlf]);
        place.write("f", &text);
        place.write("gone", &text);
        place.git(&["add", "-A"]);
        place.git(&["commit", "-qm", "first"]);
        let made = made(&place, &[("f", Some(&two)), ("gone", None)]);
        place.write("f", &mine(&two));
        undo(&place, &made).unwrap();
        assert_eq!(tree(&place, "HEAD"), tree(&place, "HEAD~2"), "{autocrlf}");
        assert_eq!(place.read("f").unwrap(), mine(&text), "{autocrlf}");
        assert_eq!(place.read("gone").unwrap(), text, "{autocrlf}");
    }
}

#[test]
fn other_line_ends_since_are_a_conflict() {
    let place = Place::repository(&[("f", "a\r\nb\r\nc\r\n")]);
    let made = made(&place, &[("f", Some("a\r\nours\r\nc\r\n"))]);
    place.write("f", "a\nours\nc\n");
    check_refused(
        &place,
        &made,
        Code::UndoConflict,
        &["`f`", "the same lines were changed"],
    );
}

#[test]
fn it_is_taken_back_only_where_it_is() {
    let place = Place::repository(&[("a", "a\n")]);
    let made = made(&place, &[("a", Some("b\n"))]);
    let refused = |place: &Place| check_refused(place, &made, Code::UndoRefused, &[&made.commit[..10]]);
    place.git(&["checkout", "-q", "-b", "other", "HEAD~1"]);
    refused(&place);
    // The same change under another id.
    place.git(&["cherry-pick", "main"]);
    refused(&place);
    place.git(&["checkout", "-q", "main"]);
    place.git(&["commit", "-q", "--amend", "-m", "other words"]);
    refused(&place);
    place.git(&["reset", "-q", "--hard", &made.commit]);
    place.git(&["rebase", "-q", "--root", "--force-rebase"]);
    let is_rewritten = place.git(&["rev-parse", "HEAD"]).trim() != made.commit;
    assert!(is_rewritten);
    refused(&place);
    // Gone from the object store as well.
    place.git(&["reflog", "expire", "--expire=now", "--all"]);
    place.git(&["gc", "-q", "--prune=now"]);
    refused(&place);
}

#[test]
fn below_a_merge_and_on_a_detached_head_it_is_taken_back() {
    let place = Place::repository(&[("a", "a\n")]);
    place.git(&["checkout", "-q", "-b", "side"]);
    let made = made(&place, &[("a", Some("b\n"))]);
    place.git(&["checkout", "-q", "main"]);
    place.write("mine", "mine\n");
    place.git(&["add", "mine"]);
    place.git(&["commit", "-qm", "mine"]);
    place.git(&["merge", "-q", "--no-ff", "--no-edit", "side"]);
    undo(&place, &made).unwrap();
    assert_eq!(tree(&place, "HEAD"), tree(&place, "HEAD~1^1"));
    place.git(&["checkout", "-q", "--detach", "side"]);
    let commit = undo(&place, &made).unwrap();
    assert_eq!(place.git(&["rev-parse", "HEAD"]).trim(), commit);
    assert_eq!(place.git(&["rev-parse", "side"]).trim(), made.commit);
}

#[test]
fn in_a_clone_without_what_was_before_it_is_taken_back() {
    let place = Place::repository(&[("a", "a\n"), ("gone", "g\n")]);
    let made = made(&place, &[("a", Some("b\n")), ("gone", None)]);
    let origin = place.home.join("origin");
    fs::rename(&place.root, &origin).unwrap();
    fs::create_dir(&place.root).unwrap();
    let url = format!("file://{}", origin.display());
    place.git(&["clone", "-q", "--depth", "1", &url, "."]);
    assert_ne!(
        place.try_git(&["rev-parse", "-q", "--verify", "HEAD~1"]).0,
        Some(0)
    );
    undo(&place, &made).unwrap();
    assert_eq!(
        (
            place.committed("a").as_deref(),
            place.committed("gone").as_deref()
        ),
        (Some("a\n"), Some("g\n"))
    );
    assert_eq!(place.status(), "");
}

#[test]
fn what_is_staged_there_and_an_operation_under_way_are_left_alone() {
    let place = Place::repository(&[("a", LONG)]);
    let made = made(&place, &[("a", Some(&LONG.replace("\n2\n", "\ntwo\n")))]);
    place.write("a", &place.read("a").unwrap().replace("\n18\n", "\nmine\n"));
    place.git(&["add", "a"]);
    check_refused(&place, &made, Code::StagedConflict, &["a"]);
    place.git(&["commit", "-qm", "mine"]);
    place.git(&["checkout", "-q", "-b", "other"]);
    place.write("a", "other\n");
    place.git(&["commit", "-qam", "other"]);
    place.git(&["checkout", "-q", "main"]);
    place.write("a", "main\n");
    place.git(&["commit", "-qam", "main"]);
    let _conflicts = place.try_git(&["merge", "other"]);
    assert_eq!(code(plan(&place, &made)), Code::GitBusy);
}

/// A place with a commit of ours, and with what a person has in hand.
fn committed() -> Place {
    let place = Place::unborn();
    place.write("a", "a\n");
    place.write("gone/run.sh", "run\n");
    place.set_mode("gone/run.sh", 0o755);
    place.write("mine", "m\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "first"]);
    made(
        &place,
        &[("a", Some("b\n")), ("gone/run.sh", None), ("new/n", Some("n\n"))],
    );
    place.write("mine", "dirty\n");
    place.write("staged", "s\n");
    place.git(&["add", "staged"]);
    place
}

/// What takes it back, in any process.
fn reversed(place: &Place) -> Made {
    let files = [
        ("a", Some("a\n")),
        ("gone/run.sh", Some("run\n")),
        ("new/n", None),
    ];
    Made {
        commit: place.git(&["rev-parse", "HEAD"]).trim().to_owned(),
        reverse: place.proposal(&place.open(), &files),
    }
}

/// Not a test of its own: what the child process of the other one does.
#[test]
fn child() {
    let Some(home) = std::env::var_os(CHILD_VARIABLE) else {
        return;
    };
    let place = Place::existing(Path::new(&home));
    let planned = plan(&place, &reversed(&place)).unwrap();
    let _ = place.execute(&place.open(), &planned.intent);
}

type Outcome = (String, String, Vec<String>, [Option<String>; 3], u32);

fn outcome(place: &Place) -> Outcome {
    (
        place.git(&["rev-parse", "HEAD"]),
        place.status(),
        place.log(),
        ["a", "new/n", "mine"].map(|path| place.read(path)),
        place.mode("gone/run.sh"),
    )
}

#[test]
fn killed_at_every_step_it_is_one_commit() {
    let expect = {
        let place = committed();
        undo(&place, &reversed(&place)).unwrap();
        outcome(&place)
    };
    assert_eq!((expect.2.len(), expect.4), (3, 0o755));
    for point in CRASH_POINTS {
        for plans_again in [false, true] {
            let place = committed();
            let made = reversed(&place);
            let planned = plan(&place, &made).unwrap();
            place.crash_at("undo::child", CHILD_VARIABLE, point);
            let planned = if plans_again {
                plan(&place, &made).unwrap()
            } else {
                planned
            };
            place.apply_planned(&place.open(), &planned.intent);
            assert_eq!(outcome(&place), expect, "{point}, planned again: {plans_again}");
        }
    }
}
