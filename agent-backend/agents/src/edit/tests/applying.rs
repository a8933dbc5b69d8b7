//! Whole files and deletions, and answers as a whole.

use std::collections::HashMap;

use super::*;

#[track_caller]
fn check_write(current: Option<&str>, text: &str, expect: Result<&str, &str>) {
    let edit = Edit {
        path: "a.py".into(),
        change: Change::Write { text: text.into() },
    };
    let got = apply(&edit, current);
    let got = got
        .as_ref()
        .map(|text| text.as_deref().unwrap_or("deleted"))
        .map_err(|error| error.code().as_str());
    assert_eq!(got, expect, "{current:?} {text:?}");
}

#[test]
fn the_shape_of_a_file_is_kept() {
    check_write(None, "a\nb\n", Ok("a\nb\n"));
    check_write(Some("x\n"), "a\nb\n", Ok("a\nb\n"));
    check_write(Some("x\r\ny\r\n"), "a\nb\n", Ok("a\r\nb\r\n"));
    check_write(Some("x\r\ny\r\n"), "a\r\nb\r\n", Ok("a\r\nb\r\n"));
    check_write(Some("x\ny\n"), "a\r\nb\r\n", Ok("a\nb\n"));
    check_write(Some("x\r\ny\nz\r\n"), "a\nb\n", Ok("a\r\nb\r\n"));
    check_write(Some("x"), "a\nb\n", Ok("a\nb"));
    check_write(Some("x\r\ny"), "a\nb\n", Ok("a\r\nb"));
    check_write(Some("\u{feff}x\n"), "a\n", Ok("\u{feff}a\n"));
    check_write(Some("\u{feff}x\n"), "\u{feff}a\n", Ok("\u{feff}a\n"));
    check_write(Some(""), "a\n", Ok("a\n"));
    check_write(None, "", Ok(""));
    check_write(Some("a\n"), "a\n", Ok("a\n"));
    check_write(Some("x"), "a\n\n", Ok("a\n"));
}

#[test]
fn a_comment_that_repeats_the_path_is_dropped() {
    check_write(None, "# a.py\nx\n", Ok("x\n"));
    check_write(None, "# a.py\n\nx\n", Ok("x\n"));
    check_write(Some("y\n"), "# a.py\nx\n", Ok("x\n"));
    check_write(Some("# a.py\ny\n"), "# a.py\nx\n", Ok("# a.py\nx\n"));
    check_write(None, "# b.py\nx\n", Ok("# b.py\nx\n"));
    check_write(None, "# a.py\n", Ok("# a.py\n"));
}

#[test]
fn whole_files_that_are_refused() {
    check_write(Some("x\n"), "", Err("E1306"));
    check_write(Some("x\n"), "a\n# ... rest of the code unchanged\n", Err("E1308"));
    check_write(None, "a\n# ...\n", Err("E1308"));
    check_write(Some("# ...\nx\n"), "# ...\ny\n", Ok("# ...\ny\n"));
}

#[test]
fn deletions() {
    let edit = Edit {
        path: "a.py".into(),
        change: Change::Delete,
    };
    assert_eq!(apply(&edit, Some("x")), Ok(None));
    assert_eq!(apply(&edit, None).unwrap_err().code().as_str(), "E1306");
}

/// Applies an answer to `a.py`, `b.py` and `c.py`.
fn outcome(answer: &str) -> String {
    let files = HashMap::from([
        ("a.py", "a = 1\n"),
        ("b.py", "b = 1\nb = 1\n"),
        ("c.py", "c = 1\n"),
    ]);
    let changed = parse(answer).and_then(|edits| apply_all(&edits, |path| files.get(path).copied()));
    match changed {
        Ok(changed) => changed
            .iter()
            .map(|c| format!("{} {:?};", c.path, c.text))
            .collect(),
        Err(error) => format!("{}: {error}", error.code()),
    }
}

#[test]
fn whole_answers() {
    let check = |answer: &str, expect: &str| assert_eq!(outcome(answer), expect, "\n{answer}");
    check(
        "a.py\n```\na = 2\n```\nDELETE: b.py\nnew.py\n```\nn\n```",
        "a.py Some(\"a = 2\\n\");b.py None;new.py Some(\"n\\n\");",
    );
    check(
        "a.py\n```\na = 2\n```\nc.py\n```\nc = 1\n```",
        "a.py Some(\"a = 2\\n\");",
    );
    check("a.py\n```\na = 1\n```", "E1309: the answer changes nothing");
    check("a.py\n```\na = 1  \n```", "E1309: the answer changes nothing");
    check(
        "a.py\n<<<<<<< SEARCH\na = 1\n=======\na = 1\n>>>>>>> REPLACE",
        "E1309: the answer changes nothing",
    );
    check(
        "a.py\n<<<<<<< SEARCH\nzzz\n=======\ny\n>>>>>>> REPLACE\nDELETE: d.py\nc.py\n```\nc = 2\n```",
        "E1306: the edit of `a.py` does not apply: the SEARCH lines are not in the file, nor anything like them\n\
         the edit of `d.py` does not apply: there is no such file to delete",
    );
    check(
        "b.py\n<<<<<<< SEARCH\nb = 1\n=======\ny\n>>>>>>> REPLACE",
        "E1306: the edit of `b.py` does not apply: the SEARCH lines fit 2 places (lines 1, 2); add neighbouring lines to make them unique",
    );
    check(
        "new.py\n<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE",
        "new.py Some(\"x = 1\\n\");",
    );
}

#[test]
fn what_is_done_already_is_named() {
    assert_eq!(
        outcome("c.py\n<<<<<<< SEARCH\nc = 0\n=======\nc = 1\n>>>>>>> REPLACE"),
        "E1306: the edit of `c.py` does not apply: the SEARCH lines are not in the file, but the REPLACE lines are there already"
    );
}

#[test]
fn every_block_is_judged_and_none_applied_alone() {
    let answer = "a.py\n<<<<<<< SEARCH\na = 1\n=======\na = 2\n>>>>>>> REPLACE\n\
                  <<<<<<< SEARCH\na = 3\n=======\na = 4\n>>>>>>> REPLACE\n\
                  <<<<<<< SEARCH\na = 2\n=======\na = 5\n>>>>>>> REPLACE\n";
    assert_eq!(
        outcome(answer),
        "E1306: the edit of `a.py` does not apply: 1 of 3 blocks do not fit\nblock 1: fits\n\
         block 2: the SEARCH lines are not in the file; the nearest lines are:\n    1 | a = 2\nblock 3: fits"
    );
}
