//! The network between clients and the backend breaks off, falls silent and
//! comes back; the backend itself is stopped for a while. Whoever comes back
//! with the last seq they have ends with the same list as one who was never
//! cut.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::StreamExt as _;
use proto::v1::{self, workflow_service_client::WorkflowServiceClient};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::world::{PATIENCE, SCRIPT, World, assert_same, is_end};

/// Silence after which a client takes the connection for dead.
const SILENCE: Duration = Duration::from_millis(400);

/// A way to the backend that breaks: each connection passes some bytes and then
/// is closed, or falls silent.
struct Toxic {
    address: SocketAddr,
    broken: Arc<AtomicU64>,
}

impl Toxic {
    async fn before(world: &World) -> Self {
        let backend = world.url().trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let broken = Arc::new(AtomicU64::new(0));
        let count = broken.clone();
        tokio::spawn(async move {
            for number in 1_u64.. {
                let Ok((client, _)) = listener.accept().await else {
                    return;
                };
                let server = TcpStream::connect(&backend).await.unwrap();
                tokio::spawn(pass(client, server, number, count.clone()));
            }
        });
        Self { address, broken }
    }
}

/// Passes what the client says, and of the answer more each time: a client that
/// never gets anywhere proves nothing.
async fn pass(client: TcpStream, server: TcpStream, number: u64, broken: Arc<AtomicU64>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut left = 600 + number * 257;
    let mut buffer = [0; 512];
    while left > 0 {
        let Ok(count @ 1..) = from_server.read(&mut buffer).await else {
            return;
        };
        let count = count.min(usize::try_from(left).unwrap());
        if to_client.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        left -= count as u64;
    }
    broken.fetch_add(1, Ordering::Relaxed);
    if number.is_multiple_of(3) {
        // Nobody says that the other side is gone.
        tokio::time::sleep(PATIENCE).await;
    }
}

/// Follows a workflow over a WebSocket through everything.
async fn follow(address: SocketAddr, id: &str) -> Vec<Value> {
    let mut seen: Vec<Value> = Vec::new();
    while !seen.last().is_some_and(is_end) {
        let after = seen.last().map_or(0, |event| event["seq"].as_u64().unwrap());
        let url = format!("ws://{address}/api/workflow/{id}/stream?after={after}&mode=delta");
        let connected = tokio::time::timeout(SILENCE, connect_async(url)).await;
        let Ok(Ok((mut socket, _))) = connected else {
            continue;
        };
        while let Ok(Some(Ok(message))) = tokio::time::timeout(SILENCE, socket.next()).await {
            if let Message::Text(text) = message {
                let event: Value = serde_json::from_str(&text).unwrap();
                assert_ne!(event["type"], "resync", "nothing was lost");
                seen.push(event);
            }
        }
    }
    seen
}

/// Follows it over gRPC; type and seq of each event.
async fn watch(address: SocketAddr, id: &str) -> Vec<(u64, String)> {
    let mut seen: Vec<(u64, String)> = Vec::new();
    let request = |after| v1::WatchRequest {
        workflow_id: id.to_owned(),
        after,
        delta_only: true,
    };
    let ended = |seen: &[(u64, String)], all: bool| all && !seen.is_empty();
    let mut all = false;
    while !ended(&seen, all) {
        let after = seen.last().map_or(0, |(seq, _)| *seq);
        let url = format!("http://{address}");
        let connected = tokio::time::timeout(SILENCE, WorkflowServiceClient::connect(url)).await;
        let Ok(Ok(mut client)) = connected else { continue };
        let Ok(Ok(answer)) = tokio::time::timeout(SILENCE, client.watch(request(after))).await else {
            continue;
        };
        let mut events = answer.into_inner();
        loop {
            match tokio::time::timeout(SILENCE, events.message()).await {
                Ok(Ok(Some(event))) => seen.push((event.seq, event.r#type)),
                // The server has said that this was the last.
                Ok(Ok(None)) => {
                    all = true;
                    break;
                }
                Ok(Err(_)) | Err(_) => break,
            }
        }
    }
    seen
}

#[tokio::test]
async fn clients_that_are_cut_off_end_with_the_same_list() {
    let slow = SCRIPT.replace("respond:", "respond:\n      tokens_per_second: 120");
    let world = World::with(&slow).await;
    let toxic = Toxic::before(&world).await;
    let id = world.submit("Add greetings").await;
    let following = async {
        tokio::join!(
            follow(toxic.address, &id),
            follow(toxic.address, &id),
            watch(toxic.address, &id),
            world.accept(&id)
        )
    };
    let (first, second, third, _) = Box::pin(tokio::time::timeout(PATIENCE, following))
        .await
        .expect("all end");
    let all = world.events(&id, 0, "delta", is_end).await;
    assert_same(&first, &all, "the first");
    assert_same(&second, &all, "the second");
    let brief: Vec<(u64, String)> = all
        .iter()
        .map(|event| {
            (
                event["seq"].as_u64().unwrap(),
                event["type"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(third, brief, "over gRPC");
    let broken = toxic.broken.load(Ordering::Relaxed);
    assert!(broken > 6, "only {broken} connections broke");
}

#[tokio::test]
async fn a_backend_that_is_stopped_for_a_while_goes_on() {
    let slow = SCRIPT.replace("respond:", "respond:\n      tokens_per_second: 60");
    let world = World::with(&slow).await;
    let id = world.submit("Add greetings").await;
    let writes =
        |event: &Value| event["stage_id"] == "code_generation" && event["type"] == "agent_streaming_update";
    let before = world.events(&id, 0, "full", writes).await;
    world.signal(nix::sys::signal::Signal::SIGSTOP);
    tokio::time::sleep(3 * SILENCE).await;
    world.signal(nix::sys::signal::Signal::SIGCONT);
    let events = world.accept(&id).await;
    assert_same(&events[..before.len()], &before, "what was seen stays");
    let discarded = events.iter().any(|event| event["type"] == "attempt_discarded");
    assert!(!discarded, "a pause is no failure");
    assert_eq!(world.commits(), 2);
}
