//! The envelope that some models are trained on.
//!
//! ```text
//! *** Begin Patch
//! *** Update File: src/greeting.py
//! *** Move to: src/hello.py
//! @@ def greet(name):
//! -    return "Hello"
//! +    return f"Hello, {name}!"
//! *** Add File: src/new.py
//! +x = 1
//! *** Delete File: src/old.py
//! *** End Patch
//! ```

use super::{Frame, Reader, malformed};
use crate::{
    Error,
    edit::{Change, Edit, Heading, Hunk, path::normal},
};

use super::unified;

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File:";
const UPDATE: &str = "*** Update File:";
const DELETE: &str = "*** Delete File:";
const MOVE: &str = "*** Move to:";
const END_OF_FILE: &str = "*** End of File";

pub(super) fn begins(line: &str) -> bool {
    line.trim_end() == BEGIN || line.starts_with(ADD) || line.starts_with(UPDATE)
}

/// Lines that a shell needs around the patch.
fn is_shell(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("apply_patch") || matches!(line, "EOF" | "PATCH" | "'EOF'" | "\"" | "'")
}

pub(super) fn read(
    lines: &[&str],
    from: usize,
    frame: Frame,
    named: Option<&str>,
) -> Result<(Vec<Edit>, usize), Error> {
    let mut edits = Vec::new();
    let mut at = from;
    // Where the patch may end, and what follows is prose.
    let mut ended = false;
    while let Some(&line) = lines.get(at) {
        let name = |mark: &str| line.strip_prefix(mark).map(|rest| path(rest, named)).transpose();
        if line.trim().is_empty() || is_shell(line) {
            at += 1;
        } else if line.trim_end() == BEGIN {
            ended = false;
            at += 1;
        } else if line.trim_end() == END {
            ended = true;
            at += 1;
            if frame == Frame::Open {
                return finished(edits, at);
            }
        } else if ended {
            return malformed(at, "there is text after `*** End Patch`");
        } else if let Some(path) = name(ADD)? {
            let (text, next) = added(lines, at + 1)?;
            edits.push(Edit {
                path,
                change: Change::Create { text },
            });
            at = next;
        } else if let Some(path) = name(DELETE)? {
            edits.push(Edit {
                path,
                change: Change::Delete,
            });
            at += 1;
        } else if let Some(path) = name(UPDATE)? {
            let (change, next) = updated(lines, at + 1)?;
            edits.push(Edit { path, change });
            at = next;
        } else if line.starts_with("***") {
            return malformed(at, &format!("`{}` is not known", line.trim()));
        } else {
            return malformed(at, "there is text before the first `*** Update File:`");
        }
    }
    if frame == Frame::Open && !ended {
        return Err(Error::Truncated {
            place: "the patch has no `*** End Patch`".into(),
        });
    }
    finished(edits, at)
}

fn finished(edits: Vec<Edit>, next: usize) -> Result<(Vec<Edit>, usize), Error> {
    if edits.is_empty() {
        return Err(Error::Malformed {
            problem: "the patch names no file".into(),
        });
    }
    Ok((edits, next))
}

fn path(text: &str, named: Option<&str>) -> Result<String, Error> {
    let text = text.trim();
    let inner = text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    let inner = inner.or_else(|| text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')));
    let path = normal(inner.unwrap_or(text)).to_owned();
    if named.is_some_and(|named| named != path) {
        let problem = format!(
            "`{}` stands before a patch of `{path}`",
            named.unwrap_or_default()
        );
        return Err(Error::Malformed { problem });
    }
    Ok(path)
}

/// Whether the line begins the next section. A line of a file that begins
/// with stars has a mark before them.
fn is_section(line: &str) -> bool {
    line.starts_with("*** ")
}

fn added(lines: &[&str], from: usize) -> Result<(String, usize), Error> {
    let count = lines[from..]
        .iter()
        .take_while(|line| !is_section(line) && !is_shell(line))
        .count();
    let next = from + count;
    let mut body = &lines[from..next];
    let mut end = "\n";
    while let Some((last, rest)) = body.split_last() {
        if last.starts_with('\\') && last.to_ascii_lowercase().contains("no newline") {
            end = "";
        } else if !last.is_empty() {
            break;
        }
        body = rest;
    }
    let marked = |line: &&&str| line.starts_with('+');
    let filled = body.iter().filter(|line| !line.is_empty()).count();
    let with_mark = body.iter().filter(marked).count();
    if with_mark != filled && with_mark != 0 {
        return malformed(from, "some lines of the new file have a `+` and some have none");
    }
    let plain = |line: &&str| line.strip_prefix('+').unwrap_or(line).to_owned();
    let mut text = body.iter().map(plain).collect::<Vec<_>>().join("\n");
    if !text.is_empty() {
        text.push_str(end);
    }
    Ok((text, next))
}

fn updated(lines: &[&str], from: usize) -> Result<(Change, usize), Error> {
    let mut to = None;
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut reader = Reader::default();
    let mut at = from;
    while let Some(&line) = lines.get(at) {
        if let Some(target) = line.strip_prefix(MOVE) {
            to = Some(path(target, None)?);
        } else if line.trim_end() == END_OF_FILE {
            reader.hunk.at_end = true;
        } else if is_section(line) {
            break;
        } else if line.starts_with("@@@") {
            return malformed(at, "a diff of several parents is not known");
        } else if line.starts_with("@@") {
            if !reader.is_empty() {
                hunks.push(std::mem::take(&mut reader).end());
            }
            header(&mut reader.hunk, line);
        } else if is_shell(line) && lines[at + 1..].iter().all(|line| line.trim().is_empty()) {
            break;
        } else {
            reader.line(line);
        }
        at += 1;
    }
    if !reader.is_empty() {
        hunks.push(reader.end());
    } else if reader.hunk.heading != Heading::None {
        return malformed(at.saturating_sub(1), "a hunk has no lines");
    }
    let then = (!hunks.is_empty()).then_some(Change::Patch { hunks });
    let change = match (to, then) {
        (Some(to), then) => Change::Move {
            to,
            then: then.map(Box::new),
        },
        (None, Some(change)) => change,
        (None, None) => return malformed(from - 1, "the file has no hunk"),
    };
    Ok((change, at))
}

/// Takes in the line that begins a hunk, or one more of them.
fn header(hunk: &mut Hunk, line: &str) {
    if let Some(numbers) = unified::header(line) {
        hunk.line = numbers.line;
        if !numbers.heading.is_empty() {
            hunk.heading = Heading::Hint(numbers.heading.to_owned());
        }
        return;
    }
    let text = line.trim_start_matches('@').trim();
    let text = text.strip_suffix("@@").unwrap_or(text).trim();
    if text.is_empty() {
        return;
    }
    match &mut hunk.heading {
        Heading::Within(lines) => lines.push(text.to_owned()),
        Heading::None | Heading::Hint(_) => hunk.heading = Heading::Within(vec![text.to_owned()]),
    }
}
