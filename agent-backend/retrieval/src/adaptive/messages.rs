//! What compilers, interpreters and test runners print, line by line.

use super::{FailureKind, Finding};

/// Bytes of a subject.
const SUBJECT_BYTES_MAX: usize = 200;

/// A subject of readable length.
pub(super) fn shorten(text: &str) -> String {
    let text = text.trim();
    text[..text.floor_char_boundary(SUBJECT_BYTES_MAX)].to_owned()
}

/// The file that stands in the first backticks of a message.
pub(super) fn quoted_path(message: &str, kind: FailureKind) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in message.lines() {
        let quoted = line.split('`').nth(1).filter(|path| is_path(path));
        findings.extend(quoted.map(|path| Finding {
            kind,
            subject: String::new(),
            path: Some(path.to_owned()),
            line: None,
        }));
    }
    findings
}

/// The findings of a message.
pub(super) fn read(message: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    // The place that was named last belongs to the error that follows it.
    let mut place: Option<(String, u32)> = None;
    for line in message.lines() {
        let own = located(line);
        if let Some(found) = &own {
            place = Some(found.clone());
        }
        let Some((kind, subject)) = told(line) else {
            // rustc and tsc name the place after the error.
            if let (Some((path, at)), Some(last)) = (own, findings.last_mut())
                && last.path.is_none()
                && line.trim_start().starts_with("-->")
            {
                last.path = Some(path);
                last.line = Some(at);
            }
            continue;
        };
        let before_it = matches!(kind, FailureKind::FailingTest)
            || own.is_some()
            || !line.trim_start().starts_with("error");
        let near = if before_it {
            own.or_else(|| place.take())
        } else {
            None
        };
        let test_file = match kind {
            FailureKind::FailingTest => test_path(line),
            FailureKind::UnresolvedImport
            | FailureKind::UndefinedName
            | FailureKind::NoSuchMember
            | FailureKind::WrongType
            | FailureKind::SyntaxError
            | FailureKind::EditMismatch
            | FailureKind::MissingFile
            | FailureKind::Unusable
            | FailureKind::Other => None,
        };
        let (path, at) = match (test_file, near) {
            (Some(path), _) => (Some(path), None),
            (None, Some((path, at))) => (Some(path), Some(at)),
            (None, None) => (None, None),
        };
        findings.push(Finding {
            kind,
            subject: shorten(&subject),
            path,
            line: at,
        });
    }
    findings
}

/// `File "a.py", line 3`, `--> src/a.rs:3:5`, `a.ts(3,5)`, `a.py:3: …`.
fn located(line: &str) -> Option<(String, u32)> {
    if let Some(rest) = line.split("File \"").nth(1) {
        let (path, rest) = rest.split_once('"')?;
        let number = rest.split("line ").nth(1)?;
        return Some((path.to_owned(), leading_number(number)?)).filter(|(path, _)| is_path(path));
    }
    for word in line.split_whitespace() {
        let word = word.trim_start_matches(['(', '[', '`', '"', '\'']);
        let colon = word.find(':').map(|at| (at, at + 1));
        let bracket = word.find('(').map(|at| (at, at + 1));
        for (end, start) in [colon, bracket].into_iter().flatten() {
            let path = &word[..end];
            if let Some(number) = word
                .get(start..)
                .and_then(leading_number)
                .filter(|_| is_path(path))
            {
                return Some((path.to_owned(), number));
            }
        }
    }
    None
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..digits)?.parse().ok()
}

fn is_path(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or(text);
    let has_ending = name.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty()
            && (1..=5).contains(&ending.len())
            && ending.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+@".contains(c));
    has_ending && plain && !text.contains("://") && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// The path in `FAILED tests/test_a.py::test_b`, `FAIL src/a.test.ts`,
/// `test_b (tests.test_a.Case.test_b)`.
fn test_path(line: &str) -> Option<String> {
    let word = line
        .split_whitespace()
        .find(|word| is_path(word.split("::").next().unwrap_or(word)))
        .map(|word| word.split("::").next().unwrap_or(word).to_owned());
    word.or_else(|| {
        // unittest names the module of the test with dots.
        let dotted = line.split_once('(')?.1.split(')').next()?;
        let parts: Vec<&str> = dotted.split('.').collect();
        let at = parts
            .iter()
            .position(|part| part.starts_with("test_") || part.ends_with("_test"))?;
        Some(format!("{}.py", parts[..=at].join("/")))
    })
}

/// What the text between quotation marks, of whatever kind, is.
fn quoted(text: &str) -> Option<String> {
    let start = text.find(['\'', '`', '"', '‘', '“'])?;
    let open = text[start..].chars().next()?;
    let rest = &text[start + open.len_utf8()..];
    let close = match open {
        '‘' => '’',
        '“' => '”',
        other => other,
    };
    let end = rest.find(close)?;
    Some(rest[..end].to_owned()).filter(|inside| !inside.trim().is_empty())
}

fn after<'t>(line: &'t str, mark: &str) -> Option<&'t str> {
    line.find(mark).map(|at| &line[at + mark.len()..])
}

/// What one line says, if it is the line that says it.
fn told(line: &str) -> Option<(FailureKind, String)> {
    let trimmed = line.trim();
    syntax(trimmed)
        .or_else(|| import(trimmed))
        .or_else(|| member(trimmed))
        .or_else(|| name(trimmed))
        .or_else(|| types(trimmed))
        .or_else(|| file(trimmed))
        .or_else(|| test(trimmed))
}

fn import(line: &str) -> Option<(FailureKind, String)> {
    // cannot import name 'x' from 'a.b'
    if let Some(rest) = after(line, "cannot import name ") {
        let name = quoted(rest)?;
        let module = after(rest, " from ").and_then(quoted);
        let subject = module.map_or(name.clone(), |module| format!("{module}.{name}"));
        return Some((FailureKind::UnresolvedImport, subject));
    }
    let marks = [
        "No module named ",
        "unresolved import ",
        "Cannot find module ",
        "Can't resolve ",
        "Could not resolve ",
        "failed to resolve: ",
        "Failed to resolve import ",
        "use of undeclared crate or module ",
        "use of unresolved module or unlinked crate ",
        "could not import ",
        "no required module provides package ",
    ];
    if let Some(rest) = marks.iter().find_map(|mark| after(line, mark)) {
        let subject = quoted(rest).or_else(|| rest.split_whitespace().next().map(str::to_owned))?;
        let subject = subject.trim_end_matches([':', ';', ',']).to_owned();
        return Some((FailureKind::UnresolvedImport, subject));
    }
    // javac: package a.b does not exist; C: fatal error: a.h: No such file
    if let Some(rest) = after(line, "package ").filter(|_| line.ends_with(" does not exist")) {
        return Some((
            FailureKind::UnresolvedImport,
            rest.split_whitespace().next()?.to_owned(),
        ));
    }
    let header = after(line, "fatal error: ")?;
    let (header, _) = header.split_once(": No such file")?;
    Some((FailureKind::UnresolvedImport, header.to_owned()))
}

fn member(line: &str) -> Option<(FailureKind, String)> {
    let marks = [
        "has no attribute ",
        "no method named ",
        "no field ",
        "no function or associated item named ",
        "no variant or associated item named ",
    ];
    if let Some(rest) = marks.iter().find_map(|mark| after(line, mark)) {
        let member = quoted(rest)?;
        // module 'a.b' has no attribute 'c'; 'Orders' object has no attribute 'c'
        let owner = line
            .split("has no attribute")
            .next()
            .and_then(quoted)
            .or_else(|| {
                let rest = after(rest, "for ").or_else(|| after(rest, "on "))?;
                quoted(rest)
            });
        let subject = owner.map_or(member.clone(), |owner| format!("{owner} {member}"));
        return Some((FailureKind::NoSuchMember, subject));
    }
    let rest = after(line, "Property ")?;
    let property = quoted(rest)?;
    let owner = after(rest, "does not exist on type ").and_then(quoted)?;
    Some((FailureKind::NoSuchMember, format!("{owner} {property}")))
}

fn name(line: &str) -> Option<(FailureKind, String)> {
    if let Some(rest) = after(line, "NameError: name ") {
        return Some((FailureKind::UndefinedName, quoted(rest)?));
    }
    for mark in [
        "cannot find value ",
        "cannot find function ",
        "cannot find type ",
        "cannot find struct ",
        "cannot find macro ",
        "cannot find trait ",
        "Cannot find name ",
        "undefined name ",
        "use of undeclared identifier ",
        "cannot find symbol ",
        "F821 Undefined name ",
    ] {
        if let Some(rest) = after(line, mark) {
            return Some((FailureKind::UndefinedName, quoted(rest)?));
        }
    }
    if let Some(rest) = after(line, "undefined: ") {
        return Some((
            FailureKind::UndefinedName,
            rest.split_whitespace().next()?.to_owned(),
        ));
    }
    let (before, _) = line.split_once(" is not defined")?;
    let word = before.rsplit([' ', ':']).next()?;
    let word = word.trim_matches(['\'', '"', '`']);
    (!word.is_empty()).then(|| (FailureKind::UndefinedName, word.to_owned()))
}

fn types(line: &str) -> Option<(FailureKind, String)> {
    let marks = [
        "mismatched types",
        "TypeError: ",
        "is not assignable to ",
        "this function takes ",
        "incompatible types",
        "the trait bound ",
        "not enough arguments in call",
        "too many arguments in call",
    ];
    marks.iter().any(|mark| line.contains(mark)).then(|| {
        (
            FailureKind::WrongType,
            after(line, "TypeError: ").unwrap_or(line).to_owned(),
        )
    })
}

fn syntax(line: &str) -> Option<(FailureKind, String)> {
    let marks = [
        "SyntaxError",
        "IndentationError",
        "TabError",
        "syntax error",
        "` is missing near `",
        "unclosed delimiter",
        "unexpected token",
        "Unexpected token",
        "was never closed",
        "invalid syntax",
        "expected one of ",
    ];
    marks
        .iter()
        .any(|mark| line.contains(mark))
        .then(|| (FailureKind::SyntaxError, line.to_owned()))
}

fn file(line: &str) -> Option<(FailureKind, String)> {
    let named = [
        "FileNotFoundError",
        "No such file or directory",
        "ENOENT",
        "TemplateNotFound",
    ];
    named.iter().any(|mark| line.contains(mark)).then(|| {
        let subject = quoted(line).unwrap_or_else(|| line.to_owned());
        (FailureKind::MissingFile, subject)
    })
}

fn test(line: &str) -> Option<(FailureKind, String)> {
    // pytest: FAILED tests/test_a.py::Case::test_b - AssertionError
    for mark in ["FAILED ", "FAIL: ", "ERROR: ", "FAIL ", "--- FAIL: "] {
        if let Some(rest) = line.strip_prefix(mark) {
            let word = rest.split_whitespace().next()?;
            let subject = word.rsplit("::").next().unwrap_or(word);
            let named =
                word.contains("::") || is_path(word) || subject.to_ascii_lowercase().starts_with("test");
            return named.then(|| (FailureKind::FailingTest, subject.to_owned()));
        }
    }
    // cargo: test a::b ... FAILED
    let rest = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some((FailureKind::FailingTest, rest.to_owned()))
}
