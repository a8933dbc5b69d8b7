//! The one number of a session: found once, carried by every call, kept.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use models::{ChosenFor, Error, NumCtx, Ollama, OllamaOptions, Provider, Room, Session, examine::Weight};
use scripted_ollama::ScriptedOllama;
use shared::error::Code;

use super::{MODEL, answer, ask, options};

const GIB: u64 = 1 << 30;

const AUTO: NumCtx = NumCtx::Auto {
    min: 4_096,
    max: 65_536,
};

const SCRIPT: &str = "
models: [{name: 'mistral:7b-instruct', context_length: 131072}]
rules: [{respond: {text: hello}}]
";

/// A machine of so much memory.
#[derive(Debug, Default)]
struct Machine {
    room: Option<Room>,
    kept: Mutex<Vec<(String, u32)>>,
}

fn machine(gpu_gib: u64) -> Arc<Machine> {
    let room = Some(Room {
        gpu: gpu_gib * GIB,
        system: 8 * GIB,
    });
    Arc::new(Machine {
        room,
        kept: Mutex::default(),
    })
}

fn key(chosen: ChosenFor<'_>) -> String {
    let ChosenFor {
        model, digest, max, ..
    } = chosen;
    format!("{model} {max} {}", digest.len())
}

#[async_trait]
impl Session for Machine {
    async fn room(&self) -> Option<Room> {
        self.room
    }

    fn kept(&self, chosen: ChosenFor<'_>) -> Option<u32> {
        let kept = self.kept.lock().unwrap();
        let found = kept.iter().find(|(name, _)| *name == key(chosen));
        found.map(|(_, num_ctx)| *num_ctx)
    }

    fn keep(&self, chosen: ChosenFor<'_>, num_ctx: u32) {
        self.kept.lock().unwrap().push((key(chosen), num_ctx));
    }
}

async fn server(script: &str) -> ScriptedOllama {
    ScriptedOllama::builder().script(script).start().await.unwrap()
}

fn client(url: String, num_ctx: NumCtx, machine: &Arc<Machine>) -> Ollama {
    let options = OllamaOptions {
        num_ctx,
        ..options(url)
    };
    Ollama::new(options).unwrap().with_session(machine.clone())
}

/// The context of each request that carries one.
fn carried(server: &ScriptedOllama) -> Vec<u64> {
    let requests = server.requests();
    let number = |record: &scripted_ollama::Record| record.body["options"]["num_ctx"].as_u64();
    requests.iter().filter_map(number).collect()
}

#[tokio::test]
async fn every_call_carries_the_number_that_was_found() {
    let (server, machine) = (server(SCRIPT).await, machine(8));
    let ollama = client(server.url(), AUTO, &machine);
    assert_eq!(
        (ollama.identity().context_tokens, ollama.reason()),
        (16_384, None)
    );
    let loaded = ollama.preload().await.unwrap();
    assert_eq!((loaded.num_ctx, loaded.context.loaded), (23_552, Some(23_552)));
    answer(&ollama, ask("hi")).await.1.unwrap();
    answer(&ollama, ask("hi")).await.1.unwrap();
    assert_eq!(carried(&server), [23_552; 3]);
    let shown = server.requests();
    let asked = |path: &str| shown.iter().filter(|record| record.path == path).count();
    assert_eq!(asked("/api/tags"), 1);
    assert_eq!(ollama.identity().context_tokens, 23_552);
    assert_eq!(
        ollama.reason(),
        Some("the GPU's memory holds 23981 tokens of 128 KiB beside the model's 4.1 GiB")
    );
    let kept = machine.kept.lock().unwrap().clone();
    assert_eq!(kept, [(format!("{MODEL} 65536 64"), 23_552)]);
}

#[tokio::test]
async fn a_later_session_carries_the_same() {
    let (server, machine) = (server(SCRIPT).await, machine(8));
    machine
        .kept
        .lock()
        .unwrap()
        .push((format!("{MODEL} 65536 64"), 12_288));
    let ollama = client(server.url(), AUTO, &machine);
    ollama.settle().await.unwrap();
    answer(&ollama, ask("hi")).await.1.unwrap();
    assert_eq!(carried(&server), [12_288]);
    assert_eq!(ollama.reason(), Some("as in earlier sessions with this model"));
}

#[tokio::test]
async fn what_a_person_says_is_carried() {
    let (server, machine) = (server(SCRIPT).await, machine(8));
    let ollama = client(server.url(), NumCtx::Fixed(32_768), &machine);
    answer(&ollama, ask("hi")).await.1.unwrap();
    assert_eq!((carried(&server), ollama.reason()), (vec![32_768], None));
    let found = ollama.examine().await;
    let found: Vec<_> = found.iter().map(|found| (found.weight, found.code)).collect();
    assert_eq!(found, [(Weight::Warning, Code::ModelMemoryFull)]);
    let fits = client(server.url(), NumCtx::Fixed(16_384), &machine);
    assert_eq!(fits.examine().await, []);
    assert_eq!(*machine.kept.lock().unwrap(), []);
}

#[tokio::test]
async fn nothing_is_fixed_before_the_server_answers() {
    let gone = client("http://127.0.0.1:9".to_owned(), AUTO, &machine(8));
    let unreachable = |result: Result<(), Error>| matches!(result, Err(Error::Unreachable { .. }));
    assert!(unreachable(gone.settle().await));
    assert!(unreachable(gone.chat(ask("hi")).await.map(drop)));
    assert_eq!((gone.identity().context_tokens, gone.reason()), (16_384, None));
}

#[tokio::test]
async fn a_server_or_a_machine_that_does_not_tell_gets_the_usual() {
    let told = "as usual; the server does not say what the model takes";
    let unknown = "as usual; nobody says how much memory the server has";
    let old = "
models: [{name: 'mistral:7b-instruct'}]
rules: [{match: {endpoint: show}, respond: {raw: {status: 200, content_type: application/json, body: '{}'}}},
  {respond: {text: hello}}]
";
    for (script, machine, reason) in [
        (old, machine(8), told),
        (SCRIPT, Arc::new(Machine::default()), unknown),
    ] {
        let server = server(script).await;
        let ollama = client(server.url(), AUTO, &machine);
        answer(&ollama, ask("hi")).await.1.unwrap();
        assert_eq!((carried(&server), ollama.reason()), (vec![16_384], Some(reason)));
        // It would be found again.
        assert_eq!(*machine.kept.lock().unwrap(), []);
    }
}
