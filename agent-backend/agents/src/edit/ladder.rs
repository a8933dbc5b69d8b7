//! Finds the lines that a block means, from strict to lenient.
//!
//! Every rung demands exactly one place. A place on a stricter rung ends the
//! search, and so do several: guessing among them would be a wrong silent
//! application.

use super::{likeness::Profile, lines::Line};

/// Least similarity of every line of a fuzzy match.
const SIMILARITY_MIN: f32 = 0.9;

/// Fewest lines that are not blank for a fuzzy match: one line is too little
/// to be sure of.
const FUZZY_LINES_MIN: usize = 2;

/// Places that are listed when there are several.
const PLACES_SHOWN_MAX: usize = 5;

/// Where a block fits and what that does to its replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// It fits as it is.
    Here { start: usize },
    /// It fits when every line gets this indentation.
    Deeper { start: usize, indent: &'a str },
    /// It fits when every line loses this indentation.
    Shallower { start: usize, indent: &'a str },
}

/// Why there is no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// It fits nowhere.
    Nowhere,
    /// It fits in several places; first lines, from 0.
    Many(Vec<usize>),
}

/// The place of `search` in `file`. `search` has a line that is not blank.
pub(super) fn find<'a>(file: &[Line<'a>], search: &[&'a str]) -> Result<Found<'a>, Lost> {
    let rungs: [fn(&str, &str) -> bool; 2] = [|a, b| a == b, |a, b| a.trim_end() == b.trim_end()];
    for same in rungs {
        if let Some(start) = one(places(file, search, same))? {
            return Ok(Found::Here { start });
        }
    }
    if let Some(found) = one(shifted(file, search))? {
        return Ok(found);
    }
    if let Some(start) = one(typographic(file, search))? {
        return Ok(Found::Here { start });
    }
    match one(fuzzy(file, search, |_| true))? {
        Some(start) => Ok(Found::Here { start }),
        None => Err(Lost::Nowhere),
    }
}

fn one<T: Start>(mut places: Vec<T>) -> Result<Option<T>, Lost> {
    if places.len() > 1 {
        return Err(Lost::Many(places.iter().map(Start::start).collect()));
    }
    Ok(places.pop())
}

trait Start {
    fn start(&self) -> usize;
}

impl Start for usize {
    fn start(&self) -> usize {
        *self
    }
}

impl Start for Found<'_> {
    fn start(&self) -> usize {
        Found::start(self)
    }
}

impl Found<'_> {
    /// First line of the place, from 0.
    pub(super) fn start(&self) -> usize {
        match self {
            Self::Here { start } | Self::Deeper { start, .. } | Self::Shallower { start, .. } => *start,
        }
    }
}

/// A new line as it is indented at this place; why it cannot be.
pub(super) fn indented(place: &Found<'_>, line: &str) -> Result<String, String> {
    match place {
        Found::Here { .. } => Ok(line.to_owned()),
        Found::Deeper { .. } | Found::Shallower { .. } if line.trim().is_empty() => Ok(String::new()),
        Found::Deeper { indent, .. } => Ok(format!("{indent}{line}")),
        Found::Shallower { indent, .. } => line.strip_prefix(indent).map(str::to_owned).ok_or_else(|| {
            format!(
                "the lines are indented differently from the file, and `{}` cannot be shifted",
                line.trim()
            )
        }),
    }
}

/// How many places there are, and where.
pub(super) fn places_told(starts: &[usize]) -> String {
    let shown: Vec<String> = starts
        .iter()
        .take(PLACES_SHOWN_MAX)
        .map(|start| (start + 1).to_string())
        .collect();
    let more = if starts.len() > PLACES_SHOWN_MAX {
        " and more"
    } else {
        ""
    };
    format!("{} places (lines {}{more})", starts.len(), shown.join(", "))
}

/// Places where every line is the `same`.
pub(super) fn places(file: &[Line<'_>], search: &[&str], same: impl Fn(&str, &str) -> bool) -> Vec<usize> {
    file.windows(search.len())
        .enumerate()
        .filter(|(_, window)| {
            window
                .iter()
                .zip(search)
                .all(|(line, wanted)| same(line.text, wanted))
        })
        .map(|(start, _)| start)
        .collect()
}

/// Places where only the indentation differs, by the same white space in
/// every line.
pub(super) fn shifted<'a>(file: &[Line<'a>], search: &[&'a str]) -> Vec<Found<'a>> {
    let Some(anchor) = search.iter().position(|line| !line.trim().is_empty()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (start, window) in file.windows(search.len()).enumerate() {
        let (have, wanted) = (window[anchor].text.trim_end(), search[anchor].trim_end());
        let place = if let Some(indent) = have.strip_suffix(wanted) {
            Found::Deeper { start, indent }
        } else if let Some(indent) = wanted.strip_suffix(have).filter(|_| !have.is_empty()) {
            Found::Shallower { start, indent }
        } else {
            continue;
        };
        let fits = window.iter().zip(search).all(|(line, wanted)| {
            let (have, wanted) = (line.text.trim_end(), wanted.trim_end());
            if have.is_empty() || wanted.is_empty() {
                return have == wanted;
            }
            match place {
                Found::Here { .. } => have == wanted,
                Found::Deeper { indent, .. } => have.strip_prefix(indent) == Some(wanted),
                Found::Shallower { indent, .. } => wanted.strip_prefix(indent) == Some(have),
            }
        });
        let blank = match place {
            Found::Here { .. } => true,
            Found::Deeper { indent, .. } | Found::Shallower { indent, .. } => indent.trim().is_empty(),
        };
        if fits && blank {
            found.push(place);
        }
    }
    found
}

/// Places that are equal once typographic characters are plain ones.
pub(super) fn typographic(file: &[Line<'_>], search: &[&str]) -> Vec<usize> {
    let plain: Vec<String> = file.iter().map(|line| ascii(line.text)).collect();
    let wanted: Vec<String> = search.iter().map(|line| ascii(line)).collect();
    let windows = plain.windows(wanted.len()).enumerate();
    windows
        .filter(|(_, window)| *window == wanted.as_slice())
        .map(|(start, _)| start)
        .collect()
}

/// The line with typographic characters as plain ones and no white space at
/// its end.
fn ascii(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    for c in line.trim_end().chars() {
        match c {
            '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' => plain.push('\''),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{2033}' => plain.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => plain.push('-'),
            '\u{00a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => plain.push(' '),
            '\u{2026}' => plain.push_str("..."),
            '\u{200b}' | '\u{feff}' => {}
            c => plain.push(c),
        }
    }
    plain
}

/// Places where every line is similar enough and holds the same numbers. Lines
/// that are `placed` are indented as in the file: what comes is indented like
/// them.
pub(super) fn fuzzy(file: &[Line<'_>], search: &[&str], placed: impl Fn(usize) -> bool) -> Vec<usize> {
    if search.iter().filter(|line| !line.trim().is_empty()).count() < FUZZY_LINES_MIN {
        return Vec::new();
    }
    let wanted: Vec<Profile> = search.iter().map(|line| Profile::of(line)).collect();
    let have: Vec<Profile> = file.iter().map(|line| Profile::of(line.text)).collect();
    let is_placed = |start: usize| {
        let pairs = file[start..].iter().zip(search).enumerate();
        pairs
            .filter(|(index, (_, wanted))| placed(*index) && !wanted.trim().is_empty())
            .all(|(_, (line, wanted))| indent(line.text) == indent(wanted))
    };
    have.windows(wanted.len())
        .enumerate()
        .filter(|(_, window)| {
            // The cheap bound first, over all lines, then the real measure.
            window
                .iter()
                .zip(&wanted)
                .all(|(a, b)| a.bound(b) >= SIMILARITY_MIN)
                && window
                    .iter()
                    .zip(&wanted)
                    .all(|(a, b)| a.is_like(b, SIMILARITY_MIN))
        })
        .filter(|(start, _)| is_placed(*start))
        .map(|(start, _)| start)
        .collect()
}

/// The white space that a line begins with.
pub(super) fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}
