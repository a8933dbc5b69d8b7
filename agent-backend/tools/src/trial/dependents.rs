//! Files that a change leaves alone and may break all the same: those that name
//! what it defines otherwise than before.
//!
//! Words, not references: a file too many costs the language server a moment, a
//! file too few an error that nobody sees. It must never know a server.

use std::collections::BTreeSet;

use regex::Regex;
use syntax::{Definition, Language, Outcome, Shape};

/// Most files that are named.
const FILES_MAX: usize = 20;

/// Most files that are searched.
const SEARCHED_MAX: usize = 5_000;

/// Most names that are looked for.
const NAMES_MAX: usize = 200;

/// Methods that are called by the name of their type.
const CONSTRUCTORS: &[&str] = &["__init__", "__new__", "constructor"];

/// A path and its text.
pub(super) type File<'a> = (&'a str, &'a str);

/// The files among `others`, with their texts, that name what the change from
/// `before` to `after` defines otherwise; those first that name the most.
pub(super) fn of<'a>(
    before: &[File<'_>],
    after: &[File<'_>],
    others: impl Iterator<Item = &'a str>,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<(&'a str, String)> {
    let names = names(before, after);
    let words: Vec<String> = names
        .iter()
        .take(NAMES_MAX)
        .map(|name| regex::escape(name))
        .collect();
    if words.is_empty() {
        return Vec::new();
    }
    let Ok(pattern) = Regex::new(&format!(r"\b(?:{})\b", words.join("|"))) else {
        return Vec::new();
    };
    let mut found: Vec<(usize, &str, String)> = others
        .take(SEARCHED_MAX)
        .filter_map(|path| {
            let text = read(path)?;
            let named: BTreeSet<&str> = pattern.find_iter(&text).map(|found| found.as_str()).collect();
            let count = named.len();
            (count > 0).then_some((count, path, text))
        })
        .collect();
    found.sort_by(|(a, one, _), (b, other, _)| b.cmp(a).then(one.cmp(other)));
    found.truncate(FILES_MAX);
    found.into_iter().map(|(_, path, text)| (path, text)).collect()
}

/// The names of what is no longer defined as it was.
fn names(before: &[File<'_>], after: &[File<'_>]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (path, old) in before {
        let language = Language::of(path);
        let new = after.iter().find(|(kept, _)| kept == path).map(|(_, text)| *text);
        if new.is_none() {
            // Others import it by its name.
            let name = path.rsplit('/').next().unwrap_or(path);
            names.extend(name.split('.').next().map(str::to_owned));
        }
        let (old, new) = (defined(language, old), defined(language, new.unwrap_or_default()));
        for (symbol, _) in old.difference(&new) {
            let mut parts = symbol.rsplit(['.', ':']);
            let name = parts.next().unwrap_or(symbol);
            if CONSTRUCTORS.contains(&name) {
                names.extend(parts.find(|part| !part.is_empty()).map(str::to_owned));
            }
            names.insert(name.to_owned());
        }
        // A new member of a type may be wanted of whoever implements it.
        let is_known = |symbol: &str| old.iter().any(|(known, _)| known == symbol);
        for (symbol, _) in new.iter().filter(|(symbol, _)| !is_known(symbol)) {
            let holder = symbol.rsplit(['.', ':']).filter(|part| !part.is_empty()).nth(1);
            names.extend(holder.map(str::to_owned));
        }
    }
    names.retain(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'));
    names
}

/// Each definition with the lines that are its own.
fn defined(language: Language, text: &str) -> BTreeSet<(String, String)> {
    let Outcome::Parsed(definitions) = syntax::definitions(language, text, &mut || true) else {
        return BTreeSet::new();
    };
    let lines: Vec<&str> = text.lines().collect();
    let own = |definition: &Definition| -> String {
        let is_inner = |row: &usize| {
            definition.shape == Shape::Container
                && definitions.iter().any(|inner| {
                    let is_inside = inner.own_row > definition.own_row && inner.end_row <= definition.end_row;
                    is_inside && (inner.own_row..=inner.end_row).contains(row)
                })
        };
        let rows = (definition.own_row..=definition.end_row).filter(|row| !is_inner(row));
        let own = rows.filter_map(|row| lines.get(row)).map(|line| line.trim());
        own.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    definitions
        .iter()
        .filter_map(|definition| Some((definition.symbol.clone()?, own(definition))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_name_what_is_defined_otherwise_are_found() {
        let check = |before: &[File<'_>], after: &[File<'_>], others: &[File<'_>], expect: &[&str]| {
            let read = |path: &str| {
                let found = others.iter().find(|(other, _)| *other == path);
                found.map(|(_, text)| (*text).to_owned())
            };
            let found = of(before, after, others.iter().map(|(path, _)| *path), read);
            let found: Vec<&str> = found.iter().map(|(path, _)| *path).collect();
            assert_eq!(found, expect, "{before:?} {after:?}");
        };
        let lib = "def twice(n):\n    return 2 * n\n\ndef half(n):\n    return n / 2\n";
        let others = [
            ("a.py", "from lib import twice\nprint(twice(1))\n"),
            ("b.py", "from lib import half, twice\n"),
            ("c.py", "twice_as_much = 1\n"),
        ];
        let more = lib.replace("def twice(n)", "def twice(n, m)");
        check(
            &[("lib.py", lib)],
            &[("lib.py", &more)],
            &others,
            &["a.py", "b.py"],
        );
        let both = more.replace("def half(n)", "def half(n, m)");
        check(
            &[("lib.py", lib)],
            &[("lib.py", &both)],
            &others,
            &["b.py", "a.py"],
        );
        // What moves, and what is new, breaks nobody.
        let moved = format!("def new():\n    pass\n\n{lib}");
        check(&[("lib.py", lib)], &[("lib.py", &moved)], &others, &[]);
        check(&[], &[("lib.py", lib)], &others, &[]);
        // A file that goes is missed by those who import it.
        check(&[("lib.py", lib)], &[], &others, &["b.py", "a.py"]);
        check(&[("README.md", "twice")], &[("README.md", "")], &others, &[]);
    }

    #[test]
    fn members_are_looked_for_by_their_types() {
        let check = |path: &str, old: &str, new: &str, expect: &[&str]| {
            let names = names(&[(path, old)], &[(path, new)]);
            assert_eq!(
                names.iter().map(String::as_str).collect::<Vec<_>>(),
                expect,
                "{new}"
            );
        };
        let class = "class A:\n    def __init__(self):\n        pass\n\n    def f(self):\n        pass\n";
        check("a.py", class, &class.replace("f(self)", "f(self, n)"), &["f"]);
        check(
            "a.py",
            class,
            &class.replace("__init__(self)", "__init__(self, n)"),
            &["A", "__init__"],
        );
        check("a.py", class, &class.replace("class A:", "class A(B):"), &["A"]);
        let more = format!("{class}\n    def g(self):\n        pass\n");
        check("a.py", class, &more, &["A"]);
        let rust = "pub trait T {\n    fn f(&self);\n}\n";
        check(
            "a.rs",
            rust,
            "pub trait T {\n    fn f(&self);\n    fn g(&self);\n}\n",
            &["T"],
        );
    }
}
