//! Copies of a real Qdrant and their return, through its own snapshots.
//!
//! A copy is a folder: one snapshot of each collection and `copy.json`, which
//! says what they are. It appears under its name when it is complete. Qdrant
//! takes its snapshots one after the other, and a restore replaces one
//! collection after the other: unlike the embedded engine's copies, these are
//! not of one moment, and a restore that is broken off has to be done again. A
//! node of a cluster has its own shards in its snapshots and no others, so copies
//! of one are refused.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::probe::{Probe, reason};
use crate::files;

/// What a copy holds.
const ABOUT_FILE: &str = "copy.json";

/// Layout of a copy; a newer number is refused.
const FORMAT: u32 = 1;

/// Why there is no copy, or none was restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder for the copy is not empty.
    #[error("{0} exists and is not empty")]
    Exists(PathBuf),
    /// The folder holds no copy.
    #[error("{path} is no copy of a Qdrant: {reason}")]
    NoCopy {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// It is one of several nodes.
    #[error(
        "this Qdrant is one of {0} nodes of a cluster, and its snapshots hold its own shards alone; copy the collections \
         with `agentic-ide-vectordb migrate`, or use the snapshots of each node"
    )]
    Cluster(usize),
    /// A file cannot be read or written.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Qdrant refused or did not answer.
    #[error("Qdrant: {0}")]
    Qdrant(String),
}

type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    collections: Vec<Collection>,
    aliases: Vec<Alias>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Collection {
    name: String,
    /// The snapshot beside this file.
    file: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Alias {
    alias_name: String,
    collection_name: String,
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        path: path.clone(),
        source,
    }
}

/// Writes a copy as the new folder `target` and returns its bytes.
///
/// # Errors
/// [`Error`]; `target` does not exist then, unless it did before.
pub async fn backup(probe: &Probe, target: &Path) -> Result<u64> {
    if fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::Exists(target.to_owned()));
    }
    alone(probe).await?;
    let beside = shared::files::folder_of(target);
    // Goes by itself if anything fails.
    let partial = tempfile::Builder::new()
        .prefix(".partial-")
        .tempdir_in(beside)
        .map_err(io_error(beside))?;
    let mut about = About {
        format: FORMAT,
        collections: Vec::new(),
        aliases: aliases(probe).await?,
    };
    for (number, name) in names(probe).await?.into_iter().enumerate() {
        let file = format!("{number}.snapshot");
        fetch(probe, &name, &partial.path().join(&file)).await?;
        about.collections.push(Collection { name, file });
    }
    let path = partial.path().join(ABOUT_FILE);
    let text = serde_json::to_vec_pretty(&about).map_err(|error| io_error(&path)(error.into()))?;
    shared::files::write_atomically(&path, &text).map_err(io_error(&path))?;
    let bytes = files::bytes_below(partial.path());
    // Replaces an empty folder, too.
    fs::rename(partial.path(), target).map_err(io_error(target))?;
    let _moved_away = partial.keep();
    shared::files::sync_folder(beside).map_err(io_error(beside))?;
    Ok(bytes)
}

/// Has Qdrant make a snapshot, and moves it here.
async fn fetch(probe: &Probe, name: &str, file: &Path) -> Result<()> {
    let made = probe
        .call(Method::POST, &["collections", name, "snapshots"], None)
        .await
        .map_err(Error::Qdrant)?;
    let snapshot = made["name"].as_str().unwrap_or_default();
    let place = ["collections", name, "snapshots", snapshot];
    let mut answer = probe.fetch(&place).await.map_err(Error::Qdrant)?;
    let mut written = tokio::fs::File::create(file).await.map_err(io_error(file))?;
    while let Some(bytes) = answer
        .chunk()
        .await
        .map_err(|error| Error::Qdrant(reason(&error)))?
    {
        written.write_all(&bytes).await.map_err(io_error(file))?;
    }
    written.sync_all().await.map_err(io_error(file))?;
    probe
        .call(Method::DELETE, &place, None)
        .await
        .map_err(Error::Qdrant)?;
    Ok(())
}

/// Replaces everything that Qdrant holds by the copy in `source` and returns its
/// number of points. A child takes the files from `snapshots`, its folder of them;
/// to one that may run elsewhere they are sent.
///
/// # Errors
/// [`Error`]. Before the first collection is replaced, nothing has changed.
pub async fn restore(probe: &Probe, snapshots: Option<&Path>, source: &Path) -> Result<u64> {
    let about = read(source)?;
    alone(probe).await?;
    let present = names(probe).await?;
    let mut points = 0;
    for Collection { name, file } in &about.collections {
        let from = source.join(file);
        match snapshots {
            Some(snapshots) => lend(probe, name, snapshots, &from).await?,
            None => {
                let snapshot = tokio::fs::File::open(&from).await.map_err(io_error(&from))?;
                let place = ["collections", name, "snapshots", "upload"];
                probe.upload(&place, snapshot).await.map_err(Error::Qdrant)?;
            }
        }
        let info = probe.call(Method::GET, &["collections", name], None).await;
        points += info.map_err(Error::Qdrant)?["points_count"]
            .as_u64()
            .unwrap_or_default();
    }
    let gone = present
        .iter()
        .filter(|name| about.collections.iter().all(|kept| kept.name != **name));
    for name in gone {
        let deleted = probe.call(Method::DELETE, &["collections", name], None).await;
        deleted.map_err(Error::Qdrant)?;
    }
    let old = aliases(probe).await?.into_iter();
    let new = about.aliases.iter();
    let actions: Vec<Value> = old
        .map(|alias| json!({"delete_alias": {"alias_name": alias.alias_name}}))
        .chain(new.map(|alias| json!({"create_alias": alias})))
        .collect();
    if !actions.is_empty() {
        let body = json!({"actions": actions});
        let changed = probe
            .call(Method::POST, &["collections", "aliases"], Some(body))
            .await;
        changed.map_err(Error::Qdrant)?;
    }
    Ok(points)
}

/// Has a child take a snapshot. It takes files of its own folder alone.
async fn lend(probe: &Probe, name: &str, snapshots: &Path, from: &Path) -> Result<()> {
    fs::create_dir_all(snapshots).map_err(io_error(snapshots))?;
    let lent = tempfile::Builder::new()
        .suffix(".snapshot")
        .tempfile_in(snapshots)
        .map_err(io_error(snapshots))?;
    fs::copy(from, lent.path()).map_err(io_error(from))?;
    let body = json!({
        "location": format!("file://{}", lent.path().display()),
        "priority": "snapshot",
    });
    let place = ["collections", name, "snapshots", "recover"];
    let taken = probe.call(Method::PUT, &place, Some(body)).await;
    taken.map(|_| ()).map_err(Error::Qdrant)
}

/// What the copy in `source` holds; all of it is there.
fn read(source: &Path) -> Result<About> {
    let no_copy = |reason: String| Error::NoCopy {
        path: source.to_owned(),
        reason,
    };
    let text =
        fs::read(source.join(ABOUT_FILE)).map_err(|error| no_copy(format!("{ABOUT_FILE}: {error}")))?;
    let about: About =
        serde_json::from_slice(&text).map_err(|error| no_copy(format!("{ABOUT_FILE}: {error}")))?;
    if about.format > FORMAT {
        return Err(no_copy(format!(
            "it has format {}, this program knows up to {FORMAT}",
            about.format
        )));
    }
    let plain = |file: &str| Path::new(file).file_name().is_some_and(|name| name == file);
    match about
        .collections
        .iter()
        .find(|collection| !plain(&collection.file) || !source.join(&collection.file).is_file())
    {
        Some(missing) => Err(no_copy(format!("{} is missing", missing.file))),
        None => Ok(about),
    }
}

/// Refuses a Qdrant that is not all there is.
async fn alone(probe: &Probe) -> Result<()> {
    let cluster = probe.get(&["cluster"]).await.map_err(Error::Qdrant)?;
    match cluster["peers"].as_object().map_or(0, serde_json::Map::len) {
        0 | 1 => Ok(()),
        nodes => Err(Error::Cluster(nodes)),
    }
}

async fn names(probe: &Probe) -> Result<Vec<String>> {
    let list = probe.call(Method::GET, &["collections"], None).await;
    let list = list.map_err(Error::Qdrant)?;
    let names = list["collections"].as_array().into_iter().flatten();
    Ok(names
        .filter_map(|entry| entry["name"].as_str().map(str::to_owned))
        .collect())
}

async fn aliases(probe: &Probe) -> Result<Vec<Alias>> {
    let list = probe.call(Method::GET, &["aliases"], None).await;
    let list = list.map_err(Error::Qdrant)?["aliases"].take();
    serde_json::from_value(list).map_err(|error| Error::Qdrant(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(ABOUT_FILE), text).unwrap();
        fs::write(folder.path().join("0.snapshot"), "").unwrap();
        let told = match read(folder.path()) {
            Ok(about) => format!("{} collections", about.collections.len()),
            Err(error) => error
                .to_string()
                .split(": ")
                .skip(1)
                .collect::<Vec<_>>()
                .join(": "),
        };
        assert!(told.starts_with(expect), "{told}");
    }

    #[test]
    fn only_whole_copies_are_read() {
        let of = |format: u32, file: &str| {
            json!({"format": format, "collections": [{"name": "a", "file": file}], "aliases": []}).to_string()
        };
        check(&of(1, "0.snapshot"), "1 collections");
        check(&of(1, "1.snapshot"), "1.snapshot is missing");
        check(&of(1, "../0.snapshot"), "../0.snapshot is missing");
        check(&of(2, "0.snapshot"), "it has format 2");
        check("{", "copy.json: ");
    }
}
