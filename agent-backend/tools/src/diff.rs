//! Line diffs, hunks, and taking only some of them. Pure and deterministic:
//! equal inputs give equal hunks, so an index means the same everywhere.

use std::fmt::Write;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::{
    Error,
    limits::{DIFF_CONTEXT_LINES, DIFF_LINES_MAX},
};

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
    let groups = groups(&old, &new);
    groups.iter().enumerate().map(|(index, ops)| hunk(index, ops, &old, &new)).collect()
}

/// `old` with the hunks at these indexes applied.
///
/// # Errors
/// E1001 if there is no hunk of such an index.
pub fn select(old: &str, new: &str, indexes: &[u32]) -> Result<String, Error> {
    let (old, new) = (lines(old), lines(new));
    let groups = groups(&old, &new);
    if let Some(index) = indexes.iter().find(|index| **index as usize >= groups.len()) {
        let reason = format!("there is no hunk {index}; the file has {}", groups.len());
        return Err(Error::Selection { reason });
    }
    let mut out = String::new();
    let mut at = 0;
    for (index, ops) in groups.iter().enumerate() {
        let taken = indexes.iter().any(|wanted| *wanted as usize == index);
        for op in ops {
            let (old_range, new_range) = (op.old_range(), op.new_range());
            out.extend(old[at..old_range.start].iter().copied());
            if taken {
                append(&mut out, &new[new_range]);
            } else {
                append(&mut out, &old[old_range.clone()]);
            }
            at = old_range.end;
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
    let (mut added, mut removed) = (0, 0);
    for op in ops(&old, &new) {
        if !matches!(op, DiffOp::Equal { .. }) {
            added += count(op.new_range().len());
            removed += count(op.old_range().len());
        }
    }
    (added, removed)
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
        let range = |start: u32, lines: u32| if lines == 1 { start.to_string() } else { format!("{start},{lines}") };
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
    for op in ops(old, new) {
        let (old_range, new_range) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Equal { .. }) {
            pairs.extend(old_range.map(Some).zip(new_range));
        } else {
            pairs.extend(new_range.map(|at| (None, at)));
        }
    }
    pairs
}

fn groups(old: &[&str], new: &[&str]) -> Vec<Vec<DiffOp>> {
    let ops = ops(old, new);
    if ops.iter().all(|op| matches!(op, DiffOp::Equal { .. })) {
        return Vec::new();
    }
    similar::group_diff_ops(ops, DIFF_CONTEXT_LINES)
}

/// The edit script. Common ends are taken off first, so that the bound on the
/// search looks at the changed region alone.
fn ops(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_len, new_len) = (old_rest.len() - tail, new_rest.len() - tail);
    if old_len + new_len <= DIFF_LINES_MAX {
        return capture_diff_slices(Algorithm::Myers, old, new);
    }
    let mut ops = Vec::new();
    if head > 0 {
        ops.push(DiffOp::Equal { old_index: 0, new_index: 0, len: head });
    }
    ops.push(match (old_len, new_len) {
        (0, new_len) => DiffOp::Insert { old_index: head, new_index: head, new_len },
        (old_len, 0) => DiffOp::Delete { old_index: head, old_len, new_index: head },
        (old_len, new_len) => DiffOp::Replace { old_index: head, old_len, new_index: head, new_len },
    });
    if tail > 0 {
        ops.push(DiffOp::Equal { old_index: head + old_len, new_index: head + new_len, len: tail });
    }
    ops
}

fn hunk(index: usize, ops: &[DiffOp], old: &[&str], new: &[&str]) -> Hunk {
    let mut lines = Vec::new();
    let mut push = |kind, from: &[&str]| {
        lines.extend(from.iter().map(|text| HunkLine { kind, text: (*text).to_owned() }));
    };
    for op in ops {
        if matches!(op, DiffOp::Equal { .. }) {
            push(LineKind::Context, &old[op.old_range()]);
        } else {
            push(LineKind::Removed, &old[op.old_range()]);
            push(LineKind::Added, &new[op.new_range()]);
        }
    }
    let bounds = |of: fn(&DiffOp) -> std::ops::Range<usize>| {
        let start = ops.first().map_or(0, |op| of(op).start);
        let end = ops.last().map_or(0, |op| of(op).end);
        let lines = end - start;
        (count(if lines == 0 { start } else { start + 1 }), count(lines))
    };
    let (old_start, old_lines) = bounds(DiffOp::old_range);
    let (new_start, new_lines) = bounds(DiffOp::new_range);
    Hunk { index: count(index), old_start, old_lines, new_start, new_lines, lines }
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
        let new = format!("0\n{}19999\n", (0..20_000).map(|n| format!("x{n}\n")).collect::<String>());
        assert_eq!(hunks(&old, &new).len(), 1);
        check_select(&old, &new, &[0], &new);
        assert_eq!(counts(&old, &new), (20_000, 19_998));
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
