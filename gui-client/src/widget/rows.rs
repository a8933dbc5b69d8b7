//! What the code widget draws: a diff with two columns, or text that is being
//! written with one.

use std::ops::Range;

use crate::model::{
    diff::{FileView, Line, Shown, View},
    live::Live,
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
    /// Text.
    pub text: &'a str,
    /// Look.
    pub tone: Tone,
    /// Byte ranges that stand out.
    pub emphasis: &'a [Range<usize>],
}

const ABSENT: Cell<'_> = Cell {
    number: None,
    text: "",
    tone: Tone::Absent,
    emphasis: &[],
};

/// Rows to draw.
#[derive(Debug, Clone)]
pub enum Rows<'a> {
    /// Two columns.
    Diff(&'a FileView, View),
    /// One column; the range is what arrived last in the first fresh line.
    Live(&'a Live, Range<usize>),
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
            Self::Diff(file, View::Full) => file.rows.len(),
            Self::Diff(file, View::Folded) => file.folded.len(),
            Self::Live(live, _) => live.lines.len(),
        }
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        match self {
            Self::Diff(..) => 2,
            Self::Live(..) => 1,
        }
    }

    /// Characters of the longest line, as far as that is known.
    pub fn width_chars(&self) -> usize {
        match self {
            Self::Diff(file, _) => file.width_chars,
            // Looking at every line for each piece of text would be wasteful.
            Self::Live(..) => 240,
        }
    }

    /// Largest line number.
    pub fn number_max(&self) -> usize {
        match self {
            Self::Diff(file, _) => file.rows.len(),
            Self::Live(live, _) => live.lines.len(),
        }
    }

    /// What row `at` is written in.
    pub fn language(&self, at: usize) -> Language {
        match self {
            Self::Diff(file, _) => file.language,
            Self::Live(live, _) => live.language(at),
        }
    }

    /// Where the cursor of somebody who is writing stands.
    pub fn caret(&self) -> Option<usize> {
        match self {
            Self::Diff(..) => None,
            Self::Live(live, _) => (!live.done).then(|| live.lines.len().saturating_sub(1)),
        }
    }

    /// Lines that row `at` stands for, if it is a gap.
    pub fn gap(&self, at: usize) -> Option<usize> {
        match self {
            Self::Diff(file, View::Folded) => match file.folded.get(at)? {
                Shown::Gap(lines) => Some(*lines),
                Shown::Row(_) => None,
            },
            Self::Diff(_, View::Full) | Self::Live(..) => None,
        }
    }

    /// One side of row `at`; column 0 is the left one.
    pub fn cell(&self, at: usize, column: usize) -> Cell<'_> {
        match self {
            Self::Diff(file, view) => {
                let index = match view {
                    View::Full => Some(at),
                    View::Folded => file.folded.get(at).and_then(|shown| match shown {
                        Shown::Row(index) => Some(*index),
                        Shown::Gap(_) => None,
                    }),
                };
                let Some(row) = index.and_then(|index| file.rows.get(index)) else {
                    return ABSENT;
                };
                let (line, tone) = if column == 0 {
                    (&row.left, Tone::Removed)
                } else {
                    (&row.right, Tone::Added)
                };
                line.as_ref().map_or(ABSENT, |line| {
                    of_line(line, if row.changed { tone } else { Tone::Plain })
                })
            }
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
                    text,
                    tone,
                    emphasis,
                }
            }
        }
    }
}

fn of_line(line: &Line, tone: Tone) -> Cell<'_> {
    Cell {
        number: Some(line.number),
        text: &line.text,
        tone,
        emphasis: &line.emphasis,
    }
}
