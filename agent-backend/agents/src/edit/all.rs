//! Applies all edits of an answer.

use super::{Change, Edit, apply};
use crate::Error;

/// What a file gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Path relative to the workspace.
    pub path: String,
    /// Its new text; none to remove it.
    pub text: Option<String>,
}

/// Applies every edit to the text that `current` has for its path. Edits that
/// make no difference are left out. All problems are reported together, so
/// that one more attempt can put them all right.
///
/// # Errors
/// `DoesNotApply` and `Placeholder`, alone or as `Several`; `NoChange` when
/// nothing but white space at line ends differs.
pub fn apply_all<'a>(
    edits: &[Edit],
    current: impl Fn(&str) -> Option<&'a str>,
) -> Result<Vec<Changed>, Error> {
    let mut changed = Vec::new();
    let mut problems = Vec::new();
    let mut real = false;
    for edit in edits {
        let old = current(&edit.path);
        match apply(edit, old) {
            Ok(text) if let Change::Move { to, .. } = &edit.change => {
                if current(to).is_some() {
                    problems.push(Error::DoesNotApply {
                        path: edit.path.clone(),
                        problem: format!("it is to be moved to `{to}`, but there is a file already"),
                    });
                    continue;
                }
                real = true;
                let gone = Changed {
                    path: edit.path.clone(),
                    text: None,
                };
                changed.extend([
                    gone,
                    Changed {
                        path: to.clone(),
                        text,
                    },
                ]);
            }
            Ok(text) => {
                if text.as_deref() != old {
                    real |= differs(old, text.as_deref());
                    changed.push(Changed {
                        path: edit.path.clone(),
                        text,
                    });
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    match problems.len() {
        0 if real => Ok(changed),
        0 => Err(Error::NoChange),
        1 => Err(problems.remove(0)),
        _ => Err(Error::Several(problems)),
    }
}

fn differs(old: Option<&str>, new: Option<&str>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => !old.lines().map(str::trim_end).eq(new.lines().map(str::trim_end)),
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    }
}
