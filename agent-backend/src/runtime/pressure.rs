//! Whether the journal takes what it is given. While it does not, workflows are
//! paused, and whoever asks for the health of the backend is told.

use std::sync::{Mutex, PoisonError};

use engine::ports;
use shared::error::Class;

use crate::error::Error;

/// Why the journal last refused something for a while, until it takes something.
#[derive(Debug, Default)]
pub struct Pressure(Mutex<Option<Error>>);

impl Pressure {
    /// What became of something that was to be written.
    pub(super) fn note<T>(&self, outcome: &Result<T, ports::Error>) {
        let now = match outcome {
            Ok(_) => None,
            Err(error) if error.class == Class::Transient => Some(Error::from(error.clone())),
            // It says nothing about others.
            Err(_) => return,
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*last, &now) {
            (None, Some(error)) => tracing::error!(code = %error.code, %error, "the journal takes nothing"),
            (Some(_), None) => tracing::info!("the journal takes everything again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        *last = now;
    }

    /// Why it takes nothing, if it does not.
    pub(crate) fn reason(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether the journal can be written to by now.
pub(crate) async fn check(services: &super::Services) -> Result<(), Error> {
    if services.pressure.reason().is_some() {
        let outcome = services.journal.room().await;
        services.pressure.note(&outcome);
        outcome?;
    }
    Ok(())
}
