//! Every state that a workspace can be found in.

use std::path::Path;

use shared::error::Code;
use tools::{Head, Operation, Repository, Workspace, repository::NoRepository};

use crate::support::{NOW, Place, code};

fn open(place: &Place, path: &Path) -> Result<Workspace, tools::Error> {
    Workspace::open_with(path, place.environment())
}

#[test]
fn what_is_no_workspace() {
    let place = Place::plain();
    place.write("file", "x");
    place.git(&["init", "-q", "--bare", "bare"]);
    place.git(&["init", "-q", "normal"]);
    assert_eq!(
        code(open(&place, &place.root.join("absent"))),
        Code::WorkspaceNotADirectory
    );
    assert_eq!(
        code(open(&place, &place.root.join("file"))),
        Code::WorkspaceNotADirectory
    );
    assert_eq!(
        code(open(&place, &place.root.join("file/x"))),
        Code::WorkspaceNotADirectory
    );
    assert_eq!(code(open(&place, &place.root.join("bare"))), Code::BareRepository);
    assert_eq!(
        code(open(&place, &place.root.join("normal/.git"))),
        Code::BareRepository
    );
}

#[test]
fn a_damaged_repository_is_not_taken_for_none() {
    let place = Place::repository(&[]);
    place.write(".git/config", "[core\n");
    assert_eq!(code(open(&place, &place.root)), Code::GitFailed);
}

fn messages(workspace: &Workspace) -> Vec<String> {
    workspace
        .notices()
        .into_iter()
        .map(|notice| notice.message)
        .collect()
}

#[test]
fn a_plain_directory_is_written_without_a_commit() {
    let place = Place::plain();
    place.write("a", "a\n");
    place.write("gone", "x\n");
    let workspace = place.open();
    assert_eq!(
        messages(&workspace),
        ["the workspace is in no git repository: changes will be written without a commit"]
    );
    let files = place.proposal(
        &workspace,
        &[("a", Some("b\n")), ("d/n", Some("n\n")), ("gone", None)],
    );
    let applied = place.apply(&workspace, &files);
    assert_eq!((applied.commit, applied.branch), (None, None));
    let now = (place.read("a"), place.read("d/n"), place.read("gone"));
    assert_eq!(now, (Some("b\n".to_owned()), Some("n\n".to_owned()), None));
}

#[test]
fn a_directory_that_the_repository_around_it_ignores() {
    let place = Place::repository(&[(".gitignore", "/scratch\n")]);
    place.write("scratch/a", "a\n");
    let workspace = place.open_below("scratch");
    let expect = Repository::None(NoRepository::Ignored {
        top_level: place.root.clone(),
    });
    assert_eq!(workspace.repository(), &expect);
    let files = place.proposal(&workspace, &[("a", Some("b\n"))]);
    let applied = place
        .execute(&workspace, &place.plan(&workspace, &files).unwrap().intent)
        .unwrap();
    assert_eq!(
        (applied.commit, place.read("scratch/a").as_deref()),
        (None, Some("b\n"))
    );
}

fn head(workspace: &Workspace) -> Head {
    let Repository::Git(git) = workspace.repository() else {
        panic!("no repository")
    };
    git.head.clone()
}

#[test]
fn an_unborn_branch_gets_its_first_commit() {
    let place = Place::unborn();
    place.write("a", "a\n");
    place.write("staged", "s\n");
    place.git(&["add", "staged"]);
    let workspace = place.open();
    assert_eq!(
        head(&workspace),
        Head::Unborn {
            reference: "refs/heads/main".to_owned()
        }
    );
    let files = place.proposal(&workspace, &[("a", Some("b\n")), ("n", Some("n\n"))]);
    let applied = place.apply(&workspace, &files);
    assert_eq!(applied.branch.as_deref(), Some("main"));
    assert_eq!(place.log(), ["feat: add things"]);
    assert_eq!(place.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "a\nn\n");
    assert_eq!(place.git(&["diff", "--cached", "--name-only"]), "staged\n");
}

#[test]
fn a_detached_head_moves_itself_alone() {
    let place = Place::repository(&[("a", "a\n")]);
    place.git(&["checkout", "-q", "--detach"]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("a", Some("b\n"))]);
    let applied = place.apply(&workspace, &files);
    assert_eq!((applied.branch, place.status().as_str()), (None, ""));
    assert_eq!(
        applied.commit.as_deref(),
        Some(place.git(&["rev-parse", "HEAD"]).trim())
    );
    assert_eq!(
        place.git(&["rev-parse", "HEAD~1"]),
        place.git(&["rev-parse", "main"])
    );
    assert_ne!(place.try_git(&["symbolic-ref", "-q", "HEAD"]).0, Some(0));
}

#[test]
fn a_workspace_below_the_root_of_its_repository() {
    let place = Place::repository(&[("other", "o\n"), ("sub dir/ü/a", "a\n")]);
    place.write("other", "dirty\n");
    let workspace = place.open_below("sub dir/ü");
    let files = place.proposal(&workspace, &[("a", Some("b\n")), ("n*", Some("n\n"))]);
    let planned = place.plan(&workspace, &files).unwrap();
    let applied = place.apply_planned(&workspace, &planned.intent);
    assert_eq!(applied.paths, ["a", "n*"]);
    assert_eq!(
        place.git(&["-c", "core.quotePath=false", "show", "--format=", "--name-only"]),
        "sub dir/ü/a\nsub dir/ü/n*\n"
    );
    assert!(place.status().ends_with(" other\n") && place.status().lines().count() == 1);
    let outside = place.propose(&workspace, &[("../../other", Some("x"))]);
    assert_eq!(outside.refused[0].error.code(), Code::PathOutsideWorkspace);
}

#[test]
fn a_linked_work_tree_commits_on_its_own_branch() {
    let place = Place::repository(&[("a", "a\n")]);
    place.git(&["worktree", "add", "-q", "-b", "side", "../linked"]);
    let workspace = place.open_below("../linked");
    let files = place.proposal(&workspace, &[("a", Some("b\n"))]);
    let planned = place.plan(&workspace, &files).unwrap();
    let applied = place.execute(&workspace, &planned.intent).unwrap();
    assert_eq!(applied.branch.as_deref(), Some("side"));
    assert_eq!((place.status().as_str(), place.log().len()), ("", 1));
    assert_eq!(place.git(&["-C", "../linked", "status", "--porcelain"]), "");
    assert_eq!(
        place.git(&["rev-parse", "side~1"]),
        place.git(&["rev-parse", "main"])
    );
}

#[track_caller]
fn check_busy(begin: &[&[&str]], expect: Operation) {
    let place = Place::repository(&[("a", "a\n"), ("b", "b\n")]);
    place.git(&["checkout", "-qb", "side"]);
    place.write("a", "side\n");
    place.git(&["commit", "-qam", "side"]);
    place.git(&["checkout", "-q", "main"]);
    place.write("a", "main\n");
    place.git(&["commit", "-qam", "main"]);
    let before = place.open();
    let files = place.proposal(&before, &[("b", Some("c\n"))]);
    let planned = place.plan(&before, &files).unwrap();
    for arguments in begin {
        place.try_git(arguments);
    }
    let workspace = place.open();
    let Repository::Git(git) = workspace.repository() else {
        panic!("no repository")
    };
    assert_eq!(git.in_progress, Some(expect));
    let message =
        format!("a {expect} is in progress: nothing can be committed until it is finished or aborted");
    assert!(messages(&workspace).contains(&message));
    assert_eq!(code(place.plan(&workspace, &files)), Code::GitBusy);
    assert_eq!(code(place.execute(&workspace, &planned.intent)), Code::GitBusy);
    assert_eq!(place.read("b").as_deref(), Some("b\n"));
}

#[test]
fn nothing_is_committed_in_the_middle_of_something() {
    check_busy(&[&["merge", "side"]], Operation::Merge);
    check_busy(&[&["rebase", "side"]], Operation::Rebase);
    check_busy(&[&["cherry-pick", "side"]], Operation::CherryPick);
    check_busy(
        &[&["revert", "--no-commit", "HEAD"], &["revert", "HEAD~1"]],
        Operation::Revert,
    );
    check_busy(&[&["bisect", "start"]], Operation::Bisect);
}

#[test]
fn someone_without_a_name_commits_as_us() {
    let place = Place::repository(&[("a", "a\n")]);
    std::fs::write(place.home.join(".gitconfig"), "").unwrap();
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("a", Some("b\n"))]);
    place.apply(&workspace, &files);
    assert_eq!(
        place
            .git(&["log", "-1", "--format=%an <%ae> %cn <%ce> %at"])
            .trim(),
        format!("Agentic IDE <agentic-ide@localhost> Agentic IDE <agentic-ide@localhost> {NOW}")
    );
}

#[test]
fn line_ending_conversion_is_gits_own() {
    let place = Place::repository(&[(".gitattributes", "*.txt text eol=crlf\n"), ("a.txt", "a\nb\n")]);
    std::fs::remove_file(place.root.join("a.txt")).unwrap();
    place.git(&["checkout", "--", "a.txt"]);
    assert_eq!(place.read("a.txt").as_deref(), Some("a\r\nb\r\n"));
    let workspace = place.open();
    assert_eq!(workspace.read_text("a.txt").unwrap().unwrap().text, "a\nb\n");
    let files = place.proposal(&workspace, &[("a.txt", Some("a\nc\n"))]);
    place.apply(&workspace, &files);
    assert_eq!(place.read("a.txt").as_deref(), Some("a\r\nc\r\n"));
    assert_eq!(
        (place.committed("a.txt").as_deref(), place.status().as_str()),
        (Some("a\nc\n"), "")
    );
}

#[test]
fn hooks_are_named_and_not_run() {
    let place = Place::repository(&[("a", "a\n")]);
    place.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    place.set_mode(".git/hooks/pre-commit", 0o755);
    let workspace = place.open();
    assert_eq!(
        messages(&workspace),
        ["these git hooks are not run on the commit: pre-commit"]
    );
    let files = place.proposal(&workspace, &[("a", Some("b\n"))]);
    place.apply(&workspace, &files);
    assert_eq!(place.log().len(), 2);
}

#[test]
fn a_commit_that_must_be_signed_and_cannot_be_is_not_made() {
    let place = Place::repository(&[("a", "a\n")]);
    place.git(&["config", "commit.gpgsign", "true"]);
    place.git(&["config", "gpg.program", "false"]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("a", Some("b\n"))]);
    let planned = place.plan(&workspace, &files).unwrap();
    assert_eq!(code(place.execute(&workspace, &planned.intent)), Code::GitFailed);
    assert_eq!((place.log().len(), place.read("a").as_deref()), (1, Some("a\n")));
}

#[test]
fn signed_commits_are_made_once_though_each_signature_differs() {
    let place = Place::repository(&[("a", "a\n")]);
    // Stands in for gpg: a new signature each time, as real ones have.
    let signer = place.home.join("signer");
    std::fs::write(
        &signer,
        "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\necho '-----BEGIN PGP SIGNATURE-----'\necho $$\necho '-----END PGP SIGNATURE-----'\n",
    )
    .unwrap();
    std::fs::set_permissions(&signer, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.git(&["config", "commit.gpgsign", "true"]);
    place.git(&["config", "gpg.program", signer.to_str().unwrap()]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("a", Some("b\n"))]);
    place.apply(&workspace, &files);
    assert_eq!(place.log(), ["feat: add things", "first"]);
    assert!(
        place
            .git(&["cat-file", "commit", "HEAD"])
            .contains("BEGIN PGP SIGNATURE")
    );
}

#[test]
fn repositories_of_the_longer_hash_work_too() {
    let place = Place::plain();
    place.git(&["init", "-q", "--object-format=sha256"]);
    place.write("a", "a\n");
    place.write("gone", "x\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "first"]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("a", Some("b\n")), ("gone", None)]);
    let applied = place.apply(&workspace, &files);
    assert_eq!((applied.commit.unwrap().len(), place.status().as_str()), (64, ""));
}

#[test]
fn filters_are_gits_own() {
    let place = Place::repository(&[(".gitattributes", "*.up filter=case\n")]);
    place.git(&["config", "filter.case.clean", "tr A-Z a-z"]);
    place.git(&["config", "filter.case.smudge", "tr a-z A-Z"]);
    place.write("a.up", "ONE\n2\n3\n4\n5\n6\n7\nEIGHT\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-qm", "up"]);
    place.write("a.up", "ONE\n2\n3\n4\n5\n6\n7\nMINE\n");
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("a.up", Some("TWO\n2\n3\n4\n5\n6\n7\nMINE\n"))]);
    place.apply(&workspace, &files);
    assert_eq!(
        place.committed("a.up").as_deref(),
        Some("two\n2\n3\n4\n5\n6\n7\neight\n")
    );
    assert!(place.git(&["diff"]).ends_with("-eight\n+mine\n"));
}

#[test]
fn a_repository_that_git_distrusts_is_not_taken_for_none() {
    let place = Place::repository(&[]);
    let mut environment = place.environment();
    environment.push(("GIT_TEST_ASSUME_DIFFERENT_OWNER".into(), "1".into()));
    assert_eq!(
        code(Workspace::open_with(&place.root, environment)),
        Code::GitFailed
    );
}

#[test]
fn without_a_git_program() {
    let place = Place::plain();
    let mut environment = place.environment();
    environment.push(("PATH".into(), "/nonexistent".into()));
    let workspace = Workspace::open_with(&place.root, environment.clone()).unwrap();
    assert_eq!(
        workspace.repository(),
        &Repository::None(NoRepository::GitMissing)
    );
    let files = place.proposal(&workspace, &[("a", Some("a\n"))]);
    let applied = place
        .execute(&workspace, &place.plan(&workspace, &files).unwrap().intent)
        .unwrap();
    assert_eq!((applied.commit, place.read("a").as_deref()), (None, Some("a\n")));
    place.git(&["init", "-q"]);
    assert_eq!(
        code(Workspace::open_with(&place.root, environment)),
        Code::GitMissing
    );
}
