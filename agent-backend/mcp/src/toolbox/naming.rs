//! The names of tools as they are offered: unique, and what the interfaces of
//! model providers take. The same names give the same name in every process.

use sha2::{Digest as _, Sha256};

use crate::limits::{NAME_CHARS_MAX, SERVER_NAME_CHARS_MAX};

/// Between the server's and the tool's part. No server's part holds it or ends
/// in half of it, so no two pairs become the same name.
const BETWEEN: &str = "__";

/// Hexadecimal digits that tell apart what is otherwise written alike.
const MARK_CHARS: usize = 8;

/// The name of a server's tool.
pub(super) fn of_tool(server: &str, tool: &str) -> String {
    let server = of_server(server);
    let room = NAME_CHARS_MAX - server.len() - BETWEEN.len();
    format!("{server}{BETWEEN}{}", fitted(tool, room, !tool.is_empty()))
}

/// The server's part.
pub(super) fn of_server(server: &str) -> String {
    let unambiguous = !server.contains(BETWEEN) && !server.ends_with('_') && !server.is_empty();
    fitted(server, SERVER_NAME_CHARS_MAX, unambiguous)
}

/// The name itself if it may be used, else its beginning and a mark.
fn fitted(name: &str, chars_max: usize, may_stay: bool) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if may_stay && name.len() <= chars_max && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let room = chars_max - MARK_CHARS - 1;
    let plain: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .take(room)
        .collect();
    let plain = plain.replace(BETWEEN, "-");
    let digest = Sha256::digest(name.as_bytes());
    let mark: String = digest
        .iter()
        .take(MARK_CHARS / 2)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{mark}", plain.trim_matches('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(server: &str, tool: &str, expect: &str) {
        let name = of_tool(server, tool);
        assert_eq!(name, expect);
        assert!((1..=NAME_CHARS_MAX).contains(&name.len()));
    }

    #[test]
    fn plain_names_stay() {
        check("git", "log", "git__log");
        check("a-b", "_c__d", "a-b___c__d");
    }

    #[test]
    fn others_are_marked() {
        check("my files", "read/file", "my_files-3c02e611__read_file-9cc468c6");
        check("a_", "b", "a-571fb0e3__b");
        check("a__b", "c", "a-b-63e5c1c4__c");
        check("", "ü", "-e3b0c442__-607474ca");
        let long = "x".repeat(100);
        let (server, tool) = ("x".repeat(23), "x".repeat(21));
        check(&long, &long, &format!("{server}-09ecb6eb__{tool}-09ecb6eb"));
    }
}
