//! What the code widget draws: a diff in one column or two, text that is being
//! written, or what a check printed.

use std::ops::Range;

use crate::model::{
    diff::{FileView, Line},
    layout::{Layout, Shown, View},
    live::Live,
    log::Log,
    selection::Selection,
    syntax::Language,
};

/// How one side of a row looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// As it was.
    Plain,
    /// Added.
    Added,
    /// Removed.
    Removed,
    /// Would be added, but is left out.
    AddedNot,
    /// Would be removed, but is kept.
    RemovedNot,
    /// What was searched for.
    Found,
    /// This side has no line here.
    Absent,
    /// Just arrived.
    Fresh,
}

/// One side of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell<'a> {
    /// Line number.
    pub number: Option<u32>,
    /// Line number in the text before, where one column shows both.
    pub before: Option<u32>,
    /// Text.
    pub text: &'a str,
    /// Look.
    pub tone: Tone,
    /// Byte ranges that stand out.
    pub emphasis: &'a [Range<usize>],
}

const ABSENT: Cell<'_> = Cell {
    number: None,
    before: None,
    text: "",
    tone: Tone::Absent,
    emphasis: &[],
};

/// A diff, and what of it a person takes.
#[derive(Debug, Clone, Copy)]
pub struct Diff<'a> {
    /// The file.
    pub file: &'a FileView,
    /// How much of it is shown.
    pub view: View,
    /// How.
    pub layout: Layout,
    /// What is taken.
    pub selection: &'a Selection,
    /// The hunk that keys act on.
    pub current: Option<usize>,
}

/// The head of a hunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The hunk, from 0.
    pub hunk: usize,
    /// Hunks of the file.
    pub count: usize,
    /// Whether it is taken.
    pub taken: bool,
    /// Whether keys act on it.
    pub current: bool,
}

/// Rows to draw.
#[derive(Debug, Clone)]
pub enum Rows<'a> {
    /// Two columns, or one with the old lines above the new ones.
    Diff(Diff<'a>),
    /// One column; the range is what arrived last in the first fresh line.
    Live(&'a Live, Range<usize>),
    /// One column.
    Log(&'a Log),
}

impl<'a> Diff<'a> {
    fn shown(&self, at: usize) -> Option<Shown> {
        self.file.shown(self.view, self.layout).get(at).copied()
    }

    fn takes(&self, row: usize) -> bool {
        let hunk = self.file.hunk_of(row).unwrap_or_default();
        self.selection.takes(&self.file.path, hunk)
    }

    fn cell(&self, at: usize, column: usize) -> Cell<'a> {
        let Some(shown) = self.shown(at) else {
            return ABSENT;
        };
        let Some((index, row)) = shown
            .row()
            .and_then(|index| Some((index, self.file.rows.get(index)?)))
        else {
            return ABSENT;
        };
        let tone = |tone: Tone| match (row.changed, tone) {
            (false, _) => Tone::Plain,
            (true, Tone::Added) if !self.takes(index) => Tone::AddedNot,
            (true, Tone::Removed) if !self.takes(index) => Tone::RemovedNot,
            (true, tone) => tone,
        };
        let old = |tone| row.left.as_ref().map(|line| of_line(line, tone));
        let new = |tone| row.right.as_ref().map(|line| of_line(line, tone));
        let (removed, added) = (tone(Tone::Removed), tone(Tone::Added));
        let cell = match (self.layout, shown) {
            (Layout::Split, _) if column == 0 => old(removed),
            (Layout::Split, _) => new(added),
            (Layout::Unified, Shown::Removed(_)) => old(removed).map(|cell| Cell {
                before: cell.number,
                number: None,
                ..cell
            }),
            (Layout::Unified, Shown::Added(_)) => new(added),
            (Layout::Unified, Shown::Row(_) | Shown::Gap(_) | Shown::Hunk(_)) => {
                let before = row.left.as_ref().map(|line| line.number);
                new(added).map(|cell| Cell { before, ..cell })
            }
        };
        cell.unwrap_or(ABSENT)
    }
}

impl<'a> Rows<'a> {
    /// Text that is being written.
    pub fn live(live: &'a Live) -> Self {
        let (line, from) = live.fresh;
        let to = live.lines.get(line).map_or(from, String::len);
        Self::Live(live, from..to)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Diff(diff) => diff.file.shown(diff.view, diff.layout).len(),
            Self::Live(live, _) => live.lines.len(),
            Self::Log(log) => log.lines.len(),
        }
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        match self {
            Self::Diff(diff) => match diff.layout {
                Layout::Split => 2,
                Layout::Unified => 1,
            },
            Self::Live(..) | Self::Log(_) => 1,
        }
    }

    /// Line numbers at the beginning of each column; a column of a diff has a
    /// mark behind them.
    pub fn numbers(&self) -> usize {
        match self {
            Self::Diff(diff) => match diff.layout {
                Layout::Split => 1,
                Layout::Unified => 2,
            },
            Self::Live(..) | Self::Log(_) => 1,
        }
    }

    /// Whether lines are marked as added and removed.
    pub fn marked(&self) -> bool {
        match self {
            Self::Diff(_) => true,
            Self::Live(..) | Self::Log(_) => false,
        }
    }

    /// Characters of the longest line, as far as that is known.
    pub fn width_chars(&self) -> usize {
        match self {
            Self::Diff(diff) => diff.file.width_chars,
            // Looking at every line for each piece of text would be wasteful.
            Self::Live(..) => 240,
            Self::Log(log) => log.width_chars,
        }
    }

    /// Largest line number.
    pub fn number_max(&self) -> usize {
        match self {
            Self::Diff(diff) => diff.file.rows.len(),
            Self::Live(live, _) => live.lines.len(),
            Self::Log(log) => log.lines.len(),
        }
    }

    /// What row `at` is written in.
    pub fn language(&self, at: usize) -> Language {
        match self {
            Self::Diff(diff) => diff.file.language,
            Self::Live(live, _) => live.language(at),
            Self::Log(_) => Language::Plain,
        }
    }

    /// Where the cursor of somebody who is writing stands.
    pub fn caret(&self) -> Option<usize> {
        match self {
            Self::Diff(_) | Self::Log(_) => None,
            Self::Live(live, _) => (!live.done).then(|| live.lines.len().saturating_sub(1)),
        }
    }

    /// Lines that row `at` stands for, if it is a gap.
    pub fn gap(&self, at: usize) -> Option<usize> {
        match self {
            Self::Diff(diff) => match diff.shown(at)? {
                Shown::Gap(lines) => Some(lines),
                Shown::Row(_) | Shown::Removed(_) | Shown::Added(_) | Shown::Hunk(_) => None,
            },
            Self::Live(..) | Self::Log(_) => None,
        }
    }

    /// The hunk that row `at` is the head of.
    pub fn head(&self, at: usize) -> Option<Head> {
        match self {
            Self::Diff(diff) => match diff.shown(at)? {
                Shown::Hunk(hunk) => Some(Head {
                    hunk,
                    count: diff.file.hunks.len(),
                    taken: diff.selection.takes(&diff.file.path, hunk),
                    current: diff.current == Some(hunk),
                }),
                Shown::Row(_) | Shown::Removed(_) | Shown::Added(_) | Shown::Gap(_) => None,
            },
            Self::Live(..) | Self::Log(_) => None,
        }
    }

    /// One side of row `at`; column 0 is the left one.
    pub fn cell(&self, at: usize, column: usize) -> Cell<'_> {
        match self {
            Self::Diff(diff) => diff.cell(at, column),
            Self::Live(live, fresh) => {
                let Some(text) = live.lines.get(at) else {
                    return ABSENT;
                };
                let (line, _) = live.fresh;
                let tone = if at > line && !live.done {
                    Tone::Fresh
                } else {
                    Tone::Plain
                };
                let emphasis = if at == line && !live.done {
                    std::slice::from_ref(fresh)
                } else {
                    &[]
                };
                Cell {
                    number: u32::try_from(at + 1).ok(),
                    before: None,
                    text,
                    tone,
                    emphasis,
                }
            }
            Self::Log(log) => log.lines.get(at).map_or(ABSENT, |text| Cell {
                number: u32::try_from(at + 1).ok(),
                before: None,
                text,
                tone: if log.current() == Some(at) {
                    Tone::Found
                } else {
                    Tone::Plain
                },
                emphasis: log.found_in(at),
            }),
        }
    }
}

fn of_line(line: &Line, tone: Tone) -> Cell<'_> {
    Cell {
        number: Some(line.number),
        before: None,
        text: &line.text,
        tone,
        emphasis: &line.emphasis,
    }
}
