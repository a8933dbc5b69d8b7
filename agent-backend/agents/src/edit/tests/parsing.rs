//! Answers that can be read.

use super::*;

#[track_caller]
fn check(answer: &str, expect: &str) {
    assert_eq!(shown(parse(answer)), expect, "\n{answer}");
    let crlf = answer.replace('\n', "\r\n");
    assert_eq!(shown(parse(&crlf)), expect, "with CRLF\n{answer}");
}

const X: &str = r#"write src/x.py "x = 1\n""#;

#[test]
fn heading_styles() {
    for heading in [
        "src/x.py",
        "`src/x.py`",
        "**src/x.py**",
        "**`src/x.py`**",
        "### `src/x.py`",
        "File: src/x.py",
        "src/x.py:",
        "**File: `src/x.py`**",
        "**File:** `src/x.py`",
        "1. `src/x.py` (new file):",
        "- src/x.py",
        "./src/x.py",
        "`./src/x.py`:",
        "Create `src/x.py`:",
        "#### File path: src/x.py",
        "Filename: `src/x.py`",
    ] {
        check(&format!("{heading}\n```python\nx = 1\n```\n"), X);
        check(&format!("Sure!\n\n{heading}\n\n```\nx = 1\n```\n\nDone."), X);
    }
}

#[test]
fn info_string_styles() {
    for info in [
        "python src/x.py",
        "python:src/x.py",
        "src/x.py",
        "py title=\"src/x.py\"",
        "python filename=src/x.py",
    ] {
        check(&format!("```{info}\nx = 1\n```"), X);
        check(&format!("Here it is:\n~~~~{info}\nx = 1\n~~~~"), X);
    }
    check("```python `src/x.py`\nx = 1\n```", X);
    // The info string is closer to the code than the line above.
    check("src/old.py\n```python src/x.py\nx = 1\n```", X);
}

#[test]
fn comment_as_heading_when_nothing_else_names_a_path() {
    check(
        "```python\n# src/x.py\nx = 1\n```",
        r##"write src/x.py "# src/x.py\nx = 1\n""##,
    );
    check(
        "Do this:\n```js\n// web/x.js\nlet x;\n```",
        r#"write web/x.js "// web/x.js\nlet x;\n""#,
    );
    check(
        "src/x.py\n```\nx = 1\n```\nExample:\n```python\n# src/y.py\nimport x\n```",
        X,
    );
}

#[test]
fn prose_thoughts_and_other_fences_are_passed_over() {
    check(
        "<think>src/y.py\n```\nno\n```</think>\nsrc/x.py\n```\nx = 1\n```",
        X,
    );
    check(
        "I change src/y.py too.\n\nsrc/x.py\n```\nx = 1\n```\nRun it:\n```bash\npython src/x.py\n```",
        X,
    );
    check(
        "Run `pytest tests/test_x.py`:\n```bash\npytest\n```\nsrc/x.py\n```\nx = 1\n```",
        X,
    );
    assert_eq!(
        read("```\nhi\n```\nsrc/x.py\n```\nx = 1\n```\n```sh\nls\n```").map(|parsed| parsed.unnamed_fences),
        Ok(2)
    );
}

#[test]
fn contents_are_kept() {
    check("a.txt\n```\n\n  two\n\n```", r#"write a.txt "\n  two\n\n""#);
    check("pkg/__init__.py\n```python\n```", r#"write pkg/__init__.py """#);
    check("a.txt\n```\ntabs\there \n```", r#"write a.txt "tabs\there \n""#);
    check(
        "ü/ä.py\n```\nname = 'Zoë'\n```",
        r#"write ü/ä.py "name = 'Zoë'\n""#,
    );
    check(
        "- a.py\n\n  ```python\n  def f():\n      pass\n  ```",
        r#"write a.py "def f():\n    pass\n""#,
    );
    check(
        "Makefile\n```make\nall:\n\ttrue\n```",
        r#"write Makefile "all:\n\ttrue\n""#,
    );
    check("a.py\n```\nx = '<think>'\n```", r#"write a.py "x = '<think>'\n""#);
}

#[test]
fn several_files() {
    check(
        "a.py\n```\na\n```\nb.py\n```\nb\n```",
        "write a.py \"a\\n\"\nwrite b.py \"b\\n\"",
    );
    check(
        "a.py\n```\na\n```\n\nDELETE: b.py\n",
        "write a.py \"a\\n\"\ndelete b.py",
    );
    // A file that is written twice was corrected.
    check(
        "a.py\n```\na\n```\nOops.\n\na.py\n```\nb\n```",
        r#"write a.py "b\n""#,
    );
}

#[test]
fn deletions() {
    for line in [
        "DELETE: a/b.py",
        "DELETE a/b.py",
        "DELETE: `a/b.py`",
        "*** Delete File: a/b.py",
        "  DELETE: ./a/b.py",
    ] {
        check(line, "delete a/b.py");
    }
    check("DELETE: a.py\nDELETE: a.py", "delete a.py");
}

#[test]
fn nested_fences() {
    check(
        "README.md\n````markdown\n# T\n```bash\nls\n```\n```\nplain\n```\nend\n````",
        r##"write README.md "# T\n```bash\nls\n```\n```\nplain\n```\nend\n""##,
    );
    check(
        "README.md\n```markdown\n# T\n```bash\nls\n```\nend\n```",
        r##"write README.md "# T\n```bash\nls\n```\nend\n""##,
    );
    check(
        "README.md\n~~~\n```\nls\n```\n~~~",
        r#"write README.md "```\nls\n```\n""#,
    );
    check(
        "a.py\n```python\nS = '''\n```sql\nselect 1\n```\n'''\n```",
        r#"write a.py "S = '''\n```sql\nselect 1\n```\n'''\n""#,
    );
    check(
        "a.rs\n```rust\n/// ```\n/// f();\n/// ```\nfn f() {}\n```",
        r#"write a.rs "/// ```\n/// f();\n/// ```\nfn f() {}\n""#,
    );
    check(
        "a.md\n`````md\n````md\n```\nx\n```\n````\n`````\nb.py\n```\nb\n```",
        "write a.md \"````md\\n```\\nx\\n```\\n````\\n\"\nwrite b.py \"b\\n\"",
    );
}

#[test]
fn blocks() {
    let block = "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n";
    let expect = r#"replace a.py "a\n">"b\n""#;
    check(&format!("a.py\n{block}"), expect);
    check(&format!("a.py\n```python\n{block}```"), expect);
    check(&format!("```python\na.py\n{block}```"), expect);
    check(&format!("```python a.py\n{block}```\nThat is it."), expect);
    check(&format!("### `a.py`\n\n{block}\nThis changes a."), expect);
    check("a.py\n<<<<< SEARCH\na\n=====\nb\n>>>>> REPLACE", expect);
    let second = "<<<<<<< SEARCH\nc\n=======\nd\n>>>>>>> REPLACE\n";
    let both = r#"replace a.py "a\n">"b\n" "c\n">"d\n""#;
    check(&format!("a.py\n{block}{second}"), both);
    check(&format!("a.py\n```\n{block}\n{second}```"), both);
    check(
        &format!("a.py\n```\n{block}```\nand then\n```\n{second}```"),
        both,
    );
    check(&format!("a.py\n{block}a.py\n{second}"), both);
    check(
        &format!("a.py\n{block}b.py\n{block}"),
        "replace a.py \"a\\n\">\"b\\n\"\nreplace b.py \"a\\n\">\"b\\n\"",
    );
    check(
        "a.py\n<<<<<<< SEARCH\n=======\nnew\n>>>>>>> REPLACE",
        r#"replace a.py "">"new\n""#,
    );
    check(
        "a.py\n<<<<<<< SEARCH\nold\n=======\n>>>>>>> REPLACE",
        r#"replace a.py "old\n">"""#,
    );
    check(
        "a.md\n```\n<<<<<<< SEARCH\n```\nx\n```\n=======\n```sh\nx\n```\n>>>>>>> REPLACE\n```",
        r#"replace a.md "```\nx\n```\n">"```sh\nx\n```\n""#,
    );
    // Markers further down are a file's own text.
    check(
        "a.md\n````\n# How\nto write\nthem\n\n<<<<<<< SEARCH\n````",
        r##"write a.md "# How\nto write\nthem\n\n<<<<<<< SEARCH\n""##,
    );
}

#[test]
fn patches_may_be_files() {
    check(
        "fix.patch\n```diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n```",
        "write fix.patch \"--- a/x\\n+++ b/x\\n@@ -1 +1 @@\\n-a\\n+b\\n\"",
    );
}

#[test]
fn prose_about_requests_and_repeated_blocks() {
    check(
        "It answers to DELETE and GET.\nDELETE /items/one\nsrc/x.py\n```\nx = 1\n```",
        X,
    );
    let block = "<<<<<<< SEARCH\na\n=======\na\nb\n>>>>>>> REPLACE\n";
    check(&format!("a.py\n{block}{block}"), r#"replace a.py "a\n">"a\nb\n""#);
    // A list of files before a command is no heading.
    check(
        "Files:\n- src/x.py\n\nRun this:\n```bash\nls\n```\nsrc/x.py\n```\nx = 1\n```",
        X,
    );
}
