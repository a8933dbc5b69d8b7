//! The disk of the data folder is full, and has room again. It is a file system
//! in memory, in a mount name space of its own: nothing is left behind.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::json;

use crate::world::{PATIENCE, World, until, until_status};

const DISK_MEGABYTES: u32 = 24;

/// A process that holds a name space with a small disk.
struct Disk {
    holder: Child,
    /// As the root of the machine it is that of the holder's name space alone.
    own_user: bool,
    folder: PathBuf,
}

impl Disk {
    /// None where neither a user name space nor root may mount.
    fn small(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
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
            (line == "mounted\n" && fs::write(disk.seen().join("mark"), "").is_ok()).then_some(disk)
        })
    }

    /// The disk as everybody else sees it.
    fn seen(&self) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap();
        Path::new("/proc")
            .join(self.holder.id().to_string())
            .join("root")
            .join(inside)
    }

    /// What runs a program where the disk is mounted.
    fn enter(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), "--mount".to_owned()];
        if self.own_user {
            words.extend(["--user", "--preserve-credentials"].map(str::to_owned));
        }
        words.extend([
            "--target".to_owned(),
            self.holder.id().to_string(),
            "--".to_owned(),
        ]);
        words
    }

    /// Takes all room there is.
    fn fill(&self) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.seen().join("filler"))
            .unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![1; size];
            while file.write(&block).is_ok_and(|written| written == size) {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.seen().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may be gone.
        let _gone = self.holder.kill();
        let _gone = self.holder.wait();
    }
}

#[tokio::test]
async fn on_a_full_disk_workflows_pause_and_go_on_by_themselves() {
    let mut world = World::new().await;
    world.kill();
    let Some(disk) = Disk::small(&world.path("data")) else {
        return eprintln!("no test of a full disk: nobody here may mount");
    };
    world.start_through(&disk.enter());
    world.start().await;
    assert_eq!(world.get("/readyz").await.0, 200);
    world.ollama.gate().close();
    let id = world.submit("Add greetings").await;
    let asked = |records: &[scripted_ollama::Record]| !records.is_empty();
    tokio::time::timeout(PATIENCE, world.ollama.wait_for(asked))
        .await
        .expect("the model is asked");
    disk.fill();
    world.ollama.gate().open();
    until("the workflow to pause", || {
        world.log().contains("paused").then_some(())
    })
    .await;
    assert_eq!(world.get("/readyz").await.0, 503);
    let mut second = world.request("Add greetings");
    second["correlation_id"] = json!("req_2");
    let (status, body) = world.post("/api/workflow/submit", &second).await;
    assert_eq!((status, &body["code"]), (503, &json!("E1102")), "{body}");
    // What is there can be read.
    assert_eq!(world.get(&format!("/api/workflow/{id}")).await.0, 200);
    disk.make_room();
    until_status(&world, &id, "awaiting_decision").await;
    assert_eq!(world.get("/readyz").await.0, 200);
    world.accept(&id).await;
    assert_eq!(world.commits(), 2);
    assert_eq!(world.post("/api/workflow/submit", &second).await.0, 202);
}
