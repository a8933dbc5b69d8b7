//! Formatters: what they make of a text, and whether the proposal is formatted
//! as the project's own formatter would, where the file was so before.

use std::{env, ffi::OsStr, fs, path::Path, process::Command, time::Duration};

use shared::programs::on_path;

use super::{Changed, Finding, extension, syntax};
use crate::{
    limits::{COMPLAINT_BYTES_MAX, FILE_BYTES_MAX},
    process::{self, Failure},
};

/// Largest configuration file that is looked into, in bytes.
const CONFIG_BYTES_MAX: u64 = 256 * 1024;

/// Longest formatted text, in bytes.
const OUTPUT_BYTES_MAX: usize = FILE_BYTES_MAX as usize * 2;

/// Where Prettier's configuration may be that is data.
const PRETTIER_DATA: &[&str] = &[
    ".prettierrc",
    ".prettierrc.json",
    ".prettierrc.yaml",
    ".prettierrc.yml",
];

/// Where it may be code.
const PRETTIER_CODE: &[&str] = &[
    ".prettierrc.js",
    ".prettierrc.cjs",
    ".prettierrc.mjs",
    "prettier.config.js",
    "prettier.config.mjs",
];

/// A formatter that a project may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formatter {
    /// Python.
    Black,
    /// Python.
    Ruff,
    /// Python; mends what a style guide names and leaves the rest.
    Autopep8,
    /// Rust.
    Rustfmt,
    /// Go.
    Gofmt,
    /// JavaScript, TypeScript and their neighbours.
    Prettier,
}

const ALL: &[Formatter] = &[
    Formatter::Black,
    Formatter::Ruff,
    Formatter::Autopep8,
    Formatter::Rustfmt,
    Formatter::Gofmt,
    Formatter::Prettier,
];

/// A text as a formatter writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// Which one.
    pub formatter: Formatter,
    /// The whole text.
    pub text: String,
}

/// Formats a text as if it were the file at `path`, relative to `root`: with
/// that formatter, or else with the first one that the project uses for such a
/// file. Nothing is written, and configuration that is code is not used. Blocks
/// for `timeout` at most.
///
/// # Errors
/// Why not, in words.
pub fn format(
    root: &Path,
    path: &str,
    text: &str,
    formatter: Option<Formatter>,
    timeout: Duration,
) -> Result<Formatted, String> {
    let programs = env::var_os("PATH").unwrap_or_default();
    format_on(&programs, root, path, text, formatter, timeout)
}

/// With the programs of a `PATH`.
fn format_on(
    programs: &OsStr,
    root: &Path,
    path: &str,
    text: &str,
    formatter: Option<Formatter>,
    timeout: Duration,
) -> Result<Formatted, String> {
    let able: Vec<Formatter> = ALL.iter().copied().filter(|able| able.concerns(path)).collect();
    let names = |able: &[Formatter]| {
        able.iter()
            .map(|able| able.program())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let formatter = match formatter {
        Some(named) if able.contains(&named) => named,
        Some(named) => return Err(format!("{} formats no such file as {path}", named.program())),
        None => match able.iter().find(|able| able.is_used(root)) {
            Some(used) => *used,
            None if able.is_empty() => return Err(format!("no formatter is known for {path}")),
            None => {
                return Err(format!(
                    "the project does not say which formatter it uses; name one of: {}",
                    names(&able)
                ));
            }
        },
    };
    let name = formatter.program();
    let program = on_path(programs, name.as_ref())
        .next()
        .ok_or_else(|| format!("{name} is not on PATH"))?;
    let directory = tempfile::tempdir().map_err(|_| "there is no temporary directory".to_owned())?;
    let arguments = formatter.arguments(root, path)?;
    let command = || {
        let mut command = Command::new(&program);
        command
            .args(&arguments)
            .env("PATH", programs)
            .current_dir(directory.path());
        command
    };
    if formatter.is_silent_on_syntax_errors() && !syntax::is_sound(path, text, timeout) {
        return Err(format!("{path}: cannot be parsed"));
    }
    match process::run(&mut command(), Some(text.as_bytes()), timeout, OUTPUT_BYTES_MAX) {
        Ok(output) if output.code == Some(0) => {
            let text = String::from_utf8(output.stdout).map_err(|_| format!("{name} wrote no text"))?;
            Ok(Formatted { formatter, text })
        }
        Ok(output) => Err(format!(
            "{name}: {}",
            process::complaint(&output.stderr, COMPLAINT_BYTES_MAX)
        )),
        Err(Failure::TimedOut) => Err(format!("{name} did not end in time")),
        Err(Failure::Io(error)) => Err(format!("{name} cannot be run: {error}")),
    }
}

/// The formatters that the project at `root` uses for one of these files.
pub(super) fn used(root: &Path, changed: &[Changed]) -> Vec<Formatter> {
    let concerned = |f: &&Formatter| changed.iter().any(|file| f.concerns(&file.path)) && f.is_used(root);
    ALL.iter().filter(concerned).copied().collect()
}

impl Formatter {
    /// The one with this name.
    pub fn parse(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|formatter| formatter.program() == name)
    }

    pub(super) fn name(self) -> String {
        format!("format-{}", self.program())
    }

    /// What it is called.
    pub fn program(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Ruff => "ruff",
            Self::Autopep8 => "autopep8",
            Self::Rustfmt => "rustfmt",
            Self::Gofmt => "gofmt",
            Self::Prettier => "prettier",
        }
    }

    /// The shortest source that is in order.
    fn least_source(self) -> &'static str {
        match self {
            Self::Black | Self::Ruff | Self::Autopep8 | Self::Rustfmt | Self::Prettier => "",
            Self::Gofmt => "package a\n",
        }
    }

    fn concerns(self, path: &str) -> bool {
        match self {
            Self::Black | Self::Ruff | Self::Autopep8 => matches!(extension(path), "py" | "pyi"),
            Self::Rustfmt => extension(path) == "rs",
            Self::Gofmt => extension(path) == "go",
            Self::Prettier => matches!(
                extension(path),
                "js" | "jsx"
                    | "mjs"
                    | "cjs"
                    | "ts"
                    | "tsx"
                    | "mts"
                    | "cts"
                    | "css"
                    | "scss"
                    | "json"
                    | "md"
                    | "html"
            ),
        }
    }

    fn is_used(self, root: &Path) -> bool {
        let pyproject = |table: &str| config(root, "pyproject.toml").is_some_and(|text| text.contains(table));
        match self {
            Self::Black => pyproject("[tool.black]"),
            Self::Ruff => {
                // Ruff is often used to lint alone; its format table says more.
                pyproject("[tool.ruff.format]")
                    || ["ruff.toml", ".ruff.toml"]
                        .iter()
                        .any(|name| config(root, name).is_some_and(|text| text.contains("[format]")))
            }
            Self::Autopep8 => pyproject("[tool.autopep8]"),
            Self::Rustfmt => root.join("Cargo.toml").is_file(),
            Self::Gofmt => root.join("go.mod").is_file(),
            Self::Prettier => {
                PRETTIER_DATA
                    .iter()
                    .chain(PRETTIER_CODE)
                    .any(|name| root.join(name).is_file())
                    || config(root, "package.json").is_some_and(|text| text.contains("\"prettier\""))
            }
        }
    }

    /// Whether it gives back what it cannot parse as if it were in order.
    fn is_silent_on_syntax_errors(self) -> bool {
        match self {
            Self::Autopep8 => true,
            Self::Black | Self::Ruff | Self::Rustfmt | Self::Gofmt | Self::Prettier => false,
        }
    }

    pub(super) fn check(self, root: &Path, changed: &[Changed], timeout: Duration) -> Finding {
        self.check_on(&env::var_os("PATH").unwrap_or_default(), root, changed, timeout)
    }

    /// With the programs of a `PATH`.
    fn check_on(self, path: &OsStr, root: &Path, changed: &[Changed], timeout: Duration) -> Finding {
        let Some(program) = on_path(path, self.program().as_ref()).next() else {
            return Finding::skipped(format!("{} is not on PATH", self.program()));
        };
        let Ok(directory) = tempfile::tempdir() else {
            return Finding::skipped("there is no temporary directory");
        };
        let mut problems = Vec::new();
        let mut line = String::new();
        for file in changed.iter().filter(|file| self.concerns(&file.path)) {
            let arguments = match self.arguments(root, &file.path) {
                Ok(arguments) => arguments,
                Err(reason) => return Finding::skipped(reason),
            };
            line = format!("{} {}", self.program(), arguments.join(" "));
            let format = |source: &str| {
                let mut command = Command::new(&program);
                command
                    .args(&arguments)
                    .env("PATH", path)
                    .current_dir(directory.path());
                process::run(&mut command, Some(source.as_bytes()), timeout, OUTPUT_BYTES_MAX)
            };
            // A program that cannot format the least of sources (no toolchain, a
            // broken configuration) says nothing about the proposal.
            let new = format(self.least_source()).and_then(|probe| match probe.code {
                Some(0) => format(&file.new),
                Some(_) | None => Err(Failure::Io(std::io::Error::other(process::complaint(
                    &probe.stderr,
                    200,
                )))),
            });
            let new = match new {
                Ok(output) => output,
                Err(Failure::TimedOut) => return Finding::skipped(format!("{line} did not end in time")),
                Err(Failure::Io(error)) => return Finding::skipped(format!("{line} cannot be run: {error}")),
            };
            if self.is_silent_on_syntax_errors()
                && !syntax::is_sound(&file.path, &file.new, timeout)
                && (file.old.is_empty() || syntax::is_sound(&file.path, &file.old, timeout))
            {
                problems.push(format!("{}: cannot be parsed", file.path));
                continue;
            }
            let differs = new.code != Some(0) || new.stdout != file.new.as_bytes();
            if !differs {
                continue;
            }
            // What was not formatted before, or could not be, is not the
            // proposal's doing.
            let was_formatted = file.old.is_empty()
                || format(&file.old)
                    .is_ok_and(|old| old.code == Some(0) && old.stdout == file.old.as_bytes());
            if was_formatted {
                problems.push(match new.code {
                    Some(0) => format!("{}: would be formatted differently", file.path),
                    Some(_) | None => format!("{}: {}", file.path, process::complaint(&new.stderr, 200)),
                });
            }
        }
        Finding::of(&problems, Some(line))
    }

    /// Arguments that read standard input and write the formatted text. The
    /// configuration is named, because the current directory has none.
    fn arguments(self, root: &Path, path: &str) -> Result<Vec<String>, &'static str> {
        let at = |name: &str| root.join(name).display().to_string();
        Ok(match self {
            Self::Black => {
                let mut arguments = vec!["-q".to_owned()];
                // It refuses one that is not there.
                if root.join("pyproject.toml").is_file() {
                    arguments.extend(["--config".to_owned(), at("pyproject.toml")]);
                }
                arguments.extend(["--stdin-filename".to_owned(), at(path), "-".to_owned()]);
                arguments
            }
            Self::Ruff => vec![
                "format".into(),
                "--no-cache".into(),
                "--stdin-filename".into(),
                at(path),
                "-".into(),
            ],
            // A name on standard input is not known to it.
            Self::Autopep8 => vec![
                "--global-config".into(),
                at("pyproject.toml"),
                "--ignore-local-config".into(),
                "-".into(),
            ],
            Self::Rustfmt => {
                let mut arguments = vec!["--edition".to_owned(), edition(root)];
                // It refuses a directory without a configuration.
                if ["rustfmt.toml", ".rustfmt.toml"]
                    .iter()
                    .any(|name| root.join(name).is_file())
                {
                    arguments.extend(["--config-path".to_owned(), at("")]);
                }
                arguments
            }
            Self::Gofmt => Vec::new(),
            Self::Prettier => {
                if PRETTIER_CODE.iter().any(|name| root.join(name).is_file()) {
                    return Err("the project's configuration of prettier is code, which is not run");
                }
                let config = PRETTIER_DATA.iter().map(|name| (*name, config(root, name)));
                let mut arguments = match config
                    .into_iter()
                    .find_map(|(name, text)| text.map(|text| (name, text)))
                {
                    // Plugins are code too.
                    Some((_, text)) if text.contains("plugins") => {
                        return Err("the project's prettier plugins are code, which is not run");
                    }
                    Some((name, _)) => vec!["--config".to_owned(), at(name)],
                    None => vec!["--no-config".to_owned()],
                };
                arguments.extend(["--stdin-filepath".to_owned(), at(path)]);
                arguments
            }
        })
    }
}

/// The edition of the package at the root; members may differ, which shows as
/// a difference only in rare syntax.
fn edition(root: &Path) -> String {
    let manifest = config(root, "Cargo.toml").unwrap_or_default();
    let edition = manifest
        .lines()
        .find_map(|line| line.trim().strip_prefix("edition")?.split('"').nth(1));
    let known = edition.filter(|edition| matches!(*edition, "2015" | "2018" | "2021" | "2024"));
    known.unwrap_or("2021").to_owned()
}

/// The text of a small configuration file.
fn config(root: &Path, name: &str) -> Option<String> {
    let path = root.join(name);
    let metadata = path.symlink_metadata().ok()?;
    if !metadata.is_file() || metadata.len() > CONFIG_BYTES_MAX {
        return None;
    }
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests;
