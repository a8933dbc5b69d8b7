//! The retrieval tools as a server of the Model Context Protocol: what any
//! agent can ask about the code of a workspace.
//!
//! Owns the protocol: which tools there are, how their arguments are read and
//! their answers written, which directories may be asked about. How code is
//! found belongs to the crate `retrieval`. It reads files and writes none. Where
//! a running backend keeps the workspace its index answers ([`Elsewhere`]); else
//! this process makes one, with neither a database nor a model.

mod input;
mod output;
mod roots;
mod stop;
mod tools;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;

use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt as _,
    handler::server::common::{schema_for_input, schema_for_output},
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as Described,
        ToolAnnotations,
    },
    service::{NotificationContext, RequestContext, ServerInitializeError},
};
use schemars::JsonSchema;
use shared::{
    error::Code,
    version,
    wire::{CodeAnswer, CodeRequest},
};

use self::{output::Answer, roots::Roots, stop::Stop, tools::Workspaces};
use crate::{error::Error, runtime::Runtime};

/// Workspaces of one request over REST.
const ROOTS_MAX: usize = 32;

const INSTRUCTIONS: &str = "\
Finds code in the workspace: by question (search_code), by name (find_definition, find_references) and by \
neighbourhood (related_files). Ask in words or with identifiers. Nothing has to be indexed before; the first \
search of a workspace takes longest. Paths are relative to the workspace, with `/`.";

/// The tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    SearchCode,
    FindDefinition,
    FindReferences,
    RelatedFiles,
    IndexStatus,
}

impl Tool {
    const ALL: [Self; 5] = [
        Self::SearchCode,
        Self::FindDefinition,
        Self::FindReferences,
        Self::RelatedFiles,
        Self::IndexStatus,
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::SearchCode => "search_code",
            Self::FindDefinition => "find_definition",
            Self::FindReferences => "find_references",
            Self::RelatedFiles => "related_files",
            Self::IndexStatus => "index_status",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::SearchCode => "Search code",
            Self::FindDefinition => "Find a definition",
            Self::FindReferences => "Find references",
            Self::RelatedFiles => "Find related files",
            Self::IndexStatus => "State of the index",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::SearchCode => {
                "Finds the code that a question or task is about, ranked by words, names, paths and git history. \
                 Returns pieces of files under headers `path:first-last symbol`, best first, within a token budget. \
                 Use it first, with the task in your own words; several short queries beat one long one."
            }
            Self::FindDefinition => {
                "Finds where a function, method, type, constant or field is defined, by its name (`total` or \
                 `Orders.total`), and returns its code. Reads the syntax: mentions in strings and comments do not count."
            }
            Self::FindReferences => {
                "Lists where a name is used: calls, imports and other uses, each with file, line and the function \
                 around it. Reads the syntax; with `how: text` strings, comments and documents count too."
            }
            Self::RelatedFiles => {
                "Lists the files that belong with a file, each with the reasons: changed in the same commits, \
                 imports, names that one defines and the other uses, tests, similar words."
            }
            Self::IndexStatus => {
                "Says which workspaces can be searched, how many files they have, and what was left out."
            }
        }
    }

    fn describe(self) -> Result<Described, ErrorData> {
        let (input, output) = match self {
            Self::SearchCode => schemas::<input::SearchCode, output::Code>(),
            Self::FindDefinition => schemas::<input::FindDefinition, output::Definitions>(),
            Self::FindReferences => schemas::<input::FindReferences, output::References>(),
            Self::RelatedFiles => schemas::<input::RelatedFiles, output::Related>(),
            Self::IndexStatus => schemas::<input::IndexStatus, output::Status>(),
        }
        .map_err(|problem| ErrorData::internal_error(problem, None))?;
        let annotations = ToolAnnotations::from_raw(
            Some(self.title().to_owned()),
            Some(true),
            Some(false),
            Some(true),
            Some(false),
        );
        Ok(Described::new(self.name(), self.description(), input)
            .with_title(self.title())
            .with_raw_output_schema(output)
            .with_annotations(annotations))
    }
}

type Schema = Arc<JsonObject>;

fn schemas<I: JsonSchema + 'static, O: JsonSchema + 'static>() -> Result<(Schema, Schema), String> {
    Ok((schema_for_input::<I>()?, schema_for_output::<O>()))
}

/// A backend that may keep a workspace up to date.
#[async_trait]
pub trait Elsewhere: Send + Sync {
    /// Its answer to a call about the workspace at `root`; none if there is no
    /// such backend.
    async fn answer(&self, tool: &str, root: &Path, call: &CodeRequest) -> Option<Result<CodeAnswer, Error>>;
}

/// Answers one call from the indexes of this backend.
pub(super) async fn answer(runtime: &Runtime, tool: &str, call: CodeRequest) -> Result<CodeAnswer, Error> {
    let refuse = |message: String| Error::user(Code::InvalidRequest, message);
    let tool = Tool::parse(tool).ok_or_else(|| refuse(no_such(tool)))?;
    let roots: Vec<PathBuf> = call.roots.into_iter().map(PathBuf::from).collect();
    if roots.is_empty() || roots.len() > ROOTS_MAX || !roots.iter().all(|root| root.is_absolute()) {
        return Err(refuse(format!(
            "`roots` must be 1 to {ROOTS_MAX} absolute paths of workspaces"
        )));
    }
    let services = runtime.services();
    let workspaces = Workspaces::of_backend(services.search.clone(), services.indexing.clone());
    let stop = Stop::default();
    let _dropped = stop.when_dropped();
    let answer = Box::pin(tools::run(&workspaces, tool, call.arguments, &roots, stop)).await?;
    Ok(answer.into())
}

fn no_such(tool: &str) -> String {
    let names = Tool::ALL.map(Tool::name).join(", ");
    format!("there is no tool `{tool}`; there are {names}")
}

/// The server of one client.
#[derive(Clone)]
struct Server {
    roots: Arc<Roots>,
    workspaces: Arc<Workspaces>,
    elsewhere: Arc<dyn Elsewhere>,
}

impl Server {
    /// Answers from the backend that keeps the workspace, if there is one, and
    /// else from an index of this process.
    async fn run(
        self,
        tool: Tool,
        arguments: serde_json::Value,
        roots: Vec<PathBuf>,
        stop: Stop,
    ) -> Result<Answer, Error> {
        let given = |name: &str| arguments.get(name).and_then(serde_json::Value::as_str);
        let path = given("path").or_else(|| arguments.get("paths")?.get(0)?.as_str());
        let root = roots::choose(&roots, given("root"), path)?;
        let listed = roots.iter().map(|root| root.to_str().map(str::to_owned));
        if let Some(listed) = listed.collect::<Option<Vec<String>>>() {
            let call = CodeRequest {
                roots: listed,
                arguments: arguments.clone(),
            };
            if let Some(answer) = self.elsewhere.answer(tool.name(), &root, &call).await {
                return answer.map(Answer::from);
            }
        }
        tools::run(&self.workspaces, tool, arguments, &roots, stop).await
    }
}

/// Serves one client on standard input and output until it closes its end.
/// `root` is the workspace of a client that names none.
pub async fn serve(root: PathBuf, elsewhere: Arc<dyn Elsewhere>) -> Result<(), Error> {
    let server = Server {
        roots: Arc::new(Roots::new(root)),
        workspaces: Arc::new(Workspaces::own()?),
        elsewhere,
    };
    match server.serve(rmcp::transport::stdio()).await {
        Ok(running) => match running.waiting().await {
            Ok(_closed) => Ok(()),
            Err(error) => Err(Error::internal(error.to_string())),
        },
        // A client that leaves without a word has not asked for anything.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        Err(error) => Err(Error::user(Code::InvalidRequest, error.to_string())),
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("agentic-ide", version::VERSION))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools: Result<Vec<Described>, ErrorData> = Tool::ALL.into_iter().map(Tool::describe).collect();
        Ok(ListToolsResult::with_all_items(tools?))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = Tool::parse(&request.name) else {
            return Err(ErrorData::invalid_params(no_such(&request.name), None));
        };
        let roots = self.roots.of(&context).await;
        let stop = Stop::default();
        let arguments = serde_json::Value::Object(request.arguments.unwrap_or_default());
        // A task of its own: an index that is half made must not be lost when
        // the client stops waiting for it.
        let work = self.clone().run(tool, arguments, roots, stop.clone());
        let mut work = tokio::spawn(Box::pin(work));
        let done = tokio::select! {
            done = &mut work => done,
            () = context.ct.cancelled() => {
                stop.now();
                return Err(ErrorData::internal_error("the request was cancelled", None));
            }
        };
        let answer = done.unwrap_or_else(|error| Err(Error::internal(error.to_string())));
        Ok(result(answer).into())
    }

    async fn on_roots_list_changed(&self, _context: NotificationContext<RoleServer>) {
        self.roots.forget().await;
    }
}

/// What went wrong is an answer as well: the agent can put it right.
fn result(answer: Result<Answer, Error>) -> CallToolResult {
    match answer {
        Ok(answer) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(answer.text)]);
            result.structured_content = Some(answer.structured);
            result
        }
        Err(error) => {
            tracing::debug!(code = %error.code, %error, "a tool refused");
            CallToolResult::error(vec![ContentBlock::text(format!(
                "error[{}]: {error}",
                error.code
            ))])
        }
    }
}
