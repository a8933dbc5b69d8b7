//! Tables of answers and edits, and properties that hold for all of them.

mod applying;
mod ladder;
mod parsing;
mod properties;
mod refusing;
mod rendered;

use super::*;
use crate::Error;

/// What was read, one line per edit: `write a.py "x\n"`.
fn shown(result: Result<Vec<Edit>, Error>) -> String {
    let edits = match result {
        Ok(edits) => edits,
        Err(error) => return error.code().to_string(),
    };
    let lines = edits.into_iter().map(|edit| match edit.change {
        Change::Write { text } => format!("write {} {text:?}", edit.path),
        Change::Create { text } => format!("create {} {text:?}", edit.path),
        Change::Patch { hunks } => format!("patch {} {}", edit.path, hunks.len()),
        Change::Define { definitions, blocks } => {
            let symbols = definitions
                .iter()
                .map(|definition| format!("{} {:?}", definition.symbol, definition.place));
            format!(
                "define {} {} {}",
                edit.path,
                symbols.collect::<Vec<_>>().join(" "),
                blocks.len()
            )
        }
        Change::Remove { hunks } => format!("remove {} {}", edit.path, hunks.len()),
        Change::Move { to, then } => format!(
            "move {} {to} {}",
            edit.path,
            if then.is_some() { "changed" } else { "as it is" }
        ),
        Change::Delete => format!("delete {}", edit.path),
        Change::Replace { blocks } => {
            let blocks = blocks
                .iter()
                .map(|block| format!("{:?}>{:?}", block.search, block.replace));
            format!("replace {} {}", edit.path, blocks.collect::<Vec<_>>().join(" "))
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Applies one block to `current` in `a.py`.
fn replaced(current: &str, search: &str, replace: &str) -> Result<Option<String>, Error> {
    let blocks = vec![Block {
        search: search.into(),
        replace: replace.into(),
    }];
    apply(
        &Edit {
            path: "a.py".into(),
            change: Change::Replace { blocks },
        },
        Some(current),
    )
}
