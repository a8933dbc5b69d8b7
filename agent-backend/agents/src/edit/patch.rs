//! Patches: unified diffs and the `*** Begin Patch` envelope.
//!
//! The text of a hunk decides where it goes; what its header says only decides
//! between places that fit equally.

mod envelope;
mod unified;

use super::{Edit, Hunk, Mark, Marked};
use crate::Error;

/// What a patch stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// A fence: all of its lines are the patch's.
    Fence,
    /// The answer: prose may follow.
    Open,
}

/// Whether `lines[at]` begins a patch that names its files.
pub(super) fn begins(lines: &[&str], at: usize) -> bool {
    envelope::begins(lines[at]) || unified::begins(lines, at)
}

/// Whether the body of a fence with this info is a patch. `first` is its first
/// line that is not blank.
pub(super) fn is_body(body: &[&str], first: usize, info: &str) -> bool {
    let rest = &body[first..];
    let shell = rest[0].trim_start().starts_with("apply_patch");
    if shell || begins(body, first) || is_hunk_header(rest[0]) {
        return true;
    }
    let named = matches!(
        info.split_whitespace().next().unwrap_or_default(),
        "diff" | "patch" | "udiff" | "apply_patch"
    );
    named
        && rest
            .iter()
            .any(|line| line.starts_with(['+', '-']) || is_hunk_header(line))
}

/// Whether a fence with this info and these lines holds a patch.
pub(super) fn is_fenced(info: &str, body: &[&str]) -> bool {
    let first = body.iter().position(|line| !line.trim().is_empty());
    first.is_some_and(|first| is_body(body, first, info))
}

/// Whether a patch names the files that it is for.
pub(super) fn names_files(body: &[&str]) -> bool {
    (0..body.len()).any(|at| begins(body, at) || body[at].starts_with("*** Delete File:"))
}

/// Reads the patch that `lines[at]` begins. Gives its edits and the index of
/// the line after it. `named` is the path before it, for a patch that does not
/// say it.
pub(super) fn read(
    lines: &[&str],
    at: usize,
    frame: Frame,
    named: Option<&str>,
) -> Result<(Vec<Edit>, usize), Error> {
    let shell = lines[at].trim_start().starts_with("apply_patch");
    let in_envelope = shell || envelope::begins(lines[at]) || lines[at].starts_with("*** Delete File:");
    if in_envelope {
        envelope::read(lines, at, frame, named)
    } else {
        unified::read(lines, at, frame, named)
    }
}

fn is_hunk_header(line: &str) -> bool {
    line.starts_with("@@ ") || line.trim_end() == "@@"
}

fn malformed<T>(at: usize, problem: &str) -> Result<T, Error> {
    Err(Error::Malformed {
        problem: format!("in line {} of the patch: {problem}", at + 1),
    })
}

/// Collects the lines of a hunk.
#[derive(Debug, Default)]
struct Reader {
    hunk: Hunk,
    /// Blank lines without a mark at the end: they may be the model's.
    blank: usize,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let (mark, text) = match line.chars().next() {
            Some(' ') => (Mark::Context, &line[1..]),
            Some('+') => (Mark::Added, &line[1..]),
            Some('-') => (Mark::Removed, &line[1..]),
            Some('\\') if line.to_ascii_lowercase().contains("no newline") => {
                self.hunk.at_end = true;
                return;
            }
            Some(_) => {
                self.hunk.unmarked = true;
                (Mark::Context, line)
            }
            None => {
                self.blank += 1;
                (Mark::Context, line)
            }
        };
        if !line.is_empty() {
            self.blank = 0;
        }
        self.hunk.lines.push(Marked {
            mark,
            text: text.to_owned(),
        });
    }

    fn is_empty(&self) -> bool {
        self.hunk.lines.len() == self.blank
    }

    /// Lines of the old and of the new side.
    fn counts(&self) -> (usize, usize) {
        let lines = &self.hunk.lines[..self.hunk.lines.len() - self.blank];
        let of = |mark| lines.iter().filter(|line| line.mark != mark).count();
        (of(Mark::Added), of(Mark::Removed))
    }

    fn end(mut self) -> Hunk {
        let length = self.hunk.lines.len() - self.blank;
        self.hunk.lines.truncate(length);
        self.hunk
    }
}

/// The text of a file that comes into being.
fn text_of(hunks: &[Hunk]) -> Option<String> {
    let mut text = String::new();
    for line in hunks.iter().flat_map(|hunk| &hunk.lines) {
        if line.mark != Mark::Added {
            return None;
        }
        text.push_str(&line.text);
        text.push('\n');
    }
    if hunks.last().is_some_and(|hunk| hunk.at_end) {
        text.pop();
    }
    Some(text)
}
