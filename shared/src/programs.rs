//! Where this machine has a program. Runs nothing.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// The programs called `name` in the folders of `path`, which is written as
/// `PATH` is, in their order. Only absolute folders count: an entry like `.`
/// would let a workspace choose what runs.
pub fn on_path<'a>(path: &'a OsStr, name: &'a OsStr) -> impl Iterator<Item = PathBuf> + 'a {
    folders(path)
        .map(move |folder| folder.join(name))
        .filter(|file| is_program(file))
}

/// The absolute folders of a value written as `PATH` is.
pub fn folders(path: &OsStr) -> impl Iterator<Item = PathBuf> + '_ {
    env::split_paths(path).filter(|folder| folder.is_absolute())
}

/// Whether a path leads to a file that may be executed.
pub fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_absolute_folders_are_found_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, mode: u32| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        file("a/tool", 0o644);
        fs::create_dir_all(dir.path().join("b/tool")).unwrap();
        let (first, second) = (file("c/tool", 0o755), file("d/tool", 0o755));
        let folders = ["a", "b", "c", "d"].map(|name| dir.path().join(name));
        let path = env::join_paths([PathBuf::from(".")].iter().chain(&folders)).unwrap();
        let found: Vec<PathBuf> = on_path(&path, OsStr::new("tool")).collect();
        assert_eq!(found, [first, second]);
        assert_eq!(on_path(&path, OsStr::new("other")).count(), 0);
    }
}
