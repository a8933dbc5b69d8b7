//! Speaks with an agent: commands in, events out, until either side goes.
//!
//! It knows no session's contents and decides nothing: what a person must decide
//! becomes a question, and waits.

mod convert;
mod host;
mod setup;
mod v1;

use std::sync::Arc;

use futures::{StreamExt, stream::BoxStream};
use tokio::sync::mpsc;

use super::{
    event::{Command, Event},
    reach::Reach,
};
use crate::Error;

/// Events that wait for the window; the agent is not read further meanwhile.
const EVENTS_MAX: usize = 256;

/// What comes of a connection.
#[derive(Debug, Clone)]
pub enum Heard {
    /// Commands go here from now on.
    Open(Commands),
    /// Something was heard.
    Event(Event),
}

/// Where commands go. Those to an agent that is gone go nowhere.
#[derive(Debug, Clone)]
pub struct Commands(mpsc::UnboundedSender<Command>);

impl Commands {
    /// Sends one.
    pub fn send(&self, command: Command) {
        // That it is gone is an event of its own.
        let _gone = self.0.send(command);
    }
}

/// Connects. The stream ends with [`Event::Lost`]; dropping it hangs up.
pub fn connect(agent: Arc<dyn Reach>) -> BoxStream<'static, Heard> {
    async_stream::stream! {
        let wire = match agent.open().await {
            Ok(wire) => wire,
            Err(error) => {
                yield Heard::Event(Event::Lost(error));
                return;
            }
        };
        let (commands, to_do) = mpsc::unbounded_channel();
        let (events, mut heard) = mpsc::channel(EVENTS_MAX);
        yield Heard::Open(Commands(commands));
        let end = wire.end;
        let mut speaking = Box::pin(v1::speak((wire.outgoing, wire.incoming), agent.place(), to_do, events));
        let failure = loop {
            tokio::select! {
                biased;
                event = heard.recv() => if let Some(event) = event {
                    yield Heard::Event(event);
                },
                ended = &mut speaking => break ended.err(),
            }
        };
        drop(speaking);
        while let Some(event) = heard.recv().await {
            yield Heard::Event(event);
        }
        let why = end.await;
        let reason = match failure {
            Some(failure) if why.is_empty() => failure,
            Some(failure) => format!("{failure}; {why}"),
            None => why,
        };
        let agent = agent.name().to_owned();
        yield Heard::Event(Event::Lost(Error::AgentGone { agent, reason }));
    }
    .boxed()
}
