//! Threads that give way to others.
//!
//! On Linux a thread has its own niceness and hands it to the threads it
//! starts, so the engine's indexing threads have it, too. The system call would
//! take `unsafe` code; the `renice` program does it from outside, once.

use std::{
    fs, io,
    process::Command,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

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
                if let Err(error) = be_nice(niceness) {
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

fn be_nice(niceness: u8) -> io::Result<()> {
    let own = fs::read_link("/proc/thread-self")?;
    let thread = own.file_name().unwrap_or_default();
    let status = Command::new("renice")
        .args(["-n", &niceness.to_string(), "-p"])
        .arg(thread)
        .output()?
        .status;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("renice: {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn they_work_survive_and_are_nice() {
        let threads = Niced::start("test", 2, 7).unwrap();
        assert_eq!(threads.run(|| panic!("no")).await, None::<()>);
        assert_eq!(threads.run(|| panic!("no")).await, None::<()>);
        let stat = threads
            .run(|| fs::read_to_string("/proc/thread-self/stat"))
            .await
            .unwrap();
        // Field 19 of the whole, 17 after the name in parentheses.
        if let Ok(stat) = stat
            && Command::new("renice").arg("--version").output().is_ok()
        {
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            assert_eq!(fields.split(' ').nth(16), Some("7"));
        }
    }
}
