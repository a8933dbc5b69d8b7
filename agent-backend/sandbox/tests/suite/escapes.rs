//! Whoever runs inside wants out. All of it must fail, and for the reason that it
//! should: each attempt says what it met, so that one that could not even be tried is
//! seen.

mod exhaust;
mod kernel;
mod reach;

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    time::Duration,
};

use sandbox::{Ended, Ending};

use crate::support::{python, run, said, sandbox};

/// What the programs below share: `attempt` prints what came of something.
const PRELUDE: &str = r#"
import ctypes, errno, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, function, *arguments):
    try:
        result = function(*arguments)
        print(f"{name}: done {result}")
    except OSError as error:
        print(f"{name}: {errno.errorcode.get(error.errno, error.errno)}")
def syscall(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result
"#;

/// Runs a Python program with `attempt`, and compares all that it says.
#[track_caller]
fn check(folder: &Path, program: &str, expect: &[&str]) {
    let Some(sandbox) = sandbox() else { return };
    let ended = run(sandbox, &python(&format!("{PRELUDE}{program}"), folder));
    assert_eq!(mismatch(&ended, expect), None);
}

/// Where the lines that a program wrote are not the expected ones. Which line of defence
/// answers first differs between kernels and users: `a|b` takes either.
fn mismatch(ended: &Ended, expect: &[&str]) -> Option<String> {
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    let found: Vec<&str> = text.lines().collect();
    let is_expected = |(found, expect): (&&str, &&str)| {
        let (name, answers) = expect.split_once(": ").unwrap();
        let answer = found.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
        answer.is_some_and(|answer| answers.split('|').any(|expect| expect == answer))
    };
    let wrong: Vec<_> = found
        .iter()
        .zip(expect)
        .filter(|pair| !is_expected(*pair))
        .collect();
    let is_right = wrong.is_empty() && found.len() == expect.len() && ended.ending == Ending::Exited(0);
    (!is_right).then(|| format!("{wrong:#?}\n{}", said(ended)))
}

#[test]
fn every_way_out_is_closed() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let work = tempfile::tempdir().unwrap();
    symlink(&secret, work.path().join("link")).unwrap();
    symlink(outside.path(), work.path().join("folder")).unwrap();
    let tree = outside.path().display();
    let program = format!(
        r#"
def write(path):
    with open(path, "w") as file:
        file.write("escaped")
for path in ["/file", "/usr/file", "/etc/passwd", "/dev/file", "/proc/sys/kernel/core_pattern",
             "/proc/sysrq-trigger", "/proc/self/oom_score_adj", "/run/sandbox-init"]:
    attempt("write " + path, write, path)
for path in ["/root", "/home", "/etc/shadow", "/sys", "/var", "{tree}/secret", "/work/link",
             "/work/folder/secret", "/proc/1/root/root", "/proc/self/cwd/../root", "/work/../../root"]:
    attempt("read " + path.replace("{tree}", "TREE"), os.stat, path)
attempt("write through a link", write, "/work/link")
attempt("write through a linked folder", write, "/work/folder/new")
attempt("device", os.mknod, "/tmp/disk", 0o60600, os.makedev(8, 0))
attempt("chroot", os.chroot, "/tmp")
"#
    );
    let expect = [
        "write /file: EROFS",
        "write /usr/file: EROFS",
        "write /etc/passwd: EROFS",
        "write /dev/file: EROFS",
        "write /proc/sys/kernel/core_pattern: EROFS|EACCES",
        "write /proc/sysrq-trigger: EROFS|EACCES|ENOENT",
        "write /proc/self/oom_score_adj: EACCES",
        "write /run/sandbox-init: EROFS",
        "read /root: ENOENT",
        "read /home: ENOENT",
        "read /etc/shadow: ENOENT",
        "read /sys: ENOENT",
        "read /var: ENOENT",
        "read TREE/secret: ENOENT",
        "read /work/link: ENOENT",
        "read /work/folder/secret: ENOENT",
        "read /proc/1/root/root: EACCES",
        "read /proc/self/cwd/../root: ENOENT",
        "read /work/../../root: ENOENT",
        "write through a link: ENOENT",
        "write through a linked folder: ENOENT",
        "device: EPERM",
        "chroot: EPERM",
    ];
    check(work.path(), &program, &expect);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

/// A process that does all it can to live on, and holds a lock as long as it lives.
const DAEMON: &str = r#"
import fcntl, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    lock = open("/work/lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    open("/work/alive", "w").close()
    time.sleep(1000)
while not os.path.exists("/work/alive"):
    time.sleep(0.01)
"#;

/// Runs the daemon beside `rest`; then nobody may hold its lock.
#[track_caller]
fn check_gone(rest: &str, limit: Duration, ending: Ending) {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut job = python(&format!("{PRELUDE}{DAEMON}{rest}"), folder.path());
    job.limits.time = limit;
    let ended = run(sandbox, &job);
    assert_eq!(ended.ending, ending, "{}", said(&ended));
    assert!(folder.path().join("alive").exists(), "{}", said(&ended));
    File::open(folder.path().join("lock"))
        .unwrap()
        .try_lock()
        .unwrap();
}

#[test]
fn no_process_survives_the_end() {
    let long = Duration::from_secs(600);
    check_gone("", long, Ending::Exited(0));
    check_gone("os.kill(os.getpid(), signal.SIGKILL)", long, Ending::Signalled(9));
    check_gone("while True: pass", Duration::from_secs(2), Ending::TimedOut);
}
