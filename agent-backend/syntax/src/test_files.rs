//! Which files hold tests and no code that others use, by the conventions of
//! each language.

use crate::Language;

/// How the tests of a language are named.
struct Convention {
    /// Of a name without what is behind its first dot.
    begins: &'static [&'static str],
    /// Of what is before any of its dots (`http_1.16_test.go`).
    ends: &'static [&'static str],
    /// Between dots of a name.
    marks: &'static [&'static str],
    /// Folders with nothing but tests and what they need.
    folders: &'static [&'static str],
}

/// In Rust, tests beside the code are a part of it: nothing runs a file of
/// `src` that no module names.
const RUST: Convention = Convention {
    begins: &[],
    ends: &[],
    marks: &[],
    folders: &["tests"],
};

const PYTHON: Convention = Convention {
    begins: &["test_", "conftest"],
    ends: &["_test"],
    marks: &[],
    folders: &["test", "tests"],
};

const SCRIPT: Convention = Convention {
    begins: &[],
    ends: &[],
    marks: &["test", "spec"],
    folders: &["__tests__", "test", "tests"],
};

const GO: Convention = Convention {
    begins: &[],
    ends: &["_test"],
    marks: &[],
    folders: &[],
};

const JAVA: Convention = Convention {
    begins: &[],
    ends: &["Test", "Tests"],
    marks: &[],
    folders: &["test"],
};

const C: Convention = Convention {
    begins: &["test_"],
    ends: &["_test", "_tests", "Test", "Tests"],
    marks: &[],
    folders: &["test", "tests"],
};

/// Whether the file at `path` is a test, by the conventions of `language`, which
/// need not be its own: a folder of tests has more than code.
pub fn is_test(language: Language, path: &str) -> bool {
    let Convention {
        begins,
        ends,
        marks,
        folders,
    } = match language {
        Language::Rust => RUST,
        Language::Python => PYTHON,
        Language::JavaScript | Language::TypeScript | Language::Tsx => SCRIPT,
        Language::Go => GO,
        Language::Java => JAVA,
        Language::C | Language::Cpp => C,
        Language::Markdown
        | Language::Data
        | Language::Web
        | Language::Shell
        | Language::Sql
        | Language::Proto
        | Language::Other => return false,
    };
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parts = || name.split('.');
    begins.iter().any(|word| name.starts_with(word))
        || parts().any(|part| ends.iter().any(|word| part.ends_with(word)))
        || parts().skip(1).any(|part| marks.contains(&part))
        || above.split('/').any(|folder| folders.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_name_or_folder() {
        let check = |path: &str, expect: bool| {
            assert_eq!(is_test(Language::of(path), path), expect, "{path}");
        };
        check("tests/helpers.py", true);
        check("src/app/test_auth.py", true);
        check("app/auth_test.py", true);
        check("conftest.py", true);
        check("src/contest.py", false);
        check("src/latest/api.py", false);
        check("web/login.spec.ts", true);
        check("web/__tests__/login.tsx", true);
        check("src/attest.ts", false);
        check("spec.ts", false);
        check("pkg/server_test.go", true);
        check("pkg/server_1.16_test.go", true);
        check("pkg/server_test_1.16.go", false);
        check("tests/server.go", false);
        check("src/LoginTest.java", true);
        check("src/test/java/Login.java", true);
        check("tests/it.rs", true);
        check("src/tests.rs", false);
        check("src/parse_test.rs", false);
        check("lib/parse_test.cc", true);
        check("tests/data.json", false);
        assert!(is_test(Language::JavaScript, "test/data.json"));
    }
}
