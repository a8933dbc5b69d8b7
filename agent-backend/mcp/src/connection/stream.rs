//! What a server writes, watched: a line that never ends, and a server that
//! never stops talking, end the connection before they fill the memory.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, ReadBuf};

use crate::limits::{MESSAGE_BYTES_MAX, UNASKED_BYTES_MAX, UNASKED_LINES_MAX};

/// What is known of a stream.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Why nothing more is read.
    reason: Mutex<Option<String>>,
    /// Bytes since a request was last begun or ended.
    bytes: AtomicU64,
    /// Lines of them.
    lines: AtomicU64,
}

impl Watched {
    /// Why nothing more was read, if that was our doing.
    pub(crate) fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that a request begins; it ends when this is dropped.
    pub(crate) fn begin(&self) -> Begun<'_> {
        self.forget();
        Begun(self)
    }

    fn forget(&self) {
        self.bytes.store(0, Ordering::Relaxed);
        self.lines.store(0, Ordering::Relaxed);
    }

    fn give_up(&self, reason: String) -> io::Error {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
        io::Error::new(io::ErrorKind::InvalidData, reason)
    }

    /// Counts what was read; whether it is more than any answer could be.
    fn is_too_much(&self, read: &[u8]) -> bool {
        let add = |count: &AtomicU64, more: usize| {
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            count.fetch_add(more, Ordering::Relaxed).saturating_add(more)
        };
        let lines = read.iter().filter(|byte| **byte == b'\n').count();
        add(&self.bytes, read.len()) > UNASKED_BYTES_MAX || add(&self.lines, lines) > UNASKED_LINES_MAX
    }
}

/// A request that was begun.
#[derive(Debug)]
pub(crate) struct Begun<'a>(&'a Watched);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.forget();
    }
}

/// A server's output.
#[derive(Debug)]
pub(crate) struct Output<R> {
    inner: R,
    watched: Arc<Watched>,
    /// Bytes of the line so far.
    line: usize,
}

impl<R> Output<R> {
    pub(crate) fn new(inner: R, watched: Arc<Watched>) -> Self {
        Self {
            inner,
            watched,
            line: 0,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Output<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        let count = read.len();
        // A chunk is far smaller than the bound, so its own lines are within it.
        self.line = match read.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => count - end - 1,
            None => self.line.saturating_add(count),
        };
        let reason = if self.line > MESSAGE_BYTES_MAX {
            format!("it wrote a line of more than {MESSAGE_BYTES_MAX} bytes")
        } else if self.watched.is_too_much(read) {
            "it never stops talking".to_owned()
        } else {
            return Poll::Ready(Ok(()));
        };
        buffer.set_filled(before);
        Poll::Ready(Err(self.watched.give_up(reason)))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    async fn read(bytes: Vec<u8>) -> (io::Result<usize>, Option<String>) {
        let watched = Arc::new(Watched::default());
        let mut output = Output::new(io::Cursor::new(bytes), Arc::clone(&watched));
        let mut read = Vec::new();
        (output.read_to_end(&mut read).await, watched.reason())
    }

    #[tokio::test]
    async fn a_line_may_not_grow_for_ever() {
        let (fits, reason) = read([vec![b'a'; MESSAGE_BYTES_MAX], vec![b'\n'], vec![b'b'; 9]].concat()).await;
        assert_eq!((fits.unwrap(), reason), (MESSAGE_BYTES_MAX + 10, None));
        let (beyond, reason) = read(vec![b'a'; MESSAGE_BYTES_MAX + 1]).await;
        let expect = "it wrote a line of more than 8388608 bytes";
        assert_eq!(
            (beyond.unwrap_err().to_string(), reason),
            (expect.to_owned(), Some(expect.to_owned()))
        );
    }

    #[tokio::test]
    async fn a_server_may_not_talk_for_ever() {
        let expect = Some("it never stops talking");
        let lines = vec![b'\n'; usize::try_from(UNASKED_LINES_MAX).unwrap() + 1];
        assert_eq!(read(lines).await.1.as_deref(), expect);
        let line = [vec![b'a'; MESSAGE_BYTES_MAX - 1], vec![b'\n']].concat();
        assert_eq!(read(line.repeat(9)).await.1.as_deref(), expect);
    }
}
