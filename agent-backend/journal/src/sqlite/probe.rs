//! Whether the disk has room.

use std::{fs, io, io::Write, path::Path};

use crate::{Error, limits::PROBE_BYTES};

/// Writes a file of some size, for it to be there, and removes it.
pub(super) fn write(path: &Path) -> Result<(), Error> {
    let written = (|| {
        let mut file = fs::File::create(path)?;
        file.write_all(&vec![1; PROBE_BYTES])?;
        file.sync_all()
    })();
    // A part of it may be there, and takes the room that is missing.
    let removed = fs::remove_file(path);
    written.and(removed).map_err(|error| {
        let reason = error.to_string();
        if matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            Error::Full { reason }
        } else {
            Error::Busy { reason }
        }
    })
}
