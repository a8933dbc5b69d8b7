//! Search-and-replace blocks.
//!
//! ```text
//! <<<<<<< SEARCH
//! lines of the file
//! =======
//! lines that take their place
//! >>>>>>> REPLACE
//! ```

use super::Block;
use crate::Error;

/// Lengths of a row of marks that models write for seven.
const MARKS: std::ops::RangeInclusive<usize> = 5..=9;

pub(super) fn is_search(line: &str) -> bool {
    marked(line, '<').is_some_and(|word| matches!(word, "SEARCH" | "SEARCH>" | "ORIGINAL"))
}

pub(super) fn is_divider(line: &str) -> bool {
    marked(line, '=').is_some_and(str::is_empty)
}

pub(super) fn is_replace(line: &str) -> bool {
    marked(line, '>').is_some_and(|word| matches!(word, "REPLACE" | "UPDATED"))
}

fn marked(line: &str, mark: char) -> Option<&str> {
    let line = line.trim_end();
    let rest = line.trim_start_matches(mark);
    MARKS
        .contains(&(line.len() - rest.len()))
        .then(|| rest.trim_start())
}

/// Reads the block that `lines[at]` begins. Gives it and the index of the line
/// after it.
pub(super) fn read(lines: &[&str], at: usize) -> Result<(Block, usize), Error> {
    let mut search = String::new();
    let mut replace = String::new();
    let mut divided = false;
    for (index, line) in lines.iter().enumerate().skip(at + 1) {
        if is_search(line) {
            let problem = format!(
                "a SEARCH block begins in line {} before the one in line {} ends",
                index + 1,
                at + 1
            );
            return Err(Error::Malformed { problem });
        }
        if is_divider(line) {
            if divided {
                let problem = format!("the SEARCH block in line {} has two ======= lines", at + 1);
                return Err(Error::Malformed { problem });
            }
            divided = true;
            continue;
        }
        if is_replace(line) {
            if !divided {
                let problem = format!("the SEARCH block in line {} has no ======= line", at + 1);
                return Err(Error::Malformed { problem });
            }
            return Ok((Block { search, replace }, index + 1));
        }
        let side = if divided { &mut replace } else { &mut search };
        side.push_str(line);
        side.push('\n');
    }
    Err(Error::Truncated {
        place: format!("the SEARCH block in line {} has no >>>>>>> REPLACE", at + 1),
    })
}
