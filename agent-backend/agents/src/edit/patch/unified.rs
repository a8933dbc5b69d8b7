//! Unified diffs, with and without the lines that git adds.

use super::{Frame, Reader, is_hunk_header, malformed, text_of};
use crate::{
    Error,
    edit::{Change, Edit, Heading, Hunk, heading, path::normal},
};

const NOWHERE: &str = "/dev/null";

/// What a hunk's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// First line of the old side.
    pub line: Option<usize>,
    /// Lines of the old and of the new side.
    counts: Option<(usize, usize)>,
    /// What stands behind it.
    pub heading: &'a str,
}

/// Reads `@@ -1,3 +1,4 @@ heading`, also with dots in place of the numbers.
pub(super) fn header(line: &str) -> Option<Header<'_>> {
    let rest = line.strip_prefix("@@")?.trim_start();
    if let Some(rest) = rest.strip_prefix('-') {
        let (numbers, heading) = rest.split_once("@@").unwrap_or((rest, ""));
        let (old, new) = numbers.trim().split_once(' ')?;
        let new = new.trim().strip_prefix('+')?;
        let side = |text: &str| -> Option<(usize, usize)> {
            let (line, count) = text.split_once(',').unwrap_or((text, "1"));
            Some((line.trim().parse().ok()?, count.trim().parse().ok()?))
        };
        let (old, new) = (side(old), side(new));
        return Some(Header {
            line: old.map(|(line, _)| line),
            counts: old.zip(new).map(|((_, old), (_, new))| (old, new)),
            heading: heading.trim(),
        });
    }
    let (dots, heading) = rest.split_once("@@").unwrap_or((rest, ""));
    dots.trim()
        .trim_matches(['.', '…', ' ', '-', '+', ','])
        .is_empty()
        .then_some(Header {
            line: None,
            counts: None,
            heading: heading.trim(),
        })
}

pub(super) fn begins(lines: &[&str], at: usize) -> bool {
    lines[at].starts_with("diff --git ") || is_files(lines, at)
}

/// Whether two lines name the file before and after. Within a hunk they could
/// be lines that go and come.
fn is_files(lines: &[&str], at: usize) -> bool {
    let old = lines[at].strip_prefix("--- ");
    let new = lines.get(at + 1).and_then(|line| line.strip_prefix("+++ "));
    let named = |text: &str| {
        let name = name(text);
        name == NOWHERE || heading::is_path(&name, true)
    };
    old.zip(new).is_some_and(|(old, new)| named(old) && named(new))
}

/// A path as a header writes it: without a time, and out of git's quotes.
fn name(text: &str) -> String {
    let text = text.split('\t').next().unwrap_or(text).trim();
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => unquoted(quoted).unwrap_or_else(|| text.to_owned()),
        None => text.to_owned(),
    }
}

/// Takes git's escapes back: `\303\244` is `ä`.
fn unquoted(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b't' => b'\t',
            b'n' => b'\n',
            digit @ b'0'..=b'3' => {
                let octal = |digit: u8| (b'0'..=b'7').contains(&digit).then(|| digit - b'0');
                let (high, middle, low) = (octal(digit)?, octal(rest.next()?)?, octal(rest.next()?)?);
                high * 64 + middle * 8 + low
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The two paths without `a/` and `b/`.
fn pair(old: &str, new: &str) -> (String, String) {
    let (a, b) = (old.strip_prefix("a/"), new.strip_prefix("b/"));
    let (old, new) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (Some(a), None) if new == NOWHERE || new == a => (a, new),
        (None, Some(b)) if old == NOWHERE || old == b => (old, b),
        (Some(_) | None, _) => (old, new),
    };
    (normal(old).to_owned(), normal(new).to_owned())
}

/// What the lines before the hunks of one file say.
#[derive(Debug, Default)]
struct Section {
    /// Line that begins it.
    at: usize,
    /// From `diff --git`.
    git: Option<(String, String)>,
    files: Option<(String, String)>,
    from: Option<String>,
    to: Option<String>,
    created: bool,
    deleted: bool,
    hunks: Vec<Hunk>,
}

impl Section {
    /// Takes in a line that git adds; whether it is one.
    fn extended(&mut self, at: usize, line: &str) -> Result<bool, Error> {
        let mode = |rest: &str| rest.trim() == "100644";
        if let Some(rest) = line.strip_prefix("rename from ") {
            self.from = Some(name(rest));
        } else if let Some(rest) = line.strip_prefix("rename to ") {
            self.to = Some(name(rest));
        } else if let Some(rest) = line.strip_prefix("new file mode ") {
            if !mode(rest) {
                return malformed(at, "a new file can only have the mode 100644");
            }
            self.created = true;
        } else if line.starts_with("deleted file mode ") {
            self.deleted = true;
        } else if line.starts_with("old mode ") || line.starts_with("new mode ") {
            return malformed(at, "modes of files cannot be changed");
        } else if line.starts_with("copy from ") || line.starts_with("copy to ") {
            return malformed(at, "copies are not known; write a new file");
        } else if line.starts_with("GIT binary patch") || line.starts_with("Binary files ") {
            return malformed(at, "binary files cannot be changed");
        } else {
            return Ok([
                "index ",
                "similarity index ",
                "dissimilarity index ",
                "Index: ",
                "=====",
            ]
            .iter()
            .any(|known| line.starts_with(known)));
        }
        Ok(true)
    }

    fn edit(self, named: Option<&str>) -> Result<Edit, Error> {
        let Self {
            at,
            git,
            files,
            from,
            to,
            created,
            deleted,
            hunks,
        } = self;
        let paths = from.zip(to).or(files).or(git);
        let Some((old, new)) = paths else {
            let Some(named) = named else {
                return malformed(at, "a hunk has no file");
            };
            return Ok(Edit {
                path: named.to_owned(),
                change: Change::Patch { hunks },
            });
        };
        let path = if old == NOWHERE { &new } else { &old };
        if named.is_some_and(|named| named != path && named != new) {
            let problem = format!(
                "`{}` stands before a patch of `{path}`",
                named.unwrap_or_default()
            );
            return Err(Error::Malformed { problem });
        }
        let change = if old == NOWHERE || created {
            let Some(text) = text_of(&hunks) else {
                return malformed(at, "a new file has lines without a `+`");
            };
            Change::Create { text }
        } else if new == NOWHERE || deleted {
            if hunks.is_empty() {
                Change::Delete
            } else {
                Change::Remove { hunks }
            }
        } else if old != new {
            let then = (!hunks.is_empty()).then(|| Box::new(Change::Patch { hunks }));
            Change::Move {
                to: new.clone(),
                then,
            }
        } else if hunks.is_empty() {
            return malformed(at, "the file has no hunk");
        } else {
            Change::Patch { hunks }
        };
        Ok(Edit {
            path: path.clone(),
            change,
        })
    }
}

pub(super) fn read(
    lines: &[&str],
    from: usize,
    frame: Frame,
    named: Option<&str>,
) -> Result<(Vec<Edit>, usize), Error> {
    let mut edits = Vec::new();
    let mut section: Option<Section> = None;
    let mut at = from;
    let begun = |at| Section {
        at,
        ..Section::default()
    };
    while let Some(&line) = lines.get(at) {
        if let Some(rest) = line.strip_prefix("diff --git ") {
            let last = section.replace(Section {
                git: git_paths(rest),
                ..begun(at)
            });
            edits.extend(last.map(|last| last.edit(named)).transpose()?);
            at += 1;
        } else if is_files(lines, at) {
            let files = pair(&name(&lines[at][4..]), &name(&lines[at + 1][4..]));
            match &mut section {
                Some(open) if open.files.is_none() && open.hunks.is_empty() => open.files = Some(files),
                Some(_) | None => {
                    let last = section.replace(Section {
                        files: Some(files),
                        ..begun(at)
                    });
                    edits.extend(last.map(|last| last.edit(named)).transpose()?);
                }
            }
            at += 2;
        } else if line.trim().is_empty() {
            at += 1;
        } else if line.starts_with("@@@") {
            return malformed(at, "a diff of several parents is not known");
        } else if is_hunk_header(line) || is_first_line(&section, frame, line) {
            let (hunk, next) = hunk(lines, at, frame)?;
            let hunks = &mut section.get_or_insert_with(|| begun(at)).hunks;
            if !hunks.contains(&hunk) {
                hunks.push(hunk);
            }
            at = next;
        } else if section.get_or_insert_with(|| begun(at)).extended(at, line)? {
            at += 1;
        } else if frame == Frame::Fence {
            return malformed(at, "there is text that is no part of it");
        } else {
            break;
        }
    }
    edits.extend(section.map(|last| last.edit(named)).transpose()?);
    Ok((edits, at))
}

/// Whether the line is the first of a hunk that has no header.
fn is_first_line(section: &Option<Section>, frame: Frame, line: &str) -> bool {
    let named = section
        .as_ref()
        .is_some_and(|section| section.files.is_some() && section.hunks.is_empty());
    let marked = line.starts_with([' ', '+', '-']);
    marked && (named || (frame == Frame::Fence && section.is_none()))
}

/// The paths of `diff --git a/x b/x`; none if they cannot be told apart.
fn git_paths(text: &str) -> Option<(String, String)> {
    let text = text.trim();
    let (old, new) = if let Some(quoted) = text.strip_prefix('"') {
        quoted.find("\" ").map(|end| text.split_at(end + 2))?
    } else {
        text.find(" b/").map(|at| text.split_at(at))?
    };
    Some(pair(&name(old), &name(new)))
}

/// Reads a hunk. Where there is no fence, a line without a mark ends it, if
/// nothing says that it was meant as a part.
fn hunk(lines: &[&str], from: usize, frame: Frame) -> Result<(Hunk, usize), Error> {
    let mut reader = Reader::default();
    let mut at = from;
    let mut counts = None;
    if is_hunk_header(lines[at]) {
        let Some(header) = header(lines[at]) else {
            // `@@ def f():`, as in the envelope.
            let text = lines[at].trim_matches(['@', ' ']);
            reader.hunk.heading = Heading::Hint(text.to_owned());
            return body(lines, at + 1, frame, reader, None);
        };
        counts = header.counts;
        reader.hunk.line = header.line;
        if !header.heading.is_empty() {
            reader.hunk.heading = Heading::Hint(header.heading.to_owned());
        }
        at += 1;
    }
    body(lines, at, frame, reader, counts)
}

fn body(
    lines: &[&str],
    from: usize,
    frame: Frame,
    mut reader: Reader,
    counts: Option<(usize, usize)>,
) -> Result<(Hunk, usize), Error> {
    let mut at = from;
    let mut prose = false;
    while let Some(&line) = lines.get(at) {
        if line.starts_with("@@") || begins(lines, at) {
            break;
        }
        let plain = !line.is_empty() && !line.starts_with([' ', '+', '-', '\\']);
        if plain && frame == Frame::Open {
            prose = true;
            break;
        }
        // A list of prose, behind a hunk that is complete.
        let listed = reader.blank > 0 && line.starts_with(['+', '-']);
        if listed && frame == Frame::Open && counts == Some(reader.counts()) {
            break;
        }
        reader.line(line);
        at += 1;
    }
    if reader.is_empty() {
        return malformed(from.saturating_sub(1), "a hunk has no lines");
    }
    let (old, new) = reader.counts();
    let short = counts.is_some_and(|(old_said, new_said)| old < old_said && new < new_said);
    if frame == Frame::Open {
        let goes_on = prose
            && lines[at..]
                .iter()
                .take_while(|line| !begins_other(line))
                .any(|line| {
                    let marked = line.starts_with('+') || is_hunk_header(line);
                    let removed = line.starts_with('-') && (short || !line.starts_with("- "));
                    marked || removed
                });
        if goes_on {
            return malformed(at, "a line has no mark: context begins with a space");
        }
        if short && lines[at..].iter().all(|line| line.trim().is_empty()) {
            return Err(Error::Truncated {
                place: "the last hunk has fewer lines than its header says".into(),
            });
        }
    }
    Ok((reader.end(), at))
}

/// Whether a line begins something that is not this patch.
fn begins_other(line: &str) -> bool {
    line.starts_with("```") || line.starts_with("diff --git ") || line.starts_with("--- ")
}
