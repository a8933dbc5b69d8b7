//! What a server has to say of a place in a file. Knows how it came.

use std::fmt;

use crate::limits::TEXT_BYTES_MAX;

/// A place in a text: line from 0, character from 0 in UTF-16 units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// From 0.
    pub line: u32,
    /// From 0, in UTF-16 units.
    pub character: u32,
}

/// A part of a text, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first character.
    pub start: Position,
    /// Behind the last.
    pub end: Position,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The code is wrong.
    Error,
    /// The code may be wrong.
    Warning,
    /// Good to know.
    Information,
    /// A suggestion.
    Hint,
}

/// One finding of a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Diagnostic {
    /// Relative to the root, with `/`.
    pub path: String,
    /// Where.
    pub range: Range,
    /// How bad. What a server leaves open is an error.
    pub severity: Severity,
    /// The rule or error number, as the server writes it.
    pub code: Option<String>,
    /// Which tool says so.
    pub source: Option<String>,
    /// In words, perhaps on several lines; at most 4 KiB.
    pub message: String,
}

/// `path:line:column: severity: message [code]`, counted from 1, on one line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, character } = self.range.start;
        let (line, column) = (u64::from(line) + 1, u64::from(character) + 1);
        let message = self.message.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "{}:{line}:{column}: {}: {message}", self.path, self.severity)?;
        match &self.code {
            Some(code) => write!(f, " [{code}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
            Self::Hint => "hint",
        })
    }
}

impl Diagnostic {
    pub(crate) fn of(path: &str, found: lsp_types::Diagnostic) -> Self {
        let severity = match found.severity {
            Some(lsp_types::DiagnosticSeverity::WARNING) => Severity::Warning,
            Some(lsp_types::DiagnosticSeverity::INFORMATION) => Severity::Information,
            Some(lsp_types::DiagnosticSeverity::HINT) => Severity::Hint,
            _ => Severity::Error,
        };
        Self {
            path: path.to_owned(),
            range: found.range.into(),
            severity,
            code: found.code.map(|code| match code {
                lsp_types::NumberOrString::Number(number) => number.to_string(),
                lsp_types::NumberOrString::String(text) => cut(text, TEXT_BYTES_MAX),
            }),
            source: found.source.map(|source| cut(source, TEXT_BYTES_MAX)),
            message: cut(found.message, TEXT_BYTES_MAX),
        }
    }
}

impl From<lsp_types::Range> for Range {
    fn from(range: lsp_types::Range) -> Self {
        Self {
            start: range.start.into(),
            end: range.end.into(),
        }
    }
}

impl From<lsp_types::Position> for Position {
    fn from(position: lsp_types::Position) -> Self {
        Self {
            line: position.line,
            character: position.character,
        }
    }
}

impl From<Position> for lsp_types::Position {
    fn from(position: Position) -> Self {
        Self::new(position.line, position.character)
    }
}

/// At most this many bytes of a text, and a sign that there were more.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
    text
}
