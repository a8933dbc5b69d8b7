//! What a client is told, written as it comes. Knows nothing of what carries it.

use futures::{Sink, SinkExt as _};
use tokio::sync::mpsc;

use super::Outward;

/// What is said in between that may wait to be written: answers to what was no
/// message, and signs of life.
pub(in crate::edge::acp) const REFUSALS_MAX: usize = 8;

/// Messages that are written at once. Each counts as on its way until all have
/// left.
const TOGETHER_MAX: usize = 16;

/// Writes until the agent has ended, or fails where the client cannot be reached.
pub(in crate::edge::acp) async fn write<T, S>(
    mut to_client: S,
    mut outward: Outward,
    mut between: mpsc::Receiver<T>,
) -> Result<(), S::Error>
where
    T: From<String>,
    S: Sink<T> + Unpin,
{
    let mut underway = Vec::with_capacity(TOGETHER_MAX);
    loop {
        tokio::select! {
            said = outward.next() => {
                let Some(said) = said else { return Ok(()) };
                to_client.feed(said.text().into()).await?;
                underway.push(said.receipt);
                while underway.len() < TOGETHER_MAX
                    && let Some(said) = outward.next_now()
                {
                    to_client.feed(said.text().into()).await?;
                    underway.push(said.receipt);
                }
            }
            Some(item) = between.recv() => to_client.feed(item).await?,
        }
        to_client.flush().await?;
        underway.clear();
    }
}
