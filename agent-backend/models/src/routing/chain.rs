//! The providers of a role, and one question's way along them.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::{
    breaker::Admission,
    link::Link,
    policy::{Failed, Policy, Step},
};
use crate::{Error, Trouble};

/// How often it is looked whether a provider is there again: first, and at
/// longest.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_MAX: Duration = Duration::from_secs(15);

/// Who answers a role, the best first. Never empty.
#[derive(Debug)]
pub struct Chain {
    role: String,
    links: Vec<Arc<Link>>,
    policy: Policy,
}

/// Whom to ask next.
#[derive(Debug)]
pub enum Next {
    /// This one. What comes of it is told with [`Run::answered`] or
    /// [`Run::failed`].
    Ask(Arc<Link>),
    /// Nobody for now; [`Run::appears`] resolves when it is worth asking again.
    Wait(Waiting),
    /// Nobody: waiting would not help.
    GiveUp(Error),
}

/// Why nobody can be asked for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Each provider that is waited for, with what is wrong.
    pub reasons: Vec<(String, String)>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("waiting for ")?;
        for (at, (provider, reason)) in self.reasons.iter().enumerate() {
            let between = if at > 0 { " or " } else { "" };
            write!(f, "{between}{provider} ({reason})")?;
        }
        Ok(())
    }
}

impl Chain {
    /// A chain for a role; none without providers.
    pub fn new(role: impl Into<String>, links: Vec<Arc<Link>>, policy: Policy) -> Option<Arc<Self>> {
        let role = role.into();
        (!links.is_empty()).then(|| Arc::new(Self { role, links, policy }))
    }

    /// The role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Its providers, the best first.
    pub fn links(&self) -> &[Arc<Link>] {
        &self.links
    }

    /// The one that is asked if all are well.
    pub fn first(&self) -> &Arc<Link> {
        &self.links[0]
    }

    /// A question's way along the chain. With `model`, a provider of that model
    /// is asked before the others: it has begun the answer.
    pub fn run(self: &Arc<Self>, model: Option<&str>) -> Run {
        self.run_preferring(model, &[])
    }

    /// The same, along those first that are at these places of the chain.
    pub fn run_preferring(self: &Arc<Self>, model: Option<&str>, first: &[usize]) -> Run {
        let mut order: Vec<usize> = (0..self.links.len()).collect();
        order.sort_by_key(|at| {
            let who = self.links[*at].identity();
            (model.is_some_and(|model| who.model != model), !first.contains(at))
        });
        let legs = order.into_iter().map(|link| Leg {
            link,
            tries: 0,
            shrunk: false,
            out: None,
            last: None,
        });
        Run {
            legs: legs.collect(),
            chain: self.clone(),
            asked: None,
            rounds: 0,
            begun: Instant::now(),
        }
    }
}

/// One question's way along a chain.
#[derive(Debug)]
pub struct Run {
    chain: Arc<Chain>,
    legs: Vec<Leg>,
    /// The leg that was asked last.
    asked: Option<usize>,
    /// How often all were tried anew.
    rounds: u32,
    begun: Instant,
}

/// One provider in one run.
#[derive(Debug)]
struct Leg {
    link: usize,
    tries: u32,
    shrunk: bool,
    /// Why it is not asked any more.
    out: Option<Error>,
    /// How its last call failed.
    last: Option<Error>,
}

impl Run {
    /// The chain it goes along.
    pub fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Whom to ask.
    pub fn next(&mut self, now: Instant) -> Next {
        let mut reasons = Vec::new();
        for at in 0..self.legs.len() {
            let leg = &self.legs[at];
            let link = &self.chain.links[leg.link];
            let name = || link.identity().provider.clone();
            if let Some(error) = &leg.out {
                if passes(error) {
                    reasons.push((name(), error.to_string()));
                }
                continue;
            }
            match link.admit(now, self.chain.policy.retry_after_max) {
                Admission::Open => {
                    self.asked = Some(at);
                    return Next::Ask(link.clone());
                }
                Admission::Resting { until } => {
                    let seconds = until.saturating_duration_since(now).as_secs();
                    let mut reason = format!("it is left alone for {seconds} s");
                    if let Some(error) = link.last() {
                        reason = format!("{reason} after {error}");
                    }
                    reasons.push((name(), reason));
                }
            }
        }
        let waited = now.saturating_duration_since(self.begun);
        if reasons.is_empty()
            || self.rounds > self.chain.policy.rounds
            || waited >= self.chain.policy.wait_max
        {
            return Next::GiveUp(self.worst());
        }
        Next::Wait(Waiting { reasons })
    }

    /// The provider that was asked last has answered to the end.
    pub fn answered(&mut self) {
        if let Some(at) = self.asked {
            self.link(at).succeeded();
        }
    }

    /// The provider that was asked last has failed: what follows.
    pub fn failed(&mut self, error: &Error, now: Instant, random: u32) -> Step {
        let Some(at) = self.asked else {
            return Step::GiveUp;
        };
        self.link(at).failed(error, now);
        let leg = &mut self.legs[at];
        leg.tries += 1;
        leg.last = Some(error.clone());
        let step = self.chain.policy.step(Failed {
            trouble: error.trouble(),
            tries: leg.tries,
            retry_after: error.retry_after(),
            shrunk: leg.shrunk,
            random,
        });
        match step {
            Step::Retry { .. } | Step::GiveUp | Step::Wait => step,
            Step::Shrink => {
                leg.shrunk = true;
                step
            }
            Step::Next => {
                leg.out = Some(error.clone());
                self.after_the_last(error)
            }
        }
    }

    /// What follows when a provider is out: the next one, if there is one.
    fn after_the_last(&self, error: &Error) -> Step {
        if self.legs.iter().any(|leg| leg.out.is_none()) {
            Step::Next
        } else if self.legs.iter().filter_map(|leg| leg.out.as_ref()).any(passes)
            && self.rounds <= self.chain.policy.rounds
        {
            Step::Wait
        } else {
            tracing::debug!(role = self.chain.role, %error, "no provider is left");
            Step::GiveUp
        }
    }

    /// Resolves when a provider that failed for a passing reason is there
    /// again, or a rest is over, or it was waited long enough. Then
    /// [`Run::next`] has an answer. Asks for health alone, which costs nothing.
    pub async fn appears(&mut self) {
        let mut look = LOOK;
        loop {
            // A provider that answers such questions and fails all the same is
            // not asked again at once, either.
            sleep(look.saturating_mul(1 << self.rounds.min(4)).min(LOOK_MAX)).await;
            let waited = self.begun.elapsed();
            let (now, patience) = (Instant::now(), self.chain.policy.retry_after_max);
            let waits = self.legs.iter().enumerate().filter(|(_, leg)| {
                leg.out.as_ref().is_none_or(passes) && !self.chain.links[leg.link].is_shut(now, patience)
            });
            let looks = waits.map(|(at, leg)| {
                let link = &self.chain.links[leg.link];
                async move {
                    link.provider()
                        .health()
                        .await
                        .is_ok_and(|health| health.model_available)
                        .then_some(at)
                }
            });
            let there: Vec<usize> = join_all(looks).await.into_iter().flatten().collect();
            if !there.is_empty() {
                let now = Instant::now();
                for at in there {
                    self.link(at).seen(now);
                    let leg = &mut self.legs[at];
                    leg.out = None;
                    leg.tries = 0;
                }
                self.rounds += 1;
                return;
            }
            if waited >= self.chain.policy.wait_max {
                return;
            }
            look = (look * 2).min(LOOK_MAX);
        }
    }

    /// The failure that says most: one that a person can do something about,
    /// else that of the best provider.
    fn worst(&self) -> Error {
        // One that was left alone has failed others.
        let failure = |leg: &Leg| leg.last.clone().or_else(|| self.chain.links[leg.link].last());
        let failures: Vec<Error> = self.legs.iter().filter_map(failure).collect();
        failures
            .iter()
            .find(|error| !passes(error))
            .or_else(|| failures.first())
            .cloned()
            .unwrap_or_else(|| Error::Invalid {
                reason: format!("no provider is left for the role {}", self.chain.role),
            })
    }

    fn link(&self, at: usize) -> &Arc<Link> {
        &self.chain.links[self.legs[at].link]
    }
}

/// Whether time may mend it.
fn passes(error: &Error) -> bool {
    match error.trouble() {
        Trouble::Network | Trouble::Overload | Trouble::RateLimit => true,
        Trouble::Auth | Trouble::ContextOverflow | Trouble::Unfit | Trouble::Invalid => false,
    }
}

#[cfg(test)]
mod tests;
