//! Planning and executing, with what the person has in the tree beside it.

use engine::artifact::{FileSelection, Selection};
use shared::error::{Class, Code};

use crate::support::{NOW, Place, code};

const LONG: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n";

#[test]
fn one_commit_with_subject_body_and_trailers() {
    let place = Place::repository(&[("a.py", "a\n"), ("gone/x.py", "x\n")]);
    let workspace = place.open();
    let files = place.proposal(
        &workspace,
        &[
            ("a.py", Some("b\n")),
            ("new/n.py", Some("n\n")),
            ("gone/x.py", None),
        ],
    );
    assert_eq!(place.status(), "");
    let applied = place.apply(&workspace, &files);
    assert_eq!(place.status(), "");
    assert_eq!(applied.branch.as_deref(), Some("main"));
    assert_eq!(applied.paths, ["a.py", "gone/x.py", "new/n.py"]);
    assert_eq!(
        applied.commit.as_deref(),
        Some(place.git(&["rev-parse", "HEAD"]).trim())
    );
    assert_eq!(
        place
            .git(&["log", "-1", "--format=%an <%ae> %at|%cn <%ce> %ct|%B"])
            .trim_end(),
        format!(
            "Ada <ada@example.org> {NOW}|Ada <ada@example.org> {NOW}|feat: add things\n\n\
             - Update a.py (+1 -1)\n- Remove gone/x.py (+0 -1)\n- Add new/n.py (+1 -0)\n\n\
             Workflow-Id: wf-1\nGenerated-by: Agentic IDE"
        )
    );
    assert_eq!(place.log(), ["feat: add things", "first"]);
    assert_eq!(
        place.git(&["show", "--format=", "--name-status"]),
        "M\ta.py\nD\tgone/x.py\nA\tnew/n.py\n"
    );
    assert!(!place.root.join("gone").exists());
    assert!(!place.root.join(".git/agentic-ide").exists());
    assert_eq!(
        place.git(&["log", "-1", "--format=%(trailers:only)"]).trim(),
        "Workflow-Id: wf-1\nGenerated-by: Agentic IDE"
    );
}

#[test]
fn staged_dirty_and_untracked_files_of_others_stay() {
    let place = Place::repository(&[("a", "a\n"), ("staged", "1\n"), ("dirty", "1\n"), ("both", "1\n")]);
    place.write("staged", "2\n");
    place.write("both", "2\n");
    place.write("added", "new\n");
    place.git(&["add", "staged", "both", "added"]);
    place.git(&["rm", "-q", "--cached", "dirty"]);
    place.write("both", "3\n");
    place.write("untracked", "u\n");
    let before = place.status();
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("a", Some("b\n")), ("n", Some("n\n"))]);
    place.apply(&workspace, &files);
    assert_eq!(place.status(), before);
    assert_eq!(place.git(&["show", "--format=", "--name-only"]), "a\nn\n");
}

#[test]
fn uncommitted_lines_in_the_same_file_stay_uncommitted() {
    let place = Place::repository(&[("f", LONG)]);
    let dirty = LONG.replace("\n18\n", "\neighteen, mine\n");
    place.write("f", &dirty);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some(&dirty.replace("\n2\n", "\ntwo\n")))]);
    let planned = place.plan(&workspace, &files).unwrap();
    assert_eq!(planned.notices, []);
    place.apply_planned(&workspace, &planned.intent);
    assert_eq!(place.committed("f").unwrap(), LONG.replace("\n2\n", "\ntwo\n"));
    assert_eq!(place.read("f").unwrap(), dirty.replace("\n2\n", "\ntwo\n"));
    let diff = place.git(&["diff", "-U0", "--", "f"]);
    assert!(diff.ends_with("-18\n+eighteen, mine\n"), "{diff}");
    assert_eq!(place.git(&["diff", "--cached"]), "");
}

#[test]
fn uncommitted_lines_under_the_change_go_along_and_are_announced() {
    let place = Place::repository(&[("f", "a\nb\n")]);
    place.write("f", "a\nmine\n");
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some("a\nmine too\n"))]);
    let planned = place.plan(&workspace, &files).unwrap();
    let codes: Vec<_> = planned.notices.iter().map(|notice| notice.code).collect();
    assert_eq!(codes, [Some(Code::WorkspaceChanged)]);
    place.apply_planned(&workspace, &planned.intent);
    assert_eq!(
        (place.committed("f").as_deref(), place.status().as_str()),
        (Some("a\nmine too\n"), "")
    );
}

#[test]
fn edits_since_the_proposal_are_merged() {
    let place = Place::repository(&[("f", LONG)]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some(&LONG.replace("\n2\n", "\ntwo\n")))]);
    place.write("f", &LONG.replace("\n18\n", "\nmine\n"));
    place.apply(&workspace, &files);
    assert_eq!(
        place.read("f").unwrap(),
        LONG.replace("\n2\n", "\ntwo\n").replace("\n18\n", "\nmine\n")
    );
    assert_eq!(place.committed("f").unwrap(), LONG.replace("\n2\n", "\ntwo\n"));
}

#[track_caller]
fn check_conflict(old: Option<&str>, new: Option<&str>, meanwhile: Option<&str>) {
    let base: Vec<(&str, &str)> = old.map(|old| ("f", old)).into_iter().collect();
    let place = Place::repository(&base);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", new)]);
    match meanwhile {
        Some(text) => place.write("f", text),
        None => std::fs::remove_file(place.root.join("f")).unwrap(),
    }
    let error = place.plan(&workspace, &files).unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        (Code::WorkspaceChanged, Class::User)
    );
    assert_eq!((place.read("f").as_deref(), place.log().len()), (meanwhile, 1));
}

#[test]
fn edits_of_the_same_lines_are_the_persons_to_decide() {
    check_conflict(Some("a\n"), Some("b\n"), Some("c\n"));
    check_conflict(Some("a\n"), Some("b\n"), None);
    check_conflict(Some("a\n"), None, Some("c\n"));
    check_conflict(None, Some("b\n"), Some("c\n"));
}

#[test]
fn a_change_that_the_person_made_too_is_committed() {
    let place = Place::repository(&[("f", LONG)]);
    let workspace = place.open();
    let new = LONG.replace("\n2\n", "\ntwo\n");
    let files = place.proposal(&workspace, &[("f", Some(&new))]);
    let more = new.replace("\n18\n", "\nmine\n");
    place.write("f", &more);
    place.apply(&workspace, &files);
    assert_eq!((place.committed("f"), place.read("f")), (Some(new), Some(more)));
}

#[test]
fn a_change_that_is_committed_already_makes_no_commit() {
    let place = Place::repository(&[("f", "a\n")]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some("b\n"))]);
    place.write("f", "b\n");
    place.git(&["commit", "-qam", "mine"]);
    let applied = place.apply(&workspace, &files);
    assert_eq!(
        (applied.commit, place.log()),
        (None, vec!["mine".to_owned(), "first".to_owned()])
    );
}

#[test]
fn planning_again_after_success_finds_the_commit() {
    let place = Place::repository(&[("f", "a\n")]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some("b\n"))]);
    let first = place.apply(&workspace, &files);
    let second = place.apply(&workspace, &files);
    assert_eq!((first, place.log().len()), (second, 2));
}

#[test]
fn staged_paths_are_refused() {
    let place = Place::repository(&[("f", "a\n")]);
    place.write("f", "staged\n");
    place.git(&["add", "f"]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some("b\n"))]);
    assert_eq!(code(place.plan(&workspace, &files)), Code::StagedConflict);
    place.git(&["reset", "-q"]);
    let planned = place.plan(&workspace, &files).unwrap();
    place.git(&["add", "f"]);
    assert_eq!(
        code(place.execute(&workspace, &planned.intent)),
        Code::StagedConflict
    );
    assert_eq!(
        (place.read("f").as_deref(), place.log().len()),
        (Some("staged\n"), 1)
    );
}

#[test]
fn a_renamed_file_keeps_its_mode_and_its_line_ends() {
    let place = Place::repository(&[("run.sh", "#!/bin/sh\r\na\r\nb\r\n")]);
    place.set_mode("run.sh", 0o755);
    place.git(&["commit", "-qam", "x"]);
    place.write("loose.sh", "#!/bin/sh\nloose\n");
    place.set_mode("loose.sh", 0o700);
    let workspace = place.open();
    let files = place.proposal(
        &workspace,
        &[
            ("run.sh", None),
            ("bin/start.sh", Some("#!/bin/sh\na\nc\n")),
            ("loose.sh", None),
            ("bin/loose.sh", Some("#!/bin/sh\nloose\n")),
            ("plain.sh", Some("something else\n")),
        ],
    );
    place.apply(&workspace, &files);
    assert_eq!(
        place.read("bin/start.sh").as_deref(),
        Some("#!/bin/sh\r\na\r\nc\r\n")
    );
    assert_eq!(
        (
            place.mode("bin/start.sh"),
            place.mode("bin/loose.sh"),
            place.mode("plain.sh") & 0o111
        ),
        (0o755, 0o700, 0)
    );
    let tree = place.git(&["ls-tree", "-r", "HEAD"]);
    let modes: Vec<(&str, &str)> = tree
        .lines()
        .map(|line| (&line[..6], line.rsplit('\t').next().unwrap()))
        .collect();
    assert_eq!(
        modes,
        [
            ("100755", "bin/loose.sh"),
            ("100755", "bin/start.sh"),
            ("100644", "plain.sh")
        ]
    );
    assert_eq!(place.status(), "");
}

#[test]
fn modes_are_kept_and_new_files_are_plain() {
    let place = Place::repository(&[("run.sh", "#!/bin/sh\n")]);
    place.set_mode("run.sh", 0o755);
    place.git(&["commit", "-qam", "x"]);
    place.write("loose.sh", "#!/bin/sh\n");
    place.set_mode("loose.sh", 0o700);
    let workspace = place.open();
    let files = place.proposal(
        &workspace,
        &[
            ("run.sh", Some("#!/bin/sh\ntrue\n")),
            ("new.sh", Some("#!/bin/sh\n")),
            ("loose.sh", Some("#!/bin/sh\ntrue\n")),
        ],
    );
    place.apply(&workspace, &files);
    assert_eq!(
        (
            place.mode("run.sh"),
            place.mode("loose.sh"),
            place.mode("new.sh") & 0o111
        ),
        (0o755, 0o700, 0)
    );
    let modes: Vec<String> = place
        .git(&["ls-tree", "HEAD"])
        .lines()
        .map(|line| line[..6].to_owned())
        .collect();
    assert_eq!(modes, ["100755", "100644", "100755"]);
    assert_eq!(place.status(), "");
}

#[test]
fn only_chosen_files_and_hunks_are_written() {
    let place = Place::repository(&[("f", LONG), ("g", "g\n"), ("gone", "x\n")]);
    let workspace = place.open();
    let new = LONG.replace("\n2\n", "\ntwo\n").replace("\n18\n", "\neighteen\n");
    let files = place.proposal(
        &workspace,
        &[("f", Some(&new)), ("g", Some("h\n")), ("gone", None)],
    );
    let choose = |path: &str, hunks: Option<&[u32]>| FileSelection {
        path: path.to_owned(),
        hunks: hunks.map(<[u32]>::to_vec),
        text: None,
    };
    let plan =
        |chosen: &[FileSelection]| place.plan_part(&workspace, &files, &Selection::Files(chosen.to_vec()));
    assert_eq!(code(plan(&[])), Code::InvalidRequest);
    assert_eq!(code(plan(&[choose("f", Some(&[]))])), Code::InvalidRequest);
    assert_eq!(code(plan(&[choose("f", Some(&[2]))])), Code::InvalidRequest);
    assert_eq!(code(plan(&[choose("other", None)])), Code::InvalidRequest);
    let chosen = [choose("f", Some(&[1])), choose("gone", Some(&[0]))];
    let accepted = tools::apply::accepted(&files, &|id| place.blob(id), &Selection::Files(chosen.to_vec()));
    let accepted: Vec<_> = accepted
        .unwrap()
        .into_iter()
        .map(|f| (f.path, f.lines_added, f.lines_removed))
        .collect();
    assert_eq!(accepted, [("f".to_owned(), 1, 1), ("gone".to_owned(), 0, 1)]);
    let planned = plan(&chosen).unwrap();
    let applied = place.apply_planned(&workspace, &planned.intent);
    assert_eq!(applied.paths, ["f", "gone"]);
    assert_eq!(
        place.committed("f").unwrap(),
        LONG.replace("\n18\n", "\neighteen\n")
    );
    assert_eq!(
        (place.read("g").as_deref(), place.read("gone")),
        (Some("g\n"), None)
    );
    assert_eq!(place.status(), "");
}

#[test]
fn a_branch_that_moved_is_planned_again() {
    let place = Place::repository(&[("f", "a\n")]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some("b\n"))]);
    let planned = place.plan(&workspace, &files).unwrap();
    place.git(&["commit", "-q", "--allow-empty", "-m", "other"]);
    let error = place.execute(&workspace, &planned.intent).unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        (Code::WorkspaceChanged, Class::Transient)
    );
    assert_eq!(
        (place.read("f").as_deref(), place.status().as_str()),
        (Some("a\n"), "")
    );
    place.apply(&workspace, &files);
    assert_eq!(place.log(), ["feat: add things", "other", "first"]);

    let files = place.proposal(&workspace, &[("f", Some("c\n"))]);
    let planned = place.plan(&workspace, &files).unwrap();
    place.git(&["checkout", "-qb", "elsewhere"]);
    assert_eq!(
        code(place.execute(&workspace, &planned.intent)),
        Code::WorkspaceChanged
    );
    assert_eq!(place.read("f").as_deref(), Some("b\n"));
}

#[test]
fn a_file_edited_between_plan_and_execution_is_not_overwritten() {
    let place = Place::repository(&[("f", LONG), ("g", "g\n")]);
    let workspace = place.open();
    let files = place.proposal(
        &workspace,
        &[("f", Some(&LONG.replace("\n2\n", "\ntwo\n"))), ("g", Some("h\n"))],
    );
    let planned = place.plan(&workspace, &files).unwrap();
    place.write("f", &LONG.replace("\n18\n", "\nmine\n"));
    let error = place.execute(&workspace, &planned.intent).unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        (Code::WorkspaceChanged, Class::Transient)
    );
    assert_eq!((place.read("g").as_deref(), place.log().len()), (Some("g\n"), 1));
    place.apply(&workspace, &files);
    assert_eq!(place.log().len(), 2);
}

#[test]
fn a_commit_of_ours_below_another_is_found() {
    let place = Place::repository(&[("f", "a\n")]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some("b\n"))]);
    let planned = place.plan(&workspace, &files).unwrap();
    let applied = place.execute(&workspace, &planned.intent).unwrap();
    place.write("f", "c\n");
    place.git(&["commit", "-qam", "on top"]);
    place.write("f", "d\n");
    let before = place.status();
    assert_eq!(place.execute(&workspace, &planned.intent).unwrap(), applied);
    assert_eq!((place.log().len(), place.status()), (3, before));
}

#[test]
fn a_held_index_stops_before_anything_is_written() {
    let place = Place::repository(&[("f", "a\n")]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some("b\n"))]);
    let planned = place.plan(&workspace, &files).unwrap();
    place.write(".git/index.lock", "");
    let error = place.execute(&workspace, &planned.intent).unwrap_err();
    assert_eq!((error.code(), error.class()), (Code::GitBusy, Class::Transient));
    assert_eq!((place.read("f").as_deref(), place.log().len()), (Some("a\n"), 1));
    std::fs::remove_file(place.root.join(".git/index.lock")).unwrap();
    place.apply_planned(&workspace, &planned.intent);
    assert_eq!(place.log().len(), 2);
}

#[test]
fn a_rejected_proposal_leaves_no_trace() {
    let place = Place::repository(&[("f", "a\n")]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("f", Some("b\n")), ("new", Some("n\n"))]);
    place.plan(&workspace, &files).unwrap();
    assert_eq!(
        (place.status().as_str(), place.read("f").as_deref()),
        ("", Some("a\n"))
    );
    assert_eq!(place.read("new"), None);
}

#[test]
fn a_file_that_is_announced_to_git_is_no_staged_work() {
    let place = Place::repository(&[("f", "a\n")]);
    place.write("n", "");
    place.git(&["add", "-N", "n"]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("n", Some("n\n"))]);
    place.apply(&workspace, &files);
    assert_eq!(
        (place.committed("n").as_deref(), place.status().as_str()),
        (Some("n\n"), "")
    );
}

#[test]
fn a_link_that_was_committed_is_not_replaced_by_a_file() {
    let place = Place::repository(&[("f", "a\n")]);
    std::os::unix::fs::symlink("f", place.root.join("link")).unwrap();
    place.git(&["add", "link"]);
    place.git(&["commit", "-qm", "link"]);
    std::fs::remove_file(place.root.join("link")).unwrap();
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("link", Some("x\n"))]);
    assert_eq!(code(place.plan(&workspace, &files)), Code::PathProtected);
}

#[test]
fn proposals_that_are_accepted_at_once_all_land() {
    const WORKERS: usize = 4;
    let place = Place::repository(&[("f", "a\n")]);
    place.write("untracked", "u\n");
    let (home, before) = (place.home.clone(), place.status());
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let home = &home;
            scope.spawn(move || {
                let place = Place::existing(home);
                let workspace = place.open();
                let path = format!("n{worker}");
                let files = place.proposal(&workspace, &[(path.as_str(), Some("n\n"))]);
                // As the engine does: a transient failure is planned again.
                loop {
                    let planned = place.plan(&workspace, &files);
                    match planned.and_then(|planned| place.execute(&workspace, &planned.intent)) {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.class(), Class::Transient, "{error}"),
                    }
                }
            });
        }
    });
    assert_eq!((place.log().len(), place.status()), (1 + WORKERS, before));
    for worker in 0..WORKERS {
        assert_eq!(place.committed(&format!("n{worker}")).as_deref(), Some("n\n"));
    }
}
