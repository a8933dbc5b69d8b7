//! What a file is for, told from its path. Pure.

use crate::language::{Form, Language};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The program itself.
    Source,
    /// Tests, fixtures, benchmarks.
    Test,
    /// Examples and demonstrations.
    Example,
    /// Text for people.
    Documentation,
    /// Configuration, data, build scripts.
    Data,
    /// Written by a program.
    Generated,
    /// Written by another project.
    Vendored,
}

/// How many classes there are.
pub const CLASSES: usize = 7;

impl Class {
    /// The class that `as_str` named.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }

    /// Every class.
    pub const ALL: [Class; CLASSES] = [
        Class::Source,
        Class::Test,
        Class::Example,
        Class::Documentation,
        Class::Data,
        Class::Generated,
        Class::Vendored,
    ];

    /// The word used in explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Test => "test",
            Self::Example => "example",
            Self::Documentation => "documentation",
            Self::Data => "data",
            Self::Generated => "generated",
            Self::Vendored => "vendored",
        }
    }

    /// The class of the file at `path`.
    pub fn of(path: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        let (directories, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
        let has = |names: &[&str]| directories.split('/').any(|part| names.contains(&part));
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        if has(VENDORED) {
            return Self::Vendored;
        }
        if has(GENERATED) || GENERATED_NAMES.iter().any(|mark| name.contains(mark)) {
            return Self::Generated;
        }
        if has(TESTS)
            || directories
                .split('/')
                .any(|part| part.ends_with("-test") || part.ends_with("-tests"))
            || is_test_name(path, name, stem)
        {
            return Self::Test;
        }
        if has(EXAMPLES) {
            return Self::Example;
        }
        match Language::of(path).form() {
            Form::Document => Self::Documentation,
            _ if has(DOCUMENTATION) => Self::Documentation,
            Form::Script | Form::Data => Self::Data,
            Form::Source => Self::Source,
        }
    }
}

const VENDORED: &[&str] = &[
    "vendor",
    "vendored",
    "_vendor",
    "_vendored",
    "bundled",
    "extern",
    "third_party",
    "third-party",
    "thirdparty",
    "3rdparty",
    "external",
    "deps",
    "bower_components",
];
const GENERATED: &[&str] = &["dist", "generated"];
const GENERATED_NAMES: &[&str] = &[".min.", ".generated.", "_generated.", ".pb.", "_pb2.", ".g."];
/// More than `syntax::is_test` knows: what tests need, and what is measured, is
/// as rarely what is looked for, in whatever language. The order of what is
/// found was measured with these.
const TESTS: &[&str] = &[
    "test",
    "tests",
    "testing",
    "__tests__",
    "__test__",
    "spec",
    "specs",
    "testdata",
    "test-data",
    "fixtures",
    "__fixtures__",
    "__snapshots__",
    "__mocks__",
    "mocks",
    "e2e",
    "bench",
    "benches",
    "benchmark",
    "benchmarks",
    "fuzz",
    "testsuite",
    "unittests",
];
const TEST_BEGINS: &[&str] = &["test_", "test-"];
/// Of what is before any dot of a name.
const TEST_ENDS: &[&str] = &["_test", "_tests", "-test", "-tests"];
const EXAMPLES: &[&str] = &[
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "demos",
    "tutorial",
    "playground",
];
const DOCUMENTATION: &[&str] = &["doc", "docs", "documentation", "man", "website", "site"];

/// `test_x.py`, `x_test.go`, `x_1.16_test.go`, `x.spec.ts`, `XTest.java`.
fn is_test_name(path: &str, name: &str, stem: &str) -> bool {
    let written = path.rsplit('/').next().unwrap_or(path);
    let written = written.split_once('.').map_or(written, |(stem, _)| stem);
    TEST_BEGINS.iter().any(|begin| stem.starts_with(begin))
        || name
            .split('.')
            .any(|part| TEST_ENDS.iter().any(|end| part.ends_with(end)))
        || matches!(stem, "test" | "tests" | "conftest")
        || name.contains(".test.")
        || name.contains(".spec.")
        || (written.len() > 4 && (written.ends_with("Test") || written.ends_with("Tests")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let check = |path: &str, expect: Class| assert_eq!(Class::of(path), expect, "{path}");
        check("src/main.rs", Class::Source);
        check("app/templates/index.html", Class::Source);
        check("tests/it.rs", Class::Test);
        check("pkg/test_users.py", Class::Test);
        check("pkg/users_test.go", Class::Test);
        check("pkg/users_1.16_test.go", Class::Test);
        check("web/users-test.js", Class::Test);
        check("lib/test-users.c", Class::Test);
        check("src/users.spec.ts", Class::Test);
        check("gson/src/main/java/GsonTest.java", Class::Test);
        check("src/flask/testing.py", Class::Source);
        check("src/latest.py", Class::Source);
        check("src/contest.rs", Class::Source);
        check("examples/hello.py", Class::Example);
        check("docs/index.md", Class::Documentation);
        check("docs/conf.py", Class::Documentation);
        check("README.md", Class::Documentation);
        check("Cargo.toml", Class::Data);
        check("Makefile", Class::Data);
        check("deps/lua/src/lua.c", Class::Vendored);
        check("include/log/fmt/bundled/format.h", Class::Vendored);
        check("proto/x_pb2.py", Class::Generated);
        check("dist/app.js", Class::Generated);
    }
}
