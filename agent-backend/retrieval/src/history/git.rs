//! Asks the git program for the history of a directory. Reads alone: no hook,
//! no filter, no network, no lock.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::log::{self, Entry};

/// Longer histories are read from their newest end.
pub(super) const COMMITS_MAX: usize = 10_000;
/// Bytes of a log that are read.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;
/// How long git may take.
const GIT_TIME_MAX: Duration = Duration::from_secs(30);

/// Where the history ends, at its newer and its older side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The commit that HEAD is at.
    pub id: String,
    pub depth: Depth,
}

/// How much of the history is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Whole,
    /// The older part was not cloned. It may be fetched without HEAD moving.
    Shallow,
}

/// Where HEAD is; none where there is no git, no repository or no commit.
pub(super) async fn head(root: &Path) -> Option<Head> {
    let out = run(root, &["rev-parse", "--is-shallow-repository", "HEAD^{commit}"]).await?;
    let out = String::from_utf8(out).ok()?;
    let mut lines = out.lines();
    let depth = match lines.next()? {
        "true" => Depth::Shallow,
        _ => Depth::Whole,
    };
    let id = lines.next()?.to_owned();
    let is_id = id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(Head { id, depth })
}

/// The commits reachable from `head`, newest first; of those only the ones
/// after `since` if it is an ancestor. `None` if git did not answer.
pub(super) async fn commits(root: &Path, head: &str, since: Option<&str>) -> Option<Vec<Entry>> {
    let range = match since {
        Some(since) => format!("{since}..{head}"),
        None => head.to_owned(),
    };
    let limit = format!("--max-count={COMMITS_MAX}");
    let prefix = run(root, &["rev-parse", "--show-prefix"]).await?;
    let mut args = vec![
        "log",
        "-z",
        "--no-merges",
        "--name-status",
        // Comparing what is in the files takes a fifth of git's time, and finds
        // renames that make the ranking no better.
        "--find-renames=100%",
        "--no-ext-diff",
        "--no-textconv",
        "--no-show-signature",
        "--no-color",
        "--no-notes",
        "--no-mailmap",
        "--relative",
        "--encoding=UTF-8",
        log::FORMAT,
        &limit,
        &range,
        "--",
    ];
    // In a directory of a larger repository, the commits that touched it.
    if !prefix.trim_ascii().is_empty() {
        args.push(".");
    }
    Some(log::parse(&run(root, &args).await?))
}

/// Whether `newer` is `older` with commits on top, one after the other. After a
/// merge, what is new would be dated among what is old.
pub(super) async fn is_on_top(root: &Path, older: &str, newer: &str) -> bool {
    if run(root, &["merge-base", "--is-ancestor", older, newer])
        .await
        .is_none()
    {
        return false;
    }
    let range = format!("{older}..{newer}");
    let merges = run(root, &["rev-list", "--min-parents=2", "--max-count=1", &range]).await;
    merges.is_some_and(|merges| merges.is_empty())
}

/// What git prints; `None` if it fails, is not there or takes too long.
async fn run(root: &Path, args: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command
        .arg("--no-replace-objects")
        .args(["-c", "core.quotePath=false", "-c", "log.follow=false"])
        .arg("-C")
        .arg(root)
        .args(args)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        // A partial clone would fetch what it lacks.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    // Set inside of hooks, they would name another repository than the root's.
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_NAMESPACE",
    ] {
        command.env_remove(name);
    }
    let reading = async {
        let mut child = command.spawn().ok()?;
        let mut out = Vec::new();
        let pipe = child.stdout.take()?;
        let read = pipe.take(OUTPUT_BYTES_MAX).read_to_end(&mut out).await.ok()?;
        if u64::try_from(read).is_ok_and(|read| read >= OUTPUT_BYTES_MAX) {
            // The newest end is what counts; the rest is not waited for.
            child.kill().await.ok()?;
            return Some(out);
        }
        child.wait().await.ok()?.success().then_some(out)
    };
    match tokio::time::timeout(GIT_TIME_MAX, reading).await {
        Ok(out) => out,
        Err(_) => {
            tracing::warn!(root = %root.display(), "git took too long; the search goes on without its history");
            None
        }
    }
}
