//! The threads that read, each with a connection that cannot write. A reader
//! sees the last commit and never waits for the writer, nor it for a reader.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use super::{schema, thread::Joined};
use crate::{
    Error,
    limits::{READ_QUEUE_MAX, READERS},
};

type Ask = Box<dyn FnOnce(&mut Connection) + Send>;

/// The readers and their queue.
#[derive(Debug)]
pub(super) struct Readers {
    asks: mpsc::Sender<Ask>,
    _threads: Vec<Joined>,
}

impl Readers {
    /// Opens the connections and starts the threads.
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let (asks, queue) = mpsc::channel::<Ask>(READ_QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut connection = Connection::open_with_flags(path, flags)?;
            schema::configure(&connection)?;
            schema::set(&connection, "query_only", 1)?;
            let queue = Arc::clone(&queue);
            let work = move || {
                while let Some(ask) = next(&queue) {
                    ask(&mut connection);
                }
            };
            let thread = Joined::spawn("journal-reader", work);
            threads.push(thread.map_err(|error| Error::Storage {
                reason: error.to_string(),
            })?);
        }
        Ok(Self {
            asks,
            _threads: threads,
        })
    }

    /// Runs a query on one of the readers.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let ask: Ask = Box::new(move |connection| {
            // Nobody listens when the caller stopped waiting.
            let _ = reply.send(query(connection));
        });
        self.asks.send(ask).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)?
    }
}

/// The next query; the lock is held while waiting, so that one reader waits
/// for the queue and the others wait for that one.
fn next(queue: &Mutex<mpsc::Receiver<Ask>>) -> Option<Ask> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .blocking_recv()
}
