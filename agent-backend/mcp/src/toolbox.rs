//! The tools of one workspace: which servers are there, what of them is
//! offered, who is called. One server's trouble is not another's.

mod host;
mod naming;
mod survey;

use std::{collections::HashSet, fmt, path::Path, sync::Arc, time::Duration};

use futures::future;
use serde_json::{Map, Value};
use shared::error::Code;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::host::Host;
use crate::{
    Answer, Error, Problem, Server, Trying,
    limits::{ARGUMENTS_BYTES_MAX, CALL_TIMEOUT_MAX, SERVERS_MAX, START_TIMEOUT},
};

/// What a toolbox works with besides its servers.
#[derive(Clone)]
pub struct Options {
    /// How long a server may take until its tools are known.
    pub start: Duration,
    /// Where the built-in servers run programs; without, what needs a sandbox
    /// says so.
    pub trying: Option<Arc<dyn Trying>>,
    /// What is known to be wrong before, and told with the rest.
    pub problems: Vec<Problem>,
    /// What becomes of tools that may change something, and that nobody has
    /// allowed.
    pub unlisted: Unlisted,
}

/// What becomes of tools that do not say that they only read, and that nobody
/// has allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// They are offered, to be called when a person has allowed the call.
    Ask,
    /// They are not offered.
    Hide,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start: START_TIMEOUT,
            trying: None,
            problems: Vec::new(),
            unlisted: Unlisted::Hide,
        }
    }
}

/// A tool as a model is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// By which it is called: `server__tool`, 1 to 64 of `A-Za-z0-9_-`, unique.
    pub name: String,
    /// The server's name.
    pub server: String,
    /// The server's own name for it.
    pub tool: String,
    /// A title for a person.
    pub title: String,
    /// What it does, in the server's words; cut where it is too long.
    pub description: String,
    /// The JSON Schema of its arguments, an object.
    pub schema: Map<String, Value>,
    /// Whether the server says that it changes nothing.
    pub read_only: bool,
    /// Whether it may destroy, or only adds, where the server says so.
    pub destructive: Option<bool>,
    /// Whether a person has to allow each call first. Whoever calls sees to it.
    pub needs_permission: bool,
    /// How its server is reached, for a person.
    pub reached: String,
}

/// The servers of one workspace. Cheap to clone; what it started ends with the
/// last clone.
#[derive(Debug, Clone)]
pub struct Toolbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hosts: Vec<Arc<Host>>,
    refused: Vec<Problem>,
    /// Ends what is under way for nobody.
    _end: DropGuard,
}

impl Toolbox {
    /// Connects to all servers side by side, each in its time. Never fails: what
    /// cannot be used is one of the [`Self::problems`]. Of two servers of one
    /// name the first counts. Asks for a tokio runtime with time and I/O.
    pub async fn open(workspace: &Path, servers: Vec<Server>, options: &Options) -> Self {
        let (servers, mut refused) = accepted(servers);
        refused.extend(options.problems.iter().cloned());
        let end = CancellationToken::new();
        let hosts = servers
            .into_iter()
            .map(|server| Host::open(server, workspace.to_owned(), options, end.clone()));
        let hosts = Box::pin(future::join_all(hosts)).await;
        Self {
            inner: Arc::new(Inner {
                hosts,
                refused,
                _end: end.drop_guard(),
            }),
        }
    }

    /// What keeps tools from being offered, now.
    pub fn problems(&self) -> Vec<Problem> {
        let of_hosts = self
            .inner
            .hosts
            .iter()
            .flat_map(|host| host.survey().problems.clone());
        self.inner.refused.iter().cloned().chain(of_hosts).collect()
    }

    /// The tools for these languages, in a stable order: that of the servers,
    /// then by name. Without languages nothing is ruled out.
    pub fn offered(&self, languages: &[&str]) -> Vec<Offered> {
        let hosts = self
            .inner
            .hosts
            .iter()
            .filter(|host| host.server().is_for(languages));
        hosts.flat_map(|host| host.survey().offered.clone()).collect()
    }

    /// Calls a tool by the name that it is offered under. A server that has
    /// ended since is started again, once for a call.
    ///
    /// # Errors
    /// E2001 if the server cannot be started again, E2002 if it breaks off or
    /// does not answer in time, E2003 if there is no such tool or the server
    /// refuses the call. A tool that fails by its own account is an [`Answer`].
    pub async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Answer, Error> {
        let found = self.inner.hosts.iter().find_map(|host| {
            let survey = host.survey();
            let offered = survey.offered.iter().find(|offered| offered.name == name)?;
            Some((host, offered.tool.clone()))
        });
        let Some((host, tool)) = found else {
            return Err(Error::UnknownTool {
                name: name.to_owned(),
            });
        };
        let bytes = serde_json::to_vec(&arguments).map_or(usize::MAX, |json| json.len());
        if bytes > ARGUMENTS_BYTES_MAX {
            return Err(Error::ArgumentsTooLarge {
                name: name.to_owned(),
                bytes,
                max: ARGUMENTS_BYTES_MAX,
            });
        }
        Box::pin(host.call(&tool, arguments)).await
    }
}

/// The servers that are within the bounds, and why others are not.
fn accepted(servers: Vec<Server>) -> (Vec<Server>, Vec<Problem>) {
    let mut names = HashSet::new();
    let mut accepted: Vec<Server> = Vec::new();
    let mut refused = Vec::new();
    for mut server in servers {
        let reason = if accepted.len() >= SERVERS_MAX {
            Some(format!(
                "it is left out: at most {SERVERS_MAX} servers are used; disable some"
            ))
        } else if server.name.trim().is_empty() {
            Some("a server without a name is left out: give it one".to_owned())
        } else if !names.insert(naming::of_server(&server.name)) {
            Some("it is left out: another server has this name; rename one of them".to_owned())
        } else {
            None
        };
        match reason {
            None => {
                server.timeout = server.timeout.min(CALL_TIMEOUT_MAX);
                accepted.push(server);
            }
            Some(message) => refused.push(Problem {
                server: server.name,
                code: Code::McpServerInvalid,
                message,
            }),
        }
    }
    (accepted, refused)
}
