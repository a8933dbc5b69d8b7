//! One provider as all roles share it: its circuit, its queue, its price.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

use super::breaker::{Admission, Breaker};
use crate::{Error, Identity, Provider, Trouble, Turn};

/// What tokens cost, in US dollars per million.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Tokens that are sent.
    pub prompt: f64,
    /// Tokens that are generated.
    pub answer: f64,
}

impl Price {
    /// What a call costs, in millionths of a dollar, rounded up.
    pub fn of(&self, prompt_tokens: u64, generated_tokens: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "token counts are far below 2^53, and a cast saturates"
        )]
        let cost = {
            let prompt = self.prompt * prompt_tokens as f64;
            let answer = self.answer * generated_tokens as f64;
            (prompt + answer).ceil() as u64
        };
        cost
    }
}

/// How a provider is used.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkOptions {
    /// What its tokens cost, if anything.
    pub price: Option<Price>,
    /// Calls that may run at once; the others queue.
    pub parallel: Option<usize>,
    /// Most time for a whole answer.
    pub total_timeout: Duration,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            price: None,
            parallel: None,
            total_timeout: Duration::from_secs(30 * 60),
        }
    }
}

/// One provider as all roles share it.
pub struct Link {
    provider: Arc<dyn Provider>,
    options: LinkOptions,
    health: Mutex<Health>,
    slots: Option<Arc<Semaphore>>,
}

#[derive(Debug)]
struct Health {
    breaker: Breaker,
    /// A server said that it takes nothing before then.
    closed_until: Option<Instant>,
    /// How its last call failed, if it did.
    last: Option<Error>,
}

/// Leave to make a call; given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Slot {
    _turn: Option<Turn>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Link {
    /// Wraps a provider.
    pub fn new(provider: Arc<dyn Provider>, options: LinkOptions) -> Self {
        let slots = options
            .parallel
            .map(|calls| Arc::new(Semaphore::new(calls.max(1))));
        Self {
            provider,
            options,
            health: Mutex::new(Health {
                breaker: Breaker::new(),
                closed_until: None,
                last: None,
            }),
            slots,
        }
    }

    /// The provider.
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// Who answers.
    pub fn identity(&self) -> &Identity {
        self.provider.identity()
    }

    /// Most time for a whole answer.
    pub fn total_timeout(&self) -> Duration {
        self.options.total_timeout
    }

    /// What a call costs, in millionths of a dollar; none without a price.
    pub fn cost(&self, prompt_tokens: u64, generated_tokens: u64) -> Option<u64> {
        let price = self.options.price?;
        Some(price.of(prompt_tokens, generated_tokens))
    }

    /// Waits for this call's turn: calls are made in the order they came.
    pub async fn slot(&self) -> Slot {
        // What the prompt may take is known from here on. A server that does not
        // answer fails the call that follows.
        if let Err(error) = self.provider.settle().await {
            tracing::debug!(provider = %self.identity().provider, %error, "not settled");
        }
        let closed_until = self.health().closed_until;
        if let Some(until) = closed_until {
            sleep_until(until).await;
        }
        let permit = match &self.slots {
            // The semaphore is never closed.
            Some(slots) => slots.clone().acquire_owned().await.ok(),
            None => None,
        };
        let turn = match self.provider.residence() {
            Some(residence) => Some(residence.turn(&self.identity().model).await),
            None => None,
        };
        Slot {
            _turn: turn,
            _permit: permit,
        }
    }

    /// What a call waits for before its turn, for a person; none where it would
    /// have its turn now.
    pub fn waits_for(&self, now: Instant) -> Option<String> {
        let Identity { provider, model, .. } = self.identity();
        if let Some(until) = self.health().closed_until.filter(|until| *until > now) {
            let seconds = until.duration_since(now).as_secs_f64();
            return Some(format!(
                "waiting for {provider}: it takes nothing for another {seconds:.0} s"
            ));
        }
        if self
            .slots
            .as_ref()
            .is_some_and(|slots| slots.available_permits() == 0)
        {
            let calls = self.options.parallel.unwrap_or(1);
            return Some(format!(
                "waiting for {provider}: it may be asked {calls} at once, and so many are running"
            ));
        }
        let busy = self.provider.residence()?.busy(model)?;
        let seconds = busy.change.as_secs_f64();
        Some(format!(
            "waiting for {provider}: its server runs {}; changing to {model} and back takes {seconds:.1} s",
            busy.model
        ))
    }

    /// Its model was loaded for a call that was answered.
    pub fn loaded(&self, load: Duration) {
        if let Some(residence) = self.provider.residence() {
            residence.answered(&self.identity().model, load);
        }
    }

    /// Whether its circuit is closed, that is, calls pass.
    pub fn is_closed(&self) -> bool {
        self.health().breaker.is_closed()
    }

    /// Whether it may be asked, or waited for, by whoever waits no longer than
    /// `patience`.
    pub(super) fn admit(&self, now: Instant, patience: Duration) -> Admission {
        let mut health = self.health();
        match health.closed_until.filter(|until| *until > now + patience) {
            Some(until) => Admission::Resting { until },
            None => health.breaker.admit(now),
        }
    }

    /// Whether its server has said that it takes nothing for longer than
    /// `patience`.
    pub(super) fn is_shut(&self, now: Instant, patience: Duration) -> bool {
        self.health()
            .closed_until
            .is_some_and(|until| until > now + patience)
    }

    pub(super) fn succeeded(&self) {
        let mut health = self.health();
        health.breaker.succeeded();
        health.closed_until = None;
        health.last = None;
    }

    pub(super) fn failed(&self, error: &Error, now: Instant) {
        let mut health = self.health();
        health.last = Some(error.clone());
        match error.trouble() {
            Trouble::Network | Trouble::Overload => health.breaker.failed(now),
            // A server that counts calls is well.
            Trouble::RateLimit => {
                health.breaker.succeeded();
                health.closed_until = error.retry_after().map(|after| now + after);
            }
            // It answers: what is wrong is the request or the configuration.
            Trouble::Auth | Trouble::ContextOverflow | Trouble::Unfit | Trouble::Invalid => {
                health.breaker.succeeded();
            }
        }
    }

    /// How its last call failed, whoever made it.
    pub(super) fn last(&self) -> Option<Error> {
        self.health().last.clone()
    }

    pub(super) fn seen(&self, now: Instant) {
        self.health().breaker.seen(now);
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("identity", self.identity())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices() {
        let price = Price {
            prompt: 0.59,
            answer: 0.79,
        };
        let check = |prompt, answer, expect| assert_eq!(price.of(prompt, answer), expect);
        check(0, 0, 0);
        check(1, 0, 1);
        check(1_000_000, 0, 590_000);
        check(10_000, 1_000, 6_690);
    }
}
