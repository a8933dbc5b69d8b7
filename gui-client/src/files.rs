//! Durable writes of files.

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    path::Path,
};

/// Replaces `path` by `content`, whole at every moment, and makes its folder.
/// Without `permissions` it is its owner's alone. Blocks until it is on the disk.
pub fn write_atomically(path: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
