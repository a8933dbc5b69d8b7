//! Threads that give way to others.
//!
//! On Linux a thread has its own niceness and hands it to the threads it
//! starts, so the engine's indexing threads have it, too.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use rustix::process::setpriority_process;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The threads; they end when this is dropped and their jobs are done.
#[derive(Debug)]
pub struct Niced {
    jobs: mpsc::Sender<Job>,
}

impl Niced {
    /// Starts `count` threads of that niceness, 0 to 19.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(name: &str, count: usize, niceness: u8) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..count {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                // Of nobody: of the thread that asks.
                if let Err(error) = setpriority_process(None, niceness.into()) {
                    tracing::debug!(%error, "a background thread runs with normal priority");
                }
                while let Some(job) = next(&queue) {
                    // Its result is lost, and the one who waits for it notices.
                    let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                }
            })?;
        }
        Ok(Self { jobs })
    }

    /// Runs `work` there; nothing if it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (sender, result) = oneshot::channel();
        let job = move || {
            let _nobody_waits = sender.send(work());
        };
        self.jobs.send(Box::new(job)).ok()?;
        result.await.ok()
    }
}

/// Waits with the queue held: whoever holds it is the next to get a job.
fn next(queue: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[tokio::test]
    async fn they_work_survive_and_are_nice() {
        let threads = Niced::start("test", 2, 7).unwrap();
        assert_eq!(threads.run(|| panic!("no")).await, None::<()>);
        assert_eq!(threads.run(|| panic!("no")).await, None::<()>);
        let niceness = threads.run(|| getpriority_process(None)).await;
        assert_eq!(niceness, Some(Ok(7)));
    }
}
