//! The lines of a file that come nearest to what was searched for, so that
//! the next attempt can copy them.

use super::{ladder::similarity, lines::Line};

/// Lines that are shown.
const LINES_MAX: usize = 12;

/// Longest line that is compared, in characters.
const CHARS_MAX: usize = 200;

/// Least similarity of a line that is worth showing.
const SIMILARITY_MIN: f32 = 0.5;

/// The nearest lines with their numbers, from 1; none if nothing is near.
pub(super) fn nearest(file: &[Line<'_>], search: &[&str]) -> Option<String> {
    let wanted: Vec<&str> = search
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .collect();
    let span = search.len().clamp(1, file.len().max(1));
    // Equal lines decide where there are any; a similar line where not.
    let equal = |window: &[Line<'_>]| {
        window
            .iter()
            .filter(|line| wanted.contains(&line.text.trim()))
            .count()
    };
    let best = file
        .windows(span)
        .enumerate()
        .map(|(start, window)| (equal(window), start));
    let best = best.max_by_key(|(count, start)| (*count, std::cmp::Reverse(*start)));
    let start = match best {
        Some((count, start)) if count > 0 => start,
        Some(_) | None => alike(file, wanted.first()?)?,
    };
    let shown: Vec<String> = file[start..]
        .iter()
        .take(span.min(LINES_MAX))
        .enumerate()
        .map(|(index, line)| format!("{:>5} | {}", start + index + 1, line.text))
        .collect();
    Some(shown.join("\n"))
}

fn alike(file: &[Line<'_>], wanted: &str) -> Option<usize> {
    let wanted: Vec<char> = wanted.chars().take(CHARS_MAX).collect();
    let mut best: Option<(f32, usize)> = None;
    for (index, line) in file.iter().enumerate() {
        let have: Vec<char> = line.text.trim().chars().take(CHARS_MAX).collect();
        let (short, long) = (have.len().min(wanted.len()), have.len().max(wanted.len()));
        if short * 3 < long {
            continue;
        }
        let score = similarity(&have, &wanted);
        if score >= SIMILARITY_MIN && best.is_none_or(|(known, _)| score > known) {
            best = Some((score, index));
        }
    }
    best.map(|(_, index)| index)
}
