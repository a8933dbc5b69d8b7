//! Recognises the path that heads a fence, in the styles that models use.

use super::path::normal;

/// Words before a path that name it as a file, with or without a colon.
const LEADS: [&str; 16] = [
    "file name",
    "file path",
    "new file",
    "updated file",
    "modified file",
    "create file",
    "update file",
    "filename",
    "filepath",
    "file",
    "path",
    "create",
    "created",
    "update",
    "updated",
    "modified",
];

/// Notes behind a path, in parentheses.
const NOTES: [&str; 10] = [
    "new",
    "new file",
    "created",
    "updated",
    "modified",
    "full",
    "full file",
    "complete",
    "changed",
    "update",
];

/// File names without an extension that are common enough to be known.
const BARE_NAMES: [&str; 14] = [
    "Makefile",
    "Dockerfile",
    "LICENSE",
    "README",
    "CHANGELOG",
    "Procfile",
    "Gemfile",
    "Rakefile",
    "Jenkinsfile",
    "Vagrantfile",
    "CODEOWNERS",
    "NOTICE",
    "Justfile",
    "justfile",
];

/// Longest extension that makes a word a path.
const EXTENSION_CHARS_MAX: usize = 12;

/// The path that `line` consists of, apart from decoration: `**path**`,
/// `` `path` ``, `### 1. path (new file):`, `File: path`. Prose that merely
/// mentions a path is no heading.
pub(super) fn heading(line: &str) -> Option<String> {
    let (text, named) = plain(line);
    let text = normal(text);
    is_path(text, named).then(|| text.to_owned())
}

/// A definition that a line names: `path::symbol`, with a note behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Symbol<'a> {
    /// Path of its file.
    pub path: &'a str,
    /// Its name.
    pub symbol: &'a str,
    /// What stands behind it in parentheses.
    pub note: Option<&'a str>,
}

/// The definition that `line` consists of, decorated like a path.
pub(super) fn symbol(line: &str) -> Option<Symbol<'_>> {
    let decorated = |c: char| matches!(c, '*' | ':' | '`' | '_') || c.is_whitespace();
    let end = line.trim_end_matches(decorated);
    // `greet()` has parentheses of its own.
    let noted = end.strip_suffix(')').and_then(|rest| rest.rsplit_once('('));
    let noted = noted.filter(|(before, note)| before.ends_with([' ', '`', '*']) && !note.trim().is_empty());
    let (line, note) = noted.map_or((line, None), |(before, note)| (before, Some(note.trim())));
    let (text, _) = plain(line);
    let (path, symbol) = normal(text).split_once("::")?;
    let symbol = symbol.trim().trim_end_matches("()");
    let named = !symbol.is_empty() && !symbol.contains(char::is_whitespace);
    (named && is_path(path, false)).then_some(Symbol { path, symbol, note })
}

/// A line without decoration, and whether it says that it is a path.
fn plain(line: &str) -> (&str, bool) {
    let mut text = line.trim();
    text = text.trim_start_matches('#').trim_start();
    text = without_number(text);
    for bullet in ["- ", "* ", "• "] {
        text = text.strip_prefix(bullet).unwrap_or(text).trim_start();
    }
    // Quotes and words say "this is a path", so that it may hold spaces.
    let mut named = false;
    loop {
        let before = text;
        text = text.trim().trim_end_matches([':', '：']).trim_end();
        for mark in ["**", "__", "`", "\"", "'", "*"] {
            let inner = text.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
            if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
                named |= matches!(mark, "`" | "\"");
                text = inner;
            }
        }
        if let Some(rest) = without_note(text) {
            text = rest;
        }
        if let Some(rest) = without_lead(text) {
            named = true;
            text = rest;
        }
        if text == before {
            return (text, named);
        }
    }
}

fn without_number(text: &str) -> &str {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[digits..];
    let ends = rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "));
    if digits > 0 {
        ends.unwrap_or(text).trim_start()
    } else {
        text
    }
}

fn without_note(text: &str) -> Option<&str> {
    let (rest, note) = text.strip_suffix(')')?.rsplit_once('(')?;
    let note = note.trim().to_ascii_lowercase();
    NOTES.contains(&note.as_str()).then(|| rest.trim_end())
}

fn without_lead(text: &str) -> Option<&str> {
    LEADS
        .iter()
        .find_map(|lead| {
            let head = text.get(..lead.len())?;
            let rest = &text[lead.len()..];
            // `**File:** path` leaves the stars of the word on both sides.
            let rest = rest
                .strip_prefix(":**")
                .or_else(|| rest.strip_prefix("**:"))
                .unwrap_or(rest);
            let apart = rest.starts_with([':', ' ', '`']) || rest.len() < text.len() - lead.len();
            let rest = rest.trim_start_matches(':').trim_start();
            (head.eq_ignore_ascii_case(lead) && apart && !rest.is_empty()).then_some(rest)
        })
        .or_else(|| {
            text.strip_prefix("**")
                .filter(|rest| !rest.starts_with('*'))
                .and_then(|rest| {
                    let (word, path) = rest.split_once("**")?;
                    let word = word.trim_end_matches(':').trim().to_ascii_lowercase();
                    let path = path.trim_start_matches(':').trim_start();
                    (LEADS.contains(&word.as_str()) && !path.is_empty()).then_some(path)
                })
        })
}

/// Whether `text` looks like a path and like nothing else.
pub(super) fn is_path(text: &str, spaces_allowed: bool) -> bool {
    if text.is_empty() || text.len() > 300 || text.contains("://") || text.contains("::") {
        return false;
    }
    if text.contains([
        '*', '?', '<', '>', '|', '`', '"', '=', '{', '}', ';', ',', '$', '!',
    ]) {
        return false;
    }
    if !spaces_allowed && text.contains(char::is_whitespace) {
        return false;
    }
    let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
    if name.is_empty() || name.ends_with('.') {
        return false;
    }
    if BARE_NAMES.contains(&name) {
        return true;
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let has_extension = extension.is_some_and(|extension| {
        (1..=EXTENSION_CHARS_MAX).contains(&extension.len())
            && extension.starts_with(|c: char| c.is_ascii_alphabetic())
            && extension
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '~'))
    });
    let nested =
        text.contains(['/', '\\']) && !text.contains(char::is_whitespace) && !text.contains(['(', ')']);
    has_extension || nested
}

/// The path in a fence's info string: `python src/x.py`, `python:src/x.py`,
/// `src/x.py`, `python title="src/x.py"`.
pub(super) fn in_info(info: &str) -> Option<String> {
    let info = info.trim().trim_start_matches('{').trim_end_matches('}').trim();
    for key in ["title=", "filename=", "file=", "path=", "name="] {
        if let Some(at) = info.find(key) {
            let value = &info[at + key.len()..];
            let value = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
                Some(_) => value.split_whitespace().next(),
                None => None,
            };
            let value = normal(value.unwrap_or_default());
            return is_path(value, true).then(|| value.to_owned());
        }
    }
    let (first, rest) = info.split_once(char::is_whitespace).unwrap_or((info, ""));
    let rest = rest.trim();
    if !rest.is_empty() {
        return heading(rest);
    }
    let word = match first.split_once(':') {
        Some((language, path))
            if language
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+#-_".contains(c)) =>
        {
            path
        }
        Some(_) | None => first,
    };
    let word = normal(word);
    // `12:40:src/x.py` and `src/x.py:12-40` cite a part of a file.
    let cites = word.contains(':');
    (!cites && is_path(word, false)).then(|| word.to_owned())
}

/// The path in a comment that is the first line of a file.
pub(super) fn in_comment(line: &str) -> Option<String> {
    let line = line.trim();
    let text = ["#", "//", "--", ";"]
        .iter()
        .find_map(|leader| line.strip_prefix(leader));
    let text = text.or_else(|| {
        line.strip_prefix("<!--")
            .and_then(|rest| rest.strip_suffix("-->"))
    });
    let text = text.or_else(|| line.strip_prefix("/*").and_then(|rest| rest.strip_suffix("*/")))?;
    let path = heading(text)?;
    (!path.contains(char::is_whitespace)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings() {
        let check = |line: &str, expect: Option<&str>| {
            assert_eq!(heading(line).as_deref(), expect, "{line:?}");
        };
        for line in [
            "src/app.py",
            "`src/app.py`",
            "**src/app.py**",
            "**`src/app.py`**",
            "`src/app.py`:",
            "### src/app.py",
            "### `src/app.py` (new file)",
            "File: src/app.py",
            "**File:** `src/app.py`",
            "**File**: src/app.py",
            "## 2. `src/app.py`",
            "- src/app.py",
            "File path: src/app.py:",
            "Create `src/app.py`:",
            "./src/app.py",
            "1) **src/app.py** (updated):",
            "filename: \"src/app.py\"",
            "New file: `src/app.py`",
            "*src/app.py*",
        ] {
            check(line, Some("src/app.py"));
        }
        check("Makefile", Some("Makefile"));
        check("src/__init__.py", Some("src/__init__.py"));
        check("__init__.py", Some("__init__.py"));
        check("`docs/my notes.md`", Some("docs/my notes.md"));
        check("../secret.txt", Some("../secret.txt"));
        check("/etc/passwd", Some("/etc/passwd"));
        check("src\\app.py", Some("src\\app.py"));
        check("Here is the updated `src/app.py`:", None);
        check("Run the tests with `pytest tests/test_app.py`:", None);
        check("Now the file looks better", None);
        check("src/**/*.py", None);
        check("https://example.org/x.py", None);
        check("That is all.", None);
        check("3.14", None);
        check("", None);
        check("**", None);
    }

    #[test]
    fn symbols() {
        let check = |line: &str, expect: Option<(&str, Option<&str>)>| {
            let got = symbol(line).filter(|symbol| symbol.path == "src/app.py");
            assert_eq!(got.map(|got| (got.symbol, got.note)), expect, "{line:?}");
        };
        check("src/app.py::greet", Some(("greet", None)));
        check("### `src/app.py::A.greet()`:", Some(("A.greet", None)));
        check(
            "**src/app.py::greet** (new, after main)",
            Some(("greet", Some("new, after main"))),
        );
        check(
            "`src/app.py::greet` (new, at end):",
            Some(("greet", Some("new, at end"))),
        );
        check("src/app.py", None);
        check("src/app.py::", None);
        check("Change src/app.py::greet", None);
        check("std::collections::HashMap", None);
        assert_eq!(heading("src/app.py::greet"), None);
    }

    #[test]
    fn info_strings() {
        let check = |info: &str, expect: Option<&str>| {
            assert_eq!(in_info(info).as_deref(), expect, "{info:?}");
        };
        check("python", None);
        check("", None);
        check("c++", None);
        check("python src/app.py", Some("src/app.py"));
        check("python `src/app.py`", Some("src/app.py"));
        check("python:src/app.py", Some("src/app.py"));
        check("src/app.py", Some("src/app.py"));
        check("app.py", Some("app.py"));
        check("py title=\"src/app.py\"", Some("src/app.py"));
        check("{python filename=app.py}", Some("app.py"));
        check("12:40:src/app.py", None);
        check("src/app.py:12-40", None);
        check("python linenums", None);
    }

    #[test]
    fn comments() {
        let check = |line: &str, expect: Option<&str>| {
            assert_eq!(in_comment(line).as_deref(), expect, "{line:?}");
        };
        check("# src/app.py", Some("src/app.py"));
        check("// src/app.ts", Some("src/app.ts"));
        check("<!-- index.html -->", Some("index.html"));
        check("/* a.css */", Some("a.css"));
        check("# the application", None);
        check("import os", None);
    }
}
