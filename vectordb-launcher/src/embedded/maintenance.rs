//! What the engine leaves to its host: flushing on a timer and optimizing in
//! the background.

use std::{sync::Arc, time::Duration};

use shared::error::Code;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{niced::Niced, pool, store::Store};

/// Qdrant's own default: what a power cut may lose. A killed process loses
/// nothing, its log is in the system's hands by then.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// How often collections that were written to are offered to the optimizer.
/// Looking costs next to nothing; the engine decides whether it is worthwhile.
pub const OPTIMIZE_INTERVAL: Duration = Duration::from_secs(10);

/// How nice the optimizer is: half a step from the most, so that it still gets on.
const OPTIMIZING_NICENESS: u8 = 10;

/// Runs until `stop`, then returns without a last flush: that is the owner's,
/// after the last request.
pub async fn run(store: Arc<Store>, stop: CancellationToken) {
    let work = async { tokio::join!(flush(Arc::clone(&store)), optimize(Arc::clone(&store))) };
    tokio::select! {
        () = stop.cancelled() => {}
        _ = work => {}
    }
}

async fn flush(store: Arc<Store>) {
    let mut ticks = tokio::time::interval(FLUSH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let flushed = Arc::clone(&store);
        // Outside the pool: upkeep must neither wait behind requests nor take
        // their places. Failures are logged where they happen.
        let _logged = tokio::task::spawn_blocking(move || flushed.flush()).await;
        reopen(&store).await;
    }
}

/// Gives back memory where the optimizer is done and nobody searches.
async fn reopen(store: &Store) {
    for (name, collection) in store.all() {
        if !collection.wants_reopening() {
            continue;
        }
        // Whoever works on it now makes it wait for the next time.
        let (Ok(upkeep), Ok(turn)) = (
            collection.upkeep().try_lock_owned(),
            collection.turn().try_lock_owned(),
        ) else {
            continue;
        };
        let work = move || {
            let _still = (upkeep, turn);
            collection.reopen()
        };
        let opened = tokio::task::spawn_blocking(work).await;
        match opened.unwrap_or_else(|_| Err(pool::panicked())) {
            Ok(()) => tracing::debug!(collection = name, "opened anew, for less memory"),
            Err(error) => {
                tracing::error!(code = Code::StoreUnusable.as_str(), collection = name, %error, "cannot be opened again");
            }
        }
    }
}

async fn optimize(store: Arc<Store>) {
    let mut ticks = tokio::time::interval(OPTIMIZE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let thread = match Niced::start("optimizer", 1, OPTIMIZING_NICENESS) {
        Ok(thread) => thread,
        Err(error) => {
            tracing::error!(%error, "no thread for the optimizer: searches get slower as collections grow");
            return;
        }
    };
    loop {
        ticks.tick().await;
        for (name, collection) in store.all() {
            let upkeep = collection.upkeep().lock_owned().await;
            let started = tokio::time::Instant::now();
            let work = move || {
                let _upkeep = upkeep;
                collection.optimize()
            };
            match thread.run(work).await {
                Some(Ok(false)) => {}
                Some(Ok(true)) => {
                    let seconds = started.elapsed().as_secs_f64();
                    tracing::info!(collection = name, seconds, "optimized");
                }
                Some(Err(error)) => tracing::warn!(collection = name, %error, "could not optimize"),
                None => tracing::error!(collection = name, "the optimizer panicked"),
            }
        }
    }
}
