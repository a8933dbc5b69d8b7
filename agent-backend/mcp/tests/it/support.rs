//! Servers that are shell scripts, and what is asked of a toolbox.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use mcp::{Options, Server, Source, Toolbox, Transport};
use serde_json::{Map, Value, json};

/// Generous: the machines of tests are slow and busy.
pub const LONG: Duration = Duration::from_secs(120);

/// What a server does by itself; a script says the rest: `listed`, `called`,
/// `other` are run when a request comes, with its number in `$id`.
const SERVER: &str = r#"
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
refuse() { printf '{"jsonrpc":"2.0","id":%s,"error":{"code":%s,"message":"%s"}}\n' "$id" "$1" "$2"; }
text() { answer "{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]}"; }
tools() { answer "{\"tools\":[$1]}"; }
tool() { printf '{"name":"%s","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}' "$1"; }
hello() {
  answer '{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"s","version":"1"}}'
}
listed() { tools "$(tool t)"; }
called() { text done; }
other() { :; }
begun() { hello; }
serve() {
  while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/^{"jsonrpc":"2.0","id":\([0-9]*\),.*/\1/p')
    case "$line" in
      *'"method":"server/discover"'*) refuse -32601 'no such method' ;;
      *'"method":"initialize"'*) begun ;;
      *'"method":"tools/list"'*) listed ;;
      *'"method":"tools/call"'*) called ;;
      *) other ;;
    esac
  done
}
"#;

/// A folder in which servers run.
pub struct Desk {
    pub dir: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A file in which a script has written something.
    pub fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    pub async fn open(&self, servers: Vec<Server>) -> Toolbox {
        let options = Options {
            start: LONG,
            ..Options::default()
        };
        Toolbox::open(self.path(), servers, &options).await
    }
}

/// A server that behaves as the script defines it.
pub fn script(name: &str, script: &str) -> Server {
    shell(name, &format!("{SERVER}\n{script}\nserve"))
}

/// A program that is this script.
pub fn shell(name: &str, script: &str) -> Server {
    program(name, "sh", &["-c", script])
}

pub fn program(name: &str, command: impl Into<PathBuf>, args: &[&str]) -> Server {
    let transport = Transport::Stdio {
        command: command.into().display().to_string(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: BTreeMap::new(),
    };
    Server {
        timeout: LONG,
        ..Server::new(name, transport, Source::Configuration)
    }
}

pub fn names(toolbox: &Toolbox) -> Vec<String> {
    toolbox.offered(&[]).into_iter().map(|one| one.name).collect()
}

pub fn problems(toolbox: &Toolbox) -> Vec<String> {
    let told = toolbox.problems().into_iter();
    told.map(|one| format!("{} {}: {}", one.code, one.server, one.message))
        .collect()
}

pub fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// What a call without arguments says: the text, or the error with its code.
pub async fn call(toolbox: &Toolbox, name: &str) -> Result<String, String> {
    match toolbox.call(name, object(&json!({}))).await {
        Ok(answer) if answer.is_error => Ok(format!("error: {}", answer.text)),
        Ok(answer) => Ok(answer.text),
        Err(error) => Err(format!("{}: {error}", error.code())),
    }
}

/// Waits until something holds.
pub async fn until(mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("it did not come true");
}

/// Whether a process of this number runs; one that has ended and is not waited
/// for does not.
pub fn runs(id: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = state.rsplit(')').next().unwrap_or_default().trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}
