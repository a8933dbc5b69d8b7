//! What a program prints on its two streams, as one text: whole lines, in the
//! order in which they ended. Pieces alone would glue the beginning of one line
//! to the end of another.

use sandbox::Stream;

/// Both streams so far.
#[derive(Debug, Default)]
pub(super) struct Printed {
    lines: Vec<u8>,
    /// Lines that have not ended yet.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Printed {
    /// Takes a piece; the lines that it ends.
    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) -> &[u8] {
        let open = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        open.extend_from_slice(bytes);
        let ended = open
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let from = self.lines.len();
        self.lines.extend(open.drain(..ended));
        &self.lines[from..]
    }

    /// All of it; a last line may lack its end.
    pub(super) fn end(mut self) -> String {
        for open in [self.stderr, self.stdout] {
            self.lines.extend(open);
        }
        String::from_utf8_lossy(&self.lines).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_whole() {
        let mut printed = Printed::default();
        let pieces = [
            (Stream::Stdout, "test a ... ", ""),
            (Stream::Stderr, "error: ", ""),
            (Stream::Stdout, "FAILED\ntest b", "test a ... FAILED\n"),
            (Stream::Stderr, "no\n", "error: no\n"),
        ];
        for (stream, piece, ended) in pieces {
            assert_eq!(printed.push(stream, piece.as_bytes()), ended.as_bytes());
        }
        assert_eq!(printed.end(), "test a ... FAILED\nerror: no\ntest b");
    }
}
