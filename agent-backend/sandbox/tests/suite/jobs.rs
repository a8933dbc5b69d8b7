//! What a job gives back, and how it is ended.

use std::{fs, thread, time::Duration};

use sandbox::{Access, Ending, Error, Job, Mount, Stop, Stream};

use crate::support::{python, run, said, sandbox, script};

/// What a script ends with and says.
#[track_caller]
fn check(text: &str, ending: Ending, stdout: &str, stderr: &str) {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ended = run(sandbox, &script(text, folder.path()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        (
            ended.ending,
            text(&ended.stdout),
            text(&ended.stderr),
            ended.left_out_bytes
        ),
        (ending, stdout.to_owned(), stderr.to_owned(), 0)
    );
}

#[test]
fn a_program_runs_and_its_status_is_told() {
    check("echo out; echo err >&2", Ending::Exited(0), "out\n", "err\n");
    check("exit 7", Ending::Exited(7), "", "");
    check("kill -TERM $$", Ending::Signalled(15), "", "");
    check("exec 1>&- 2>&-; sleep 0.05; exit 3", Ending::Exited(3), "", "");
    check(
        "echo out > /dev/stdout; echo err > /dev/stderr",
        Ending::Exited(0),
        "out\n",
        "err\n",
    );
    check("cat", Ending::Exited(0), "", "");
    check(
        "pwd; id -u; id -un; echo $HOME",
        Ending::Exited(0),
        "/work\n1000\nsandbox\n/tmp\n",
        "",
    );
}

#[test]
fn a_program_that_is_missing_is_told_as_a_shell_does() {
    let Some(sandbox) = sandbox() else { return };
    let ended = run(sandbox, &Job::new("no-such-program"));
    assert_eq!(ended.ending, Ending::Exited(127), "{}", said(&ended));
    let ended = run(sandbox, &Job::new("/etc/passwd"));
    assert_eq!(ended.ending, Ending::Exited(126), "{}", said(&ended));
}

#[test]
fn the_mounts_are_seen_and_written_as_they_were_given() {
    let Some(sandbox) = sandbox() else { return };
    let (work, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(data.path().join("file"), "data").unwrap();
    let text = "cat /data/file; echo new > /work/made; echo bad > /data/file; echo bad > /data/made; ls /";
    let mut job = script(text, work.path());
    job.mounts.push(Mount {
        host: data.path().to_owned(),
        inside: "/data".into(),
        access: Access::ReadOnly,
    });
    let ended = run(sandbox, &job);
    assert_eq!(
        fs::read_to_string(work.path().join("made")).unwrap(),
        "new\n",
        "{}",
        said(&ended)
    );
    assert_eq!(fs::read_to_string(data.path().join("file")).unwrap(), "data");
    assert!(!data.path().join("made").exists());
    let seen = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(seen.starts_with("data"), "{seen}");
    for hidden in ["root", "home", "sys", "mnt", "opt", "srv", "var", "boot"] {
        assert!(!seen.lines().any(|line| line == hidden), "{hidden} in {seen}");
    }
}

#[test]
fn a_mount_that_cannot_be_shown_runs_nothing() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let job = script("touch /work/ran", &folder.path().join("missing"));
    let refused = sandbox.run(&job, &mut |_, _| {}, &Stop::default());
    assert!(matches!(refused, Err(Error::Mount { .. })), "{refused:?}");
    // A place to start that is not there is the engine's to find.
    let mut job = script("touch /work/ran", folder.path());
    job.directory = "/nowhere".into();
    let refused = sandbox.run(&job, &mut |_, _| {}, &Stop::default());
    assert!(matches!(refused, Err(Error::Setup { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn output_comes_while_the_program_runs() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    // It ends only when its first line was seen outside.
    let job = script(
        "echo ready; until [ -e /work/seen ]; do sleep 0.01; done; echo done",
        folder.path(),
    );
    let mut pieces = Vec::new();
    let mut on_output = |stream: Stream, bytes: &[u8]| {
        fs::write(folder.path().join("seen"), "").unwrap();
        pieces.push((stream, String::from_utf8_lossy(bytes).into_owned()));
    };
    let ended = sandbox.run(&job, &mut on_output, &Stop::default()).unwrap();
    assert_eq!(ended.ending, Ending::Exited(0), "{}", said(&ended));
    let expect = [
        (Stream::Stdout, "ready\n".to_owned()),
        (Stream::Stdout, "done\n".to_owned()),
    ];
    assert_eq!(pieces, expect);
}

#[test]
fn output_without_end_is_bounded() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut job = script("echo first; yes | head -c 3000000; echo last", folder.path());
    job.limits.output_bytes = 1000;
    let mut streamed = 0;
    let ended = sandbox
        .run(&job, &mut |_, bytes| streamed += bytes.len(), &Stop::default())
        .unwrap();
    let stdout = String::from_utf8(ended.stdout).unwrap();
    assert!(
        stdout.starts_with("first\ny\n") && stdout.ends_with("y\nlast\n"),
        "{stdout}"
    );
    assert_eq!((streamed, ended.left_out_bytes), (1000, 3_000_011 - 1000));
}

#[test]
fn another_thread_can_stop_it() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let job = script("echo ready; sleep 60 & setsid sleep 60 & sleep 60", folder.path());
    let stop = Stop::default();
    let (told, ready) = std::sync::mpsc::channel();
    let ended = thread::scope(|scope| {
        let other = stop.clone();
        scope.spawn(move || {
            ready.recv().unwrap();
            other.stop();
        });
        sandbox
            .run(&job, &mut |_, _| told.send(()).unwrap(), &stop)
            .unwrap()
    });
    assert_eq!(ended.ending, Ending::Stopped);
    assert!(ended.duration < Duration::from_secs(30), "{:?}", ended.duration);
    // Once is for ever.
    let ended = sandbox.run(&job, &mut |_, _| {}, &stop).unwrap();
    assert_eq!(ended.ending, Ending::Stopped);
}

#[test]
fn the_recipe_can_be_run_again() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ended = run(sandbox, &script("echo \"it's\" $0", folder.path()));
    let recipe = ended.recipe.to_string();
    let work = format!("--bind {} /work", folder.path().display());
    assert!(recipe.contains(&work), "{recipe}");
    assert!(
        recipe.ends_with(r#"-- /bin/sh -c 'echo "it'\''s" $0'"#),
        "{recipe}"
    );
}

#[test]
fn no_control_group_is_left_behind() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ended = run(sandbox, &script("true", folder.path()));
    let doors = ended
        .recipe
        .argv
        .iter()
        .filter(|word| word.ends_with("/cgroup.procs"));
    for door in doors {
        assert!(!std::path::Path::new(door).exists(), "{door}");
    }
}

#[test]
fn a_caller_that_panics_leaves_nothing_running() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    // The lock is held for as long as the program lives.
    let job = script("exec 9> lock; flock 9; echo ready; sleep 1000", folder.path());
    let outcome =
        std::panic::catch_unwind(|| sandbox.run(&job, &mut |_, _| panic!("on purpose"), &Stop::default()));
    assert!(outcome.is_err());
    fs::File::open(folder.path().join("lock"))
        .unwrap()
        .try_lock()
        .unwrap();
}

#[test]
fn what_tests_usually_do_works() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = r#"
import asyncio, multiprocessing, os, pty, sqlite3, subprocess, tempfile, threading
with multiprocessing.Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]
assert subprocess.run(["/bin/sh", "-c", "exit 3"]).returncode == 3
thread = threading.Thread(target=print, args=["thread"])
thread.start(); thread.join()
async def serve():
    async def answer(reader, writer):
        writer.write(await reader.readline()); writer.close()
    server = await asyncio.start_server(answer, "localhost", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(b"line\n")
    assert await reader.readline() == b"line\n"
asyncio.run(serve())
database = sqlite3.connect("/work/data")
database.execute("pragma journal_mode = wal"); database.execute("create table t (a)"); database.commit()
with tempfile.NamedTemporaryFile() as file:
    os.rename(file.name, file.name + "x"); os.rename(file.name + "x", file.name)
os.mkdir("/work/a"); open("/work/a/b", "w").close(); os.link("/work/a/b", "/work/c"); os.symlink("c", "/work/d")
os.rename("/work/a/b", "/work/e"); os.chmod("/work/e", 0o755); os.utime("/work/e")
assert pty.spawn(["true"]) == 0
print("done")
"#;
    let ended = run(sandbox, &python(program, folder.path()));
    let stdout = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(
        (ended.ending, stdout.as_str()),
        (Ending::Exited(0), "thread\ndone\n"),
        "{}",
        said(&ended)
    );
}
