//! The thread that copies the log into the database while the writer goes on:
//! it syncs twice and writes thousands of pages, and text that is shown as it is
//! written cannot wait for that.
//!
//! A sync that fails here must stop the writer: it may have dropped what a later
//! one of the writer would then claim to have written. The writer asks for
//! [`Copier::failure`] before each group; a sync of its own that lies in between
//! fails, too, for the system reports a failure to every open file once.

use std::{
    path::Path,
    sync::mpsc::{self, Receiver, Sender, SyncSender},
};

use rusqlite::{Connection, OpenFlags};
use shared::crash;

use super::{
    schema,
    thread::Joined,
    writer::{self, Checkpoint},
};
use crate::Error;

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Copier {
    // Dropped before the thread is waited for.
    wanted: SyncSender<()>,
    failed: Receiver<Error>,
    _thread: Joined,
}

impl Copier {
    /// Starts the thread, with a connection of its own.
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        schema::configure_writer(&connection)?;
        // No room: what is wanted while it copies is wanted again afterwards.
        let (wanted, wishes) = mpsc::sync_channel(0);
        let (failures, failed) = mpsc::channel();
        let thread = Joined::spawn("journal-copier", move || run(&connection, &wishes, &failures)).map_err(
            |error| Error::Storage {
                reason: error.to_string(),
            },
        )?;
        Ok(Self {
            wanted,
            failed,
            _thread: thread,
        })
    }

    /// Copies the log, unless that is done already. Does not wait.
    pub(super) fn copy(&self) {
        let _busy = self.wanted.try_send(());
    }

    /// What went wrong since the last time.
    pub(super) fn failure(&self) -> Option<Error> {
        self.failed.try_recv().ok()
    }
}

fn run(connection: &Connection, wishes: &Receiver<()>, failures: &Sender<Error>) {
    for () in wishes {
        match writer::checkpoint(connection, Checkpoint::Passive) {
            Ok(_) => crash::point("journal:after_checkpoint"),
            Err(error) => {
                // Nobody listens at the end; then the writer copies all that is left.
                let _ended = failures.send(error);
            }
        }
    }
}
