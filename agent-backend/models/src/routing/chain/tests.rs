//! Ways along a chain, with providers that do nothing but have health.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::*;
use crate::{
    ChatRequest, ChunkStream, Context, Health, Identity, Loaded, Locality, Provider, routing::LinkOptions,
};

#[derive(Debug)]
struct Fake {
    identity: Identity,
    up: AtomicBool,
}

#[async_trait]
impl Provider for Fake {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn locality(&self) -> Locality {
        Locality::Machine
    }

    async fn chat(&self, _request: ChatRequest) -> Result<ChunkStream, Error> {
        Err(down())
    }

    async fn continues(&self) -> Result<bool, Error> {
        Ok(true)
    }

    async fn sees_images(&self) -> Result<bool, Error> {
        Ok(false)
    }

    async fn preload(&self) -> Result<Loaded, Error> {
        Err(down())
    }

    async fn health(&self) -> Result<Health, Error> {
        if !self.up.load(Ordering::Relaxed) {
            return Err(down());
        }
        Ok(Health {
            version: "1".to_owned(),
            model: self.identity.model.clone(),
            model_available: true,
            models: Vec::new(),
        })
    }
}

fn down() -> Error {
    Error::StreamBroken {
        reason: "it is down".to_owned(),
    }
}

fn limited(seconds: u64) -> Error {
    Error::Overloaded {
        status: 429,
        message: "slow down".to_owned(),
        retry_after: Some(Duration::from_secs(seconds)),
    }
}

fn unfit() -> Error {
    Error::ModelMissing {
        model: "m".to_owned(),
    }
}

fn too_long() -> Error {
    Error::ContextTruncated(Context::default())
}

/// A chain of providers `a`, `b`, … each with a model of its own name in
/// capitals.
fn chain(names: &str, up: bool) -> (Arc<Chain>, Vec<Arc<Fake>>) {
    let fakes: Vec<Arc<Fake>> = names
        .chars()
        .map(|name| {
            Arc::new(Fake {
                identity: Identity {
                    provider: name.to_string(),
                    model: name.to_uppercase().to_string(),
                    context_tokens: 4096,
                },
                up: AtomicBool::new(up),
            })
        })
        .collect();
    let link = |fake: &Arc<Fake>| Arc::new(Link::new(fake.clone(), LinkOptions::default()));
    let links = fakes.iter().map(link).collect();
    (Chain::new("code", links, Policy::default()).unwrap(), fakes)
}

/// Whom the run asks next.
fn asks(run: &mut Run) -> String {
    match run.next(Instant::now()) {
        Next::Ask(link) => link.identity().provider.clone(),
        Next::Wait(waiting) => waiting.to_string(),
        Next::GiveUp(error) => format!("gives up: {error}"),
    }
}

fn fails(run: &mut Run, error: &Error) -> Step {
    run.failed(error, Instant::now(), 0)
}

fn retry(after_ms: u64) -> Step {
    Step::Retry {
        after: Duration::from_millis(after_ms),
    }
}

#[tokio::test]
async fn the_next_one_is_asked_after_three_retries() {
    let (chain, _) = chain("ab", true);
    let mut run = chain.run(None);
    for after in [500, 1_000, 2_000] {
        assert_eq!(asks(&mut run), "a");
        assert_eq!(fails(&mut run, &down()), retry(after));
    }
    assert_eq!(asks(&mut run), "a");
    assert_eq!(fails(&mut run, &down()), Step::Next);
    assert_eq!(asks(&mut run), "b");
    run.answered();
}

#[tokio::test]
async fn what_cannot_help_is_not_tried_again() {
    let (chain, _) = chain("abc", true);
    let mut run = chain.run(None);
    assert_eq!(asks(&mut run), "a");
    assert_eq!(fails(&mut run, &unfit()), Step::Next);
    assert_eq!(asks(&mut run), "b");
    assert_eq!(fails(&mut run, &too_long()), Step::Shrink);
    assert_eq!(asks(&mut run), "b");
    assert_eq!(fails(&mut run, &too_long()), Step::Next);
    assert_eq!(asks(&mut run), "c");
    assert_eq!(fails(&mut run, &unfit()), Step::GiveUp);
    assert_eq!(asks(&mut run), format!("gives up: {}", unfit()));
}

#[tokio::test]
async fn an_answer_that_was_begun_is_its_model_s() {
    let (chain, _) = chain("abc", true);
    assert_eq!(asks(&mut chain.run(Some("B"))), "b");
    assert_eq!(asks(&mut chain.run(Some("unknown"))), "a");
    let mut run = chain.run(Some("C"));
    asks(&mut run);
    assert_eq!(fails(&mut run, &unfit()), Step::Next);
    assert_eq!(asks(&mut run), "a");
}

#[tokio::test]
async fn some_may_be_asked_before_the_others() {
    let (chain, _) = chain("abcd", true);
    let order = |model: Option<&str>, first: &[usize]| {
        let mut run = chain.run_preferring(model, first);
        let mut order = asks(&mut run);
        while fails(&mut run, &unfit()) == Step::Next {
            order.push_str(&asks(&mut run));
        }
        order
    };
    assert_eq!(order(None, &[]), "abcd");
    assert_eq!(order(None, &[2]), "cabd");
    assert_eq!(order(None, &[3, 1]), "bdac");
    assert_eq!(order(None, &[0, 1, 2, 3]), "abcd");
    // Whoever has begun the answer goes on with it.
    assert_eq!(order(Some("D"), &[1]), "dbac");
    assert_eq!(order(Some("unknown"), &[1]), "bacd");
}

#[tokio::test]
async fn one_that_keeps_failing_is_left_alone_by_all() {
    let (chain, _) = chain("ab", true);
    for _ in 0..5 {
        let mut run = chain.run(None);
        assert_eq!(asks(&mut run), "a");
        fails(&mut run, &down());
    }
    assert_eq!(asks(&mut chain.run(None)), "b");
}

#[tokio::test]
async fn a_long_limit_is_no_reason_to_wait_where_others_are() {
    let (chain, _) = chain("ab", true);
    let mut run = chain.run(None);
    assert_eq!(asks(&mut run), "a");
    assert_eq!(fails(&mut run, &limited(30)), retry(30_000));
    assert_eq!(asks(&mut run), "a");
    assert_eq!(fails(&mut run, &limited(3_600)), Step::Next);
    assert_eq!(asks(&mut run), "b");
    // Others are told as well.
    assert_eq!(asks(&mut chain.run(None)), "b");
}

#[tokio::test(start_paused = true)]
async fn without_a_provider_it_waits_until_one_appears() {
    let (chain, fakes) = chain("ab", false);
    let mut run = chain.run(None);
    assert_eq!(asks(&mut run), "a");
    assert_eq!(fails(&mut run, &unfit()), Step::Next);
    for _ in 0..3 {
        assert_eq!(asks(&mut run), "b");
        fails(&mut run, &down());
    }
    assert_eq!(fails(&mut run, &down()), Step::Wait);
    assert_eq!(asks(&mut run), format!("waiting for b ({})", down()));
    let begun = Instant::now();
    let late = fakes[1].clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(3_600)).await;
        late.up.store(true, Ordering::Relaxed);
    });
    run.appears().await;
    let waited = begun.elapsed();
    assert!(
        waited >= Duration::from_secs(3_600) && waited <= Duration::from_secs(3_600) + LOOK_MAX,
        "{waited:?}"
    );
    assert_eq!(asks(&mut run), "b");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_there_and_fails_all_the_same_is_given_up() {
    let (chain, _) = chain("a", true);
    let mut run = chain.run(None);
    let mut rounds = 0;
    loop {
        match run.next(Instant::now()) {
            Next::Ask(_) => match fails(&mut run, &down()) {
                Step::Retry { after } => sleep(after).await,
                Step::Wait => {}
                Step::GiveUp => break,
                step @ (Step::Next | Step::Shrink) => panic!("{step:?}"),
            },
            Next::Wait(_) => {
                rounds += 1;
                run.appears().await;
            }
            Next::GiveUp(_) => break,
        }
    }
    assert_eq!(rounds, Policy::default().rounds + 1);
    assert_eq!(asks(&mut run), format!("gives up: {}", down()));
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_waited_for_to_its_end() {
    let (chain, _) = chain("a", true);
    let mut run = chain.run(None);
    assert_eq!(asks(&mut run), "a");
    assert_eq!(fails(&mut run, &limited(600)), Step::Wait);
    let begun = Instant::now();
    run.appears().await;
    assert!(
        begun.elapsed() >= Duration::from_secs(600 - 60),
        "{:?}",
        begun.elapsed()
    );
    let Next::Ask(link) = run.next(Instant::now()) else {
        panic!("nobody is asked");
    };
    let _slot = link.slot().await;
    assert!(
        begun.elapsed() >= Duration::from_secs(600),
        "{:?}",
        begun.elapsed()
    );
}
