//! A streamed answer: events in, chunks out, within the limits of time and
//! size. The response lives in the stream, so dropping the stream closes the
//! connection and the server stops generating.

use std::{sync::Arc, time::Duration};

use async_stream::try_stream;
use futures::{FutureExt as _, StreamExt as _};
use reqwest::Response;
use tokio::time::Instant;

use super::reader::{Fault, Next, Reader};
use crate::{
    Chunk, ChunkStream, Context, Error, Phase, Usage,
    http::{Http, millis, next_piece, server_text, timeout},
    sse,
};

/// Longest event of a stream, in bytes. One is a token or two; this leaves room
/// for a server that sends a whole answer in one.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// Longest answer, in bytes as sent: an event of 256 bytes for each of 256 000
/// tokens.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Pieces that are looked for after the last event without waiting: the body's
/// own end usually came with it, and then the connection serves the next call.
const ENDS_LOOKED_FOR: usize = 4;

/// A call that was sent and accepted.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) http: Arc<Http>,
    pub(super) model: String,
    pub(super) response: Response,
    pub(super) reader: Box<dyn Reader>,
    pub(super) context: Context,
    pub(super) limits: Limits,
    /// When it was sent.
    pub(super) begin: Instant,
}

/// Limits in time of one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) first_byte: Duration,
    pub(super) idle: Duration,
    pub(super) total: Duration,
}

impl Limits {
    /// What is waited for next, and how long from now. Signs of life without a
    /// piece of the answer do not put off the first one.
    fn next(&self, begin: Instant, has_begun: bool) -> (Phase, Duration, Duration) {
        let spent = begin.elapsed();
        let total = (Phase::Total, self.total, self.total.saturating_sub(spent));
        let next = if has_begun {
            (Phase::Idle, self.idle, self.idle)
        } else {
            (
                Phase::FirstByte,
                self.first_byte,
                self.first_byte.saturating_sub(spent),
            )
        };
        if total.2 < next.2 { total } else { next }
    }
}

pub(super) fn chunks(sent: Sent) -> ChunkStream {
    let Sent {
        http,
        model,
        mut response,
        mut reader,
        context,
        limits,
        begin,
    } = sent;
    try_stream! {
        let mut decoder = sse::Decoder::new(EVENT_BYTES_MAX);
        let mut out = Vec::new();
        let mut bytes_read: u64 = 0;
        let fail = |fault| match fault {
            // It may quote the server.
            Fault::Broken(reason) => Error::broken(server_text(&reason)),
            Fault::Said(object) => http.in_the_middle(&model, &object),
        };
        let mut next = Next::More;
        while next == Next::More {
            let (phase, limit, wait) = limits.next(begin, reader.tally().has_begun);
            let piece = next_piece(&mut response, wait).await.map_err(|error| at_the_limit(error, phase, limit))?;
            let Some(piece) = piece else { break };
            bytes_read += piece.len() as u64;
            if bytes_read > ANSWER_BYTES_MAX {
                Err(Error::broken(format!("it is longer than {ANSWER_BYTES_MAX} bytes")))?;
            }
            decoder.push(&piece);
            while let Some(event) = decoder.next_event().map_err(Error::broken)? {
                next = reader.event(&event, &mut out).map_err(fail)?;
                for chunk in out.drain(..) {
                    yield chunk;
                }
                if next == Next::Over {
                    break;
                }
            }
        }
        let last = if next == Next::More {
            decoder.finish().map_err(Error::broken)?
        } else {
            None
        };
        if let Some(event) = last {
            reader.event(&event, &mut out).map_err(fail)?;
            for chunk in out.drain(..) {
                yield chunk;
            }
        }
        let tally = *reader.tally();
        let finish = tally.ended().map_err(fail)?;
        for _ in 0..ENDS_LOOKED_FOR {
            if !matches!(response.chunk().now_or_never(), Some(Ok(Some(_)))) {
                break;
            }
        }
        let used_tokens = tally.prompt_tokens.filter(|count| *count > 0);
        let usage = Usage {
            prompt_tokens: used_tokens.unwrap_or(0),
            generated_tokens: tally.generated_tokens,
            thinking_bytes: tally.thinking_bytes,
            duration_ms: millis(begin.elapsed()),
            load_ms: 0,
            finish,
            context: Context { used_tokens, ..context },
        };
        if let Err(error) = usage.context.check() {
            tracing::warn!(%error, "context mismatch");
        }
        yield Chunk::Done(usage);
    }
    .boxed()
}

/// The wait was for what was left of a limit; the error names the limit.
fn at_the_limit(error: Error, phase: Phase, limit: Duration) -> Error {
    if matches!(error, Error::Timeout { .. }) {
        timeout(phase, limit)
    } else {
        error
    }
}
