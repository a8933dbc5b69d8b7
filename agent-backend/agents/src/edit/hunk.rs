//! Applies the hunks of a patch.
//!
//! Every hunk is looked for in the file as it is, on the rungs that blocks
//! climb. Its marks say which lines it only shows: they may differ a little,
//! and stay as the file has them.

use super::{
    Heading, Hunk, Mark, Marked,
    apply::Verdict,
    ladder::{self, Found},
    lines::{self, Line, Shape},
    nearest::nearest,
};

/// What one hunk does to the file: rows that go, and lines that come before a
/// row.
#[derive(Debug, Default)]
struct Splice {
    removed: Vec<usize>,
    added: Vec<(usize, Vec<String>)>,
}

/// The new text if all hunks fit, or the verdict on each.
pub(super) fn apply(hunks: &[Hunk], current: &str) -> Result<String, Vec<Verdict>> {
    let file = lines::split(current);
    let mut splices: Vec<Splice> = Vec::new();
    let verdicts: Vec<Verdict> = hunks
        .iter()
        .map(|hunk| {
            let splice = one(hunk, &file)?;
            if splices.iter().any(|other| overlap(other, &splice)) {
                return Err("it changes lines that another hunk changes".to_owned());
            }
            splices.push(splice);
            Ok(())
        })
        .collect();
    if verdicts.iter().any(Result::is_err) {
        return Err(verdicts);
    }
    Ok(spliced(&file, &splices, lines::shape(current)))
}

fn overlap(one: &Splice, other: &Splice) -> bool {
    let places = |splice: &Splice| splice.added.iter().map(|(row, _)| *row).collect::<Vec<_>>();
    one.removed.iter().any(|row| other.removed.contains(row))
        || places(one).iter().any(|row| places(other).contains(row))
}

fn spliced(file: &[Line<'_>], splices: &[Splice], shape: Shape) -> String {
    let mut removed = vec![false; file.len()];
    let mut added: Vec<Vec<&[String]>> = vec![Vec::new(); file.len() + 1];
    for splice in splices {
        for row in &splice.removed {
            removed[*row] = true;
        }
        for (row, lines) in &splice.added {
            added[*row].push(lines);
        }
    }
    let mut out: Vec<Line<'_>> = Vec::with_capacity(file.len());
    for row in 0..=file.len() {
        let new = added[row].iter().flat_map(|lines| lines.iter());
        out.extend(new.map(|text| Line { text, end: shape.end }));
        if row < file.len() && !removed[row] {
            out.push(file[row].clone());
        }
    }
    lines::join(&out, shape)
}

fn one(hunk: &Hunk, file: &[Line<'_>]) -> Result<Splice, String> {
    if hunk.lines.iter().all(|line| line.mark == Mark::Context) {
        return Err("it changes nothing: no line of it begins with `+` or `-`".to_owned());
    }
    let blank = file.iter().all(|line| line.text.trim().is_empty());
    let old = Old::of(hunk);
    if old.lines.iter().all(|line| line.trim().is_empty()) {
        // Nothing of the file is shown: there is one place in an empty file,
        // and one where the hunk says that it is the end.
        if blank || (hunk.at_end && hunk.line.is_none()) {
            let rows = if blank { 0..file.len() } else { 0..0 };
            let text = hunk.lines.iter().filter(|line| line.mark == Mark::Added);
            let text = text.map(|line| line.text.clone()).collect();
            return Ok(Splice {
                removed: rows.collect(),
                added: vec![(file.len(), text)],
            });
        }
        return Err("it shows no line of the file: add lines around the change".to_owned());
    }
    ambiguous_marks(hunk, file)?;
    let mut skipped = 0;
    let mut end = old.lines.len();
    let mut found = climb(hunk, &old, file);
    if found.is_empty() {
        let (before, behind) = blank_edges(hunk);
        (skipped, end) = (before, end.saturating_sub(behind));
        if before + behind > 0 && skipped < end {
            found = climb(hunk, &old.part(skipped, end), file);
        }
    }
    if found.is_empty() {
        return Err(nowhere(hunk, &old, file));
    }
    let found = narrowed(hunk, found, file, (skipped, end - skipped))?;
    let [place] = found.as_slice() else {
        return Err(several(&found));
    };
    splice(hunk, place, (skipped, end))
}

/// How many blank lines at the edges may be the model's and not the file's. Not
/// those beside lines that come: they say where.
fn blank_edges(hunk: &Hunk) -> (usize, usize) {
    fn count<'a>(lines: impl Iterator<Item = &'a Marked>) -> usize {
        let mut blank = 0;
        for line in lines {
            match line.mark {
                Mark::Context if line.text.trim().is_empty() => blank += 1,
                Mark::Context | Mark::Removed => return blank,
                Mark::Added => return 0,
            }
        }
        blank
    }
    (count(hunk.lines.iter()), count(hunk.lines.iter().rev()))
}

/// The side of a hunk that the file has.
struct Old<'a> {
    lines: Vec<&'a str>,
    removed: Vec<bool>,
}

impl<'a> Old<'a> {
    fn of(hunk: &'a Hunk) -> Self {
        let kept = hunk.lines.iter().filter(|line| line.mark != Mark::Added);
        let (lines, removed) = kept
            .map(|line| (line.text.as_str(), line.mark == Mark::Removed))
            .unzip();
        Self { lines, removed }
    }

    fn part(&self, from: usize, to: usize) -> Self {
        Self {
            lines: self.lines[from..to].to_vec(),
            removed: self.removed[from..to].to_vec(),
        }
    }
}

/// Where some lines have no mark, a line of the file that begins with `+` or
/// `-` itself may be one of them.
fn ambiguous_marks(hunk: &Hunk, file: &[Line<'_>]) -> Result<(), String> {
    if !hunk.unmarked {
        return Ok(());
    }
    for line in &hunk.lines {
        let mark = match line.mark {
            Mark::Context => continue,
            Mark::Removed => '-',
            Mark::Added => '+',
        };
        let raw = format!("{mark}{}", line.text);
        if !line.text.trim().is_empty() && file.iter().any(|line| line.text.trim_end() == raw.trim_end()) {
            return Err(format!(
                "some lines have no mark, and `{raw}` may be a line of the file: begin every context line with a space"
            ));
        }
    }
    Ok(())
}

/// The places on the first rung that has any.
fn climb<'a>(hunk: &Hunk, old: &Old<'a>, file: &[Line<'a>]) -> Vec<Found<'a>> {
    let here = |starts: Vec<usize>| -> Vec<Found<'a>> {
        starts.into_iter().map(|start| Found::Here { start }).collect()
    };
    let search = &old.lines;
    let found = here(ladder::places(file, search, |a, b| a == b));
    if !found.is_empty() {
        return found;
    }
    let found = here(ladder::places(file, search, |a, b| a.trim_end() == b.trim_end()));
    if !found.is_empty() {
        return found;
    }
    let removes = old.removed.contains(&true);
    // A context line whose own first space was taken for its mark. The lines
    // that come have theirs: where none goes, they must be indented like one.
    let mut found = here(unmarked(file, old));
    let added = hunk
        .lines
        .iter()
        .find(|line| line.mark == Mark::Added && !line.text.trim().is_empty());
    found.retain(|place| {
        let lines = &file[place.start()..place.start() + search.len()];
        let like = |line: &Line<'_>| {
            added.is_some_and(|added| ladder::indent(line.text) == ladder::indent(&added.text))
        };
        hunk.unmarked || removes || lines.iter().any(like)
    });
    if !found.is_empty() {
        return found;
    }
    let mut found = ladder::shifted(file, search);
    // One space everywhere may be the mark that the context lacks: the added
    // lines have theirs.
    found.retain(|place| !matches!(place, Found::Deeper { indent: " ", .. }) || (removes && !hunk.unmarked));
    if !found.is_empty() {
        return found;
    }
    let found = here(ladder::typographic(file, search));
    if !found.is_empty() {
        return found;
    }
    let mut found = ladder::fuzzy(file, search, |index| old.removed[index] || !removes);
    // A line that goes is at least the one that begins in the same way.
    let first = |text: &str| text.trim_start().chars().next();
    found.retain(|start| {
        let pairs = old.lines.iter().zip(&old.removed).zip(&file[*start..]);
        pairs
            .filter(|((_, removed), _)| **removed)
            .all(|((wanted, _), line)| first(wanted) == first(line.text))
    });
    here(found)
}

/// Places where lines that go are there, and context lines lack at most one
/// space at their begin.
fn unmarked(file: &[Line<'_>], old: &Old<'_>) -> Vec<usize> {
    let wanted: Vec<(&str, bool)> = old
        .lines
        .iter()
        .copied()
        .zip(old.removed.iter().copied())
        .collect();
    let same = |line: &str, (wanted, removed): (&str, bool)| {
        let (line, wanted) = (line.trim_end(), wanted.trim_end());
        line == wanted || (!removed && line.strip_prefix(' ') == Some(wanted))
    };
    let windows = file.windows(wanted.len()).enumerate();
    windows
        .filter(|(_, window)| {
            window
                .iter()
                .zip(&wanted)
                .all(|(line, wanted)| same(line.text, *wanted))
        })
        .map(|(start, _)| start)
        .collect()
}

/// Those of several places that the header means.
fn narrowed<'a>(
    hunk: &Hunk,
    found: Vec<Found<'a>>,
    file: &[Line<'_>],
    (skipped, length): (usize, usize),
) -> Result<Vec<Found<'a>>, String> {
    let mut left = found;
    match &hunk.heading {
        Heading::None => {}
        Heading::Within(headings) => {
            if let Some(rows) = within(headings, file) {
                let here: Vec<Found<'a>> = inside(&left, &rows);
                if here.is_empty() {
                    return Err(format!(
                        "its lines are in line {}, which is not in `{}`",
                        left[0].start() + 1,
                        headings.join("` `")
                    ));
                }
                left = here;
            }
        }
        Heading::Hint(heading) => {
            if left.len() > 1
                && let Some(rows) = within(std::slice::from_ref(heading), file)
            {
                let here = inside(&left, &rows);
                if !here.is_empty() {
                    left = here;
                }
            }
        }
    }
    let mut keep = |fits: &dyn Fn(usize) -> bool| {
        let here: Vec<Found<'a>> = left.iter().filter(|place| fits(place.start())).cloned().collect();
        if left.len() > 1 && !here.is_empty() {
            left = here;
        }
    };
    if let Some(line) = hunk.line {
        keep(&|start| start + 1 == line + skipped);
    }
    if hunk.at_end {
        keep(&|start| start + length == file.len());
    }
    Ok(left)
}

fn inside<'a>(found: &[Found<'a>], rows: &[(usize, usize)]) -> Vec<Found<'a>> {
    let fits = |place: &&Found<'a>| {
        rows.iter()
            .any(|(from, to)| (*from..*to).contains(&place.start()))
    };
    found.iter().filter(fits).cloned().collect()
}

/// The rows of the blocks below these headings, each within the one before;
/// none if the file does not have them.
fn within(headings: &[String], file: &[Line<'_>]) -> Option<Vec<(usize, usize)>> {
    let mut rows = vec![(0, file.len())];
    for heading in headings {
        let wanted = heading.trim();
        let mut inner = Vec::new();
        for (from, to) in &rows {
            let lines = (*from..*to).filter(|row| file[*row].text.trim() == wanted);
            inner.extend(lines.map(|row| (row, block_end(file, row))));
        }
        if inner.is_empty() {
            return None;
        }
        rows = inner;
    }
    Some(rows)
}

/// The row after the block that a heading begins: all that is indented deeper,
/// and what closes it.
fn block_end(file: &[Line<'_>], heading: usize) -> usize {
    let depth = |text: &str| text.len() - text.trim_start().len();
    let own = depth(file[heading].text);
    let ends = |line: &Line<'_>| {
        let text = line.text.trim();
        !text.is_empty() && depth(line.text) <= own && !text.starts_with(['}', ')', ']', '{', '@'])
    };
    let below = file[heading + 1..].iter().position(ends);
    below.map_or(file.len(), |count| heading + 1 + count)
}

fn splice(hunk: &Hunk, place: &Found<'_>, (skipped, end): (usize, usize)) -> Result<Splice, String> {
    let mut splice = Splice::default();
    let start = place.start();
    let mut index = 0;
    for line in &hunk.lines {
        let row = start + index.clamp(skipped, end) - skipped;
        match line.mark {
            Mark::Context => index += 1,
            Mark::Removed => {
                splice.removed.push(row);
                index += 1;
            }
            Mark::Added => {
                let text = ladder::indented(place, &line.text)?;
                match splice.added.last_mut() {
                    Some((at, lines)) if *at == row => lines.push(text),
                    Some(_) | None => splice.added.push((row, vec![text])),
                }
            }
        }
    }
    Ok(splice)
}

fn nowhere(hunk: &Hunk, old: &Old<'_>, file: &[Line<'_>]) -> String {
    let new: Vec<&str> = hunk
        .lines
        .iter()
        .filter(|line| line.mark != Mark::Removed)
        .map(|line| line.text.as_str())
        .collect();
    let adds = hunk.lines.iter().any(|line| line.mark == Mark::Added);
    let filled = new.iter().any(|line| !line.trim().is_empty());
    if adds && filled && !ladder::places(file, &new, |a, b| a.trim_end() == b.trim_end()).is_empty() {
        return "its lines are not in the file as they are to be changed, but as they are to become"
            .to_owned();
    }
    match nearest(file, &old.lines) {
        Some(lines) => {
            format!("its context and `-` lines are not in the file; the nearest lines are:\n{lines}")
        }
        None => "its context and `-` lines are not in the file, nor anything like them".to_owned(),
    }
}

fn several(found: &[Found<'_>]) -> String {
    let starts: Vec<usize> = found.iter().map(Found::start).collect();
    format!(
        "its context and `-` lines fit {}; add lines around the change to make them unique",
        ladder::places_told(&starts)
    )
}
