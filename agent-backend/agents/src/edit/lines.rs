//! A text as lines that keep their own ends, so that what is not edited stays
//! as it was, byte for byte.

/// Byte-order mark that some editors put first.
pub(super) const BOM: &str = "\u{feff}";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Without its end.
    pub text: &'a str,
    /// `\n`, `\r\n`, or nothing for a last line without one.
    pub end: &'static str,
}

/// How a file is written, apart from what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub bom: bool,
    /// The end that most lines have.
    pub end: &'static str,
    pub final_end: bool,
}

/// Shape of an existing text; an empty one is like a new file.
pub(super) fn shape(text: &str) -> Shape {
    let bom = text.starts_with(BOM);
    let (mut lf, mut crlf) = (0_usize, 0_usize);
    for line in text.split_inclusive('\n') {
        if line.ends_with("\r\n") {
            crlf += 1;
        } else if line.ends_with('\n') {
            lf += 1;
        }
    }
    let end = if crlf > lf { "\r\n" } else { "\n" };
    let body = text.strip_prefix(BOM).unwrap_or(text);
    Shape {
        bom,
        end,
        final_end: body.is_empty() || body.ends_with('\n'),
    }
}

/// The lines of a text without its byte-order mark.
pub(super) fn split(text: &str) -> Vec<Line<'_>> {
    text.strip_prefix(BOM)
        .unwrap_or(text)
        .split_inclusive('\n')
        .map(
            |line| match (line.strip_suffix("\r\n"), line.strip_suffix('\n')) {
                (Some(text), _) => Line { text, end: "\r\n" },
                (None, Some(text)) => Line { text, end: "\n" },
                (None, None) => Line { text: line, end: "" },
            },
        )
        .collect()
}

/// Puts lines together in `shape`: all but the last get an end if they have
/// none, the last as the shape says.
pub(super) fn join(lines: &[Line<'_>], shape: Shape) -> String {
    let mut text = String::new();
    if shape.bom {
        text.push_str(BOM);
    }
    for (index, line) in lines.iter().enumerate() {
        text.push_str(line.text);
        let last = index + 1 == lines.len();
        if last && !shape.final_end {
            break;
        }
        text.push_str(if line.end.is_empty() { shape.end } else { line.end });
    }
    text
}

/// The lines of one side of a block.
pub(super) fn plain(text: &str) -> Vec<&str> {
    text.lines().collect()
}
