//! Ways to a client: standard input and output, a WebSocket, streamable HTTP.
//! Owns how messages travel and how many may be under way; knows nothing of what
//! they mean, but for the sessions that they are about.

pub(crate) mod flow;
pub(crate) mod frame;
mod http;
mod mailbox;
mod socket;
pub(super) mod write;

use std::sync::Arc;

use agent_client_protocol::{Channel, ConnectTo, RawJsonRpcMessage, TransportFrame};
use flow::{Flow, Receipt};
use frame::Frame;
use futures::{FutureExt as _, StreamExt as _, channel::mpsc};
pub use http::SAME_FILES;
pub(super) use http::routes;
use tokio::task::JoinHandle;

use super::{
    Hub, agent,
    connection::{Connection, Machine},
};

/// One client's agent, which runs until this is dropped or the client is gone.
pub(super) struct Link {
    pub(super) inward: Inward,
    pub(super) outward: Outward,
    pub(super) running: Running,
}

/// Where the client's messages go.
#[derive(Clone)]
pub(super) struct Inward {
    to_agent: mpsc::UnboundedSender<TransportFrame>,
    flow: Arc<Flow>,
}

/// Where the agent's messages come from.
pub(super) struct Outward {
    from_agent: mpsc::UnboundedReceiver<TransportFrame>,
    flow: Arc<Flow>,
}

/// A message to the client.
pub(super) struct Said {
    pub(super) message: RawJsonRpcMessage,
    pub(super) receipt: Receipt,
}

/// What the agent does, until this is dropped.
pub(super) struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    /// An agent for one more client, which is there.
    pub(super) fn open(hub: &Hub, machine: Machine) -> Self {
        let connection = Connection::new(hub.clone(), machine);
        let flow = connection.flow().clone();
        let (channel, driver) = agent(&connection).into_channel_and_future();
        let Channel { rx, tx, .. } = channel;
        let running = tokio::spawn(async move {
            let Some(driver) = driver else { return };
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a conversation broke off");
            }
        });
        Self {
            inward: Inward {
                to_agent: tx,
                flow: flow.clone(),
            },
            outward: Outward { from_agent: rx, flow },
            running: Running(running),
        }
    }
}

impl Inward {
    /// Gives a frame on; what to answer at once, if anything.
    pub(super) fn take(&self, frame: Frame) -> Option<String> {
        match frame {
            Frame::Message(message) => self.give(message),
            Frame::Refused(answer) => Some(answer),
            Frame::Nothing => None,
        }
    }

    /// Waits until every request was answered.
    pub(super) async fn answered(&self) {
        self.flow.answered().await;
    }

    /// Gives a message on; what to answer at once, if anything.
    pub(super) fn give(&self, message: RawJsonRpcMessage) -> Option<String> {
        if let RawJsonRpcMessage::Request(request) = &message
            && !self.flow.ask()
        {
            let id = serde_json::to_value(&request.id).unwrap_or_default();
            return Some(frame::refusal(
                &id,
                frame::INVALID_REQUEST,
                "too many requests wait for their answers",
            ));
        }
        if self
            .to_agent
            .unbounded_send(TransportFrame::Single(message))
            .is_err()
        {
            tracing::debug!("a message came after the conversation had ended");
        }
        None
    }
}

impl Outward {
    /// The next message; none when the agent has ended.
    pub(super) async fn next(&mut self) -> Option<Said> {
        loop {
            // The agent itself says nothing that is no message.
            if let TransportFrame::Single(message) = self.from_agent.next().await? {
                let receipt = self.flow.receipt(&message);
                return Some(Said { message, receipt });
            }
        }
    }

    /// The next message, if it is there already.
    pub(super) fn next_now(&mut self) -> Option<Said> {
        self.next().now_or_never().flatten()
    }
}

impl Said {
    /// As it is on the wire.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(&self.message).unwrap_or_else(|error| {
            tracing::error!(%error, "a message cannot be written");
            String::new()
        })
    }
}
