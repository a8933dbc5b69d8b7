//! Where a name is defined and used in many files: what is looked for, and the
//! order of what was found.
//!
//! Pure: paths and texts come in one by one.

use crate::corpus::class::Class;
use crate::language::Language;
use crate::symbols::{self, Place, Role, Wanted};

/// How references are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum How {
    /// As identifiers of the syntax tree; files of other languages as text.
    #[default]
    Syntax,
    /// As whole words wherever they are: strings, comments, documents too.
    Text,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Path relative to the workspace.
    pub path: String,
    /// The place.
    pub place: Place,
}

/// The definitions of `wanted` in one file.
pub fn definitions(wanted: &Wanted, path: &str, text: &str) -> Vec<Found> {
    if !text.contains(&wanted.name) {
        return Vec::new();
    }
    let places = symbols::places(Language::of(path), text, &wanted.name).unwrap_or_default();
    let defined = places.into_iter().filter(|place| place.definition.is_some());
    defined
        .map(|place| Found {
            path: path.to_owned(),
            place,
        })
        .collect()
}

/// The places of `wanted` in one file, one for each line and role.
pub fn references(wanted: &Wanted, how: How, path: &str, text: &str) -> Vec<Found> {
    if !text.contains(&wanted.name) {
        return Vec::new();
    }
    let by_syntax = symbols::places(Language::of(path), text, &wanted.name);
    let mut places = match (how, by_syntax) {
        (How::Syntax, Some(places)) => places,
        (How::Syntax, None) => symbols::places_in_text(text, &wanted.name),
        (How::Text, places) => {
            let mut places = places.unwrap_or_default();
            for place in symbols::places_in_text(text, &wanted.name) {
                if !places.iter().any(|known| known.line == place.line) {
                    places.push(place);
                }
            }
            places.sort_by_key(|place| (place.line, place.column));
            places
        }
    };
    places.dedup_by(|a, b| a.line == b.line && a.role == b.role);
    places
        .into_iter()
        .map(|place| Found {
            path: path.to_owned(),
            place,
        })
        .collect()
}

/// Those of the definitions that are meant: with the qualifiers of `wanted` if
/// there are such, otherwise all of the name. Best first: the program itself
/// before tests, whole definitions before declarations of one line.
pub fn meant(wanted: &Wanted, found: Vec<Found>) -> Vec<Found> {
    let means = |found: &Found| {
        let definition = found.place.definition.as_ref();
        definition.is_some_and(|definition| wanted.means(&found.path, &definition.symbol))
    };
    let exact = found.iter().any(means);
    let mut found: Vec<Found> = found.into_iter().filter(|one| !exact || means(one)).collect();
    let lines = |found: &Found| {
        let definition = found.place.definition.as_ref();
        definition.map_or(0, |definition| definition.end_line - definition.start_line)
    };
    found.sort_by(|a, b| {
        let class = |found: &Found| Class::of(&found.path);
        let place = |found: &Found| (found.path.clone(), found.place.line);
        class(a)
            .cmp(&class(b))
            .then((lines(a) == 0).cmp(&(lines(b) == 0)))
            .then_with(|| place(a).cmp(&place(b)))
    });
    found
}

/// Definitions first, then code before tests and text, each in order of place.
pub fn in_order(mut found: Vec<Found>) -> Vec<Found> {
    let rank = |found: &Found| match found.place.role {
        Role::Definition => 0,
        Role::Import | Role::Call | Role::Use => 1,
        Role::Text => 2,
    };
    found.sort_by(|a, b| {
        let key = |found: &Found| (rank(found), Class::of(&found.path));
        key(a)
            .cmp(&key(b))
            .then_with(|| a.path.cmp(&b.path))
            .then((a.place.line, a.place.column).cmp(&(b.place.line, b.place.column)))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(found: &[Found]) -> Vec<String> {
        found
            .iter()
            .map(|found| {
                format!(
                    "{}:{} {}",
                    found.path,
                    found.place.line,
                    found.place.role.as_str()
                )
            })
            .collect()
    }

    #[test]
    fn syntax_leaves_strings_and_comments_to_text() {
        let check = |how: How, path: &str, text: &str, expect: &[&str]| {
            let wanted = Wanted::parse("total").unwrap();
            assert_eq!(
                places(&references(&wanted, how, path, text)),
                expect,
                "{path} {how:?}"
            );
        };
        let text = "# total\ndef total():\n    return total() + total(\"total\")\nx = 'total'\n";
        check(How::Syntax, "a.py", text, &["a.py:2 definition", "a.py:3 call"]);
        check(
            How::Text,
            "a.py",
            text,
            &["a.py:1 text", "a.py:2 definition", "a.py:3 call", "a.py:4 text"],
        );
        check(How::Syntax, "a.md", "the total\n", &["a.md:1 text"]);
        check(How::Syntax, "a.md", "subtotal\n", &[]);
    }

    #[test]
    fn the_program_comes_before_its_tests_and_qualifiers_choose() {
        let check = |symbol: &str, expect: &[&str]| {
            let wanted = Wanted::parse(symbol).unwrap();
            let files = [
                ("tests/t.py", "def total():\n    pass\n"),
                ("a.py", "class A:\n    def total(self):\n        pass\n"),
                ("b.py", "total = 1\n"),
                ("c.py", "def total():\n    pass\n"),
            ];
            let found = files
                .iter()
                .flat_map(|(path, text)| definitions(&wanted, path, text));
            assert_eq!(places(&meant(&wanted, found.collect())), expect, "{symbol}");
        };
        check(
            "total",
            &[
                "a.py:2 definition",
                "c.py:1 definition",
                "b.py:1 definition",
                "tests/t.py:1 definition",
            ],
        );
        check("A.total", &["a.py:2 definition"]);
        check("c.total", &["c.py:1 definition"]);
        check(
            "Nobody.total",
            &[
                "a.py:2 definition",
                "c.py:1 definition",
                "b.py:1 definition",
                "tests/t.py:1 definition",
            ],
        );
        check("absent", &[]);
    }
}
