//! Whoever takes all there is: processes, memory, disk.

use std::{fs, time::Duration};

use sandbox::{Ending, Limits, Options, Promise, Sandbox};

use crate::{
    escapes::{PRELUDE, mismatch},
    support::{options, python, run, said, sandbox, script},
};

const MIB: u64 = 1 << 20;

/// Whether a promise holds here; one that does not is said, and its test left out.
fn holds(sandbox: &Sandbox, promise: Promise) -> bool {
    let found = sandbox
        .guarantees()
        .iter()
        .find(|each| each.promise == promise)
        .unwrap();
    if !found.holds() {
        eprintln!("not tried: {found:?}");
    }
    found.holds()
}

#[test]
fn processes_are_bounded() {
    let Some(sandbox) = sandbox() else { return };
    if !holds(sandbox, Promise::ProcessLimit) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = r#"
import time
started = 0
def start():
    global started
    while started < 200:
        if os.fork() == 0:
            time.sleep(1000)
        started += 1
attempt("forks", start)
print("started:", 10 <= started <= 20)
"#;
    let mut job = python(&format!("{PRELUDE}{program}"), folder.path());
    job.limits.processes = 20;
    let ended = run(sandbox, &job);
    assert_eq!(mismatch(&ended, &["forks: EAGAIN", "started: True"]), None);
    // A bomb has no end; the time limit is one.
    let bomb = r#"
while True:
    try:
        os.fork()
    except OSError:
        pass
"#;
    let mut job = python(&format!("{PRELUDE}{bomb}"), folder.path());
    job.limits = Limits {
        time: Duration::from_secs(1),
        processes: 50,
        ..job.limits
    };
    assert_eq!(run(sandbox, &job).ending, Ending::TimedOut);
}

/// What a program ends with that takes more memory than it may.
#[track_caller]
fn check_memory(program: &str) {
    let Some(sandbox) = sandbox() else { return };
    if !holds(sandbox, Promise::MemoryLimit) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut job = python(&format!("{PRELUDE}{program}"), folder.path());
    job.limits.memory_bytes = 64 * MIB;
    let ended = run(sandbox, &job);
    assert_eq!(ended.ending, Ending::OutOfMemory, "{}", said(&ended));
}

#[test]
fn memory_is_bounded_for_all_processes_together() {
    check_memory("one = bytearray(100 << 20)");
    check_memory(
        r#"
children = []
for _ in range(6):
    child = os.fork()
    if child == 0:
        some = bytearray(20 << 20)
        signal.pause()
    children.append(child)
# The kernel kills one of them, or all.
pid, status = os.wait()
os._exit(1)
"#,
    );
    // Files in memory count as well, whoever has them open.
    check_memory(
        r#"
for number in range(8):
    with open(f"/tmp/{number}", "wb") as file:
        file.write(bytes(16 << 20))
"#,
    );
    check_memory(
        r#"
for number in range(8):
    os.write(os.memfd_create("x"), bytes(16 << 20))
"#,
    );
}

#[test]
fn without_control_groups_memory_is_bounded_as_well_as_it_can_be() {
    if sandbox().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        control_groups: folder.path().to_owned(),
        ..options()
    };
    let sandbox = Sandbox::detect(&options).unwrap();
    let held = sandbox
        .guarantees()
        .iter()
        .find(|each| each.promise == Promise::MemoryLimit);
    assert!(!held.unwrap().holds());
    let ending = |program: &str| {
        let mut job = python(&format!("{PRELUDE}{program}"), folder.path());
        job.limits.memory_bytes = 64 * MIB;
        run(&sandbox, &job)
    };
    // One process is refused what it asks for.
    let one = ending("one = bytearray(100 << 20)");
    assert_eq!(one.ending, Ending::Exited(1), "{}", said(&one));
    assert!(said(&one).contains("MemoryError"), "{}", said(&one));
    // Several together are seen and killed.
    let several = ending(
        r#"
for _ in range(6):
    if os.fork() == 0:
        os.setsid()
        some = bytearray(20 << 20)
        signal.pause()
signal.pause()
"#,
    );
    assert_eq!(several.ending, Ending::OutOfMemory, "{}", said(&several));
}

#[test]
fn tmp_is_bounded_and_private() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = r#"
def fill(folder):
    with open(folder + "/file", "wb") as file:
        for _ in range(8):
            file.write(bytes(1 << 20))
for folder in ["/tmp", "/dev/shm"]:
    print(f"{folder}:", os.listdir(folder))
    attempt("fill " + folder, fill, folder)
"#;
    let mut job = python(&format!("{PRELUDE}{program}"), folder.path());
    job.limits.tmp_bytes = 4 * MIB;
    let expect = [
        "/tmp: []",
        "fill /tmp: ENOSPC",
        "/dev/shm: []",
        "fill /dev/shm: ENOSPC",
    ];
    assert_eq!(mismatch(&run(sandbox, &job), &expect), None);
    // Nothing of it is there the next time.
    assert_eq!(mismatch(&run(sandbox, &job), &expect), None);
}

#[test]
fn the_disk_cannot_be_filled() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    // One file: Python ignores the signal and sees the error.
    let program = r#"
def fill():
    with open("/work/file", "wb") as file:
        for _ in range(8):
            file.write(bytes(1 << 20))
attempt("fill", fill)
attempt("sparse", os.truncate, "/work/file", 1 << 40)
"#;
    let mut job = python(&format!("{PRELUDE}{program}"), folder.path());
    job.limits.file_bytes = 4 * MIB;
    assert_eq!(
        mismatch(&run(sandbox, &job), &["fill: EFBIG", "sparse: EFBIG"]),
        None
    );
    assert!(fs::metadata(folder.path().join("file")).unwrap().len() <= 4 * MIB);
    // Many files.
    let many = "i=0; while :; do head -c 1000000 /dev/urandom > /work/$i; i=$((i+1)); sleep 0.002; done";
    let mut job = script(many, folder.path());
    job.limits.written_bytes = 8 * MIB;
    assert_eq!(run(sandbox, &job).ending, Ending::WroteTooMuch);
    // The same in a folder within, with times of its own choosing.
    let hidden = "mkdir d; i=0; while :; do head -c 1000000 /dev/urandom > d/$i; touch -d 2001-01-01 d/$i; i=$((i+1)); done";
    let mut job = script(hidden, folder.path());
    job.limits.written_bytes = 8 * MIB;
    assert_eq!(run(sandbox, &job).ending, Ending::WroteTooMuch);
}
