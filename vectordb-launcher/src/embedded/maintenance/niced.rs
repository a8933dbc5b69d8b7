//! A thread that gives way to all others.
//!
//! On Linux a thread has its own niceness and hands it to the threads it
//! starts, so the engine's indexing threads have it, too. The system call would
//! take `unsafe` code; the `renice` program does it from outside, once.

use std::{fs, io, process::Command, sync::mpsc, thread};

use tokio::sync::oneshot;

/// How nice: half a step from the most, so that it still gets on.
const NICENESS: &str = "10";

type Job = Box<dyn FnOnce() + Send>;

/// The thread; it ends when this is dropped and its job is done.
#[derive(Debug)]
pub struct Niced {
    jobs: mpsc::Sender<Job>,
}

impl Niced {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(name: &str) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            if let Err(error) = be_nice() {
                tracing::debug!(%error, "the background thread runs with normal priority");
            }
            for job in queue {
                // Its result is lost, and the one who waits for it notices.
                let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            }
        })?;
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

fn be_nice() -> io::Result<()> {
    let own = fs::read_link("/proc/thread-self")?;
    let thread = own.file_name().unwrap_or_default();
    let status = Command::new("renice")
        .args(["-n", NICENESS, "-p"])
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
    async fn it_works_survives_and_is_nice() {
        let thread = Niced::start("test").unwrap();
        assert_eq!(thread.run(|| panic!("no")).await, None::<()>);
        let stat = thread
            .run(|| fs::read_to_string("/proc/thread-self/stat"))
            .await
            .unwrap();
        // Field 19 of the whole, 17 after the name in parentheses.
        if let Ok(stat) = stat
            && Command::new("renice").arg("--version").output().is_ok()
        {
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            assert_eq!(fields.split(' ').nth(16), Some(NICENESS));
        }
    }
}
