//! Answers that are refused, each with its code.

use super::*;

#[track_caller]
fn check(answer: &str, code: &str) {
    assert_eq!(shown(parse(answer)), code, "\n{answer}");
    assert_eq!(
        shown(parse(&answer.replace('\n', "\r\n"))),
        code,
        "with CRLF\n{answer}"
    );
}

#[test]
fn nothing_to_read() {
    check("", "E1301");
    check(" \n\t\n", "E1301");
    check("<think>hmm</think>", "E1301");
    check("I would add a function that limits requests.", "E1302");
    check("Change src/app.py so that it works.", "E1302");
    check("```python\nx = 1\n```", "E1302");
    check("Update `src/app.py` like this:\n```python\nx = 1\n```", "E1302");
    check("Now delete src/app.py.", "E1302");
    check("- DELETE the old file", "E1302");
    check("src/app.py", "E1302");
    check("src/app.py\n\n\n\n```\nx = 1\n```", "E1302");
    check("```12:40:src/app.py\nx = 1\n```", "E1302");
    check("I'm sorry, but I can't help with that.", "E1312");
    check("As an AI language model, I cannot edit files.", "E1312");
}

#[test]
fn cut_off() {
    check("<think>hmm", "E1303");
    check("a.py\n```python\ndef f():", "E1303");
    check("a.py\n```\na\n```\nb.py\n```python\nb", "E1303");
    check("a.py\n````\na\n```\n", "E1303");
    check("a.py\n~~~\na\n```\n", "E1303");
    check("a.py\n<<<<<<< SEARCH\na\n", "E1303");
    check("a.py\n<<<<<<< SEARCH\na\n=======\nb\n", "E1303");
    check("a.py\n```\n<<<<<<< SEARCH\na\n=======\nb\n```\n", "E1303");
    // The first fence has no end and would swallow the second file.
    check("a.py\n```python\na\nb.py\n```python\nb\n```\n", "E1303");
}

#[test]
fn more_than_one_meaning() {
    check("a.py\n```\na\n```\nDELETE: a.py", "E1304");
    check("DELETE: a.py\na.py\n```\na\n```", "E1304");
    check(
        "a.py\n```\na\n```\na.py\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE",
        "E1304",
    );
    check(
        "a.md\n<<<<<<< SEARCH\nTitle\n=======\n=======\nNew\n>>>>>>> REPLACE",
        "E1304",
    );
    check("a.py\n<<<<<<< SEARCH\na\n>>>>>>> REPLACE", "E1304");
    check(
        "a.py\n<<<<<<< SEARCH\na\n<<<<<<< SEARCH\nb\n=======\nc\n>>>>>>> REPLACE",
        "E1304",
    );
    check("Text.\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE", "E1304");
    check(
        "```\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n```",
        "E1304",
    );
    check(
        "a.py\n```\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\nstray = 1\n```",
        "E1304",
    );
    check(
        "b.py\n```\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n```",
        "E1304",
    );
    // A file would be lost if its code were passed over.
    check(
        "### src/x.py\n\nAdd the limit:\n\n```python\nx = 1\n```\na.py\n```\na\n```",
        "E1304",
    );
    // Which of the bare fences ends the file cannot be told.
    check("README.md\n```markdown\n# T\n```\nls\n```\nend\n```", "E1304");
    let many: String = (0..=EDITS_MAX)
        .map(|n| format!("f{n}.py\n```\nx\n```\n"))
        .collect();
    check(&many, "E1304");
    let block: String = (0..=BLOCKS_MAX)
        .map(|n| format!("<<<<<<< SEARCH\na{n}\n=======\nb\n>>>>>>> REPLACE\n"))
        .collect();
    check(&format!("a.py\n{block}"), "E1304");
    check(&"x".repeat(ANSWER_BYTES_MAX + 1), "E1304");
}

#[test]
fn paths() {
    for path in [
        "/etc/passwd.txt",
        "../x.py",
        "a/../../x.py",
        ".git/config",
        "a/.git/hooks/pre-commit.sh",
        "C:\\x\\y.py",
        "src\\app.py",
        "~/x.py",
        "a//b.py",
        ".GIT/config",
        "C:/x.py",
    ] {
        check(&format!("{path}\n```\nx\n```"), "E1305");
        check(&format!("good.py\n```\nx\n```\n`{path}`\n```\nx\n```"), "E1305");
        check(&format!("DELETE: {path}"), "E1305");
        check(
            &format!("{path}\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE"),
            "E1305",
        );
    }
}
