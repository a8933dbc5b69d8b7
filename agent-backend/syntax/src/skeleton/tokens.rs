//! The tokens of a text, as far as braces are concerned: what is in comments,
//! strings and preprocessor lines is passed over. Pure.

use super::Family;
use super::bytes::{self, BEGINS, is_word};
use super::gaps::Gaps;

/// Template strings in template strings.
const TEMPLATES_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    Word(&'t str),
    /// A parenthesis or bracket.
    Open,
    Close,
    BraceOpen,
    BraceClose,
    /// A semicolon.
    End,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub kind: Kind<'t>,
    /// Where it begins.
    pub at: usize,
    /// Whether it begins in the first column.
    pub begins_line: bool,
    /// The last byte of the token before it; 0 if there is none.
    pub before: u8,
    /// The token before it, if that was a word.
    pub word_before: &'t str,
}

pub(super) struct Tokens<'t> {
    family: Family,
    text: &'t str,
    pub bytes: &'t [u8],
    at: usize,
    before: u8,
    word_before: &'t str,
    templates: usize,
    /// What is inside of comments and strings.
    pub gaps: Gaps,
    /// Whether the strings that follow may be names.
    pub strings: Strings,
    /// Where the last line of the preprocessor is.
    pub directive_at: Option<usize>,
}

/// What strings are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    Hidden,
    /// They may be names.
    Kept,
}

impl<'t> Tokens<'t> {
    pub fn new(family: Family, text: &'t str) -> Self {
        let mut tokens = Self {
            family,
            text,
            bytes: text.as_bytes(),
            at: 0,
            before: 0,
            word_before: "",
            templates: 0,
            gaps: Gaps::default(),
            strings: Strings::Hidden,
            directive_at: None,
        };
        if family == Family::Script && text.starts_with("#!") {
            tokens.line();
            tokens.gaps = Gaps::default();
        }
        tokens
    }

    /// The next token; `Some(None)` at the end, `None` if the text is not
    /// understood.
    pub fn next(&mut self) -> Option<Option<Token<'t>>> {
        loop {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Some(None);
            };
            if byte.is_ascii_whitespace() {
                self.at += 1;
            } else if !BEGINS[usize::from(byte)] || !self.pass_over(byte)? {
                return Some(Some(self.token(byte)));
            }
        }
    }

    /// Whether the token before is this word.
    pub fn follows(&self, word: &str) -> bool {
        self.word_before == word
    }

    /// Where the brace ends that was just opened. In C, the brace of a function
    /// (`is_top`) is the one in the first column: if another is there, the
    /// preprocessor made two of one.
    pub fn closing(&mut self, is_top: bool) -> Option<usize> {
        let mut depth = 1_usize;
        loop {
            let token = self.next()??;
            match token.kind {
                Kind::BraceOpen => depth += 1,
                Kind::BraceClose => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(token.at);
                    }
                    if is_top && self.family == Family::C && token.begins_line {
                        return None;
                    }
                }
                Kind::Word(_) | Kind::Open | Kind::Close | Kind::End | Kind::Other => {}
            }
        }
    }

    /// Whether the token is a parenthesis and no bracket.
    pub fn is_parenthesis(&self, token: &Token<'_>) -> bool {
        self.bytes[token.at] == b'('
    }

    /// Where the parenthesis ends that was just opened.
    pub fn closing_parenthesis(&mut self) -> Option<usize> {
        let mut depth = 1_usize;
        loop {
            let token = self.next()??;
            match token.kind {
                Kind::Open | Kind::BraceOpen => depth += 1,
                Kind::Close | Kind::BraceClose => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(token.at);
                    }
                }
                Kind::Word(_) | Kind::End | Kind::Other => {}
            }
        }
    }

    fn token(&mut self, byte: u8) -> Token<'t> {
        let at = self.at;
        let kind = match byte {
            b'(' | b'[' => Kind::Open,
            b')' | b']' => Kind::Close,
            b'{' => Kind::BraceOpen,
            b'}' => Kind::BraceClose,
            b';' => Kind::End,
            _ if is_word(byte) => {
                let rest = &self.bytes[at..];
                let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                self.at += length - 1;
                Kind::Word(&self.text[at..at + length])
            }
            _ => Kind::Other,
        };
        self.at += 1;
        let token = Token {
            kind,
            at,
            begins_line: at == 0 || self.bytes[at - 1] == b'\n',
            before: self.before,
            word_before: self.word_before,
        };
        self.before = self.bytes[self.at - 1];
        self.word_before = match kind {
            Kind::Word(word) => word,
            Kind::Open | Kind::Close | Kind::BraceOpen | Kind::BraceClose | Kind::End | Kind::Other => "",
        };
        token
    }

    /// Whether what begins here is a comment, a literal or a preprocessor line;
    /// then it is behind.
    fn pass_over(&mut self, byte: u8) -> Option<bool> {
        let next = self.bytes.get(self.at + 1).copied().unwrap_or_default();
        match (byte, next) {
            (b'/', b'/') => self.line(),
            (b'/', b'*') => self.block_comment()?,
            (b'/', _) if self.family == Family::Script && self.begins_regex() => {
                self.regex()?;
                self.literal();
            }
            (b'"', _) => {
                let from = self.at;
                let quotes = if self.family == Family::Java && self.bytes[from..].starts_with(b"\"\"\"") {
                    self.until(3, b"\"\"\"")?;
                    3
                } else {
                    self.quoted(byte, self.family == Family::Rust)?;
                    1
                };
                self.hide_string(from + quotes, self.at - quotes);
                self.literal();
            }
            (b'\'', _) => {
                if !self.quote()? {
                    return Some(false);
                }
            }
            (b'`', _) if self.family == Family::Go => {
                let from = self.at + 1;
                self.until(1, b"`")?;
                self.hide_string(from, self.at - 1);
                self.literal();
            }
            (b'`', _) if self.family == Family::Script => {
                self.template()?;
                self.literal();
            }
            (b'#', _) if matches!(self.family, Family::C | Family::Cpp) => self.preprocessor()?,
            (b'r' | b'b' | b'c', _) if self.family == Family::Rust => return self.raw_string(),
            (b'R', b'"') if self.family == Family::Cpp => {
                let from = self.at + 2;
                let open = from + memchr::memchr(b'(', &self.bytes[from..])?;
                let end = [b")", &self.bytes[from..open], b"\""].concat();
                self.at = open;
                self.until(1, &end)?;
                self.literal();
            }
            _ => return Some(false),
        }
        Some(true)
    }

    /// What is behind was a value.
    fn literal(&mut self) {
        self.before = b'"';
        self.word_before = "";
    }

    fn line(&mut self) {
        let from = self.at;
        let rest = &self.bytes[from..];
        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        // In C it goes on in the next line after a backslash.
        if self.bytes[..self.at].trim_ascii_end().ends_with(b"\\") {
            return;
        }
        if bytes::begins_line(self.bytes, from) {
            self.gaps.comment(self.bytes, from, self.at);
        } else {
            self.gaps.add(from + 2, self.at);
        }
    }

    fn hide_string(&mut self, from: usize, to: usize) {
        if self.strings == Strings::Hidden {
            self.gaps.add(from, to);
        }
    }

    /// Goes behind the next `end` after `skip` bytes.
    fn until(&mut self, skip: usize, end: &[u8]) -> Option<()> {
        let from = self.at + skip;
        self.at = from + memchr::memmem::find(self.bytes.get(from..)?, end)? + end.len();
        Some(())
    }

    fn block_comment(&mut self) -> Option<()> {
        let from = self.at + 2;
        self.behind_comment()?;
        self.gaps.add(from, self.at.saturating_sub(2));
        Some(())
    }

    fn behind_comment(&mut self) -> Option<()> {
        if self.family != Family::Rust {
            return self.until(2, b"*/");
        }
        // Rust's are nested.
        let mut depth = 0_usize;
        loop {
            let at = self.at + memchr::memchr2(b'/', b'*', self.bytes.get(self.at..)?)?;
            match self.bytes.get(at..at + 2)? {
                b"/*" => depth += 1,
                b"*/" => depth -= 1,
                _ => {
                    self.at = at + 1;
                    continue;
                }
            }
            self.at = at + 2;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Goes behind a string between two `quote`s.
    fn quoted(&mut self, quote: u8, has_lines: bool) -> Option<()> {
        let mut at = self.at + 1;
        loop {
            match *self.bytes.get(at)? {
                b'\\' => at += 2,
                b'\n' if !has_lines => return None,
                byte if byte == quote => break,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Some(())
    }

    /// Goes behind what a single quote begins; `false` if it is a lifetime or
    /// stands between digits.
    fn quote(&mut self) -> Option<bool> {
        let follows_word = self.at > 0 && is_word(self.bytes[self.at - 1]);
        match self.family {
            Family::Rust => {
                let rest = &self.text[self.at + 1..];
                let mut chars = rest.chars();
                let (first, second) = (chars.next()?, chars.next());
                if first != '\\' && second != Some('\'') {
                    return Some(false);
                }
            }
            Family::C | Family::Cpp
                if follows_word && self.word_before.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                return Some(false);
            }
            Family::Script | Family::Go | Family::Java | Family::C | Family::Cpp => {}
        }
        let from = self.at + 1;
        self.quoted(b'\'', false)?;
        if self.family == Family::Script {
            self.hide_string(from, self.at - 1);
        }
        self.literal();
        Some(true)
    }

    /// `r"…"`, `r#"…"#` and their kin, and `b"…"`.
    fn raw_string(&mut self) -> Option<bool> {
        if self.at > 0 && is_word(self.bytes[self.at - 1]) {
            return Some(false);
        }
        let rest = &self.bytes[self.at..];
        let letters = rest
            .iter()
            .take(2)
            .take_while(|byte| b"rbc".contains(byte))
            .count();
        let hashes = rest[letters..].iter().take_while(|byte| **byte == b'#').count();
        let is_raw = rest[..letters].contains(&b'r');
        if rest.get(letters + hashes) != Some(&b'"') || (hashes > 0 && !is_raw) {
            return Some(false);
        }
        let from = self.at + letters + hashes + 1;
        if is_raw {
            let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            self.until(letters + hashes + 1, &end)?;
        } else {
            self.at += letters;
            self.quoted(b'"', true)?;
        }
        self.hide_string(from, self.at - 1 - hashes);
        self.literal();
        Some(true)
    }

    /// Goes behind a line that may go on in the next one and hold a comment.
    fn preprocessor(&mut self) -> Option<()> {
        self.directive_at = Some(self.at);
        let from = behind_name(&self.bytes[self.at..]).map(|length| self.at + length);
        self.directive()?;
        if let Some(from) = from {
            self.gaps.add(from, self.at);
        }
        Some(())
    }

    fn directive(&mut self) -> Option<()> {
        loop {
            let rest = &self.bytes[self.at..];
            let Some(found) = memchr::memchr2(b'\n', b'/', rest) else {
                self.at = self.bytes.len();
                return Some(());
            };
            self.at += found;
            if rest[found] == b'/' {
                match rest.get(found + 1) {
                    Some(b'*') => self.until(2, b"*/")?,
                    _ => self.at += 1,
                }
                continue;
            }
            let is_continued = rest[..found].trim_ascii_end().ends_with(b"\\");
            if !is_continued {
                return Some(());
            }
            self.at += 1;
        }
    }

    /// Whether a slash begins a regular expression and divides nothing.
    fn begins_regex(&self) -> bool {
        match self.word_before {
            "" => !matches!(self.before, b')' | b']' | b'}' | b'"' | b'<'),
            word => matches!(
                word,
                "return"
                    | "typeof"
                    | "case"
                    | "in"
                    | "of"
                    | "delete"
                    | "void"
                    | "throw"
                    | "new"
                    | "else"
                    | "do"
                    | "await"
                    | "yield"
            ),
        }
    }

    fn regex(&mut self) -> Option<()> {
        let mut in_class = false;
        let mut at = self.at + 1;
        loop {
            match *self.bytes.get(at)? {
                b'\\' => at += 1,
                b'\n' => return None,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => break,
                _ => {}
            }
            at += 1;
        }
        self.at = at + 1;
        Some(())
    }

    /// Goes behind a template string and what is embedded in it.
    fn template(&mut self) -> Option<()> {
        self.templates += 1;
        if self.templates > TEMPLATES_MAX {
            return None;
        }
        self.at += 1;
        loop {
            let at = self.at + memchr::memchr3(b'`', b'\\', b'$', self.bytes.get(self.at..)?)?;
            self.at = at + 1;
            match (self.bytes[at], self.bytes.get(at + 1)) {
                (b'`', _) => break,
                (b'\\', _) => self.at += 1,
                (_, Some(b'{')) => {
                    self.at += 1;
                    self.before = b'{';
                    self.word_before = "";
                    self.closing(false)?;
                }
                _ => {}
            }
        }
        self.templates -= 1;
        Some(())
    }
}

/// How long `#define` with the name is at the beginning of a line.
fn behind_name(line: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(b"#")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"define")?;
    let name = rest.trim_ascii_start();
    let end = name.iter().position(|byte| !is_word(*byte)).unwrap_or(name.len());
    (end > 0 && name.len() < rest.len()).then(|| line.len() - name.len() + end)
}
