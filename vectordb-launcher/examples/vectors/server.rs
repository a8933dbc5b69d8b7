//! The measured server: a launcher of the same build, with the embedded engine
//! or a Qdrant program, or somebody's at a URL.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use vectordb_launcher::ports::Ports;

/// How often the ports file is looked at: the resolution of start-up times.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// A launcher with its server.
pub struct Server {
    process: Child,
    folder: PathBuf,
    ports: Ports,
    /// From starting the process to its being ready.
    pub ready: Duration,
}

impl Server {
    /// Starts the launcher that lies beside this program, on `folder`, with the
    /// embedded engine or with `qdrant`.
    pub fn start(folder: &Path, qdrant: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let own = std::env::current_exe()?;
        let launcher = own
            .parent()
            .and_then(Path::parent)
            .map(|folder| folder.join("agentic-ide-vectordb"))
            .ok_or("no folder")?;
        let ports_file = folder.join("ports.json");
        let _none_yet = fs::remove_file(&ports_file);
        let mut command = Command::new(launcher);
        match qdrant {
            Some(program) => command.arg("--qdrant").arg(program),
            None => command.arg("--embedded"),
        };
        command
            .args(["--http-port", "0", "--grpc-port", "0", "--control-port", "0"])
            .arg("--data-dir")
            .arg(folder)
            .arg("--ports-file")
            .arg(&ports_file)
            .stderr(Stdio::null());
        let started = Instant::now();
        let mut process = command.spawn()?;
        while !ports_file.exists() {
            if let Some(status) = process.try_wait()? {
                return Err(format!("the launcher ended with {status}").into());
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        let ready = started.elapsed();
        let ports = serde_json::from_slice(&fs::read(&ports_file)?)?;
        Ok(Self {
            process,
            folder: folder.to_owned(),
            ports,
            ready,
        })
    }

    /// Where its gRPC API is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.grpc)
    }

    /// Ends it: [`Signal::SIGTERM`] asks, [`Signal::SIGKILL`] does not.
    pub fn end(mut self, signal: Signal) -> Result<(), Box<dyn Error>> {
        kill(Pid::from_raw(self.process.id().try_into()?), signal)?;
        self.process.wait()?;
        Ok(())
    }

    /// The process that holds the data.
    fn pid(&self) -> u32 {
        let child = fs::read(self.folder.join("qdrant/child.json")).ok();
        child
            .and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok())
            .and_then(|child| child["pid"].as_u64()?.try_into().ok())
            .unwrap_or_else(|| self.process.id())
    }

    /// Processor seconds that it has used so far, by all of its threads.
    pub fn cpu_seconds(&self) -> f64 {
        /// The kernel's ticks in a second, for programs (proc(5)).
        const TICKS: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        // Fields 14 and 15 of the whole, 11 behind the name and the state.
        let used = fields.split(' ').skip(11).take(2);
        used.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
    }

    /// Memory in MiB: all of it, each page once (the engine maps its files twice,
    /// and `VmRSS` would count their pages twice), and the part that is no mapped
    /// file.
    pub fn memory(&self) -> (f64, f64) {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).unwrap_or_default();
        let of = |key: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|line| line.split_ascii_whitespace().next());
            let kib: f64 = number.and_then(|number| number.parse().ok()).unwrap_or_default();
            kib / 1024.0
        };
        (of("Pss:"), of("Pss_Anon:"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}
