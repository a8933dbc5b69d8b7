//! The part that runs inside, between the engine and the program: it sets the bounds
//! that a process sets on itself, applies [Landlock](https://docs.kernel.org/userspace-api/landlock.html)
//! and [seccomp](https://docs.kernel.org/userspace-api/seccomp_filter.html), and becomes
//! the program. A second line: what bubblewrap forbids already is forbidden once more.
//!
//! It runs before anything else of its program does, in a process with one thread.

pub(crate) mod canary;
mod filter;
mod watch;

use std::{
    ffi::{OsStr, OsString},
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

use landlock::{
    ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope,
    path_beneath_rules,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The first argument with which a program says that it is this helper.
pub const ARGUMENT: &str = "sandbox-init";

/// The helper could not do its part; nothing was run.
pub(crate) const STATUS_FAILED: u8 = 125;
/// The program cannot be executed, as a shell says it.
const STATUS_NOT_EXECUTABLE: u8 = 126;
/// There is no such program, as a shell says it.
const STATUS_NOT_FOUND: u8 = 127;

/// What the helper's own messages begin with.
pub(crate) const PREFIX: &str = "sandbox-init: ";

/// Open files of one process.
const OPEN_FILES_MAX: u64 = 4096;

/// No core dump. At 0 the kernel would still hand it to a program of the host, if the host
/// has set one; at 1 it does not (`core(5)`, "Piping core dumps to a program").
const CORE_BYTES: u64 = 1;

/// The first descriptor after standard input, output and error.
const FIRST_OF_OTHERS: i32 = 3;

/// Where writing is allowed everywhere: the terminal's devices and what bubblewrap makes.
const WRITABLE: [&str; 10] = [
    "/tmp",
    "/dev/shm",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
];

/// What the helper is to do, as it is written in its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rules {
    /// Where the program may write, besides what every program may.
    pub(crate) writable: Vec<PathBuf>,
    /// Bytes of data of one process.
    pub(crate) data_bytes: Option<u64>,
    /// Processes and threads of the sandbox.
    pub(crate) processes: Option<u64>,
    /// Bytes of one file.
    pub(crate) file_bytes: Option<u64>,
}

/// What comes after the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Then {
    /// Become this program.
    Run(Vec<OsString>),
    /// Run this program, without any sandbox, until it or the backend ends.
    Watch {
        /// The process of the backend.
        backend: u32,
        /// The program.
        program: Vec<OsString>,
    },
    /// Try what is forbidden, and say what came of it.
    Canary(canary::Bait),
    /// Take this much memory.
    Hog(usize),
    /// Make a file of this size.
    Grow(PathBuf, u64),
}

impl Rules {
    /// As arguments of the helper, for `run`.
    pub(crate) fn arguments(&self, then: &Then) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![ARGUMENT.into()];
        for path in &self.writable {
            words.extend(["--write".into(), path.into()]);
        }
        let numbers = [
            ("--data-bytes", self.data_bytes),
            ("--processes", self.processes),
            ("--file-bytes", self.file_bytes),
        ];
        for (name, value) in numbers {
            if let Some(value) = value {
                words.extend([name.into(), value.to_string().into()]);
            }
        }
        match then {
            Then::Run(program) => {
                words.push("--".into());
                words.extend(program.iter().cloned());
            }
            Then::Watch { backend, program } => {
                words.extend(["--watch".into(), backend.to_string().into()]);
                words.extend(program.iter().cloned());
            }
            Then::Canary(bait) => {
                words.push("--canary".into());
                words.extend(bait.arguments());
            }
            Then::Hog(bytes) => words.extend(["--hog".into(), bytes.to_string().into()]),
            Then::Grow(path, bytes) => {
                words.extend(["--grow".into(), path.into(), bytes.to_string().into()]);
            }
        }
        words
    }

    fn parse(words: impl IntoIterator<Item = OsString>) -> Result<(Self, Then), String> {
        let mut rules = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .ok_or_else(|| format!("{} needs a value", word.display()))
            };
            match word.to_str() {
                Some("--write") => rules.writable.push(value()?.into()),
                Some("--data-bytes") => rules.data_bytes = Some(number(&value()?)?),
                Some("--processes") => rules.processes = Some(number(&value()?)?),
                Some("--file-bytes") => rules.file_bytes = Some(number(&value()?)?),
                Some("--") => return Ok((rules, Then::Run(words.collect()))),
                Some("--watch") => {
                    let backend = u32::try_from(number(&value()?)?).map_err(|error| error.to_string())?;
                    let program = words.collect();
                    return Ok((rules, Then::Watch { backend, program }));
                }
                Some("--canary") => return Ok((rules, Then::Canary(canary::Bait::parse(words)?))),
                Some("--hog") => {
                    let bytes = usize::try_from(number(&value()?)?).map_err(|error| error.to_string())?;
                    return Ok((rules, Then::Hog(bytes)));
                }
                Some("--grow") => return Ok((rules, Then::Grow(value()?.into(), number(&value()?)?))),
                Some(_) | None => return Err(format!("{} is unknown", word.display())),
            }
        }
        Err("there is nothing to run".to_owned())
    }
}

fn number(word: &OsStr) -> Result<u64, String> {
    let number = word.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("{} is no number", word.display()))
}

/// Does what the arguments after [`ARGUMENT`] say; it returns only if that fails, or
/// was no program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let prepared = Rules::parse(arguments).and_then(|(rules, then)| {
        // The children of the canary have all rules already.
        if matches!(then, Then::Run(_) | Then::Canary(_)) {
            restrict(&rules)?;
        }
        if matches!(then, Then::Watch { .. }) {
            bound(&rules)?;
        }
        Ok(then)
    });
    match prepared {
        Ok(Then::Run(words)) => run(&words),
        Ok(Then::Watch { backend, program }) => watch::run(backend, &program),
        Ok(Then::Canary(bait)) => canary::run(&bait),
        Ok(Then::Hog(bytes)) => canary::hog(bytes),
        Ok(Then::Grow(path, bytes)) => canary::grow(&path, bytes),
        Err(detail) => {
            say(&detail);
            ExitCode::from(STATUS_FAILED)
        }
    }
}

fn run(words: &[OsString]) -> ExitCode {
    let [program, arguments @ ..] = words else {
        say("there is nothing to run");
        return ExitCode::from(STATUS_FAILED);
    };
    // What whoever started the backend left open leads out: a folder above all.
    close_fds::set_fds_cloexec(FIRST_OF_OTHERS, &[]);
    not_run(program, &Command::new(program).args(arguments).exec())
}

/// Says why a program could not be executed, as a shell does.
fn not_run(program: &OsStr, error: &std::io::Error) -> ExitCode {
    say(&format!("{}: {error}", program.display()));
    ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound {
        STATUS_NOT_FOUND
    } else {
        STATUS_NOT_EXECUTABLE
    })
}

/// To the program's own standard error; if that is closed, nobody is left to tell.
fn say(text: &str) {
    let _unseen = writeln!(std::io::stderr(), "{PREFIX}{text}");
}

fn restrict(rules: &Rules) -> Result<(), String> {
    bound(rules)?;
    fence(rules).map_err(|error| format!("Landlock: {error}"))?;
    filter::apply()
}

fn bound(rules: &Rules) -> Result<(), String> {
    let bounds = [
        (Resource::RLIMIT_DATA, rules.data_bytes),
        (Resource::RLIMIT_NPROC, rules.processes),
        (Resource::RLIMIT_FSIZE, rules.file_bytes),
        (Resource::RLIMIT_NOFILE, Some(OPEN_FILES_MAX)),
        (Resource::RLIMIT_CORE, Some(CORE_BYTES)),
    ];
    for (resource, value) in bounds {
        let Some(value) = value else { continue };
        let lowered = getrlimit(resource).and_then(|(_, hard)| {
            let value = value.min(hard);
            setrlimit(resource, value, value)
        });
        lowered.map_err(|error| format!("{resource:?}: {error}"))?;
    }
    Ok(())
}

/// Reading and executing everywhere, since only what may be read is there; writing
/// where it was allowed. On an older kernel as much as it knows: the canary tells.
fn fence(rules: &Rules) -> Result<(), RulesetError> {
    let abi = ABI::V6;
    let always = WRITABLE.iter().map(PathBuf::from);
    let writable: Vec<PathBuf> = always.chain(rules.writable.iter().cloned()).collect();
    Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(["/"], AccessFs::from_read(abi)))?
        .add_rules(path_beneath_rules(writable, AccessFs::from_all(abi)))?
        .restrict_self()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_they_are_written() {
        let check = |rules: Rules, then: Then| {
            let words = rules.arguments(&then);
            assert_eq!(Rules::parse(words.into_iter().skip(1)), Ok((rules, then)));
        };
        let all = Rules {
            writable: vec!["/work".into(), "/with space".into()],
            data_bytes: Some(1),
            processes: Some(2),
            file_bytes: Some(3),
        };
        check(
            all.clone(),
            Then::Run(vec!["sh".into(), "--write".into(), "--".into()]),
        );
        check(
            Rules::default(),
            Then::Watch {
                backend: 7,
                program: vec!["sh".into(), "-c".into()],
            },
        );
        check(Rules::default(), Then::Hog(7));
        check(Rules::default(), Then::Grow("/tmp/file".into(), 8));
        let bait = canary::Bait {
            port: 80,
            abstract_name: "name".into(),
            host_pid: 12,
            host_file: "/home/someone/file".into(),
            processes: 9,
            hog_bytes: 1 << 20,
            tmp_bytes: 1 << 10,
            file_bytes: 5,
            hidden: vec!["/root".into()],
        };
        check(all, Then::Canary(bait));
    }

    #[test]
    fn what_is_not_understood_runs_nothing() {
        let check = |words: &[&str], expect: &str| {
            let words = words.iter().map(OsString::from);
            assert_eq!(Rules::parse(words), Err(expect.to_owned()));
        };
        check(&[], "there is nothing to run");
        check(&["--write"], "--write needs a value");
        check(&["--processes", "many", "--", "sh"], "many is no number");
        check(&["sh"], "sh is unknown");
    }
}
