//! Newline-delimited JSON, cut into lines from pieces that end anywhere: in the
//! middle of a line, of a number, of a UTF-8 character. Pure: bytes in, lines
//! out; knows neither sockets nor what the lines say.

/// A line grew past the limit without ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {limit_bytes} bytes")]
pub struct Overlong {
    /// The limit.
    pub limit_bytes: usize,
}

/// Collects pieces and gives out whole lines. Holds at most one unfinished line
/// of the limit and the lines of one piece.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the first line not given out begins.
    start: usize,
    /// Up to here there is no line end, so that a long line is not searched
    /// anew with every piece.
    searched: usize,
    limit_bytes: usize,
}

impl Decoder {
    /// A decoder for lines of at most `limit_bytes`, line end not counted.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            limit_bytes,
        }
    }

    /// Adds a piece as it came.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole line without its end; blank lines are left out. `None`
    /// until another piece completes one.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, Overlong> {
        loop {
            let rest = &self.buffer[self.searched..];
            let Some(end) = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|at| self.searched + at)
            else {
                self.searched = self.buffer.len();
                return self
                    .bounded(self.start, self.buffer.len())
                    .map(|_unfinished| None);
            };
            let start = std::mem::replace(&mut self.start, end + 1);
            self.searched = end + 1;
            if !self.buffer[start..end].trim_ascii().is_empty() {
                return self.bounded(start, end).map(Some);
            }
        }
    }

    /// What is left when the stream has ended without a line end.
    pub fn remainder(&self) -> Option<&[u8]> {
        let rest = self.buffer[self.start..].trim_ascii();
        (!rest.is_empty()).then_some(rest)
    }

    fn bounded(&self, start: usize, end: usize) -> Result<&[u8], Overlong> {
        if end - start > self.limit_bytes {
            return Err(Overlong {
                limit_bytes: self.limit_bytes,
            });
        }
        Ok(self.buffer[start..end].trim_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 16;

    /// Feeds the pieces and lists the lines, then what is left over as `…rest`.
    fn check(pieces: &[&[u8]], expect: &[&str]) {
        let mut decoder = Decoder::new(LIMIT);
        let mut lines = Vec::new();
        'pieces: for piece in pieces {
            decoder.push(piece);
            loop {
                match decoder.next_line() {
                    Ok(Some(line)) => lines.push(String::from_utf8(line.to_vec()).unwrap()),
                    Ok(None) => break,
                    Err(error) => {
                        lines.push(format!("error: {error}"));
                        break 'pieces;
                    }
                }
            }
        }
        if !lines.last().is_some_and(|line| line.starts_with("error"))
            && let Some(rest) = decoder.remainder()
        {
            lines.push(format!("…{}", String::from_utf8_lossy(rest)));
        }
        assert_eq!(lines, expect);
    }

    #[test]
    fn lines() {
        check(&[], &[]);
        check(&[b"{}\n"], &["{}"]);
        check(&[b"{}\n[]\n"], &["{}", "[]"]);
        check(&[b"{}\r\n\r\n\n[]\r\n"], &["{}", "[]"]);
        check(&[b"{\"a\"", b":1}", b"\n{"], &["{\"a\":1}", "…{"]);
        check(&[b"", b"\n", b""], &[]);
        check(&[b"last"], &["…last"]);
    }

    #[test]
    fn a_character_cut_in_two() {
        let text = "\"é😀\"\n".as_bytes();
        for cut in 0..text.len() {
            check(&[&text[..cut], &text[cut..]], &["\"é😀\""]);
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        check(&single, &["\"é😀\""]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        check(&[b"1234567890123456\n"], &["1234567890123456"]);
        check(
            &[b"12345678901234567\n"],
            &["error: a line is longer than 16 bytes"],
        );
        check(
            &[b"1234567890", b"12345678"],
            &["error: a line is longer than 16 bytes"],
        );
        check(
            &[b"{}\n", b"1234567890123456789"],
            &["{}", "error: a line is longer than 16 bytes"],
        );
    }
}
