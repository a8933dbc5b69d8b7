//! Copies and sizes of folders.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use shared::files::sync_folder;

/// Name of the lock file inside a data directory.
pub const LOCK_FILE: &str = "lock";

/// Copies the folder `from` to the new folder `to` and returns the bytes; when
/// this returns they are on disk.
pub fn copy_tree(from: &Path, to: &Path) -> io::Result<u64> {
    fs::create_dir(to)?;
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            bytes += copy_tree(&entry.path(), &target)?;
        } else {
            bytes += fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    sync_folder(to)?;
    Ok(bytes)
}

/// Makes everything below `folder` durable.
pub fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

/// Bytes of all files below `folder`; what cannot be read counts as nothing,
/// because files come and go while the engine works.
pub fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_below(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_bytes_of_all_below() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("deep")).unwrap();
        fs::write(from.join("deep/file"), "two").unwrap();
        fs::write(from.join("file"), "one").unwrap();
        assert_eq!(copy_tree(&from, &to).unwrap(), 6);
        assert_eq!(fs::read(to.join("deep/file")).unwrap(), b"two");
        assert_eq!(bytes_below(&to), 6);
    }
}
