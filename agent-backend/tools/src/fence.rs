//! Which relative paths may be touched at all, judged by their text alone.
//! Knows no file system; symlinks and submodules are judged by `workspace`.

use crate::{Error, limits::PATH_BYTES_MAX};

/// Our own state in a workspace.
const STATE_DIRECTORY: &str = ".agentic-ide";

/// Names of files that hold secrets, whatever their contents.
const SECRET_NAMES: &[&str] = &[
    ".env",
    ".netrc",
    ".pgpass",
    ".git-credentials",
    ".htpasswd",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
];

/// Endings of such names.
const SECRET_ENDINGS: &[&str] = &[".jks", ".key", ".keystore", ".p12", ".pem", ".pfx"];

/// Endings of `.env.*` that are templates without secrets.
const TEMPLATE_ENDINGS: &[&str] = &[".example", ".sample", ".template", ".dist"];

/// Normalises a path relative to the workspace: `/` between parts, no `.`, no
/// empty part. Refuses what leads out and what is protected.
pub(crate) fn normalise(path: &str) -> Result<String, Error> {
    let outside = |reason| Error::Outside {
        path: shorten(path),
        reason,
    };
    if path.is_empty() {
        return Err(outside("it is empty"));
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(outside("it is too long"));
    }
    if path.chars().any(char::is_control) {
        return Err(outside("it contains control characters"));
    }
    if path.contains('\\') {
        return Err(outside("it contains a backslash; parts are separated by `/`"));
    }
    let bytes = path.as_bytes();
    if path.starts_with('/') || (bytes.len() > 1 && bytes[1] == b':' && bytes[0].is_ascii_alphabetic()) {
        return Err(outside("it is absolute; name it relative to the workspace"));
    }
    if path.starts_with('~') && (path.len() == 1 || path.starts_with("~/")) {
        return Err(outside("it names a home directory"));
    }
    if path.ends_with('/') {
        return Err(outside("it names a directory"));
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(outside("it contains `..`")),
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Err(outside("it names the workspace itself"));
    }
    let protected = |reason| Error::Protected {
        path: shorten(path),
        reason,
    };
    for part in &parts {
        if is_git_directory(part) {
            return Err(protected("git keeps its data there"));
        }
        if fold(part) == STATE_DIRECTORY {
            return Err(protected("Agentic IDE keeps its data there"));
        }
    }
    if parts.last().is_some_and(|name| is_secret(name)) {
        return Err(protected(
            "files of this name hold secrets and are never read or written",
        ));
    }
    Ok(parts.join("/"))
}

/// Whether some file system opens git's directory under this name: case is
/// folded, HFS+ drops invisible characters, NTFS drops trailing dots, spaces
/// and streams, and knows the short name `git~1`.
fn is_git_directory(part: &str) -> bool {
    let folded = fold(part);
    let stem = folded
        .split(':')
        .next()
        .unwrap_or(&folded)
        .trim_end_matches([' ', '.']);
    stem == ".git" || stem == "git~1"
}

fn fold(part: &str) -> String {
    part.chars()
        .filter(|c| !is_ignored_by_hfs(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Characters that HFS+ leaves out when it compares names; the list of git's
/// `is_hfs_dotgit` (utf8.c).
fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// Whether a file of this name is never read, shown or written.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let environment =
        name.starts_with(".env.") && !TEMPLATE_ENDINGS.iter().any(|ending| name.ends_with(ending));
    environment
        || SECRET_NAMES.contains(&name.as_str())
        || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Globs of names that hold secrets, for git's pathspecs. Templates among them
/// are left out with the rest.
pub(crate) fn secret_globs() -> impl Iterator<Item = String> {
    let endings = SECRET_ENDINGS.iter().map(|ending| format!("*{ending}"));
    SECRET_NAMES
        .iter()
        .map(|name| (*name).to_owned())
        .chain([".env.*".to_owned()])
        .chain(endings)
}

/// A path for a message: a model can name a very long one.
fn shorten(path: &str) -> String {
    const CHARS_MAX: usize = 120;
    let mut short: String = path
        .chars()
        .take(CHARS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if path.chars().nth(CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::error::Code;

    fn check(path: &str, expect: Result<&str, Code>) {
        assert_eq!(
            normalise(path).map_err(|e| e.code()),
            expect.map(str::to_owned),
            "{path:?}"
        );
    }

    #[test]
    fn ordinary_paths_are_normalised() {
        check("a.py", Ok("a.py"));
        check("./src//a b/ü.py", Ok("src/a b/ü.py"));
        check(".github/workflows/ci.yml", Ok(".github/workflows/ci.yml"));
        check(".gitignore", Ok(".gitignore"));
        check(".gitattributes", Ok(".gitattributes"));
        check("..a/b..", Ok("..a/b.."));
        check(".env.example", Ok(".env.example"));
        check("src/env.py", Ok("src/env.py"));
        check("a*[b]?.txt", Ok("a*[b]?.txt"));
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        let out = Err(Code::PathOutsideWorkspace);
        for path in [
            "",
            "/",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/..",
            ".",
            "./",
            "a/",
            "~/x",
            "~",
            "C:/x",
            "a\\..\\b",
        ] {
            check(path, out);
        }
        check("a\0b", out);
        check("a\nb", out);
        check(&"x/".repeat(PATH_BYTES_MAX), out);
    }

    #[test]
    fn protected_paths_are_refused() {
        for path in [
            ".git/config",
            ".GIT/config",
            "a/.git/hooks/x",
            ".git",
            ".git./x",
            ".git /x",
            ".git . ./x",
            "git~1/x",
            "GIT~1",
            ".git::$INDEX_ALLOCATION/x",
            ".g\u{200c}it/config",
            ".agentic-ide/state",
            ".Agentic-IDE/x",
            ".env",
            "a/.env.local",
            "certs/server.pem",
            "id_rsa",
        ] {
            check(path, Err(Code::PathProtected));
        }
    }
}
