//! Rows of a diff, computed once per proposal from both whole texts: which
//! lines stand next to each other, and which words of them differ.

use std::ops::Range;

use shared::{
    diff::{Change, Unit, changes},
    wire::{ChangeKind, FileDiff},
};

use super::{
    layout::{self, Layout, Shown, View},
    syntax::Language,
};

/// Characters of a line that are shown; shaping more would stall the window.
pub const LINE_CHARS_MAX: usize = 2_000;
/// Longest line whose changed words are looked for, in bytes.
const WORDS_BYTES_MAX: usize = 1_000;
/// Pairs of lines less alike than this are shown as wholly different.
const ALIKE_MIN: f32 = 0.4;
/// Pairs of replaced lines compared with each other, at most.
const PAIRS_MAX: usize = 400;
/// Longest text that can be edited before it is accepted, in bytes.
pub const EDIT_BYTES_MAX: usize = 1_000_000;
/// Columns a tab takes.
const TAB: &str = "    ";

/// One file of a proposal, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileView {
    /// Path relative to the workspace.
    pub path: String,
    /// What happens to the file.
    pub change: ChangeKind,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
    /// What the text is, for its colours.
    pub language: Language,
    /// Every row.
    pub rows: Vec<Row>,
    /// The rows of each hunk; none where a file is taken as a whole.
    pub hunks: Vec<Range<usize>>,
    /// What is drawn of the rows, and where in it changes begin, by view and layout.
    shown: [[Drawn; 2]; 2],
    /// Characters of the longest line.
    pub width_chars: usize,
    /// Whether the proposed text can be edited before it is accepted.
    pub is_editable: bool,
    /// The whole texts, before and after.
    old: Option<String>,
    new: Option<String>,
}

/// What is drawn, and where in it runs of changed rows begin.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Drawn {
    shown: Vec<Shown>,
    changes: Vec<usize>,
}

impl Drawn {
    fn new(rows: &[Row], shown: Vec<Shown>) -> Self {
        let changed = |shown: &Shown| {
            let row = shown.row().and_then(|row| rows.get(row));
            row.is_some_and(|row| row.changed)
        };
        let mut changes = Vec::new();
        let mut was_changed = false;
        for (at, shown) in shown.iter().enumerate() {
            let is_changed = changed(shown);
            if is_changed && !was_changed {
                changes.push(at);
            }
            was_changed = is_changed;
        }
        Self { shown, changes }
    }
}

/// What stands next to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Before; none where a line was added.
    pub left: Option<Line>,
    /// After; none where a line was removed.
    pub right: Option<Line>,
    /// Whether the two sides differ.
    pub changed: bool,
}

/// One line of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: u32,
    /// As shown: tabs expanded, control characters replaced, shortened.
    pub text: String,
    /// Byte ranges of `text` that differ from the other side.
    pub emphasis: Vec<Range<usize>>,
}

impl FileView {
    /// Computes the rows.
    pub fn new(file: &FileDiff) -> Self {
        let rows = rows(
            file.old_text.as_deref().unwrap_or(""),
            file.new_text.as_deref().unwrap_or(""),
        );
        let hunks = layout::hunks(&rows, &file.hunks);
        let drawn = |view, how| Drawn::new(&rows, layout::shown(&rows, &hunks, view, how));
        let shown = [View::Folded, View::Full]
            .map(|view| [Layout::Split, Layout::Unified].map(|how| drawn(view, how)));
        let sides = rows.iter().flat_map(|row| [&row.left, &row.right]).flatten();
        let width_chars = sides.map(|line| line.text.chars().count()).max().unwrap_or(0);
        Self {
            path: file.path.clone(),
            change: file.change,
            added: file.lines_added,
            removed: file.lines_removed,
            language: Language::of_path(&file.path),
            rows,
            hunks,
            shown,
            width_chars,
            is_editable: file.new_text.as_deref().is_some_and(is_editable),
            old: file.old_text.clone(),
            new: file.new_text.clone(),
        }
    }

    /// What is drawn of the file.
    pub fn shown(&self, view: View, layout: Layout) -> &[Shown] {
        &self.drawn(view, layout).shown
    }

    /// Positions in what is drawn where a run of changed rows begins.
    pub fn changes(&self, view: View, layout: Layout) -> &[usize] {
        &self.drawn(view, layout).changes
    }

    fn drawn(&self, view: View, layout: Layout) -> &Drawn {
        let view = match view {
            View::Folded => 0,
            View::Full => 1,
        };
        let layout = match layout {
            Layout::Split => 0,
            Layout::Unified => 1,
        };
        &self.shown[view][layout]
    }

    /// The hunk that a row belongs to.
    pub fn hunk_of(&self, row: usize) -> Option<usize> {
        let before = self.hunks.partition_point(|rows| rows.end <= row);
        self.hunks
            .get(before)
            .is_some_and(|rows| rows.contains(&row))
            .then_some(before)
    }

    /// The proposed text as an editor takes it; none where there is none, or
    /// where it cannot be written back as it is.
    pub fn editable(&self) -> Option<String> {
        let text = self.new.as_deref().filter(|_| self.is_editable)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Some(text.replace("\r\n", "\n"))
    }

    /// The same file with another text in place of the proposed one; taken as a
    /// whole, because its hunks are not those of the proposal.
    #[must_use]
    pub fn rewritten(&self, text: &str) -> Self {
        // As the backend writes it: with the line ends and the mark of the file.
        let like = self.old.as_deref().or(self.new.as_deref()).unwrap_or_default();
        let crlf = like.matches("\r\n").count();
        let lf = like.matches('\n').count() - crlf;
        let body = if crlf > lf {
            text.replace('\n', "\r\n")
        } else {
            text.to_owned()
        };
        let mark = if like.starts_with('\u{feff}') {
            "\u{feff}"
        } else {
            ""
        };
        let mut file = Self::new(&FileDiff {
            path: self.path.clone(),
            change: self.change,
            old_text: self.old.clone(),
            new_text: Some(format!("{mark}{body}")),
            lines_added: 0,
            lines_removed: 0,
            hunks: Vec::new(),
        });
        let changed = |side: fn(&Row) -> bool| {
            let rows = file.rows.iter().filter(|row| row.changed && side(row));
            u32::try_from(rows.count()).unwrap_or(u32::MAX)
        };
        (file.added, file.removed) = (
            changed(|row| row.right.is_some()),
            changed(|row| row.left.is_some()),
        );
        file
    }
}

fn is_editable(text: &str) -> bool {
    // The mark that stands for what is no UTF-8 would be written in its place.
    text.len() <= EDIT_BYTES_MAX && !text.contains('\u{fffd}')
}

/// `text` as it is drawn: one line, no tabs, no control characters, and not
/// longer than [`LINE_CHARS_MAX`].
pub fn display(text: &str) -> String {
    display_within(text, LINE_CHARS_MAX)
}

/// The same with room for so many characters: what follows a beginning that is
/// shown already.
pub(super) fn display_within(text: &str, room: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(4 * LINE_CHARS_MAX));
    for (count, char) in text.chars().enumerate() {
        if count == room {
            shown.push_str(" … (line shortened)");
            break;
        }
        match char {
            '\t' => shown.push_str(TAB),
            '\r' => shown.push('␍'),
            // Direction overrides could make code read other than it runs.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => shown.push('\u{fffd}'),
            char if char.is_control() => shown.push('\u{fffd}'),
            char => shown.push(char),
        }
    }
    shown
}

/// Rows of the diff between two texts.
pub fn rows(old: &str, new: &str) -> Vec<Row> {
    // A final newline is worth a remark only where one side has it.
    let remark = old.ends_with('\n') != new.ends_with('\n') && !old.is_empty() && !new.is_empty();
    let (olds, news): (Vec<&str>, Vec<&str>) = (
        old.split_inclusive('\n').collect(),
        new.split_inclusive('\n').collect(),
    );
    let line = |texts: &[&str], index: usize| {
        texts.get(index).map(|text| {
            let shown = match text.strip_suffix('\n') {
                Some(text) => display(text),
                None if remark => display(text) + "  (no newline at the end)",
                None => display(text),
            };
            Line {
                number: u32::try_from(index + 1).unwrap_or(u32::MAX),
                text: shown,
                emphasis: Vec::new(),
            }
        })
    };
    let mut rows = Vec::with_capacity(olds.len().max(news.len()));
    let (mut old_from, mut new_from) = (0, 0);
    // Behind the last change nothing is changed any more.
    let end = Change {
        old: olds.len()..olds.len(),
        new: news.len()..news.len(),
    };
    for change in changes(Unit::Line, &olds, &news).into_iter().chain([end]) {
        let equal = (old_from..change.old.start).zip(new_from..change.new.start);
        rows.extend(equal.map(|(old_at, new_at)| Row {
            left: line(&olds, old_at),
            right: line(&news, new_at),
            changed: false,
        }));
        for (old_at, new_at) in pair(&olds[change.old.clone()], &news[change.new.clone()]) {
            let mut row = Row {
                left: old_at.and_then(|at| line(&olds, change.old.start + at)),
                right: new_at.and_then(|at| line(&news, change.new.start + at)),
                changed: true,
            };
            if let (Some(left), Some(right)) = (&mut row.left, &mut row.right) {
                emphasise(left, right);
            }
            rows.push(row);
        }
        (old_from, new_from) = (change.old.end, change.new.end);
    }
    rows
}

/// How much of both sides is the same, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "words of one line, far below 2^24")]
fn likeness(changes: &[Change], old: &[&str], new: &[&str]) -> f32 {
    let all = old.len() + new.len();
    let changed: usize = changes
        .iter()
        .map(|change| change.old.len() + change.new.len())
        .sum();
    if all == 0 {
        1.0
    } else {
        (all - changed) as f32 / all as f32
    }
}

/// Which of the replaced lines stand next to which new ones: those that are
/// most alike, in order; what is left over in between fills up row by row.
fn pair(olds: &[&str], news: &[&str]) -> Vec<(Option<usize>, Option<usize>)> {
    let mut pairs = Vec::with_capacity(olds.len().max(news.len()));
    let (mut old_from, mut new_from) = (0, 0);
    let ends = std::iter::once((olds.len(), news.len()));
    for (old_to, new_to) in matches(olds, news).into_iter().chain(ends) {
        for at in 0..(old_to - old_from).max(new_to - new_from) {
            let old_at = Some(old_from + at).filter(|at| *at < old_to);
            let new_at = Some(new_from + at).filter(|at| *at < new_to);
            pairs.push((old_at, new_at));
        }
        if old_to < olds.len() && new_to < news.len() {
            pairs.push((Some(old_to), Some(new_to)));
        }
        (old_from, new_from) = (old_to + 1, new_to + 1);
    }
    pairs
}

/// The pairs of lines that are alike whose likeness adds up to the most,
/// both sides in order.
fn matches(olds: &[&str], news: &[&str]) -> Vec<(usize, usize)> {
    if olds.len() * news.len() > PAIRS_MAX {
        return Vec::new();
    }
    let alike = |old: &str, new: &str| {
        if old.len().max(new.len()) > WORDS_BYTES_MAX {
            return 0.0;
        }
        let (old, new) = (words(old), words(new));
        let ratio = likeness(&changes(Unit::Word, &old, &new), &old, &new);
        if ratio < ALIKE_MIN { 0.0 } else { ratio }
    };
    let like: Vec<Vec<f32>> = olds
        .iter()
        .map(|old| news.iter().map(|new| alike(old, new)).collect())
        .collect();
    // best[i][j]: the most that the lines from i and from j on can add up to.
    let mut best = vec![vec![0.0_f32; news.len() + 1]; olds.len() + 1];
    for i in (0..olds.len()).rev() {
        for j in (0..news.len()).rev() {
            best[i][j] = (like[i][j] + best[i + 1][j + 1])
                .max(best[i + 1][j])
                .max(best[i][j + 1]);
        }
    }
    let mut found = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < olds.len() && j < news.len() {
        if best[i][j] <= best[i + 1][j] {
            i += 1;
        } else if best[i][j] <= best[i][j + 1] {
            j += 1;
        } else {
            found.push((i, j));
            (i, j) = (i + 1, j + 1);
        }
    }
    found
}

/// Marks the words that differ, where the lines are alike enough for that to help.
fn emphasise(left: &mut Line, right: &mut Line) {
    if left.text.len() > WORDS_BYTES_MAX || right.text.len() > WORDS_BYTES_MAX {
        return;
    }
    let (old, new) = (words(&left.text), words(&right.text));
    let changes = changes(Unit::Word, &old, &new);
    if likeness(&changes, &old, &new) < ALIKE_MIN {
        return;
    }
    let (old, new) = (starts(&old), starts(&new));
    let range = |starts: &[usize], range: &Range<usize>| starts[range.start]..starts[range.end];
    let (olds, news) = (
        changes.iter().map(|change| &change.old),
        changes.iter().map(|change| &change.new),
    );
    left.emphasis = olds
        .filter(|words| !words.is_empty())
        .map(|words| range(&old, words))
        .collect();
    right.emphasis = news
        .filter(|words| !words.is_empty())
        .map(|words| range(&new, words))
        .collect();
}

/// The byte at which each word begins, and the one at which the last ends.
fn starts(words: &[&str]) -> Vec<usize> {
    let mut end = 0;
    let ends = words.iter().map(|word| {
        end += word.len();
        end
    });
    std::iter::once(0).chain(ends).collect()
}

/// Splits into identifiers, runs of blanks, and single other characters.
fn words(text: &str) -> Vec<&str> {
    let class = |char: char| match char {
        '_' => 0,
        char if char.is_alphanumeric() => 0,
        char if char.is_whitespace() => 1,
        _ => 2,
    };
    let mut words = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, char) in text.char_indices() {
        let now = class(char);
        if before.is_some_and(|before| before != now || now == 2) {
            words.push(&text[start..at]);
            start = at;
        }
        before = Some(now);
    }
    if start < text.len() {
        words.push(&text[start..]);
    }
    words
}
