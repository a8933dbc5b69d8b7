//! Line diffs, hunks, and taking only some of them. Pure and deterministic:
//! equal inputs give equal hunks, so an index means the same everywhere.

use std::{fmt::Write, ops::Range};

use shared::diff::{Change, Unit};

use crate::{Error, limits::DIFF_CONTEXT_LINES};

/// A change with the unchanged lines around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Position among the file's hunks, from 0.
    pub index: u32,
    /// First line in the old contents, from 1; the line before it if
    /// `old_lines` is 0, as in a unified diff.
    pub old_start: u32,
    /// Lines of the old contents that it covers.
    pub old_lines: u32,
    /// First line in the new contents.
    pub new_start: u32,
    /// Lines of the new contents that it covers.
    pub new_lines: u32,
    /// The lines, in the order of a unified diff.
    pub lines: Vec<HunkLine>,
}

/// One line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HunkLine {
    /// What happens to it.
    pub kind: LineKind,
    /// The line with its line ending, if it has one.
    pub text: String,
}

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// It stays.
    Context,
    /// It goes.
    Removed,
    /// It comes.
    Added,
}

/// The hunks that turn `old` into `new`.
pub fn hunks(old: &str, new: &str) -> Vec<Hunk> {
    let (old, new) = (lines(old), lines(new));
    let groups = groups(&changes(&old, &new));
    groups
        .iter()
        .enumerate()
        .map(|(index, group)| hunk(index, group, &old, &new))
        .collect()
}

/// `old` with the hunks at these indexes applied.
///
/// # Errors
/// E1001 if there is no hunk of such an index.
pub fn select(old: &str, new: &str, indexes: &[u32]) -> Result<String, Error> {
    let (old, new) = (lines(old), lines(new));
    let groups = groups(&changes(&old, &new));
    if let Some(index) = indexes.iter().find(|index| **index as usize >= groups.len()) {
        let reason = format!("there is no hunk {index}; the file has {}", groups.len());
        return Err(Error::Selection { reason });
    }
    let mut out = String::new();
    let mut at = 0;
    for (index, group) in groups.iter().enumerate() {
        if !indexes.iter().any(|wanted| *wanted as usize == index) {
            continue;
        }
        for change in group {
            append(&mut out, &old[at..change.old.start]);
            append(&mut out, &new[change.new.clone()]);
            at = change.old.end;
        }
    }
    append(&mut out, &old[at..]);
    Ok(out)
}

/// Adds lines; a line that was the last one without an end gets one when more
/// lines follow it.
fn append(out: &mut String, lines: &[&str]) {
    for line in lines {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(line);
    }
}

/// Lines added and removed.
pub fn counts(old: &str, new: &str) -> (u32, u32) {
    let (old, new) = (lines(old), lines(new));
    let changes = changes(&old, &new);
    let sum = |side: fn(&Change) -> usize| count(changes.iter().map(side).sum());
    (sum(|change| change.new.len()), sum(|change| change.old.len()))
}

/// The lines that `new` adds, with their numbers from 1.
pub fn added_lines<'a>(old: &str, new: &'a str) -> Vec<(u32, &'a str)> {
    let (old, new) = (lines(old), lines(new));
    aligned(&old, &new)
        .into_iter()
        .filter(|(old, _)| old.is_none())
        .map(|(_, at)| (count(at) + 1, new[at].trim_end_matches(['\n', '\r'])))
        .collect()
}

/// A unified diff of one file, as `git apply` reads it. None stands for a file
/// that does not exist.
pub fn unified(path: &str, old: Option<&str>, new: Option<&str>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "diff --git a/{path} b/{path}");
    match (old, new) {
        (None, _) => out.push_str("new file mode 100644\n"),
        (Some(_), None) => out.push_str("deleted file mode 100644\n"),
        (Some(_), Some(_)) => {}
    }
    let hunks = hunks(old.unwrap_or(""), new.unwrap_or(""));
    if hunks.is_empty() {
        return out;
    }
    let side = |letter: char, text: Option<&str>| match text {
        Some(_) => format!("{letter}/{path}"),
        None => "/dev/null".to_owned(),
    };
    let _ = writeln!(out, "--- {}\n+++ {}", side('a', old), side('b', new));
    for hunk in hunks {
        let range = |start: u32, lines: u32| {
            if lines == 1 {
                start.to_string()
            } else {
                format!("{start},{lines}")
            }
        };
        let _ = writeln!(
            out,
            "@@ -{} +{} @@",
            range(hunk.old_start, hunk.old_lines),
            range(hunk.new_start, hunk.new_lines)
        );
        for line in hunk.lines {
            out.push(match line.kind {
                LineKind::Context => ' ',
                LineKind::Removed => '-',
                LineKind::Added => '+',
            });
            out.push_str(&line.text);
            if !line.text.ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
}

/// Text that is safe on a terminal: control characters, which could move the
/// cursor or hide lines, are shown as their pictures. Line ends and tabs stay.
pub fn printable(text: &str) -> String {
    let picture = |c: char| match c {
        '\n' | '\t' => c,
        '\u{7f}' => '\u{2421}',
        c if (c as u32) < 0x20 => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(picture).collect()
}

/// Lines with their ends.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// For each new line its index and, if it is unchanged, the old line's.
pub(crate) fn aligned(old: &[&str], new: &[&str]) -> Vec<(Option<usize>, usize)> {
    let mut pairs = Vec::with_capacity(new.len());
    let mut at = 0;
    for change in changes(old, new) {
        pairs.extend((at..change.old.start).map(Some).zip(pairs.len()..));
        pairs.extend(change.new.map(|at| (None, at)));
        at = change.old.end;
    }
    pairs.extend((at..old.len()).map(Some).zip(pairs.len()..));
    pairs
}

fn changes(old: &[&str], new: &[&str]) -> Vec<Change> {
    shared::diff::changes(Unit::Line, old, new)
}

/// Changes whose surroundings touch are shown, and taken, together.
fn groups(changes: &[Change]) -> Vec<Vec<Change>> {
    let mut groups: Vec<Vec<Change>> = Vec::new();
    for change in changes {
        match groups.last_mut() {
            Some(group)
                if group
                    .last()
                    .is_some_and(|last| change.old.start - last.old.end <= 2 * DIFF_CONTEXT_LINES) =>
            {
                group.push(change.clone());
            }
            Some(_) | None => groups.push(vec![change.clone()]),
        }
    }
    groups
}

fn hunk(index: usize, group: &[Change], old: &[&str], new: &[&str]) -> Hunk {
    let (first_old, last_old) = bounds(group, |change| &change.old);
    let (first_new, last_new) = bounds(group, |change| &change.new);
    // Lines around the group are the same on both sides, in number too.
    let before = first_old.min(DIFF_CONTEXT_LINES);
    let after = (old.len() - last_old).min(DIFF_CONTEXT_LINES);
    let mut lines = Vec::new();
    let mut push = |kind, from: &[&str]| {
        lines.extend(from.iter().map(|text| HunkLine {
            kind,
            text: (*text).to_owned(),
        }));
    };
    let mut at = first_old - before;
    for change in group {
        push(LineKind::Context, &old[at..change.old.start]);
        push(LineKind::Removed, &old[change.old.clone()]);
        push(LineKind::Added, &new[change.new.clone()]);
        at = change.old.end;
    }
    push(LineKind::Context, &old[at..last_old + after]);
    let place = |first: usize, last: usize| {
        let (start, lines) = (first - before, last - first + before + after);
        (count(if lines == 0 { start } else { start + 1 }), count(lines))
    };
    let (old_start, old_lines) = place(first_old, last_old);
    let (new_start, new_lines) = place(first_new, last_new);
    Hunk {
        index: count(index),
        old_start,
        old_lines,
        new_start,
        new_lines,
        lines,
    }
}

/// First line of a group on one side, and the line after its last.
fn bounds(group: &[Change], side: fn(&Change) -> &Range<usize>) -> (usize, usize) {
    let first = group.first().map_or(0, |change| side(change).start);
    (first, group.last().map_or(first, |change| side(change).end))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(range: std::ops::Range<u32>) -> String {
        range.map(|n| format!("{n}\n")).collect()
    }

    #[test]
    fn far_changes_are_hunks_of_their_own() {
        let old = numbered(1..31);
        let new = old.replace("2\n3\n", "2\nthree\n").replace("\n25\n", "\n");
        let shape: Vec<_> = hunks(&old, &new)
            .iter()
            .map(|h| (h.index, h.old_start, h.old_lines, h.new_start, h.new_lines))
            .collect();
        assert_eq!(shape, [(0, 1, 6, 1, 6), (1, 22, 7, 22, 6)]);
    }

    fn check_select(old: &str, new: &str, indexes: &[u32], expect: &str) {
        assert_eq!(select(old, new, indexes).unwrap(), expect);
    }

    #[test]
    fn hunks_are_taken_one_by_one() {
        let old = numbered(1..31);
        let first = old.replacen("3\n", "three\n", 1);
        let second = old.replace("\n25\n", "\n");
        let both = first.replace("\n25\n", "\n");
        check_select(&old, &both, &[], &old);
        check_select(&old, &both, &[0], &first);
        check_select(&old, &both, &[1], &second);
        check_select(&old, &both, &[1, 0], &both);
        check_select("", "a\nb\n", &[0], "a\nb\n");
        check_select("a\n", "", &[0], "");
        check_select("a", "a\nb", &[0], "a\nb");
        assert!(select(&old, &both, &[2]).is_err());
    }

    #[test]
    fn a_rewritten_large_file_is_one_hunk() {
        let old = numbered(0..20_000);
        let new = format!(
            "0\n{}19999\n",
            (0..20_000).map(|n| format!("x{n}\n")).collect::<String>()
        );
        assert_eq!(hunks(&old, &new).len(), 1);
        check_select(&old, &new, &[0], &new);
        assert_eq!(counts(&old, &new), (20_000, 19_998));
    }

    #[test]
    fn a_new_function_is_one_change_from_its_first_line_on() {
        let old = "def a():\n    return 1\n\n\ndef c():\n    return 3\n";
        let new = "def a():\n    return 1\n\n\ndef b():\n    return 1\n\n\ndef c():\n    return 3\n";
        let added = [(5, "def b():"), (6, "    return 1"), (7, ""), (8, "")];
        assert_eq!(added_lines(old, new), added);
    }

    #[test]
    fn unified_text_as_git_writes_it() {
        assert_eq!(
            unified("a.txt", Some("a\nb"), Some("a\nc\n")),
            "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
        );
        assert_eq!(
            unified("n", None, Some("x\n")),
            "diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
        );
        assert_eq!(unified("n", Some("x\n"), Some("x\n")), "diff --git a/n b/n\n");
    }

    #[test]
    fn added_lines_have_numbers() {
        assert_eq!(added_lines("a\nb\n", "a\nx\r\nb\ny"), [(2, "x"), (4, "y")]);
    }

    #[test]
    fn terminals_are_not_steered() {
        assert_eq!(printable("a\x1b[2Jb\r\nc\td\u{202e}"), "a␛[2Jb\nc\td\u{fffd}");
    }

    #[test]
    fn any_selection_of_everything_is_the_new_text() {
        use proptest::prelude::*;
        let text = proptest::collection::vec("[ab]?\n", 0..40).prop_map(|lines| lines.concat());
        proptest!(|(old in text.clone(), new in text)| {
            let all: Vec<u32> = hunks(&old, &new).iter().map(|hunk| hunk.index).collect();
            prop_assert_eq!(select(&old, &new, &all).unwrap(), new.clone());
            prop_assert_eq!(select(&old, &new, &[]).unwrap(), old.clone());
        });
    }
}
