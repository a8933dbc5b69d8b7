//! Which diagnostics a change brings. Computes and nothing else.
//!
//! A diagnostic is known by its file and its words, not by its place: code
//! that moved is not new. Of several with the same words, those are old that
//! lie nearest to the places of before.

use std::{collections::HashMap, sync::LazyLock};

use regex::Regex;

use crate::{Diagnostic, Severity};

/// Places that servers write into messages: `on line 3`, `a.py:3:5`.
static PLACES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b(lines?\s+|[\w./-]+\.\w+:)\d+(:\d+)?").ok());

/// What makes two diagnostics the same one at different times.
type Identity<'a> = (&'a str, Severity, Option<&'a str>, Option<&'a str>, String);

/// The diagnostics of `after` that `before` has none of, in the order of
/// `after`. The same words count as often as they occur: a second one of the
/// same kind in a file is new.
pub fn new_ones(before: &[Diagnostic], after: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut known: HashMap<Identity<'_>, Vec<&Diagnostic>> = HashMap::new();
    for old in before {
        known.entry(identity(old)).or_default().push(old);
    }
    let mut now: HashMap<Identity<'_>, Vec<usize>> = HashMap::new();
    for (index, new) in after.iter().enumerate() {
        now.entry(identity(new)).or_default().push(index);
    }
    let mut is_new = vec![true; after.len()];
    for (identity, indexes) in &mut now {
        for old in known.get(identity).into_iter().flatten() {
            let nearest = indexes
                .iter()
                .enumerate()
                .min_by_key(|(_, index)| distance(old, &after[**index]))
                .map(|(place, _)| place);
            if let Some(place) = nearest {
                is_new[indexes.swap_remove(place)] = false;
            }
        }
    }
    let news = after.iter().zip(is_new).filter(|(_, is_new)| *is_new);
    news.map(|(new, _)| new.clone()).collect()
}

fn identity(diagnostic: &Diagnostic) -> Identity<'_> {
    let words = diagnostic
        .message
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let words = match PLACES.as_ref() {
        Some(places) => places.replace_all(&words, "${1}#").into_owned(),
        None => words,
    };
    (
        &diagnostic.path,
        diagnostic.severity,
        diagnostic.code.as_deref(),
        diagnostic.source.as_deref(),
        words,
    )
}

/// Lines first, characters where the lines are equal; the earlier one where
/// both are.
fn distance(old: &Diagnostic, new: &Diagnostic) -> (u32, u32, crate::Position) {
    let (old, new) = (old.range.start, new.range.start);
    (
        old.line.abs_diff(new.line),
        old.character.abs_diff(new.character),
        new,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Position, Range};

    /// `path line:character length message`, e.g. `a.py 3:4 2 no`.
    fn read(lines: &[&str]) -> Vec<Diagnostic> {
        let one = |text: &&str| {
            let mut words = text.splitn(4, ' ');
            let mut next = || words.next().unwrap();
            let path = next().to_owned();
            let (line, character) = next().split_once(':').unwrap();
            let start = Position {
                line: line.parse().unwrap(),
                character: character.parse().unwrap(),
            };
            let length: u32 = next().parse().unwrap();
            let end = Position {
                character: start.character + length,
                ..start
            };
            let message = next();
            let (severity, message) = match message.strip_prefix("warning ") {
                Some(message) => (Severity::Warning, message),
                None => (Severity::Error, message),
            };
            Diagnostic {
                path,
                range: Range { start, end },
                severity,
                code: None,
                source: None,
                message: message.to_owned(),
            }
        };
        lines.iter().map(one).collect()
    }

    #[track_caller]
    fn check(before: &[&str], after: &[&str], expect: &[&str]) {
        assert_eq!(new_ones(&read(before), &read(after)), read(expect));
    }

    #[test]
    fn what_was_there_before_is_not_new() {
        check(&[], &[], &[]);
        check(&["a.py 1:0 3 no"], &[], &[]);
        check(&["a.py 1:0 3 no"], &["a.py 1:0 3 no"], &[]);
        check(&[], &["a.py 1:0 3 no"], &["a.py 1:0 3 no"]);
    }

    #[test]
    fn moved_lines_and_changed_ranges_are_not_new() {
        check(&["a.py 1:0 3 no"], &["a.py 90:0 3 no"], &[]);
        check(&["a.py 1:0 3 no"], &["a.py 1:8 3 no"], &[]);
        check(&["a.py 1:0 3 no"], &["a.py 1:0 9 no"], &[]);
        check(
            &["a.py 5:0 1 no", "a.py 9:0 1 yes"],
            &["a.py 2:0 1 yes", "a.py 7:0 1 no"],
            &[],
        );
    }

    #[test]
    fn other_words_files_and_severities_are_new() {
        check(&["a.py 1:0 3 no"], &["a.py 1:0 3 not"], &["a.py 1:0 3 not"]);
        check(&["a.py 1:0 3 no"], &["b.py 1:0 3 no"], &["b.py 1:0 3 no"]);
        check(&["a.py 1:0 3 warning no"], &["a.py 1:0 3 no"], &["a.py 1:0 3 no"]);
    }

    #[test]
    fn the_same_words_count_as_often_as_they_occur() {
        let one = &["a.py 1:0 3 no"];
        check(one, &["a.py 1:0 3 no", "a.py 2:0 3 no"], &["a.py 2:0 3 no"]);
        // Above the old one, which moved down by two lines.
        check(
            &["a.py 10:0 3 no"],
            &["a.py 4:0 3 no", "a.py 12:0 3 no"],
            &["a.py 4:0 3 no"],
        );
        // Twice before, three times after, all of them moved by one.
        check(
            &["a.py 10:0 3 no", "a.py 20:0 3 no"],
            &["a.py 11:0 3 no", "a.py 15:0 3 no", "a.py 21:0 3 no"],
            &["a.py 15:0 3 no"],
        );
        check(&["a.py 1:0 3 no", "a.py 2:0 3 no"], &["a.py 2:0 3 no"], &[]);
        // Two on one line.
        check(
            &["a.py 1:4 3 no"],
            &["a.py 1:0 3 no", "a.py 1:9 3 no"],
            &["a.py 1:9 3 no"],
        );
    }

    #[test]
    fn places_in_words_do_not_count() {
        check(
            &["a.py 1:0 3 redefinition of unused 'os' from line 3"],
            &["a.py 2:0 3 redefinition of unused 'os' from line 14"],
            &[],
        );
        check(
            &["a.rs 1:0 3 first defined at src/a.rs:3:14 here"],
            &["a.rs 1:0 3 first defined at src/a.rs:4:1 here"],
            &[],
        );
        // Numbers that are no places do.
        check(
            &["a.py 1:0 3 expected 2 arguments"],
            &["a.py 1:0 3 expected 3 arguments"],
            &["a.py 1:0 3 expected 3 arguments"],
        );
    }

    #[test]
    fn white_space_in_words_does_not_count() {
        let mut after = read(&["a.py 1:0 3 a b"]);
        after[0].message = "a\n    b".to_owned();
        assert_eq!(new_ones(&read(&["a.py 1:0 3 a b"]), &after), []);
    }
}
