//! What crosses the network as JSON: the streamed event envelope and the
//! request and answer bodies of the REST interface. These are wire twins of
//! the engine's domain types, converted by hand at the backend's edge.
//!
//! Adding a field is compatible; renaming or removing one is not.

pub mod call;
pub mod event;
pub mod index;
pub mod memory;
pub mod question;
pub mod rest;
pub mod sandbox;
pub mod search;
pub mod session;
pub mod tool;

pub use call::{CallEnding, CallNext, Dollars, ModelCall};
pub use event::{
    Body, ChangeKind, CheckStatus, ContextItem, Envelope, FileDiff, Hunk, Metrics, NoticeLevel, PlanStage,
    RetrievalMode, Span, StageEstimate, StageOutcome, WorkflowState,
};
pub use index::{IndexCommand, IndexPage, IndexProgress, IndexRequest, IndexState, IndexView};
pub use memory::{MemoryDevice, MemoryProblem, MemoryView};
pub use question::{Decision, Question, ToolEffect, WantedCall};
pub use rest::{
    Choices, DecisionRequest, ErrorBody, ForkRequest, HunkChoice, Image, ImportResponse, RemarkRequest,
    Retrieval, StageView, SubmitRequest, SubmitResponse, ThoughtLevel, UndoResponse, WorkflowPage,
    WorkflowSummary, WorkflowView,
};
pub use sandbox::{SandboxGuarantee, SandboxPassedOver, SandboxView};
pub use search::{
    CodeAnswer, CodeRequest, SearchAnswer, SearchDuplicate, SearchExplanation, SearchFileReasons,
    SearchIndex, SearchItem, SearchNotice, SearchPacked, SearchPartReasons, SearchRequest, SearchReranked,
    SearchReranking, SearchSignal,
};
pub use session::{
    SessionPosition, SessionReplayRequest, WorkflowDecideRequest, WorkflowGetRequest, WorkflowListRequest,
};
pub use tool::ToolCall;
