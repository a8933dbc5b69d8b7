//! What `git log` prints, taken apart. Pure.

/// Starts a commit; [`FIELD`] ends each of its fields. Control characters that
/// no message holds unless somebody put them there, which costs that message
/// its meaning and nothing else.
const COMMIT: char = '\u{1e}';
const FIELD: char = '\u{1f}';

/// The `--format` that [`parse`] reads, together with `-z --name-status -M`.
pub(super) const FORMAT: &str = "--format=%x1e%H%x1f%B%x1f";

/// Bytes of a message that count; what follows is a pasted log or changelog.
const MESSAGE_BYTES_MAX: usize = 2_000;
/// Files of one commit that count.
const FILES_MAX: usize = 1_000;

/// A commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: String,
    /// Without trailers and addresses.
    pub message: String,
    /// Paths as they were named after the commit; deleted ones are not there.
    pub paths: Vec<String>,
    /// Old path, new path.
    pub renames: Vec<(String, String)>,
}

/// Reads the output, newest commit first. A commit cut off at the end is left
/// out, and so is whatever cannot be read.
pub(super) fn parse(output: &[u8]) -> Vec<Entry> {
    let text = String::from_utf8_lossy(output);
    text.split(COMMIT).skip(1).filter_map(entry).collect()
}

fn entry(text: &str) -> Option<Entry> {
    let mut fields = text.splitn(3, FIELD);
    let (id, body, files) = (fields.next()?, fields.next()?, fields.next()?);
    if id.len() < 40 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut entry = Entry {
        id: id.to_owned(),
        message: message(body),
        ..Entry::default()
    };
    let mut parts = files.split('\0').map(|part| part.trim_start_matches('\n'));
    while let Some(status) = parts.next() {
        let Some(kind) = status.bytes().next() else {
            continue;
        };
        let (old, new) = match kind {
            b'R' | b'C' => (parts.next(), parts.next()?),
            _ => (None, parts.next()?),
        };
        if entry.paths.len() >= FILES_MAX {
            continue;
        }
        match (kind, old) {
            (b'D', _) => {}
            (b'R', Some(old)) => {
                entry.renames.push((old.to_owned(), new.to_owned()));
                entry.paths.push(new.to_owned());
            }
            _ => entry.paths.push(new.to_owned()),
        }
    }
    Some(entry)
}

/// The message of a commit without what says nothing about the change: empty
/// lines, trailers, links and numbers of issues; at most 2,000 bytes of it.
pub fn message(body: &str) -> String {
    let mut out = String::new();
    for line in body.lines() {
        let line = line.trim_end();
        if line.is_empty() || is_trailer(line) {
            continue;
        }
        for word in line.split(' ') {
            if word.contains("://") || is_issue(word) {
                continue;
            }
            out.push_str(word);
            out.push(' ');
        }
        out.pop();
        out.push('\n');
        if out.len() >= MESSAGE_BYTES_MAX {
            break;
        }
    }
    out.truncate(out.floor_char_boundary(MESSAGE_BYTES_MAX));
    out
}

fn is_trailer(line: &str) -> bool {
    let Some((key, _)) = line.split_once(": ") else {
        return false;
    };
    let key = key.to_ascii_lowercase();
    key.ends_with("-by")
        || matches!(
            key.as_str(),
            "change-id" | "cc" | "git-svn-id" | "fixes" | "closes" | "refs" | "pr"
        )
}

fn is_issue(word: &str) -> bool {
    let digits = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '#');
    digits
        .strip_prefix('#')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789012345678901234567890123456789";

    #[test]
    fn logs() {
        let check = |output: &str, expect: &[Entry]| {
            let output = output
                .replace('^', "\u{1e}")
                .replace('|', "\u{1f}")
                .replace('@', "\0");
            assert_eq!(parse(output.as_bytes()), expect);
        };
        let entry = |message: &str, paths: &[&str], renames: &[(&str, &str)]| Entry {
            id: ID.into(),
            message: message.into(),
            paths: paths.iter().map(|&path| path.into()).collect(),
            renames: renames
                .iter()
                .map(|&(old, new)| (old.into(), new.into()))
                .collect(),
        };
        check("", &[]);
        check("warning: noise", &[]);
        check(&format!("^{ID}|first\n|@"), &[entry("first\n", &[], &[])]);
        check(
            &format!("^{ID}|add x\n|@\nM@a b.py@A@x.py@^{ID}|drop\n|@\nD@x.py@"),
            &[
                entry("add x\n", &["a b.py", "x.py"], &[]),
                entry("drop\n", &[], &[]),
            ],
        );
        check(
            &format!("^{ID}|move\n|@\nR100@old.py@new.py@C75@new.py@copy.py@"),
            &[entry("move\n", &["new.py", "copy.py"], &[("old.py", "new.py")])],
        );
        // Cut off, forged, or not a commit at all.
        check(&format!("^{ID}|cut o"), &[]);
        check("^nonsense|m|@", &[]);
        check(&format!("^{ID}|m\n|@\nM"), &[]);
    }

    #[test]
    fn messages() {
        let check = |body: &str, expect: &str| assert_eq!(message(body), expect, "{body}");
        check("fix: a bug (#12)\n\nSigned-off-by: A <a@b>\n", "fix: a bug\n");
        check("see https://example.org now\nCo-authored-by: A", "see now\n");
        check("core: add x\nCloses: #3", "core: add x\n");
        assert!(message(&"ä".repeat(MESSAGE_BYTES_MAX)).len() <= MESSAGE_BYTES_MAX);
    }
}
