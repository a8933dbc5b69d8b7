//! Text files and the conventions they keep: byte-order mark, line endings,
//! final newline. Knows no file system.

use crate::{Error, diff, limits::FILE_BYTES_MAX};

/// UTF-8's byte-order mark.
pub(crate) const BOM: &str = "\u{feff}";

/// A text file as it is and as a model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// The text without byte-order mark, every line ending as `\n`.
    pub text: String,
    /// Its encoding.
    pub encoding: Encoding,
    /// Its line endings.
    pub eol: Eol,
    /// Whether it begins with a byte-order mark.
    pub bom: Bom,
    /// Whether its last line ends with a line ending; an empty file counts as
    /// ended.
    pub final_newline: FinalNewline,
    /// Permission bits, for example `0o644`.
    pub mode: u32,
}

/// Encodings that can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, which includes ASCII.
    Utf8,
}

/// Line endings of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eol {
    /// `\n`, or no line ending at all.
    Lf,
    /// `\r\n` throughout.
    Crlf,
    /// Both; `Mixed` names the more frequent one.
    Mixed(Dominant),
}

/// The more frequent line ending of a mixed file; it ends new lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dominant {
    /// `\n`.
    Lf,
    /// `\r\n`.
    Crlf,
}

/// A byte-order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bom {
    /// The file begins with one.
    Present,
    /// It does not.
    Absent,
}

/// The end of the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalNewline {
    /// The last line is ended.
    Present,
    /// The last line is not ended.
    Absent,
}

/// Reads bytes as text. `path` is for messages.
///
/// # Errors
/// E1207 if they are not UTF-8 text, E1208 if they are too many.
pub fn parse(path: &str, bytes: Vec<u8>, mode: u32) -> Result<TextFile, Error> {
    let not_text = |reason| Error::NotText {
        path: path.to_owned(),
        reason,
    };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            max: FILE_BYTES_MAX,
        });
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(not_text("it is UTF-16; only UTF-8 is supported"));
    }
    if bytes.contains(&0) {
        return Err(not_text("it is binary"));
    }
    let Ok(raw) = std::str::from_utf8(&bytes) else {
        return Err(not_text("it is not UTF-8"));
    };
    let (bom, body) = match raw.strip_prefix(BOM) {
        Some(body) => (Bom::Present, body),
        None => (Bom::Absent, raw),
    };
    let crlf = body.matches("\r\n").count();
    let lf = body.matches('\n').count() - crlf;
    let eol = match (crlf, lf) {
        (0, _) => Eol::Lf,
        (_, 0) => Eol::Crlf,
        (crlf, lf) if crlf > lf => Eol::Mixed(Dominant::Crlf),
        (_, _) => Eol::Mixed(Dominant::Lf),
    };
    let ended = body.is_empty() || body.ends_with('\n');
    let final_newline = if ended {
        FinalNewline::Present
    } else {
        FinalNewline::Absent
    };
    let text = body.replace("\r\n", "\n");
    Ok(TextFile {
        text,
        encoding: Encoding::Utf8,
        eol,
        bom,
        final_newline,
        mode,
        bytes,
    })
}

impl TextFile {
    /// `text` with this file's conventions: the bytes to write. Lines that did
    /// not change keep their own bytes.
    pub fn encode(&self, text: &str) -> Vec<u8> {
        let mut text = plain(text);
        match self.final_newline {
            FinalNewline::Present => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
            }
            FinalNewline::Absent => {
                if text.ends_with('\n') {
                    text.pop();
                }
            }
        }
        let body = match self.eol {
            Eol::Lf => text,
            Eol::Crlf => text.replace('\n', "\r\n"),
            Eol::Mixed(dominant) => self.encode_mixed(&text, dominant),
        };
        match self.bom {
            Bom::Present => format!("{BOM}{body}").into_bytes(),
            Bom::Absent => body.into_bytes(),
        }
    }

    fn encode_mixed(&self, text: &str, dominant: Dominant) -> String {
        let raw = String::from_utf8_lossy(&self.bytes);
        let raw_lines = diff::lines(raw.strip_prefix(BOM).unwrap_or(&raw));
        let old_lines = diff::lines(&self.text);
        let new_lines = diff::lines(text);
        let mut out = String::new();
        for (old, new) in diff::aligned(&old_lines, &new_lines) {
            match old {
                Some(old) => out.push_str(raw_lines[old]),
                None => match (dominant, new_lines[new].strip_suffix('\n')) {
                    (Dominant::Crlf, Some(line)) => {
                        out.push_str(line);
                        out.push_str("\r\n");
                    }
                    (Dominant::Lf, Some(_)) | (_, None) => out.push_str(new_lines[new]),
                },
            }
        }
        out
    }
}

/// The bytes of a new file.
pub(crate) fn encode_new(text: &str) -> Vec<u8> {
    let mut text = plain(text);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.into_bytes()
}

/// What a model writes, with `\n` endings and without a byte-order mark.
pub(crate) fn plain(text: &str) -> String {
    text.strip_prefix(BOM).unwrap_or(text).replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::error::Code;

    fn file(raw: &str) -> TextFile {
        parse("f", raw.as_bytes().to_vec(), 0o644).unwrap()
    }

    /// Reads `raw`, writes `text` in its place.
    fn check(raw: &str, text: &str, expect: &str) {
        assert_eq!(String::from_utf8(file(raw).encode(text)).unwrap(), expect);
    }

    #[test]
    fn every_convention_is_kept() {
        check("a\nb\n", "a\nc\n", "a\nc\n");
        check("a\nb\n", "a\nc", "a\nc\n");
        check("a\nb", "a\nc\n", "a\nc");
        check("a\r\nb\r\n", "a\nc\n", "a\r\nc\r\n");
        check("a\r\nb\r\n", "a\r\nc\r\n", "a\r\nc\r\n");
        check("a\r\nb", "a\nb\nc\n", "a\r\nb\r\nc");
        check("\u{feff}a\n", "b\n", "\u{feff}b\n");
        check("\u{feff}a\r\n", "\u{feff}b\n", "\u{feff}b\r\n");
        check("a\n", "", "");
        check("", "a", "a\n");
    }

    #[test]
    fn mixed_files_keep_each_line() {
        check("a\r\nb\nc\r\n", "a\nb\nX\nc\n", "a\r\nb\nX\r\nc\r\n");
        check("a\nb\r\nc\n", "a\nb\nc\nX\n", "a\nb\r\nc\nX\n");
        check("a\nb\r\nc", "a\nb\nX\n", "a\nb\r\nX");
    }

    #[test]
    fn encoding_the_own_text_changes_nothing() {
        for raw in [
            "",
            "a",
            "a\n",
            "a\r\n",
            "a\r\nb\n",
            "\u{feff}",
            "\u{feff}a\r\nb",
            "\n\n",
            "a\rb\n",
        ] {
            let file = file(raw);
            assert_eq!(file.encode(&file.text), raw.as_bytes(), "{raw:?}");
        }
    }

    #[test]
    fn what_is_not_utf8_text_is_refused() {
        let check = |bytes: &[u8], expect| {
            assert_eq!(
                parse("f", bytes.to_vec(), 0o644).map_err(|error| error.code()),
                Err(expect)
            );
        };
        check(b"a\0b", Code::FileNotText);
        check(b"caf\xe9", Code::FileNotText);
        check(b"\xff\xfea\0", Code::FileNotText);
        check(&vec![b'a'; FILE_BYTES_MAX as usize + 1], Code::FileTooLarge);
    }
}
