//! Colours for code, line by line: comments, strings, numbers, keywords and
//! names that are called. It is a scanner, not a parser: a string or comment
//! that spans lines is coloured on the line where it begins only.

use std::ops::Range;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Python.
    Python,
    /// Rust.
    Rust,
    /// JavaScript and TypeScript.
    Script,
    /// Go.
    Go,
    /// Java, C, C++ and their like.
    Curly,
    /// YAML, TOML, shell: `#` begins a comment.
    Hash,
    /// A model's answer: code of some language between prose.
    Answer,
    /// Anything else.
    Plain,
}

impl Language {
    /// The language of a file, told by its name.
    pub fn of_path(path: &str) -> Self {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "py" | "pyi" => Self::Python,
            "rs" => Self::Rust,
            "js" | "jsx" | "ts" | "tsx" | "mjs" | "cjs" => Self::Script,
            "go" => Self::Go,
            "java" | "kt" | "c" | "h" | "cc" | "cpp" | "hpp" | "cs" => Self::Curly,
            "yaml" | "yml" | "toml" | "sh" | "cfg" | "ini" => Self::Hash,
            _ => Self::Plain,
        }
    }

    /// The language a fence names: ` ```python `.
    pub fn of_fence(mark: &str) -> Self {
        let name = mark.split_whitespace().next().unwrap_or("");
        match name.to_ascii_lowercase().as_str() {
            "python" => Self::Python,
            "rust" => Self::Rust,
            "javascript" | "typescript" => Self::Script,
            "golang" => Self::Go,
            "c++" | "csharp" | "kotlin" => Self::Curly,
            "bash" | "shell" => Self::Hash,
            // Some write the extension, some the whole path.
            other => Self::of_path(&format!("x.{}", other.rsplit('.').next().unwrap_or(other))),
        }
    }

    fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::Python => PYTHON,
            Self::Rust => RUST,
            Self::Script => SCRIPT,
            Self::Go => GO,
            Self::Curly => CURLY,
            Self::Answer => ANSWER,
            Self::Hash | Self::Plain => &[],
        }
    }

    fn comment(self) -> &'static [&'static str] {
        match self {
            Self::Python | Self::Hash => &["#"],
            Self::Rust | Self::Script | Self::Go | Self::Curly => &["//", "/*"],
            Self::Answer => &["# ", "//"],
            Self::Plain => &[],
        }
    }

    fn quotes(self) -> &'static [char] {
        match self {
            Self::Python | Self::Hash => &['"', '\''],
            Self::Script | Self::Go => &['"', '\'', '`'],
            // A quote in Rust may begin a lifetime, in prose it is an apostrophe.
            Self::Rust | Self::Curly | Self::Answer => &['"'],
            Self::Plain => &[],
        }
    }
}

/// What a piece of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Token {
    /// A comment.
    Comment,
    /// A string.
    Text,
    /// A number.
    Number,
    /// A keyword.
    Keyword,
    /// A name that is called or defined.
    Call,
}

/// Coloured pieces of a line, in order, as byte ranges.
pub fn tokens(language: Language, line: &str) -> Vec<(Range<usize>, Token)> {
    if language == Language::Plain {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(char) = line[at..].chars().next() {
        let rest = &line[at..];
        if language.comment().iter().any(|mark| rest.starts_with(mark)) {
            found.push((at..line.len(), Token::Comment));
            break;
        }
        let length = if language.quotes().contains(&char) {
            let length = string_len(rest, char);
            found.push((at..at + length, Token::Text));
            length
        } else if char.is_ascii_digit() {
            let length = run(rest, |char| {
                char.is_ascii_alphanumeric() || char == '_' || char == '.'
            });
            found.push((at..at + length, Token::Number));
            length
        } else if char.is_alphabetic() || char == '_' {
            let length = run(rest, |char| char.is_alphanumeric() || char == '_');
            if language.keywords().contains(&&rest[..length]) {
                found.push((at..at + length, Token::Keyword));
            } else if rest[length..].starts_with('(') {
                found.push((at..at + length, Token::Call));
            }
            length
        } else {
            char.len_utf8()
        };
        at += length;
    }
    found
}

fn run(text: &str, inside: impl Fn(char) -> bool) -> usize {
    text.find(|char| !inside(char)).unwrap_or(text.len())
}

/// Bytes of the string literal that `text` begins with, both quotes included.
fn string_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if char == '\\' {
            escaped = true;
        } else if char == quote {
            return at + char.len_utf8();
        }
    }
    text.len()
}

const PYTHON: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "not", "or", "pass", "raise", "return", "self", "try", "while", "with", "yield",
];
const RUST: &[&str] = &[
    "Self", "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
];
const SCRIPT: &[&str] = &[
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "default",
    "delete",
    "else",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "from",
    "function",
    "if",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "of",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "type",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "yield",
];
const GO: &[&str] = &[
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "false",
    "for",
    "func",
    "go",
    "if",
    "import",
    "interface",
    "map",
    "nil",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "true",
    "type",
    "var",
];
const CURLY: &[&str] = &[
    "auto",
    "bool",
    "boolean",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extends",
    "false",
    "final",
    "float",
    "for",
    "if",
    "implements",
    "import",
    "int",
    "interface",
    "long",
    "namespace",
    "new",
    "null",
    "nullptr",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "short",
    "static",
    "struct",
    "switch",
    "template",
    "this",
    "throw",
    "throws",
    "true",
    "try",
    "typedef",
    "using",
    "virtual",
    "void",
    "while",
];
/// Only words that are rare in prose.
const ANSWER: &[&str] = &[
    "None", "async", "await", "class", "const", "def", "elif", "else", "fn", "func", "function", "impl",
    "import", "let", "mut", "pub", "raise", "return", "self", "struct", "var",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: Language, line: &str, expect: &[(&str, Token)]) {
        let found: Vec<(&str, Token)> = tokens(language, line)
            .into_iter()
            .map(|(range, token)| (&line[range], token))
            .collect();
        assert_eq!(found, expect, "{line}");
    }

    #[test]
    fn lines() {
        use Token::{Call, Comment, Keyword, Number, Text};
        check(
            Language::Python,
            "def sum(a, b):  # why",
            &[("def", Keyword), ("sum", Call), ("# why", Comment)],
        );
        check(
            Language::Python,
            r#"x = "a\"b" + 12.5"#,
            &[(r#""a\"b""#, Text), ("12.5", Number)],
        );
        check(Language::Python, "s = 'open", &[("'open", Text)]);
        check(
            Language::Rust,
            "let x: &'a str = f(1_0); // ü",
            &[("let", Keyword), ("f", Call), ("1_0", Number), ("// ü", Comment)],
        );
        check(Language::Plain, "return 1", &[]);
        check(Language::Answer, "it's prose", &[]);
        check(
            Language::Hash,
            "größe: 1 # 世界",
            &[("1", Number), ("# 世界", Comment)],
        );
    }

    #[test]
    fn names() {
        assert_eq!(Language::of_path("a/b.py"), Language::Python);
        assert_eq!(Language::of_path("Makefile"), Language::Plain);
    }
}
