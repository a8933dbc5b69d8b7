//! The window, on a virtual screen: a person types a request, reads the diff
//! and accepts it with the mouse, or parts of it with the keyboard.

use std::{
    fs::{self, File},
    ops::Range,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::world::{SCRIPT, World, program, until, until_status};

/// Colours of the window, as its design system has them.
const COLORS: &str = include_str!("../../gui-client/src/theme/color.rs");
/// Size and depth of the screen: the first size of the window.
const SCREEN: &str = "1280x800x24";
/// Inside the field for the request.
const REQUEST_FIELD: (usize, usize) = (170, 130);
/// Pixels of one colour next to each other that only a button has.
const BUTTON_WIDTH_MIN: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_types_reads_and_accepts() {
    if !has_what_it_needs() {
        return;
    }
    let world = World::new().await;
    let screen = Screen::start(&world).await;
    let mut window = Window::open(&world, &screen);

    let shown = || screen.window("^Agentic IDE$");
    let id = until("the window", shown).await;
    screen.xdotool(&["windowfocus", &id]);
    screen.click(REQUEST_FIELD);
    screen.xdotool(&["type", "--delay", "20", "add greetings"]);
    let workflow = until_submitted(&world, &screen).await;
    assert_eq!(workflow["user_query"], "add greetings");
    let path = workflow["workspace"].as_str().unwrap();
    assert_eq!(
        fs::canonicalize(path).unwrap(),
        fs::canonicalize(world.repo()).unwrap()
    );
    let workflow = workflow["workflow_id"].as_str().unwrap().to_owned();

    until_status(&world, &workflow, "awaiting_decision").await;
    assert_eq!(world.commits(), 1, "nothing is committed unasked");
    until("the title to ask for a review", || {
        screen.window("Review needed: add greetings")
    })
    .await;
    // The button has its colour only while it can be pressed.
    let (accept, picture) = until("the button to accept", || {
        let picture = screen.picture();
        picture.button(color("good")).map(|place| (place, picture))
    })
    .await;
    // One line of app.py goes and four come, each half a pane wide.
    let (removed, added) = (picture.places(color("removed")), picture.places(color("added")));
    check_area(&removed, 1);
    check_area(&added, 4);
    let (left, right) = (across(&removed), across(&added));
    assert!(left.end <= right.start, "old {left:?}, new {right:?}");

    screen.click(accept);
    let ended = || window.child.try_wait().unwrap();
    let status = until("the window to close itself", ended).await;
    assert!(status.success(), "{status}");
    until_status(&world, &workflow, "completed").await;
    assert_eq!(world.commits(), 2);
    assert_eq!(
        world.git(&["show", "--format=", "--name-only", "HEAD"]),
        "app.py\ngreeting.py"
    );
    let message = world.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains(&format!("Workflow-Id: {workflow}")), "{message}");
}

/// Thirty lines of Python, some of them other ones.
fn numbered(changed: &[usize]) -> String {
    let line = |n: usize| match changed.contains(&n) {
        true => format!("line_{n} = \"new\"\n"),
        false => format!("line_{n} = {n}\n"),
    };
    (1..=30).map(line).collect()
}

/// A model that changes three lines of `app.py`, far from each other.
fn three_hunks() -> String {
    let code: String = numbered(&[2, 15, 28])
        .lines()
        .map(|line| format!("        {line}\n"))
        .collect();
    let (plan, _) = SCRIPT.split_once("  - name: code again").unwrap();
    format!(
        "{plan}  - name: code\n    match: {{ endpoint: chat }}\n    respond:\n      text: |\n        \
         app.py\n        ```python\n{code}        ```\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_picks_hunks_also_across_a_kill() {
    if !has_what_it_needs() {
        return;
    }
    let mut world = World::prepared(&three_hunks()).await;
    world.write("app.py", &numbered(&[]));
    world.git(&["commit", "-q", "-a", "-m", "thirty lines"]);
    world.start().await;
    let screen = Screen::start(&world).await;
    let mut window = Window::open(&world, &screen);
    let id = until("the window", || screen.window("^Agentic IDE$")).await;
    screen.xdotool(&["windowfocus", &id, "type", "--delay", "20", "change lines"]);
    let workflow = until_submitted(&world, &screen).await;
    let workflow = workflow["workflow_id"].as_str().unwrap().to_owned();
    until_status(&world, &workflow, "awaiting_decision").await;
    let asked = || screen.window("Review needed: change lines");
    until("the title to ask for a review", asked).await;

    // The second change is left out. Then the window is killed.
    screen.xdotool(&["key", "F7", "F7", "F8"]);
    let drafts = world.path("home/.local/state/agentic-ide/gui_drafts.json");
    let kept = || {
        let text = fs::read_to_string(&drafts).unwrap_or_default();
        text.contains(r#"{"app.py":{"hunks":[0,2]}}"#).then_some(())
    };
    until("the choice to be kept", kept).await;
    window.child.kill().unwrap();
    window.child.wait().unwrap();
    assert_eq!(world.commits(), 2, "nothing is committed unasked");

    let mut window = Window::open(&world, &screen);
    let id = until("the title to ask again", asked).await;
    screen.xdotool(&["windowfocus", &id]);
    // The third is left out as well: before the first change is the last one.
    screen.xdotool(&["key", "shift+F7", "F8", "ctrl+shift+a"]);
    let ended = || window.child.try_wait().unwrap();
    let status = until("the window to close itself", ended).await;
    assert!(status.success(), "{status}");
    until_status(&world, &workflow, "completed").await;
    assert_eq!(world.commits(), 3);
    assert_eq!(world.git(&["show", "HEAD:app.py"]) + "\n", numbered(&[2]));
    assert_eq!(world.read("app.py"), numbered(&[2]));
}

/// Sends what was typed and waits for the workflow. Until the window has found
/// the backend the keys do nothing; afterwards only once.
async fn until_submitted(world: &World, screen: &Screen) -> serde_json::Value {
    let sending = async {
        loop {
            screen.xdotool(&["key", "ctrl+Return"]);
            let (_, page) = world.get("/api/workflows").await;
            if let Some(workflow) = page["workflows"].as_array().and_then(|all| all.first()) {
                return workflow.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, sending)
        .await
        .expect("the request is sent")
}

/// Whether the places of a colour are `lines` lines of half the diff, but for
/// the letters on them.
fn check_area(places: &[(usize, usize)], lines: usize) {
    let line = (1_280 - 340) / 2 * 21;
    let expect = lines * line / 2..lines * line + 1;
    assert!(
        expect.contains(&places.len()),
        "{} pixels, {lines} lines",
        places.len()
    );
}

/// From the first column that has a place to the one after the last.
fn across(places: &[(usize, usize)]) -> Range<usize> {
    let columns = || places.iter().map(|(x, _)| *x);
    columns().min().unwrap()..columns().max().unwrap() + 1
}

/// A colour of the dark look.
fn color(name: &str) -> [u8; 3] {
    let dark = COLORS.split("pub const DARK").nth(1).unwrap();
    let hex = dark.split(&format!(" {name}: hex(0x")).nth(1).unwrap();
    let rgb = u32::from_str_radix(&hex[..6], 16).unwrap();
    let [_, red, green, blue] = rgb.to_be_bytes();
    [red, green, blue]
}

/// Whether the programs are there that show and drive a window. Where they are
/// promised, in CI, a test that is left out is a failure.
#[expect(clippy::print_stderr, reason = "who runs the test learns what was left out")]
fn has_what_it_needs() -> bool {
    let needed = [
        ("xvfb", &["Xvfb"][..]),
        ("xdotool", &["xdotool"]),
        ("imagemagick", &["import", "magick"]),
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
struct Screen {
    server: Child,
    display: String,
    picture: std::path::PathBuf,
}

impl Screen {
    async fn start(world: &World) -> Self {
        let number = world.path("display");
        // The server chooses a free number and writes it there.
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp"]);
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

    /// Points a program at this screen.
    fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("DISPLAY", &self.display)
            .env_remove("WAYLAND_DISPLAY")
            .env("ICED_BACKEND", "tiny-skia")
            .stdin(Stdio::null())
    }

    /// What `xdotool` prints, if it succeeds.
    fn try_xdotool(&self, arguments: &[&str]) -> Option<String> {
        let output = self
            .apply(Command::new("xdotool").args(arguments))
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| printed.trim().to_owned())
    }

    fn xdotool(&self, arguments: &[&str]) {
        assert!(self.try_xdotool(arguments).is_some(), "xdotool {arguments:?}");
    }

    /// The window whose title matches.
    fn window(&self, title: &str) -> Option<String> {
        let found = self.try_xdotool(&["search", "--onlyvisible", "--name", title])?;
        found.lines().next().map(str::to_owned)
    }

    fn click(&self, (x, y): (usize, usize)) {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
    }

    fn picture(&self) -> Picture {
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
struct Window {
    child: Child,
    log: std::path::PathBuf,
}

impl Window {
    fn open(world: &World, screen: &Screen) -> Self {
        let log = world.path("window.log");
        let mut command = program("agentic-ide-gui");
        command
            .args(["--backend", world.url(), "--exit-after-decision", "--workspace"])
            .arg(world.repo());
        let output = File::create(&log).unwrap();
        command.stdout(Stdio::null()).stderr(output);
        let child = screen.apply(world.hermetic(&mut command)).spawn().unwrap();
        Self { child, log }
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
struct Picture {
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
    fn places(&self, color: [u8; 3]) -> Vec<(usize, usize)> {
        let pixels = self.pixels.as_chunks::<3>().0.iter().enumerate();
        let places = pixels.filter(|(_, pixel)| **pixel == color);
        places.map(|(at, _)| (at % self.width, at / self.width)).collect()
    }

    /// A place on a button of this colour: at the end of the first run of
    /// pixels that no letter has.
    fn button(&self, color: [u8; 3]) -> Option<(usize, usize)> {
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
