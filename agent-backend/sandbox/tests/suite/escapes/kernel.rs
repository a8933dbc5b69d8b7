//! The kernel's less trodden parts, other processes, and the terminal.

use std::{fs::File, process};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::{escapes::check, support::sandbox};

/// System calls that are refused whatever they are given, and with what.
const REFUSED: &[(&str, i64, &str)] = &[
    ("add_key", libc::SYS_add_key, "EPERM"),
    ("keyctl", libc::SYS_keyctl, "EPERM"),
    ("request_key", libc::SYS_request_key, "EPERM"),
    ("bpf", libc::SYS_bpf, "EPERM"),
    ("perf_event_open", libc::SYS_perf_event_open, "EPERM"),
    ("init_module", libc::SYS_init_module, "EPERM"),
    ("kexec_load", libc::SYS_kexec_load, "EPERM"),
    ("reboot", libc::SYS_reboot, "EPERM"),
    ("swapon", libc::SYS_swapon, "EPERM"),
    ("syslog", libc::SYS_syslog, "EPERM"),
    ("settimeofday", libc::SYS_settimeofday, "EPERM"),
    ("clock_settime", libc::SYS_clock_settime, "EPERM"),
    ("mount", libc::SYS_mount, "EPERM"),
    ("umount2", libc::SYS_umount2, "EPERM"),
    ("pivot_root", libc::SYS_pivot_root, "EPERM"),
    ("fsopen", libc::SYS_fsopen, "EPERM"),
    ("open_tree", libc::SYS_open_tree, "EPERM"),
    ("move_mount", libc::SYS_move_mount, "EPERM"),
    ("mount_setattr", libc::SYS_mount_setattr, "EPERM"),
    ("setns", libc::SYS_setns, "EPERM"),
    ("open_by_handle_at", libc::SYS_open_by_handle_at, "EPERM"),
    ("ptrace", libc::SYS_ptrace, "EPERM"),
    ("process_vm_readv", libc::SYS_process_vm_readv, "EPERM"),
    ("process_vm_writev", libc::SYS_process_vm_writev, "EPERM"),
    ("pidfd_getfd", libc::SYS_pidfd_getfd, "EPERM"),
    ("fanotify_init", libc::SYS_fanotify_init, "EPERM"),
    ("userfaultfd", libc::SYS_userfaultfd, "ENOSYS"),
    ("io_uring_setup", libc::SYS_io_uring_setup, "ENOSYS"),
    ("io_uring_enter", libc::SYS_io_uring_enter, "ENOSYS"),
    ("io_uring_register", libc::SYS_io_uring_register, "ENOSYS"),
    ("memfd_secret", libc::SYS_memfd_secret, "ENOSYS"),
    ("clone3", libc::SYS_clone3, "ENOSYS"),
];

/// Flags of namespaces, for `unshare`.
const NAMESPACES: &[(&str, i32)] = &[
    ("user", libc::CLONE_NEWUSER),
    ("mount", libc::CLONE_NEWNS),
    ("network", libc::CLONE_NEWNET),
    ("process", libc::CLONE_NEWPID),
    ("ipc", libc::CLONE_NEWIPC),
    ("uts", libc::CLONE_NEWUTS),
    ("cgroup", libc::CLONE_NEWCGROUP),
    ("time", 0x80),
];

#[test]
fn dangerous_system_calls_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut program, mut expect) = (String::new(), Vec::new());
    for (name, number, answer) in REFUSED {
        program += &format!("attempt('{name}', syscall, {number}, 0, 0, 0, 0, 0)\n");
        expect.push(format!("{name}: {answer}"));
    }
    for (name, flag) in NAMESPACES {
        program += &format!(
            "attempt('{name} namespace', syscall, {}, {flag})\n",
            libc::SYS_unshare
        );
        expect.push(format!("{name} namespace: EPERM"));
    }
    let child = libc::CLONE_NEWUSER | libc::SIGCHLD;
    program += &format!(
        "attempt('clone', syscall, {}, {child}, 0, 0, 0, 0)\n",
        libc::SYS_clone
    );
    expect.push("clone: EPERM".to_owned());
    // The same calls by their other numbers.
    if cfg!(target_arch = "x86_64") {
        for (name, number) in [
            ("keyctl", libc::SYS_keyctl),
            ("ptrace", 521),
            ("mount", libc::SYS_mount),
        ] {
            let number = number | 0x4000_0000;
            program += &format!("attempt('{name} of x32', syscall, {number}, 0, 0, 0, 0, 0)\n");
            expect.push(format!("{name} of x32: EPERM"));
        }
    }
    // What every program needs is not refused by accident.
    program +=
        "attempt('unshare of nothing', syscall, UNSHARE, 0)\nattempt('pipe', lambda: bool(os.pipe()))\n";
    let program = program.replace("UNSHARE", &libc::SYS_unshare.to_string());
    expect.extend([
        "unshare of nothing: done 0".to_owned(),
        "pipe: done True".to_owned(),
    ]);
    let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    check(folder.path(), &program, &expect);
}

#[test]
fn other_processes_are_neither_seen_nor_reached() {
    let folder = tempfile::tempdir().unwrap();
    let pid = process::id();
    // Left open for whatever is started, as a careless starter of the backend does.
    let root = File::open("/").unwrap();
    fcntl(&root, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let program = format!(
        r#"
attempt("signal", os.kill, {pid}, 0)
attempt("memory", open, "/proc/{pid}/mem", "r+b")
attempt("init", os.kill, 1, signal.SIGKILL)
numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
print("processes:", len(numbers) <= 3 and max(numbers) < 10)
print("descriptors:", [name for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name)])
"#
    );
    // To the first process of a namespace, its own members' signals do nothing.
    let expect = [
        "signal: ESRCH",
        "memory: ENOENT",
        "init: done None|EPERM",
        "processes: True",
        "descriptors: ['0', '1', '2']",
    ];
    check(folder.path(), &program, &expect);
}

#[test]
fn nothing_can_be_typed_into_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    // A terminal of its own, which it controls: only the filter stands between.
    let program = r#"
import fcntl, pty, termios
attempt("the caller's terminal", os.open, "/dev/tty", os.O_RDWR)
parent, child = pty.openpty()
os.setsid() if os.getpid() != os.getsid(0) else None
attempt("control", lambda: fcntl.ioctl(child, termios.TIOCSCTTY, 0))
attempt("typing", lambda: fcntl.ioctl(child, termios.TIOCSTI, b"x"))
attempt("typing with more bits", lambda: libc.ioctl(child, ctypes.c_ulong(0x100000000 | termios.TIOCSTI), b"x") and syscall(-1))
"#;
    let expect = [
        "the caller's terminal: ENXIO",
        "control: done 0",
        "typing: EPERM",
        "typing with more bits: ENOSYS",
    ];
    if sandbox().is_some() {
        check(folder.path(), program, &expect);
    }
}

#[test]
fn nothing_of_the_callers_environment_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    // Cargo gives its tests variables; none of them may arrive.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let program = r#"
print("names:", sorted(os.environ))
def first():
    with open("/proc/1/environ") as file:
        return "CARGO" in file.read()
attempt("of the first process", first)
"#;
    let expect = [
        "names: ['HOME', 'LANG', 'PATH', 'PWD']",
        "of the first process: done False|EACCES",
    ];
    check(folder.path(), program, &expect);
}

#[test]
fn no_file_gives_privileges() {
    let folder = tempfile::tempdir().unwrap();
    let program = r#"
with open("/proc/self/status") as file:
    fields = dict(line.split(":", 1) for line in file)
for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
    print(f"{name}:", int(fields[name], 16))
print("NoNewPrivs:", fields["NoNewPrivs"].strip())
with open("/proc/self/mountinfo") as file:
    mounts = [line.split() for line in file]
print("setuid:", [words[4] for words in mounts if "nosuid" not in words[5].split(",")])
print("writable:", sorted(words[4] for words in mounts if "rw" in words[5].split(",") and not words[4].startswith(("/dev/", "/proc"))))
print("devices:", sorted(set(os.listdir("/dev")) - {"core", "fd", "stdin", "stdout", "stderr", "console"}))
"#;
    let expect = [
        "CapInh: 0",
        "CapPrm: 0",
        "CapEff: 0",
        "CapBnd: 0",
        "CapAmb: 0",
        "NoNewPrivs: 1",
        "setuid: []",
        "writable: ['/tmp', '/work']",
        "devices: ['full', 'null', 'ptmx', 'pts', 'random', 'shm', 'tty', 'urandom', 'zero']",
    ];
    check(folder.path(), program, &expect);
}
