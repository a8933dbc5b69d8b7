//! A live connection to one server: begun, asked, ended. What the server does
//! wrong becomes an error here.

mod client;
mod http;
mod stdio;
mod stream;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rmcp::{
    RoleClient,
    model::{
        CallToolRequest, CallToolRequestParams, ClientRequest, ErrorCode, JsonObject, ListToolsRequest,
        PaginatedRequestParams, ProtocolVersion, ServerResult, SubscriptionFilter, Tool,
    },
    service::{
        ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, Peer, PeerRequestOptions,
        RunningService, ServiceError,
    },
    transport::IntoTransport,
};
use tokio::sync::watch;

use self::{client::Client, stdio::Process, stream::Watched};
use crate::{
    Answer, Error, Options, Server, Transport, Trying,
    answer::complaint,
    builtin::{self, Surroundings},
    limits::{COMPLAINT_BYTES_MAX, END_PATIENCE, PAGES_MAX, SILENT_CALLS_MAX, TOOLS_MAX},
};

/// What waits in a pipe to a server of this process, in bytes.
const PIPE_BYTES: usize = 64 * 1024;

/// What is said of a server that does not begin.
const ENDED: &str = "it ended before it answered";

/// A connection that was begun.
#[derive(Debug)]
pub(crate) struct Connection {
    server: String,
    service: RunningService<RoleClient, Client>,
    /// After the service: the server's input is closed before it is ended.
    process: Option<Process>,
    watched: Arc<Watched>,
    /// Calls in a row without an answer.
    silent: AtomicU32,
    changes: watch::Receiver<u32>,
}

/// How the two sides begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handshake {
    /// The present one; the earlier one for a server that does not know it.
    Either,
    /// The earlier one at once.
    Earlier,
}

impl Handshake {
    fn mode(self) -> ClientLifecycleMode {
        match self {
            Self::Either => ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::LATEST],
                legacy_version: None,
            },
            Self::Earlier => ClientLifecycleMode::Initialize,
        }
    }
}

impl Connection {
    /// Starts or reaches the server and shakes hands.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::NotStarted`], or [`Error::TimedOut`] after
    /// `patience`.
    pub(crate) async fn begin(server: &Server, workspace: &Path, options: &Options) -> Result<Self, Error> {
        let (patience, trying) = (options.start, options.trying.as_ref());
        let begun = async {
            match Box::pin(Self::shake(server, workspace, trying, Handshake::Either)).await {
                // Some old servers end at the first word that they do not know.
                Err(Error::NotStarted { .. } | Error::Broken { .. }) => {
                    Box::pin(Self::shake(server, workspace, trying, Handshake::Earlier)).await
                }
                begun => begun,
            }
        };
        tokio::time::timeout(patience, begun).await.unwrap_or_else(|_| {
            Err(Error::TimedOut {
                server: server.name.clone(),
                what: "the first request".to_owned(),
                patience,
            })
        })
    }

    async fn shake(
        server: &Server,
        workspace: &Path,
        trying: Option<&Arc<dyn Trying>>,
        handshake: Handshake,
    ) -> Result<Self, Error> {
        match &server.transport {
            Transport::BuiltIn(which) => {
                let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
                let surroundings = Surroundings::new(workspace, trying.cloned());
                builtin::serve_within(*which, surroundings, theirs);
                Self::over(server, workspace, ours, None, Arc::default(), handshake).await
            }
            Transport::Stdio { command, args, env } => {
                let started = stdio::start(&server.name, command, args, env, workspace)?;
                let pipes = (started.output, started.input);
                let process = Some(started.process);
                Self::over(server, workspace, pipes, process, started.watched, handshake).await
            }
            Transport::Http { url, headers } => {
                let transport = http::transport(&server.name, url, headers)?;
                Self::over(server, workspace, transport, None, Arc::default(), handshake).await
            }
        }
    }

    async fn over<T, E, A>(
        server: &Server,
        workspace: &Path,
        transport: T,
        mut process: Option<Process>,
        watched: Arc<Watched>,
        handshake: Handshake,
    ) -> Result<Self, Error>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let (client, changes) = Client::new(workspace);
        let begun = Box::pin(client.serve_with_lifecycle(transport, handshake.mode())).await;
        match begun {
            Ok(service) => {
                listen(service.peer(), service.service());
                Ok(Self {
                    server: server.name.clone(),
                    service,
                    process,
                    watched,
                    silent: AtomicU32::new(0),
                    changes,
                })
            }
            Err(error) => {
                let why = match (watched.reason(), &error) {
                    (Some(reason), _) => reason,
                    // A pipe that is closed says less.
                    (None, ClientInitializeError::TransportError { .. }) if process.is_some() => {
                        ENDED.to_owned()
                    }
                    (None, error) => initialize_words(error),
                };
                let tail = match &mut process {
                    Some(process) => process.last_words().await,
                    None => String::new(),
                };
                Err(Error::NotStarted {
                    server: server.name.clone(),
                    reason: complaint(&format!("{why}{tail}"), COMPLAINT_BYTES_MAX),
                })
            }
        }
    }

    /// Whether nothing can be asked any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.service.is_closed()
            || self.service.is_transport_closed()
            || self.silent.load(Ordering::Relaxed) >= SILENT_CALLS_MAX
    }

    /// Changes whenever the server says that its tools did.
    pub(crate) fn changes(&self) -> watch::Receiver<u32> {
        self.changes.clone()
    }

    /// The server's tools, those beyond the bound left out; and whether there
    /// are such.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Broken`], [`Error::Refused`].
    pub(crate) async fn tools(&self, patience: Duration) -> Result<(Vec<Tool>, bool), Error> {
        let what = "the list of tools";
        let mut tools = Vec::new();
        let mut cursor = None;
        let all = async {
            for _ in 0..PAGES_MAX {
                let request = ListToolsRequest {
                    method: Default::default(),
                    params: Some(PaginatedRequestParams::default().with_cursor(cursor.take())),
                    extensions: Default::default(),
                };
                let answer = self
                    .ask(ClientRequest::ListToolsRequest(request), what, patience)
                    .await?;
                let ServerResult::ListToolsResult(page) = answer else {
                    return Err(self.unexpected("tools/list", "something else than tools"));
                };
                tools.extend(page.tools);
                cursor = page.next_cursor.filter(|cursor| !cursor.is_empty());
                if tools.len() > TOOLS_MAX || cursor.is_none() {
                    break;
                }
            }
            let more = tools.len() > TOOLS_MAX || cursor.is_some();
            tools.truncate(TOOLS_MAX);
            Ok((tools, more))
        };
        match tokio::time::timeout(patience, all).await {
            Ok(answer) => answer,
            Err(_) => Err(self.timed_out(what, patience)),
        }
    }

    /// Calls a tool by the server's own name for it.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Broken`], [`Error::Refused`],
    /// [`Error::Unexpected`].
    pub(crate) async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
        timeout: Duration,
    ) -> Result<Answer, Error> {
        let request =
            CallToolRequest::new(CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments));
        let answer = self
            .ask(ClientRequest::CallToolRequest(request), tool, timeout)
            .await?;
        if let ServerResult::CallToolResult(result) = answer {
            return Ok(Answer::of(&result));
        }
        Err(self.unexpected(
            tool,
            if matches!(answer, ServerResult::InputRequiredResult(_)) {
                "a question to a person, which is not passed on"
            } else if matches!(answer, ServerResult::CreateTaskResult(_)) {
                "a task, which is not waited for"
            } else {
                "something else than a result"
            },
        ))
    }

    async fn ask(
        &self,
        request: ClientRequest,
        what: &str,
        timeout: Duration,
    ) -> Result<ServerResult, Error> {
        let _begun = self.watched.begin();
        let asked = async {
            let options = PeerRequestOptions::with_timeout(timeout);
            let handle = self.service.send_cancellable_request(request, options).await?;
            handle.await_response().await
        };
        // The request's own time begins when it is sent, and sending takes the
        // server's reading.
        let answer = match tokio::time::timeout(timeout + END_PATIENCE, Box::pin(asked)).await {
            Ok(answer) => answer,
            Err(_) => Err(ServiceError::Timeout { timeout }),
        };
        match answer {
            Ok(answer) => {
                self.silent.store(0, Ordering::Relaxed);
                Ok(answer)
            }
            Err(ServiceError::Timeout { .. }) => {
                self.silent.fetch_add(1, Ordering::Relaxed);
                Err(self.timed_out(what, timeout))
            }
            Err(ServiceError::McpError(error))
                if error.code != ErrorCode::INTERNAL_ERROR || !self.is_closed() =>
            {
                self.silent.store(0, Ordering::Relaxed);
                Err(Error::Refused {
                    server: self.server.clone(),
                    tool: what.to_owned(),
                    code: error.code.0,
                    message: complaint(&error.message, COMPLAINT_BYTES_MAX),
                })
            }
            Err(error) => Err(self.broken(&error)),
        }
    }

    fn timed_out(&self, what: &str, patience: Duration) -> Error {
        Error::TimedOut {
            server: self.server.clone(),
            what: format!("`{what}`"),
            patience,
        }
    }

    fn unexpected(&self, tool: &str, what: &'static str) -> Error {
        Error::Unexpected {
            server: self.server.clone(),
            tool: tool.to_owned(),
            what,
        }
    }

    fn broken(&self, error: &ServiceError) -> Error {
        let why = self.watched.reason().unwrap_or_else(|| service_words(error));
        let tail = self
            .process
            .as_ref()
            .map(Process::stderr_tail)
            .unwrap_or_default();
        Error::Broken {
            server: self.server.clone(),
            reason: complaint(&format!("{why}{tail}"), COMPLAINT_BYTES_MAX),
        }
    }
}

/// Servers of the present protocol tell what changes only to who listens.
fn listen(peer: &Peer<RoleClient>, client: &Client) {
    let modern = peer.peer_info().is_some_and(|info| {
        let tells = info
            .capabilities
            .tools
            .as_ref()
            .is_some_and(|tools| tools.list_changed == Some(true));
        tells && info.protocol_version >= ProtocolVersion::V_2026_07_28
    });
    if !modern {
        return;
    }
    let (peer, client) = (peer.clone(), client.clone());
    tokio::spawn(async move {
        let filter = SubscriptionFilter::builder().tools_list_changed().build();
        let Ok(mut subscription) = peer.listen(filter).await else {
            return;
        };
        while let Ok(Some(_)) = subscription.next().await {
            client.tools_changed();
        }
    });
}

fn initialize_words(error: &ClientInitializeError) -> String {
    use ClientInitializeError as Failure;
    if let Failure::LegacyFallbackFailed { fallback, .. } = error {
        initialize_words(fallback)
    } else if let Failure::TransportError { error, .. } = error {
        http::words(error.error.as_ref())
    } else if let Failure::JsonRpcError(error) = error {
        format!("it refused: {}", error.message)
    } else if matches!(error, Failure::ConnectionClosed(_)) {
        ENDED.to_owned()
    } else {
        error.to_string()
    }
}

fn service_words(error: &ServiceError) -> String {
    if let ServiceError::TransportSend(error) = error {
        http::words(error.error.as_ref())
    } else if matches!(error, ServiceError::TransportClosed) {
        "it closed the connection".to_owned()
    } else {
        error.to_string()
    }
}
