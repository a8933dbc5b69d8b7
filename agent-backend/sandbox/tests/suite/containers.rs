//! Podman for real, where it is installed, with an image made of this machine's own files:
//! no registry is asked.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use sandbox::{Choice, Ending, Error, Kind, Language, Limits, Mount, Options, Sandbox, Stop};

use crate::support::{options, said, script};

const MIB: u64 = 1 << 20;

/// What the image has, besides the libraries of these and of the helper.
const PROGRAMS: [&str; 5] = [
    "/bin/sh",
    "/usr/bin/sleep",
    "/usr/bin/setsid",
    "/usr/bin/head",
    "/usr/bin/tail",
];

/// An image that is gone at the end.
struct Image(String);

impl Image {
    /// None where there is no podman, or it has not what it needs, which is said.
    fn make() -> Option<Self> {
        let programs = PROGRAMS.iter().map(PathBuf::from);
        let mut files: Vec<PathBuf> = programs.collect();
        files.extend(libraries(Path::new(env!("CARGO_BIN_EXE_sandbox-init"))));
        files.extend(PROGRAMS.iter().flat_map(|program| libraries(Path::new(program))));
        files.sort();
        files.dedup();
        let name = format!("localhost/agentic-ide-test:{}", process::id());
        // The links of a merged `/usr` are followed, so that every path is there.
        let mut tar = Command::new("tar")
            .args(["--create", "--dereference", "--absolute-names", "--file=-"])
            .args(&files)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let podman = Command::new("podman")
            .args(["import", "--quiet", "-", &name])
            .stdin(tar.stdout.take().unwrap())
            .output();
        tar.wait().unwrap();
        match podman {
            Ok(output) if output.status.success() => Some(Self(name)),
            other => {
                eprintln!("no test with podman: {other:?}");
                None
            }
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _gone = Command::new("podman").args(["rmi", "--force", &self.0]).output();
    }
}

/// The shared libraries that a program is linked with.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

#[test]
fn a_container_holds_what_it_promises() {
    let Some(image) = Image::make() else { return };
    let options = Options {
        engine: Choice::Podman,
        image: image.0.clone(),
        ..options()
    };
    let sandbox = match Sandbox::detect(&options) {
        Ok(sandbox) => sandbox,
        // A machine can have podman and refuse it what it needs.
        Err(error) => return eprintln!("no test with podman: {error}"),
    };
    assert_eq!(sandbox.kind(), Kind::Podman);
    for guarantee in sandbox.guarantees() {
        eprintln!("{guarantee:?}");
    }
    is_passed_over_without_an_image(&options);
    takes_the_image_that_is_named(&options);
    runs(&sandbox);
    ends(&sandbox);
    talks(&sandbox);
    says_what_it_cannot_make(&sandbox);
    leaves_what_it_cannot_make_to_bubblewrap(options);
    nothing_is_left();
}

fn is_passed_over_without_an_image(options: &Options) {
    let options = Options {
        image: "localhost/no-such-image:1".into(),
        ..options.clone()
    };
    let expect = "no sandbox can be used here: podman: it has no image localhost/no-such-image:1 \
                  (`podman pull localhost/no-such-image:1`)";
    assert_eq!(Sandbox::detect(&options).unwrap_err().to_string(), expect);
}

/// An image that a person names for a language is taken as it is.
fn takes_the_image_that_is_named(options: &Options) {
    let named = |image: &str| Options {
        images: [(Language::Python, image.to_owned())].into(),
        ..options.clone()
    };
    let folder = tempfile::tempdir().unwrap();
    let mut job = script("touch /work/ran", folder.path());
    job.language = Language::Python;
    let run = |options: &Options| {
        let sandbox = Sandbox::detect(options).unwrap();
        sandbox.run(&job, &mut |_, _| {}, &Stop::default())
    };
    let missing = run(&named("localhost/no-such-image:1"));
    assert!(matches!(missing, Err(Error::Image { .. })), "{missing:?}");
    assert!(!folder.path().join("ran").exists());
    // Nothing could be made of the base image of this test.
    let ended = run(&named(&options.image)).unwrap();
    assert_eq!(ended.ending, Ending::Exited(0), "{}", said(&ended));
    assert!(folder.path().join("ran").exists());
}

fn runs(sandbox: &Sandbox) {
    let folder = tempfile::tempdir().unwrap();
    let job = script(
        "echo out; echo err >&2; echo made > /work/file; echo bad > /file; exit 7",
        folder.path(),
    );
    let ended = sandbox.run(&job, &mut |_, _| {}, &Stop::default()).unwrap();
    assert_eq!(
        (ended.ending, ended.stdout.as_slice()),
        (Ending::Exited(7), &b"out\n"[..]),
        "{}",
        said(&ended)
    );
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "made\n");
    assert!(said(&ended).contains("Read-only file system"), "{}", said(&ended));
    // What an engine reads as something else is refused, not misread.
    let odd = folder.path().join("a,readonly=false");
    fs::create_dir(&odd).unwrap();
    let mut job = script("true", folder.path());
    job.mounts.push(Mount {
        host: odd,
        inside: "/odd".into(),
        ..job.mounts[0].clone()
    });
    let refused = sandbox.run(&job, &mut |_, _| {}, &Stop::default());
    assert!(matches!(refused, Err(Error::Mount { .. })), "{refused:?}");
}

fn ends(sandbox: &Sandbox) {
    let folder = tempfile::tempdir().unwrap();
    let mut job = script(
        "head -c 200000000 /dev/zero | tail -c 150000000 > /dev/null",
        folder.path(),
    );
    job.limits = Limits {
        memory_bytes: 64 * MIB,
        ..job.limits
    };
    let ended = sandbox.run(&job, &mut |_, _| {}, &Stop::default()).unwrap();
    // The shell lives on and says what became of the last program.
    let is_right = matches!(
        ended.ending,
        Ending::OutOfMemory | Ending::Signalled(9) | Ending::Exited(1)
    );
    assert!(is_right, "{}", said(&ended));
    let stop = Stop::default();
    let job = script("setsid sleep 1000 & echo ready; sleep 1000", folder.path());
    let ended = sandbox.run(&job, &mut |_, _| stop.stop(), &stop).unwrap();
    assert_eq!(ended.ending, Ending::Stopped, "{}", said(&ended));
}

fn talks(sandbox: &Sandbox) {
    let folder = tempfile::tempdir().unwrap();
    let job = script("while read line; do echo \"[$line]\"; done", folder.path());
    let mut command = sandbox.command(&job, &Stop::default()).unwrap();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(to, "word").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "[word]");
    drop(to);
    assert!(child.wait().unwrap().success());
}

fn says_what_it_cannot_make(sandbox: &Sandbox) {
    let folder = tempfile::tempdir().unwrap();
    // The base image of this test has no apt-get.
    let mut job = script("touch /work/ran", folder.path());
    job.language = Language::Python;
    let refused = sandbox.run(&job, &mut |_, _| {}, &Stop::default());
    assert!(matches!(refused, Err(Error::Image { .. })), "{refused:?}");
    assert!(!folder.path().join("ran").exists());
}

fn leaves_what_it_cannot_make_to_bubblewrap(options: Options) {
    let options = Options {
        engine: Choice::Auto,
        docker: "no-such-docker".into(),
        ..options
    };
    let sandbox = Sandbox::detect(&options).unwrap();
    assert_eq!(sandbox.kind(), Kind::Podman);
    let folder = tempfile::tempdir().unwrap();
    let mut job = script("touch /work/ran", folder.path());
    job.language = Language::Python;
    let ended = sandbox.run(&job, &mut |_, _| {}, &Stop::default());
    if crate::support::sandbox().is_some() {
        assert_eq!(ended.unwrap().ending, Ending::Exited(0));
        assert!(folder.path().join("ran").exists());
    }
}

fn nothing_is_left() {
    let filter = format!("name=agentic-ide-sandbox-{}-", process::id());
    let output = Command::new("podman")
        .args(["ps", "--all", "--quiet", "--filter", &filter])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
}

#[test]
fn an_engine_that_does_not_answer_is_passed_over_and_it_is_said() {
    let options = Options {
        engine: Choice::Auto,
        docker: "no-such-docker".into(),
        podman: "/bin/false".into(),
        ..options()
    };
    let bubblewrap = Options {
        order: vec![Kind::Bubblewrap, Kind::Docker],
        ..options.clone()
    };
    if let Ok(sandbox) = Sandbox::detect(&bubblewrap) {
        assert_eq!(
            (sandbox.kind(), sandbox.passed_over()),
            (Kind::Bubblewrap, &[][..])
        );
    }
    let nowhere = Options {
        order: Vec::new(),
        ..options.clone()
    };
    assert!(matches!(Sandbox::detect(&nowhere), Err(Error::TurnedOff)));
    let expect = [
        (Kind::Docker, "not installed".to_owned()),
        (Kind::Podman, "it does not answer: exit status 1: ".to_owned()),
    ];
    match Sandbox::detect(&options) {
        Ok(sandbox) => {
            assert_eq!(sandbox.kind(), Kind::Bubblewrap);
            assert_eq!(sandbox.passed_over(), expect);
        }
        Err(Error::Unavailable { why }) => assert_eq!(why[..2], expect),
        Err(other) => panic!("{other:?}"),
    }
}
