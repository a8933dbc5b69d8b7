//! Reads edits out of an answer.

use super::{Block, Change, Edit, block, fence, heading, path, render};
use crate::{
    Error,
    answer::{Spoken, spoken, unix_lines},
    failure,
};

/// Files that one answer may touch.
pub const EDITS_MAX: usize = 100;

/// Search-and-replace blocks of one file.
pub const BLOCKS_MAX: usize = 200;

/// Longest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Blank lines that may stand between a path and its fence.
const BLANK_LINES_MAX: usize = 2;

/// Lines of prose that may part a path from the fence it was meant for.
const PROSE_LINES_MAX: usize = 3;

/// What was read out of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// One per path, in the order in which the paths first appear.
    pub edits: Vec<Edit>,
    /// Fences without a path: examples, commands, or a file that the model
    /// forgot to name.
    pub unnamed_fences: usize,
}

/// The edits of an answer, one per path.
///
/// # Errors
/// `Empty`, `NoEdits`, `Declined`, `Truncated`, `Malformed`, `Path`.
pub fn parse(answer: &str) -> Result<Vec<Edit>, Error> {
    read(answer).map(|parsed| parsed.edits)
}

/// As [`parse`], with what was passed over.
///
/// # Errors
/// As [`parse`].
pub fn read(answer: &str) -> Result<Parsed, Error> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(Error::Malformed {
            problem: format!("it is longer than {ANSWER_BYTES_MAX} bytes"),
        });
    }
    let text = match spoken(answer) {
        Spoken::Text(text) => unix_lines(text),
        Spoken::OnlyThoughts => {
            return Err(Error::Truncated {
                place: "it ends within the thoughts".into(),
            });
        }
    };
    if text.trim().is_empty() {
        return Err(Error::Empty);
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut scan = Scan::default();
    scan.run(&lines)?;
    let found = if scan.found.is_empty() {
        scan.commented
    } else {
        scan.found
    };
    if found.is_empty() {
        return Err(nothing(&text, scan.unnamed));
    }
    Ok(Parsed {
        edits: merge(found)?,
        unnamed_fences: scan.unnamed,
    })
}

fn nothing(text: &str, unnamed: usize) -> Error {
    if unnamed > 0 {
        return Error::NoEdits {
            hint: "there is code, but no path on the line before it".into(),
        };
    }
    if let Some(words) = failure::declined(text) {
        return Error::Declined { text: words };
    }
    let patch = text.lines().any(is_patch_line);
    let hint = if patch {
        "it is a patch in an unknown format"
    } else {
        "it is prose"
    };
    Error::NoEdits { hint: hint.into() }
}

#[derive(Default)]
struct Scan {
    found: Vec<Edit>,
    /// Files whose path is a comment in their first line; they count only
    /// when no path stands where it should.
    commented: Vec<Edit>,
    unnamed: usize,
    /// Path of the last heading and how many blank lines followed it.
    heading: Option<(String, usize)>,
    /// Path of a heading that prose followed, and how many lines of it.
    lost: Option<(String, usize)>,
    /// Path of the last block, for blocks that follow without one.
    block_path: Option<String>,
    /// A Markdown file that ended last: where its fence really ends cannot be
    /// known if a bare fence follows.
    markdown: Option<String>,
}

impl Scan {
    fn run(&mut self, lines: &[&str]) -> Result<(), Error> {
        let mut at = 0;
        while let Some(&line) = lines.get(at) {
            if let Some(open) = fence::open(line) {
                let Some(body) = fence::body(open, lines, at + 1) else {
                    return Err(Error::Truncated {
                        place: format!("the fence in line {} has no end", at + 1),
                    });
                };
                at = body.next;
                self.fence(open, &body.lines)?;
            } else if block::is_search(line) {
                let path = self
                    .heading
                    .take()
                    .map(|(path, _)| path)
                    .or_else(|| self.block_path.clone());
                let Some(path) = path else {
                    let problem = format!("the SEARCH block in line {} has no path before it", at + 1);
                    return Err(Error::Malformed { problem });
                };
                let (block, next) = block::read(lines, at)?;
                self.block_path = Some(path.clone());
                self.found.push(Edit {
                    path,
                    change: Change::Replace { blocks: vec![block] },
                });
                at = next;
            } else {
                self.text(line);
                at += 1;
            }
        }
        Ok(())
    }

    fn text(&mut self, line: &str) {
        if line.trim().is_empty() {
            self.heading = self.heading.take().map(|(path, blank)| (path, blank + 1));
            return;
        }
        if let Some(path) = deleted(line) {
            self.found.push(Edit {
                path,
                change: Change::Delete,
            });
            self.heading = None;
            return;
        }
        let before = std::mem::replace(&mut self.heading, heading::heading(line).map(|path| (path, 0)));
        self.lost = match (&self.heading, before) {
            (Some(_), _) => None,
            (None, Some((path, _))) => Some((path, 1)),
            (None, None) => self.lost.take().map(|(path, lines)| (path, lines + 1)),
        };
    }

    fn fence(&mut self, open: fence::Open<'_>, body: &[&str]) -> Result<(), Error> {
        let above = self
            .heading
            .take()
            .filter(|(_, blank)| *blank <= BLANK_LINES_MAX)
            .map(|(path, _)| path);
        let path = heading::in_info(open.info).or(above);
        if path.is_none()
            && open.info.is_empty()
            && let Some(file) = self.markdown.take()
        {
            let problem = format!(
                "it cannot be told where the fence of `{file}` ends; a file that holds fences goes into a longer one"
            );
            return Err(Error::Malformed { problem });
        }
        self.markdown = None;
        if path.is_some() {
            self.lost = None;
        }
        if let Some(first) = body.iter().position(|line| !line.trim().is_empty()) {
            let named = heading::heading(body[first])
                .filter(|_| body.get(first + 1).is_some_and(|l| block::is_search(l)));
            if named.is_some() || block::is_search(body[first]) {
                return self.blocks(path, body);
            }
            let patch = body.iter().filter(|line| is_patch_line(line)).count();
            let is_patch =
                patch > 0 && (is_patch_line(body[first]) || matches!(open.info, "diff" | "patch" | "udiff"));
            let for_patch = path
                .as_deref()
                .is_some_and(|path| path.ends_with(".diff") || path.ends_with(".patch"));
            if is_patch && !for_patch {
                if path.is_some() {
                    let problem =
                        "a file is given as a patch; write the whole file or SEARCH blocks".to_owned();
                    return Err(Error::Malformed { problem });
                }
                self.unnamed += 1;
                return Ok(());
            }
        }
        if let Some(path) = path {
            if is_markdown(&path) {
                self.markdown = Some(path.clone());
            }
            self.found.push(Edit {
                path,
                change: Change::Write { text: joined(body) },
            });
            return Ok(());
        }
        if let Some(path) = self.parted(open.info) {
            let problem = format!("there is text between the path `{path}` and its fence");
            return Err(Error::Malformed { problem });
        }
        self.unnamed += 1;
        if let Some(path) = body.first().and_then(|first| heading::in_comment(first)) {
            self.commented.push(Edit {
                path,
                change: Change::Write { text: joined(body) },
            });
        }
        Ok(())
    }

    /// The path that a fence of this language was probably meant for: passing
    /// it over would lose a file silently.
    fn parted(&mut self, info: &str) -> Option<String> {
        let (path, lines) = self.lost.take()?;
        let word = info
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let language = render::language(&path);
        let same = word == language || render::language(&format!("x.{word}")) == language;
        (same && language != "text" && lines <= PROSE_LINES_MAX).then_some(path)
    }

    /// Blocks inside a fence; a path may stand before each.
    fn blocks(&mut self, outer: Option<String>, body: &[&str]) -> Result<(), Error> {
        let mut path = outer.or_else(|| self.block_path.clone());
        let mut at = 0;
        while let Some(&line) = body.get(at) {
            if block::is_search(line) {
                let Some(path) = path.clone() else {
                    return Err(Error::Malformed {
                        problem: "a SEARCH block has no path before it".into(),
                    });
                };
                let (block, next) = block::read(body, at)?;
                self.block_path = Some(path.clone());
                self.found.push(Edit {
                    path,
                    change: Change::Replace { blocks: vec![block] },
                });
                at = next;
                continue;
            }
            if let Some(named) = heading::heading(line) {
                path = Some(named);
            } else if !line.trim().is_empty() {
                let problem = "there is text between SEARCH blocks in one fence".to_owned();
                return Err(Error::Malformed { problem });
            }
            at += 1;
        }
        Ok(())
    }
}

fn joined(lines: &[&str]) -> String {
    let mut text = String::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn is_markdown(path: &str) -> bool {
    let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    matches!(
        extension.as_str(),
        "md" | "markdown" | "mdx" | "mdc" | "qmd" | "rmd"
    )
}

fn is_patch_line(line: &str) -> bool {
    line.starts_with("@@ ") || line.starts_with("*** Begin Patch") || line.starts_with("--- a/")
}

/// The path of a line that deletes a file. Only the exact word counts: prose
/// about deleting must not delete.
fn deleted(line: &str) -> Option<String> {
    let line = line.trim();
    // `DELETE /items` is how prose names a request to a server.
    let bare = line
        .strip_prefix("DELETE ")
        .filter(|rest| !rest.trim_start().starts_with('/'));
    let rest = line
        .strip_prefix("DELETE:")
        .or(bare)
        .or_else(|| line.strip_prefix("*** Delete File:"))?;
    let rest = rest.trim().trim_matches('`');
    heading::is_path(rest, true).then(|| path::normal(rest).to_owned())
}

/// One edit per path.
fn merge(found: Vec<Edit>) -> Result<Vec<Edit>, Error> {
    let mut edits: Vec<Edit> = Vec::new();
    for edit in found {
        path::check(&edit.path)?;
        let Some(known) = edits.iter_mut().find(|known| known.path == edit.path) else {
            if edits.len() == EDITS_MAX {
                return Err(Error::Malformed {
                    problem: format!("it touches more than {EDITS_MAX} files"),
                });
            }
            edits.push(edit);
            continue;
        };
        match (&mut known.change, edit.change) {
            // A file that is written twice was corrected.
            (Change::Write { text }, Change::Write { text: later }) => *text = later,
            (Change::Replace { blocks }, Change::Replace { blocks: more }) => {
                extend(blocks, more, &edit.path)?
            }
            (Change::Delete, Change::Delete) => {}
            (Change::Write { .. } | Change::Replace { .. } | Change::Delete, _) => {
                let problem = format!("`{}` is edited in two different ways", edit.path);
                return Err(Error::Malformed { problem });
            }
        }
    }
    Ok(edits)
}

fn extend(blocks: &mut Vec<Block>, more: Vec<Block>, path: &str) -> Result<(), Error> {
    for block in more {
        // Said twice is meant once: an insertion must not happen twice.
        if !blocks.contains(&block) {
            blocks.push(block);
        }
    }
    if blocks.len() > BLOCKS_MAX {
        return Err(Error::Malformed {
            problem: format!("`{path}` has more than {BLOCKS_MAX} blocks"),
        });
    }
    Ok(())
}
