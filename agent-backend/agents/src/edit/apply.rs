//! Applies one edit to the text of its file.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::{
    Block, Change, Edit, Hunk, Mark, define, heading, hunk,
    ladder::{self, Lost, find},
    lines::{self, BOM, Line, Shape},
    nearest::nearest,
    placeholder,
};
use crate::{Error, answer::unix_lines};

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
        Change::Remove { hunks } => {
            let Some(current) = current else {
                return Err(refuse("there is no such file to delete".into()));
            };
            let left = patched(hunks, current).map_err(refuse)?;
            if left.trim_start_matches(BOM).trim().is_empty() {
                Ok(None)
            } else {
                Err(refuse(
                    "the patch deletes the file, but not all of its lines".into(),
                ))
            }
        }
        Change::Create { text } => {
            if current.is_some_and(|current| !current.trim_start_matches(BOM).trim().is_empty()) {
                return Err(refuse(
                    "it is to be a new file, but there is one already; change that one".into(),
                ));
            }
            placeholder::refuse(&edit.path, text, current)?;
            Ok(Some(without_own_path(&edit.path, text, "").to_owned()))
        }
        Change::Patch { hunks } => {
            let Some(current) = current else {
                return Err(refuse("the file does not exist".into()));
            };
            for hunk in hunks {
                placeholder::refuse(&edit.path, &new_side(hunk), Some(current))?;
            }
            patched(hunks, current).map(Some).map_err(refuse)
        }
        Change::Define { definitions, blocks } => {
            let Some(current) = current else {
                return Err(refuse("the file does not exist: write all of it".into()));
            };
            let texts = definitions.iter().map(|definition| &definition.text);
            for text in texts.chain(blocks.iter().map(|block| &block.replace)) {
                placeholder::refuse(&edit.path, text, Some(current))?;
            }
            let text = define::apply(&edit.path, definitions, current)
                .map_err(|verdicts| refuse(all_told("definition", &verdicts)))?;
            replace(blocks, Some(&text)).map(Some).map_err(refuse)
        }
        Change::Move { then, .. } => {
            if current.is_none() {
                return Err(refuse("there is no such file to move".into()));
            }
            match then {
                Some(then) => apply(
                    &Edit {
                        path: edit.path.clone(),
                        change: (**then).clone(),
                    },
                    current,
                ),
                None => Ok(current.map(str::to_owned)),
            }
        }
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
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut exists = current.is_some();
    for block in blocks {
        let new = one(block, exists.then_some(text.as_str()));
        verdicts.push(new.map(|new| {
            text = new;
            exists = true;
        }));
    }
    if verdicts.iter().all(Result::is_ok) {
        return Ok(text);
    }
    Err(all_told("block", &verdicts))
}

/// What came of one part of an edit.
pub(super) type Verdict = Result<(), String>;

/// The verdicts on the parts of an edit that does not fit.
fn all_told(part: &str, verdicts: &[Verdict]) -> String {
    if let [Err(verdict)] = verdicts {
        return verdict.clone();
    }
    let failed = verdicts.iter().filter(|verdict| verdict.is_err()).count();
    let all = verdicts.iter().enumerate().map(|(index, verdict)| {
        let told = verdict.as_ref().map_or_else(String::as_str, |()| "fits");
        format!("{part} {}: {told}", index + 1)
    });
    format!(
        "{failed} of {} {part}s do not fit\n{}",
        verdicts.len(),
        all.collect::<Vec<_>>().join("\n")
    )
}

fn patched(hunks: &[Hunk], current: &str) -> Result<String, String> {
    hunk::apply(hunks, current).map_err(|verdicts| all_told("hunk", &verdicts))
}

/// The lines that a hunk leaves.
fn new_side(hunk: &Hunk) -> String {
    let lines = hunk.lines.iter().filter(|line| line.mark != Mark::Removed);
    lines.map(|line| format!("{}\n", line.text)).collect()
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
    let shift = |lines: &[&str]| -> Result<Vec<String>, String> {
        lines.iter().map(|line| ladder::indented(&found, line)).collect()
    };
    // What the block repeats is compared with what it searches for, both as
    // the file has it.
    let (search, replace) = (shift(&search)?, shift(&replace)?);
    Ok(splice(&file, found.start(), &search, &replace, shape))
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
        Lost::Many(starts) => format!(
            "the SEARCH lines fit {}; add neighbouring lines to make them unique",
            ladder::places_told(starts)
        ),
    }
}
