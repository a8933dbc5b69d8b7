//! The lines of a file that come nearest to what was searched for, so that
//! the next attempt can copy them.

use super::{likeness::Profile, lines::Line};

/// Lines that are shown.
const LINES_MAX: usize = 12;

/// Lines that are compared in earnest, the likeliest ones.
const COMPARED_MAX: usize = 100;

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
    let wanted = Profile::of(wanted);
    let profiles = file.iter().map(|line| Profile::of(line.text.trim_start()));
    let mut likely: Vec<(f32, usize, Profile)> = profiles
        .enumerate()
        .map(|(index, profile)| (profile.bound(&wanted), index, profile))
        .filter(|(bound, ..)| *bound >= SIMILARITY_MIN)
        .collect();
    likely.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut best: Option<(f32, usize)> = None;
    for (bound, index, profile) in likely.iter().take(COMPARED_MAX) {
        if best.is_some_and(|(known, _)| known >= *bound) {
            break;
        }
        let score = profile.similarity(&wanted);
        if score >= SIMILARITY_MIN && best.is_none_or(|(known, _)| score > known) {
            best = Some((score, *index));
        }
    }
    best.map(|(_, index)| index)
}
