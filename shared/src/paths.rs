//! Where the programs keep their files, after the XDG base directory
//! specification. The environment is read here and nowhere else in libraries.

use std::{env, path::PathBuf};

/// Name of our folder below each base directory.
const FOLDER: &str = "agentic-ide";

fn base(variable: &str, below_home: &str) -> PathBuf {
    let absolute = |value: std::ffi::OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    // The specification tells to ignore a relative path in these variables.
    let root = env::var_os(variable).and_then(absolute).unwrap_or_else(|| {
        let home = env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        home.join(below_home)
    });
    root.join(FOLDER)
}

/// `$XDG_CONFIG_HOME/agentic-ide`, by default `~/.config/agentic-ide`.
pub fn config_dir() -> PathBuf {
    base("XDG_CONFIG_HOME", ".config")
}

/// `$XDG_DATA_HOME/agentic-ide`, by default `~/.local/share/agentic-ide`.
pub fn data_dir() -> PathBuf {
    base("XDG_DATA_HOME", ".local/share")
}

/// `$XDG_STATE_HOME/agentic-ide`, by default `~/.local/state/agentic-ide`.
pub fn state_dir() -> PathBuf {
    base("XDG_STATE_HOME", ".local/state")
}
