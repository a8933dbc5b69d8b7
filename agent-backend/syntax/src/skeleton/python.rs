//! The outline of Python, whose blocks are told by indentation.
//!
//! Headers stay as they are; any other statement becomes a `0` in its last row,
//! and so does the whole body of a function.

/// The words that begin a header, or a statement that another may go on with.
const HEADERS: &[&str] = &[
    "async", "class", "def", "elif", "else", "except", "finally", "for", "if", "try", "while", "with",
];
/// What a tab counts, as for the parser.
const TAB_COLUMNS: usize = 8;

/// A line with those that it goes on in.
#[derive(Debug, Clone, Copy)]
struct Line<'t> {
    /// White space in front.
    indent: &'t str,
    what: What<'t>,
    /// Line ends in it, the last one not counted.
    rows: usize,
}

#[derive(Debug, Clone, Copy)]
enum What<'t> {
    Blank,
    Comment,
    /// The code, without a comment at its end.
    Code(&'t str),
}

/// The outline; `None` if the text is not understood.
pub(super) fn of(text: &str) -> Option<String> {
    let mut lines = Lines { text, at: 0 };
    let mut out = String::with_capacity(text.len() / 2);
    let mut body: Option<Body> = None;
    // The statement before, if the next one may stand for both.
    let mut before: Option<(usize, &str)> = None;
    while let Some(line) = lines.next()? {
        if let (Some(inside), What::Code(_)) = (&mut body, line.what) {
            if columns(line.indent) > inside.columns {
                inside.take(&line, &mut out);
                continue;
            }
            (body, before) = (None, None);
        }
        match line.what {
            What::Blank => {}
            What::Comment => {
                out.push_str(line.indent);
                out.push('#');
            }
            What::Code(code) if is_header(code) => {
                before = None;
                out.push_str(line.indent);
                push_header(code, &mut out);
                if is_function(code) && code.ends_with(':') {
                    body = Some(Body {
                        columns: columns(line.indent),
                        last: None,
                    });
                }
            }
            What::Code(_) => {
                if let Some((at, indent)) = before
                    && indent == line.indent
                {
                    out.replace_range(at..=at + indent.len(), "");
                }
                ends(line.rows, &mut out);
                before = Some((out.len(), line.indent));
                out.push_str(line.indent);
                out.push('0');
            }
        }
        out.push('\n');
    }
    Some(out)
}

/// The body of a function.
#[derive(Debug)]
struct Body {
    /// Of its header.
    columns: usize,
    /// Where its last statement is in the outline, behind its indentation.
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    at: usize,
    /// Length of the indentation of the first statement.
    indent: usize,
}

impl Body {
    /// Takes in a statement: what stood for those before it goes.
    fn take(&mut self, line: &Line<'_>, out: &mut String) {
        let indent = match self.last.take() {
            Some(last) => {
                let (before, after) = out.split_at(last.at);
                let indent = before[last.at - last.indent..].to_owned();
                let rows = after.bytes().filter(|byte| *byte == b'\n').count();
                out.truncate(last.at - last.indent);
                ends(rows, out);
                indent
            }
            None => line.indent.to_owned(),
        };
        ends(line.rows, out);
        out.push_str(&indent);
        self.last = Some(Last {
            at: out.len(),
            indent: indent.len(),
        });
        out.push_str("0\n");
    }
}

fn ends(count: usize, out: &mut String) {
    out.extend(std::iter::repeat_n('\n', count));
}

fn columns(indent: &str) -> usize {
    let column = |byte| if byte == b'\t' { TAB_COLUMNS } else { 1 };
    indent.bytes().map(column).sum()
}

fn is_header(code: &str) -> bool {
    let end = code.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let word = &code[..end.unwrap_or(code.len())];
    code.starts_with('@') || code.ends_with(':') || HEADERS.binary_search(&word).is_ok()
}

/// A header; that of a function without its parameters.
fn push_header(code: &str, out: &mut String) {
    let open = code.find('(').filter(|_| is_function(code));
    let parameters = open.and_then(|open| Some((open + 1, closing(code.as_bytes(), open)?)));
    let Some((from, to)) = parameters else {
        out.push_str(code);
        return;
    };
    out.push_str(&code[..from]);
    ends(
        memchr::memchr_iter(b'\n', &code.as_bytes()[from..to]).count(),
        out,
    );
    out.push_str(&code[to..]);
}

/// Where the parenthesis at `at` is closed.
fn closing(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut open = 0_usize;
    loop {
        match bytes.get(at)? {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some(at);
                }
            }
            b'\'' | b'"' => {
                at = behind_string(bytes, at)?;
                continue;
            }
            b'#' => {
                at = behind_row(bytes, at);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

fn is_function(code: &str) -> bool {
    let rest = match code.strip_prefix("async") {
        Some(rest) => rest.trim_start(),
        None => code,
    };
    rest.strip_prefix("def")
        .is_some_and(|rest| rest.starts_with([' ', '\t', '\\']))
}

struct Lines<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lines<'t> {
    /// The next line; `Some(None)` at the end.
    fn next(&mut self) -> Option<Option<Line<'t>>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        if start >= bytes.len() {
            return Some(None);
        }
        let code = start
            + bytes[start..]
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t'))
                .count();
        let line = |what, rows| {
            Some(Some(Line {
                indent: &self.text[start..code],
                what,
                rows,
            }))
        };
        match bytes.get(code) {
            None | Some(b'\n') => {
                self.at = code + 1;
                line(What::Blank, 0)
            }
            Some(b'\r') if bytes.get(code + 1) == Some(&b'\n') => {
                self.at = code + 2;
                line(What::Blank, 0)
            }
            Some(b'#') => {
                self.at = behind_row(bytes, code);
                line(What::Comment, 0)
            }
            Some(_) => {
                let (end, next, rows) = statement(bytes, code)?;
                self.at = next;
                line(What::Code(self.text[code..end].trim_ascii_end()), rows)
            }
        }
    }
}

fn behind_row(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found + 1)
}

/// Where the code of the statement at `at` ends, where the next line begins,
/// and how many line ends are in it.
fn statement(bytes: &[u8], mut at: usize) -> Option<(usize, usize, usize)> {
    let (mut open, mut rows) = (0_usize, 0);
    loop {
        let Some(byte) = bytes.get(at) else {
            return (open == 0).then_some((at, at, rows));
        };
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.checked_sub(1)?,
            b'\'' | b'"' => {
                let end = behind_string(bytes, at)?;
                rows += memchr::memchr_iter(b'\n', &bytes[at..end]).count();
                at = end;
                continue;
            }
            b'#' if open == 0 => return Some((at, behind_row(bytes, at), rows)),
            b'#' => {
                at = behind_row(bytes, at);
                rows += 1;
                continue;
            }
            b'\n' if open == 0 => return Some((at, at + 1, rows)),
            b'\n' => rows += 1,
            b'\\' => {
                let next = at + 1 + usize::from(bytes.get(at + 1) == Some(&b'\r'));
                if bytes.get(next) != Some(&b'\n') {
                    return None;
                }
                rows += 1;
                at = next;
            }
            // A form feed begins the columns anew; a lone return ends a row.
            0x0c => return None,
            b'\r' if bytes.get(at + 1) != Some(&b'\n') => return None,
            _ => {}
        }
        at += 1;
    }
}

fn behind_string(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = bytes[at];
    let is_long = bytes[at..].starts_with(&[quote; 3]);
    let mut at = at + if is_long { 3 } else { 1 };
    loop {
        at += memchr::memchr3(quote, b'\\', b'\n', bytes.get(at..)?)?;
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' if !is_long => return None,
            b'\n' => at += 1,
            _ if !is_long => return Some(at + 1),
            _ if bytes[at..].starts_with(&[quote; 3]) => return Some(at + 3),
            _ => at += 1,
        }
    }
}
