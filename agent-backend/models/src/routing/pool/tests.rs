//! Which host is asked, and what is said of hosts that are down.

use std::sync::atomic::AtomicBool;

use futures::stream;

use super::*;
use crate::{Context, Finish, Message, Usage};

struct Fake {
    identity: Identity,
    locality: Locality,
    up: AtomicBool,
}

fn fake(name: &str) -> Arc<Fake> {
    at(Locality::Machine, name)
}

fn at(locality: Locality, name: &str) -> Arc<Fake> {
    Arc::new(Fake {
        locality,
        identity: Identity {
            provider: name.to_owned(),
            model: "m".to_owned(),
            context_tokens: 4096,
        },
        up: AtomicBool::new(true),
    })
}

fn down() -> Error {
    Error::StreamBroken {
        reason: "it is down".to_owned(),
    }
}

impl Fake {
    fn up<T>(&self, answer: T) -> Result<T, Error> {
        self.up.load(Ordering::Relaxed).then_some(answer).ok_or_else(down)
    }
}

#[async_trait]
impl Provider for Fake {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn locality(&self) -> Locality {
        self.locality
    }

    /// Answers with the host's name, and then with the end.
    async fn chat(&self, _request: ChatRequest) -> Result<ChunkStream, Error> {
        let usage = Usage {
            prompt_tokens: 1,
            generated_tokens: 1,
            thinking_bytes: 0,
            duration_ms: 1,
            load_ms: 0,
            finish: Finish::Stop,
            context: Context::default(),
        };
        let text = self.identity.provider.clone();
        let chunks = [Ok(Chunk::Token { text }), Ok(Chunk::Done(usage))];
        self.up(stream::iter(chunks).boxed())
    }

    async fn continues(&self) -> Result<bool, Error> {
        self.up(true)
    }

    async fn sees_images(&self) -> Result<bool, Error> {
        self.up(true)
    }

    async fn preload(&self) -> Result<Loaded, Error> {
        self.up(Loaded {
            model: "m".to_owned(),
            num_ctx: 4096,
            context_length_max: None,
            vram_mb: 0,
            load_ms: 0,
            context: Context::default(),
        })
    }

    async fn health(&self) -> Result<Health, Error> {
        self.up(Health {
            version: self.identity.provider.clone(),
            model: "m".to_owned(),
            model_available: true,
            models: Vec::new(),
        })
    }

    async fn memory(&self) -> Vec<ServerMemory> {
        vec![ServerMemory {
            server: self.identity.provider.clone(),
            is_here: true,
            models: self.up(Vec::new()),
        }]
    }
}

fn pool(hosts: &[Arc<Fake>]) -> Pool {
    let hosts = hosts.iter().map(|host| host.clone() as Arc<dyn Provider>);
    Pool::new("farm", hosts.collect()).unwrap()
}

fn question(system: &str) -> ChatRequest {
    ChatRequest {
        system: system.to_owned(),
        messages: vec![Message::user("?")],
        ..ChatRequest::default()
    }
}

/// Who answers; the call is over afterwards.
async fn asks(pool: &Pool, system: &str) -> String {
    let (who, rest) = begins(pool, system).await;
    let _ended: Vec<_> = rest.collect().await;
    who
}

/// Who answers; the call runs as long as the stream lives.
async fn begins(pool: &Pool, system: &str) -> (String, ChunkStream) {
    match pool.chat(question(system)).await {
        Ok(mut stream) => match stream.next().await {
            Some(Ok(Chunk::Token { text })) => (text, stream),
            other => panic!("{other:?}"),
        },
        Err(error) => (error.to_string(), stream::empty().boxed()),
    }
}

#[tokio::test]
async fn a_pool_can_be_used_while_one_host_can() {
    let hosts = [fake("a"), fake("b")];
    let pool = Pool::new(
        "farm",
        hosts
            .iter()
            .map(|host| host.clone() as Arc<dyn Provider>)
            .collect(),
    )
    .unwrap();
    let check = async |up: [bool; 2], expect: &[(Weight, &str)]| {
        for (host, up) in hosts.iter().zip(up) {
            host.up.store(up, Ordering::Relaxed);
        }
        let found = pool.examine().await;
        let found: Vec<_> = found
            .iter()
            .map(|found| (found.weight, found.text.as_str()))
            .collect();
        assert_eq!(found, expect);
    };
    let (first, second) = (
        "host 1 of 2: the model's answer broke off: it is down",
        "host 2 of 2: the model's answer broke off: it is down",
    );
    check([true, true], &[]).await;
    check([true, false], &[(Weight::Warning, second)]).await;
    check(
        [false, false],
        &[(Weight::Broken, first), (Weight::Broken, second)],
    )
    .await;
}

#[test]
fn a_pool_is_as_far_away_as_its_farthest_host() {
    use Locality::{Elsewhere, Machine, Network};
    let check = |hosts: &[Locality], expect: Locality| {
        let hosts: Vec<_> = hosts.iter().map(|locality| at(*locality, "a")).collect();
        assert_eq!(pool(&hosts).locality(), expect, "{expect}");
    };
    check(&[Machine], Machine);
    check(&[Machine, Network], Network);
    check(&[Elsewhere, Machine, Network], Elsewhere);
}

#[tokio::test]
async fn a_warm_host_is_asked_again() {
    let pool = pool(&[fake("a"), fake("b")]);
    assert_eq!(asks(&pool, "one").await, "a");
    assert_eq!(asks(&pool, "one").await, "a");
    // While `a` runs one call, a cold `b` costs no less; with two it does.
    let _first = begins(&pool, "one").await;
    let (second, _running) = begins(&pool, "one").await;
    assert_eq!(second, "a");
    assert_eq!(asks(&pool, "one").await, "b");
    // Both know the prompt now.
    assert_eq!(asks(&pool, "one").await, "b");
}

#[tokio::test]
async fn a_stopped_call_runs_no_longer() {
    let pool = pool(&[fake("a"), fake("b")]);
    let running = begins(&pool, "one").await;
    assert_eq!(pool.hosts[0].running.load(Ordering::Relaxed), 1);
    drop(running);
    assert_eq!(pool.hosts[0].running.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_is_left_alone_until_it_is_seen() {
    let (a, b) = (fake("a"), fake("b"));
    let pool = pool(&[a.clone(), b]);
    assert_eq!(asks(&pool, "one").await, "a");
    a.up.store(false, Ordering::Relaxed);
    assert_eq!(asks(&pool, "one").await, down().to_string());
    assert_eq!(asks(&pool, "one").await, "b");
    a.up.store(true, Ordering::Relaxed);
    assert_eq!(asks(&pool, "two").await, "b");
    tokio::time::sleep(LOOK * 2).await;
    assert!(!pool.hosts[0].known().down);
    let _busy = begins(&pool, "one").await;
    assert_eq!(asks(&pool, "one").await, "a");
}

#[tokio::test]
async fn it_is_there_if_one_host_is() {
    let (a, b) = (fake("a"), fake("b"));
    a.up.store(false, Ordering::Relaxed);
    let pool = pool(&[a, b.clone()]);
    assert_eq!(pool.health().await.unwrap().version, "b");
    assert_eq!(pool.continues().await, Ok(true));
    assert_eq!(pool.preload().await.unwrap().model, "m");
    assert_eq!(asks(&pool, "one").await, "b");
    b.up.store(false, Ordering::Relaxed);
    assert_eq!(pool.health().await, Err(down()));
    let of = |server: &str, models| ServerMemory {
        server: server.to_owned(),
        is_here: true,
        models,
    };
    assert_eq!(pool.memory().await, [of("a", Err(down())), of("b", Err(down()))]);
    let identity = Identity {
        provider: "farm".to_owned(),
        model: "m".to_owned(),
        context_tokens: 4096,
    };
    assert_eq!(*pool.identity(), identity);
}
