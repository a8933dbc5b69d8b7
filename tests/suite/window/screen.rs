//! A virtual screen, the window on it, and what is to be seen there.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::world::{World, program, until};

/// Size and depth of the screen: the first size of the window.
const SCREEN: &str = "1280x800x24";
/// Pixels of one colour next to each other that only a button has.
const BUTTON_WIDTH_MIN: usize = 60;

/// Whether the programs are there that show and drive a window. Where they are
/// promised, in CI, a test that is left out is a failure.
#[expect(clippy::print_stderr, reason = "who runs the test learns what was left out")]
pub fn has_what_it_needs() -> bool {
    let needed = [
        ("xvfb", &["Xvfb"][..]),
        ("xdotool", &["xdotool"]),
        ("imagemagick", &["import", "magick"]),
        ("dbus-daemon", &["dbus-daemon"]),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |name: &&str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(_, programs)| !programs.iter().any(there))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return true;
    }
    let said = format!(
        "no test of the window: install the packages {}",
        missing.join(", ")
    );
    assert!(std::env::var_os("CI").is_none(), "{said}");
    eprintln!("{said}");
    false
}

/// A virtual screen of its own.
pub struct Screen {
    server: Child,
    display: String,
    picture: std::path::PathBuf,
}

impl Screen {
    pub async fn start(world: &World) -> Self {
        let number = world.path("display");
        // The server chooses a free number and writes it there.
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp"]);
        // Without it the server begins anew when its last client leaves, as each look for
        // the window does, and refuses the window that connects in that moment.
        command.arg("-noreset");
        command
            .stdin(Stdio::null())
            .stdout(File::create(&number).unwrap())
            .stderr(Stdio::null());
        let mut screen = Self {
            server: command.spawn().unwrap(),
            display: String::new(),
            picture: world.path("screen.ppm"),
        };
        let read = || {
            let text = fs::read_to_string(&number).unwrap();
            text.strip_suffix('\n').map(|number| format!(":{number}"))
        };
        screen.display = until("the screen", read).await;
        screen
    }

    /// Its number, as programs are told it.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Points a program at this screen.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("DISPLAY", &self.display)
            .env_remove("WAYLAND_DISPLAY")
            // Nobody's desktop is written on but by a test that has its own.
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .env("ICED_BACKEND", "tiny-skia")
            .stdin(Stdio::null())
    }

    /// What `xdotool` prints, if it succeeds.
    pub fn try_xdotool(&self, arguments: &[&str]) -> Option<String> {
        let output = self
            .apply(Command::new("xdotool").args(arguments))
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| printed.trim().to_owned())
    }

    pub fn xdotool(&self, arguments: &[&str]) {
        assert!(self.try_xdotool(arguments).is_some(), "xdotool {arguments:?}");
    }

    /// The window whose title matches.
    pub fn window(&self, title: &str) -> Option<String> {
        let found = self.try_xdotool(&["search", "--onlyvisible", "--name", title])?;
        found.lines().next().map(str::to_owned)
    }

    pub fn click(&self, (x, y): (usize, usize)) {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
    }

    pub fn picture(&self) -> Picture {
        let import = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command
                .args(arguments)
                .args(["-window", "root", "-depth", "8"])
                .arg(&self.picture);
            self.apply(&mut command).status().ok()
        };
        let status = import("import", &[]).or_else(|| import("magick", &["import"]));
        assert!(status.unwrap().success(), "no picture of the screen");
        Picture::read(&self.picture)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.server.kill();
        let _gone = self.server.wait();
    }
}

/// The program under test.
pub struct Window {
    pub child: Child,
    log: std::path::PathBuf,
}

impl Window {
    pub fn open(world: &World, screen: &Screen) -> Self {
        Self::open_with(world, screen, |_| {})
    }

    /// The same with other arguments or variables.
    pub fn open_with(world: &World, screen: &Screen, change: impl FnOnce(&mut Command)) -> Self {
        let log = world.path("window.log");
        let mut command = program("agentic-ide-gui");
        command
            .args(["--backend", world.url(), "--exit-after-decision", "--workspace"])
            .arg(world.repo());
        let output = File::create(&log).unwrap();
        command.stdout(Stdio::null()).stderr(output);
        screen.apply(world.hermetic(&mut command));
        change(&mut command);
        let child = command.spawn().unwrap();
        Self { child, log }
    }

    /// On a screen of its own, once it is shown there; with its number, and the keyboard.
    pub async fn shown(world: &World) -> (Screen, Self, String) {
        let screen = Screen::start(world).await;
        let window = Self::open(world, &screen);
        let id = until("the window", || screen.window("^Agentic IDE$")).await;
        screen.xdotool(&["windowfocus", &id]);
        (screen, window, id)
    }

    /// Waits until it closes itself, as it does after a decision.
    pub async fn closes(&mut self) {
        let status = until("the window to close itself", || self.child.try_wait().unwrap()).await;
        assert!(status.success(), "{status}");
    }
}

impl Drop for Window {
    #[expect(clippy::print_stderr, reason = "a failed test shows what the window said")]
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// What is on the screen.
pub struct Picture {
    width: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// Reads a binary PPM file of eight bits a channel.
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
        let mut text = || String::from_utf8(parts.next().unwrap().to_vec()).unwrap();
        let (kind, size, depth) = (text(), text(), text());
        assert_eq!((kind.as_str(), depth.as_str()), ("P6", "255"));
        let (width, _) = size.split_once(' ').unwrap();
        Self {
            width: width.parse().unwrap(),
            pixels: parts.next().unwrap().to_vec(),
        }
    }

    /// Where exactly this colour is, row by row.
    pub fn places(&self, color: [u8; 3]) -> Vec<(usize, usize)> {
        let pixels = self.pixels.as_chunks::<3>().0.iter().enumerate();
        let places = pixels.filter(|(_, pixel)| **pixel == color);
        places.map(|(at, _)| (at % self.width, at / self.width)).collect()
    }

    /// A place on a button of this colour: at the end of the first run of
    /// pixels that no letter has.
    pub fn button(&self, color: [u8; 3]) -> Option<(usize, usize)> {
        let places = self.places(color);
        let run = places.windows(BUTTON_WIDTH_MIN).find(|run| {
            let (first, last) = (run[0], run[BUTTON_WIDTH_MIN - 1]);
            first.1 == last.1 && last.0 - first.0 == BUTTON_WIDTH_MIN - 1
        });
        let (x, y) = run?[BUTTON_WIDTH_MIN - 1];
        // The first row of a button is its edge.
        Some((x, y + 3))
    }
}
