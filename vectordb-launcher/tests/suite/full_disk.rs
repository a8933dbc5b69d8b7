//! A disk without room: writes are refused in Qdrant's words, reads go on, and
//! nothing that was acknowledged is lost.
//!
//! The disk is a file system in memory, in a mount name space of its own, so
//! that the test needs no privilege and leaves no mount behind.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::sys::{signal::Signal, statvfs::statvfs};
use qdrant_client::qdrant::{CreateCollectionBuilder, Distance, UpsertPointsBuilder, VectorParamsBuilder};
use serde_json::json;
use tempfile::tempdir;
use tonic::Code;

use crate::support::{CODE, Launcher, Start, count, fill, make, point, told};

const DISK_MEGABYTES: u64 = 160;
const MEGABYTE: u64 = 1024 * 1024;
const WORDS: &str =
    "Service internal error: No space left on device: WAL buffer size exceeds available disk space";

/// A process that holds a name space with a small disk at `folder`.
struct Disk {
    holder: Child,
    /// As the root of the machine it is that of the holder's name space alone.
    own_user: bool,
    folder: PathBuf,
}

impl Disk {
    /// None where neither a user name space nor root may mount.
    fn small(folder: &Path) -> Option<Self> {
        [true, false].into_iter().find_map(|own_user| {
            let script = "mount -t tmpfs -o size=\"$1\" tmpfs \"$2\" && echo mounted && exec sleep 3600";
            let mut command = Command::new("unshare");
            if own_user {
                command.args(["--user", "--map-root-user"]);
            }
            let mut holder = command
                .args(["--mount", "sh", "-c", script, "sh"])
                .arg(format!("{DISK_MEGABYTES}m"))
                .arg(folder)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            let mut line = String::new();
            BufReader::new(holder.stdout.take().unwrap())
                .read_line(&mut line)
                .unwrap();
            let disk = Self {
                holder,
                own_user,
                folder: folder.to_owned(),
            };
            // Otherwise it goes with its holder.
            (line == "mounted\n" && disk.free() > 0).then_some(disk)
        })
    }

    /// The disk as this test sees it.
    fn seen(&self) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap();
        Path::new("/proc")
            .join(self.holder.id().to_string())
            .join("root")
            .join(inside)
    }

    fn free(&self) -> u64 {
        statvfs(&self.seen()).map_or(0, |disk| disk.blocks_available() * disk.fragment_size())
    }

    /// Leaves `megabytes` of room.
    fn fill(&self, megabytes: u64) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.seen().join("filler"))
            .unwrap();
        let block = vec![1; usize::try_from(MEGABYTE / 4).unwrap()];
        while self.free() > megabytes * MEGABYTE {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.seen().join("filler")).unwrap();
    }

    /// A launcher with its data there. Its other files are in `folder`.
    fn launcher(&self, folder: &Path) -> Start {
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if self.own_user {
            enter.args(["--user", "--preserve-credentials"]);
        }
        enter.arg("--");
        Start::through(enter, folder).arg("--embedded")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ended_already = self.holder.kill();
        let _ended_already = self.holder.wait();
    }
}

#[tokio::test]
async fn writes_are_refused_and_nothing_is_lost() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let Some(disk) = Disk::small(&data) else {
        eprintln!("skipped: neither a user name space nor root may mount a small disk here");
        return;
    };
    let launcher = disk.launcher(folder.path()).ready();
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;

    disk.fill(60);
    let more = || {
        let more = vec![point(9, "c", [0.0, 0.0, 0.0, 1.0], &[(1, 1.0)])];
        UpsertPointsBuilder::new(CODE, more).wait(true)
    };
    let full = (Code::Internal, WORDS.to_owned());
    assert_eq!(told(client.upsert_points(more()).await), full);
    let body = json!({"points": [{"id": 9, "vector": {"dense": [1, 0, 0, 0]}}]});
    let path = format!("/collections/{CODE}/points?wait=true");
    assert_eq!(
        launcher.refused("PUT", &path, body.to_string()).await,
        (500, WORDS.to_owned())
    );
    let other =
        CreateCollectionBuilder::new("other").vectors_config(VectorParamsBuilder::new(2, Distance::Dot));
    assert_eq!(told(client.create_collection(other).await), full);
    assert_eq!(count(&client).await, 5);

    // To the last byte: the timer may fail to flush, and reads go on.
    disk.fill(0);
    assert_eq!(told(client.upsert_points(more()).await), full);
    assert_eq!(count(&client).await, 5);
    let snapshot = told(client.create_snapshot(CODE).await);
    assert_eq!(snapshot.0, Code::Internal);
    assert!(snapshot.1.contains("No space left on device"), "{}", snapshot.1);
    assert_eq!(launcher.end(Signal::SIGKILL).await, None);

    // To open it now would end the process.
    let (status, text) = disk.launcher(folder.path()).fails();
    assert_eq!(status, 1);
    assert!(text.contains("E1603") && text.contains("is full"), "{text}");

    disk.make_room();
    let launcher: Launcher = disk.launcher(folder.path()).ready();
    let client = launcher.client();
    assert_eq!(count(&client).await, 5);
    client.upsert_points(more()).await.unwrap();
    assert_eq!(count(&client).await, 6);
    assert_eq!(client.list_collections().await.unwrap().collections.len(), 1);
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
}
