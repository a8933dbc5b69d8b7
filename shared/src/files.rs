//! Files that are whole at every moment and on the disk when a call returns.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

/// Replaces `path` by `content` so that a crash at any moment leaves either the
/// old or the new content: the new file is on disk before the name moves, and
/// the name is on disk before this returns. A file that is replaced keeps its
/// permissions; a new one is its owner's alone. Blocks.
///
/// # Errors
/// Those of the system; one of them is that there is no such folder, because
/// one that went away is not made again behind the back of who lost it.
pub fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    match fs::metadata(path) {
        Ok(old) => file.as_file().set_permissions(old.permissions())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// The folder that `path` is in. A bare file name has the empty path for a
/// parent, which no call of the system takes.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Makes the names inside `folder` durable.
///
/// # Errors
/// Those of the system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_bare_name_is_in_the_current_folder() {
        assert_eq!(folder_of(Path::new("ports.json")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/ports.json")), Path::new("a"));
        assert_eq!(folder_of(Path::new("/ports.json")), Path::new("/"));
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let check = |content: &[u8], mode: u32| {
            write_atomically(&path, content).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        };
        check(b"one", 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        check(b"two", 0o644);
    }

    #[test]
    fn a_folder_that_went_away_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let error = write_atomically(&gone.join("file"), b"one").unwrap_err();
        assert_eq!((error.kind(), gone.exists()), (io::ErrorKind::NotFound, false));
    }
}
