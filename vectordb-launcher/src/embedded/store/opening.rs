//! Opening the collections of a store. One whose files the engine refuses is
//! moved aside and the others are served: the store is an index, and whoever
//! filled it finds the collection missing and fills it again.

use std::{
    collections::BTreeMap,
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::{COLLECTIONS_FOLDER, Entry, INDEX_FILE, Index, OpenError, Record, State};
use crate::{
    embedded::{collection::Collection, error::Error},
    files,
};

/// Where damaged collections go.
const QUARANTINE_FOLDER: &str = "quarantine";

/// The file beside a damaged collection that says what it was.
const RECORD_FILE: &str = "collection.json";

/// How long a collection may take to open, whatever its size; and the bytes of
/// its files that earn it one more second. A busy development build opens some
/// 50 MiB in one.
const OPENING_TIME_MIN: Duration = Duration::from_secs(120);
const OPENING_BYTES_PER_SECOND: u64 = 1024 * 1024;

/// What the system says when the machine is at its end and the files are not
/// to blame: no memory, no permission, too many files, disk full, read-only.
const NOT_THE_FILES: &[i32] = &[12, 13, 23, 24, 28, 30];

/// Opens what `index` names, several at a time, because each reads much. Moves
/// damaged collections aside and takes them out of the index file.
pub(super) fn open_all(root: &Path, index: Index) -> Result<State, OpenError> {
    let Index {
        format,
        collections,
        mut aliases,
    } = index;
    let folders = root.join(COLLECTIONS_FOLDER);
    let mut opened = BTreeMap::new();
    let mut damaged = Vec::new();
    let parallel = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut rest = collections.into_iter().peekable();
    while rest.peek().is_some() {
        let some: Vec<(String, Record)> = rest.by_ref().take(parallel).collect();
        for (name, record, result) in open_some(&folders, some) {
            match result {
                Ok(open) => {
                    let open = Arc::new(open);
                    opened.insert(name, Entry { record, open });
                }
                Err(error) => damaged.push((name, record, error)),
            }
        }
    }
    let stuck = damaged
        .iter()
        .find(|(_, _, error)| *error == Error::Internal(STUCK.to_owned()))
        .map(|(name, record, _)| OpenError::Stuck {
            name: name.clone(),
            moved_to: root.join(QUARANTINE_FOLDER).join(&record.folder),
        });
    if !damaged.is_empty() {
        for (name, record, error) in &damaged {
            let path = folders.join(&record.folder);
            if is_the_machine(error) {
                return Err(OpenError::Collection {
                    name: name.clone(),
                    path,
                    source: error.clone(),
                });
            }
            quarantine(root, &path, name, record, error)?;
            aliases.retain(|_, collection| collection != name);
        }
        let index = Index {
            format,
            collections: opened
                .iter()
                .map(|(name, entry)| (name.clone(), entry.record.clone()))
                .collect(),
            aliases: aliases.clone(),
        };
        let path = root.join(INDEX_FILE);
        index
            .write(&path)
            .map_err(|source| OpenError::Io { path, source })?;
    }
    if let Some(stuck) = stuck {
        return Err(stuck);
    }
    Ok(State {
        collections: opened,
        aliases,
    })
}

type Opened = (String, Record, Result<Collection, Error>);

/// What is said of a collection that never opened.
const STUCK: &str = "the engine did not come to an end over the files";

fn open_some(folders: &Path, some: Vec<(String, Record)>) -> Vec<Opened> {
    let opening: Vec<_> = some
        .into_iter()
        .map(|(name, record)| {
            let path = folders.join(&record.folder);
            let patience = patience(files::bytes_below(&path));
            (name, record, patience, start(move || Collection::open(&path)))
        })
        .collect();
    opening
        .into_iter()
        .map(|(name, record, patience, opened)| {
            let opened = match opened.recv_timeout(patience) {
                Ok(opened) => opened,
                // The engine panics over some kinds of damage, ...
                Err(RecvTimeoutError::Disconnected) => {
                    Err(Error::Internal("the engine panicked over the files".to_owned()))
                }
                // ... and counts to a number without end over others.
                Err(RecvTimeoutError::Timeout) => Err(Error::Internal(STUCK.to_owned())),
            };
            (name, record, opened)
        })
        .collect()
}

/// How long files of so many bytes may take: far longer than they ever do.
fn patience(bytes: u64) -> Duration {
    OPENING_TIME_MIN + Duration::from_secs(bytes / OPENING_BYTES_PER_SECOND)
}

/// Runs `work` on a thread of its own, which nobody can stop; if it panics, the
/// channel closes.
fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let _nobody_waits_any_more = sender.send(work());
    });
    receiver
}

fn is_the_machine(error: &Error) -> bool {
    let text = error.to_string();
    NOT_THE_FILES
        .iter()
        .any(|number| text.contains(&format!("(os error {number})")))
}

/// The folder moves before the index forgets it: a crash in between finds an
/// entry without a folder, which is damaged again and forgotten then.
fn quarantine(
    root: &Path,
    path: &PathBuf,
    name: &str,
    record: &Record,
    error: &Error,
) -> Result<(), OpenError> {
    let target = root.join(QUARANTINE_FOLDER).join(&record.folder);
    let moved = fs::create_dir_all(&target)
        .and_then(|()| match fs::rename(path, target.join("files")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            moved => moved,
        })
        .and_then(|()| {
            let about = serde_json::json!({"name": name, "record": record, "reason": error.to_string()});
            shared::files::write_atomically(&target.join(RECORD_FILE), &serde_json::to_vec_pretty(&about)?)
        });
    moved.map_err(|source| OpenError::Io {
        path: target.clone(),
        source,
    })?;
    tracing::error!(
        code = shared::error::Code::StoreUnusable.as_str(),
        collection = name,
        moved_to = %target.display(),
        %error,
        "a collection is damaged and was moved aside; the others are served. It has to be indexed anew"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_panics_or_goes_on_for_ever() {
        let long = Duration::from_secs(60);
        assert_eq!(start(|| 1).recv_timeout(long), Ok(1));
        let panicking = start(|| -> i32 { panic!("no") });
        assert_eq!(panicking.recv_timeout(long), Err(RecvTimeoutError::Disconnected));
        let (release, wait) = mpsc::channel::<()>();
        let stuck = start(move || wait.recv().is_ok());
        assert_eq!(stuck.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        drop(release);
    }

    #[test]
    fn large_collections_may_take_longer() {
        assert_eq!(patience(0), OPENING_TIME_MIN);
        assert_eq!(
            patience(64 * OPENING_BYTES_PER_SECOND),
            OPENING_TIME_MIN + Duration::from_secs(64)
        );
    }
}
