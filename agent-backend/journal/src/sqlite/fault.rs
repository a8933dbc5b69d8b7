//! What an error of SQLite means for the journal.

use rusqlite::ErrorCode;

use crate::Error;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let reason = error.to_string();
        let Some(code) = error.sqlite_error_code() else {
            // Not from the storage: a value that does not fit its column.
            return Self::DamagedRow { reason };
        };
        let is = |codes: &[ErrorCode]| codes.contains(&code);
        if is(&[ErrorCode::DiskFull]) {
            Self::Full { reason }
        } else if is(&[ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked]) {
            Self::Busy { reason }
        } else if is(&[
            ErrorCode::DatabaseCorrupt,
            ErrorCode::NotADatabase,
            ErrorCode::ConstraintViolation,
        ]) {
            // Everything is checked before it is written, so that a broken
            // constraint means that an index no longer fits its table.
            Self::Corrupt { reason }
        } else {
            Self::Storage { reason }
        }
    }
}

/// Whether other jobs of the same group can still succeed, each by itself:
/// perhaps one was too large, or met a damaged row of its own workflow.
pub(super) fn spares_others(error: &Error) -> bool {
    matches!(error, Error::Full { .. } | Error::DamagedRow { .. })
}
