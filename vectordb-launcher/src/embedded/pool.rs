//! Runs the engine's blocking calls off the async threads, a bounded number at
//! once and a bounded number waiting, so that a burst of requests becomes an
//! error for some of them and not a process without memory. Writes have threads
//! of their own, which leave the processors to searches.

use std::{future::Future, io, num::NonZeroUsize, sync::Arc, thread};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::{
    error::{Error, Result},
    niced::Niced,
};

/// Calls at work for each processor: the engine mixes computing and page faults.
const RUNNING_PER_CPU: usize = 2;

/// Fewest calls at work, so that a slow call on a small machine stalls no other.
const RUNNING_MIN: usize = 4;

/// Calls that may wait for their turn.
const WAITING_MAX: usize = 1024;

/// How nice writes are: a search that comes gets a processor at once.
const WRITING_NICENESS: u8 = 5;

/// A bounded set of blocking threads; clones share it.
#[derive(Debug, Clone)]
pub struct Pool {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    writers: Arc<Niced>,
}

impl Pool {
    /// A pool for this machine.
    ///
    /// # Errors
    /// What the system says about threads.
    pub fn start() -> io::Result<Self> {
        let cpus = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with((cpus * RUNNING_PER_CPU).max(RUNNING_MIN), WAITING_MAX)
    }

    /// A pool with `running` calls of each kind at work and `waiting` more in line.
    fn with(running: usize, waiting: usize) -> io::Result<Self> {
        Ok(Self {
            admitted: Arc::new(Semaphore::new(running + waiting)),
            running: Arc::new(Semaphore::new(running)),
            writers: Arc::new(Niced::start("writer", running, WRITING_NICENESS)?),
        })
    }

    /// Runs `work` when it is its turn. A caller that goes away does not stop
    /// work that has begun: half a write would be worse than an unseen one.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Overloaded`] if too many calls wait;
    /// [`Error::Internal`] if `work` panicked.
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let admitted = self.admit()?;
        let Ok(running) = Arc::clone(&self.running).acquire_owned().await else {
            return Err(Error::Overloaded);
        };
        let task = tokio::task::spawn_blocking(move || {
            let _held_to_the_end = (admitted, running);
            work()
        });
        task.await.unwrap_or_else(|_| Err(panicked()))
    }

    /// As [`run`](Self::run), on a thread for writes.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn write<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let (admitted, writers) = (self.admit(), Arc::clone(&self.writers));
        async move {
            let admitted = admitted?;
            let work = move || {
                let _held_to_the_end = admitted;
                work()
            };
            writers.run(work).await.unwrap_or_else(|| Err(panicked()))
        }
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit> {
        match Arc::clone(&self.admitted).try_acquire_owned() {
            Ok(permit) => Ok(permit),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => Err(Error::Overloaded),
        }
    }
}

/// What is told of a panic; its own words are in the log.
pub(super) fn panicked() -> Error {
    Error::damaged("the engine panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_pool_refuses_and_recovers() {
        let pool = Pool::with(1, 0).unwrap();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let busy = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(move || Ok(wait.recv().is_ok())).await }
        });
        while pool.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|| Ok(1)).await, Err(Error::Overloaded));
        release.send(()).unwrap();
        assert_eq!(busy.await.unwrap(), Ok(true));
        assert_eq!(pool.run(|| Ok(2)).await, Ok(2));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let pool = Pool::with(1, 1).unwrap();
        let result: Result<()> = pool.run(|| panic!("no")).await;
        assert_eq!(result, Err(panicked()));
        let result: Result<()> = pool.write(|| panic!("no")).await;
        assert_eq!(result, Err(panicked()));
        assert_eq!(pool.write(|| Ok(3)).await, Ok(3));
    }
}
