//! A commit as a query. Pure.

use retrieval::{corpus::class::Class, history};
use serde_json::{Value, json};

/// What [`parse`] reads, with `-z --name-status --no-renames`.
pub const FORMAT: &str = "--format=%x1e%H%x1f%B%x1f";

/// Source files that a commit about one thing changes.
const GOLD_MAX: usize = 5;
/// Words of a subject that says something.
const WORDS_MIN: usize = 3;
/// Characters of a leading `scope:`.
const SCOPE_MAX: usize = 30;

/// First words of commits that keep house and are about no code.
const HOUSEKEEPING: [&str; 16] = [
    "bump",
    "changelog",
    "chore",
    "ci",
    "copyright",
    "doc",
    "docs",
    "format",
    "javadoc",
    "merge",
    "prepare",
    "release",
    "revert",
    "style",
    "typo",
    "version",
];

/// The message of a commit and what it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub commit: String,
    pub text: String,
    /// Source files that were there before.
    pub gold: Vec<String>,
    /// Files of any kind.
    pub files: usize,
}

impl Query {
    /// A line of the set.
    pub fn json(&self) -> Value {
        json!({
            "query": self.text,
            "query_noscope": without_scope(&self.text),
            "gold": self.gold,
            "commit": self.commit,
        })
    }
}

/// The commits of a log that make a query, in its order.
pub fn parse(log: &str) -> impl Iterator<Item = Query> {
    log.split('\u{1e}').skip(1).filter_map(query)
}

fn query(entry: &str) -> Option<Query> {
    let mut fields = entry.splitn(3, '\u{1f}');
    let (commit, body, files) = (fields.next()?, fields.next()?, fields.next()?);
    let mut changes = Vec::new();
    let mut parts = files.split('\0').map(|part| part.trim_start_matches('\n'));
    while let Some(status) = parts.next() {
        if !status.is_empty() {
            changes.push((status, parts.next()?));
        }
    }
    let is_gold = |(status, path): &&(&str, &str)| *status == "M" && Class::of(path) == Class::Source;
    let gold = changes.iter().filter(is_gold);
    let gold: Vec<String> = gold.map(|(_, path)| (*path).to_owned()).collect();
    let text = message(body, &gold);
    let subject = text.lines().next()?;
    let says_something = subject.split_whitespace().count() >= WORDS_MIN && !keeps_house(subject);
    (says_something && (1..=GOLD_MAX).contains(&gold.len())).then(|| Query {
        commit: commit.to_owned(),
        text,
        gold,
        files: changes.len(),
    })
}

/// The message without what gives the answer away: the names of the files.
fn message(body: &str, gold: &[String]) -> String {
    let names = gold.iter().filter_map(|path| path.rsplit('/').next());
    let given_away: Vec<&str> = gold.iter().map(String::as_str).chain(names).collect();
    let said = history::message(body);
    let lines = said.lines().map(|line| {
        let mut line = line.to_owned();
        for name in &given_away {
            line = line.replace(name, "");
        }
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

fn keeps_house(subject: &str) -> bool {
    let mut words = subject.split(|c: char| !c.is_alphanumeric());
    let first = words.find(|word| !word.is_empty()).unwrap_or_default();
    HOUSEKEEPING.contains(&first.to_lowercase().as_str())
}

/// Without the `scope:` that some projects begin a message with.
fn without_scope(text: &str) -> &str {
    match text.split_once(": ") {
        Some((scope, rest)) if scope.chars().count() <= SCOPE_MAX && !scope.contains(['\n', '`']) => rest,
        Some(_) | None => text,
    }
}

/// So many of them, as far from each other as they can be.
pub fn spread(queries: Vec<Query>, wanted: usize) -> Vec<Query> {
    let all = queries.len();
    if all <= wanted {
        return queries;
    }
    let kept = queries.into_iter().enumerate();
    // The one that begins each of `wanted` equal stretches.
    kept.filter(|(at, _)| at * wanted % all < wanted)
        .map(|(_, query)| query)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(body: &str, files: &str) -> String {
        format!("\u{1e}c1\u{1f}{body}\u{1f}\n{}\0", files.replace(' ', "\0"))
    }

    #[test]
    fn commits_make_queries() {
        let check = |body: &str, files: &str, expect: Option<(&str, &[&str])>| {
            let got: Vec<Query> = parse(&log(body, files)).collect();
            let expect = expect.map(|(text, gold)| Query {
                commit: "c1".to_owned(),
                text: text.to_owned(),
                gold: gold.iter().map(|path| (*path).to_owned()).collect(),
                files: files.split(' ').count() / 2,
            });
            assert_eq!(got.first(), expect.as_ref(), "{body}");
        };
        check(
            "Escape the header name\n\nSee https://a.b/c\nSigned-off-by: A <a@b.c>\n",
            "M src/header.rs M tests/header.rs M README.md A src/new.rs",
            Some(("Escape the header name\nSee", &["src/header.rs"])),
        );
        // What the answer is does not stand in the question.
        check(
            "Escape names in header.rs too (#12)",
            "M src/header.rs",
            Some(("Escape names in too", &["src/header.rs"])),
        );
        check("Escape the header name", "M tests/header.rs", None);
        check("Escape the header name", "A src/header.rs", None);
        check("Fix it", "M src/header.rs", None);
        check("docs: say what a header is", "M src/header.rs", None);
        check("Bump version to 1.2 everywhere", "M src/header.rs", None);
        check(
            "Escape the header name",
            "M a.rs M b.rs M c.rs M d.rs M e.rs M f.rs",
            None,
        );
    }

    #[test]
    fn scopes_are_dropped() {
        let check = |text: &str, expect: &str| assert_eq!(without_scope(text), expect);
        check("http: escape the name", "escape the name");
        check("fix(http): escape the name", "escape the name");
        check("Escape the name", "Escape the name");
        check(
            "Escape the name of what comes in by headers: all",
            "Escape the name of what comes in by headers: all",
        );
        check("First\nsee: second", "First\nsee: second");
    }

    #[test]
    fn a_spread_has_so_many_and_begins_with_the_first() {
        let numbered = |count: usize| -> Vec<Query> {
            let one = |at: usize| Query {
                commit: at.to_string(),
                text: String::new(),
                gold: Vec::new(),
                files: 0,
            };
            (0..count).map(one).collect()
        };
        let check = |count: usize, wanted: usize, expect: &[&str]| {
            let got = spread(numbered(count), wanted);
            let got: Vec<&str> = got.iter().map(|query| query.commit.as_str()).collect();
            assert_eq!(got, expect, "{wanted} of {count}");
        };
        check(0, 3, &[]);
        check(2, 3, &["0", "1"]);
        check(6, 3, &["0", "2", "4"]);
        check(7, 3, &["0", "3", "5"]);
    }
}
