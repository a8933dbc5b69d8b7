//! The servers that come with us: tools that read the workspace, for our own
//! models and for any other client of the protocol.
//!
//! Each is a server as any other: what calls it sees a name, a schema and a
//! text. What the tools do belongs to the crate `tools`; it blocks, and is
//! called on a thread for that.

mod format;
mod git;
mod language;

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ::sandbox::Stop;
use ::tools::{Workspace, trial::Trials};
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt as _,
    handler::server::common::schema_for_input,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
    },
    service::{RequestContext, ServerInitializeError},
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::{error::Code, version::VERSION};

use crate::{
    BuiltIn, Error,
    answer::{cut, printable},
    limits::{ANSWER_BYTES_MAX, ARGUMENTS_BYTES_MAX},
};

/// What runs programs in a sandbox. Asked when it is first needed: to find a
/// sandbox takes a moment, and blocks.
pub trait Trying: Send + Sync {
    /// The sandbox, or why there is none.
    fn trials(&self) -> &Trials;
}

/// What the tools work with.
#[derive(Clone)]
pub(crate) struct Surroundings {
    workspace: PathBuf,
    trying: Option<Arc<dyn Trying>>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("workspace", &self.workspace)
            .finish_non_exhaustive()
    }
}

impl Surroundings {
    pub(crate) fn new(workspace: &Path, trying: Option<Arc<dyn Trying>>) -> Self {
        Self {
            workspace: workspace.to_owned(),
            trying,
        }
    }

    fn workspace(&self) -> Result<Workspace, Refusal> {
        Ok(Workspace::open(&self.workspace)?)
    }
}

/// Why a tool has no answer: what is told to who called it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    code: Code,
    message: String,
}

impl Refusal {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl From<::tools::Error> for Refusal {
    fn from(error: ::tools::Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// A tool: what is said of it, and what it does.
struct Described {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    schema: fn() -> Result<Arc<JsonObject>, String>,
    run: fn(&Surroundings, Value, &Stop) -> Result<String, Refusal>,
}

/// The schema of a tool's arguments.
fn schema<I: JsonSchema + 'static>() -> Result<Arc<JsonObject>, String> {
    schema_for_input::<I>()
}

/// A tool's arguments.
fn arguments<I: DeserializeOwned>(given: Value) -> Result<I, Refusal> {
    serde_json::from_value(given).map_err(|error| Refusal::new(Code::InvalidRequest, error.to_string()))
}

impl BuiltIn {
    fn tools(self) -> &'static [Described] {
        match self {
            Self::Git => git::TOOLS,
            Self::Format => format::TOOLS,
            Self::Language => language::TOOLS,
        }
    }

    fn instructions(self) -> &'static str {
        match self {
            Self::Git => {
                "Reads the git history of the workspace. Paths are relative to the workspace, with `/`."
            }
            Self::Format => "Formats texts as the project's own formatter would. Writes nothing.",
            Self::Language => {
                "Asks the language server of a file, in a sandbox, about the file as it is or with another text. \
                 Writes nothing."
            }
        }
    }
}

/// The server of one client.
#[derive(Debug, Clone)]
struct Handler {
    which: BuiltIn,
    surroundings: Surroundings,
}

/// Serves a client over a pipe within this process, until it is closed.
pub(crate) fn serve_within(which: BuiltIn, surroundings: Surroundings, pipe: tokio::io::DuplexStream) {
    tokio::spawn(async move {
        let handler = Handler { which, surroundings };
        match handler.serve(pipe).await {
            Ok(running) => {
                let _ = running.waiting().await;
            }
            Err(error) => tracing::debug!(server = which.name(), %error, "a built-in server did not begin"),
        }
    });
}

/// Serves one client on standard input and output until it closes its end.
/// Without `trying` what needs a sandbox says so.
///
/// # Errors
/// [`Error::Broken`] if what comes in is not the protocol.
pub async fn serve(which: BuiltIn, workspace: &Path, trying: Option<Arc<dyn Trying>>) -> Result<(), Error> {
    let handler = Handler {
        which,
        surroundings: Surroundings::new(workspace, trying),
    };
    let broken = |reason: String| Error::Broken {
        server: which.name().to_owned(),
        reason,
    };
    match handler.serve(rmcp::transport::stdio()).await {
        Ok(running) => match running.waiting().await {
            Ok(_closed) => Ok(()),
            Err(error) => Err(broken(error.to_string())),
        },
        // A client that leaves without a word has not asked for anything.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        Err(error) => Err(broken(error.to_string())),
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(
                format!("agentic-ide-{}", self.which.name()),
                VERSION,
            ))
            .with_instructions(self.which.instructions())
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools: Result<Vec<Tool>, ErrorData> = self.which.tools().iter().map(described).collect();
        Ok(ListToolsResult::with_all_items(tools?))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.which.tools().iter().find(|tool| tool.name == request.name) else {
            let names: Vec<&str> = self.which.tools().iter().map(|tool| tool.name).collect();
            let message = format!(
                "there is no tool `{}`; there are {}",
                request.name,
                names.join(", ")
            );
            return Err(ErrorData::invalid_params(message, None));
        };
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        if arguments.to_string().len() > ARGUMENTS_BYTES_MAX {
            let message = format!("the arguments have more than {ARGUMENTS_BYTES_MAX} bytes");
            return Err(ErrorData::invalid_params(message, None));
        }
        let (surroundings, stop) = (self.surroundings.clone(), Stop::default());
        let asked = stop.clone();
        let _stopped = OnDrop(stop);
        let mut work = tokio::task::spawn_blocking(move || (tool.run)(&surroundings, arguments, &asked));
        let done = tokio::select! {
            done = &mut work => done,
            () = context.ct.cancelled() => {
                return Err(ErrorData::internal_error("the request was cancelled", None));
            }
        };
        let done = done.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(result(done).into())
    }
}

/// Stops what nobody waits for any more.
struct OnDrop(Stop);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn described(tool: &Described) -> Result<Tool, ErrorData> {
    let schema = (tool.schema)().map_err(|problem| ErrorData::internal_error(problem, None))?;
    let annotations = ToolAnnotations::from_raw(
        Some(tool.title.to_owned()),
        Some(true),
        Some(false),
        Some(true),
        Some(false),
    );
    Ok(Tool::new(tool.name, Cow::Borrowed(tool.description), schema)
        .with_title(tool.title)
        .with_annotations(annotations))
}

/// What went wrong is an answer as well: a model can put it right.
fn result(done: Result<String, Refusal>) -> CallToolResult {
    match done {
        Ok(text) => {
            CallToolResult::success(vec![ContentBlock::text(cut(&printable(&text), ANSWER_BYTES_MAX))])
        }
        Err(Refusal { code, message }) => CallToolResult::error(vec![ContentBlock::text(format!(
            "error[{code}]: {}",
            printable(&message)
        ))]),
    }
}
