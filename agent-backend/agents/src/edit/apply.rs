//! Applies one edit to the text of its file.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::{
    Block, Change, Edit, heading,
    ladder::{Found, Lost, find},
    lines::{self, BOM, Line, Shape},
    nearest::nearest,
    placeholder,
};
use crate::{Error, answer::unix_lines};

/// Places that are listed when there are several.
const PLACES_SHOWN_MAX: usize = 5;

/// The file's text after `edit`; none when it is removed. Line ends,
/// byte-order mark and final newline stay as the file has them.
///
/// # Errors
/// `DoesNotApply` with a verdict on each block, `Placeholder`.
pub fn apply(edit: &Edit, current: Option<&str>) -> Result<Option<String>, Error> {
    let refuse = |problem: String| Error::DoesNotApply {
        path: edit.path.clone(),
        problem,
    };
    match &edit.change {
        Change::Delete => match current {
            Some(_) => Ok(None),
            None => Err(refuse("there is no such file to delete".into())),
        },
        Change::Write { text } => {
            let old = current.unwrap_or_default();
            if text.is_empty() && !old.is_empty() {
                return Err(refuse(
                    "the new text is empty; write `DELETE: path` to delete a file".into(),
                ));
            }
            placeholder::refuse(&edit.path, text, current)?;
            let text = without_own_path(&edit.path, text, old);
            Ok(Some(write(text, lines::shape(old))))
        }
        Change::Replace { blocks } => {
            for block in blocks {
                placeholder::refuse(&edit.path, &block.replace, current)?;
            }
            replace(blocks, current).map(Some).map_err(refuse)
        }
    }
}

/// The text without a first line that only repeats the file's path in a
/// comment, as models like to write, unless the file has that line.
fn without_own_path<'a>(path: &str, text: &'a str, old: &str) -> &'a str {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let names_itself = heading::in_comment(first).is_some_and(|named| named == path);
    let old_first = old
        .strip_prefix(BOM)
        .unwrap_or(old)
        .lines()
        .next()
        .unwrap_or_default();
    if !names_itself || old_first.trim() == first.trim() || rest.trim().is_empty() {
        return text;
    }
    rest.strip_prefix('\n').unwrap_or(rest)
}

fn write(text: &str, shape: Shape) -> String {
    let text = unix_lines(text);
    lines::join(
        &lines::split(&text)
            .into_iter()
            .map(|line| Line { end: "", ..line })
            .collect::<Vec<_>>(),
        shape,
    )
}

/// Applies the blocks in order. Each is judged, the text changes only if all
/// fit.
fn replace(blocks: &[Block], current: Option<&str>) -> Result<String, String> {
    let mut text = current.unwrap_or_default().to_owned();
    let mut verdicts = Vec::new();
    let mut failed = 0;
    let mut exists = current.is_some();
    for block in blocks {
        match one(block, exists.then_some(text.as_str())) {
            Ok(new) => {
                text = new;
                exists = true;
                verdicts.push("fits".to_owned());
            }
            Err(problem) => {
                failed += 1;
                verdicts.push(problem);
            }
        }
    }
    if failed == 0 {
        return Ok(text);
    }
    if let [verdict] = verdicts.as_slice() {
        return Err(verdict.clone());
    }
    let all = verdicts
        .iter()
        .enumerate()
        .map(|(index, verdict)| format!("block {}: {verdict}", index + 1));
    Err(format!(
        "{failed} of {} blocks do not fit\n{}",
        blocks.len(),
        all.collect::<Vec<_>>().join("\n")
    ))
}

fn one(block: &Block, current: Option<&str>) -> Result<String, String> {
    let mut search = lines::plain(&block.search);
    let mut replace = lines::plain(&block.replace);
    let Some(current) = current else {
        if search.iter().all(|line| line.trim().is_empty()) {
            return Ok(block.replace.clone());
        }
        return Err("the file does not exist".into());
    };
    let shape = lines::shape(current);
    if search.iter().all(|line| line.trim().is_empty()) {
        if current.strip_prefix(BOM).unwrap_or(current).trim().is_empty() {
            return Ok(write(&block.replace, shape));
        }
        return Err("the SEARCH part is empty, but the file is not".into());
    }
    let file = lines::split(current);
    let found = match find(&file, &search) {
        Err(Lost::Nowhere) => {
            // Blank lines at the edges are the model's, not the file's.
            trim_edges(&mut search, &mut replace);
            find(&file, &search)
        }
        Ok(found) => Ok(found),
        Err(lost @ Lost::Many(_)) => Err(lost),
    };
    let found = found.map_err(|lost| explain(&lost, &file, &search, &replace))?;
    let (start, replace) = match found {
        Found::Here { start } => (start, replace.iter().map(|line| (*line).to_owned()).collect()),
        Found::Deeper { start, indent } => (start, deeper(&replace, indent)),
        Found::Shallower { start, indent } => (start, shallower(&replace, indent)?),
    };
    // What the block repeats is compared with what it searches for, both as
    // the file has it.
    let search = match found {
        Found::Here { .. } => search.iter().map(|line| (*line).to_owned()).collect(),
        Found::Deeper { indent, .. } => deeper(&search, indent),
        Found::Shallower { indent, .. } => shallower(&search, indent)?,
    };
    Ok(splice(&file, start, &search, &replace, shape))
}

fn deeper(lines: &[&str], indent: &str) -> Vec<String> {
    let shift = |line: &&str| {
        if line.trim().is_empty() {
            String::new()
        } else {
            format!("{indent}{line}")
        }
    };
    lines.iter().map(shift).collect()
}

fn shallower(lines: &[&str], indent: &str) -> Result<Vec<String>, String> {
    let shift = |line: &&str| match line.strip_prefix(indent) {
        Some(rest) => Ok(rest.to_owned()),
        None if line.trim().is_empty() => Ok(String::new()),
        None => Err(format!(
            "the lines are indented differently from the file, and `{}` cannot be shifted",
            line.trim()
        )),
    };
    lines.iter().map(shift).collect()
}

fn trim_edges<'a>(search: &mut Vec<&'a str>, replace: &mut Vec<&'a str>) {
    let blank = |line: Option<&&str>| line.is_some_and(|line| line.trim().is_empty());
    while blank(search.first()) {
        search.remove(0);
        if blank(replace.first()) {
            replace.remove(0);
        }
    }
    while blank(search.last()) {
        search.pop();
        if blank(replace.last()) {
            replace.pop();
        }
    }
}

/// Puts `replace` where `search` stands. Lines that the block merely repeats
/// stay as the file has them: a model that misremembers a neighbouring line
/// must not change it.
fn splice(file: &[Line<'_>], start: usize, search: &[String], replace: &[String], shape: Shape) -> String {
    let new = |index: usize| Line {
        text: &replace[index],
        end: shape.end,
    };
    let mut out: Vec<Line<'_>> = file[..start].to_vec();
    for op in capture_diff_slices(Algorithm::Myers, search, replace) {
        match op {
            DiffOp::Equal { old_index, len, .. } => out.extend_from_slice(&file[start + old_index..][..len]),
            DiffOp::Delete { .. } => {}
            DiffOp::Insert {
                new_index, new_len, ..
            }
            | DiffOp::Replace {
                new_index, new_len, ..
            } => {
                out.extend((new_index..new_index + new_len).map(new));
            }
        }
    }
    out.extend_from_slice(&file[start + search.len()..]);
    lines::join(&out, shape)
}

fn explain(lost: &Lost, file: &[Line<'_>], search: &[&str], replace: &[&str]) -> String {
    let done = replace.iter().any(|line| !line.trim().is_empty()) && find(file, replace).is_ok();
    match lost {
        Lost::Nowhere if done => {
            "the SEARCH lines are not in the file, but the REPLACE lines are there already".into()
        }
        Lost::Nowhere => match nearest(file, search) {
            Some(lines) => format!("the SEARCH lines are not in the file; the nearest lines are:\n{lines}"),
            None => "the SEARCH lines are not in the file, nor anything like them".into(),
        },
        Lost::Many(starts) => {
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
            format!(
                "the SEARCH lines fit {} places (lines {}{more}); add neighbouring lines to make them unique",
                starts.len(),
                shown.join(", ")
            )
        }
    }
}
