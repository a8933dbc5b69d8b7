//! Reads edits out of an answer.

use super::{Change, Edit, block, define, fence, heading, merge::merge, patch, path, render};
use crate::{
    Error,
    answer::{Spoken, spoken, unix_lines},
    failure,
};

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
    /// The definition that the last heading names and how many blank lines
    /// followed it.
    symbol: Option<(String, define::Target, usize)>,
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
            } else if patch::begins(lines, at) {
                let named = self.heading.take().map(|(path, _)| path);
                let (edits, next) = patch::read(lines, at, patch::Frame::Open, named.as_deref())?;
                self.found.extend(edits);
                (self.lost, self.markdown, self.block_path) = (None, None, None);
                at = next;
            } else if block::is_search(line) {
                let path = self
                    .heading
                    .take()
                    .map(|(path, _)| path)
                    .or_else(|| self.symbol.take().map(|(path, ..)| path))
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
            self.symbol = self
                .symbol
                .take()
                .map(|(path, target, blank)| (path, target, blank + 1));
            return;
        }
        if let Some(edit) = ordered(line) {
            self.found.push(edit);
            (self.heading, self.symbol) = (None, None);
            return;
        }
        let before = self.symbol.take().map(|(path, ..)| path);
        let before = before.or(self.heading.take().map(|(path, _)| path));
        self.heading = heading::heading(line).map(|path| (path, 0));
        self.symbol = define::target(line).map(|(path, target)| (path, target, 0));
        self.lost = match (self.heading.is_some() || self.symbol.is_some(), before) {
            (true, _) => None,
            (false, Some(path)) => Some((path, 1)),
            (false, None) => self.lost.take().map(|(path, lines)| (path, lines + 1)),
        };
    }

    fn fence(&mut self, open: fence::Open<'_>, body: &[&str]) -> Result<(), Error> {
        let above = self
            .heading
            .take()
            .filter(|(_, blank)| *blank <= BLANK_LINES_MAX)
            .map(|(path, _)| path);
        let symbol = self
            .symbol
            .take()
            .filter(|(.., blank)| *blank <= BLANK_LINES_MAX)
            .map(|(path, target, _)| (path, target))
            .or_else(|| define::in_info(open.info));
        if let Some((path, target)) = symbol {
            (self.lost, self.markdown) = (None, None);
            self.found.push(target.edit(path, joined(body))?);
            return Ok(());
        }
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
            let for_patch = path
                .as_deref()
                .is_some_and(|path| path.ends_with(".diff") || path.ends_with(".patch"));
            if patch::is_body(body, first, open.info) && !for_patch {
                if path.is_none() && !patch::names_files(body) {
                    self.unnamed += 1;
                    return Ok(());
                }
                let (edits, _) = patch::read(body, first, patch::Frame::Fence, path.as_deref())?;
                self.found.extend(edits);
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

/// The edit of a line that deletes or moves a file. Only the exact word counts:
/// prose about deleting must not delete.
fn ordered(line: &str) -> Option<Edit> {
    let line = line.trim();
    let known = |text: &str| {
        let text = text.trim().trim_matches('`');
        heading::is_path(text, true).then(|| path::normal(text).to_owned())
    };
    if let Some(rest) = line.strip_prefix("MOVE:") {
        let (from, to) = rest.split_once("->").or_else(|| rest.split_once('→'))?;
        return Some(Edit {
            path: known(from)?,
            change: Change::Move {
                to: known(to)?,
                then: None,
            },
        });
    }
    // `DELETE /items` is how prose names a request to a server.
    let bare = line
        .strip_prefix("DELETE ")
        .filter(|rest| !rest.trim_start().starts_with('/'));
    let rest = line
        .strip_prefix("DELETE:")
        .or(bare)
        .or_else(|| line.strip_prefix("*** Delete File:"))?;
    Some(Edit {
        path: known(rest)?,
        change: Change::Delete,
    })
}
