//! Where a fence begins and where it ends.

use super::{block, patch};

/// The first line of a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open<'a> {
    mark: char,
    length: usize,
    indent: usize,
    /// What stands behind the marks.
    pub info: &'a str,
}

/// Deepest indentation of a fence, in spaces: within a list item.
const INDENT_MAX: usize = 8;

/// Reads the first line of a fence.
pub(super) fn open(line: &str) -> Option<Open<'_>> {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = text.chars().take_while(|c| *c == mark).count();
    let info = text[length..].trim();
    let plain = length >= 3 && indent <= INDENT_MAX && !info.contains('`');
    // A path in backticks may follow a language.
    let quoted = length >= 3 && indent <= INDENT_MAX && info.ends_with('`') && info.contains(" `");
    (plain || quoted).then_some(Open {
        mark,
        length,
        indent,
        info,
    })
}

/// Lines of a fence and the index of the line after its end.
pub(super) struct Body<'a> {
    pub lines: Vec<&'a str>,
    pub next: usize,
}

/// Reads the lines of the fence that `open` began, from `lines[from]` on. None
/// if it does not end. A fence with an info string inside is part of the
/// text, up to its own end; the lines of a search-and-replace block are never
/// looked at, and those of a patch have a mark before them.
pub(super) fn body<'a>(open: Open<'_>, lines: &[&'a str], from: usize) -> Option<Body<'a>> {
    let mut inner: Vec<usize> = Vec::new();
    let mut taken = Vec::new();
    let first = lines[from..]
        .iter()
        .take(3)
        .position(|line| block::is_search(line));
    let blocks = first.is_some_and(|at| {
        lines[from..from + at]
            .iter()
            .all(|line| !line.trim_start().starts_with('`'))
    });
    if patch::is_fenced(open.info, &lines[from..]) {
        return patch_body(open, lines, from);
    }
    let mut in_block = false;
    for (index, &line) in lines.iter().enumerate().skip(from) {
        if blocks {
            if block::is_search(line) {
                in_block = true;
            } else if block::is_replace(line) {
                in_block = false;
            }
        }
        if !in_block && let Some(length) = run(line, open) {
            let info = line.trim_start().trim_start_matches(open.mark).trim();
            if info.is_empty() {
                match inner.last() {
                    Some(&needed) if length >= needed => {
                        inner.pop();
                    }
                    Some(_) => {}
                    None if length >= open.length => {
                        return Some(Body {
                            lines: taken,
                            next: index + 1,
                        });
                    }
                    None => {}
                }
            } else if length >= open.length && !blocks && is_info(info) {
                inner.push(length);
            }
        }
        taken.push(dedent(line, open.indent));
    }
    None
}

/// The lines of a patch. One that begins with a space is of the file.
fn patch_body<'a>(open: Open<'_>, lines: &[&'a str], from: usize) -> Option<Body<'a>> {
    let ends = |line: &&str| {
        let is_deep = line.len() - line.trim_start_matches(' ').len() == open.indent;
        let is_bare = line.trim().chars().all(|c| c == open.mark);
        is_deep && is_bare && line.trim().len() >= open.length
    };
    let count = lines[from..].iter().position(ends)?;
    let taken = lines[from..from + count].iter();
    Some(Body {
        lines: taken.map(|line| dedent(line, open.indent)).collect(),
        next: from + count + 1,
    })
}

/// Length of the run of marks that `line` begins with, if it could be a fence
/// at the depth of `open`.
fn run(line: &str, open: Open<'_>) -> Option<usize> {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let length = text.chars().take_while(|c| *c == open.mark).count();
    (length >= 3 && indent <= open.indent + 3).then_some(length)
}

fn is_info(info: &str) -> bool {
    let word = info.split_whitespace().next().unwrap_or_default();
    word.chars().count() <= 60
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || "+#-_./:{}=\"".contains(c))
}

fn dedent(line: &str, indent: usize) -> &str {
    let spaces = line.bytes().take(indent).take_while(|b| *b == b' ').count();
    &line[spaces..]
}
