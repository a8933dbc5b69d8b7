//! Several hosts of one model as one provider: the one that costs least is
//! asked, and one that fails is left alone until it is seen again.

use std::{
    collections::{VecDeque, hash_map::DefaultHasher},
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, future::join_all};
use tokio::time::sleep;

use crate::{
    ChatRequest, Chunk, ChunkStream, Error, Finding, Health, Identity, Loaded, Locality, Provider,
    ServerMemory, Thinking, Trouble, examine::Weight,
};

/// Prompts' beginnings that a host is taken to remember; a server keeps one for
/// each call it can run at once.
const PREFIXES_MAX: usize = 4;

/// How often it is looked whether a host is there again: first, and at longest.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_MAX: Duration = Duration::from_secs(30);

/// What a running call costs the next one. A cold model or prompt costs one.
const COST_RUNNING: usize = 2;

/// Hosts of one model.
pub struct Pool {
    identity: Identity,
    /// Never empty.
    hosts: Vec<Arc<Host>>,
}

struct Host {
    provider: Arc<dyn Provider>,
    running: AtomicUsize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    down: bool,
    loaded: bool,
    prefixes: VecDeque<u64>,
}

/// One call that a host runs.
struct Call {
    host: Arc<Host>,
    prefix: u64,
}

impl Pool {
    /// A pool of hosts that serve the same model; none without hosts.
    pub fn new(name: impl Into<String>, hosts: Vec<Arc<dyn Provider>>) -> Option<Self> {
        let first = hosts.first()?.identity();
        let identity = Identity {
            provider: name.into(),
            ..first.clone()
        };
        let host = |provider| {
            Arc::new(Host {
                provider,
                running: AtomicUsize::new(0),
                known: Mutex::default(),
            })
        };
        Some(Self {
            identity,
            hosts: hosts.into_iter().map(host).collect(),
        })
    }

    /// The host that costs least among those that are there; among all if none
    /// is: it may be back.
    fn choose(&self, prefix: u64) -> &Arc<Host> {
        let cost = |host: &Arc<Host>| {
            let known = host.known();
            let cold = usize::from(!known.loaded) + usize::from(!known.prefixes.contains(&prefix));
            (
                known.down,
                host.running.load(Ordering::Relaxed) * COST_RUNNING + cold,
            )
        };
        let cheapest = self.hosts.iter().min_by_key(|host| cost(host));
        cheapest.unwrap_or(&self.hosts[0])
    }

    /// Asks a question of all hosts that are there, and learns which are.
    async fn all<T, Answer>(
        &self,
        ask: impl Fn(Arc<dyn Provider>) -> Answer,
    ) -> Vec<(usize, Result<T, Error>)>
    where
        Answer: Future<Output = Result<T, Error>>,
    {
        let asked = self.hosts.iter().map(|host| ask(host.provider.clone()));
        let answers: Vec<_> = join_all(asked).await.into_iter().enumerate().collect();
        for (host, (_, answer)) in self.hosts.iter().zip(&answers) {
            match answer {
                Ok(_) => host.known().down = false,
                Err(error) => host.note(error),
            }
        }
        answers
    }
}

/// The first answer, else the first error.
fn first<T>(answers: Vec<(usize, Result<T, Error>)>) -> Result<T, Error> {
    let mut failure = None;
    for (_, answer) in answers {
        match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or_else(|| Error::Invalid {
        reason: "the pool has no hosts".to_owned(),
    }))
}

impl Host {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failure that speaks against the host takes it out until it is seen.
    fn note(self: &Arc<Self>, error: &Error) {
        match error.trouble() {
            Trouble::Network | Trouble::Overload | Trouble::Unfit => {}
            Trouble::Auth | Trouble::RateLimit | Trouble::ContextOverflow | Trouble::Invalid => return,
        }
        let mut known = self.known();
        known.loaded = false;
        if std::mem::replace(&mut known.down, true) {
            return;
        }
        drop(known);
        let host = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut look = LOOK;
            loop {
                sleep(look).await;
                look = (look * 2).min(LOOK_MAX);
                let Some(host) = host.upgrade() else { return };
                if !host.known().down {
                    return;
                }
                if host
                    .provider
                    .health()
                    .await
                    .is_ok_and(|health| health.model_available)
                {
                    host.known().down = false;
                    return;
                }
            }
        });
    }
}

impl Call {
    fn begin(host: &Arc<Host>, prefix: u64) -> Self {
        host.running.fetch_add(1, Ordering::Relaxed);
        Self {
            host: host.clone(),
            prefix,
        }
    }

    fn saw(&self, chunk: &Result<Chunk, Error>) {
        match chunk {
            Ok(Chunk::Token { .. } | Chunk::ToolCall(_)) => {}
            Ok(Chunk::Done(_)) => {
                let mut known = self.host.known();
                known.down = false;
                known.loaded = true;
                known.prefixes.retain(|prefix| *prefix != self.prefix);
                known.prefixes.push_back(self.prefix);
                if known.prefixes.len() > PREFIXES_MAX {
                    known.prefixes.pop_front();
                }
            }
            Err(error) => self.host.note(error),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.host.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Provider for Pool {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    /// That of the farthest host: any of them may be asked.
    fn locality(&self) -> Locality {
        let hosts = self.hosts.iter().map(|host| host.provider.locality());
        hosts.max().unwrap_or(Locality::Elsewhere)
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChunkStream, Error> {
        let mut hasher = DefaultHasher::new();
        request.system.hash(&mut hasher);
        let prefix = hasher.finish();
        let call = Call::begin(self.choose(prefix), prefix);
        let stream = call.host.provider.chat(request).await;
        let stream = stream.inspect_err(|error| call.host.note(error))?;
        Ok(stream.inspect(move |chunk| call.saw(chunk)).boxed())
    }

    async fn continues(&self) -> Result<bool, Error> {
        first(self.all(|host| async move { host.continues().await }).await)
    }

    async fn sees_images(&self) -> Result<bool, Error> {
        first(self.all(|host| async move { host.sees_images().await }).await)
    }

    /// As the first host that is there has it: their model is the same.
    async fn grants(&self, wanted: Thinking) -> Thinking {
        let there = self.hosts.iter().find(|host| !host.known().down);
        match there {
            Some(host) => host.provider.grants(wanted).await,
            None => wanted,
        }
    }

    async fn preload(&self) -> Result<Loaded, Error> {
        let answers = self.all(|host| async move { host.preload().await }).await;
        for (at, answer) in &answers {
            self.hosts[*at].known().loaded = answer.is_ok();
        }
        first(answers)
    }

    async fn health(&self) -> Result<Health, Error> {
        let answers = self.all(|host| async move { host.health().await }).await;
        let (with, without): (Vec<_>, Vec<_>) = answers
            .into_iter()
            .partition(|(_, answer)| answer.as_ref().is_ok_and(|health| health.model_available));
        first(with.into_iter().chain(without).collect())
    }

    async fn memory(&self) -> Vec<ServerMemory> {
        let asked = self.hosts.iter().map(|host| host.provider.memory());
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// What is wrong with each host. While one can be used, the pool can.
    async fn examine(&self) -> Vec<Finding> {
        let found = join_all(self.hosts.iter().map(|host| host.provider.examine())).await;
        let is_broken = |found: &Vec<Finding>| found.iter().any(|found| found.weight == Weight::Broken);
        let weight = (!found.iter().all(is_broken)).then_some(Weight::Warning);
        let hosts = self.hosts.len();
        let numbered = found.into_iter().enumerate().flat_map(|(at, found)| {
            found.into_iter().map(move |found| Finding {
                weight: weight.unwrap_or(found.weight),
                text: format!("host {} of {hosts}: {}", at + 1, found.text),
                ..found
            })
        });
        numbered.collect()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("identity", &self.identity)
            .field("hosts", &self.hosts.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
