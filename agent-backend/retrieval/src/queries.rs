//! From a request to the questions that are asked of the index, and from their
//! answers to one list.
//!
//! Pure. The request itself is always the first question and counts most: a
//! plain one stays alone, because more questions did not find more on plain
//! requests (`docs/retrieval.md`). What counts as a name, path or concern in a
//! request is decided here; what a model or a failure adds comes in from
//! outside.

use std::collections::{BTreeMap, BTreeSet};

use crate::adaptive::FailureKind;
use crate::report::Item;
use crate::tokenize;

/// Questions of one retrieval.
pub const QUERIES_MAX: usize = 6;
/// Concerns that are asked about one by one.
const CONCERNS_MAX: usize = 4;
/// A concern with fewer words says too little by itself.
const CONCERN_WORDS_MIN: usize = 2;
/// Names taken from one request.
const NAMES_MAX: usize = 12;
/// What the ranks of two lists are joined with: the first of a list is worth
/// twice as much as the one at this place after it.
const RANK_CONSTANT: f64 = 10.0;
/// What a question beside the request counts.
const OTHER_WEIGHT: f64 = 0.5;

/// Where a question comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The request as it is.
    Request,
    /// One point of a request that lists several.
    Concern,
    /// The identifiers and paths that the request names.
    Names,
    /// A model put it.
    Model,
    /// What went wrong in an attempt.
    Failure(FailureKind),
}

impl Origin {
    /// The word used in notices.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Concern => "concern",
            Self::Names => "names",
            Self::Model => "model",
            Self::Failure(kind) => kind.as_str(),
        }
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubQuery {
    /// What is asked.
    pub text: String,
    /// Why.
    pub origin: Origin,
}

impl SubQuery {
    fn weight(&self) -> f64 {
        match self.origin {
            Origin::Request => 1.0,
            Origin::Concern | Origin::Names | Origin::Model | Origin::Failure(_) => OTHER_WEIGHT,
        }
    }
}

/// The questions of a request by rule: itself, and each point of a list of
/// several, with the names that it mentions where it is a list. Never empty;
/// one question for a plain request.
pub fn by_rule(request: &str) -> Vec<SubQuery> {
    let mut queries = vec![SubQuery {
        text: request.trim().to_owned(),
        origin: Origin::Request,
    }];
    let concerns = concerns(request);
    if concerns.len() < 2 {
        return queries;
    }
    let names = names(request);
    let concern = |text: &str| SubQuery {
        text: text.to_owned(),
        origin: Origin::Concern,
    };
    queries.extend(concerns.into_iter().take(CONCERNS_MAX).map(concern));
    if !names.is_empty() {
        queries.push(SubQuery {
            text: names.join(" "),
            origin: Origin::Names,
        });
    }
    distinct(queries)
}

/// Questions of a model beside the request. Repeated ones are dropped.
pub fn with_model(request: &str, texts: &[String]) -> Vec<SubQuery> {
    let mut queries = vec![SubQuery {
        text: request.trim().to_owned(),
        origin: Origin::Request,
    }];
    queries.extend(texts.iter().map(|text| SubQuery {
        text: text.trim().to_owned(),
        origin: Origin::Model,
    }));
    distinct(queries)
}

/// The first of each set of questions that have the same terms, none without a
/// term, [`QUERIES_MAX`] in all. The first question stays, whatever it holds.
pub fn distinct(queries: Vec<SubQuery>) -> Vec<SubQuery> {
    let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut kept = Vec::new();
    for query in queries {
        let mut terms = tokenize::terms(&query.text);
        terms.sort_unstable();
        terms.dedup();
        let first = kept.is_empty();
        if (seen.insert(terms.clone()) && !terms.is_empty()) || first {
            kept.push(query);
        }
        if kept.len() == QUERIES_MAX {
            break;
        }
    }
    kept
}

/// The points of a request that is a list and nothing else: lines that begin
/// with a dash, a star or a number, after an introduction that ends with a colon
/// or none. Points below a subject and between prose explain the subject, and to
/// ask about them one by one finds less.
fn concerns(request: &str) -> Vec<&str> {
    let mut points: Vec<&str> = Vec::new();
    for (at, line) in request.trim().lines().enumerate() {
        match point(line) {
            Some(text) => points.push(text),
            None if line.trim().is_empty() => {}
            None if at == 0 && line.trim_end().ends_with(':') => {}
            // The rest of the point before.
            None if !points.is_empty() && line.starts_with(char::is_whitespace) => {}
            None => return Vec::new(),
        }
    }
    points.retain(|text| tokenize::words(text).count() >= CONCERN_WORDS_MIN);
    points
}

/// What stands behind the mark of a list.
fn point(line: &str) -> Option<&str> {
    let trimmed = line.trim_start();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let mark = match trimmed.as_bytes().get(digits) {
        Some(b'-' | b'*' | b'+') if digits == 0 => 1,
        Some(b'.' | b')') if (1..=2).contains(&digits) => digits + 1,
        Some(_) | None => return None,
    };
    let behind = &trimmed[mark..];
    behind.starts_with(' ').then(|| behind.trim())
}

/// Identifiers and paths that a text mentions, each once, in order: what stands
/// in backticks, has a call's parentheses, an underscore, a change of case
/// within, or a slash and an ending.
pub fn names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        let known = names.iter().any(|known| known == name);
        if !known && names.len() < NAMES_MAX && name.chars().any(char::is_alphabetic) {
            names.push(name.to_owned());
        }
    };
    for (at, part) in text.split('`').enumerate() {
        let quoted = at % 2 == 1 && !part.contains('\n');
        for word in part.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\'')) {
            let called = word.trim_end_matches(['.', ':', '!', '?', ')']).ends_with('(');
            let bare = word.trim_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
            if quoted && !bare.is_empty() || called || is_name(bare) {
                add(bare);
            }
        }
    }
    names
}

fn is_name(word: &str) -> bool {
    let path = word.contains('/')
        && word.rsplit('/').next().is_some_and(|name| name.contains('.'))
        && !word.contains("://");
    let member = word.contains("::");
    let snake = word.trim_matches('_').contains('_');
    let mut chars = word.chars();
    let camel = chars.next().is_some_and(char::is_alphabetic)
        && word
            .chars()
            .zip(word.chars().skip(1))
            .any(|(a, b)| a.is_lowercase() && b.is_uppercase());
    path || member || snake || camel
}

/// A piece of code and the questions that found it.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The piece; its score is that of the merged list.
    pub item: Item,
    /// Indexes of the questions, ascending.
    pub found_by: Vec<usize>,
}

/// Joins the answers (one list for each question, best first) by reciprocal
/// rank, weighted by question. A piece that several found is there once. The
/// answer of one question stays as it is.
pub fn merge(queries: &[SubQuery], answers: Vec<Vec<Item>>) -> Vec<Merged> {
    let alone = queries.len() == 1;
    let mut places: BTreeMap<(String, u32, u32), usize> = BTreeMap::new();
    let mut merged: Vec<Merged> = Vec::new();
    for (number, (query, items)) in queries.iter().zip(answers).enumerate() {
        let mut rank = RANK_CONSTANT;
        for item in items {
            let worth = query.weight() * RANK_CONSTANT / rank;
            rank += 1.0;
            let key = (item.path.clone(), item.start_line, item.end_line);
            let at = *places.entry(key).or_insert(merged.len());
            match merged.get_mut(at) {
                Some(known) => {
                    known.item.score += worth;
                    known.found_by.push(number);
                }
                None => merged.push(Merged {
                    item: Item {
                        score: if alone { item.score } else { worth },
                        ..item
                    },
                    found_by: vec![number],
                }),
            }
        }
    }
    // Whoever made the only list knows why it is in its order.
    if !alone {
        sort(&mut merged);
    }
    merged
}

/// Best first, equal ones in order of place.
pub(crate) fn sort(merged: &mut [Merged]) {
    merged.sort_by(|a, b| {
        let place = |merged: &Merged| (merged.item.path.clone(), merged.item.start_line);
        b.item
            .score
            .total_cmp(&a.item.score)
            .then_with(|| place(a).cmp(&place(b)))
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(queries: &[SubQuery]) -> Vec<String> {
        let line = |query: &SubQuery| format!("{}: {}", query.origin.as_str(), query.text);
        queries.iter().map(line).collect()
    }

    #[test]
    fn plain_requests_are_one_question() {
        let check = |request: &str| {
            assert_eq!(show(&by_rule(request)), [format!("request: {}", request.trim())]);
        };
        check("Add JWT authentication");
        check("fix(parser): `read_line` loses the last byte\n\nIt must not. See src/parser.rs.");
        check("One thing\n\n- only this point");
        check("Bump a\n\n- x\n- y");
        check("Rework the parser\n\n- read the last byte\n- keep the first byte");
        check("Do both:\n- read the last byte\n- keep the first byte\nBecause it is lost.");
        check("");
    }

    #[test]
    fn a_list_is_asked_point_by_point() {
        let request = "Tokens:\n- sign them in `jwt.py`\n* read the secret from ORDER_SECRET\n 3. hand out tokens\n- sign them in `jwt.py`";
        assert_eq!(
            show(&by_rule(request))[1..],
            [
                "concern: sign them in `jwt.py`",
                "concern: read the secret from ORDER_SECRET",
                "concern: hand out tokens",
                "names: jwt.py ORDER_SECRET",
            ]
        );
    }

    #[test]
    fn names_in_a_text() {
        let check = |text: &str, expect: &[&str]| assert_eq!(names(text), expect, "{text}");
        check(
            "make `total` and order_total fast, see Orders.totalOf()",
            &["total", "order_total", "Orders.totalOf"],
        );
        check("open( the file) in src/a/b.rs:12", &["open", "src/a/b.rs:12"]);
        check(
            "use store::Memory in https://example.com/a.html",
            &["store::Memory"],
        );
        check("The iPhone API, and/or JSON", &["iPhone"]);
        check("see `a b`", &["a", "b"]);
        check("", &[]);
    }

    #[test]
    fn questions_of_a_model_are_taken_once() {
        let texts = ["token secret", "Secrets of tokens", "", "?!", "sign"].map(str::to_owned);
        assert_eq!(
            show(&with_model("Add tokens", &texts)),
            ["request: Add tokens", "model: token secret", "model: sign"]
        );
        let many: Vec<String> = (0..20).map(|n| format!("word{n} other")).collect();
        assert_eq!(with_model("Add", &many).len(), QUERIES_MAX);
        assert_eq!(show(&with_model(" ", &[])), ["request: "]);
    }

    fn item(path: &str, score: f64) -> Item {
        Item {
            path: path.into(),
            start_line: 1,
            end_line: 2,
            score,
            ..Item::default()
        }
    }

    #[test]
    fn answers_become_one_list() {
        let check = |lists: &[&[&str]], expect: &[(&str, &[usize])]| {
            let mut queries = with_model(
                "request",
                &(1..lists.len()).map(|n| format!("q{n} x")).collect::<Vec<_>>(),
            );
            queries.truncate(lists.len());
            let answers = lists
                .iter()
                .map(|list| list.iter().map(|path| item(path, 1.0)).collect());
            let merged = merge(&queries, answers.collect());
            let got: Vec<(&str, &[usize])> = merged
                .iter()
                .map(|one| (one.item.path.as_str(), one.found_by.as_slice()))
                .collect();
            assert_eq!(got, expect);
        };
        check(&[&["b", "a"]], &[("b", &[0]), ("a", &[0])]);
        check(
            &[&["b", "a"], &["c", "a"]],
            &[("a", &[0, 1]), ("b", &[0]), ("c", &[1])],
        );
        check(&[&["a"], &["b"]], &[("a", &[0]), ("b", &[1])]);
        check(&[&[], &["b"], &["b"]], &[("b", &[1, 2])]);
        check(&[], &[]);
        let alone = merge(&with_model("request", &[]), vec![vec![item("a", 0.3)]]);
        assert_eq!(alone[0].item.score, 0.3);
    }

    proptest! {
        #[test]
        fn whatever_a_person_writes_is_asked(request in ".{0,300}") {
            let queries = by_rule(&request);
            prop_assert!((1..=QUERIES_MAX).contains(&queries.len()));
            prop_assert_eq!(&queries[0].text, request.trim());
        }
    }
}
