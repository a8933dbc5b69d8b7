//! A small disk for tests, to be filled: a file system in memory, in a mount
//! name space of its own, so that the test needs no privilege and leaves no
//! mount behind.
//!
//! It must never know who writes to it.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::sys::statvfs::statvfs;

const MEGABYTE: u64 = 1024 * 1024;

/// What takes the room.
const FILLER: &str = "filler";

/// Sizes of the blocks that take it: quickly, then to the last byte.
const BLOCKS: [usize; 3] = [256 * 1024, 4096, 1];

/// A process that holds a name space with a small disk at a folder.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Child,
    /// As the root of the machine it is that of the holder's name space alone.
    own_user: bool,
    folder: PathBuf,
}

impl SmallDisk {
    /// A disk at `folder`, which is made. None where neither a user name space nor
    /// root may mount.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn at(folder: &Path, megabytes: u64) -> io::Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        Ok([true, false]
            .into_iter()
            .find_map(|own_user| Self::mounted(folder, megabytes, own_user)))
    }

    fn mounted(folder: &Path, megabytes: u64, own_user: bool) -> Option<Self> {
        let script = "mount -t tmpfs -o size=\"$1\" tmpfs \"$2\" && echo mounted && exec sleep 3600";
        let mut command = Command::new("unshare");
        if own_user {
            command.args(["--user", "--map-root-user"]);
        }
        let mut holder = command
            .args(["--mount", "sh", "-c", script, "sh"])
            .arg(format!("{megabytes}m"))
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let output = holder.stdout.take();
        let disk = Self {
            holder,
            own_user,
            folder: folder.to_owned(),
        };
        let mut line = String::new();
        BufReader::new(output?).read_line(&mut line).ok()?;
        // Otherwise it goes with its holder.
        (line == "mounted\n" && disk.free().is_ok_and(|free| free > 0)).then_some(disk)
    }

    /// The disk as everybody else sees it.
    pub fn seen(&self) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap_or(&self.folder);
        Path::new("/proc")
            .join(self.holder.id().to_string())
            .join("root")
            .join(inside)
    }

    /// The words before a program and its arguments that run it where the disk is
    /// mounted.
    pub fn enter(&self) -> Vec<String> {
        let holder = self.holder.id().to_string();
        let as_owner: &[&str] = if self.own_user {
            &["--user", "--preserve-credentials"]
        } else {
            &[]
        };
        let words = [&["nsenter", "--mount"], as_owner, &["--target", &holder, "--"]].concat();
        words.into_iter().map(str::to_owned).collect()
    }

    /// Leaves `megabytes` of room at most.
    ///
    /// # Errors
    /// What the system says, other than that the disk is full.
    pub fn fill(&self, megabytes: u64) -> io::Result<()> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.seen().join(FILLER))?;
        for size in BLOCKS {
            let block = vec![1; size];
            while self.free()? > megabytes * MEGABYTE {
                match file.write(&block) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Gives back what [`fill`](Self::fill) took.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_room(&self) -> io::Result<()> {
        fs::remove_file(self.seen().join(FILLER))
    }

    /// Bytes that are free.
    fn free(&self) -> io::Result<u64> {
        let disk = statvfs(&self.seen())?;
        Ok(disk.blocks_available() * disk.fragment_size())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may be gone.
        let _gone = self.holder.kill();
        let _gone = self.holder.wait();
    }
}
