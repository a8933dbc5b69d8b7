//! What is kept of an output that may have no end: its beginning and its end.

use std::collections::VecDeque;

/// A bounded memory of a stream of bytes.
#[derive(Debug)]
pub(crate) struct Kept {
    head: Vec<u8>,
    head_max: usize,
    tail: VecDeque<u8>,
    tail_max: usize,
    left_out: u64,
}

impl Kept {
    /// One that keeps `bytes_max` in all, the first and the last half.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let tail_max = bytes_max / 2;
        Self {
            head: Vec::new(),
            head_max: bytes_max - tail_max,
            tail: VecDeque::new(),
            tail_max,
            left_out: 0,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = self.head_max - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        // Of a long piece only the end can stay.
        let skipped = rest.len().saturating_sub(self.tail_max);
        self.left_out += skipped as u64;
        self.tail.extend(&rest[skipped..]);
        let over = self.tail.len().saturating_sub(self.tail_max);
        self.left_out += over as u64;
        self.tail.drain(..over);
    }

    /// What was kept, with a line that says how much is missing between, and how
    /// many bytes that is.
    pub(crate) fn finish(self) -> (Vec<u8>, u64) {
        let mut all = self.head;
        if self.left_out > 0 {
            all.extend_from_slice(format!("\n[{} bytes left out]\n", self.left_out).as_bytes());
        }
        all.extend(self.tail);
        (all, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_are_kept() {
        let check = |bytes_max: usize, pieces: &[&str], expect: &str, left_out: u64| {
            let mut kept = Kept::new(bytes_max);
            for piece in pieces {
                kept.push(piece.as_bytes());
            }
            let (bytes, missing) = kept.finish();
            assert_eq!(
                (String::from_utf8(bytes).unwrap().as_str(), missing),
                (expect, left_out)
            );
        };
        check(8, &[], "", 0);
        check(8, &["abcd"], "abcd", 0);
        check(8, &["abcd", "efgh"], "abcdefgh", 0);
        check(8, &["abcdefghij"], "abcd\n[2 bytes left out]\nghij", 2);
        check(
            8,
            &["abc", "defg", "hij", "k"],
            "abcd\n[3 bytes left out]\nhijk",
            3,
        );
        check(5, &["abcdefgh"], "abc\n[3 bytes left out]\ngh", 3);
        check(0, &["abc"], "\n[3 bytes left out]\n", 3);
    }
}
