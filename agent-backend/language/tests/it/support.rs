//! The real servers, where `cargo xtask test` has installed them.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use language::{Client, Installed, Places, Server, Timeouts, Trust, find};

/// The directory with the programs of the Python packages.
const PYTHON: &str = "AGENTIC_IDE_PYTHON_TOOLS";
/// The same of the packages of npm, with TypeScript 7.
const NODE: &str = "AGENTIC_IDE_NODE_TOOLS";
/// The same with TypeScript 6 and the server around it.
const NODE_TYPESCRIPT_6: &str = "AGENTIC_IDE_TYPESCRIPT_6_TOOLS";
/// The program, which its toolchain has.
const RUST_ANALYZER: &str = "AGENTIC_IDE_RUST_ANALYZER";

/// Generous: the machines of tests are slow and busy.
pub const TIMEOUTS: Timeouts = Timeouts {
    start: Duration::from_secs(120),
    diagnostics: Duration::from_secs(300),
    answer: Duration::from_secs(120),
};

/// The installed server; none, and a word, where it is missing. In CI it has
/// to be there.
pub fn installed(server: Server, root: &Path) -> Option<Installed> {
    let variable = match server {
        Server::Basedpyright | Server::Pylsp => PYTHON,
        Server::Pyright | Server::TypeScript => NODE,
        Server::TypeScriptLanguageServer => NODE_TYPESCRIPT_6,
        Server::RustAnalyzer => RUST_ANALYZER,
    };
    let found = env::var_os(variable).and_then(|named| {
        let named = PathBuf::from(named);
        let folder = if named.is_dir() {
            Some(&*named)
        } else {
            named.parent()
        };
        let mut path: Vec<PathBuf> = folder.into_iter().map(Into::into).collect();
        // Node and cargo.
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let places = Places {
            path: env::join_paths(path).unwrap(),
            home: Places::of_this_process().home,
        };
        find(server, root, Trust::Untrusted, &places)
    });
    if found.is_none() {
        assert!(
            env::var_os("CI").is_none(),
            "{server} is missing; `cargo xtask test` installs it"
        );
        eprintln!("left out: {server} is not installed; `cargo xtask test` installs it");
    }
    found
}

/// A project of the server's language, and a client for it.
pub struct Place {
    pub dir: tempfile::TempDir,
    pub installed: Installed,
}

impl Place {
    /// With these files; none where the server is missing.
    pub fn of(server: Server, files: &[(&str, &str)]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let installed = installed(server, dir.path())?;
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Some(Self { dir, installed })
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub fn command(&self) -> Command {
        self.installed.command()
    }

    pub fn client(&self) -> Client {
        Client::start(self.installed.server, self.command(), &self.root(), TIMEOUTS).unwrap()
    }
}

/// Ends when a process has ended, and it is the test's failure if it never does.
pub fn until_gone(pid: u32) {
    let (gone, wait) = mpsc::channel();
    thread::spawn(move || {
        // A process that has ended and waits for its parent has no command line.
        let alive = || std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
        while alive() {
            thread::yield_now();
        }
        let _ = gone.send(());
    });
    wait.recv_timeout(Duration::from_secs(60))
        .unwrap_or_else(|_| panic!("{pid} still runs"));
}
