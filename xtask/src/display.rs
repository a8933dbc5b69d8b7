//! A display for the window: the person's own, or a virtual one.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::{crew::Crew, needs};

/// Time that Xvfb has to say its number.
const XVFB_WAIT: Duration = Duration::from_secs(20);
/// Size and depth of a virtual screen: the first size of the window.
const SCREEN: &str = "1280x800x24";

/// Where a window can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Display {
    /// The one this command was started in.
    Own,
    /// Xvfb with this number, for example `:99`.
    Virtual(String),
}

impl Display {
    /// The person's own display, if there is one.
    pub fn own() -> Option<Self> {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        (set("DISPLAY") || set("WAYLAND_DISPLAY")).then_some(Self::Own)
    }

    /// Starts Xvfb on a number that is free.
    pub fn start_virtual(crew: &mut Crew) -> anyhow::Result<Self> {
        if needs::on_path("Xvfb").is_none() {
            bail!("there is no display, and Xvfb is not installed");
        }
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp"]);
        // It does not begin anew when its last client leaves, as each look for a window does:
        // a window that connects in that moment would be refused.
        command.arg("-noreset");
        let program = crew.start_piped("xvfb", &mut command)?;
        let stdout = program.take_stdout()?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody listens any more once the wait is over.
            let _sent = sender.send(read.map(|_| line));
        });
        let line = receiver
            .recv_timeout(XVFB_WAIT)
            .map_err(|_| program.failure("did not name its display"))??;
        match line.trim().parse::<u32>() {
            Ok(number) => Ok(Self::Virtual(format!(":{number}"))),
            Err(_) => Err(program.failure("did not name its display")),
        }
    }

    /// Sets what a program needs to draw here.
    pub fn apply(&self, command: &mut Command) {
        if let Self::Virtual(number) = self {
            command
                .env("DISPLAY", number)
                .env_remove("WAYLAND_DISPLAY")
                .env("ICED_BACKEND", "tiny-skia");
        }
    }

    /// Writes a picture of a virtual screen. A person's own screen is never
    /// photographed.
    pub fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        let Self::Virtual(number) = self else {
            bail!("only a virtual display is photographed")
        };
        let names = ["import", "import-im6", "magick"];
        let program = names.into_iter().find(|name| needs::on_path(name).is_some());
        let program = program.context("ImageMagick is not installed, so there is no picture")?;
        let mut command = Command::new(program);
        if program == "magick" {
            command.arg("import");
        }
        command.args(["-display", number, "-window", "root"]);
        command.args(["-depth", "8", "-strip"]).arg(file);
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            bail!(
                "{program} failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }
}
