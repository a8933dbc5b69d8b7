//! What differs between two texts. The backend commits by it and the window shows it, so
//! that both compare alike. Pure: equal texts give equal changes.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

/// Parts that are replaced by others; either side may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Indexes of the old parts.
    pub old: Range<usize>,
    /// Indexes of the new ones.
    pub new: Range<usize>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Histogram diff with git's indent heuristic, so that a new function is one change
    /// from its first line on.
    Line,
    /// Myers' diff.
    Word,
}

/// The changes from `old` to `new`, in order.
pub fn changes(unit: Unit, old: &[&str], new: &[&str]) -> Vec<Change> {
    let mut input = InternedInput::default();
    input.update_before(old.iter().copied());
    input.update_after(new.iter().copied());
    let diff = match unit {
        Unit::Line => {
            let mut diff = Diff::compute(Algorithm::Histogram, &input);
            diff.postprocess_lines(&input);
            diff
        }
        Unit::Word => {
            let mut diff = Diff::compute(Algorithm::Myers, &input);
            diff.postprocess_no_heuristic(&input);
            diff
        }
    };
    let range = |range: Range<u32>| range.start as usize..range.end as usize;
    let found: Vec<Change> = diff
        .hunks()
        .map(|hunk| Change {
            old: range(hunk.before),
            new: range(hunk.after),
        })
        .collect();
    if holds(&found, old, new) {
        found
    } else {
        vec![Change {
            old: 0..old.len(),
            new: 0..new.len(),
        }]
    }
}

/// Whether what lies between the changes is the same on both sides. What a person decides
/// on, and what is written to files, hangs on it, so it is not taken on trust.
fn holds(changes: &[Change], old: &[&str], new: &[&str]) -> bool {
    let (mut old_at, mut new_at) = (0, 0);
    for change in changes {
        let kept = old.get(old_at..change.old.start);
        if kept.is_none() || kept != new.get(new_at..change.new.start) {
            return false;
        }
        (old_at, new_at) = (change.old.end, change.new.end);
    }
    let kept = old.get(old_at..);
    kept.is_some() && kept == new.get(new_at..)
}
