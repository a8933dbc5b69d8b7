//! Syntax by tree-sitter, and JSON by its parser.

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use syntax::Language;
use tree_sitter::{Node, ParseOptions, ParseState, Parser};

use super::{Changed, Finding, extension};
use shared::clock::Stopwatch;

/// Characters of the source that a problem quotes.
const QUOTE_CHARS_MAX: usize = 60;

/// JSON files that allow comments.
const JSON_WITH_COMMENTS: &[&str] = &[
    "tsconfig",
    "jsconfig",
    ".eslintrc",
    "devcontainer",
    "settings",
    "launch",
];

pub(super) fn check(changed: &[Changed], timeout: Duration) -> Finding {
    let mut problems = Vec::new();
    let mut known = 0;
    for file in changed {
        if extension(&file.path) == "json" {
            known += 1;
            problems.extend(json(file));
        } else if let Some(language) = language(&file.path) {
            let Some(found) = tree(file, &language, timeout) else {
                continue;
            };
            known += 1;
            problems.extend(found);
        }
    }
    if known == 0 {
        return Finding::skipped("no file is in a language that can be parsed, or parsing took too long");
    }
    Finding::of(&problems, None)
}

/// Whether a text is in a language that can be parsed, and has no error.
pub(super) fn is_sound(path: &str, text: &str, timeout: Duration) -> bool {
    language(path)
        .and_then(|language| errors(text, &language, timeout))
        .is_some_and(|errors| errors.is_empty())
}

fn language(path: &str) -> Option<tree_sitter::Language> {
    // A header that is C++ is no C; one that is C is nearly always C++ too.
    let language = Language::of(path);
    let is_header = language == Language::C && extension(path) == "h";
    syntax::rules::grammar(if is_header { Language::Cpp } else { language })
}

/// The first error that the old contents did not have; the outer none if they
/// could not be parsed in time.
fn tree(file: &Changed, language: &tree_sitter::Language, timeout: Duration) -> Option<Option<String>> {
    let mut before = BTreeMap::new();
    for error in errors(&file.old, language, timeout)? {
        *before.entry(error.quote).or_insert(0_u32) += 1;
    }
    for error in errors(&file.new, language, timeout)? {
        // Lines move; what stands on them tells whether it is an old error.
        match before.get_mut(&error.quote) {
            Some(left) if *left > 0 => *left -= 1,
            Some(_) | None => {
                let SyntaxError { line, what, quote } = error;
                return Some(Some(format!("{}:{line}: {what} near `{quote}`", file.path)));
            }
        }
    }
    Some(None)
}

struct SyntaxError {
    line: usize,
    what: String,
    quote: String,
}

/// None if the time ran out: recovery from errors can take very long in long
/// sources.
fn errors(source: &str, language: &tree_sitter::Language, timeout: Duration) -> Option<Vec<SyntaxError>> {
    let mut parser = Parser::new();
    parser.set_language(language).ok()?;
    let watch = Stopwatch::start();
    let mut progress = |_: &ParseState| {
        if watch.elapsed() > timeout {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let mut read = |at: usize, _| source.as_bytes().get(at..).unwrap_or_default();
    let tree = parser.parse_with_options(&mut read, None, Some(options))?;
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    let mut cursor = tree.walk();
    // Depth first, into subtrees with errors alone. A cursor, not recursion:
    // generated code can be nested deeper than the stack.
    'walk: loop {
        let node: Node<'_> = cursor.node();
        if node.is_error() || node.is_missing() {
            let row = node.start_position().row;
            let what = if node.is_missing() {
                format!("`{}` is missing", node.kind())
            } else {
                "syntax error".to_owned()
            };
            let text = lines.get(row).copied().unwrap_or_default().trim();
            let quote = text.chars().take(QUOTE_CHARS_MAX).collect();
            found.push(SyntaxError {
                line: row + 1,
                what,
                quote,
            });
        } else if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                break 'walk;
            }
        }
    }
    Some(found)
}

fn json(file: &Changed) -> Option<String> {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    if JSON_WITH_COMMENTS.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    let parse =
        |text: &str| serde_json::from_str::<serde_json::Value>(text.trim_start_matches('\u{feff}')).err();
    // A file that never was strict JSON is some dialect.
    if !file.old.trim().is_empty() && parse(&file.old).is_some() {
        return None;
    }
    parse(&file.new).map(|error| format!("{}:{}: {error}", file.path, error.line()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::artifact::CheckStatus;

    fn check_file(path: &str, old: &str, new: &str, status: CheckStatus, output: &str) {
        let changed = [Changed {
            path: path.to_owned(),
            old: old.to_owned(),
            new: new.to_owned(),
        }];
        let finding = check(&changed, Duration::from_secs(60));
        assert_eq!(
            (finding.status, finding.output.as_str()),
            (status, output),
            "{path}"
        );
    }

    #[test]
    fn sound_sources_pass() {
        for (path, source) in [
            ("a.py", "def f(a, *, b=1):\n    return f'{a!r}'\n"),
            ("a.rs", "fn main() { let x = 1; }\n"),
            ("a.js", "export const f = async (a) => a?.b ?? 1;\n"),
            ("a.ts", "export function f<T>(a: T): T { return a; }\n"),
            ("a.tsx", "export const A = () => <b>x</b>;\n"),
            ("a.go", "package a\n\nfunc F() int { return 1 }\n"),
            ("A.java", "class A { int f() { return 1; } }\n"),
            ("a.c", "int main(void) { return 0; }\n"),
            ("a.cpp", "template <class T> T f(T a) { return a; }\n"),
            ("a.json", "{\"a\": [1]}\n"),
        ] {
            check_file(path, "", source, CheckStatus::Passed, "");
        }
    }

    #[test]
    fn new_errors_are_named_by_line() {
        let broken = "def g():\n    return (1\n\n\ndef f(:\n    pass\n";
        check_file(
            "a.py",
            "",
            "x = 1\ndef f(:\n    pass\n",
            CheckStatus::Failed,
            "a.py:2: `)` is missing near `def f(:`",
        );
        check_file(
            "a.py",
            broken,
            &format!("x = 1\n{broken}"),
            CheckStatus::Passed,
            "",
        );
        check_file(
            "b.py",
            "",
            "a = )\n",
            CheckStatus::Failed,
            "b.py:1: syntax error near `a = )`",
        );
        check_file(
            "a.json",
            "{}",
            "{\n]",
            CheckStatus::Failed,
            "a.json:2: key must be a string at line 2 column 1",
        );
        check_file("a.json", "{} // x", "{} // y", CheckStatus::Passed, "");
    }

    #[test]
    fn parsing_that_takes_too_long_is_skipped() {
        let new = "x = (\n".repeat(20_000);
        let changed = [Changed {
            path: "a.py".to_owned(),
            old: String::new(),
            new,
        }];
        assert_eq!(check(&changed, Duration::ZERO).status, CheckStatus::Skipped);
    }

    #[test]
    fn unknown_languages_are_skipped() {
        let reason = "no file is in a language that can be parsed, or parsing took too long";
        check_file("a.txt", "", "(((", CheckStatus::Skipped, reason);
    }
}
