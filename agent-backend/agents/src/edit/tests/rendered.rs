//! Random edits, written in every format, lead to what was meant; damaged ones
//! lead to that or to a refusal.

use proptest::{prelude::*, sample::Index};
use similar::{ChangeTag, TextDiff};

use super::*;

const PATH: &str = "src/a.py";

/// A file of lines that differ, and of some that do not.
fn file() -> impl Strategy<Value = Vec<String>> {
    let line = (0..4_usize, 0..3_usize, "[a-z]{3,9}");
    proptest::collection::vec(line, 4..40).prop_map(|lines| {
        let text = |(index, (depth, kind, word)): (usize, (usize, usize, String))| match kind {
            0 if index % 3 == 0 => String::new(),
            1 if index % 4 == 0 => "    }".to_owned(),
            _ => format!("{}{word}_{index} = {word}({index})", "    ".repeat(depth)),
        };
        lines.into_iter().enumerate().map(text).collect()
    })
}

/// What becomes of a line.
#[derive(Debug, Clone)]
enum Step {
    Remove(Index),
    Replace(Index, String),
    Insert(Index, String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let new = "[a-z]{4,8}".prop_map(|word| format!("    new_{word} = True"));
    let step = prop_oneof![
        any::<Index>().prop_map(Step::Remove),
        (any::<Index>(), new.clone()).prop_map(|(at, line)| Step::Replace(at, line)),
        (any::<Index>(), new).prop_map(|(at, line)| Step::Insert(at, line)),
    ];
    proptest::collection::vec(step, 1..5)
}

fn edited(lines: &[String], steps: &[Step]) -> Vec<String> {
    let mut lines = lines.to_vec();
    for step in steps {
        match step {
            Step::Remove(at) if lines.len() > 1 => drop(lines.remove(at.index(lines.len()))),
            Step::Remove(_) => {}
            Step::Replace(at, line) => {
                let at = at.index(lines.len());
                lines[at].clone_from(line);
            }
            Step::Insert(at, line) => lines.insert(at.index(lines.len() + 1), line.clone()),
        }
    }
    lines
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn unified(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = diff.unified_diff();
    lines
        .context_radius(3)
        .header(&format!("a/{PATH}"), &format!("b/{PATH}"));
    lines.to_string()
}

fn envelope(diff: &str) -> String {
    let hunks: String = diff
        .lines()
        .skip(2)
        .map(|line| {
            if line.starts_with("@@") {
                "@@\n".to_owned()
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    format!("*** Begin Patch\n*** Update File: {PATH}\n{hunks}*** End Patch\n")
}

fn blocks(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut out = format!("{PATH}\n");
    for group in diff.grouped_ops(3) {
        let (mut search, mut replace) = (String::new(), String::new());
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            if change.tag() != ChangeTag::Insert {
                search.push_str(change.value());
            }
            if change.tag() != ChangeTag::Delete {
                replace.push_str(change.value());
            }
        }
        out.push_str(&format!(
            "<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"
        ));
    }
    out
}

/// The damage that is a missing end.
const CUT: usize = 9;

/// What may happen to a diff on its way through a model.
fn damaged(diff: &str, damage: usize, at: &Index) -> String {
    let each = |change: &dyn Fn(&str) -> String| -> String {
        let lines = diff.lines().enumerate();
        lines
            .map(|(index, line)| {
                if index < 2 {
                    format!("{line}\n")
                } else {
                    change(line)
                }
            })
            .collect()
    };
    match damage {
        0 => diff.to_owned(),
        1 => each(&|line| {
            if line.starts_with("@@") {
                "@@ ... @@\n".into()
            } else {
                format!("{line}\n")
            }
        }),
        2 => each(&|line| {
            if line.starts_with("@@") {
                "@@ -9000,3 +9000,9 @@\n".into()
            } else {
                format!("{line}\n")
            }
        }),
        3 => each(&|line| format!("{}\n", line.trim_end())),
        4 => each(&|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))),
        5 => each(&|line| match line.chars().next() {
            Some(mark @ (' ' | '+' | '-')) if line.len() > 1 => format!("{mark}    {}\n", &line[1..]),
            _ => format!("{line}\n"),
        }),
        6 => each(&|line| format!("{line}\r\n")),
        7 => {
            // A line that stays is forgotten; not beside one that comes, which
            // would say another place.
            let all: Vec<&str> = diff.lines().collect();
            let comes = |at: usize| all.get(at).is_some_and(|line| line.starts_with('+'));
            let stays: Vec<usize> = (3..all.len())
                .filter(|at| all[*at].starts_with(' ') && !comes(at - 1) && !comes(at + 1))
                .collect();
            let gone = (!stays.is_empty()).then(|| stays[at.index(stays.len())]);
            let kept = diff.lines().enumerate().filter(|(index, _)| Some(*index) != gone);
            kept.map(|(_, line)| format!("{line}\n")).collect()
        }
        8 => each(&|line| match line.chars().next() {
            Some(' ') => format!("{}\n", line.replace(" = ", "  = ")),
            _ => format!("{line}\n"),
        }),
        _ => {
            // It ends too early, and nothing says so but the fence.
            let count = diff.lines().count();
            let kept = 2 + at.index(count - 2);
            diff.lines().take(kept).map(|line| format!("{line}\n")).collect()
        }
    }
}

fn applied(answer: &str, current: &str) -> Result<String, Error> {
    let changed = apply_all(&parse(answer)?, |path| (path == PATH).then_some(current))?;
    assert_eq!(changed.len(), 1, "{answer}");
    assert_eq!(changed[0].path, PATH);
    Ok(changed[0].text.clone().unwrap())
}

proptest! {
    #[test]
    fn what_is_meant_is_done(lines in file(), steps in steps(), crlf in any::<bool>(), bom in any::<bool>()) {
        let (old, new) = (text(&lines), text(&edited(&lines, &steps)));
        prop_assume!(old.trim() != new.trim() && !new.trim().is_empty());
        let shaped = |text: &str| {
            let text = if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
            if bom { format!("\u{feff}{text}") } else { text }
        };
        let diff = unified(&old, &new);
        // Several places are refused; the diff has its numbers.
        prop_assert_eq!(applied(&format!("```diff\n{diff}```\n"), &shaped(&old)).unwrap(), shaped(&new));
        prop_assert_eq!(applied(&diff, &shaped(&old)).unwrap(), shaped(&new));
        for answer in [envelope(&diff), blocks(&old, &new)] {
            match applied(&answer, &shaped(&old)) {
                Ok(got) => prop_assert_eq!(got, shaped(&new), "{}", answer),
                Err(error) => prop_assert!(error.to_string().contains("places"), "{error}\n{answer}"),
            }
        }
        prop_assert_eq!(applied(&fenced(PATH, &new), &shaped(&old)).unwrap(), shaped(&new));
    }

    #[test]
    fn what_is_damaged_is_done_right_or_refused(lines in file(), steps in steps(), damage in 0..CUT, at in any::<Index>(), fence in any::<bool>()) {
        let (old, new) = (text(&lines), text(&edited(&lines, &steps)));
        prop_assume!(old.trim() != new.trim() && !new.trim().is_empty());
        let diff = damaged(&unified(&old, &new), damage, &at);
        let answer = if fence { format!("```diff\n{diff}```\n") } else { diff };
        if let Ok(got) = applied(&answer, &old) {
            prop_assert_eq!(got, new, "{}", answer);
        }
    }

    /// Without its fence, what is cut off is not done in part.
    #[test]
    fn what_is_cut_off_is_refused(lines in file(), steps in steps(), at in any::<Index>()) {
        let (old, new) = (text(&lines), text(&edited(&lines, &steps)));
        prop_assume!(old.trim() != new.trim() && !new.trim().is_empty());
        let diff = unified(&old, &new);
        let cut = damaged(&diff, CUT, &at);
        let open = format!("```diff\n{cut}");
        prop_assert!(applied(&open, &old).is_err());
        let cut = envelope(&cut);
        prop_assert!(applied(cut.strip_suffix("*** End Patch\n").unwrap(), &old).is_err());
    }

    #[test]
    fn functions_take_their_places(count in 1..12_usize, at in any::<Index>(), body in "[a-z]{1,9}", deep in any::<bool>()) {
        let at = at.index(count);
        let indent = if deep { "    " } else { "" };
        let function = |name: usize, body: &str| {
            format!("{indent}def f{name}(self):\n{indent}    x = 1\n{indent}    return {body}\n\n")
        };
        let whole = |body: &str| {
            let head = if deep { "class A:\n" } else { "" };
            let functions: String = (0..count).map(|name| function(name, if name == at { body } else { "None" })).collect();
            format!("{head}{functions}")
        };
        let name = if deep { format!("A.f{at}") } else { format!("f{at}") };
        let answer = format!("{PATH}::{name}\n```python\n{}```\n", function(at, &body));
        let got = applied(&answer, &whole("1"));
        prop_assert_eq!(got.unwrap(), whole(&body));
    }
}
