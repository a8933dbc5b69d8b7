//! Fetches a model from the hub, once, into a folder of ours that is laid out as
//! the hub's own cache.
//!
//! Each file is checked against the length and, where the hub tells it, the
//! SHA-256; what was begun is gone on with; and a model counts as there only
//! when all of its files are.

use std::{
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use inference::{Error, Model, Options, Places, Runtime};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The hub, where `HF_ENDPOINT` names no other.
const HUB: &str = "https://huggingface.co";
/// Longest wait for a connection, and for the next piece of a file.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
const PIECE_WAIT_MAX: Duration = Duration::from_secs(60);
/// Largest file that is fetched, bytes.
const FILE_BYTES_MAX: u64 = 4 << 30;
/// Read at a time when a file is checked, bytes.
const READ_BYTES: usize = 1 << 20;

/// What a model has beside its weights; what is not there is not missed.
const SETTINGS: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

/// Where models are fetched from and where they go.
#[derive(Debug, Clone)]
pub(super) struct Hub {
    endpoint: String,
    token: Option<String>,
    /// Whether the person wants nothing fetched (`HF_HUB_OFFLINE`).
    offline: bool,
    folder: PathBuf,
}

/// What the hub says of a model.
#[derive(Debug, Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Clone, Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Debug, Clone, Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl Hub {
    /// Models go into `folder`. `variable` is asked as `std::env::var` is.
    pub(super) fn new(folder: PathBuf, variable: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let endpoint = given("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: given("HF_TOKEN"),
            offline: given("HF_HUB_OFFLINE").is_some_and(|value| {
                matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes")
            }),
            folder,
        }
    }

    /// This machine's places, with the folder that models are fetched into.
    pub(super) fn places(&self, places: Places) -> Places {
        places.with_hub(self.folder.clone())
    }

    /// Loads a model with `load`; one that is named and not there is fetched
    /// first. Blocks.
    pub(super) fn load<T>(
        &self,
        options: &Options,
        places: &Places,
        load: impl Fn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        match (load(), &options.model) {
            (Err(Error::Missing { .. }), Model::Hub(name)) => {
                self.fetch(name, options, places)?;
                load()
            }
            (result, _) => result,
        }
    }

    /// Fetches the files of the model `owner/name` or `owner/name@revision`.
    fn fetch(&self, name: &str, options: &Options, places: &Places) -> Result<(), Error> {
        let missing = |reason: String| Error::Missing {
            place: name.to_owned(),
            reason,
        };
        if self.offline {
            return Err(missing(format!(
                "HF_HUB_OFFLINE is set; put its files into a folder and name it with `dir`, or into {}",
                self.folder.display()
            )));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| missing(error.to_string()))?;
        let fetching = self.fetch_all(name, options, places);
        runtime.block_on(fetching).map_err(missing)
    }

    async fn fetch_all(&self, name: &str, options: &Options, places: &Places) -> Result<(), String> {
        let (repository, revision) = name.split_once('@').unwrap_or((name, "main"));
        let plain = |text: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !text.is_empty() && text.chars().all(fits) && !text.starts_with('.')
        };
        let parts: Vec<&str> = repository.split('/').collect();
        if parts.len() > 2 || !parts.iter().all(|part| plain(part)) || !plain(revision) {
            return Err(
                "it is not a name on the hub, such as `sentence-transformers/all-MiniLM-L6-v2`".to_owned(),
            );
        }
        let client = Client::builder()
            .connect_timeout(CONNECT_WAIT_MAX)
            .read_timeout(PIECE_WAIT_MAX)
            .build()
            .map_err(|error| error.to_string())?;
        let listing = format!(
            "{}/api/models/{repository}/revision/{revision}?blobs=true",
            self.endpoint
        );
        let answer = self.ask(client.get(&listing)).await?;
        let listing: Listing = answer.json().await.map_err(|error| {
            format!(
                "{} answers no list of files: {}",
                self.endpoint,
                root_cause(&error)
            )
        })?;
        if !plain(&listing.sha) {
            return Err(format!("{} names no commit", self.endpoint));
        }
        let wanted = wanted(&listing.siblings, options, places)?;
        let model = self
            .folder
            .join(format!("models--{}", repository.replace('/', "--")));
        let snapshot = model.join("snapshots").join(&listing.sha);
        for file in wanted {
            let url = format!(
                "{}/{repository}/resolve/{}/{}",
                self.endpoint, listing.sha, file.rfilename
            );
            self.file(&client, &url, file, &snapshot.join(&file.rfilename))
                .await?;
        }
        // Now it is there.
        let reference = model.join("refs").join(revision);
        let written = std::fs::create_dir_all(model.join("refs"))
            .and_then(|()| std::fs::write(&reference, &listing.sha));
        written.map_err(|error| format!("{}: {error}", reference.display()))
    }

    /// Fetches one file, from where an earlier attempt ended.
    async fn file(&self, client: &Client, url: &str, file: &Sibling, target: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", target.display());
        if target.is_file() {
            return Ok(());
        }
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let partial = target.with_added_extension("part");
        let mut part = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&partial)
            .map_err(failed)?;
        let begun = part.metadata().map_err(failed)?.len();
        let expect = file.lfs.as_ref().map(|lfs| lfs.size).or(file.size);
        if begun == 0 || expect.is_none_or(|size| begun < size) {
            let request = client.get(url).header(header::RANGE, format!("bytes={begun}-"));
            let mut answer = self.ask(request).await?;
            let mut length = begun;
            if answer.status() != StatusCode::PARTIAL_CONTENT {
                // It begins anew, whatever was asked.
                part.set_len(0).map_err(failed)?;
                length = 0;
            }
            while let Some(piece) = answer.chunk().await.map_err(|error| self.broken(&error))? {
                length += u64::try_from(piece.len()).unwrap_or(u64::MAX);
                if length > expect.unwrap_or(FILE_BYTES_MAX).min(FILE_BYTES_MAX) {
                    drop(std::fs::remove_file(&partial));
                    return Err(format!("{url} is longer than it should be"));
                }
                part.write_all(&piece).map_err(failed)?;
            }
        }
        part.sync_all().map_err(failed)?;
        let problem = check(&partial, expect, file.lfs.as_ref()).map_err(failed)?;
        if let Some(problem) = problem {
            drop(std::fs::remove_file(&partial));
            return Err(format!("{url} {problem}; it is fetched anew the next time"));
        }
        std::fs::rename(&partial, target).map_err(failed)
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response, String> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.map_err(|error| self.broken(&error))?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Err(format!(
                "{} has no such model for everybody ({}); HF_TOKEN may hold a token",
                self.endpoint,
                answer.status()
            )),
            status => Err(format!("{} answered {status}", self.endpoint)),
        }
    }

    fn broken(&self, error: &reqwest::Error) -> String {
        format!(
            "cannot reach {} ({}); put its files into a folder and name it with `dir`, or into {}",
            self.endpoint,
            root_cause(error),
            self.folder.display()
        )
    }
}

/// The files that a runtime needs.
fn wanted<'l>(
    siblings: &'l [Sibling],
    options: &Options,
    places: &Places,
) -> Result<Vec<&'l Sibling>, String> {
    let named = |name: &str| siblings.iter().find(|sibling| sibling.rfilename == name);
    let onnx = || match &options.onnx_file {
        Some(file) => named(file.to_str()?),
        None => named("onnx/model.onnx").or_else(|| named("model.onnx")),
    };
    let safetensors = || named("model.safetensors");
    let weights = match options.runtime {
        Runtime::Onnx => onnx(),
        Runtime::Native => safetensors(),
        Runtime::Auto if places.has_library(options.library.as_deref()) => onnx().or_else(safetensors),
        Runtime::Auto => safetensors().or_else(onnx),
    };
    let weights =
        weights.ok_or_else(|| format!("it has no weights for the runtime `{}`", options.runtime))?;
    let data = named(&format!("{}_data", weights.rfilename));
    let settings = SETTINGS.iter().filter_map(|name| named(name));
    Ok(settings.chain([weights]).chain(data).collect())
}

/// What is wrong with a file, if something is.
fn check(path: &Path, expect: Option<u64>, lfs: Option<&Lfs>) -> std::io::Result<Option<String>> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    if let Some(expect) = expect.filter(|expect| *expect != length) {
        return Ok(Some(format!("has {length} bytes and should have {expect}")));
    }
    let Some(lfs) = lfs else { return Ok(None) };
    file.rewind()?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; READ_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let found = hex::encode(hash.finalize());
    Ok((found != lfs.sha256).then(|| "is not what the hub has: its SHA-256 is another".to_owned()))
}

/// The innermost reason, which says more than "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
