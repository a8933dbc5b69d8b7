//! One server that runs: it is shown texts and asked about them.
//!
//! Whatever the server does, each call ends within its time, and at once when
//! nobody waits for it any more. After an error that concerns the connection,
//! the client is of no more use.

mod answers;
mod documents;
mod initialize;
mod queries;
mod tsserver;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response, ResponseError};
use lsp_types::{notification, request};
use serde_json::Value;

use crate::{
    Diagnostic, Error, Range, Server, Stop,
    clock::Deadline,
    connection::{Connection, Incoming},
    limits::{RETRY_PAUSE, STOP_PAUSE, TEXT_BYTES_MAX},
    server::Loading,
    uris,
};

/// How long a server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the start until it has answered for the first time.
    pub start: Duration,
    /// Until it has read the project, and said what it thinks of all files.
    pub diagnostics: Duration,
    /// One hover, definition or list of references.
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(30),
            diagnostics: Duration::from_secs(120),
            answer: Duration::from_secs(30),
        }
    }
}

/// What a server has to say of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiagnostics {
    /// Relative to the root, with `/`.
    pub path: String,
    /// At most 1000.
    pub diagnostics: Vec<Diagnostic>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Relative to the root, or absolute if it lies outside.
    pub path: String,
    /// Where in it.
    pub range: Range,
}

/// What was published for a document.
#[derive(Debug)]
struct Published {
    diagnostics: Vec<Diagnostic>,
}

/// An open document.
#[derive(Debug)]
struct Document {
    version: i32,
    /// What was published for this version.
    published: Option<Published>,
}

/// A server that runs. Dropped, it is told to end, and then made to.
#[derive(Debug)]
pub struct Client {
    server: Server,
    root: PathBuf,
    timeouts: Timeouts,
    stop: Stop,
    connection: Connection,
    /// Number of the last request.
    asked: i32,
    documents: HashMap<String, Document>,
    /// Work that has begun and not ended.
    progress: HashSet<String>,
    /// Whether it has read the project, where it tells.
    loaded: bool,
    /// What it says is wrong with the project.
    complaint: Option<String>,
    /// Some if it wants to be asked for diagnostics: the name under which.
    pull: Option<Option<String>>,
    /// The connection has failed: nothing can be said any more.
    broken: bool,
}

impl Client {
    /// Starts a server for the directory `root`: absolute, without symbolic
    /// links, as the server sees it. The command is complete, sandbox and all;
    /// without a directory of its own it runs in `root`.
    pub fn start(server: Server, command: Command, root: &Path, timeouts: Timeouts) -> Result<Self, Error> {
        Self::start_until(server, command, root, timeouts, Stop::never())
    }

    /// The same, for a caller that may stop waiting: then every call fails, and
    /// dropping the client kills the server at once.
    pub fn start_until(
        server: Server,
        mut command: Command,
        root: &Path,
        timeouts: Timeouts,
        stop: Stop,
    ) -> Result<Self, Error> {
        if command.get_current_dir().is_none() {
            command.current_dir(root);
        }
        let connection = Connection::start(server, &mut command)?;
        Self::greet(server, connection, root, timeouts, stop)
    }

    /// The process of the command; not of what that may have started.
    pub fn process_id(&self) -> Option<u32> {
        self.connection.process_id()
    }

    /// Which server it is.
    pub fn server(&self) -> Server {
        self.server
    }

    fn greet(
        server: Server,
        connection: Connection,
        root: &Path,
        timeouts: Timeouts,
        stop: Stop,
    ) -> Result<Self, Error> {
        let mut client = Self {
            server,
            root: root.to_owned(),
            timeouts,
            stop,
            connection,
            asked: 0,
            documents: HashMap::new(),
            progress: HashSet::new(),
            loaded: match server.loading() {
                Loading::WithTheAnswer => true,
                Loading::ServerStatus => false,
            },
            complaint: None,
            pull: None,
            broken: false,
        };
        client.initialize(Deadline::after(timeouts.start))?;
        Ok(client)
    }

    /// Asks, until the deadline, and again where the server gave up because it
    /// was busy.
    fn ask<R: request::Request>(
        &mut self,
        params: &R::Params,
        deadline: Deadline,
    ) -> Result<R::Result, Error> {
        let mut params =
            serde_json::to_value(params).map_err(|error| self.connection.garbage(error.to_string()))?;
        if let Value::Object(fields) = &mut params {
            // Absent and null are not the same to all servers, and what is left
            // open is to be absent.
            fields.retain(|_, field| !field.is_null());
        }
        let mut value = self.ask_value(R::METHOD, &params, deadline)?;
        uris::mend(&mut value);
        serde_json::from_value(value).map_err(|error| {
            self.connection
                .garbage(format!("its answer to {} is something else: {error}", R::METHOD))
        })
    }

    fn ask_value(&mut self, method: &str, params: &Value, deadline: Deadline) -> Result<Value, Error> {
        loop {
            match self.ask_once(method, params, deadline)? {
                Ok(value) => return Ok(value),
                Err(refusal) if again(&refusal) && !deadline.passed() => {
                    self.listen(RETRY_PAUSE.min(deadline.left()))?;
                }
                Err(refusal) => {
                    return Err(Error::Refused {
                        server: self.server,
                        what: method.to_owned(),
                        message: crate::diagnostic::cut(refusal.message, TEXT_BYTES_MAX),
                    });
                }
            }
        }
    }

    fn ask_once(
        &mut self,
        method: &str,
        params: &Value,
        deadline: Deadline,
    ) -> Result<Result<Value, ResponseError>, Error> {
        self.asked = self.asked.wrapping_add(1);
        let id = RequestId::from(self.asked);
        self.send(&Message::Request(Request {
            id: id.clone(),
            method: method.to_owned(),
            params: params.clone(),
        }))?;
        while !deadline.passed() {
            // Answers to what was given up on earlier are passed over.
            if let Some(response) = self.hear(deadline.left())?
                && response.id == id
            {
                return Ok(response.response_result);
            }
        }
        let params = serde_json::json!({ "id": self.asked });
        self.tell_value(
            <notification::Cancel as notification::Notification>::METHOD,
            params,
        )?;
        Err(self.timed_out(method, deadline))
    }

    fn tell<N: notification::Notification>(&mut self, params: &N::Params) -> Result<(), Error> {
        let params =
            serde_json::to_value(params).map_err(|error| self.connection.garbage(error.to_string()))?;
        self.tell_value(N::METHOD, params)
    }

    fn tell_value(&mut self, method: &str, params: Value) -> Result<(), Error> {
        self.send(&Message::Notification(Notification {
            method: method.to_owned(),
            params,
        }))
    }

    fn send(&mut self, message: &Message) -> Result<(), Error> {
        let sent = self.connection.send(message);
        self.broken |= sent.is_err();
        sent
    }

    /// Takes in whatever comes for this long.
    fn listen(&mut self, pause: Duration) -> Result<(), Error> {
        let deadline = Deadline::after(pause);
        while !deadline.passed() {
            self.hear(deadline.left())?;
        }
        Ok(())
    }

    /// Takes in one message, if one comes in time; given back if it is an
    /// answer to us.
    fn hear(&mut self, within: Duration) -> Result<Option<Response>, Error> {
        let deadline = Deadline::after(within);
        let received = loop {
            if self.stop.is_stopped() {
                break Err(Error::Stopped { server: self.server });
            }
            match self.connection.receive(deadline.left().min(STOP_PAUSE)) {
                Ok(Incoming::Nothing) if !deadline.passed() => {}
                received => break received,
            }
        };
        self.broken |= received.is_err();
        match received? {
            Incoming::Nothing => Ok(None),
            Incoming::Message(Message::Response(response)) => Ok(Some(response)),
            Incoming::Message(Message::Request(request)) => {
                let response = answers::answer(self.server, &request);
                self.send(&Message::Response(response))?;
                Ok(None)
            }
            Incoming::Message(Message::Notification(notification)) => {
                let noted = self.note(notification);
                self.broken |= noted.is_err();
                noted?;
                Ok(None)
            }
        }
    }

    /// Until the server has read the project, where it tells.
    fn until_loaded(&mut self, deadline: Deadline) -> Result<(), Error> {
        while !self.loaded {
            if deadline.passed() {
                return Err(self.timed_out("that it has read the project", deadline));
            }
            self.hear(deadline.left())?;
        }
        match &self.complaint {
            Some(complaint) => Err(Error::Refused {
                server: self.server,
                what: "the project".to_owned(),
                message: complaint.clone(),
            }),
            None => Ok(()),
        }
    }

    fn timed_out(&self, what: &str, deadline: Deadline) -> Error {
        Error::TimedOut {
            server: self.server,
            what: what.to_owned(),
            patience: deadline.patience(),
            stderr: self.connection.stderr(),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.broken {
            let deadline = Deadline::after(crate::limits::END_PATIENCE);
            // It is killed whatever it says.
            let _answer = self.ask_once(
                <request::Shutdown as request::Request>::METHOD,
                &Value::Null,
                deadline,
            );
            let _sent = self.tell_value(
                <notification::Exit as notification::Notification>::METHOD,
                Value::Null,
            );
            self.connection.end();
        }
    }
}

/// Whether the server only wants to be asked again.
fn again(refusal: &ResponseError) -> bool {
    [ErrorCode::ContentModified, ErrorCode::ServerCancelled]
        .iter()
        .any(|code| refusal.code == *code as i32)
}

#[cfg(test)]
mod tests;
