//! Runs the engine's blocking calls off the async threads, a bounded number at
//! once and a bounded number waiting, so that a burst of requests becomes an
//! error for some of them and not a process without memory.

use std::{num::NonZeroUsize, sync::Arc, thread};

use tokio::sync::{Semaphore, TryAcquireError};

use super::error::{Error, Result};

/// Calls at work for each processor: the engine mixes computing and page faults.
const RUNNING_PER_CPU: usize = 2;

/// Fewest calls at work, so that a slow call on a small machine stalls no other.
const RUNNING_MIN: usize = 4;

/// Calls that may wait for their turn.
const WAITING_MAX: usize = 1024;

/// A bounded set of blocking threads; clones share it.
#[derive(Debug, Clone)]
pub struct Pool {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for Pool {
    fn default() -> Self {
        let cpus = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::new((cpus * RUNNING_PER_CPU).max(RUNNING_MIN), WAITING_MAX)
    }
}

impl Pool {
    /// A pool with `running` calls at work and `waiting` more in line.
    pub fn new(running: usize, waiting: usize) -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(running + waiting)),
            running: Arc::new(Semaphore::new(running)),
        }
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
        let admitted = match Arc::clone(&self.admitted).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => return Err(Error::Overloaded),
        };
        let Ok(running) = Arc::clone(&self.running).acquire_owned().await else {
            return Err(Error::Overloaded);
        };
        let task = tokio::task::spawn_blocking(move || {
            let _held_to_the_end = (admitted, running);
            work()
        });
        task.await
            .unwrap_or_else(|error| Err(Error::Internal(format!("the engine panicked: {error}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_pool_refuses_and_recovers() {
        let pool = Pool::new(1, 0);
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
        let result: Result<()> = Pool::new(1, 1).run(|| panic!("no")).await;
        assert!(matches!(result, Err(Error::Internal(_))), "{result:?}");
    }
}
