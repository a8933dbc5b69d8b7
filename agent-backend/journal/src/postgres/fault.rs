//! What an error of Postgres means for the journal.

use tokio_postgres::error::SqlState;

use crate::Error;

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let reason = describe(&error);
        let Some(state) = error.code() else {
            // A value of the wrong type comes from a row, all else from the way
            // to the server.
            let of_a_row = error.to_string().contains("column");
            return if of_a_row && !error.is_closed() {
                Self::DamagedRow { reason }
            } else {
                Self::Away { reason }
            };
        };
        let is = |states: &[SqlState]| states.contains(state);
        let class = state.code().get(..2).unwrap_or_default();
        if is(&[SqlState::DISK_FULL]) {
            Self::Full { reason }
        } else if is(&[
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
        ]) {
            Self::Busy { reason }
        } else if matches!(class, "08" | "53" | "57") {
            // The connection, the server's resources, somebody who stops it.
            Self::Away { reason }
        } else if matches!(class, "28" | "3D" | "42") {
            // Not let in, no such database, no right, or tables that are not ours.
            Self::Refused { reason }
        } else if matches!(class, "22" | "54") {
            // A value that the server does not take: of this append alone.
            Self::Invalid { reason }
        } else if matches!(class, "XX" | "23") {
            // Everything is checked before it is written.
            Self::Corrupt { reason }
        } else {
            Self::Storage { reason }
        }
    }
}

fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => {
            let source = std::error::Error::source(error);
            source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
        }
    }
}
