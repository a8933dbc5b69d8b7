//! The sizes of contexts that were chosen, kept in the data folder: a model
//! server may still hold a model with the size of an earlier session, and would
//! load it anew for another one.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use models::{ChosenFor, Room, Session};
use serde::{Deserialize, Serialize};
use shared::files::{folder_of, write_atomically};

use crate::{
    config::Config,
    memory::{Gauge, Kind},
};

/// File in the data folder.
const FILE: &str = "contexts.json";

const MIB: u64 = 1 << 20;

/// What was chosen, by server and model.
type Chosen = BTreeMap<String, BTreeMap<String, Choice>>;

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Choice {
    num_ctx: u32,
    /// What it was chosen for.
    digest: String,
    max: u32,
}

/// The sizes of a data folder, and the machine they are chosen for.
#[derive(Debug)]
pub struct Sizes {
    file: PathBuf,
    gauge: Arc<Gauge>,
}

impl Sizes {
    /// Reads nothing yet.
    pub fn new(config: &Config) -> Self {
        Self {
            file: config.data_dir.join(FILE),
            gauge: Arc::new(Gauge::new(config.memory.gpu, config.memory.root.clone())),
        }
    }
}

#[async_trait]
impl Session for Sizes {
    async fn room(&self) -> Option<Room> {
        let gauge = self.gauge.clone();
        let machine = tokio::task::spawn_blocking(move || gauge.read()).await.ok()?;
        let all = |kind| machine.of(kind).map(|device| device.total_mb * MIB).sum();
        Some(Room {
            gpu: all(Kind::Gpu),
            system: all(Kind::System),
        })
    }

    fn kept(&self, chosen: ChosenFor<'_>) -> Option<u32> {
        let mut all = read(&self.file);
        let choice = all.get_mut(chosen.server)?.remove(chosen.model)?;
        let is_same = choice.digest == chosen.digest && choice.max == chosen.max;
        is_same.then_some(choice.num_ctx)
    }

    fn keep(&self, chosen: ChosenFor<'_>, num_ctx: u32) {
        /// Several sessions of this process share the file.
        static WRITING: Mutex<()> = Mutex::new(());
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = read(&self.file);
        let choice = Choice {
            num_ctx,
            digest: chosen.digest.to_owned(),
            max: chosen.max,
        };
        let server = all.entry(chosen.server.to_owned()).or_default();
        server.insert(chosen.model.to_owned(), choice);
        if let Err(error) = write(&self.file, &all) {
            tracing::warn!(file = %self.file.display(), %error, "the size of the context is not kept");
        }
    }
}

/// What was kept; nothing of a file that cannot be read, for it can be found
/// out again.
fn read(file: &Path) -> Chosen {
    let Ok(text) = fs::read(file) else {
        return Chosen::new();
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::warn!(file = %file.display(), %error, "the sizes of contexts cannot be read");
        Chosen::new()
    })
}

fn write(file: &Path, all: &Chosen) -> io::Result<()> {
    fs::create_dir_all(folder_of(file))?;
    write_atomically(file, &serde_json::to_vec_pretty(all)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: ChosenFor<'_> = ChosenFor {
        server: "http://127.0.0.1:11434",
        model: "m",
        digest: "d",
        max: 32_768,
    };

    #[test]
    fn a_size_stays_while_nothing_changes() {
        let dir = tempfile::TempDir::new().unwrap();
        let sizes = || {
            let data_dir = dir.path().join("data");
            Sizes::new(&Config {
                data_dir,
                ..Config::default()
            })
        };
        assert_eq!(sizes().kept(FIRST), None);
        sizes().keep(FIRST, 12_288);
        let other = ChosenFor { model: "n", ..FIRST };
        sizes().keep(other, 4_096);
        let check = |chosen, expect| assert_eq!(sizes().kept(chosen), expect, "{chosen:?}");
        check(FIRST, Some(12_288));
        check(other, Some(4_096));
        check(ChosenFor { digest: "e", ..FIRST }, None);
        check(ChosenFor { max: 65_536, ..FIRST }, None);
        check(
            ChosenFor {
                server: "http://far",
                ..FIRST
            },
            None,
        );
        fs::write(dir.path().join("data").join(FILE), "{").unwrap();
        check(FIRST, None);
        sizes().keep(FIRST, 8_192);
        check(FIRST, Some(8_192));
    }
}
