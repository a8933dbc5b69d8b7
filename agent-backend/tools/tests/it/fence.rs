//! Paths that must not be read or written, on a real file system.

use std::os::unix::fs::symlink;

use shared::error::Code;

use crate::support::{Place, code};

#[track_caller]
fn check(place: &Place, path: &str, expect: Code) {
    let workspace = place.open();
    assert_eq!(code(workspace.resolve(path)), expect, "resolve {path:?}");
    check_contents(place, path, expect);
}

/// Like [`check`], where the path is in order and what is there is not.
#[track_caller]
fn check_contents(place: &Place, path: &str, expect: Code) {
    let workspace = place.open();
    assert_eq!(code(workspace.read_text(path)), expect, "read {path:?}");
    let proposed = place.propose(&workspace, &[(path, Some("x\n"))]);
    let codes: Vec<_> = proposed
        .refused
        .iter()
        .map(|refused| refused.error.code())
        .collect();
    assert_eq!(
        (codes, proposed.files),
        (vec![expect], vec![]),
        "propose {path:?}"
    );
}

#[test]
fn text_alone_tells() {
    let place = Place::repository(&[("a.txt", "a\n")]);
    let absolute = place.root.join("a.txt").display().to_string();
    for path in [absolute.as_str(), "../x", "a/../../x", "", "a\0b"] {
        check(&place, path, Code::PathOutsideWorkspace);
    }
    for path in [
        ".git/config",
        ".GIT/config",
        ".git/",
        "x/.git/config",
        ".agentic-ide/x",
        ".env",
    ] {
        let expect = if path.ends_with('/') {
            Code::PathOutsideWorkspace
        } else {
            Code::PathProtected
        };
        check(&place, path, expect);
    }
}

#[test]
fn symlinks_are_not_followed() {
    let place = Place::repository(&[("dir/a.txt", "a\n")]);
    std::fs::create_dir(place.home.join("outside")).unwrap();
    std::fs::write(place.home.join("outside/secret"), "s\n").unwrap();
    symlink(place.home.join("outside"), place.root.join("out")).unwrap();
    symlink("../outside/secret", place.root.join("secret")).unwrap();
    symlink("/nowhere", place.root.join("dangling")).unwrap();
    symlink("dir", place.root.join("inside")).unwrap();
    symlink("dir/a.txt", place.root.join("alias")).unwrap();
    symlink("dir", place.root.join("dir/loop")).unwrap();
    symlink(".git", place.root.join("meta")).unwrap();
    check(&place, "out/secret", Code::PathOutsideWorkspace);
    check(&place, "out/new", Code::PathOutsideWorkspace);
    check(&place, "secret", Code::PathOutsideWorkspace);
    check(&place, "dangling", Code::PathOutsideWorkspace);
    check(&place, "inside/a.txt", Code::PathProtected);
    check(&place, "alias", Code::PathProtected);
    check(&place, "meta/config", Code::PathProtected);
    assert_eq!(
        std::fs::read_to_string(place.home.join("outside/secret")).unwrap(),
        "s\n"
    );
}

#[test]
fn a_directory_that_becomes_a_link_is_noticed_at_the_write() {
    let place = Place::repository(&[("dir/a.txt", "a\n")]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("dir/a.txt", Some("b\n"))]);
    let planned = place.plan(&workspace, &files).unwrap();
    let outside = place.home.join("outside");
    std::fs::rename(place.root.join("dir"), &outside).unwrap();
    symlink(&outside, place.root.join("dir")).unwrap();
    assert_eq!(
        code(place.execute(&workspace, &planned.intent)),
        Code::PathOutsideWorkspace
    );
    assert_eq!(std::fs::read_to_string(outside.join("a.txt")).unwrap(), "a\n");
    assert_eq!(place.log(), ["first"]);
}

#[test]
fn directories_and_ways_through_files() {
    let place = Place::repository(&[("dir/a.txt", "a\n")]);
    check(&place, "dir", Code::PathOutsideWorkspace);
    check(&place, "dir/a.txt/b", Code::PathOutsideWorkspace);
}

#[test]
fn other_repositories_inside() {
    let place = Place::repository(&[("a.txt", "a\n")]);
    place.git(&["init", "-q", "nested"]);
    place.write("nested/a.txt", "a\n");
    check(&place, "nested/a.txt", Code::PathProtected);

    // A submodule that was never checked out is an empty directory.
    let commit = place.git(&["rev-parse", "HEAD"]);
    place.write(".gitmodules", "[submodule \"sub\"]\n\tpath = sub\n\turl = ../x\n");
    place.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{},sub", commit.trim()),
    ]);
    std::fs::create_dir(place.root.join("sub")).unwrap();
    check(&place, "sub/new.txt", Code::PathProtected);
}

#[test]
fn a_git_directory_under_another_name() {
    let place = Place::plain();
    place.git(&["init", "-q", "--separate-git-dir", "meta"]);
    check(&place, "meta/config", Code::PathProtected);
    check(&place, ".git", Code::PathProtected);
}

#[test]
fn contents_that_cannot_be_edited() {
    let place = Place::repository(&[]);
    std::fs::write(place.root.join("binary"), b"a\0b").unwrap();
    std::fs::write(place.root.join("latin"), b"caf\xe9\n").unwrap();
    std::fs::File::create(place.root.join("huge"))
        .unwrap()
        .set_len(2 << 30)
        .unwrap();
    nix::unistd::mkfifo(&place.root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    check_contents(&place, "binary", Code::FileNotText);
    check_contents(&place, "latin", Code::FileNotText);
    check_contents(&place, "huge", Code::FileTooLarge);
    check_contents(&place, "pipe", Code::FileNotText);
    assert_eq!(place.open().read_text("absent").unwrap(), None);
    assert_eq!(place.open().read_text("no/such/dir").unwrap(), None);
}

#[test]
fn unreadable_files() {
    let place = Place::repository(&[("a.txt", "a\n")]);
    place.set_mode("a.txt", 0o000);
    // Root reads everything: there is nothing to test then.
    if std::fs::read(place.root.join("a.txt")).is_err() {
        check_contents(&place, "a.txt", Code::WorkspaceUnreadable);
    }
}
