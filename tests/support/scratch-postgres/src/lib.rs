//! A Postgres of its own for tests: the one that the machine has, with its data
//! in a new folder, reached by a socket in it, ended with the process that
//! started it however that ends.
//!
//! It must never know what is kept in it.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

/// Where Debian puts the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Tests connect side by side, each with several connections.
const CONNECTIONS_MAX: u32 = 400;

/// Ends the server when the process that holds its standard input has ended:
/// its own end would not be noticed otherwise.
const GUARD: &str = r#"
"$0/postgres" -D "$1" -k "$1" -h "" -c max_connections="$2" -c fsync=off -c log_min_messages=warning >"$1/log" 2>&1 &
server=$!
read -r _
kill -INT $server
wait $server
rm -rf "$1"
"#;

/// A running server.
#[derive(Debug)]
pub struct Server {
    dir: PathBuf,
    programs: PathBuf,
    databases: AtomicU32,
    guard: Child,
    lifeline: Option<ChildStdin>,
}

/// Folder of `initdb` and `postgres`, if the machine has them.
pub fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|dir| dir.join("initdb").is_file());
    // What PATH has may be a link into the folder with all of them.
    let on_path =
        on_path.and_then(|dir| Some(fs::canonicalize(dir.join("initdb")).ok()?.parent()?.to_owned()));
    let mut versions: Vec<PathBuf> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    on_path
        .into_iter()
        .chain(versions.into_iter().rev())
        .find(|dir| dir.join("postgres").is_file() && dir.join("initdb").is_file())
}

impl Server {
    /// Starts one; none where the machine has no Postgres, which is said.
    ///
    /// # Errors
    /// It is there and does not start, or `CI` promises it and it is missing.
    #[expect(clippy::print_stderr, reason = "who runs the test learns what was left out")]
    pub fn start() -> anyhow::Result<Option<Self>> {
        let Some(programs) = programs() else {
            let said = "no test with Postgres: install the package postgresql";
            if std::env::var_os("CI").is_some() {
                bail!(said);
            }
            eprintln!("{said}");
            return Ok(None);
        };
        // Removed by the guard, which outlives this process for a moment.
        let dir = TempDir::with_prefix("postgres-")?.keep();
        if is_root()? {
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o777))?;
        }
        let data = dir.join("data");
        let mut initdb = as_somebody(&programs.join("initdb"))?;
        initdb
            .arg("-D")
            .arg(&data)
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .current_dir(&dir);
        let output = initdb.stdin(Stdio::null()).output().context("initdb")?;
        if !output.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&output.stderr));
        }
        let mut guard = as_somebody(Path::new("/bin/sh"))?;
        let mut guard = guard
            .args(["-c", GUARD])
            .arg(&programs)
            .arg(&data)
            .arg(CONNECTIONS_MAX.to_string())
            .current_dir(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("the server")?;
        let server = Self {
            lifeline: guard.stdin.take(),
            dir: data,
            programs,
            databases: AtomicU32::new(0),
            guard,
        };
        server.wait()?;
        Ok(Some(server))
    }

    fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..600 {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.arg("-q").arg("-h").arg(&self.dir).stdin(Stdio::null());
            if ready.status()?.success() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        bail!("Postgres does not start:\n{log}")
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> anyhow::Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        // A path in the place of a host, as its slashes are escaped.
        let host = self.dir.display().to_string().replace('/', "%2F");
        Ok(format!("postgres://postgres@{host}/{name}"))
    }

    /// Runs a statement in a database that [`Server::database`] named; what it
    /// prints.
    pub fn sql(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        let name = database.rsplit('/').next().unwrap_or(database);
        let mut psql = Command::new(self.programs.join("psql"));
        let output = psql
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-d",
                name,
                "-c",
                statement,
            ])
            .arg("-h")
            .arg(&self.dir)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!("{statement}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            // It may be gone.
            let _gone = lifeline.write_all(b"end\n");
        }
        let _gone = self.guard.wait();
    }
}

fn is_root() -> anyhow::Result<bool> {
    let output = Command::new("id").arg("-u").stdin(Stdio::null()).output()?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// The program as it is, or, for root, whom Postgres refuses, as the person that
/// its package made.
fn as_somebody(program: &Path) -> anyhow::Result<Command> {
    if !is_root()? {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    Ok(command)
}
