//! Control groups, where this process may make them: the only bounds on all processes
//! of a job together. Both generations, see `cgroups(7)`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::{Limits, names};

/// The window over which processor time is counted, in microseconds.
const CPU_PERIOD: u64 = 100_000;

/// The least that the kernel takes.
const CPU_QUOTA_MIN: u64 = 1_000;

/// Bubblewrap's own processes beside a job's.
const PROCESSES_OWN: u64 = 2;

/// A group is busy until the kernel has buried what was in it.
const REMOVALS_MAX: usize = 50;
const REMOVAL_PAUSE: Duration = Duration::from_millis(2);

/// What a group bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    Memory,
    Pids,
    Cpu,
}

impl Controller {
    const ALL: [Self; 3] = [Self::Memory, Self::Pids, Self::Cpu];

    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
        }
    }
}

/// Where groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hierarchy {
    /// One tree, with these controllers.
    Unified(PathBuf, Vec<Controller>),
    /// A tree for each controller.
    Split(Vec<(Controller, PathBuf)>),
}

impl Hierarchy {
    /// The place nearest to the process's own group below `root` where groups can be
    /// made; `own` is `/proc/self/cgroup`.
    pub(crate) fn find(root: &Path, own: &str) -> Option<Self> {
        if root.join("cgroup.controllers").is_file() {
            return Self::unified(root, own);
        }
        let found = Controller::ALL.into_iter().filter_map(|controller| {
            let tree = root.join(controller.name());
            let path = own.lines().find_map(|line| {
                let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
                controllers
                    .split(',')
                    .any(|name| name == controller.name())
                    .then_some(path)
            })?;
            // Inside a container the path may be the host's, and the tree begins there.
            let own = tree.join(path.trim_start_matches('/'));
            [own, tree]
                .into_iter()
                .find(|place| can_make(place, &[]))
                .map(|place| (controller, place))
        });
        let found: Vec<_> = found.collect();
        (!found.is_empty()).then_some(Self::Split(found))
    }

    fn unified(root: &Path, own: &str) -> Option<Self> {
        let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
        let own = root.join(path.trim_start_matches('/'));
        let places = own.ancestors().take_while(|place| place.starts_with(root));
        for place in places {
            let offered = fs::read_to_string(place.join("cgroup.controllers")).unwrap_or_default();
            let offered =
                |controller: &Controller| offered.split_whitespace().any(|it| it == controller.name());
            let wanted: Vec<Controller> = Controller::ALL.into_iter().filter(offered).collect();
            for controller in &wanted {
                // Refused to a group that has processes itself, and to who may not; what
                // came of it is seen in a group that is made.
                let _unseen = fs::write(
                    place.join("cgroup.subtree_control"),
                    format!("+{}", controller.name()),
                );
            }
            let on = fs::read_to_string(place.join("cgroup.subtree_control")).unwrap_or_default();
            let on: Vec<Controller> = wanted
                .into_iter()
                .filter(|controller| on.split_whitespace().any(|name| name == controller.name()))
                .collect();
            if on.contains(&Controller::Memory) && on.contains(&Controller::Pids) && can_make(place, &on) {
                return Some(Self::Unified(place.to_owned(), on));
            }
        }
        None
    }

    /// Removes what backends left that were killed.
    pub(crate) fn sweep(&self) {
        let places: Vec<&Path> = match self {
            Self::Unified(place, _) => vec![place],
            Self::Split(trees) => trees.iter().map(|(_, place)| place.as_path()).collect(),
        };
        for entry in places
            .into_iter()
            .filter_map(|place| fs::read_dir(place).ok())
            .flatten()
            .flatten()
        {
            if entry.file_name().to_str().is_some_and(names::is_left) {
                // One with processes stays; they end with their backend.
                let _stays = fs::remove_dir(entry.path());
            }
        }
    }

    /// A group with these limits.
    pub(crate) fn group(&self, limits: &Limits) -> io::Result<Group> {
        let name = names::fresh();
        let mut group = Group {
            version: match self {
                Self::Unified(..) => Version::Two,
                Self::Split(_) => Version::One,
            },
            controllers: Vec::new(),
            folders: Vec::new(),
        };
        match self {
            Self::Unified(place, controllers) => {
                let folder = place.join(name);
                fs::create_dir(&folder)?;
                group.folders.push(folder.clone());
                for controller in controllers {
                    bound_unified(&folder, *controller, limits)?;
                    group.controllers.push((*controller, folder.clone()));
                }
            }
            Self::Split(trees) => {
                for (controller, place) in trees {
                    let folder = place.join(&name);
                    // Two controllers can share a tree, as `cpu,cpuacct` does.
                    if !group.folders.contains(&folder) {
                        fs::create_dir(&folder)?;
                        group.folders.push(folder.clone());
                    }
                    bound_split(&folder, *controller, limits)?;
                    group.controllers.push((*controller, folder));
                }
            }
        }
        Ok(group)
    }
}

/// Whether a group can be made here, with the files of these controllers.
fn can_make(place: &Path, controllers: &[Controller]) -> bool {
    let folder = place.join(names::fresh());
    if fs::create_dir(&folder).is_err() {
        return false;
    }
    let has = |controller: &Controller| folder.join(format!("{}.max", controller.name())).exists();
    let complete = controllers.iter().all(has) && folder.join("cgroup.procs").exists();
    fs::remove_dir(&folder).is_ok() && complete
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a handful of processors, never less than none"
)]
fn quota(limits: &Limits) -> u64 {
    ((f64::from(limits.cpus.max(0.0)) * CPU_PERIOD as f64) as u64).max(CPU_QUOTA_MIN)
}

fn bound_unified(folder: &Path, controller: Controller, limits: &Limits) -> io::Result<()> {
    match controller {
        Controller::Memory => {
            fs::write(folder.join("memory.max"), limits.memory_bytes.to_string())?;
            // Missing where the kernel has no swap.
            let _missing = fs::write(folder.join("memory.swap.max"), "0");
            let _missing = fs::write(folder.join("memory.oom.group"), "1");
            Ok(())
        }
        Controller::Pids => fs::write(folder.join("pids.max"), processes(limits)),
        Controller::Cpu => fs::write(folder.join("cpu.max"), format!("{} {CPU_PERIOD}", quota(limits))),
    }
}

fn bound_split(folder: &Path, controller: Controller, limits: &Limits) -> io::Result<()> {
    match controller {
        Controller::Memory => {
            fs::write(
                folder.join("memory.limit_in_bytes"),
                limits.memory_bytes.to_string(),
            )?;
            // Missing where the kernel does not count swap.
            let _missing = fs::write(
                folder.join("memory.memsw.limit_in_bytes"),
                limits.memory_bytes.to_string(),
            );
            Ok(())
        }
        Controller::Pids => fs::write(folder.join("pids.max"), processes(limits)),
        Controller::Cpu => {
            fs::write(folder.join("cpu.cfs_period_us"), CPU_PERIOD.to_string())?;
            fs::write(folder.join("cpu.cfs_quota_us"), quota(limits).to_string())
        }
    }
}

fn processes(limits: &Limits) -> String {
    (u64::from(limits.processes) + PROCESSES_OWN).to_string()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The group of one job; it is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    version: Version,
    controllers: Vec<(Controller, PathBuf)>,
    folders: Vec<PathBuf>,
}

impl Group {
    /// Whether it bounds this.
    pub(crate) fn bounds(&self, controller: Controller) -> bool {
        self.controllers.iter().any(|(other, _)| *other == controller)
    }

    /// The files that a process writes its number to in order to enter.
    pub(crate) fn doors(&self) -> Vec<PathBuf> {
        self.folders
            .iter()
            .map(|folder| folder.join("cgroup.procs"))
            .collect()
    }

    /// Whether no process is in it.
    fn is_empty(&self) -> bool {
        let doors = self.doors();
        let mut inside = doors.iter().filter_map(|door| fs::read_to_string(door).ok());
        inside.all(|processes| processes.is_empty())
    }

    /// Whether the kernel killed something because the memory was used up.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let mut counts = self
            .controllers
            .iter()
            .filter(|(controller, _)| *controller == Controller::Memory)
            .filter_map(|(_, folder)| fs::read_to_string(folder.join(file)).ok());
        counts.any(|text| {
            let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
            count.is_some_and(|count| count.trim() != "0")
        })
    }

    /// Kills what is in it, where the kernel can do that at once.
    pub(crate) fn kill(&self) {
        for folder in &self.folders {
            // Without it, the end of the process namespace kills as well.
            let _missing = match self.version {
                Version::Two => fs::write(folder.join("cgroup.kill"), "1"),
                Version::One => Ok(()),
            };
        }
    }
}

/// The groups of conversations, whose end nobody tells: one in which there was somebody, and
/// is nobody any more, is removed when the next one begins.
#[derive(Debug, Default)]
pub(crate) struct Conversations(Mutex<Vec<(Group, Entered)>>);

/// Whether somebody has been seen in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entered {
    Yes,
    NotYet,
}

impl Conversations {
    /// Keeps the group of a conversation that is about to begin.
    pub(crate) fn keep(&self, group: Group) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain_mut(|(group, entered)| match (group.is_empty(), *entered) {
            (true, Entered::Yes) => false,
            (true, Entered::NotYet) => true,
            (false, _) => {
                *entered = Entered::Yes;
                true
            }
        });
        groups.push((group, Entered::NotYet));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            for _ in 0..REMOVALS_MAX {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => thread::sleep(REMOVAL_PAUSE),
                    Ok(()) | Err(_) => break,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_place_with_the_controllers_is_taken() {
        // Files as the kernel shows them; a folder made here gets none of its own, so
        // that nothing can be made in this imitation.
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(dir.path().join("cgroup.subtree_control"), "").unwrap();
        assert_eq!(Hierarchy::find(dir.path(), "0::/user.slice\n"), None);
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert_eq!(Hierarchy::find(&dir.path().join("missing"), "0::/\n"), None);
    }

    #[test]
    fn the_kernel_is_told_the_limits_in_its_words() {
        let limits = Limits {
            memory_bytes: 64 << 20,
            processes: 10,
            cpus: 1.5,
            ..Limits::default()
        };
        let check = |bound: fn(&Path, Controller, &Limits) -> io::Result<()>, expect: &[(&str, &str)]| {
            let folder = tempfile::tempdir().unwrap();
            for controller in Controller::ALL {
                bound(folder.path(), controller, &limits).unwrap();
            }
            let mut written: Vec<(String, String)> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap())
                .map(|entry| {
                    let name = entry.file_name().into_string().unwrap();
                    (name, fs::read_to_string(entry.path()).unwrap())
                })
                .collect();
            written.sort();
            let written: Vec<(&str, &str)> = written
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(written, expect);
        };
        check(
            bound_unified,
            &[
                ("cpu.max", "150000 100000"),
                ("memory.max", "67108864"),
                ("memory.oom.group", "1"),
                ("memory.swap.max", "0"),
                ("pids.max", "12"),
            ],
        );
        check(
            bound_split,
            &[
                ("cpu.cfs_period_us", "100000"),
                ("cpu.cfs_quota_us", "150000"),
                ("memory.limit_in_bytes", "67108864"),
                ("memory.memsw.limit_in_bytes", "67108864"),
                ("pids.max", "12"),
            ],
        );
    }

    #[test]
    fn a_death_for_memory_is_seen_in_both_generations() {
        let check = |version: Version, file: &str, text: &str, expect: bool| {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(file), text).unwrap();
            let group = Group {
                version,
                controllers: vec![(Controller::Memory, folder.path().to_owned())],
                folders: Vec::new(),
            };
            assert_eq!(group.ran_out_of_memory(), expect, "{text}");
        };
        check(
            Version::Two,
            "memory.events",
            "low 0\noom 1\noom_kill 2\noom_group_kill 1\n",
            true,
        );
        check(
            Version::Two,
            "memory.events",
            "oom 1\noom_kill 0\noom_group_kill 0\n",
            false,
        );
        check(
            Version::One,
            "memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
            true,
        );
        check(
            Version::One,
            "memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
            false,
        );
        check(Version::One, "other", "", false);
    }

    #[test]
    fn processor_time_is_a_share_of_the_window() {
        let check = |cpus: f32, expect: u64| {
            let limits = Limits {
                cpus,
                ..Limits::default()
            };
            assert_eq!(quota(&limits), expect);
        };
        check(2.0, 200_000);
        check(0.5, 50_000);
        check(0.0, CPU_QUOTA_MIN);
        check(f32::NAN, CPU_QUOTA_MIN);
        check(-1.0, CPU_QUOTA_MIN);
    }
}
