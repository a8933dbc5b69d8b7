//! One sandbox for all tests, and how a script is run in it.

use std::{ffi::OsString, path::Path, sync::OnceLock};

use sandbox::{Access, Choice, Ended, Job, Mount, Options, Sandbox, Stop};

/// The options of the tests: bubblewrap, and this crate's helper.
pub fn options() -> Options {
    Options {
        engine: Choice::Bubblewrap,
        ..Options::new(env!("CARGO_BIN_EXE_sandbox-init"))
    }
}

/// The sandbox; none where bubblewrap cannot be used, which is said, and wrong in `CI`.
pub fn sandbox() -> Option<&'static Sandbox> {
    static FOUND: OnceLock<Option<Sandbox>> = OnceLock::new();
    let found = FOUND.get_or_init(|| match Sandbox::detect(&options()) {
        Ok(sandbox) => Some(sandbox),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{error}");
            eprintln!("no test with a sandbox: {error}");
            None
        }
    });
    found.as_ref()
}

/// A job that runs a shell's script, with `folder` writable at `/work`.
pub fn script(text: &str, folder: &Path) -> Job {
    let mut job = Job::new("/bin/sh");
    job.args = vec!["-c".into(), text.into()];
    job.mounts = vec![Mount {
        host: folder.to_owned(),
        inside: "/work".into(),
        access: Access::ReadWrite,
    }];
    job.directory = "/work".into();
    job
}

/// A job that runs a Python program, likewise.
pub fn python(text: &str, folder: &Path) -> Job {
    let mut job = script("", folder);
    job.program = "/usr/bin/python3".into();
    job.args = ["-c", text].map(OsString::from).into();
    job
}

/// Runs it to its end.
pub fn run(sandbox: &Sandbox, job: &Job) -> Ended {
    sandbox.run(job, &mut |_, _| {}, &Stop::default()).unwrap()
}

/// What a job wrote, for a message of a test.
pub fn said(ended: &Ended) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", ended.ending, text(&ended.stdout), text(&ended.stderr))
}
