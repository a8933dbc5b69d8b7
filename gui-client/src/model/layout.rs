//! Which rows of a diff are drawn, in which order: side by side or one below
//! the other, whole files or changes only.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use shared::wire::Hunk;

use super::diff::Row;

/// Equal lines shown before and after a change when the rest is folded.
const CONTEXT_LINES: usize = 4;

/// How much of a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Changes with some lines around them.
    #[default]
    Folded,
    /// Every line.
    Full,
}

impl View {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Folded => Self::Full,
            Self::Full => Self::Folded,
        }
    }
}

/// How old and new lines are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Next to each other.
    #[default]
    Split,
    /// The old ones above the new ones.
    Unified,
}

impl Layout {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Split => Self::Unified,
            Self::Unified => Self::Split,
        }
    }
}

/// What is drawn in one line of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The row of this index: both sides, or what they have in common.
    Row(usize),
    /// The old side of a row.
    Removed(usize),
    /// The new side of a row.
    Added(usize),
    /// This many equal lines are not shown.
    Gap(usize),
    /// The head of a hunk, by its index.
    Hunk(usize),
}

impl Shown {
    /// The row of which something is shown.
    pub fn row(self) -> Option<usize> {
        match self {
            Self::Row(row) | Self::Removed(row) | Self::Added(row) => Some(row),
            Self::Gap(_) | Self::Hunk(_) => None,
        }
    }
}

/// The rows of each hunk, from its first changed one to its last. None at all
/// where they cannot be told apart: then a file is taken as a whole.
pub fn hunks(rows: &[Row], hunks: &[Hunk]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::with_capacity(hunks.len());
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.changed) {
        let holds = |hunk: &Hunk| {
            let inside = |line: Option<u32>, start: u32, lines: u32| {
                line.is_some_and(|line| start <= line && line - start < lines)
            };
            inside(
                row.left.as_ref().map(|line| line.number),
                hunk.old_start,
                hunk.old_lines,
            ) || inside(
                row.right.as_ref().map(|line| line.number),
                hunk.new_start,
                hunk.new_lines,
            )
        };
        // Rows and hunks are in the same order.
        let begun = found.len();
        let (last, next) = (begun.checked_sub(1).map(|last| &hunks[last]), hunks.get(begun));
        if last.is_some_and(holds) {
            found[begun - 1].end = at + 1;
        } else if next.is_some_and(holds) {
            found.push(at..at + 1);
        } else {
            return Vec::new();
        }
    }
    if found.len() == hunks.len() {
        found
    } else {
        Vec::new()
    }
}

/// What is drawn of `rows`.
pub fn shown(rows: &[Row], hunks: &[Range<usize>], view: View, layout: Layout) -> Vec<Shown> {
    let near = match view {
        View::Full => vec![true; rows.len()],
        View::Folded => near(rows),
    };
    let mut heads = hunks.iter().enumerate().peekable();
    let mut shown = Vec::with_capacity(rows.len().min(4_096));
    let mut at = 0;
    while at < rows.len() {
        if let Some((hunk, _)) = heads.next_if(|(_, rows)| rows.start == at) {
            shown.push(Shown::Hunk(hunk));
        }
        if !near[at] {
            let end = (at..rows.len()).find(|next| near[*next]).unwrap_or(rows.len());
            // A gap of one line would take as much room as the line.
            shown.push(if end - at == 1 {
                Shown::Row(at)
            } else {
                Shown::Gap(end - at)
            });
            at = end;
            continue;
        }
        if layout == Layout::Split || !rows[at].changed {
            shown.push(Shown::Row(at));
            at += 1;
            continue;
        }
        let end = (at..rows.len())
            .find(|next| !rows[*next].changed)
            .unwrap_or(rows.len());
        let side = |side: fn(&Row) -> bool| (at..end).filter(move |at| side(&rows[*at]));
        shown.extend(side(|row| row.left.is_some()).map(Shown::Removed));
        shown.extend(side(|row| row.right.is_some()).map(Shown::Added));
        at = end;
    }
    shown
}

/// Which rows are a change or close to one.
fn near(rows: &[Row]) -> Vec<bool> {
    let mut near = vec![false; rows.len()];
    for (at, _) in rows.iter().enumerate().filter(|(_, row)| row.changed) {
        let end = (at + CONTEXT_LINES + 1).min(rows.len());
        near[at.saturating_sub(CONTEXT_LINES)..end].fill(true);
    }
    near
}
