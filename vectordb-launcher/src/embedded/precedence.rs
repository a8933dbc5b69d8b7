//! Who goes first on a collection: somebody waits for each search, nobody is
//! hurt by an upsert that takes a few milliseconds more. So writes are applied
//! piece by piece, and before each piece the writer lets searches end.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The searches of one collection.
#[derive(Debug, Default)]
pub struct Precedence {
    searches: Mutex<Searches>,
    none: Condvar,
}

#[derive(Debug, Default)]
struct Searches {
    at_work: usize,
    last: Option<Instant>,
}

/// A search at work, until it is dropped.
#[derive(Debug)]
pub struct Searching<'a>(&'a Precedence);

impl Precedence {
    /// Notes a search.
    pub fn search(&self) -> Searching<'_> {
        self.searches().at_work += 1;
        Searching(self)
    }

    /// Whether there was a search at work within `time` before now.
    pub fn searched_within(&self, time: Duration) -> bool {
        let searches = self.searches();
        searches.at_work > 0 || searches.last.is_some_and(|last| last.elapsed() < time)
    }

    /// Blocks while a search is at work, but not longer than `patience`: writes
    /// get on whatever is searched for.
    pub fn give_way(&self, patience: Duration) {
        let _patience_is_over = self
            .none
            .wait_timeout_while(self.searches(), patience, |searches| searches.at_work > 0)
            .unwrap_or_else(PoisonError::into_inner);
    }

    fn searches(&self) -> std::sync::MutexGuard<'_, Searches> {
        self.searches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Searching<'_> {
    fn drop(&mut self) {
        let mut searches = self.0.searches();
        searches.at_work -= 1;
        if searches.at_work == 0 {
            searches.last = Some(Instant::now());
            self.0.none.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_writer_waits_for_searches_and_not_for_ever() {
        let precedence = Precedence::default();
        assert!(!precedence.searched_within(LONG));
        precedence.give_way(LONG);

        let (first, second) = (precedence.search(), precedence.search());
        precedence.give_way(Duration::from_millis(1));
        assert!(precedence.searched_within(Duration::ZERO));
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| precedence.give_way(LONG));
            drop(first);
            drop(second);
            writer.join().unwrap();
        });
        assert!(precedence.searched_within(LONG));
        assert!(!precedence.searched_within(Duration::ZERO));
    }
}
