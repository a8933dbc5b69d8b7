//! The models: which there are, which are loaded, and the endpoints that tell.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Server, begin, json_response, refused};
use crate::{
    clock,
    fault::Fault,
    record::{Entry, Outcome},
    script::{Endpoint, Kind, ModelSpec, Thinks, canonical},
    wire::{
        ollama::{Named, parse},
        refuse,
    },
};

/// The version of Ollama whose behaviour this server follows.
const VERSION: &str = "0.13.0";

/// One that tells no reason for the end of an answer, no context of a loaded
/// model, and neither what a model is nor what it can do.
const OLD_VERSION: &str = "0.1.30";

/// Size of a model's file, in bytes.
const SIZE_BYTES: u64 = 4_372_824_384;

/// How far ahead a model expires that is kept for ever.
const FOREVER: Duration = Duration::from_secs(292 * 365 * 86_400);

const MIB: u64 = 1 << 20;

/// A model and what it is loaded with.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) spec: ModelSpec,
    loaded: Option<LoadedAs>,
}

#[derive(Debug, Clone)]
struct LoadedAs {
    num_ctx: u32,
    /// Another model that is there in its place.
    in_place: Option<String>,
    /// `None` for ever.
    expires: Option<Instant>,
    /// When it was asked last.
    asked: Instant,
}

/// All models.
#[derive(Debug)]
pub(crate) struct Models {
    list: Vec<Model>,
    /// Video memory, in MiB; `None` for enough.
    vram_mb: Option<u64>,
}

impl Models {
    pub(crate) fn new(specs: Vec<ModelSpec>, vram_mb: Option<u64>) -> Self {
        Self {
            vram_mb,
            list: specs
                .into_iter()
                .map(|spec| Model { spec, loaded: None })
                .collect(),
        }
    }

    /// The pulled model of this name.
    pub(crate) fn pulled(&self, name: &str) -> Option<&ModelSpec> {
        self.list
            .iter()
            .map(|model| &model.spec)
            .find(|spec| spec.pulled && same(spec, name))
    }

    /// All pulled models, in the script's order.
    pub(crate) fn all_pulled(&self) -> impl Iterator<Item = &ModelSpec> {
        self.list
            .iter()
            .map(|model| &model.spec)
            .filter(|spec| spec.pulled)
    }

    /// Whether the model is in memory with this context.
    pub(crate) fn is_loaded(&self, name: &str, num_ctx: u32) -> bool {
        let model = self.list.iter().find(|model| same(&model.spec, name));
        model
            .and_then(live)
            .is_some_and(|loaded| loaded.num_ctx == num_ctx && loaded.in_place.is_none())
    }

    /// Puts the model into memory, or keeps it there, for `keep`; the models that
    /// had to go.
    pub(crate) fn load(&mut self, name: &str, num_ctx: u32, keep: Option<Duration>) -> Vec<String> {
        let put_out = self.make_room(name);
        if let Some(model) = self.list.iter_mut().find(|model| same(&model.spec, name)) {
            let expires = keep.and_then(|keep| Instant::now().checked_add(keep));
            model.loaded = Some(LoadedAs {
                num_ctx,
                in_place: None,
                expires,
                asked: Instant::now(),
            });
        }
        put_out
    }

    /// Puts models out until this one fits.
    fn make_room(&mut self, name: &str) -> Vec<String> {
        let mut put_out = Vec::new();
        let Some(room) = self.vram_mb else { return put_out };
        let spec = |model: &Model| model.spec.vram_mb;
        let wanted = self
            .list
            .iter()
            .find(|model| same(&model.spec, name))
            .map_or(0, spec);
        loop {
            let others = || self.list.iter().filter(|model| !same(&model.spec, name));
            let taken: u64 = others().filter(|model| live(model).is_some()).map(spec).sum();
            let oldest = others().filter_map(|model| Some((live(model)?.asked, model.spec.name.clone())));
            match oldest.min() {
                Some((_, oldest)) if taken + wanted > room => {
                    self.unload(&oldest);
                    put_out.push(oldest);
                }
                Some(_) | None => return put_out,
            }
        }
    }

    /// The model turns out to have less context than it was loaded with.
    pub(crate) fn shrink(&mut self, name: &str, num_ctx: u32) {
        if let Some(loaded) = self.loaded(name) {
            loaded.num_ctx = loaded.num_ctx.min(num_ctx);
        }
    }

    /// Another model turns out to be loaded in place of this one.
    pub(crate) fn swap(&mut self, name: &str, other: &str) {
        if let Some(loaded) = self.loaded(name) {
            loaded.in_place = Some(other.to_owned());
        }
    }

    fn loaded(&mut self, name: &str) -> Option<&mut LoadedAs> {
        let model = self.list.iter_mut().find(|model| same(&model.spec, name));
        model.and_then(|model| model.loaded.as_mut())
    }

    pub(crate) fn unload(&mut self, name: &str) {
        if let Some(model) = self.list.iter_mut().find(|model| same(&model.spec, name)) {
            model.loaded = None;
        }
    }
}

fn same(spec: &ModelSpec, name: &str) -> bool {
    canonical(&spec.name) == canonical(name)
}

fn live(model: &Model) -> Option<&LoadedAs> {
    model
        .loaded
        .as_ref()
        .filter(|loaded| loaded.expires.is_none_or(|expires| expires > Instant::now()))
}

/// The name with its tag, in the case it was scripted with.
fn display(spec: &ModelSpec) -> String {
    let last = spec.name.rsplit('/').next().unwrap_or(&spec.name);
    if last.contains(':') {
        spec.name.clone()
    } else {
        format!("{}:latest", spec.name)
    }
}

fn digest(spec: &ModelSpec) -> String {
    Sha256::digest(canonical(&spec.name))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn details(spec: &ModelSpec) -> Value {
    let family = family(spec);
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": "7.2B",
        "quantization_level": "Q4_K_M",
    })
}

fn family(spec: &ModelSpec) -> &'static str {
    match spec.kind {
        Kind::Chat => "llama",
        Kind::Thinking if spec.thinks == Thinks::Levels => "gptoss",
        Kind::Thinking => "qwen3",
        Kind::Embedding => "nomic-bert",
    }
}

fn capabilities(spec: &ModelSpec) -> Vec<&'static str> {
    let mut abilities = match spec.kind {
        Kind::Chat => vec!["completion", "tools"],
        Kind::Thinking => vec!["completion", "tools", "thinking"],
        Kind::Embedding => vec!["embedding"],
    };
    abilities.extend(spec.vision.then_some("vision"));
    abilities
}

/// Whether the server is to be one that is too old.
fn is_old(entry: &Entry) -> bool {
    entry.has(&Fault::OldServer)
}

/// Takes out what an old server does not tell.
fn without(mut value: Value, is_old: bool, keys: &[&str]) -> Value {
    if let Some(object) = value.as_object_mut().filter(|_| is_old) {
        object.retain(|key, _| !keys.contains(&key.as_str()));
    }
    value
}

pub(super) async fn version(State(server): State<Arc<Server>>) -> Response {
    match begin(&server, Endpoint::Version, "/api/version", &Bytes::new(), "", &[]).await {
        Ok(entry) => {
            entry.done("none");
            let version = if is_old(&entry) { OLD_VERSION } else { VERSION };
            json_response(200, &json!({ "version": version }))
        }
        Err(response) => response,
    }
}

pub(super) async fn tags(State(server): State<Arc<Server>>) -> Response {
    let entry = match begin(&server, Endpoint::Tags, "/api/tags", &Bytes::new(), "", &[]).await {
        Ok(entry) => entry,
        Err(response) => return response,
    };
    let models = server.models();
    let list = models.all_pulled().map(|spec| {
        json!({
            "name": display(spec),
            "model": display(spec),
            "modified_at": clock::stamp(Duration::ZERO),
            "size": SIZE_BYTES,
            "digest": digest(spec),
            "details": details(spec),
        })
    });
    entry.done("none");
    json_response(200, &json!({ "models": list.collect::<Vec<_>>() }))
}

pub(super) async fn ps(State(server): State<Arc<Server>>) -> Response {
    let entry = match begin(&server, Endpoint::Ps, "/api/ps", &Bytes::new(), "", &[]).await {
        Ok(entry) => entry,
        Err(response) => return response,
    };
    let now = Instant::now();
    let is_old = is_old(&entry);
    let models = server.models();
    let list = models
        .list
        .iter()
        .filter_map(|model| live(model).map(|loaded| (&model.spec, loaded)))
        .map(|(spec, loaded)| {
            let ahead = loaded
                .expires
                .map_or(FOREVER, |expires| expires.saturating_duration_since(now));
            let name = loaded.in_place.clone().unwrap_or_else(|| display(spec));
            let row = json!({
                "name": name,
                "model": name,
                "size": spec.size_mb.unwrap_or(spec.vram_mb) * MIB,
                "digest": digest(spec),
                "details": details(spec),
                "expires_at": clock::stamp(ahead),
                "size_vram": spec.vram_mb * MIB,
                "context_length": loaded.num_ctx,
            });
            without(row, is_old, &["context_length"])
        });
    entry.done("none");
    json_response(200, &json!({ "models": list.collect::<Vec<_>>() }))
}

pub(super) async fn show(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    let entry = match begin(&server, Endpoint::Show, "/api/show", &body, "", &[]).await {
        Ok(entry) => entry,
        Err(response) => return response,
    };
    let shown = parse::<Named>(&body).and_then(|named| {
        let name = named.model()?;
        let models = server.models();
        let Some(spec) = models.pulled(name) else {
            return refuse(404, format!("model '{name}' not found"));
        };
        let family = family(spec);
        let mut info = json!({
            "general.architecture": family,
            "general.parameter_count": 7_248_023_552_u64,
        });
        info[format!("{family}.context_length")] = spec.context_length.into();
        let architecture = match spec.kind {
            // The numbers of Mistral 7B: 128 KiB for a token.
            Kind::Chat | Kind::Thinking => [
                ("embedding_length", 4_096),
                ("block_count", 32),
                ("attention.head_count", 32),
                ("attention.head_count_kv", 8),
                ("attention.key_length", 128),
                ("attention.value_length", 128),
            ],
            Kind::Embedding => [
                ("embedding_length", spec.dimensions),
                ("block_count", 12),
                ("attention.head_count", 12),
                ("attention.head_count_kv", 12),
                ("attention.key_length", 64),
                ("attention.value_length", 64),
            ],
        };
        for (property, number) in architecture {
            info[format!("{family}.{property}")] = number.into();
        }
        let shown = json!({
            "modelfile": format!("FROM {}\n", display(spec)),
            "parameters": "stop \"[INST]\"\nstop \"[/INST]\"",
            "template": "{{ .Prompt }}",
            "details": details(spec),
            "model_info": info,
            "capabilities": capabilities(spec),
            "modified_at": clock::stamp(Duration::ZERO),
        });
        Ok(without(
            shown,
            is_old(&entry),
            &["model_info", "capabilities", "modified_at"],
        ))
    });
    match shown {
        Ok(value) => {
            entry.done("none");
            json_response(200, &value)
        }
        Err(refusal) => refused(&entry, &refusal),
    }
}

/// Downloads a scripted model that is not there yet; others do not exist.
pub(super) async fn pull(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    let entry = match begin(&server, Endpoint::Pull, "/api/pull", &body, "", &[]).await {
        Ok(entry) => entry,
        Err(response) => return response,
    };
    let named = parse::<Named>(&body).and_then(|named| Ok((named.model()?.to_owned(), named.stream)));
    let (name, streamed) = match named {
        Ok((name, streamed)) => (name, streamed.unwrap_or(true)),
        Err(refusal) => return refused(&entry, &refusal),
    };
    let lines = {
        let mut models = server.models();
        match models.list.iter_mut().find(|model| same(&model.spec, &name)) {
            Some(model) => {
                model.spec.pulled = true;
                let sha = format!("sha256:{}", digest(&model.spec));
                let layer = format!("pulling {}", &sha[7..19]);
                entry.done("none");
                vec![
                    json!({"status": "pulling manifest"}),
                    json!({"status": layer, "digest": sha, "total": SIZE_BYTES}),
                    json!({"status": layer, "digest": sha, "total": SIZE_BYTES, "completed": SIZE_BYTES / 2}),
                    json!({"status": layer, "digest": sha, "total": SIZE_BYTES, "completed": SIZE_BYTES}),
                    json!({"status": "verifying sha256 digest"}),
                    json!({"status": "writing manifest"}),
                    json!({"status": "success"}),
                ]
            }
            None => {
                let message = "pull model manifest: file does not exist";
                entry.end(Outcome::Error {
                    status: 200,
                    message: message.to_owned(),
                });
                vec![json!({"status": "pulling manifest"}), json!({"error": message})]
            }
        }
    };
    if !streamed {
        let last = lines.last().cloned().unwrap_or_default();
        let status = if last.get("error").is_some() { 500 } else { 200 };
        return json_response(status, &last);
    }
    let lines = lines
        .into_iter()
        .map(|line| Ok::<_, std::convert::Infallible>(format!("{line}\n")));
    (
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(stream::iter(lines)),
    )
        .into_response()
}
