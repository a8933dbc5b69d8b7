//! Error classes and codes. A class decides what a caller does next, a code
//! names the page under `docs/errors/` that tells a person what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a caller may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Trying again later can succeed: a time-out, a refused connection.
    Transient,
    /// Trying again cannot succeed: the answer was understood and is final.
    Permanent,
    /// The process must stop: its own storage can no longer be trusted.
    Fatal,
    /// The request was wrong; the person can put it right.
    User,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Fatal => "fatal",
            Self::User => "user",
        })
    }
}

macro_rules! codes {
    ($($name:ident = $text:literal, $title:literal;)*) => {
        /// A stable error code; `docs/errors/<code>.md` explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $title] $name,)* }

        impl Code {
            /// Every code there is, in order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it is printed, for example `E1001`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// One line that names the problem.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
        }
    };
}

codes! {
    // E10xx: requests (backend edges).
    InvalidRequest = "E1001", "The request is malformed";
    UnknownWorkflowType = "E1002", "The workflow type does not exist";
    UnknownWorkflow = "E1003", "There is no workflow with this id";
    CorrelationConflict = "E1004", "The correlation id was used with another request";
    QueryTooLong = "E1005", "The request text is too long";
    QueryEmpty = "E1006", "The request text is empty";
    DecisionNotPending = "E1007", "The workflow is not waiting for a decision";
    WorkflowFinished = "E1008", "The workflow has already finished";
    Overloaded = "E1009", "The server has too much work queued";
    Unauthenticated = "E1010", "The request carries no valid token";
    OriginRefused = "E1011", "The browser origin is not allowed";
    StageAttemptsExhausted = "E1012", "A stage failed as often as it may";
    InvalidWorkflowDefinition = "E1013", "A workflow definition cannot be used";
    ConfigInvalid = "E1014", "The configuration cannot be used";
    BindRefused = "E1015", "Listening beyond this machine needs authentication";
    PortInUse = "E1016", "The port is already in use";
    StageTimedOut = "E1017", "A stage did not end in time";
    LaneConflict = "E1018", "Parts of a workflow change the same file";
    ForkRefused = "E1019", "A workflow cannot go on from this event";
    ImportRefused = "E1020", "An exported workflow cannot be imported";
    UnknownSession = "E1021", "There is no session with this id";
    UndoRefused = "E1022", "The workflow cannot be undone";
    ImageRefused = "E1023", "A picture of a request cannot be used";
    CredentialLeftOut = "E1024", "A credential was left out of what a person said";
    Internal = "E1099", "A bug in Agentic IDE";

    // E11xx: journal.
    JournalUnavailable = "E1101", "The journal cannot be opened";
    StorageFull = "E1102", "The disk that holds the journal is full";
    JournalCorrupt = "E1103", "The journal is damaged";
    JournalTooNew = "E1104", "The journal was written by a newer version";
    JournalLocked = "E1105", "Another backend uses this data directory";
    StaleAppend = "E1106", "Another writer has moved the workflow on";
    AppendRefused = "E1107", "An append breaks the rules of the history";
    JournalStorageFailed = "E1108", "The journal's storage failed";
    Fenced = "E1109", "Another backend has taken over";
    SetAside = "E1110", "A workflow was set aside";
    RunsElsewhere = "E1111", "Another backend runs this workflow";
    StillRunning = "E1112", "A workflow that may still run cannot be deleted";

    // E12xx: workspace, git, checks (tools).
    WorkspaceNotADirectory = "E1201", "The workspace is not a directory";
    WorkspaceUnreadable = "E1202", "The workspace cannot be read";
    BareRepository = "E1203", "The workspace is a bare git repository";
    GitBusy = "E1204", "The repository is in the middle of another operation";
    PathOutsideWorkspace = "E1205", "A path leads outside the workspace";
    PathProtected = "E1206", "A path is protected";
    FileNotText = "E1207", "The file is not text in a supported encoding";
    FileTooLarge = "E1208", "The file is too large to edit";
    WorkspaceChanged = "E1209", "The workspace changed since the proposal was made";
    GitFailed = "E1210", "A git command failed";
    StagedConflict = "E1211", "A proposed path has staged changes";
    WriteFailed = "E1212", "A file could not be written";
    GitMissing = "E1213", "The git program is not installed";
    MergedChecksFailed = "E1214", "What would be written is not what was checked, and fails";
    UndoConflict = "E1215", "Later changes touch what is to be undone";

    // E13xx: model answers (agents).
    AnswerEmpty = "E1301", "The model's answer is empty";
    AnswerNoEdits = "E1302", "The model's answer contains no file edits";
    AnswerTruncated = "E1303", "The model's answer was cut off";
    AnswerMalformed = "E1304", "The model's answer is malformed";
    EditPathInvalid = "E1305", "The model names a path that is not allowed";
    EditDoesNotApply = "E1306", "An edit does not fit the file";
    PlanMalformed = "E1307", "The plan is not valid JSON of the expected shape";
    AnswerPlaceholder = "E1308", "The model left code out";
    NoChange = "E1309", "The answer changes nothing";
    ChecksFailed = "E1310", "A check of the proposal failed";
    AnswerRepeats = "E1311", "The model repeats itself";
    AnswerDeclined = "E1312", "The model declined the task";
    QueriesMalformed = "E1313", "The search queries are not valid JSON of the expected shape";
    AnswerWrittenCall = "E1314", "The model wrote a tool call as text";
    RequestUnclear = "E1315", "The request can mean several things";
    AnswerCallsOnly = "E1316", "The model calls tools and writes nothing";

    // E14xx: model providers.
    OllamaUnreachable = "E1401", "Ollama does not answer";
    ModelNotPulled = "E1402", "The server does not have the model";
    ModelTimeout = "E1403", "The model did not answer in time";
    ModelStreamBroken = "E1404", "The model's stream broke off";
    ModelRefused = "E1405", "The model server refused the request";
    ModelOverloaded = "E1406", "The model server is overloaded";
    ContextTruncated = "E1407", "The model saw less than it was sent";
    NotAModelServer = "E1408", "The address does not answer like a model server";
    LocalModelUnusable = "E1409", "A local model cannot be loaded";
    ModelServerUnreachable = "E1410", "The model server does not answer";
    KeyRefused = "E1411", "The model server does not accept the key";
    CertificateRefused = "E1412", "The model server's certificate cannot be trusted";
    ContextOverflow = "E1413", "The request is longer than the model can read";
    QuotaSpent = "E1414", "The account at the provider has nothing left";
    ModelServerTooOld = "E1415", "The model server is too old";
    AnswersHeldBack = "E1416", "Something holds answers back until they are whole";
    NoProvider = "E1417", "No model provider can be asked for now";
    WrongModel = "E1418", "Another model answers than the one that was asked";
    ModelMemoryFull = "E1419", "The memory that models run in is nearly full";
    ImageUnseen = "E1420", "The model does not see a picture";

    // E15xx: retrieval and vector database client.
    VectorDbUnavailable = "E1501", "The vector database does not answer";
    EmbeddingFailed = "E1502", "The text could not be embedded";
    IndexFailed = "E1503", "The workspace could not be indexed";
    SearchFailed = "E1504", "The search failed";
    RerankFailed = "E1505", "The results could not be reranked";
    WatchUnavailable = "E1506", "The files of a workspace cannot be watched";

    // E16xx: vector database launcher.
    QdrantNotStarted = "E1601", "Qdrant could not be started";
    LauncherPortInUse = "E1602", "A port of the vector database is in use";
    StoreUnusable = "E1603", "The vector store cannot be opened";
    LauncherConfigInvalid = "E1604", "The launcher's configuration cannot be used";
    MigrationFailed = "E1605", "Collections could not be copied to another server";

    // E17xx: clients.
    BackendUnreachable = "E1701", "The backend does not answer";
    VersionIncompatible = "E1702", "Client and backend versions do not fit";
    ClientConfigInvalid = "E1703", "The client's configuration cannot be used";
    BackendAnswerUnexpected = "E1704", "The backend's answer cannot be understood";
    WindowUnavailable = "E1705", "The window cannot be opened";
    AgentUnavailable = "E1706", "The agent cannot be reached";
    AgentRefused = "E1707", "The agent refused";
    AgentSignIn = "E1708", "The agent wants you to sign in";
    AgentFileRefused = "E1709", "The agent may not read or write this file";

    // E18xx: sandbox.
    SandboxUnavailable = "E1801", "There is no sandbox to run anything in";
    SandboxMountRefused = "E1802", "The sandbox cannot show a file";
    SandboxFailed = "E1803", "The sandbox could not be set up";
    SandboxImage = "E1804", "An image for the sandbox could not be made";
    UnisolatedRun = "E1805", "Nothing here isolates what would be run";

    // E19xx: language servers.
    LanguageServerNotStarted = "E1901", "A language server cannot be started";
    LanguageServerFailed = "E1902", "A language server failed";

    // E20xx: servers of the Model Context Protocol.
    McpServerNotStarted = "E2001", "An MCP server cannot be started or reached";
    McpServerFailed = "E2002", "An MCP server failed";
    McpCallRefused = "E2003", "A call of an MCP tool was refused";
    McpToolsNotOffered = "E2004", "Tools of an MCP server are not offered";
    McpServerInvalid = "E2005", "The definition of an MCP server cannot be used";
    McpServerUntrusted = "E2006", "The repository names an MCP server that nobody has trusted";
    McpTrustUnusable = "E2007", "The trusted MCP servers cannot be read or kept";
    McpClientServerRefused = "E2008", "An editor may not bring this MCP server";
}

impl Code {
    /// The code printed as `text`, if there is one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_parse_back() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
        }
    }
}
