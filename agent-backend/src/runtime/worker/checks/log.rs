//! What builds and tests print, streamed as the text of the stage while it
//! comes. Bounded: the end of each output is among the evidence anyway.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tools::trial::Told;

use crate::runtime::worker::Desk;

/// Time in which output is collected before it goes on.
const PIECE_INTERVAL: Duration = Duration::from_millis(200);

/// Most text of one stage, in bytes; what comes later is left out.
const BYTES_MAX: usize = 64 * 1024;

/// The end that hears what is printed. It never blocks, and so never holds up
/// the watch over what runs.
#[derive(Debug)]
pub(super) struct Teller {
    pieces: mpsc::UnboundedSender<Vec<u8>>,
    /// Bytes that may still wait to be streamed; a little more than are.
    left: usize,
}

/// The end that streams it.
#[derive(Debug)]
pub(super) struct Log(mpsc::UnboundedReceiver<Vec<u8>>);

impl Teller {
    pub(super) fn tell(&mut self, told: Told<'_>) {
        let piece = match told {
            Told::Begins {
                name,
                command,
                baseline,
            } => {
                let of = if baseline {
                    ", on the code without the change"
                } else {
                    ""
                };
                format!("\n# {name}{of}\n$ {command}\n").into_bytes()
            }
            Told::Output(bytes) => bytes.to_vec(),
        };
        if self.left == 0 {
            return;
        }
        self.left = self.left.saturating_sub(piece.len());
        // Nobody listens when the worker was stopped; what runs is stopped too.
        let _gone = self.pieces.send(piece);
    }
}

impl Log {
    pub(super) fn new() -> (Teller, Self) {
        let (pieces, receiver) = mpsc::unbounded_channel();
        let left = 2 * BYTES_MAX;
        (Teller { pieces, left }, Self(receiver))
    }

    /// Streams until the other end is dropped.
    pub(super) async fn stream(mut self, desk: &Desk) {
        let mut text = Text::default();
        while let Some(first) = self.0.recv().await {
            let mut piece = text.take(&first);
            let due = Instant::now() + PIECE_INTERVAL;
            while let Ok(Some(more)) = timeout_at(due, self.0.recv()).await {
                piece.push_str(&text.take(&more));
            }
            if !piece.is_empty() {
                desk.print(piece).await;
            }
        }
    }
}

/// Turns bytes into text, within the bound.
#[derive(Debug, Default)]
struct Text {
    bytes: usize,
    /// The beginning of a character whose end has not come yet.
    open: Vec<u8>,
    is_full: bool,
}

impl Text {
    fn take(&mut self, bytes: &[u8]) -> String {
        if self.is_full {
            return String::new();
        }
        self.open.extend_from_slice(bytes);
        let complete = match std::str::from_utf8(&self.open) {
            Ok(text) => text.len(),
            // Cut within a character, which the next bytes complete.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.open.len(),
        };
        let rest = self.open.split_off(complete);
        let printed = std::mem::replace(&mut self.open, rest);
        let mut text: String = String::from_utf8_lossy(&printed)
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
            .collect();
        self.bytes += text.len();
        if self.bytes > BYTES_MAX {
            self.is_full = true;
            text.push_str("\n… more was printed; the evidence has the end of it\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_kept_whole_and_control_is_left_out() {
        let mut text = Text::default();
        let parts: [&[u8]; 4] = [b"a\x1b[1m\xc3", b"\xa4\r\n", b"\xff", b"z"];
        let read: Vec<String> = parts.iter().map(|part| text.take(part)).collect();
        assert_eq!(read, ["a[1m", "ä\n", "\u{fffd}", "z"]);
    }

    #[test]
    fn there_is_a_bound_and_it_is_said() {
        let mut text = Text::default();
        let long = vec![b'a'; BYTES_MAX];
        assert_eq!(text.take(&long).len(), BYTES_MAX);
        assert!(text.take(b"b").ends_with("the end of it\n"));
        assert_eq!(text.take(b"c"), "");
    }
}
