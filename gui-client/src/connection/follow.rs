//! One unbroken sequence of events out of connections that break: remembers
//! the last position, dials again after a delay, and lets neither a gap nor a
//! duplicate through.

use std::sync::Arc;

use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{BoxStream, Stream},
};
use shared::{
    error::Class,
    id::Seq,
    wire::{Body, Envelope},
};

use super::{Followed, backoff::Backoff};
use crate::{Error, model::Event};

/// Events handed on at once: a frame is drawn for each batch, not for each event.
const BATCH_MAX: usize = 256;

/// Opens one connection that delivers events after a position until it breaks.
pub trait Dial: Send + Sync {
    /// Connects.
    fn dial(&self, after: Seq) -> BoxFuture<'static, Result<Events, Error>>;
}

/// Events of one connection.
pub type Events = BoxStream<'static, Result<Envelope, Error>>;

/// Why reading of one connection ended.
enum Stop {
    Closed,
    Resync,
    Broken(Error),
}

/// Follows a workflow from after `after`; `fraction` gives the jitter.
pub fn follow(
    dial: Arc<dyn Dial>,
    after: Seq,
    backoff: Backoff,
    fraction: fn() -> f64,
) -> impl Stream<Item = Followed> + Send + 'static {
    async_stream::stream! {
        let mut last = after;
        let mut failures = 0;
        loop {
            let mut ended = false;
            let stop = match dial.dial(last).await {
                Ok(events) => {
                    yield Followed::Connected;
                    let mut batches = events.ready_chunks(BATCH_MAX);
                    let mut stop = Stop::Closed;
                    while let Some(batch) = batches.next().await {
                        let before = last;
                        let (fresh, stopped) = accept(batch, &mut last);
                        if last > before {
                            failures = 0;
                        }
                        ended = ended || fresh.iter().any(ends);
                        if !fresh.is_empty() {
                            match read(fresh).await {
                                Ok(events) => yield Followed::Events(events),
                                Err(error) => {
                                    yield Followed::Lost(error);
                                    return;
                                }
                            }
                        }
                        if let Some(stopped) = stopped {
                            stop = stopped;
                            break;
                        }
                    }
                    stop
                }
                Err(error) => Stop::Broken(error),
            };
            if ended && !matches!(stop, Stop::Resync) {
                return;
            }
            let error = match stop {
                // The first one is nobody's fault: read again at once.
                Stop::Resync if failures == 0 => {
                    failures = 1;
                    continue;
                }
                Stop::Resync => Error::Unexpected("the backend keeps asking to read from the start".to_owned()),
                Stop::Closed => Error::Unexpected("the stream ended before the workflow".to_owned()),
                Stop::Broken(error) => error,
            };
            if error.class() == Class::User {
                yield Followed::Lost(error);
                return;
            }
            let delay = backoff.delay(failures, fraction());
            failures = failures.saturating_add(1);
            let retry_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            yield Followed::Interrupted { error, retry_ms };
            tokio::time::sleep(delay).await;
        }
    }
}

/// Finds out what takes time where it holds nobody up, be the diff as large as it may.
async fn read(fresh: Vec<Envelope>) -> Result<Vec<Event>, Error> {
    let read = |fresh: Vec<Envelope>| fresh.into_iter().map(Event::from).collect();
    if !fresh.iter().any(Event::is_costly) {
        return Ok(read(fresh));
    }
    let events = tokio::task::spawn_blocking(move || read(fresh)).await;
    events.map_err(|error| Error::Unexpected(error.to_string()))
}

/// The events of a batch that are next in line, and why to stop, if so.
fn accept(batch: Vec<Result<Envelope, Error>>, last: &mut Seq) -> (Vec<Envelope>, Option<Stop>) {
    let mut fresh = Vec::with_capacity(batch.len());
    for item in batch {
        match item {
            Ok(event) if matches!(event.body, Body::Resync { .. }) => {
                *last = Seq::default();
                fresh.push(event);
                return (fresh, Some(Stop::Resync));
            }
            Ok(event) if event.seq <= *last => {}
            Ok(event) if event.seq == last.next() => {
                *last = event.seq;
                fresh.push(event);
            }
            Ok(event) => {
                let error = Error::Unexpected(format!("event {} follows event {last}", event.seq));
                return (fresh, Some(Stop::Broken(error)));
            }
            Err(error) => return (fresh, Some(Stop::Broken(error))),
        }
    }
    (fresh, None)
}

/// Whether a workflow has ended with this event; the server closes after it.
fn ends(event: &Envelope) -> bool {
    matches!(&event.body, Body::WorkflowState { state, .. } if state.is_terminal())
}
