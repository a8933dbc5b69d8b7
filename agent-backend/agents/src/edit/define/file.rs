//! Where definitions are in a file, by their names, and where new ones go.

use syntax::{Language, Source};

use super::super::{
    Place,
    ladder::indent,
    likeness::Profile,
    lines::{self, Line},
};

/// Definitions that are told where the one that is meant is not found.
const TOLD_MAX: usize = 12;

/// Least likeness of a name that is told.
const LIKENESS_MIN: f32 = 0.5;

/// On which side of what is there a new definition goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Behind,
    Before,
    /// There is nothing.
    First,
}

/// A text, its lines and what it defines.
pub(super) struct File<'t> {
    pub(super) language: Language,
    pub(super) lines: Vec<Line<'t>>,
    /// Outer before inner.
    pub(super) defined: &'t [syntax::Definition],
}

impl<'t> File<'t> {
    pub(super) fn new(path: &str, text: &'t str, source: &'t Source) -> Self {
        Self {
            language: Language::of(path),
            lines: lines::split(text),
            defined: source.definitions(),
        }
    }

    pub(super) fn indent(&self, row: usize) -> &'t str {
        indent(self.lines.get(row).map_or("", |line| line.text))
    }

    /// The definition with this name.
    pub(super) fn find(&self, symbol: &str, first: Option<&str>) -> Result<&syntax::Definition, String> {
        let wanted = parts(symbol);
        let of = |definition: &&syntax::Definition| parts(definition.symbol.as_deref().unwrap_or_default());
        let meant: Vec<_> = self
            .defined
            .iter()
            .filter(|definition| !wanted.is_empty() && of(definition).ends_with(&wanted))
            .collect();
        let exact: Vec<_> = meant
            .iter()
            .copied()
            .filter(|definition| of(definition) == wanted)
            .collect();
        let mut left = if exact.is_empty() { meant.clone() } else { exact };
        if left.len() > 1
            && let Some(first) = first
        {
            // A type and what is implemented for it have one name.
            let same: Vec<_> = left
                .iter()
                .copied()
                .filter(|definition| word(self.lines[definition.own_row].text) == word(first))
                .collect();
            if !same.is_empty() {
                left = same;
            }
        }
        match left.as_slice() {
            [one] => {
                let elsewhere = meant
                    .iter()
                    .any(|other| self.indent(other.own_row) == indent(first.unwrap_or_default()));
                let here = self.indent(one.own_row) == indent(first.unwrap_or_default());
                if meant.len() > 1 && first.is_some() && elsewhere && !here {
                    return Err(format!("`{symbol}` may mean {}", self.told(&meant)));
                }
                Ok(one)
            }
            [] => Err(self.missing(symbol)),
            several => Err(format!(
                "`{symbol}` is defined several times: {}; qualify it, or use SEARCH blocks",
                self.told(several)
            )),
        }
    }

    fn missing(&self, symbol: &str) -> String {
        let last = |symbol: &str| parts(symbol).last().map(|last| Profile::of(last));
        let wanted = last(symbol);
        let is_like = |definition: &&syntax::Definition| {
            let known = last(definition.symbol.as_deref().unwrap_or_default());
            known
                .zip(wanted.as_ref())
                .is_some_and(|(known, wanted)| known.similarity(wanted) >= LIKENESS_MIN)
        };
        let like: Vec<_> = self.defined.iter().filter(is_like).collect();
        let told = if like.is_empty() {
            self.told(&self.defined.iter().collect::<Vec<_>>())
        } else {
            self.told(&like)
        };
        if told.is_empty() {
            return format!("there is no `{symbol}`, nor any other definition");
        }
        format!("there is no `{symbol}`; there are {told}. A new one says where it goes: (new, after NAME)")
    }

    fn told(&self, definitions: &[&syntax::Definition]) -> String {
        let names = definitions.iter().take(TOLD_MAX).map(|definition| {
            let symbol = definition.symbol.as_deref().unwrap_or("?");
            format!("`{symbol}` in line {}", definition.own_row + 1)
        });
        let mut told = names.collect::<Vec<_>>().join(", ");
        if definitions.len() > TOLD_MAX {
            told.push_str(" and more");
        }
        told
    }

    /// What is defined outside of some rows.
    pub(super) fn outside(&self, rows: &std::ops::Range<usize>) -> Vec<(syntax::Kind, Option<&str>)> {
        let is_outside = |definition: &&syntax::Definition| {
            definition.own_row < rows.start || definition.end_row >= rows.end
        };
        let outside = self.defined.iter().filter(is_outside);
        outside
            .map(|definition| (definition.kind, definition.symbol.as_deref()))
            .collect()
    }
}

impl<'t> File<'t> {
    /// The row of a new definition, and its indentation.
    pub(super) fn room(&self, place: &Place) -> Result<(usize, &'t str, Side), String> {
        match place {
            Place::After(symbol) => {
                let anchor = self.find(symbol, None)?;
                Ok((anchor.end_row + 1, self.indent(anchor.own_row), Side::Behind))
            }
            Place::Before(symbol) => {
                let anchor = self.find(symbol, None)?;
                Ok((anchor.start_row, self.indent(anchor.own_row), Side::Before))
            }
            Place::In(symbol) => {
                let holder = self.holder(symbol)?;
                let inner = self.defined.iter().filter(|inner| {
                    inner.own_row > holder.own_row && inner.end_row <= holder.end_row && *inner != holder
                });
                // Not one that is inside of another.
                let Some(first) = inner.clone().next() else {
                    return Err(format!("`{symbol}` holds no definition yet: write all of it"));
                };
                let depth = self.indent(first.own_row);
                let last = inner.rev().find(|inner| self.indent(inner.own_row) == depth);
                let row = last.unwrap_or(first).end_row + 1;
                Ok((row, depth, Side::Behind))
            }
            Place::End => {
                let filled = self.lines.iter().rposition(|line| !line.text.trim().is_empty());
                Ok(filled.map_or((0, "", Side::First), |row| (row + 1, "", Side::Behind)))
            }
        }
    }

    /// The type or module with this name.
    fn holder(&self, symbol: &str) -> Result<&syntax::Definition, String> {
        let wanted = parts(symbol);
        let holders: Vec<_> = self
            .defined
            .iter()
            .filter(|definition| definition.shape == syntax::Shape::Container)
            .filter(|definition| parts(definition.symbol.as_deref().unwrap_or_default()).ends_with(&wanted))
            .collect();
        match holders.as_slice() {
            [holder] => Ok(holder),
            [] => Err(self.missing(symbol)),
            several => Err(format!(
                "`{symbol}` is defined several times: {}",
                self.told(several)
            )),
        }
    }
}

/// The parts of a name: `a::B.c` and `a.B#c()` are the same.
pub(super) fn parts(symbol: &str) -> Vec<String> {
    symbol
        .split(['.', ':', '#', '/'])
        .map(|part| part.split(['(', '<']).next().unwrap_or(part).trim())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The first word of a definition that is no modifier.
fn word(line: &str) -> &str {
    let mut words = line
        .split(|c: char| c.is_whitespace() || c == '<')
        .filter(|word| !word.is_empty());
    words
        .find(|word| !matches!(*word, "pub" | "export" | "default" | "async" | "unsafe"))
        .unwrap_or_default()
}
