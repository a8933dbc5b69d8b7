//! Hands on what comes no faster than frames can be drawn: whatever comes
//! meanwhile comes at once.

use std::time::Duration;

use futures::{Stream, StreamExt};

/// Time between two things that are handed on. A screen shows 60 frames a second.
pub const FRAME: Duration = Duration::from_millis(16);

/// All that is there of `items`, at most `max`, at most once a [`FRAME`]. What
/// comes after a pause is handed on at once.
pub fn paced<S>(items: S, max: usize) -> impl Stream<Item = Vec<S::Item>>
where
    S: Stream + Send,
    S::Item: Send,
{
    async_stream::stream! {
        let mut items = std::pin::pin!(items.ready_chunks(max));
        while let Some(ready) = items.next().await {
            yield ready;
            tokio::time::sleep(FRAME).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// What is handed on, with the milliseconds since the start.
    async fn check(waits: &'static [u64], max: usize, expect: &[(u64, &[usize])]) {
        let begin = Instant::now();
        let items = stream::iter(waits.iter().enumerate()).then(|(at, wait)| async move {
            sleep(Duration::from_millis(*wait)).await;
            at
        });
        // A task of its own: what comes does so whether it is waited for or not.
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        let sending = tokio::spawn(items.map(Ok).forward(sender));
        let paced: Vec<(u64, Vec<usize>)> = paced(receiver, max)
            .map(|ready| (u64::try_from(begin.elapsed().as_millis()).unwrap(), ready))
            .collect()
            .await;
        sending.await.unwrap().unwrap();
        let paced: Vec<(u64, &[usize])> = paced.iter().map(|(at, ready)| (*at, &ready[..])).collect();
        assert_eq!(paced, expect);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_meanwhile_comes_at_once() {
        check(&[5, 5, 5, 5, 5], 9, &[(5, &[0]), (21, &[1, 2, 3]), (37, &[4])]).await;
        check(&[40, 40], 9, &[(40, &[0]), (80, &[1])]).await;
        check(&[0, 0, 0], 2, &[(0, &[0, 1]), (16, &[2])]).await;
    }
}
