//! Documents say what is true: links lead somewhere, every error code has its
//! page, every invariant names a test that exists.

use std::{collections::BTreeSet, fs};

use shared::error::Code;

use crate::support::{files, relative, root};

#[test]
fn every_error_code_has_a_page_and_no_page_is_left_over() {
    let folder = root().join("docs/errors");
    let pages: BTreeSet<String> = files(&folder, ".md")
        .iter()
        .filter_map(|file| file.file_stem()?.to_str().map(str::to_owned))
        .filter(|name| name != "README")
        .collect();
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(
        codes.difference(&pages).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "codes without a page"
    );
    assert_eq!(
        pages.difference(&codes).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "pages without a code"
    );
}

#[test]
fn every_error_page_begins_with_its_code() {
    let wrong = Code::ALL.iter().filter(|code| {
        let page = root().join(format!("docs/errors/{code}.md"));
        let text = fs::read_to_string(page).unwrap_or_default();
        !text.starts_with(&format!("# {code}"))
    });
    assert_eq!(
        wrong.map(|code| code.as_str()).collect::<Vec<_>>(),
        Vec::<&str>::new()
    );
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for file in files(&root(), ".md") {
        if relative(&file).starts_with("tests/fixtures") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for target in links(&text) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            if !file.parent().unwrap().join(path).exists() {
                wrong.push(format!("{}: {target}", relative(&file)));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_document_is_in_the_index() {
    let docs = root().join("docs");
    let index = fs::read_to_string(docs.join("README.md")).unwrap();
    let listed = links(&index);
    let missing = files(&docs, ".md").into_iter().filter_map(|file| {
        let name = file.strip_prefix(&docs).unwrap().display().to_string();
        let of_itself = name == "README.md" || name.starts_with("errors/");
        (!of_itself && !listed.contains(&name.as_str())).then_some(name)
    });
    assert_eq!(
        missing.collect::<Vec<_>>(),
        Vec::<String>::new(),
        "add them to docs/README.md"
    );
}

/// The targets of `[text](target)` outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second part lies between backticks.
        for plain in line.split('`').step_by(2) {
            let targets = plain
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next());
            found.extend(targets);
        }
    }
    found
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let paragraphs = text
        .split("\n\n")
        .filter(|paragraph| paragraph.contains("**Architecture Invariant:**"));
    let mut count = 0;
    let mut wrong = Vec::new();
    for paragraph in paragraphs {
        count += 1;
        let flat = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some((_, held)) = flat.rsplit_once("Held by ") else {
            wrong.push(format!("names no test: {flat}"));
            continue;
        };
        for reference in held.split('`').skip(1).step_by(2) {
            let Some((file, test)) = reference.split_once("::") else {
                if !root().join(reference).exists() {
                    wrong.push(format!("{reference} does not exist"));
                }
                continue;
            };
            let source = fs::read_to_string(root().join(file)).unwrap_or_default();
            if !source.contains(&format!("fn {test}(")) {
                wrong.push(format!("{file} has no test {test}"));
            }
        }
    }
    assert!(count > 0, "ARCHITECTURE.md has no invariants");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn links_are_found_outside_of_code() {
    let text = "[a](b.md) and [c](d.md#e)\n`[f](g)`\n```\n[h](i)\n```\n";
    assert_eq!(links(text), ["b.md", "d.md#e"]);
}
