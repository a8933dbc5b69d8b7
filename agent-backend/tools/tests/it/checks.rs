//! Checks of proposals with the programs of this machine, where there are any.

use engine::artifact::CheckStatus;
use tools::checks::{self, Timeouts, blocks};

use crate::support::Place;

fn statuses(place: &Place, files: &[(&str, Option<&str>)]) -> Vec<(String, CheckStatus)> {
    let workspace = place.open();
    let files = place.proposal(&workspace, files);
    let reports = checks::run(&workspace, &files, &|id| place.blob(id), Timeouts::default());
    reports
        .into_iter()
        .map(|report| (report.name, report.status))
        .collect()
}

fn status(found: &[(String, CheckStatus)], name: &str) -> Option<CheckStatus> {
    found.iter().find(|(n, _)| n == name).map(|(_, status)| *status)
}

#[test]
fn what_is_sound_passes() {
    let place = Place::repository(&[]);
    let found = statuses(&place, &[("a.py", Some("def f():\n    return 1\n"))]);
    let fixed = [
        ("syntax".to_owned(), CheckStatus::Passed),
        ("merge-markers".to_owned(), CheckStatus::Passed),
        ("secrets".to_owned(), CheckStatus::Passed),
    ];
    assert_eq!(found[..3], fixed);
    assert_ne!(status(&found, "python-compile"), Some(CheckStatus::Failed));
}

#[test]
fn compiling_finds_more_than_the_grammar_and_runs_nothing() {
    let place = Place::repository(&[]);
    let mark = place.home.join("mark");
    let source = format!("open({:?}, 'w')\nreturn 1\n", mark.display().to_string());
    let found = statuses(&place, &[("a.py", Some(&source))]);
    assert_eq!(status(&found, "syntax"), Some(CheckStatus::Passed));
    // Without a python3 on this machine it is skipped.
    assert_ne!(status(&found, "python-compile"), Some(CheckStatus::Passed));
    assert!(!mark.exists());
}

#[test]
fn a_removed_file_has_nothing_to_check() {
    let place = Place::repository(&[("a.py", "x = 1\n")]);
    let found = statuses(&place, &[("a.py", None)]);
    assert_eq!(status(&found, "syntax"), Some(CheckStatus::Skipped));
    assert_eq!(found.len(), 4);
}

#[test]
fn formatters_count_only_where_the_file_was_formatted_before() {
    let manifest = "[package]\nname = \"x\"\nedition = \"2024\"\n";
    let place = Place::repository(&[
        ("Cargo.toml", manifest),
        ("tidy.rs", "fn a() {}\n"),
        ("untidy.rs", "fn  a( ) { }\n"),
    ]);
    let tidy = statuses(&place, &[("tidy.rs", Some("fn a() {}\nfn b() {}\n"))]);
    let untidy = statuses(&place, &[("untidy.rs", Some("fn  a( ) { }\nfn b() {}\n"))]);
    let worse = statuses(&place, &[("tidy.rs", Some("fn a() {}\nfn  b( ) { }\n"))]);
    // Where there is no rustfmt all of them are skipped.
    if status(&tidy, "format-rustfmt") != Some(CheckStatus::Skipped) {
        assert_eq!(status(&tidy, "format-rustfmt"), Some(CheckStatus::Passed));
        assert_eq!(status(&untidy, "format-rustfmt"), Some(CheckStatus::Passed));
        assert_eq!(status(&worse, "format-rustfmt"), Some(CheckStatus::Failed));
    }
}

#[test]
fn formatting_alone_does_not_block() {
    let place = Place::repository(&[("Cargo.toml", ""), ("a.rs", "fn a() {}\n")]);
    let workspace = place.open();
    let files = place.proposal(
        &workspace,
        &[("a.rs", Some("fn  a( ) { }\n")), ("b.rs", Some("fn b( {\n"))],
    );
    let reports = checks::run(&workspace, &files, &|id| place.blob(id), Timeouts::default());
    let blocking: Vec<&str> = reports
        .iter()
        .filter(|r| blocks(r))
        .map(|r| r.name.as_str())
        .collect();
    assert_eq!(blocking, ["syntax"]);
}

#[test]
fn no_time_left_means_skipped() {
    let place = Place::repository(&[]);
    let workspace = place.open();
    let files = place.proposal(&workspace, &[("a.py", Some("x = 1\n"))]);
    let none = Timeouts {
        each: std::time::Duration::ZERO,
        all: std::time::Duration::ZERO,
    };
    let reports = checks::run(&workspace, &files, &|id| place.blob(id), none);
    let python = reports
        .iter()
        .find(|report| report.name == "python-compile")
        .unwrap();
    assert_eq!(
        (python.status, python.output.as_str()),
        (CheckStatus::Skipped, "no time was left for it")
    );
}
