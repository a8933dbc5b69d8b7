//! Whole definitions: a function, method or type is written as a whole and
//! takes the place of the syntax node with its name.
//!
//! Afterwards the file must define what it defined before, and the new text
//! exactly what it was said to be: half a function, or more than one, shows.

mod file;

use syntax::{Language, Outcome, Source};

use self::file::{File, Side, parts};
use super::{
    Change, Definition, Edit, Place,
    apply::Verdict,
    block, heading,
    ladder::indent,
    lines::{self, Line},
};
use crate::Error;

/// Whether definitions are told apart in the file at `path`.
pub(super) fn is_known(path: &str) -> bool {
    syntax::rules::grammar(Language::of(path)).is_some()
}

/// What a heading says of the fence below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    symbol: String,
    note: Option<String>,
}

/// The path and the definition that a line names.
pub(super) fn target(line: &str) -> Option<(String, Target)> {
    let named = heading::symbol(line)?;
    let target = Target {
        symbol: named.symbol.to_owned(),
        note: named.note.map(str::to_owned),
    };
    Some((named.path.to_owned(), target))
}

/// The same in a fence's info string, behind the language.
pub(super) fn in_info(info: &str) -> Option<(String, Target)> {
    let behind = info.split_once(char::is_whitespace).map(|(_, rest)| rest);
    behind.and_then(target).or_else(|| target(info))
}

impl Target {
    /// The edit that gives it this text.
    pub(super) fn edit(self, path: String, text: String) -> Result<Edit, Error> {
        if text.lines().any(block::is_search) {
            let problem = format!(
                "`{path}::{}` is a definition, but given as SEARCH blocks",
                self.symbol
            );
            return Err(Error::Malformed { problem });
        }
        let place = self.note.as_deref().map(place).transpose()?.flatten();
        let definition = Definition {
            symbol: self.symbol,
            text,
            place,
        };
        Ok(Edit {
            path,
            change: Change::Define {
                definitions: vec![definition],
                blocks: Vec::new(),
            },
        })
    }
}

/// Reads `new, after NAME`. Other notes, such as `updated`, say nothing.
fn place(note: &str) -> Result<Option<Place>, Error> {
    let words: Vec<&str> = note
        .split([' ', ','])
        .map(|word| word.trim_matches('`'))
        .filter(|word| !word.is_empty())
        .collect();
    let rest = match words.as_slice() {
        ["new" | "New", rest @ ..] => rest,
        _ => return Ok(None),
    };
    let name = |name: &str| name.trim_end_matches("()").to_owned();
    Ok(Some(match rest {
        ["after", symbol] => Place::After(name(symbol)),
        ["before", symbol] => Place::Before(name(symbol)),
        ["in", symbol] => Place::In(name(symbol)),
        ["at", "end"] | ["at", "the", "end"] => Place::End,
        _ => {
            return Err(Error::Malformed {
                problem: format!(
                    "`({note})` names no place: write (new, after NAME), (new, before NAME), (new, in NAME) or (new, at end)"
                ),
            });
        }
    }))
}

/// The text with all definitions in their places, or the verdict on each.
pub(super) fn apply(path: &str, definitions: &[Definition], current: &str) -> Result<String, Vec<Verdict>> {
    let mut text = current.to_owned();
    let mut source = None;
    let verdicts: Vec<Verdict> = definitions
        .iter()
        .map(|definition| {
            let before = match source.take() {
                Some(before) => before,
                None => read(path, &text)?,
            };
            let changed = one(path, definition, &text, &before);
            // The next one is judged by what there is now.
            let (new, after) = changed.inspect_err(|_| source = Some(before))?;
            (text, source) = (new, Some(after));
            Ok(())
        })
        .collect();
    if verdicts.iter().any(Result::is_err) {
        return Err(verdicts);
    }
    Ok(text)
}

fn read(path: &str, text: &str) -> Result<Source, String> {
    Source::read(Language::of(path), &plain(text), &mut || true).map_err(|why| unread(&why))
}

/// The text as the grammars take it: they know one kind of line end.
fn plain(text: &str) -> String {
    let lines = lines::split(text);
    let lines: Vec<&str> = lines.iter().map(|line| line.text).collect();
    lines.join("\n")
}

fn unread(why: &Outcome) -> String {
    match why {
        Outcome::NoGrammar => {
            "definitions cannot be told apart in this language: write the whole file, or SEARCH blocks"
        }
        Outcome::Parsed(_) | Outcome::GivenUp => "the file cannot be parsed: write SEARCH blocks",
    }
    .to_owned()
}

fn is_comment(language: Language, line: &str) -> bool {
    let line = line.trim_start();
    match language {
        Language::Python => line.starts_with('#'),
        Language::Rust
        | Language::JavaScript
        | Language::TypeScript
        | Language::Tsx
        | Language::Go
        | Language::Java
        | Language::C
        | Language::Cpp => line.starts_with("//") || line.starts_with("/*"),
        Language::Markdown
        | Language::Data
        | Language::Web
        | Language::Shell
        | Language::Sql
        | Language::Proto
        | Language::Other => false,
    }
}

/// The decorator or attribute that stands first among these lines, if one does
/// before the definition itself.
fn attribute<'a>(language: Language, lines: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    lines
        .map(str::trim)
        .find(|line| !line.is_empty() && !is_comment(language, line) && !line.starts_with('*'))
        .filter(|line| line.starts_with('@') || line.starts_with("#["))
}

/// The text with one definition in its place, and what it defines then.
fn one(
    path: &str,
    definition: &Definition,
    current: &str,
    source: &Source,
) -> Result<(String, Source), String> {
    let file = File::new(path, current, source);
    let new: Vec<&str> = trimmed(&definition.text);
    let Some(first) = new.iter().copied().find(|line| !is_comment(file.language, line)) else {
        return Err(format!("the text of `{}` is empty", definition.symbol));
    };
    let (rows, indent, blank) = match &definition.place {
        None => {
            let old = file.find(&definition.symbol, Some(first))?;
            let rows = replaced(&file, old, &new)?;
            (rows, file.indent(old.own_row), None)
        }
        Some(place) => {
            let known = file.defined.iter().find(|known| {
                parts(known.symbol.as_deref().unwrap_or_default()) == parts(&definition.symbol)
            });
            if let Some(known) = known {
                return Err(format!(
                    "`{}` is said to be new, but is defined in line {}",
                    definition.symbol,
                    known.own_row + 1
                ));
            }
            let (row, indent, side) = file.room(place)?;
            (row..row, indent, Some(side))
        }
    };
    let shifted = reindented(&file, &new, indent)?;
    let mut added = shifted;
    let mut own = rows.start..rows.start + added.len();
    if let Some(side) = blank {
        let blanks = if file.language == Language::Python && indent.is_empty() {
            2
        } else {
            1
        };
        let blanks = || std::iter::repeat_n(String::new(), blanks);
        match side {
            Side::Behind => {
                own = own.start + blanks().count()..own.end + blanks().count();
                added.splice(0..0, blanks());
            }
            Side::Before => added.extend(blanks()),
            Side::First => {}
        }
    }
    let shape = lines::shape(current);
    let mut out: Vec<Line<'_>> = file.lines[..rows.start].to_vec();
    out.extend(added.iter().map(|text| Line { text, end: shape.end }));
    out.extend_from_slice(&file.lines[rows.end..]);
    let text = lines::join(&out, shape);
    let source = source.changed(&plain(&text), &mut || true);
    let source = source.map_err(|why| unread(&why))?;
    let after = File::new(path, &text, &source);
    verify(definition, (&file, &rows), (&after, &own))?;
    Ok((text, source))
}

/// The rows that the new text takes.
fn replaced(
    file: &File<'_>,
    old: &syntax::Definition,
    new: &[&str],
) -> Result<std::ops::Range<usize>, String> {
    let shares = |other: &&syntax::Definition| {
        let apart = other.end_row < old.start_row || other.start_row > old.end_row;
        let around = other.own_row < old.start_row && other.end_row >= old.end_row;
        let inside =
            other.own_row >= old.own_row && other.end_row <= old.end_row && old.own_row != other.own_row;
        *other != old && !apart && !around && !inside
    };
    if let Some(other) = file.defined.iter().find(shares) {
        return Err(format!(
            "it shares a line with `{}`: use SEARCH blocks",
            other.symbol.as_deref().unwrap_or("?")
        ));
    }
    let commented = new.first().is_some_and(|line| is_comment(file.language, line));
    let start = if commented { old.start_row } else { old.own_row };
    let had = file.lines[old.start_row..=old.end_row]
        .iter()
        .map(|line| line.text);
    if let Some(attribute) = attribute(file.language, had)
        && self::attribute(file.language, new.iter().copied()).is_none()
    {
        return Err(format!(
            "`{attribute}` stands before it and is left out: write it as well"
        ));
    }
    Ok(start..old.end_row + 1)
}

/// The lines without blank ones at the edges.
fn trimmed(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let filled = |line: &&str| !line.trim().is_empty();
    let first = lines.iter().position(filled).unwrap_or(lines.len());
    let last = lines.iter().rposition(filled).map_or(first, |last| last + 1);
    lines[first..last].to_vec()
}

/// The lines as they are indented in their place.
fn reindented(file: &File<'_>, new: &[&str], wanted: &str) -> Result<Vec<String>, String> {
    let own = indent(new.first().copied().unwrap_or_default());
    let starts = |mark: &str| file.lines.iter().any(|line| line.text.starts_with(mark));
    let has = |mark: &str| {
        let inner = |line: &&str| line.strip_prefix(own).is_some_and(|rest| rest.starts_with(mark));
        new.iter().filter(|line| !line.trim().is_empty()).any(inner)
    };
    let (tabs, spaces) = (starts("\t"), starts("  "));
    if (tabs && !spaces && has("  ")) || (spaces && !tabs && has("\t")) {
        return Err("it is indented with spaces where the file has tabs, or the other way round".into());
    }
    if own == wanted {
        return Ok(new.iter().map(|line| (*line).to_owned()).collect());
    }
    if syntax::has_long_string(file.language, &new.join("\n")) {
        return Err(
            "it is indented differently from the file, and a string goes over several lines: indent it as in the file"
                .into(),
        );
    }
    let shift = |line: &&str| match line.strip_prefix(own) {
        _ if line.trim().is_empty() => Ok(String::new()),
        Some(rest) => Ok(format!("{wanted}{rest}")),
        None => Err(format!(
            "`{}` is indented less than the first line, so that it cannot be indented as in the file",
            line.trim()
        )),
    };
    new.iter().map(shift).collect()
}

/// That the text defines what it did before, and the new lines what they are
/// said to.
fn verify(
    definition: &Definition,
    (before, old): (&File<'_>, &std::ops::Range<usize>),
    (after, new): (&File<'_>, &std::ops::Range<usize>),
) -> Result<(), String> {
    let inside = |file: &File<'_>| -> Vec<(usize, usize, Vec<String>)> {
        let here = file
            .defined
            .iter()
            .filter(|it| it.own_row >= new.start && it.end_row < new.end);
        here.map(|it| {
            (
                it.start_row,
                it.end_row + 1,
                parts(it.symbol.as_deref().unwrap_or_default()),
            )
        })
        .collect()
    };
    let found = inside(after);
    let wanted = parts(&definition.symbol);
    let last = |parts: &[String]| parts.last().cloned();
    let Some((start, end, symbol)) = found.first() else {
        return Err(format!("its text does not define `{}`", definition.symbol));
    };
    if last(symbol) != last(&wanted) || !symbol.ends_with(&wanted) {
        return Err(format!(
            "its text defines `{}`, not `{}`",
            symbol.join("."),
            definition.symbol
        ));
    }
    if *start > new.start || *end != new.end {
        return Err(format!(
            "its text holds more than `{}`, or not all of it: one definition in a fence",
            definition.symbol
        ));
    }
    if before.outside(old) != after.outside(new) {
        return Err("with it the rest of the file would define something else: is a bracket missing?".into());
    }
    Ok(())
}
