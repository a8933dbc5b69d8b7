//! `cargo xtask screenshots`: the pictures of the window in the documents, each
//! of a window that plays a recorded transcript and is driven by its keys.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::{
    cargo::{self, Profile},
    crew::Crew,
    demo::programs::{self, GUI},
    display::Display,
    needs::{self, Severity},
    paths::Paths,
    say,
};

/// What the recorded workflow was asked for.
const REQUEST: &str = "Lock an account for 15 minutes after five wrong passwords";
/// Title of the window while nothing was asked.
const IDLE: &str = "^Agentic IDE$";
/// Title of the window at the review.
const REVIEW: &str = "Review needed";
/// Milliseconds between two recorded events: nobody waits for them, or they are
/// the picture.
const FAST: &str = "5";
const SEEN: &str = "60";

/// Time the window has to get to where the picture is taken from.
const READY_WAIT: Duration = Duration::from_secs(60);
/// Time it has to draw what a key asked for.
const DRAW_WAIT: Duration = Duration::from_secs(2);

const NEXT: &str = "ctrl+shift+Down";
const LAST: &str = "ctrl+shift+Up";
const GO: &str = "ctrl+shift+Return";

/// Options of the pictures.
#[derive(Debug, Args)]
pub struct Options {
    /// The folder that they are written to.
    #[arg(long, value_name = "DIR", default_value = "docs/images")]
    out: PathBuf,
    /// Only these, by name.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
}

/// One picture.
struct Shot {
    /// Name of its file, without `.png`.
    name: &'static str,
    /// Whether the recorded workflow is asked for, or nothing.
    request: Option<&'static str>,
    /// Milliseconds between two events.
    pace: &'static str,
    /// Part of the window's title when it is ready.
    ready: &'static str,
    /// What is done then.
    acts: &'static [Act],
}

/// What a person does at the window.
enum Act {
    /// Presses keys, one after the other.
    Keys(&'static [&'static str]),
    /// Writes.
    Type(&'static str),
    /// Waits until it is drawn.
    Look,
}

use Act::{Keys, Look, Type};

const SHOTS: &[Shot] = &[
    Shot {
        name: "start",
        request: None,
        pace: FAST,
        ready: IDLE,
        acts: &[Keys(&["ctrl+l"]), Type(REQUEST), Look],
    },
    Shot {
        name: "code",
        request: Some(REQUEST),
        pace: SEEN,
        ready: "wrong passwords",
        acts: &[Look, Look, Look],
    },
    Shot {
        name: "review",
        request: Some(REQUEST),
        pace: FAST,
        ready: REVIEW,
        // The second file is left out, and the second hunk of the first.
        acts: &[
            Keys(&["F7", "F7", "F7", "F8", "ctrl+Next", "shift+F8", "ctrl+Prior"]),
            Look,
        ],
    },
    Shot {
        name: "unified-light",
        request: Some(REQUEST),
        pace: FAST,
        ready: REVIEW,
        acts: &[Keys(&["F6", "ctrl+shift+l"]), Look],
    },
    Shot {
        name: "details",
        request: Some(REQUEST),
        pace: FAST,
        ready: REVIEW,
        acts: &[Keys(&["ctrl+3"]), Look],
    },
    Shot {
        name: "workflows",
        request: Some(REQUEST),
        pace: FAST,
        ready: REVIEW,
        acts: &[Keys(&["ctrl+5", NEXT, NEXT]), Look],
    },
    Shot {
        name: "settings",
        request: None,
        pace: FAST,
        ready: IDLE,
        acts: &[Keys(&["ctrl+comma"]), Look],
    },
    Shot {
        name: "help",
        request: Some(REQUEST),
        pace: FAST,
        ready: REVIEW,
        acts: &[Keys(&["F1"]), Look],
    },
    Shot {
        name: "agents",
        request: None,
        pace: FAST,
        ready: IDLE,
        acts: &[
            Look,
            // Connects; a session is refused before anybody has signed in.
            Keys(&["ctrl+4", NEXT, NEXT, GO]),
            Look,
            Keys(&["ctrl+l"]),
            Look,
            Type("/tmp"),
            Keys(&[NEXT, NEXT, NEXT, GO]),
            Look,
            Keys(&[LAST, GO]),
            Look,
            Keys(&[NEXT, NEXT, NEXT, NEXT, GO]),
            Look,
            Keys(&["ctrl+l"]),
            Look,
            Type("Lock an account after five wrong passwords"),
            Keys(&["ctrl+Return"]),
            Look,
            Look,
        ],
    },
];

/// Takes the pictures.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let unknown = |name: &&String| !SHOTS.iter().any(|shot| shot.name == **name);
    if let Some(unknown) = options.only.iter().find(unknown) {
        let names: Vec<&str> = SHOTS.iter().map(|shot| shot.name).collect();
        bail!("there is no picture `{unknown}`; there are {}", names.join(", "));
    }
    let paths = Paths::find();
    let needed = [needs::WINDOW, needs::VIRTUAL_DISPLAY, needs::WINDOW_TESTS].concat();
    needs::ensure(&needed, Severity::Required)?;
    cargo::build(&paths, Profile::Debug, &[GUI])?;
    let out = paths.root.join(&options.out);
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let is_asked =
        |shot: &&Shot| options.only.is_empty() || options.only.iter().any(|name| name == shot.name);
    for shot in SHOTS.iter().filter(is_asked) {
        let file = out.join(shot.name).with_extension("png");
        take(shot, &paths, &file).with_context(|| format!("there is no picture `{}`", shot.name))?;
        say::step(&file.display().to_string());
    }
    Ok(())
}

fn take(shot: &Shot, paths: &Paths, file: &Path) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut crew = Crew::new(dir.path())?;
    let display = Display::start_virtual(&mut crew)?;
    let mut window = programs::command(paths, dir.path(), GUI)?;
    window.args(["--fake", "--fake-pace", shot.pace]);
    if let Some(request) = shot.request {
        window.args(["--request", request]);
    }
    display.apply(&mut window);
    let program = crew.start(GUI, &mut window)?;
    // A window that is not drawn yet cannot have the keyboard.
    let focused = || {
        let found = xdotool(&display, &["search", "--onlyvisible", "--name", shot.ready]).ok()?;
        let id = found.lines().next()?;
        xdotool(&display, &["windowfocus", "--sync", id]).ok()
    };
    program.wait_until(shot.ready, READY_WAIT, focused)?;
    for act in shot.acts {
        match act {
            Keys(keys) => {
                for key in *keys {
                    xdotool(&display, &["key", key])?;
                }
            }
            Type(text) => {
                xdotool(&display, &["type", text])?;
            }
            Look => thread::sleep(DRAW_WAIT),
        }
    }
    display.screenshot(file)
}

/// What xdotool prints; fails where it fails.
fn xdotool(display: &Display, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("xdotool");
    command.args(arguments).stdin(Stdio::null());
    display.apply(&mut command);
    let output = command.output().context("cannot start xdotool")?;
    if !output.status.success() {
        bail!(
            "xdotool {} failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
