//! The program itself on a virtual screen of its own (`Xvfb`): when the first
//! frame is to be seen, and what it costs from then on. What `/proc` says.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::sample;

/// Size of the screen, and a pixel that only a drawn window changes.
const SCREEN: &str = "1280x800x24";
const PLACE: u64 = 1_280 * 20 + 640;
/// Time over which the costs are measured.
pub const MEASURED: Duration = Duration::from_secs(10);
/// Time to come to rest before.
const REST: Duration = Duration::from_secs(3);
/// Longest time to wait for a screen or a window.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a program costs.
#[derive(Debug)]
pub struct Cost {
    /// From its start to the first frame on the screen.
    pub first_frame: Duration,
    /// Share of one processor, in percent.
    pub cpu_percent: f64,
    /// Memory in use, and of it what is no part of a file, in MiB.
    pub memory_mib: f64,
    pub anonymous_mib: f64,
}

/// Measures `program` playing a transcript, with so many milliseconds between
/// its pieces; without one, it waits for a request. The keyboard is on it.
pub fn cost(program: &Path, played: Option<(&str, u64)>, measured: Duration) -> Cost {
    let folder = tempfile::tempdir().unwrap();
    let screen = Screen::start(folder.path());
    let mut command = Command::new(program);
    command
        .arg("--fake")
        .env("DISPLAY", &screen.display)
        .env_remove("WAYLAND_DISPLAY")
        .env("HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path().join("config"))
        .stdin(Stdio::null());
    if let Some((transcript, pace)) = played {
        let file = folder.path().join("transcript.jsonl");
        fs::write(&file, transcript).unwrap();
        command.arg("--transcript").arg(file);
        command.args(["--request", "measure", "--fake-pace", &pace.to_string()]);
    }
    let begin = Instant::now();
    let window = Running(command.spawn().unwrap());
    screen.until_drawn();
    let first_frame = begin.elapsed();
    screen.focus();
    thread::sleep(REST);
    let (before, from) = (cpu(&window), Instant::now());
    thread::sleep(measured);
    let used = cpu(&window).checked_sub(before).unwrap();
    let cpu_percent = used.as_secs_f64() / from.elapsed().as_secs_f64() * 100.0;
    Cost {
        first_frame,
        cpu_percent,
        memory_mib: memory(&window, "VmRSS:"),
        anonymous_mib: memory(&window, "RssAnon:"),
    }
}

/// The text of [`sample::updates`] for as long as is measured, at 200 a second.
pub fn stream() -> String {
    let lasting = REST + MEASURED + Duration::from_secs(5);
    let count = usize::try_from(lasting.as_millis() / 5).unwrap();
    sample::transcript(sample::updates().take(count))
}

/// A process that does not outlive this one.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// A virtual screen whose pixels are in a file.
struct Screen {
    _server: Running,
    display: String,
    pixels: PathBuf,
}

impl Screen {
    fn start(folder: &Path) -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp"])
            .arg("-fbdir")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed");
        // It says the number when it can be connected to.
        let mut number = String::new();
        let mut said = server.stdout.take().unwrap();
        let mut byte = [0];
        while said.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            number.push(char::from(byte[0]));
        }
        Self {
            _server: Running(server),
            display: format!(":{number}"),
            pixels: folder.join("Xvfb_screen0"),
        }
    }

    /// Puts the keyboard on the window, whose caret blinks then.
    fn focus(&self) {
        let found = Command::new("xdotool")
            .args(["search", "--onlyvisible", "--name", "Agentic IDE", "windowfocus"])
            .env("DISPLAY", &self.display)
            .status();
        assert!(
            found.is_ok_and(|status| status.success()),
            "xdotool finds the window"
        );
    }

    /// Waits until the place has another colour than the empty screen.
    fn until_drawn(&self) {
        let file = File::open(&self.pixels).unwrap();
        // The pixels are the end of the file.
        let length = file.metadata().unwrap().len();
        let place = length - 1_280 * 800 * 4 + PLACE * 4;
        let color = || {
            let mut pixel = [0; 4];
            file.read_exact_at(&mut pixel, place).unwrap();
            pixel
        };
        let (empty, begin) = (color(), Instant::now());
        while color() == empty {
            assert!(begin.elapsed() < PATIENCE, "no window is drawn");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Time that all threads have run.
fn cpu(process: &Running) -> Duration {
    let threads = fs::read_dir(format!("/proc/{}/task", process.0.id())).unwrap();
    let ran = threads.map(|thread| {
        let path = thread.unwrap().path().join("schedstat");
        // A thread may end meanwhile.
        let text = fs::read_to_string(path).unwrap_or_default();
        let first = text.split(' ').next().unwrap_or_default();
        first.parse().map_or(Duration::ZERO, Duration::from_nanos)
    });
    ran.sum()
}

fn memory(process: &Running, key: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib / 1_024.0
}
