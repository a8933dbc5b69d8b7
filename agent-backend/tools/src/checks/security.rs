//! What a person should look at twice: calls that run text as code or switch a
//! protection off. Said, and held against nobody: each of them can be right.

use std::{collections::BTreeSet, ops::Range, sync::LazyLock};

use regex::{Match, Regex};
use syntax::Language;

use super::{Changed, Finding, extension};
use crate::diff;

/// Patterns in an added line, and what they do.
type Rule = (&'static [&'static str], &'static str, &'static str);

const PYTHON: &[&str] = &["py", "pyi"];
const SCRIPT: &[&str] = &[
    "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "vue", "svelte",
];

const RULES: &[Rule] = &[
    (PYTHON, r"(^|[^.\w])(eval|exec)\(", "runs text as code"),
    (PYTHON, r"\bos\.(system|popen)\(", "runs a line of the shell"),
    (PYTHON, r"\bshell\s*=\s*True\b", "runs a line of the shell"),
    (
        PYTHON,
        r"\b(c?[pP]ickle|marshal|shelve)\.(loads?|open)\(",
        "makes objects of data, with any code in it",
    ),
    (
        PYTHON,
        r"\byaml\.unsafe_load\(|\bLoader\s*=\s*yaml\.(Unsafe|Full)?Loader\b",
        "may make any objects of data: `yaml.safe_load` does not",
    ),
    (
        PYTHON,
        r"\bverify\s*=\s*False\b|_create_unverified_context",
        "accepts any certificate",
    ),
    (
        PYTHON,
        r"\bmktemp\(",
        "names a temporary file that somebody else can make first: `mkstemp` does not",
    ),
    (
        PYTHON,
        r#"\bexecute(many|script)?\(\s*(f["']|["'][^"']*["']\s*(%|\+|\.format))"#,
        "puts values into the text of a database query",
    ),
    (
        SCRIPT,
        r"(^|[^.\w])eval\(|\bnew\s+Function\(",
        "runs text as code",
    ),
    (SCRIPT, r"\bexec(Sync)?\(\s*[`'\x22]", "runs a line of the shell"),
    (
        SCRIPT,
        r"\.(inner|outer)HTML\s*\+?=([^=]|$)|dangerouslySetInnerHTML|\bdocument\.write(ln)?\(",
        "puts text into a page as markup",
    ),
    (
        SCRIPT,
        r"rejectUnauthorized\s*:\s*false|NODE_TLS_REJECT_UNAUTHORIZED",
        "accepts any certificate",
    ),
    (
        SCRIPT,
        r"\b(query|execute|raw)\(\s*`[^`]*\$\{",
        "puts values into the text of a database query",
    ),
    (
        &["rs"],
        r"\bunsafe\s+(\{|fn\b|impl\b|extern\b)|\bunsafe\s*\{",
        "leaves out what the compiler guarantees",
    ),
    (
        &["rs"],
        r"danger_accept_invalid_(certs|hostnames)\(\s*true",
        "accepts any certificate",
    ),
    (
        &["rs"],
        r#"Command::new\(\s*"(ba|z)?sh""#,
        "runs a line of the shell",
    ),
    (
        &["go"],
        r"InsecureSkipVerify\s*:\s*true",
        "accepts any certificate",
    ),
    (
        &["go"],
        r#"exec\.Command(Context)?\([^)]*"(ba)?sh",\s*"-c""#,
        "runs a line of the shell",
    ),
    (
        &["go"],
        r"\bunsafe\.Pointer\b",
        "leaves out what the compiler guarantees",
    ),
];

static COMPILED: LazyLock<Vec<(&'static [&'static str], Regex, &'static str)>> = LazyLock::new(|| {
    let compile = |(endings, pattern, what): &Rule| Some((*endings, Regex::new(pattern).ok()?, *what));
    RULES.iter().filter_map(compile).collect()
});

/// Calls of added lines that can do harm. What only a comment or a string names
/// is no call.
pub(super) fn dangerous_calls(changed: &[Changed]) -> Finding {
    let mut problems = Vec::new();
    for file in changed {
        let ending = extension(&file.path);
        let rules: Vec<_> = COMPILED.iter().filter(|rule| rule.0.contains(&ending)).collect();
        if rules.is_empty() {
            continue;
        }
        let quoted = Quoted::of(file);
        for (line, text) in diff::added_lines(&file.old, &file.new) {
            let found = rules.iter().filter(|(_, pattern, _)| {
                pattern
                    .find_iter(text)
                    .any(|found| quoted.is_code(line, text, found))
            });
            let what: BTreeSet<&str> = found.map(|(_, _, what)| *what).collect();
            problems.extend(what.iter().map(|what| format!("{}:{line}: {what}", file.path)));
        }
    }
    Finding::of(&problems, None)
}

/// What is not code in a file.
enum Quoted {
    Known {
        /// Bytes, in order.
        ranges: Vec<Range<usize>>,
        /// Where each line begins.
        lines: Vec<usize>,
    },
    /// There is no grammar for it; lines that look like a comment are none.
    Unknown,
}

impl Quoted {
    fn of(file: &Changed) -> Self {
        let Some(ranges) = syntax::quoted(Language::of(&file.path), &file.new, &mut || true) else {
            return Self::Unknown;
        };
        let ends = file.new.match_indices('\n').map(|(end, _)| end + 1);
        Self::Known {
            ranges,
            lines: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// Whether what was found in a line, counted from 1, begins in code.
    fn is_code(&self, line: u32, text: &str, found: Match<'_>) -> bool {
        match self {
            Self::Known { ranges, lines } => {
                // What stands before a word may be the quote of a string.
                let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
                let word = found.as_str().find(is_word).unwrap_or(0);
                let row = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
                let begins = lines.get(row).copied().unwrap_or_default();
                let at = begins + found.start() + word;
                let next = ranges.partition_point(|range| range.end <= at);
                ranges.get(next).is_none_or(|range| at < range.start)
            }
            Self::Unknown => !is_comment(text),
        }
    }
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#') || line.starts_with("//") || line.starts_with('*')
}

#[cfg(test)]
mod tests {
    use engine::artifact::CheckStatus;

    use super::*;

    fn changed(path: &str, old: &str, new: &str) -> Vec<Changed> {
        vec![Changed {
            path: path.to_owned(),
            old: old.to_owned(),
            new: new.to_owned(),
        }]
    }

    #[test]
    fn every_pattern_can_be_read() {
        assert_eq!(COMPILED.len(), RULES.len());
    }

    #[test]
    fn calls_that_can_do_harm_are_named() {
        let check = |path: &str, line: &str, expect: Option<&str>| {
            let finding = dangerous_calls(&changed(path, "", &format!("{line}\n")));
            let expect = expect.map(|what| format!("{path}:1: {what}")).unwrap_or_default();
            assert_eq!(finding.output, expect, "{line}");
        };
        check("a.py", "x = eval(text)", Some("runs text as code"));
        check("a.py", "model.eval()", None);
        check("a.py", "# eval(text)", None);
        check("a.js", "eval(text)", Some("runs text as code"));
        check("a.md", "eval(text)", None);
        check(
            "a.py",
            "subprocess.run(line, shell=True)",
            Some("runs a line of the shell"),
        );
        check("a.py", "subprocess.run([\"ls\"])", None);
        check(
            "a.py",
            "pickle.loads(data)",
            Some("makes objects of data, with any code in it"),
        );
        check(
            "a.py",
            "requests.get(url, verify=False)",
            Some("accepts any certificate"),
        );
        check(
            "a.py",
            "db.execute(f\"select {x}\")",
            Some("puts values into the text of a database query"),
        );
        check("a.py", "db.execute(\"select ?\", (x,))", None);
        check(
            "a.ts",
            "node.innerHTML = text",
            Some("puts text into a page as markup"),
        );
        check("a.ts", "if (node.innerHTML === text) {", None);
        check(
            "a.ts",
            "db.query(`select ${x}`)",
            Some("puts values into the text of a database query"),
        );
        check(
            "a.rs",
            "let x = unsafe { *p };",
            Some("leaves out what the compiler guarantees"),
        );
        check("a.rs", "// unsafe { *p }", None);
        check("a.rs", "Command::new(\"sh\")", Some("runs a line of the shell"));
        check(
            "a.go",
            "tls.Config{InsecureSkipVerify: true}",
            Some("accepts any certificate"),
        );
    }

    #[test]
    fn what_only_words_name_is_no_call() {
        let check = |path: &str, text: &str, expect: &str| {
            assert_eq!(dangerous_calls(&changed(path, "", text)).output, expect, "{text}");
        };
        check("a.py", "x = 1  # not eval(text)\n", "");
        check("a.py", "print(\"never eval(text)\")\n", "");
        check("a.py", "print(\"eval(text)\")\n", "");
        check("a.py", "\"\"\"\nNever eval(text).\n\"\"\"\n", "");
        check("a.py", "print(f\"{eval(text)}\")\n", "a.py:1: runs text as code");
        check(
            "a.py",
            "print(\"eval(x)\", eval(x))\n",
            "a.py:1: runs text as code",
        );
        check(
            "a.ts",
            "/* eval(text)\n   eval(text) */\nconst a = `${eval(b)}`\n",
            "a.ts:3: runs text as code",
        );
        check(
            "a.rs",
            "/// An unsafe { block }.\nfn f() { g(\"unsafe { }\") }\n",
            "",
        );
        check(
            "a.rs",
            "g!(unsafe { *p });\n",
            "a.rs:1: leaves out what the compiler guarantees",
        );
        // Without a grammar, lines are all there is.
        check(
            "a.vue",
            "// eval(text)\nx = \"eval(text)\"\n",
            "a.vue:2: runs text as code",
        );
    }

    #[test]
    fn what_was_there_before_is_not_named() {
        let finding = dangerous_calls(&changed("a.py", "eval(x)\n", "eval(x)\ny = 1\n"));
        assert_eq!(
            (finding.status, finding.output.as_str()),
            (CheckStatus::Passed, "")
        );
    }
}
