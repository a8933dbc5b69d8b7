//! What is left of a job without a sandbox, after a person has said that it may run so.

use std::{ffi::OsString, fs, path::PathBuf, time::Duration};

use sandbox::{Access, Bare, Ended, Ending, Job, Mount, Stop};

use crate::support::{options, said, script};

fn run(job: &Job) -> Ended {
    let bare = Bare::new(options().helper);
    bare.run(job, &mut |_, _| {}, &Stop::default()).unwrap()
}

fn stdout(ended: &Ended) -> String {
    String::from_utf8(ended.stdout.clone()).unwrap()
}

#[test]
fn it_works_on_the_copy_with_a_home_and_an_environment_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let installed = tempfile::tempdir().unwrap();
    fs::write(installed.path().join("package"), "installed").unwrap();
    fs::create_dir(folder.path().join("node_modules")).unwrap();
    let mut job = script(
        "pwd; echo \"$HOME $TMPDIR $WHERE $SECRET\"; cat node_modules/package; echo made > made",
        folder.path(),
    );
    job.mounts.push(Mount {
        host: installed.path().to_owned(),
        inside: "/work/node_modules".into(),
        access: Access::ReadOnly,
    });
    job.environment = vec![("WHERE".into(), "/work/out".into())];
    let ended = run(&job);
    assert_eq!(ended.ending, Ending::Exited(0), "{}", said(&ended));
    let said = stdout(&ended);
    let lines: Vec<&str> = said.lines().collect();
    let here = folder.path().display().to_string();
    let words: Vec<&str> = lines[1].split(' ').collect();
    assert_eq!(
        (lines[0], words[2], words[3]),
        (&*here, &*format!("{here}/out"), ""),
        "{said}"
    );
    assert_eq!(lines[2], "installed");
    assert_eq!(fs::read_to_string(folder.path().join("made")).unwrap(), "made\n");
    // What was its own is gone, and what it only saw is there.
    assert!(
        words[..2].iter().all(|own| !PathBuf::from(own).exists()),
        "{said}"
    );
    assert!(std::env::var_os("HOME") != Some(OsString::from(words[0])));
    fs::remove_dir_all(folder.path().join("node_modules")).unwrap_or_else(|_| {
        fs::remove_file(folder.path().join("node_modules")).unwrap();
    });
    assert!(installed.path().join("package").exists());
}

#[test]
fn what_it_leaves_behind_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&script("sleep 1000 & echo $!; exit 3", folder.path()));
    assert_eq!(ended.ending, Ending::Exited(3), "{}", said(&ended));
    assert!(ended.duration < Duration::from_secs(60), "{:?}", ended.duration);
    let pid = stdout(&ended).trim().to_owned();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Nobody may have taken its end yet.
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[test]
fn it_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = script("sleep 1000", folder.path());
    job.limits.time = Duration::from_millis(200);
    assert_eq!(run(&job).ending, Ending::TimedOut);
    let mut job = script("head -c 100000 /dev/zero | tr '\\0' x", folder.path());
    job.limits.output_bytes = 1000;
    let ended = run(&job);
    assert!(
        ended.stdout.len() < 2000 && ended.left_out_bytes > 90_000,
        "{} {}",
        ended.stdout.len(),
        ended.left_out_bytes
    );
    let mut job = script("head -c 100000 /dev/zero > big", folder.path());
    job.limits.file_bytes = 1000;
    let ended = run(&job);
    assert_ne!(ended.ending, Ending::Exited(0), "{}", said(&ended));
    assert!(fs::metadata(folder.path().join("big")).unwrap().len() <= 1000);
    let stop = Stop::default();
    stop.stop();
    let bare = Bare::new(options().helper);
    let ended = bare.run(&script("sleep 1000", folder.path()), &mut |_, _| {}, &stop);
    assert_eq!(ended.unwrap().ending, Ending::Stopped);
}

#[test]
fn what_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = script("", folder.path());
    job.program = "no-such-program".into();
    let ended = run(&job);
    assert_eq!(ended.ending, Ending::Exited(127), "{}", said(&ended));
}
