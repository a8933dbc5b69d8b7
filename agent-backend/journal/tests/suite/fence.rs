//! A writer that was taken for dead and lives. The child is this test binary
//! again, running only [`child`].

use std::{
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use engine::ports::Journal as _;
use journal::{Error, Options};

use crate::support::{all, more, new, text, try_steal, wf};

const DIR: &str = "JOURNAL_FENCE_DIR";

/// For each line that it reads, appends once and says what came of it. Does
/// nothing when it runs as one of the tests.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let journal = Options::new(dir).open().unwrap();
        journal.create(new(1)).await.unwrap();
        for (line, after) in std::io::stdin().lines().zip(1..) {
            line.unwrap();
            let said = match journal.append(more(wf(1), after, 1)).await {
                Ok(()) => "done".to_owned(),
                Err(error) => format!("{} {}", error.class, error.code),
            };
            std::io::stdout()
                .write_all(format!("\nsaid {said}\n").as_bytes())
                .unwrap();
        }
    });
}

struct Writer {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "fence::child", "--nocapture", "--test-threads=1"])
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        }
    }

    fn tell(&mut self) {
        self.stdin.write_all(b"append\n").unwrap();
    }

    fn hear(&mut self) -> String {
        loop {
            let line = self.lines.next().unwrap().unwrap();
            if let Some(said) = line.strip_prefix("said ") {
                return said.to_owned();
            }
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

#[tokio::test]
async fn a_stopped_writer_whose_lock_was_stolen_commits_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::start(dir.path());
    for _ in 0..2 {
        writer.tell();
        assert_eq!(writer.hear(), "done");
    }
    // What it does after it has answered may be stopped within a transaction;
    // then nobody else gets in.
    let journal = loop {
        writer.signal("STOP");
        match try_steal(dir.path()) {
            Err(Error::Busy { .. }) => writer.signal("CONT"),
            stolen => break stolen.unwrap(),
        }
    };
    // It finds this when it goes on.
    writer.tell();
    let claimed = journal.claim(9).await.unwrap();
    assert_eq!(claimed.len(), 1);
    writer.signal("CONT");
    assert_eq!(writer.hear(), "fatal E1109");
    journal.append(more(wf(1), 3, 1)).await.unwrap();
    // For good: also what would have been right by now.
    writer.tell();
    assert_eq!(writer.hear(), "fatal E1109");
    drop(writer.stdin);
    assert!(writer.child.wait().unwrap().success());
    // Its end takes nothing away from the one that is there.
    journal.append(more(wf(1), 4, 1)).await.unwrap();
    let expect: Vec<_> = new(1).events.into_iter().chain((2..=5).map(text)).collect();
    assert_eq!(all(&journal, wf(1)).await, Ok(expect.clone()));
    drop(journal);
    let journal = Options::new(dir.path()).open().unwrap();
    assert_eq!(all(&journal, wf(1)).await, Ok(expect));
}
