//! `cargo xtask demo`: from a fresh clone to a commit that the system made.

mod model;
pub mod programs;
mod report;
mod workspace;

use std::{
    io::{IsTerminal as _, Read as _, stdin},
    path::PathBuf,
    thread,
    time::Duration,
};

use anyhow::bail;
use clap::Args;

use crate::{
    cargo::{self, Profile},
    clock::Stopwatch,
    crew::Crew,
    needs::{self, Severity},
    paths::Paths,
    say,
};

pub use programs::read_port;

use programs::Programs;

/// What is asked for where the person asks for nothing.
const REQUEST: &str = "Implement JWT authentication";
/// What the demo starts.
const PROGRAMS: &[&str] = &[
    "agentic-ide-backend",
    "agentic-ide-gui",
    "scripted-ollama",
    "agentic-ide-vectordb",
];

/// Options of the demo.
#[derive(Debug, Args)]
pub struct Options {
    /// Work in this directory instead of the demo's own repository. The result
    /// is committed there.
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// What to ask for.
    #[arg(long, default_value = REQUEST)]
    request: String,
    /// Leave the three programs running until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Fail if the window cannot be shown, instead of saying so.
    #[arg(long)]
    gui: bool,
}

/// Runs the demo.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let paths = Paths::find();
    say::step("Looking for what the demo needs");
    needs::ensure(
        &[needs::GIT, needs::C_COMPILER, needs::PYTHON],
        Severity::Required,
    )?;
    // Without it the proposal is shown untested, and says so.
    needs::ensure(&[needs::BUBBLEWRAP], Severity::Wanted)?;
    needs::ensure(needs::WINDOW, Severity::Wanted)?;
    if crate::display::Display::own().is_none() {
        needs::ensure(needs::VIRTUAL_DISPLAY, Severity::Wanted)?;
    }
    let own = options
        .workspace
        .as_ref()
        .map(|dir| workspace::named(dir))
        .transpose()?;

    say::step("Building the programs (the first time takes some minutes)");
    say::note(&format!("into {}", paths.target.display()));
    let watch = Stopwatch::start();
    cargo::build(&paths, Profile::Debug, PROGRAMS)?;
    say::note(&format!("built in {}", say::duration(watch.elapsed())));

    let dir = tempfile::Builder::new()
        .prefix("agentic-ide-demo-")
        .tempdir()?
        .keep();
    let result = show(options, &paths, &dir, own);
    // It holds the logs that a failure names and the commit that a success made.
    if result.is_err() {
        say::note(&format!("everything the demo wrote is in {}", dir.display()));
    }
    result
}

fn show(options: &Options, paths: &Paths, dir: &std::path::Path, own: Option<PathBuf>) -> anyhow::Result<()> {
    let is_own = own.is_some();
    let workspace = match own {
        Some(workspace) => workspace,
        None => {
            say::step("Making the demo repository");
            workspace::make(paths, &dir.join("orderdesk"))?
        }
    };
    say::note(&format!(
        "{}: {}",
        workspace.display(),
        workspace::describe(&workspace)
    ));

    let mut crew = Crew::new(&dir.join("logs"))?;
    say::step("Looking for a model");
    let model = model::choose(&mut crew, paths, dir)?;

    say::step("Starting the three programs");
    let programs = Programs::start(&mut crew, paths, dir, &workspace, &model)?;
    // The window gets its own copy and the same request, and stops at the review:
    // there the person decides. Only where asking twice costs nothing.
    let copy = dir.join("orderdesk-window");
    let copy = if is_own || !model.is_scripted {
        None
    } else {
        Some(workspace::make(paths, &copy)?)
    };
    let in_window = copy.as_ref().unwrap_or(&workspace);
    let request = copy.as_ref().map(|_| options.request.as_str());
    let display = programs.show_window(&mut crew, paths, dir, in_window, request);
    let display = match display {
        Ok(display) => Some(display),
        Err(error) if options.gui => return Err(error.context("--gui was given, but there is no window")),
        Err(error) => {
            say::note(&format!("no window: {error}"));
            None
        }
    };
    report::running(&mut crew, &programs);

    say::step(&format!("Asking for: {}", options.request));
    let asked = ask(options, &mut crew, paths, &programs, dir, &workspace);
    for program in crew.programs() {
        program.check_alive()?;
    }
    if let Err(error) = asked {
        return Err(crew
            .program(programs::BACKEND)?
            .failure(&format!("did not finish the request: {error}")));
    }

    if let (Some(copy), Some(_)) = (&copy, &display) {
        programs.wait_for_review(copy);
    }
    let picture = dir.join("window.png");
    let picture = display
        .filter(|display| *display != crate::display::Display::Own)
        .and_then(|display| {
            let taken = display.screenshot(&picture);
            if let Err(error) = &taken {
                say::note(&format!("no picture of the window: {error}"));
            }
            taken.ok().map(|()| picture)
        });
    let committed = report::result(&programs, &workspace)?;
    if !is_own {
        workspace::test(&workspace)?;
    }
    report::next(
        dir,
        committed.then_some(&workspace),
        picture.as_deref(),
        &programs,
        options.keep,
    );
    if options.keep {
        wait_for_the_end(&mut crew)?;
    }
    crew.stop();
    Ok(())
}

/// Runs the request as a person would: in the terminal.
fn ask(
    options: &Options,
    crew: &mut Crew,
    paths: &Paths,
    programs: &Programs,
    dir: &std::path::Path,
    workspace: &std::path::Path,
) -> anyhow::Result<()> {
    let mut command = programs::command(paths, dir, programs::BACKEND)?;
    command
        .arg("run")
        .arg(&options.request)
        .arg("--workspace")
        .arg(workspace);
    command.args(["--backend", programs.backend_url(), "--yes"]);
    let status = crew.run(&mut command)?;
    if !status.success() {
        bail!("`agentic-ide-backend run` ended with {status}");
    }
    Ok(())
}

/// Until Ctrl-C, Enter, or the end of a program.
fn wait_for_the_end(crew: &mut Crew) -> anyhow::Result<()> {
    say::note("the programs keep running; Ctrl-C or Enter stops them");
    let (sender, enter) = std::sync::mpsc::channel();
    if stdin().is_terminal() {
        thread::spawn(move || {
            let read = stdin().read(&mut [0]);
            let _sent = sender.send(read.is_ok());
        });
    } else {
        // Without a terminal only a signal ends it; the sender must live on.
        std::mem::forget(sender);
    }
    loop {
        match enter.recv_timeout(Duration::from_secs(1)) {
            Ok(_) | Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
        }
        // A window that the person closes is no failure.
        for program in crew
            .programs()
            .iter_mut()
            .filter(|program| program.name() != programs::GUI)
        {
            program.check_alive()?;
        }
    }
}
