//! Server-sent events (WHATWG HTML, section 9.2), cut out of pieces that end
//! anywhere. Pure: bytes in, events out; knows neither sockets nor what the
//! events say.

/// One event. Ids, retry times and comments are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The name; empty if it has none.
    pub name: String,
    /// The data, its lines joined with line feeds. Never empty.
    pub data: String,
}

/// What cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An event grew past the limit without ending.
    #[error("an event is longer than {limit_bytes} bytes")]
    Overlong {
        /// The limit.
        limit_bytes: usize,
    },
    /// Bytes that are no text.
    #[error("an event is not UTF-8")]
    NotUtf8,
}

/// Collects pieces and gives out whole events. Holds at most one unfinished
/// event of the limit and one piece.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the first line not taken begins.
    start: usize,
    /// Up to here there is no line end, so that a long line is not searched
    /// anew with every piece.
    searched: usize,
    /// The line before ended in a carriage return, so a line feed right after
    /// it belongs to it.
    after_cr: bool,
    name: Vec<u8>,
    data: Vec<u8>,
    limit_bytes: usize,
}

impl Decoder {
    /// A decoder for events of at most `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            after_cr: false,
            name: Vec::new(),
            data: Vec::new(),
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

    /// The next whole event; `None` until another piece completes one.
    pub fn next_event(&mut self) -> Result<Option<Event>, Broken> {
        loop {
            if self.after_cr && self.start < self.buffer.len() {
                self.after_cr = false;
                if self.buffer[self.start] == b'\n' {
                    self.start += 1;
                    self.searched = self.searched.max(self.start);
                }
            }
            let found = memchr::memchr2(b'\n', b'\r', &self.buffer[self.searched..]);
            let Some(end) = found.map(|at| self.searched + at) else {
                self.searched = self.buffer.len();
                return self.bounded(self.buffer.len() - self.start).map(|()| None);
            };
            self.after_cr = self.buffer[end] == b'\r';
            let line = std::mem::replace(&mut self.start, end + 1)..end;
            self.searched = end + 1;
            self.bounded(line.len())?;
            if line.is_empty() {
                if let Some(event) = self.dispatch()? {
                    return Ok(Some(event));
                }
            } else {
                self.line(line);
            }
        }
    }

    /// What is left when the stream has ended as it should: some servers leave
    /// out the blank line after the last event.
    pub fn finish(&mut self) -> Result<Option<Event>, Broken> {
        let rest = self.start..self.buffer.len();
        self.start = self.buffer.len();
        self.searched = self.buffer.len();
        if !rest.is_empty() {
            self.line(rest);
        }
        self.dispatch()
    }

    fn line(&mut self, line: std::ops::Range<usize>) {
        let line = &self.buffer[line];
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Result<Option<Event>, Broken> {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if data.is_empty() {
            return Ok(None);
        }
        let text = |bytes| String::from_utf8(bytes).map_err(|_| Broken::NotUtf8);
        Ok(Some(Event {
            name: text(name)?,
            data: text(data)?,
        }))
    }

    fn bounded(&self, line_bytes: usize) -> Result<(), Broken> {
        if self.data.len() + line_bytes > self.limit_bytes {
            return Err(Broken::Overlong {
                limit_bytes: self.limit_bytes,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 32;

    /// Feeds the pieces and lists the events as `name|data`, then what the end
    /// gives as `…name|data`.
    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::new(LIMIT);
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            loop {
                match decoder.next_event() {
                    Ok(Some(event)) => events.push(format!("{}|{}", event.name, event.data)),
                    Ok(None) => break,
                    Err(error) => {
                        events.push(format!("error: {error}"));
                        return events;
                    }
                }
            }
        }
        match decoder.finish() {
            Ok(Some(event)) => events.push(format!("…{}|{}", event.name, event.data)),
            Ok(None) => {}
            Err(error) => events.push(format!("error: {error}")),
        }
        events
    }

    fn check(pieces: &[&[u8]], expect: &[&str]) {
        assert_eq!(read(pieces), expect, "{pieces:?}");
    }

    #[test]
    fn events() {
        check(&[], &[]);
        check(&[b"data: {}\n\n"], &["|{}"]);
        check(&[b"data:{}\n\ndata: []\n\n"], &["|{}", "|[]"]);
        check(&[b"event: ping\ndata: {}\n\n"], &["ping|{}"]);
        check(&[b": comment\n\nid: 7\nretry: 1\n\n"], &[]);
        check(&[b"event: ping\n\ndata: x\n\n"], &["|x"]);
        check(&[b"data: a\ndata: b\n\n"], &["|a\nb"]);
        check(&[b"data: [DONE]"], &["…|[DONE]"]);
        check(&[b"data: x\n"], &["…|x"]);
        check(&[b"data\n\n"], &[]);
    }

    #[test]
    fn every_line_end_wherever_it_is_cut() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("event: a{end}data: é😀{end}{end}data: 2{end}{end}");
            let bytes = text.as_bytes();
            check(&[bytes], &["a|é😀", "|2"]);
            for cut in 0..bytes.len() {
                check(&[&bytes[..cut], &bytes[cut..]], &["a|é😀", "|2"]);
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            check(&single, &["a|é😀", "|2"]);
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let overlong = "error: an event is longer than 32 bytes";
        check(&[&b"data: ".repeat(8)], &[overlong]);
        check(
            &[b"data: 0123456789\n", &b"data: 0123456789\n".repeat(3)],
            &[overlong],
        );
        check(
            &[b"data: 1\n\n", b"data: 01234567890123", b"456789012345678"],
            &["|1", overlong],
        );
        check(&[b"data: \xff\n\n"], &["error: an event is not UTF-8"]);
    }
}
