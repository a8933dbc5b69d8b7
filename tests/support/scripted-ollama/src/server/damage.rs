//! Faults of the connection: what becomes of an answer's bytes once they have
//! a form.

use std::{io, sync::Arc};

use async_stream::stream;
use axum::body::Body;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use crate::{
    fault::Damage,
    record::{Entry, Outcome},
};

impl Damage {
    /// The writes that a line goes out in.
    fn writes(self, line: &Bytes) -> Vec<Bytes> {
        if let Some(size) = self.write_bytes {
            return line.chunks(size).map(Bytes::copy_from_slice).collect();
        }
        if !self.splits_characters {
            return vec![line.clone()];
        }
        let mut writes = Vec::new();
        let mut begin = 0;
        for (index, byte) in line.iter().enumerate() {
            // After the first byte of a character that has more.
            if *byte >= 0xc0 {
                writes.push(line.slice(begin..=index));
                begin = index + 1;
            }
        }
        writes.push(line.slice(begin..));
        writes.retain(|write| !write.is_empty());
        writes
    }
}

/// The body of an answer. Waits for all of it if something in between keeps it
/// back: such a thing keeps the headers back as well.
pub(super) async fn body(
    lines: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    damage: Damage,
    entry: Arc<Entry>,
) -> Body {
    let lines = if damage.buffers {
        let lines: Vec<io::Result<Bytes>> = lines.collect().await;
        let whole: Vec<u8> = lines
            .iter()
            .filter_map(|line| line.as_ref().ok())
            .flatten()
            .copied()
            .collect();
        let broken = lines.into_iter().filter(Result::is_err);
        stream::iter(
            std::iter::once(Ok(Bytes::from(whole)))
                .chain(broken)
                .collect::<Vec<_>>(),
        )
        .boxed()
    } else {
        lines.boxed()
    };
    Body::from_stream(damaged(lines, damage, entry))
}

fn damaged(
    mut lines: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
    damage: Damage,
    entry: Arc<Entry>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream! {
        let mut left = damage.cut_bytes;
        while let Some(line) = lines.next().await {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    // Let what was sent before leave this machine first.
                    tokio::task::yield_now().await;
                    yield Err(error);
                    return;
                }
            };
            for write in damage.writes(&line) {
                match left {
                    Some(bytes) if bytes <= write.len() => {
                        yield Ok(write.slice(..bytes));
                        tokio::task::yield_now().await;
                        entry.end(Outcome::Cut);
                        yield Err(cut());
                        return;
                    }
                    Some(bytes) => left = Some(bytes - write.len()),
                    None => {}
                }
                yield Ok(write);
            }
        }
    }
}

/// The connection breaks.
pub(super) fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by the script")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes() {
        fn check(damage: Damage, line: &str, expect: &[&[u8]]) {
            assert_eq!(damage.writes(&Bytes::copy_from_slice(line.as_bytes())), expect);
        }
        let splits = Damage {
            splits_characters: true,
            ..Damage::default()
        };
        check(splits, "aé😀b", &[b"a\xc3", b"\xa9\xf0", b"\x9f\x98\x80b"]);
        check(splits, "ab", &[b"ab"]);
        let torn = Damage {
            write_bytes: Some(2),
            ..Damage::default()
        };
        check(torn, "aé", &[b"a\xc3", b"\xa9"]);
        check(Damage::default(), "aé", &["aé".as_bytes()]);
    }
}
