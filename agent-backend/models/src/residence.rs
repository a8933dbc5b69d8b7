//! Models that share a server's memory: whose call is made next.
//!
//! A server without room for two models loads one anew with each change. What a
//! change costs is measured: a model that was asked before, and must be loaded
//! when it is asked again after another, was put out by it. From then on calls of
//! such models do not overlap, and those of the model that runs go first, for as
//! long as a change there and back costs: whoever has waited that long would lose
//! more by waiting than the change takes, so nobody new goes before it. While
//! nothing is measured, and where all models fit, nobody waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Loads below this are what a server needs to find a model that is there.
const RELOAD_MIN: Duration = Duration::from_millis(500);

/// One server's memory, shared by all who ask the server. Cheap to clone.
#[derive(Clone, Default)]
pub struct Residence(Arc<Inner>);

#[derive(Default)]
struct Inner {
    plan: Mutex<Plan>,
    changed: Notify,
}

/// Leave to call a model; given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Turn {
    residence: Residence,
    model: String,
}

/// What a call waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// The model that runs.
    pub model: String,
    /// What a change to the other model and back costs.
    pub change: Duration,
}

impl Residence {
    /// Waits until `model` may be called.
    pub async fn turn(&self, model: &str) -> Turn {
        let waiting = Waiting::begin(self, model);
        loop {
            let changed = self.0.changed.notified();
            if self.plan().enter(waiting.ticket, Instant::now()) {
                return Turn {
                    residence: self.clone(),
                    model: model.to_owned(),
                };
            }
            changed.await;
        }
    }

    /// A call of `model` was answered, after the server had loaded it for `load`.
    pub fn answered(&self, model: &str, load: Duration) {
        self.plan().answered(model, load);
    }

    /// What a call of `model` would wait for now.
    pub fn busy(&self, model: &str) -> Option<Busy> {
        self.plan().busy(model)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Residence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Residence").field(&*self.plan()).finish()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.residence.plan().leave(&self.model);
        self.residence.0.changed.notify_waiters();
    }
}

/// A place in the queue, until its turn has come or nobody waits any more.
struct Waiting<'a> {
    residence: &'a Residence,
    ticket: u64,
}

impl<'a> Waiting<'a> {
    fn begin(residence: &'a Residence, model: &str) -> Self {
        let ticket = residence.plan().queue(model, Instant::now());
        Self { residence, ticket }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.residence.plan().queue.remove(&self.ticket).is_some() {
            self.residence.0.changed.notify_waiters();
        }
    }
}

#[derive(Debug, Default)]
struct Plan {
    models: BTreeMap<String, Seen>,
    /// Those who wait, by their tickets: the oldest first.
    queue: BTreeMap<u64, Queued>,
    tickets: u64,
}

/// What is known of a model.
#[derive(Debug, Default)]
struct Seen {
    running: usize,
    answered: bool,
    /// The others that were answered since this one was.
    others_since: BTreeSet<String>,
    /// What it took to load it after another one that had put it out.
    reload: BTreeMap<String, Duration>,
}

#[derive(Debug)]
struct Queued {
    model: String,
    since: Instant,
}

impl Plan {
    fn queue(&mut self, model: &str, now: Instant) -> u64 {
        self.tickets += 1;
        let queued = Queued {
            model: model.to_owned(),
            since: now,
        };
        self.queue.insert(self.tickets, queued);
        self.tickets
    }

    /// Lets this one in, if it is its turn.
    fn enter(&mut self, ticket: u64, now: Instant) -> bool {
        let Some(Queued { model, .. }) = self.queue.get(&ticket) else {
            return false;
        };
        let kept_out = self.busy(model).is_some();
        let mut ahead = self.queue.range(..ticket).map(|(_, queued)| queued);
        let gives_way = ahead.any(|other| {
            let change = self.change(model, &other.model);
            !change.is_zero() && now.duration_since(other.since) >= change
        });
        if kept_out || gives_way {
            return false;
        }
        if let Some(Queued { model, .. }) = self.queue.remove(&ticket) {
            self.models.entry(model).or_default().running += 1;
        }
        true
    }

    fn leave(&mut self, model: &str) {
        if let Some(seen) = self.models.get_mut(model) {
            seen.running = seen.running.saturating_sub(1);
        }
    }

    fn answered(&mut self, model: &str, load: Duration) {
        for (other, seen) in &mut self.models {
            if other != model {
                seen.others_since.insert(model.to_owned());
            }
        }
        let seen = self.models.entry(model.to_owned()).or_default();
        let others = std::mem::take(&mut seen.others_since);
        // Of several, any may have put it out.
        for other in others.into_iter().filter(|_| seen.answered) {
            if load < RELOAD_MIN {
                seen.reload.remove(&other);
            } else {
                tracing::info!(
                    model,
                    after = other,
                    load_ms = load.as_millis(),
                    "a change of models was measured"
                );
                seen.reload.insert(other, load);
            }
        }
        seen.answered = true;
    }

    /// What a change between two models and back costs; nothing where both fit.
    fn change(&self, one: &str, other: &str) -> Duration {
        let reload = |model, after| self.models.get(model)?.reload.get(after).copied();
        reload(one, other).unwrap_or_default() + reload(other, one).unwrap_or_default()
    }

    fn busy(&self, model: &str) -> Option<Busy> {
        let running = self.models.iter().filter(|(_, seen)| seen.running > 0);
        running
            .map(|(other, _)| Busy {
                model: other.clone(),
                change: self.change(model, other),
            })
            .find(|busy| !busy.change.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const RELOAD: Duration = Duration::from_secs(8);

    /// Two models of which each puts the other out.
    fn narrow() -> Residence {
        let residence = Residence::default();
        for model in ["a", "b", "a", "b"] {
            residence.answered(model, RELOAD);
        }
        residence
    }

    /// Whether a call of `model` has its turn at once.
    async fn is_free(residence: &Residence, model: &str) -> bool {
        tokio::select! {
            biased;
            _turn = residence.turn(model) => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_measured_waits_for_nobody() {
        let residence = Residence::default();
        let _a = residence.turn("a").await;
        assert!(is_free(&residence, "b").await);
        // The first load is no change, nor is one that nobody came before.
        residence.answered("a", RELOAD);
        residence.answered("a", RELOAD);
        residence.answered("b", RELOAD);
        assert!(is_free(&residence, "b").await);
        // Both fit: the server finds it in no time.
        residence.answered("a", Duration::from_millis(80));
        assert!(is_free(&residence, "b").await);
    }

    #[tokio::test(start_paused = true)]
    async fn models_that_put_each_other_out_do_not_overlap() {
        let residence = narrow();
        let a = residence.turn("a").await;
        assert!(!is_free(&residence, "b").await);
        let expect = Busy {
            model: "a".to_owned(),
            change: RELOAD * 2,
        };
        assert_eq!(residence.busy("b"), Some(expect));
        assert!(is_free(&residence, "c").await);
        drop(a);
        assert!(is_free(&residence, "b").await);
        assert_eq!(residence.busy("b"), None);
        // One that fits since its last load waits no longer.
        residence.answered("a", Duration::ZERO);
        residence.answered("b", Duration::ZERO);
        residence.answered("a", Duration::ZERO);
        let _a = residence.turn("a").await;
        assert!(is_free(&residence, "b").await);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_runs_goes_first_for_as_long_as_a_change_costs() {
        let residence = narrow();
        let first = residence.turn("a").await;
        let other = residence.clone();
        let b = tokio::spawn(async move { other.turn("b").await });
        tokio::task::yield_now().await;
        advance(RELOAD).await;
        assert!(is_free(&residence, "a").await);
        advance(RELOAD).await;
        assert!(!is_free(&residence, "a").await);
        drop(first);
        let turn = b.await.unwrap();
        assert!(!is_free(&residence, "a").await);
        drop(turn);
        assert!(is_free(&residence, "a").await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_no_longer_keeps_nobody() {
        let residence = narrow();
        let _a = residence.turn("a").await;
        let other = residence.clone();
        let b = tokio::spawn(async move { other.turn("b").await });
        tokio::task::yield_now().await;
        advance(RELOAD * 2).await;
        assert!(!is_free(&residence, "a").await);
        b.abort();
        b.await.unwrap_err();
        assert!(is_free(&residence, "a").await);
    }
}
