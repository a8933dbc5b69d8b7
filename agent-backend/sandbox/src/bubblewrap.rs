//! The command line of bubblewrap for a job. What it does is documented in `bwrap(1)`.
//!
//! The root is an empty, read-only file system into which only the system's programs
//! and libraries, a few files of `/etc` and the job's mounts are put. All namespaces
//! are new, all capabilities gone.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use shared::programs;

use crate::{
    Access, Error, Job, Mount, Network, cgroup,
    etc::Etc,
    inside::{Rules, Then, canary},
};

/// The helper, as it is seen inside.
pub(crate) const HELPER: &str = "/run/sandbox-init";

/// Links of a merged `/usr`, or folders on systems that keep them apart.
const SYSTEM_FOLDERS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What else of the host is shown where there is such a thing: the store of Nix, how
/// libraries are found, which of several programs is meant, certificates, the time zone.
const SYSTEM_READ_ONLY: [&str; 9] = [
    "/nix/store",
    "/run/current-system",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ssl",
    "/etc/pki/tls/certs",
    "/etc/localtime",
];

/// What a job with the network needs besides.
const NETWORK_READ_ONLY: [&str; 1] = ["/etc/resolv.conf"];

/// Given unless the job names them.
pub(crate) const ENVIRONMENT: [(&str, &str); 3] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin"),
    ("HOME", "/tmp"),
    ("LANG", "C.UTF-8"),
];

/// Nobody's own number on the host; files of the host's user have it inside.
const USER: &str = "1000";

/// Where nothing can be mounted.
const RESERVED: [&str; 5] = ["/proc", "/dev", "/sys", "/run", "/etc"];

/// Puts itself into control groups, then becomes bubblewrap: `sh -c` this, the number of
/// groups, their files, the command.
const ENTER: &str =
    r#"n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 125; shift; n=$((n-1)); done; exec "$@""#;

/// What is known of the host, looked at once.
#[derive(Debug)]
pub(crate) struct Bubblewrap {
    program: PathBuf,
    helper: PathBuf,
    etc: Etc,
    /// Folder of the system and, if it is a link, where it leads.
    folders: Vec<(&'static str, Option<PathBuf>)>,
    /// Whether it can turn off user namespaces inside (since 0.8).
    disables_namespaces: bool,
}

impl Bubblewrap {
    /// Looks for the program; an error says what is wrong with it, for a person.
    pub(crate) fn find(program: &Path, helper: &Path) -> Result<Self, String> {
        let Some(program) = on_path(program) else {
            return Err(format!(
                "{} is not installed (`sudo apt-get install bubblewrap`)",
                program.display()
            ));
        };
        if !helper.is_file() {
            return Err(format!("its helper {} is no file", helper.display()));
        }
        let help = Command::new(&program)
            .arg("--help")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let help = [help.stdout, help.stderr].concat();
        let knows = |option: &str| String::from_utf8_lossy(&help).contains(option);
        if !knows("--clearenv") || !knows("--size") {
            return Err(format!(
                "{} is too old: 0.6 is the oldest that can be used",
                program.display()
            ));
        }
        let present = SYSTEM_FOLDERS
            .into_iter()
            .filter(|folder| Path::new(folder).exists());
        Ok(Self {
            disables_namespaces: knows("--disable-userns"),
            folders: present
                .map(|folder| (folder, fs::read_link(folder).ok()))
                .collect(),
            etc: Etc::create().map_err(|error| error.to_string())?,
            helper: helper.to_owned(),
            program,
        })
    }

    /// The whole command line for `job`, in `group` if there is one.
    pub(crate) fn command_line(
        &self,
        job: &Job,
        then: &Then,
        group: Option<&cgroup::Group>,
    ) -> Result<Vec<OsString>, Error> {
        check(&job.mounts)?;
        let mut words: Vec<OsString> = group.map(enter).unwrap_or_default();
        words.push(self.program.clone().into());
        let mut add = |some: &[&str]| words.extend(some.iter().map(OsString::from));
        add(&["--unshare-all", "--unshare-user"]);
        if self.disables_namespaces {
            add(&["--disable-userns"]);
        }
        if job.network == Network::On {
            add(&["--share-net"]);
        }
        add(&["--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
        add(&[
            "--uid",
            USER,
            "--gid",
            USER,
            "--hostname",
            "sandbox",
            "--clearenv",
        ]);
        let given = ENVIRONMENT.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let missing = given
            .into_iter()
            .filter(|(name, _)| job.environment.iter().all(|(other, _)| other != name));
        for (name, value) in missing.chain(job.environment.iter().cloned()) {
            words.extend(["--setenv".into(), name, value]);
        }
        self.system(&mut words, job.network);
        let tmp_bytes = job.limits.tmp_bytes.to_string();
        let mut add = |some: &[&str]| words.extend(some.iter().map(OsString::from));
        add(&["--proc", "/proc", "--dev", "/dev"]);
        add(&[
            "--size",
            &tmp_bytes,
            "--tmpfs",
            "/dev/shm",
            "--remount-ro",
            "/dev",
        ]);
        add(&["--perms", "1777", "--size", &tmp_bytes, "--tmpfs", "/tmp"]);
        if matches!(then, Then::Canary(_)) {
            add(&["--size", &tmp_bytes, "--tmpfs", canary::UNFENCED]);
        }
        for mount in &job.mounts {
            words.push(
                match mount.access {
                    Access::ReadOnly => "--ro-bind",
                    Access::ReadWrite => "--bind",
                }
                .into(),
            );
            words.extend([mount.host.clone().into(), mount.inside.clone().into()]);
        }
        words.extend(["--remount-ro".into(), "/".into(), "--chdir".into()]);
        words.extend([job.directory.clone().into(), "--".into(), HELPER.into()]);
        words.extend(rules(job, group).arguments(then));
        Ok(words)
    }

    /// The read-only part that is the same for all jobs.
    fn system(&self, words: &mut Vec<OsString>, network: Network) {
        words.extend(["--ro-bind", "/usr", "/usr"].map(OsString::from));
        for (folder, link) in &self.folders {
            match link {
                Some(target) => words.extend(["--symlink".into(), target.into(), folder.into()]),
                None => words.extend(["--ro-bind", folder, folder].map(OsString::from)),
            }
        }
        let more: &[&str] = match network {
            Network::Off => &[],
            Network::On => &NETWORK_READ_ONLY,
        };
        for path in SYSTEM_READ_ONLY.iter().chain(more) {
            words.extend(["--ro-bind-try", path, path].map(OsString::from));
        }
        for name in Etc::names() {
            let inside = Path::new("/etc").join(name);
            words.extend([
                "--ro-bind".into(),
                self.etc.path().join(name).into(),
                inside.into(),
            ]);
        }
        words.extend(["--ro-bind".into(), self.helper.clone().into(), HELPER.into()]);
    }
}

/// What the helper is to set: what control groups do not bound is bounded per process.
fn rules(job: &Job, group: Option<&cgroup::Group>) -> Rules {
    let writable = job
        .mounts
        .iter()
        .filter(|mount| mount.access == Access::ReadWrite)
        .map(|mount| mount.inside.clone());
    let bounds = |controller| group.is_some_and(|group| group.bounds(controller));
    Rules {
        writable: writable.collect(),
        data_bytes: (!bounds(cgroup::Controller::Memory)).then_some(job.limits.memory_bytes),
        processes: (!bounds(cgroup::Controller::Pids)).then_some(u64::from(job.limits.processes)),
        file_bytes: Some(job.limits.file_bytes),
    }
}

fn enter(group: &cgroup::Group) -> Vec<OsString> {
    let doors = group.doors();
    let mut words: Vec<OsString> = ["/bin/sh", "-c", ENTER, "sandbox"].map(OsString::from).into();
    words.push(doors.len().to_string().into());
    words.extend(doors.into_iter().map(OsString::from));
    words
}

/// Whether each mount is there, and leads where it says.
pub(crate) fn check(mounts: &[Mount]) -> Result<(), Error> {
    for (at, mount) in mounts.iter().enumerate() {
        let refuse = |path: &Path, reason| {
            Err(Error::Mount {
                path: path.to_owned(),
                reason,
            })
        };
        let inside = &mount.inside;
        let is_plain = inside
            .components()
            .skip(1)
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside.is_absolute() || !is_plain || inside.parent().is_none() {
            return refuse(inside, "it must be an absolute path without `..`");
        }
        if RESERVED.iter().any(|folder| inside.starts_with(folder)) {
            return refuse(inside, "the sandbox's own files are there");
        }
        if !mount.host.exists() {
            return refuse(&mount.host, "it does not exist");
        }
        for outer in &mounts[..at] {
            let Ok(below) = inside.strip_prefix(&outer.inside) else {
                continue;
            };
            // Bubblewrap would follow a link, and make on the host what is missing.
            let mut path = outer.host.clone();
            for part in below.components() {
                path.push(part);
                match path.symlink_metadata() {
                    Ok(about) if about.is_symlink() => {
                        return refuse(&path, "a symbolic link leads to the place of a mount");
                    }
                    Ok(_) => {}
                    Err(_) => return refuse(&path, "a mount inside another needs its place to exist"),
                }
            }
        }
    }
    Ok(())
}

/// The program's absolute path, if there is one that can be started.
pub(crate) fn on_path(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    programs::on_path(&path, program.as_os_str()).next()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn mounts_that_lead_elsewhere_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().join("tree");
        fs::create_dir_all(host.join("folder")).unwrap();
        symlink("/", host.join("link")).unwrap();
        let mount = |host: &Path, inside: &str| Mount {
            host: host.to_owned(),
            inside: inside.into(),
            access: Access::ReadWrite,
        };
        let verdict = |mounts: &[Mount]| check(mounts).err().map(|error| error.to_string());
        let refused = |path: &str, reason: &str| Some(format!("the sandbox cannot show {path}: {reason}"));

        let plain = "it must be an absolute path without `..`";
        assert_eq!(verdict(&[mount(&host, "/work")]), None);
        for path in ["/", "work", "/work/../etc", ""] {
            assert_eq!(verdict(&[mount(&host, path)]), refused(path, plain));
        }
        let own = "the sandbox's own files are there";
        for path in ["/proc", "/dev/shm", "/sys/fs", "/run/sandbox-init", "/etc/passwd"] {
            assert_eq!(verdict(&[mount(&host, path)]), refused(path, own));
        }
        let missing = host.join("missing");
        assert_eq!(
            verdict(&[mount(&missing, "/work")]),
            refused(&missing.display().to_string(), "it does not exist")
        );
        let outer = mount(&host, "/work");
        assert_eq!(verdict(&[outer.clone(), mount(&host, "/work/folder")]), None);
        assert_eq!(
            verdict(&[outer.clone(), mount(&host, "/work/link/tmp")]),
            refused(
                &host.join("link").display().to_string(),
                "a symbolic link leads to the place of a mount"
            )
        );
        assert_eq!(
            verdict(&[outer, mount(&host, "/work/new")]),
            refused(
                &host.join("new").display().to_string(),
                "a mount inside another needs its place to exist"
            )
        );
    }
}
