//! Runs the `git` program without prompts, editors or pagers, in the C locale,
//! with the person's configuration. Knows how git is called, not what for.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Error,
    limits::{COMPLAINT_BYTES_MAX, GIT_OUTPUT_BYTES_MAX, GIT_TIMEOUT},
    process::{self, Failure},
};

/// Variables that bind git to some other repository, as when we are started
/// from a hook: `git rev-parse --local-env-vars`.
const LOCAL_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Git in one directory.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    directory: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

/// How a command ended that is allowed to fail.
#[derive(Debug)]
pub(crate) struct Answer {
    command: String,
    output: process::Output,
}

impl Git {
    /// Git in `directory`, with variables on top of ours.
    pub(crate) fn new(directory: &Path, environment: Vec<(OsString, OsString)>) -> Self {
        Self {
            directory: directory.to_owned(),
            environment,
        }
    }

    /// The same git in another directory.
    pub(crate) fn at(&self, directory: &Path) -> Self {
        Self::new(directory, self.environment.clone())
    }

    /// The same git with one more variable.
    pub(crate) fn with(&self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut git = self.clone();
        git.environment.push((name.into(), value.as_ref().to_owned()));
        git
    }

    /// A read that takes no lock on the way.
    pub(crate) fn read<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Answer, Error> {
        self.with("GIT_OPTIONAL_LOCKS", "0").call(arguments, None)
    }

    /// Those of the paths, relative to the directory, that are ignored and not
    /// tracked.
    pub(crate) fn ignored<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Error> {
        // The command takes no literal pathspecs; `./` keeps a leading colon
        // from being read as one of the other kinds.
        let input: String = paths.map(|path| format!("./{path}\0")).collect();
        if input.is_empty() {
            return Ok(Vec::new());
        }
        let git = self
            .with("GIT_LITERAL_PATHSPECS", "0")
            .with("GIT_OPTIONAL_LOCKS", "0");
        let answer = git.call(&["check-ignore", "-z", "--stdin"], Some(input.as_bytes()))?;
        match answer.code() {
            Some(0 | 1) => {
                let own = |path: String| path.strip_prefix("./").map(str::to_owned);
                Ok(records(answer.stdout()).filter_map(own).collect())
            }
            Some(_) | None => Err(answer.into_error()),
        }
    }

    /// Paths below the directory that are tracked, or neither tracked nor ignored.
    pub(crate) fn files(&self) -> Result<Vec<String>, Error> {
        let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let answer = self.read(&arguments)?;
        Ok(records(&answer.bytes()?).collect())
    }

    /// Runs a command that changes something; any exit code is an answer.
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        input: Option<&[u8]>,
    ) -> Result<Answer, Error> {
        let answer = self.call(arguments, input);
        shared::crash::point("git:after_change");
        answer
    }

    fn call<S: AsRef<OsStr>>(&self, arguments: &[S], input: Option<&[u8]>) -> Result<Answer, Error> {
        let mut command = Command::new("git");
        for name in LOCAL_VARIABLES {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_EDITOR", ":")
            .env("GIT_PAGER", "cat")
            // A path is a path, also with a star in it.
            .env("GIT_LITERAL_PATHSPECS", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let name = subcommand(arguments);
        tracing::trace!(command = %name, "git");
        match process::run(&mut command, input, GIT_TIMEOUT, GIT_OUTPUT_BYTES_MAX) {
            Ok(output) => Ok(Answer {
                command: name,
                output,
            }),
            Err(Failure::TimedOut) => Err(Error::GitTimeout {
                command: name,
                seconds: GIT_TIMEOUT.as_secs(),
            }),
            Err(Failure::Io(error)) if error.kind() == io::ErrorKind::NotFound => Err(Error::GitMissing),
            Err(Failure::Io(error)) => Err(Error::Git {
                command: name,
                complaint: error.to_string(),
            }),
        }
    }
}

/// The subcommand's name, for messages: arguments may hold the person's text.
fn subcommand<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let mut words = arguments.iter().map(|word| word.as_ref().to_string_lossy());
    while let Some(word) = words.next() {
        if word == "-c" || word == "-C" {
            words.next();
        } else if !word.starts_with('-') {
            return word.into_owned();
        }
    }
    String::new()
}

impl Answer {
    /// The exit code.
    pub(crate) fn code(&self) -> Option<i32> {
        self.output.code
    }

    /// Whether it ended with 0.
    pub(crate) fn success(&self) -> bool {
        self.output.code == Some(0)
    }

    /// What it wrote to standard error.
    pub(crate) fn complaint(&self) -> String {
        process::complaint(&self.output.stderr, COMPLAINT_BYTES_MAX)
    }

    /// The failure to report for this answer.
    pub(crate) fn into_error(self) -> Error {
        let mut complaint = self.complaint();
        if complaint.is_empty() {
            complaint = match self.output.code {
                Some(code) => format!("exit code {code}"),
                None => "ended by a signal".to_owned(),
            };
        }
        Error::Git {
            command: self.command,
            complaint,
        }
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn bytes(self) -> Result<Vec<u8>, Error> {
        if self.success() {
            Ok(self.output.stdout)
        } else {
            Err(self.into_error())
        }
    }

    /// Standard output of a command that must succeed, as text without the last
    /// line ending.
    pub(crate) fn line(self) -> Result<String, Error> {
        let bytes = self.bytes()?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// Standard output, whatever the exit code was.
    pub(crate) fn stdout(&self) -> &[u8] {
        &self.output.stdout
    }
}

/// The records of `-z` output.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = String> + '_ {
    bytes
        .split(|byte| *byte == 0)
        .filter(|r| !r.is_empty())
        .map(|r| String::from_utf8_lossy(r).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_subcommand_alone() {
        assert_eq!(
            subcommand(&["-c", "a=b", "--no-pager", "commit-tree", "secret"]),
            "commit-tree"
        );
        assert_eq!(subcommand::<&str>(&[]), "");
    }
}
