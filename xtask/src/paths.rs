//! Where things lie: the clone, the cache, the build.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Folders that every command uses.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The clone.
    pub root: PathBuf,
    /// `$XDG_CACHE_HOME/agentic-ide`, by default `~/.cache/agentic-ide`.
    pub cache: PathBuf,
    /// Where cargo builds: `$CARGO_TARGET_DIR`, otherwise in the cache, so that
    /// the clone stays clean and several clones can share what they build.
    pub target: PathBuf,
    /// `$AGENTIC_IDE_BIN_DIR`: programs that are built already, wherever.
    pub given: Option<PathBuf>,
}

impl Paths {
    /// Reads the environment.
    pub fn find() -> Self {
        // cargo sets it for `cargo run`; the built-in value serves whoever
        // starts the binary by hand.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .map_or_else(|| PathBuf::from("."), Path::to_owned);
        let cache = cache_dir();
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| cache.join("target"), |dir| root.join(dir));
        let given = env::var_os("AGENTIC_IDE_BIN_DIR").map(|dir| root.join(dir));
        Self {
            root,
            cache,
            target,
            given,
        }
    }

    /// A binary of the workspace, once it is built.
    pub fn binary(&self, profile: &str, name: &str) -> PathBuf {
        match &self.given {
            Some(dir) => dir.join(name),
            None => self.target.join(profile).join(name),
        }
    }
}

fn cache_dir() -> PathBuf {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(env::temp_dir)
        .join("agentic-ide")
}
