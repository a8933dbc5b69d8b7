//! Lets people go first: work in the background waits while a question is
//! being answered.

use std::time::Duration;

use tokio::sync::watch;

/// A question that takes longer than this is not waited for any further.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Counts the questions that are being answered. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Quiet(watch::Sender<usize>);

/// A question that is being answered; it ends when this is dropped.
#[derive(Debug)]
pub struct Asking(watch::Sender<usize>);

impl Quiet {
    /// A question begins.
    pub fn ask(&self) -> Asking {
        self.0.send_modify(|asking| *asking += 1);
        Asking(self.0.clone())
    }

    /// Resolves when no question is being answered.
    pub async fn wait(&self) {
        let mut asking = self.0.subscribe();
        let quiet = asking.wait_for(|asking| *asking == 0);
        let _enough = tokio::time::timeout(WAIT_MAX, quiet).await;
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.send_modify(|asking| *asking -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_background_waits_for_questions_but_not_for_ever() {
        let quiet = Quiet::default();
        let begin = tokio::time::Instant::now();
        quiet.wait().await;
        let (first, second) = (quiet.ask(), quiet.clone().ask());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(first);
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(second);
        });
        quiet.wait().await;
        assert_eq!(begin.elapsed(), Duration::from_millis(600));
        let _endless = quiet.ask();
        quiet.wait().await;
        assert_eq!(begin.elapsed(), Duration::from_millis(600) + WAIT_MAX);
    }
}
