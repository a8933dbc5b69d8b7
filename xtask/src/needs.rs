//! What the machine must have: how it is found, and the command that brings it.
//!
//! On Debian and its relatives, as root or with a `sudo` that asks nothing, the
//! packages are installed. Everywhere else the exact command is named instead,
//! because nobody wants a password prompt out of a build.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::say;

/// How a need is recognised.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// One of these programs is on PATH.
    Program(&'static [&'static str]),
    /// This command ends well.
    Works(&'static [&'static str]),
    /// A shared library with this file name.
    Library(&'static str),
}

/// One thing and where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    name: &'static str,
    sign: Sign,
    apt: &'static str,
    nix: &'static str,
}

/// git: for the demo's repository and for every commit.
pub const GIT: Need = Need {
    name: "git",
    sign: Sign::Program(&["git"]),
    apt: "git",
    nix: "git",
};
/// A C compiler: SQLite, the grammars and the vector engine are compiled.
pub const C_COMPILER: Need = Need {
    name: "a C compiler",
    sign: Sign::Program(&["cc"]),
    apt: "build-essential",
    nix: "gcc",
};
/// Python: the demo's own tests.
pub const PYTHON: Need = Need {
    name: "Python 3.9 or later",
    sign: Sign::Works(&[
        "python3",
        "-c",
        "import sys, sqlite3; sys.exit(sys.version_info < (3, 9))",
    ]),
    apt: "python3",
    nix: "python3",
};
/// Python's virtual environments: language servers and tools of the tests.
pub const PYTHON_VENV: Need = Need {
    name: "Python's venv",
    sign: Sign::Works(&["python3", "-c", "import venv, ensurepip"]),
    apt: "python3-venv",
    nix: "python3",
};

/// Postgres: the journal that several backends share.
pub const POSTGRES: Need = Need {
    name: "Postgres",
    // Debian keeps its programs out of PATH.
    sign: Sign::Works(&[
        "sh",
        "-c",
        "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb",
    ]),
    apt: "postgresql",
    nix: "postgresql",
};

/// Bubblewrap: the sandbox that needs no engine of containers.
pub const BUBBLEWRAP: Need = Need {
    name: "bubblewrap",
    sign: Sign::Program(&["bwrap"]),
    apt: "bubblewrap",
    nix: "bubblewrap",
};

/// The libraries that the window loads at run time.
pub const WINDOW: &[Need] = &[
    library("libX11.so.6", "libx11-6", "xorg.libX11"),
    library("libX11-xcb.so.1", "libx11-xcb1", "xorg.libX11"),
    library("libXcursor.so.1", "libxcursor1", "xorg.libXcursor"),
    library("libXi.so.6", "libxi6", "xorg.libXi"),
    library("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon"),
    library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon"),
    library("libxcb.so.1", "libxcb1", "xorg.libxcb"),
];

/// A display without a screen, and pictures of it.
pub const VIRTUAL_DISPLAY: &[Need] = &[
    Need {
        name: "Xvfb",
        sign: Sign::Program(&["Xvfb"]),
        apt: "xvfb",
        nix: "xorg.xvfb",
    },
    Need {
        name: "ImageMagick",
        sign: Sign::Program(&["import", "magick", "import-im6"]),
        apt: "imagemagick",
        nix: "imagemagick",
    },
];

/// Driving a window in tests.
pub const WINDOW_TESTS: &[Need] = &[
    Need {
        name: "xauth",
        sign: Sign::Program(&["xauth"]),
        apt: "xauth",
        nix: "xorg.xauth",
    },
    Need {
        name: "xdotool",
        sign: Sign::Program(&["xdotool"]),
        apt: "xdotool",
        nix: "xdotool",
    },
    Need {
        name: "dbus-daemon",
        sign: Sign::Program(&["dbus-daemon"]),
        apt: "dbus-daemon",
        nix: "dbus",
    },
];

const fn library(file: &'static str, apt: &'static str, nix: &'static str) -> Need {
    Need {
        name: file,
        sign: Sign::Library(file),
        apt,
        nix,
    }
}

impl Need {
    /// Whether the machine has it.
    pub fn is_met(&self) -> bool {
        match self.sign {
            Sign::Program(names) => names.iter().any(|name| on_path(name).is_some()),
            Sign::Works(words) => words.split_first().is_some_and(|(program, rest)| {
                let mut command = Command::new(program);
                command
                    .args(rest)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                command.status().is_ok_and(|status| status.success())
            }),
            Sign::Library(file) => library_exists(file),
        }
    }
}

/// The first file called `name` in PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

fn library_exists(file: &str) -> bool {
    let listed = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
    // Debian keeps them one level deeper, in a folder named after the machine.
    let deeper = fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    env::split_paths(&listed)
        .chain(usual)
        .chain(deeper)
        .any(|dir| dir.join(file).exists())
}

/// What happens if something cannot be brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The command ends.
    Required,
    /// It is said, and the command goes on.
    Wanted,
}

/// Brings what is missing, or says how.
pub fn ensure(needs: &[Need], severity: Severity) -> anyhow::Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|need| need.name).collect();
    let packages = unique(missing.iter().map(|need| need.apt));
    let outcome = match Apt::find() {
        Some(apt) => {
            say::note(&format!(
                "missing: {}; installing {}",
                names.join(", "),
                packages.join(" ")
            ));
            apt.install(&packages).and_then(|()| still_missing(&missing))
        }
        None => Err(anyhow::anyhow!(
            "missing: {}\n{}",
            names.join(", "),
            remedy(&missing)
        )),
    };
    match (outcome, severity) {
        (Ok(()), _) => Ok(()),
        (Err(error), Severity::Required) => Err(error),
        (Err(error), Severity::Wanted) => {
            say::note(&format!("{error}\ngoing on without"));
            Ok(())
        }
    }
}

fn still_missing(needs: &[&Need]) -> anyhow::Result<()> {
    let missing: Vec<&Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|need| need.name).collect();
    bail!("still missing after the installation: {}", names.join(", "))
}

/// The command a person can copy.
fn remedy(needs: &[&Need]) -> String {
    let apt = unique(needs.iter().map(|need| need.apt)).join(" ");
    let nix = unique(needs.iter().map(|need| need.nix)).join(" ");
    if Path::new("/nix").is_dir() && on_path("nix-shell").is_some() {
        return format!("run: nix-shell -p {nix}");
    }
    if on_path("apt-get").is_some() {
        return format!("run: sudo apt-get install -y {apt}");
    }
    format!("install them; the Debian packages are: {apt}; with nix: nix-shell -p {nix}")
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut kept = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

/// An apt that can be used without asking anybody.
#[derive(Debug, Clone, Copy)]
enum Apt {
    AsRoot,
    WithSudo,
}

impl Apt {
    fn find() -> Option<Self> {
        on_path("apt-get")?;
        if output("id", &["-u"]).is_some_and(|id| id.trim() == "0") {
            return Some(Self::AsRoot);
        }
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        sudo.status()
            .is_ok_and(|status| status.success())
            .then_some(Self::WithSudo)
    }

    fn install(self, packages: &[&str]) -> anyhow::Result<()> {
        // The lists of a fresh container are empty; those of a machine may be
        // old, but then the installation itself says so.
        self.run(&["update", "-qq"])?;
        let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
        words.extend(packages);
        self.run(&words)
    }

    fn run(self, words: &[&str]) -> anyhow::Result<()> {
        let mut command = match self {
            Self::AsRoot => Command::new("env"),
            Self::WithSudo => Command::new("sudo"),
        };
        if matches!(self, Self::WithSudo) {
            command.args(["-n", "env"]);
        }
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(words);
        let output = command
            .stdin(Stdio::null())
            .output()
            .context("cannot start apt-get")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("apt-get {} failed:\n{}", words.join(" "), said.trim());
        }
        Ok(())
    }
}

/// What a command prints, if it ends well.
pub fn output(program: &str, words: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs() {
        let need = |sign| Need {
            name: "x",
            sign,
            apt: "x",
            nix: "x",
        };
        assert!(need(Sign::Program(&["no-such-program", "sh"])).is_met());
        assert!(!need(Sign::Program(&["no-such-program"])).is_met());
        assert!(need(Sign::Works(&["sh", "-c", "exit 0"])).is_met());
        assert!(!need(Sign::Works(&["sh", "-c", "exit 1"])).is_met());
        assert!(!need(Sign::Works(&["no-such-program"])).is_met());
        assert!(!need(Sign::Library("libno-such.so.1")).is_met());
    }

    #[test]
    fn the_remedy_names_each_package_once() {
        let remedy = remedy(&[&PYTHON, &PYTHON_VENV, &WINDOW[0], &WINDOW[1]]);
        assert!(
            remedy.contains("python3 python3-venv libx11-6 libx11-xcb1")
                || remedy.contains("python3 xorg.libX11")
        );
        assert!(!remedy.contains("python3 python3 "));
    }
}
