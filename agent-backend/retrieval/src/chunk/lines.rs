//! From definitions to chunks: every line gets one owner, and neighbouring
//! lines with the same owner are cut to size.

use std::borrow::Cow;

use syntax::{Definition, Shape};

use super::{CHUNK_BYTES_MAX, CHUNK_LINES_MAX, Kind, Piece};

/// From this size on, a blank line ends a chunk, so that cuts fall between
/// paragraphs.
const SOFT_BYTES: usize = CHUNK_BYTES_MAX / 2;

/// Cuts `text` along `definitions`, whose outer ones come before their inner ones.
pub(super) fn cut(text: &str, definitions: &[Definition], each: &mut impl FnMut(Piece<'_>)) {
    let lines = Lines {
        text,
        all: split(text),
        has_returns: memchr::memchr(b'\r', text.as_bytes()).is_some(),
    };
    let owners = owners(lines.all.len(), definitions);
    let mut start = 0;
    while start < lines.all.len() {
        let owner = owners[start];
        let length = owners[start..]
            .iter()
            .take_while(|other| **other == owner)
            .count();
        let definition = owner.map(|index| &definitions[index]);
        cut_run(&lines, start, start + length, definition, each);
        start += length;
    }
}

/// The lines of a text.
struct Lines<'t> {
    text: &'t str,
    all: Vec<&'t str>,
    has_returns: bool,
}

impl<'t> Lines<'t> {
    /// The lines `from..to`, which are at least one, without the last one's end.
    fn join(&self, from: usize, to: usize) -> Cow<'t, str> {
        if self.has_returns {
            return Cow::Owned(self.all[from..to].join("\n"));
        }
        let offset = |line: &str| line.as_ptr().addr() - self.text.as_ptr().addr();
        let (first, last) = (self.all[from], self.all[to - 1]);
        Cow::Borrowed(&self.text[offset(first)..offset(last) + last.len()])
    }
}

/// What [`str::lines`] gives, in a third of the time.
fn split(text: &str) -> Vec<&str> {
    let mut lines = Vec::with_capacity(text.len() / 24);
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
        let line = &text[start..end];
        lines.push(line.strip_suffix('\r').unwrap_or(line));
        start = end + 1;
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// Which definition each line belongs to: the innermost, and of two that share
/// a line the first.
fn owners(lines: usize, definitions: &[Definition]) -> Vec<Option<usize>> {
    let mut owners: Vec<Option<usize>> = vec![None; lines];
    for (index, definition) in definitions.iter().enumerate() {
        let end = lines.min(definition.end_row + 1);
        for owner in owners.get_mut(definition.start_row..end).into_iter().flatten() {
            let taken = owner.is_some_and(|other| definitions[other].shape == Shape::Leaf);
            if !taken {
                *owner = Some(index);
            }
        }
    }
    join_heads(&mut owners, definitions);
    owners
}

/// Gives a head of one line that says nothing by itself (`impl Pair {`) to the
/// function below it, which it explains.
fn join_heads(owners: &mut [Option<usize>], definitions: &[Definition]) {
    for row in 1..owners.len() {
        let (Some(head), Some(below)) = (owners[row - 1], owners[row]) else {
            continue;
        };
        let (outer, inner) = (&definitions[head], &definitions[below]);
        let is_head = outer.shape == Shape::Container
            && matches!(outer.kind, Kind::Impl | Kind::Module)
            && outer.start_row + 1 == row;
        if is_head && inner.shape == Shape::Leaf && inner.start_row == row && inner.end_row <= outer.end_row {
            owners[row - 1] = Some(below);
        }
    }
}

/// Cuts the lines `start..end` of one owner to size.
fn cut_run(
    lines: &Lines<'_>,
    start: usize,
    end: usize,
    definition: Option<&Definition>,
    each: &mut impl FnMut(Piece<'_>),
) {
    let mut from = start;
    let mut bytes = 0;
    for row in start..end {
        let line = lines.all[row];
        let full = row > from
            && (row - from >= CHUNK_LINES_MAX
                || bytes + line.len() > CHUNK_BYTES_MAX
                || (bytes >= SOFT_BYTES && lines.all[row - 1].trim().is_empty()));
        if full {
            emit(lines, from, row, definition, each);
            from = row;
            bytes = 0;
        }
        bytes += line.len() + 1;
    }
    emit(lines, from, end, definition, each);
}

/// One chunk of the lines `from..to` without the blank ones around them; none
/// if nothing but punctuation is left, several if one line is too long.
fn emit(
    lines: &Lines<'_>,
    mut from: usize,
    mut to: usize,
    definition: Option<&Definition>,
    each: &mut impl FnMut(Piece<'_>),
) {
    while from < to && lines.all[from].trim().is_empty() {
        from += 1;
    }
    while from < to && lines.all[to - 1].trim().is_empty() {
        to -= 1;
    }
    if !lines.all[from..to]
        .iter()
        .any(|line| line.chars().any(char::is_alphanumeric))
    {
        return;
    }
    let mut piece = |text: Cow<'_, str>| {
        each(Piece {
            kind: definition.map_or(Kind::Block, |definition| definition.kind),
            symbol: definition.and_then(|definition| definition.symbol.as_deref()),
            start_line: line_number(from),
            end_line: line_number(to - 1),
            text,
        });
    };
    let text = lines.join(from, to);
    if text.len() <= CHUNK_BYTES_MAX {
        piece(text);
        return;
    }
    let mut rest = &*text;
    while !rest.is_empty() {
        let (head, after) = rest.split_at(rest.floor_char_boundary(CHUNK_BYTES_MAX));
        piece(Cow::Borrowed(head));
        rest = after;
    }
}

fn line_number(row: usize) -> u32 {
    u32::try_from(row + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_those_of_the_standard_library(text in "[a\r\né]{0,30}") {
            prop_assert_eq!(split(&text), text.lines().collect::<Vec<_>>());
        }
    }
}
