//! The arguments of the tools, as their schemas show them, and their bounds.

use std::path::{Component, Path};

use retrieval::{Filter, corpus::class::Class, language::Language, symbols::Wanted};
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use shared::error::Code;

use crate::error::Error;

/// Bytes of a query. What is longer is a file or a log, and the search looks
/// at no more.
const QUERY_BYTES_MAX: usize = retrieval::search::QUERY_BYTES_MAX;
/// Bytes of a path, a glob or a name of a language.
const WORD_BYTES_MAX: usize = 4_096;
/// Globs of one call.
const GLOBS_MAX: usize = 64;
/// Results of one call.
const TOP_MAX: u32 = 200;
/// Tokens of one answer.
const TOKENS_MIN: u32 = 100;
const TOKENS_MAX: u32 = 20_000;
const TOKENS_DEFAULT: u32 = 2_500;

/// Arguments of `search_code`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchCode {
    /// What the code is about: a task, a question, an error message, identifiers. At most 8000 bytes.
    pub query: String,
    /// Globs of paths in the syntax of .gitignore, for example `src/**` or `*.py`; `!` leaves out.
    pub paths: Option<Vec<String>>,
    /// A language, for example `python`, `rust`, `typescript`, `go`.
    pub language: Option<String>,
    /// Whether tests are searched [default: true].
    pub include_tests: Option<bool>,
    /// Pieces of code at most, 1 to 200 [default: 10].
    #[schemars(range(min = 1, max = 200))]
    pub top: Option<u32>,
    /// Tokens of the answer at most, 100 to 20000 [default: 2500].
    #[schemars(range(min = 100, max = 20_000))]
    pub max_tokens: Option<u32>,
    /// The workspace, by its path or the name of its directory, if there are several.
    pub root: Option<String>,
}

/// Arguments of `find_definition`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindDefinition {
    /// The name, alone or with what it belongs to: `total`, `Orders.total`, `store::Memory`.
    pub symbol: String,
    /// A path or glob of the files to look in.
    pub path: Option<String>,
    /// A language, for example `python`, `rust`, `typescript`, `go`.
    pub language: Option<String>,
    /// Definitions at most, 1 to 200 [default: 10].
    #[schemars(range(min = 1, max = 200))]
    pub top: Option<u32>,
    /// Tokens of the answer at most, 100 to 20000 [default: 2500].
    #[schemars(range(min = 100, max = 20_000))]
    pub max_tokens: Option<u32>,
    /// The workspace, by its path or the name of its directory, if there are several.
    pub root: Option<String>,
}

/// How references are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Manner {
    /// As identifiers of the syntax; files without a grammar as text.
    Syntax,
    /// As whole words anywhere: strings, comments and documents too.
    Text,
}

/// Arguments of `find_references`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindReferences {
    /// The name; of `Orders.total` the last part is looked for.
    pub symbol: String,
    /// How it is looked for [default: syntax].
    pub how: Option<Manner>,
    /// A path or glob of the files to look in.
    pub path: Option<String>,
    /// A language, for example `python`, `rust`, `typescript`, `go`.
    pub language: Option<String>,
    /// Whether tests are looked at [default: true].
    pub include_tests: Option<bool>,
    /// References at most, 1 to 200 [default: 50].
    #[schemars(range(min = 1, max = 200))]
    pub top: Option<u32>,
    /// Tokens of the answer at most, 100 to 20000 [default: 2500].
    #[schemars(range(min = 100, max = 20_000))]
    pub max_tokens: Option<u32>,
    /// The workspace, by its path or the name of its directory, if there are several.
    pub root: Option<String>,
}

/// Arguments of `related_files`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RelatedFiles {
    /// The file, relative to the workspace.
    pub path: String,
    /// Whether tests are listed [default: true].
    pub include_tests: Option<bool>,
    /// Files at most, 1 to 200 [default: 10].
    #[schemars(range(min = 1, max = 200))]
    pub top: Option<u32>,
    /// The workspace, by its path or the name of its directory, if there are several.
    pub root: Option<String>,
}

/// Arguments of `index_status`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexStatus {
    /// The workspace, by its path or the name of its directory, if there are several.
    pub root: Option<String>,
}

/// Reads the arguments of a tool.
pub(super) fn read<T: DeserializeOwned>(arguments: serde_json::Value) -> Result<T, Error> {
    serde_json::from_value(arguments).map_err(|error| refuse(format!("the arguments do not fit: {error}")))
}

fn refuse(message: impl Into<String>) -> Error {
    Error::user(Code::InvalidRequest, message)
}

/// A query that says something.
pub(super) fn query(text: &str) -> Result<&str, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::user(Code::QueryEmpty, "`query` is empty"));
    }
    if text.len() > QUERY_BYTES_MAX {
        let message = format!(
            "`query` has {} bytes; {QUERY_BYTES_MAX} are possible. Say what the code is about in a few words",
            text.len()
        );
        return Err(Error::user(Code::QueryTooLong, message));
    }
    Ok(text)
}

/// A name to look for.
pub(super) fn symbol(text: &str) -> Result<Wanted, Error> {
    if text.trim().is_empty() {
        return Err(Error::user(Code::QueryEmpty, "`symbol` is empty"));
    }
    Wanted::parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(80).collect();
        refuse(format!(
            "`{shown}` is not a name; give one like `total` or `Orders.total`, or ask search_code in words"
        ))
    })
}

/// How many results.
pub(super) fn top(wanted: Option<u32>, default: u32) -> Result<usize, Error> {
    between("top", wanted.unwrap_or(default), 1, TOP_MAX)
}

/// How many tokens.
pub(super) fn tokens(wanted: Option<u32>) -> Result<usize, Error> {
    between(
        "max_tokens",
        wanted.unwrap_or(TOKENS_DEFAULT),
        TOKENS_MIN,
        TOKENS_MAX,
    )
}

fn between(name: &str, value: u32, min: u32, max: u32) -> Result<usize, Error> {
    if !(min..=max).contains(&value) {
        return Err(refuse(format!("`{name}` is {value}; it must be {min} to {max}")));
    }
    usize::try_from(value).map_err(|error| Error::internal(error.to_string()))
}

/// Which files of the workspace at `root`.
pub(super) fn filter(
    root: &Path,
    globs: &[String],
    language_name: Option<&str>,
    include_tests: Option<bool>,
) -> Result<Filter, Error> {
    if globs.len() > GLOBS_MAX || globs.iter().any(|glob| glob.len() > WORD_BYTES_MAX) {
        return Err(refuse(format!(
            "at most {GLOBS_MAX} globs of at most {WORD_BYTES_MAX} bytes are possible"
        )));
    }
    let globs: Result<Vec<String>, Error> = globs.iter().map(|given| glob(root, given)).collect();
    let without = match include_tests {
        Some(false) => vec![Class::Test],
        Some(true) | None => Vec::new(),
    };
    let filter = Filter {
        without,
        languages: language_name.map(languages).transpose()?.unwrap_or_default(),
        globs: globs?,
        bytes_max: None,
    };
    // A glob that is none is said at once.
    filter.matcher()?;
    Ok(filter)
}

/// The language of a name, with those that are one to whoever asks.
fn languages(name: &str) -> Result<Vec<Language>, Error> {
    let language = language(name)?;
    let more = match language {
        Language::TypeScript => Some(Language::Tsx),
        Language::Cpp => Some(Language::C),
        Language::Python
        | Language::Rust
        | Language::JavaScript
        | Language::Tsx
        | Language::Go
        | Language::Java
        | Language::C
        | Language::Markdown
        | Language::Data
        | Language::Web
        | Language::Shell
        | Language::Sql
        | Language::Proto
        | Language::Other => None,
    };
    Ok(std::iter::once(language).chain(more).collect())
}

/// The language of a name that people use.
fn language(name: &str) -> Result<Language, Error> {
    let lower = name.trim().to_ascii_lowercase();
    let usual = match lower.as_str() {
        "py" => "python",
        "rs" => "rust",
        "js" | "jsx" | "node" => "javascript",
        "ts" => "typescript",
        "golang" => "go",
        "c++" | "cxx" | "cc" => "cpp",
        "md" => "markdown",
        "bash" | "sh" => "shell",
        "protobuf" => "proto",
        other => other,
    };
    Language::parse(usual).ok_or_else(|| {
        let known: Vec<&str> = Language::ALL.iter().map(|language| language.as_str()).collect();
        let shown: String = name.chars().take(80).collect();
        refuse(format!(
            "`{shown}` is not one of the languages: {}",
            known.join(", ")
        ))
    })
}

/// A path relative to the workspace at `root`, from one that a client gave.
pub(super) fn path(root: &Path, given: &str) -> Result<String, Error> {
    let outside = || {
        let shown: String = given.chars().take(200).collect();
        Error::user(
            Code::PathOutsideWorkspace,
            format!("`{shown}` is outside of the workspace {}", root.display()),
        )
    };
    if given.trim().is_empty() {
        return Err(refuse("`path` is empty"));
    }
    if given.len() > WORD_BYTES_MAX {
        return Err(refuse(format!("`path` has more than {WORD_BYTES_MAX} bytes")));
    }
    let given = Path::new(given.trim());
    let relative = if given.is_absolute() {
        given.strip_prefix(root).map_err(|_| outside())?
    } else {
        given
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in relative.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str().ok_or_else(outside)?),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop().ok_or_else(outside)?;
            }
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    Ok(parts.join("/"))
}

/// A glob relative to the workspace.
fn glob(root: &Path, given: &str) -> Result<String, Error> {
    let (not, bare) = match given.strip_prefix('!') {
        Some(bare) => ("!", bare),
        None => ("", given),
    };
    let absolute = Path::new(bare).is_absolute();
    if absolute || bare.split(['/', '\\']).any(|part| part == "..") {
        return Ok(format!("{not}/{}", path(root, bare)?));
    }
    Ok(given.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn code<T>(result: Result<T, Error>) -> Option<&'static str> {
        result.err().map(|error| error.code.as_str())
    }

    #[test]
    fn arguments_out_of_bounds_are_refused() {
        let check = |got: Option<&str>, expect: Option<&str>, what: &str| assert_eq!(got, expect, "{what}");
        check(code(query(" ")), Some("E1006"), "empty query");
        check(code(query(&"q".repeat(100_000))), Some("E1005"), "long query");
        check(code(query("a")), None, "query");
        check(code(top(Some(0), 10)), Some("E1001"), "top 0");
        check(code(top(Some(10_000), 10)), Some("E1001"), "top 10000");
        check(code(top(None, 10)), None, "top");
        check(code(tokens(Some(99))), Some("E1001"), "few tokens");
        check(code(symbol("")), Some("E1006"), "no symbol");
        check(code(symbol("how does it work?")), Some("E1001"), "a sentence");
        check(code(symbol("Orders.total")), None, "symbol");
        let files = |globs: &[&str], language: Option<&str>| {
            let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
            code(filter(Path::new("/w/shop"), &globs, language, None))
        };
        check(files(&["../x"], None), Some("E1205"), "glob outside");
        check(files(&["!/etc/**"], None), Some("E1205"), "absolute glob outside");
        check(files(&["/w/shop/src/*.py"], None), None, "absolute glob inside");
        check(files(&["{a"], None), Some("E1001"), "bad glob");
        check(files(&["a"; 65], None), Some("E1001"), "many globs");
        check(files(&[], Some("cobol")), Some("E1001"), "language");
        check(files(&[], Some("C++")), None, "language by its usual name");
    }

    #[test]
    fn paths_stay_in_the_workspace() {
        let check = |given: &str, expect: Result<&str, &str>| {
            let got = path(Path::new("/w/shop"), given);
            let got = got.as_deref().map_err(|error| error.code.as_str());
            assert_eq!(got, expect, "{given}");
        };
        check("a/b.py", Ok("a/b.py"));
        check("./a//b.py", Ok("a/b.py"));
        check("a/../b.py", Ok("b.py"));
        check("/w/shop/b.py", Ok("b.py"));
        check("../b.py", Err("E1205"));
        check("a/../../b.py", Err("E1205"));
        check("/etc/passwd", Err("E1205"));
        check("/w/shopping/b.py", Err("E1205"));
        check("  ", Err("E1001"));
    }

    #[test]
    fn what_is_not_an_argument_is_named() {
        let check = |arguments: Value, expect: &str| {
            let got = read::<SearchCode>(arguments).unwrap_err().to_string();
            assert!(got.contains(expect), "{got}");
        };
        check(json!({}), "missing field `query`");
        check(json!({"query": 3}), "expected a string");
        check(json!({"query": "a", "topp": 3}), "unknown field `topp`");
        check(json!({"query": "a", "top": -1}), "`-1`");
        assert!(read::<SearchCode>(json!({"query": "a", "top": null, "paths": null})).is_ok());
    }
}
