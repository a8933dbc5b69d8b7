//! Who follows a workflow live. Most workflows wait for a person and nobody looks,
//! so the places for events are made for the first follower and go with the last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::Recorded;
use tokio::sync::broadcast;

/// Events a follower may lag behind before it has to read from disk again. Their
/// places are reserved, some 250 bytes each.
const LAG_MAX: usize = 128;

/// The followers of one workflow. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Followers(Arc<Mutex<Option<broadcast::Sender<Recorded>>>>);

impl Followers {
    /// Another one, who gets what is told from now on.
    pub(super) fn join(&self) -> broadcast::Receiver<Recorded> {
        self.sender()
            .get_or_insert_with(|| broadcast::channel(LAG_MAX).0)
            .subscribe()
    }

    /// Tells all of them, if there are any.
    pub(super) fn tell(&self, event: &Recorded) {
        let mut sender = self.sender();
        if let Some(followers) = &*sender
            && followers.send(event.clone()).is_err()
        {
            *sender = None;
        }
    }

    fn sender(&self) -> MutexGuard<'_, Option<broadcast::Sender<Recorded>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use engine::Event;
    use shared::id::Seq;
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    fn event(seq: u64) -> Recorded {
        Recorded {
            seq: Seq(seq),
            at_ms: 7,
            event: Event::Resumed,
        }
    }

    #[test]
    fn each_gets_what_comes_after_it_joined_and_nobody_costs_nothing() {
        let followers = Followers::default();
        followers.tell(&event(1));
        assert!(followers.sender().is_none());
        let mut first = followers.join();
        followers.tell(&event(2));
        let mut second = followers.clone().join();
        followers.tell(&event(3));
        assert_eq!(first.try_recv(), Ok(event(2)));
        assert_eq!(first.try_recv(), Ok(event(3)));
        assert_eq!(second.try_recv(), Ok(event(3)));
        drop((first, second));
        followers.tell(&event(4));
        assert!(followers.sender().is_none());
        let mut third = followers.join();
        assert_eq!(third.try_recv(), Err(TryRecvError::Empty));
        drop(followers);
        assert_eq!(third.try_recv(), Err(TryRecvError::Closed));
    }
}
