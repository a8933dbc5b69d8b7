//! Rules for paths that can be judged from their text alone.

use crate::{Error, answer::one_line};

/// Longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 512;

/// The path without the `./` that means nothing.
pub(crate) fn normal(path: &str) -> &str {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    path
}

/// Refuses what cannot be a path within a workspace: empty, absolute, with
/// `..` or empty parts, a drive letter, backslashes, control characters, or
/// inside `.git`. Symbolic links are not seen here.
///
/// # Errors
/// `Path` names the rule.
pub fn check(path: &str) -> Result<(), Error> {
    match problem(path) {
        None => Ok(()),
        Some(problem) => Err(Error::Path {
            path: one_line(&path.escape_debug().to_string(), 120),
            problem,
        }),
    }
}

fn problem(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.len() > PATH_BYTES_MAX {
        return Some("it is too long");
    }
    if path.chars().any(char::is_control) {
        return Some("it holds a control character");
    }
    if path.contains('\\') {
        return Some("it holds a backslash; parts are separated by /");
    }
    if path.starts_with('/') {
        return Some("it is absolute; paths are relative to the workspace");
    }
    if path.starts_with('~') {
        return Some("it starts in a home directory");
    }
    let bytes = path.as_bytes();
    if bytes.len() >= 2 && bytes[1] == b':' && bytes[0].is_ascii_alphabetic() {
        return Some("it has a drive letter");
    }
    for part in path.split('/') {
        if part.is_empty() {
            return Some("it has an empty part");
        }
        if part == "." {
            return Some("it has a part `.`");
        }
        if part == ".." {
            return Some("it leaves the workspace with `..`");
        }
        // Some file systems ignore case and trailing dots and spaces.
        let plain = part.trim_end_matches(['.', ' ']).to_ascii_lowercase();
        if plain == ".git" || plain == "git~1" {
            return Some("it leads into `.git`");
        }
    }
    if path.trim() != path {
        return Some("it begins or ends with white space");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(path: &str) {
        assert_eq!(problem(path), None, "{path:?}");
    }

    fn refused(path: &str, word: &str) {
        let problem = problem(path).unwrap_or("nothing");
        assert!(problem.contains(word), "{path:?}: {problem}");
    }

    #[test]
    fn paths() {
        allowed("a");
        allowed("src/app.py");
        allowed("docs/ä ö.md");
        allowed(".github/workflows/ci.yml");
        allowed(".gitignore");
        allowed("a..b/c...d");
        refused("", "empty");
        refused("/etc/passwd", "absolute");
        refused("../x", "..");
        refused("a/../../x", "..");
        refused("a//b", "empty part");
        refused("a/", "empty part");
        refused("a/./b", "`.`");
        refused("C:/x", "drive");
        refused("c:x", "drive");
        refused("a\\b", "backslash");
        refused("a\0b", "control");
        refused("a\nb", "control");
        refused("~/x", "home");
        refused(".git/hooks/pre-commit", ".git");
        refused("a/.GIT/config", ".git");
        refused(".git./config", ".git");
        refused("GIT~1/config", ".git");
        refused(" a", "white space");
        refused(&"x".repeat(PATH_BYTES_MAX + 1), "long");
    }

    #[test]
    fn refused_paths_are_shown_escaped() {
        let shown = check("a\u{1b}[31m/../b").unwrap_err().to_string();
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
