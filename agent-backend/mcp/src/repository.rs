//! The servers that a repository names, in `.mcp.json` at the root of the
//! workspace. They are programs that somebody else has chosen: a person has to
//! trust each definition before it is used.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use nix::{fcntl::OFlag, sys::stat::Mode};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{Server, Source, Transport, limits::SERVERS_MAX, server::shown, variables::expand};

/// The file's name.
pub const FILE: &str = ".mcp.json";

/// Largest such file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Longest name of a server, in characters.
const NAME_CHARS_MAX: usize = 64;

/// A definition as the repository has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Definition {
    /// The server's name.
    pub name: String,
    /// SHA-256 of the definition, hexadecimal: another definition, another
    /// digest.
    pub digest: String,
    /// What it says, before variables are replaced.
    written: Result<Written, String>,
}

/// Values may be secrets.
impl std::fmt::Debug for Definition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Definition")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
struct Document {
    #[serde(rename = "mcpServers", default)]
    servers: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: Option<String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// What the repository at `workspace` names, by name; nothing if it has no such
/// file.
///
/// # Errors
/// Why the file cannot be used, in words.
pub fn definitions(workspace: &Path) -> Result<Vec<Definition>, String> {
    let text = match read(&workspace.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{FILE} cannot be read: {error}")),
    };
    let document: Document =
        serde_json::from_str(&text).map_err(|error| format!("{FILE} cannot be used: {error}"))?;
    if document.servers.len() > SERVERS_MAX {
        return Err(format!("{FILE} names more than {SERVERS_MAX} servers"));
    }
    if !document.servers.keys().all(|name| is_name(name)) {
        return Err(format!(
            "{FILE} names a server by something else than 1 to {NAME_CHARS_MAX} letters, digits, `.`, `_` and `-`"
        ));
    }
    Ok(document.servers.into_iter().map(Definition::of).collect())
}

/// Whether a name may stand in a command that a person is told to run.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=NAME_CHARS_MAX).contains(&name.len()) && !name.starts_with('-') && name.chars().all(is_plain)
}

/// The whole of a regular file; a link could name any.
fn read(path: &Path) -> io::Result<String> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = File::from(nix::fcntl::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it has more than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(text)
}

impl Definition {
    fn of((name, value): (String, Value)) -> Self {
        let mut hash = Sha256::new();
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(value.to_string().as_bytes());
        let digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let written = serde_json::from_value(value).map_err(|error| error.to_string());
        Self {
            name,
            digest,
            written,
        }
    }

    /// The server, with its variables replaced by what `value` has for them.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub fn server(&self, value: &dyn Fn(&str) -> Option<String>) -> Result<Server, String> {
        let written = self.written.as_ref().map_err(String::clone)?;
        let all = |values: &BTreeMap<String, String>| -> Result<BTreeMap<String, String>, String> {
            let pairs = values.iter();
            pairs
                .map(|(name, text)| Ok((name.clone(), expand(text, value)?)))
                .collect()
        };
        let transport = match (written.kind.as_deref(), &written.command, &written.url) {
            (Some("stdio") | None, Some(command), None) => Transport::Stdio {
                command: expand(command, value)?,
                args: written
                    .args
                    .iter()
                    .map(|argument| expand(argument, value))
                    .collect::<Result<_, _>>()?,
                env: all(&written.env)?,
            },
            (Some("http" | "streamable-http") | None, None, Some(url)) => Transport::Http {
                url: expand(url, value)?,
                headers: all(&written.headers)?,
            },
            (Some("sse"), _, _) => {
                return Err("the older transport `sse` is not spoken; name a server over `http`".to_owned());
            }
            (_, _, _) => {
                return Err("it needs either a `command` (type `stdio`) or a `url` (type `http`)".to_owned());
            }
        };
        Ok(Server::new(&self.name, transport, Source::Repository))
    }

    /// What would be started or called, as it is written: each line of it for a
    /// person who has to judge.
    pub fn lines(&self) -> Vec<String> {
        let written = match &self.written {
            Ok(written) => written,
            Err(reason) => return vec![format!("cannot be used: {reason}")],
        };
        let mut lines = Vec::new();
        if let Some(command) = &written.command {
            let words = std::iter::once(command)
                .chain(&written.args)
                .map(|word| quoted(word));
            lines.push(words.collect::<Vec<_>>().join(" "));
        }
        if let Some(url) = &written.url {
            lines.push(quoted(&shown(url)));
        }
        let pairs = |what: &str, pairs: &BTreeMap<String, String>| -> Vec<String> {
            let each = pairs.iter();
            each.map(|(name, text)| format!("{what} {} = {}", quoted(name), quoted(text)))
                .collect()
        };
        lines.extend(pairs("variable", &written.env));
        lines.extend(pairs("header", &written.headers));
        lines
    }
}

/// A word as it is, in quotes where it could be taken for several, or for what
/// a terminal obeys.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\');
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("{word:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Definition>, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        definitions(dir.path())
    }

    /// The server, or why it is none.
    #[track_caller]
    fn check(definition: &str, expect: Result<Transport, &str>) {
        let found = of(&format!("{{\"mcpServers\": {{\"s\": {definition}}}}}")).unwrap();
        let value = |name: &str| (name == "KEY").then(|| "hunter2".to_owned());
        let expect = expect.map(|transport| Server::new("s", transport, Source::Repository));
        assert_eq!(found[0].server(&value), expect.map_err(str::to_owned));
    }

    #[test]
    fn the_usual_forms_are_understood() {
        check(
            r#"{"command": "npx", "args": ["-y", "${KEY}"], "env": {"K": "${KEY}"}, "other": 1}"#,
            Ok(Transport::Stdio {
                command: "npx".to_owned(),
                args: vec!["-y".to_owned(), "hunter2".to_owned()],
                env: BTreeMap::from([("K".to_owned(), "hunter2".to_owned())]),
            }),
        );
        check(
            r#"{"type": "http", "url": "https://example.org", "headers": {"A": "b"}}"#,
            Ok(Transport::Http {
                url: "https://example.org".to_owned(),
                headers: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            }),
        );
        let neither = Err("it needs either a `command` (type `stdio`) or a `url` (type `http`)");
        check("{}", neither.clone());
        check(r#"{"command": "a", "url": "b"}"#, neither.clone());
        check(r#"{"type": "http", "command": "a"}"#, neither);
        let old = "the older transport `sse` is not spoken; name a server over `http`";
        check(r#"{"type": "sse", "url": "b"}"#, Err(old));
        check(
            r#"{"command": "${NONE}"}"#,
            Err("the environment variable NONE is not set"),
        );
        check("7", Err("invalid type: integer `7`, expected struct Written"));
    }

    #[test]
    fn another_definition_has_another_digest() {
        let digest = |text: &str| of(text).unwrap()[0].digest.clone();
        let one = digest(r#"{"mcpServers": {"s": {"command": "a", "args": []}}}"#);
        assert_eq!(
            one,
            digest("{\"mcpServers\": {\"s\":\n {\"command\": \"a\", \"args\": []}}}")
        );
        assert_ne!(
            one,
            digest(r#"{"mcpServers": {"s": {"command": "a", "args": [""]}}}"#)
        );
        assert_ne!(
            one,
            digest(r#"{"mcpServers": {"t": {"command": "a", "args": []}}}"#)
        );
    }

    #[test]
    fn a_person_sees_what_would_run() {
        let text = r#"{"mcpServers": {"s": {"command": "sh", "args": ["-c", "a b\u001b[2K"], "env": {"A": "${B}"}}}}"#;
        assert_eq!(
            of(text).unwrap()[0].lines(),
            [r#"sh -c "a b\u{1b}[2K""#, "variable A = ${B}"]
        );
    }

    #[test]
    fn what_is_no_such_file_is_said() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(definitions(dir.path()), Ok(Vec::new()));
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join(FILE)).unwrap();
        assert!(
            definitions(dir.path())
                .unwrap_err()
                .starts_with(".mcp.json cannot be read: ")
        );
        assert!(of("[").unwrap_err().starts_with(".mcp.json cannot be used: "));
        assert_eq!(of("{}"), Ok(Vec::new()));
        for name in ["", "-a", "a b", "a;b", "$(a)", "ü"] {
            let named = format!(r#"{{"mcpServers": {{"{name}": {{}}}}}}"#);
            assert!(
                of(&named).unwrap_err().starts_with(".mcp.json names a server by"),
                "{name}"
            );
        }
        let large = " ".repeat(300_000);
        assert_eq!(
            of(&large),
            Err(".mcp.json cannot be read: it has more than 262144 bytes".to_owned())
        );
    }
}
