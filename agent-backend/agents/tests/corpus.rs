//! Answers that models write, wrong and nearly right, and what must become of
//! each: `corpus/*.txt`, read by people and by this.
//!
//! A line `##### TITLE` begins a case; the answer follows. Then, each on a
//! line of its own and with the text it is about below it:
//!
//! | line | says |
//! |---|---|
//! | `#### file PATH` | the workspace has this file, for this case or, before the first case, for all |
//! | `#### result NAME PATH` | before the first case: what the file is in the result of this name |
//! | `#### gives NAME` | the answer leads to that result |
//! | `#### becomes PATH` | the answer leads to this text |
//! | `#### gone PATH` | the answer removes the file |
//! | `#### refused CODE: WORDS` | the answer is refused with this code, and these words are in what the model is told |
//!
//! What is not mentioned stays as it is. Blank lines before the next such line
//! are not part of a text. `{crlf}`, `{bom}` and `{no end}` behind a line say
//! how its text is written; `{escaped}` that `\t`, `\s`, `\0` and `\u{…}` in it are
//! taken for what they mean.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests stop the test, as the tests themselves do"
)]

use std::{collections::BTreeMap, fs, path::Path};

use agents::edit;

/// Fewest cases that there must be.
const CASES_MIN: usize = 200;

type Files = BTreeMap<String, String>;

#[derive(Debug, Default, Clone)]
struct Case {
    title: String,
    answer: String,
    files: Files,
    expect: Option<Expect>,
}

#[derive(Debug, Clone)]
enum Expect {
    Changed(BTreeMap<String, Option<String>>),
    Refused { code: String, words: String },
}

/// A mark and the text below it.
struct Part {
    mark: String,
    text: String,
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<(String, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        if line.starts_with("#### ") || line.starts_with("##### ") {
            parts.push((line.to_owned(), Vec::new()));
        } else if let Some((_, lines)) = parts.last_mut() {
            lines.push(line);
        }
    }
    parts
        .into_iter()
        .map(|(mark, lines)| part(&mark, &lines))
        .collect()
}

fn part(mark: &str, lines: &[&str]) -> Part {
    let mut mark = mark.to_owned();
    let mut flag = |name: &str| {
        let found = mark.contains(name);
        mark = mark.replace(name, "");
        found
    };
    let (crlf, bom, no_end, escaped) = (flag("{crlf}"), flag("{bom}"), flag("{no end}"), flag("{escaped}"));
    let filled = lines
        .iter()
        .rposition(|line| !line.is_empty())
        .map_or(0, |last| last + 1);
    let mut text: String = lines[..filled].iter().map(|line| format!("{line}\n")).collect();
    if escaped {
        text = unescaped(&text);
    }
    if no_end {
        text.pop();
    }
    if crlf {
        text = text.replace('\n', "\r\n");
    }
    if bom {
        text.insert(0, '\u{feff}');
    }
    Part {
        mark: mark.trim().to_owned(),
        text,
    }
}

fn unescaped(text: &str) -> String {
    let mut text = text
        .replace("\\t", "\t")
        .replace("\\s", " ")
        .replace("\\0", "\0")
        .replace("\\r", "\r");
    while let Some((before, rest)) = text.split_once("\\u{") {
        let (code, after) = rest.split_once('}').unwrap();
        let c = char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
        text = format!("{before}{c}{after}");
    }
    text
}

fn cases(text: &str) -> Vec<Case> {
    let mut shared = Files::new();
    let mut results: BTreeMap<String, BTreeMap<String, Option<String>>> = BTreeMap::new();
    let mut cases: Vec<Case> = Vec::new();
    for Part { mark, text } in parts(text) {
        if let Some(title) = mark.strip_prefix("##### ") {
            cases.push(Case {
                title: title.trim().to_owned(),
                answer: text,
                files: shared.clone(),
                expect: None,
            });
            continue;
        }
        let (word, rest) = mark
            .trim_start_matches("#### ")
            .split_once(' ')
            .unwrap_or_else(|| panic!("{mark}"));
        let Some(case) = cases.last_mut() else {
            match (word, rest.split_once(' ')) {
                ("file", _) => drop(shared.insert(rest.to_owned(), text)),
                ("result", Some((name, path))) => {
                    let result = results.entry(name.to_owned()).or_default();
                    let gone = path.strip_prefix("without ");
                    result.insert(gone.unwrap_or(path).to_owned(), gone.is_none().then_some(text));
                }
                _ => panic!("`{mark}` before the first case"),
            }
            continue;
        };
        let mut changed = |path: &str, text: Option<String>| {
            let expect = case
                .expect
                .get_or_insert_with(|| Expect::Changed(BTreeMap::new()));
            let Expect::Changed(files) = expect else {
                panic!("{}: refused and not", case.title);
            };
            files.insert(path.to_owned(), text);
        };
        match word {
            "file" => drop(case.files.insert(rest.to_owned(), text)),
            "becomes" => changed(rest, Some(text)),
            "gone" => changed(rest, None),
            "gives" => {
                for (path, text) in results.get(rest).unwrap_or_else(|| panic!("no result {rest}")) {
                    changed(path, text.clone());
                }
            }
            "refused" => {
                let (code, words) = rest.split_once(": ").unwrap_or_else(|| panic!("{mark}"));
                case.expect = Some(Expect::Refused {
                    code: code.to_owned(),
                    words: words.to_owned(),
                });
            }
            _ => panic!("`{mark}` is not known"),
        }
    }
    cases
}

/// What is wrong with the outcome of a case, if anything is.
fn wrong(case: &Case) -> Option<String> {
    let current = |path: &str| case.files.get(path).map(String::as_str);
    let outcome = edit::parse(&case.answer).and_then(|edits| edit::apply_all(&edits, current));
    match (
        case.expect
            .as_ref()
            .unwrap_or_else(|| panic!("{}: no outcome", case.title)),
        outcome,
    ) {
        (Expect::Refused { code, words }, Err(error)) => {
            let told = error.to_string();
            (error.code().as_str() != code || !told.contains(words)).then(|| {
                format!(
                    "refused with {} and not as expected ({code}: {words}):\n{told}",
                    error.code()
                )
            })
        }
        (Expect::Refused { code, .. }, Ok(changed)) => Some(format!("not refused with {code}: {changed:#?}")),
        (Expect::Changed(_), Err(error)) => Some(format!("refused with {}: {error}", error.code())),
        (Expect::Changed(expect), Ok(changed)) => {
            let mut after = case.files.clone();
            for file in changed {
                match file.text {
                    Some(text) => drop(after.insert(file.path, text)),
                    None => drop(after.remove(&file.path)),
                }
            }
            let mut wanted = case.files.clone();
            for (path, text) in expect.clone() {
                match text {
                    Some(text) => drop(wanted.insert(path, text)),
                    None => drop(wanted.remove(&path)),
                }
            }
            (after != wanted).then(|| format!("became {after:#?}\nnot {wanted:#?}"))
        }
    }
}

#[test]
fn every_answer_is_applied_right_or_refused_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut counts = BTreeMap::new();
    let mut problems = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let cases = cases(&fs::read_to_string(file).unwrap());
        let mut titles: Vec<_> = cases.iter().map(|case| &case.title).collect();
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), cases.len(), "{name}: two cases have one title");
        counts.insert(name.to_owned(), cases.len());
        let found = cases.iter().filter_map(|case| {
            wrong(case).map(|what| format!("--- {name}: {}\n{}\n{what}", case.title, case.answer))
        });
        problems.extend(found);
    }
    let total: usize = counts.values().sum();
    assert!(
        problems.is_empty(),
        "{} of {total} are wrong\n{}",
        problems.len(),
        problems.join("\n")
    );
    assert!(total >= CASES_MIN, "{total} cases: {counts:?}");
}
