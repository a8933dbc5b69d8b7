use std::{os::unix::fs::MetadataExt, process::Command};

use super::*;

/// A repository with a file of each kind, and the copy of it.
struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let case = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let root = case.root();
        fs::create_dir_all(root.join("src")).unwrap();
        fs::create_dir_all(root.join("target")).unwrap();
        for (path, text) in [
            (".gitignore", "target/\n"),
            ("src/a.rs", "old"),
            ("run.sh", "#!/bin/sh"),
            ("target/built", "no"),
            (".env", "KEY=1"),
            ("gone.rs", "gone"),
        ] {
            fs::write(root.join(path), text).unwrap();
        }
        fs::set_permissions(root.join("run.sh"), Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/passwd", root.join("link")).unwrap();
        let status = Command::new("git")
            .args(["init", "-q"])
            .current_dir(&root)
            .status();
        assert!(status.unwrap().success());
        case
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("workspace")
    }

    fn lay(&self, changes: &[(&str, Option<&str>)], ages: &mut Ages) -> Overlay {
        let workspace = Workspace::open(&self.root()).unwrap();
        let changes = changes
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.map(|text| text.as_bytes().to_vec())))
            .collect();
        let files = listed(&workspace).unwrap();
        Overlay::lay(&workspace, &files, &self.dir.path().join("copy"), &changes, ages).unwrap()
    }

    fn ages(&self) -> Ages {
        Ages::read(&self.dir.path().join("ages"))
    }
}

#[test]
fn a_copy_has_what_git_does_not_ignore_and_the_change() {
    let case = Case::new();
    let changes = [
        ("src/a.rs", Some("new")),
        ("src/b/c.rs", Some("more")),
        ("gone.rs", None),
    ];
    let copy = case.lay(&changes, &mut case.ages());
    let paths: Vec<&str> = copy.paths.iter().map(String::as_str).collect();
    assert_eq!(paths, [".gitignore", "run.sh", "src/a.rs", "src/b/c.rs"]);
    let text = |path: &str| fs::read_to_string(copy.root().join(path)).unwrap();
    assert_eq!(
        (text("src/a.rs"), text("src/b/c.rs")),
        ("new".to_owned(), "more".to_owned())
    );
    assert_eq!(
        copy.root().join("run.sh").metadata().unwrap().mode() & 0o777,
        0o755
    );
    assert_eq!(
        fs::read_link(copy.root().join("link")).unwrap(),
        Path::new("/etc/passwd")
    );
    for absent in ["target", ".env", "gone.rs", ".git"] {
        assert!(copy.root().join(absent).symlink_metadata().is_err(), "{absent}");
    }
    assert_eq!(fs::read_to_string(case.root().join("src/a.rs")).unwrap(), "old");
}

#[test]
fn nothing_is_written_through_a_link() {
    let case = Case::new();
    let outside = case.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, case.root().join("dir")).unwrap();
    let copy = case.lay(&[("dir/a.rs", Some("new"))], &mut case.ages());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(copy.root().join("dir/a.rs")).unwrap(), "new");
}

#[test]
fn a_file_is_as_old_as_its_contents_are_known() {
    let case = Case::new();
    let mut ages = case.ages();
    let time = |copy: &Overlay, path: &str| copy.root().join(path).metadata().unwrap().modified().unwrap();
    let first = case.lay(&[], &mut ages);
    let (a, run) = (time(&first, "src/a.rs"), time(&first, "run.sh"));
    let names = first.identity();
    drop(first);
    let changed = case.lay(&[("src/a.rs", Some("new"))], &mut ages);
    assert_eq!(time(&changed, "run.sh"), run);
    let newer = time(&changed, "src/a.rs");
    assert!(newer > a);
    assert_ne!(changed.identity(), names);
    drop(changed);
    let back = case.lay(&[], &mut ages);
    assert!(time(&back, "src/a.rs") > newer);
    assert_eq!(back.identity(), names);
}

#[test]
fn a_copy_is_removed_with_what_was_left_in_it() {
    let case = Case::new();
    let copy = case.lay(&[], &mut case.ages());
    let left = copy.root().join("left");
    fs::create_dir_all(left.join("deep")).unwrap();
    symlink(case.root(), left.join("link")).unwrap();
    fs::set_permissions(&left, Permissions::from_mode(0o500)).unwrap();
    let root = copy.root().to_owned();
    drop(copy);
    assert!(root.symlink_metadata().is_err());
    assert!(case.root().join("src/a.rs").exists());
}
