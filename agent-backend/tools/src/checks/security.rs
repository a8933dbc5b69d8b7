//! What a person should look at twice: calls that run text as code or switch a
//! protection off, and packages that a change brings. Said, and held against
//! nobody: each of them can be right.

use std::{collections::BTreeSet, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

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

/// Calls of added lines that can do harm.
pub(super) fn dangerous_calls(changed: &[Changed]) -> Finding {
    let mut problems = Vec::new();
    for file in changed {
        let ending = extension(&file.path);
        for (line, text) in diff::added_lines(&file.old, &file.new) {
            if is_comment(text) {
                continue;
            }
            let found = COMPILED
                .iter()
                .filter(|(endings, pattern, _)| endings.contains(&ending) && pattern.is_match(text));
            let what: BTreeSet<&str> = found.map(|(_, _, what)| *what).collect();
            problems.extend(what.iter().map(|what| format!("{}:{line}: {what}", file.path)));
        }
    }
    Finding::of(&problems, None)
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#') || line.starts_with("//") || line.starts_with('*')
}

/// Whether a file names the packages of a project.
pub(super) fn is_manifest(path: &str) -> bool {
    packages(path, "").is_some()
}

/// The packages that the change brings, removes or moves to another version.
pub(super) fn dependencies(changed: &[Changed]) -> Finding {
    let mut lines = Vec::new();
    for file in changed {
        let (Some(old), Some(new)) = (packages(&file.path, &file.old), packages(&file.path, &file.new))
        else {
            continue;
        };
        let say = |mark: &str, package: &String| format!("{mark} {package} ({})", file.path);
        lines.extend(new.difference(&old).map(|package| say("+", package)));
        lines.extend(old.difference(&new).map(|package| say("-", package)));
    }
    let mut finding = Finding::of(&[], None);
    finding.output = if lines.is_empty() {
        "no package comes or goes".to_owned()
    } else {
        lines.join("\n")
    };
    finding
}

/// Packages with their versions that a manifest names; none for another file.
fn packages(path: &str, text: &str) -> Option<BTreeSet<String>> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "Cargo.toml" => Some(tables(text, |table| {
            let last = table.rsplit('.').next().unwrap_or(table);
            matches!(last, "dependencies" | "dev-dependencies" | "build-dependencies")
        })),
        "pyproject.toml" => Some(python(text)),
        "package.json" => Some(npm(text)),
        "go.mod" => Some(lines(text, |line| {
            let line = line.strip_prefix("require ").unwrap_or(line);
            line.split_whitespace()
                .nth(1)
                .is_some_and(|version| version.starts_with('v'))
        })),
        _ if name.starts_with("requirements") && name.ends_with(".txt") => {
            Some(lines(text, |line| !line.starts_with(['#', '-'])))
        }
        _ => None,
    }
}

fn lines(text: &str, is_package: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && is_package(line))
        .map(str::to_owned)
        .collect()
}

/// Lines `name = …` of these tables of a TOML file.
fn tables(text: &str, is_wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut wanted = false;
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            wanted = is_wanted(table);
            // `[dependencies.name]` is a package by itself.
            if let Some((parent, name)) = table.rsplit_once('.')
                && is_wanted(parent)
            {
                found.insert(name.to_owned());
            }
        } else if wanted && line.contains('=') && !line.starts_with('#') {
            found.insert(line.to_owned());
        }
    }
    found
}

/// Texts in the lists of `dependencies` of a Python project, and Poetry's tables.
fn python(text: &str) -> BTreeSet<String> {
    let mut found = tables(text, |table| {
        table.starts_with("tool.poetry") && table.ends_with("dependencies")
    });
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        let begins = line.starts_with("dependencies") && line.contains('[');
        if begins || inside {
            inside = !line.contains(']') || line.contains("\",") && !line.ends_with(']');
            let texts = line.split('"').skip(1).step_by(2);
            found.extend(texts.map(str::to_owned));
        }
    }
    found
}

fn npm(text: &str) -> BTreeSet<String> {
    let manifest: Value = serde_json::from_str(text).unwrap_or_default();
    let kinds = [
        "dependencies",
        "devDependencies",
        "peerDependencies",
        "optionalDependencies",
    ];
    let tables = kinds.iter().filter_map(|kind| manifest[kind].as_object());
    tables
        .flatten()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()))
        .collect()
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
    fn what_was_there_before_is_not_named() {
        let finding = dangerous_calls(&changed("a.py", "eval(x)\n", "eval(x)\ny = 1\n"));
        assert_eq!(
            (finding.status, finding.output.as_str()),
            (CheckStatus::Passed, "")
        );
    }

    #[test]
    fn packages_that_come_and_go_are_named() {
        let check = |path: &str, old: &str, new: &str, expect: &str| {
            assert!(is_manifest(path), "{path}");
            assert_eq!(dependencies(&changed(path, old, new)).output, expect, "{path}");
        };
        check(
            "Cargo.toml",
            "[dependencies]\na = \"1\"\n",
            "[dependencies]\na = \"2\"\n\n[target.'cfg(unix)'.dependencies.b]\nversion = \"1\"\n\n[features]\nc = []\n",
            "+ a = \"2\" (Cargo.toml)\n+ b (Cargo.toml)\n- a = \"1\" (Cargo.toml)",
        );
        check(
            "web/package.json",
            r#"{"dependencies": {"a": "1"}}"#,
            r#"{"dependencies": {"a": "1"}, "devDependencies": {"b": "2"}, "scripts": {"c": "d"}}"#,
            "+ b 2 (web/package.json)",
        );
        check(
            "requirements-dev.txt",
            "a==1\n# c\n",
            "a==1\nb\n-r c.txt\n",
            "+ b (requirements-dev.txt)",
        );
        check(
            "pyproject.toml",
            "[project]\nname = \"x\"\ndependencies = [\n]\n",
            "[project]\nname = \"x\"\ndependencies = [\n  \"a>=1\",\n  \"b\",\n]\n\n[tool.x]\ny = \"z\"\n",
            "+ a>=1 (pyproject.toml)\n+ b (pyproject.toml)",
        );
        check(
            "go.mod",
            "module x\n",
            "module x\n\nrequire a/b v1.2.3\n",
            "+ require a/b v1.2.3 (go.mod)",
        );
        check(
            "Cargo.toml",
            "",
            "[package]\nname = \"x\"\n",
            "no package comes or goes",
        );
        assert!(!is_manifest("src/cargo.toml.rs"));
    }
}
