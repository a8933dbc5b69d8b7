//! What stages make: context, plan, proposal, evidence, commit.

use shared::{
    error::{Class, Code},
    id::{StageId, WorkflowId},
};

use crate::blob::BlobId;

/// What a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Name of the workflow definition.
    pub workflow_type: String,
    /// The request, in the person's words.
    pub query: String,
    /// Absolute path of the workspace.
    pub workspace: String,
    /// What else the person chose.
    pub choices: Choices,
    /// Pictures that belong to the request, in the person's order.
    pub images: Vec<Image>,
}

/// A picture of a request, by the name of its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The file's contents.
    pub blob: BlobId,
    /// What kind of file it is.
    pub format: ImageFormat,
    /// Its size.
    pub bytes: u64,
}

/// Kinds of files that pictures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// Graphics Interchange Format.
    Gif,
    /// WebP.
    Webp,
}

impl ImageFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Png, Self::Jpeg, Self::Gif, Self::Webp];

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}

/// What a person chose for a workflow; what is configured, where nothing is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choices {
    /// The model that is asked for everything.
    pub model: Option<String>,
    /// How much the models think before they answer.
    pub thought_level: ThoughtLevel,
    /// Whether code is searched for.
    pub search: Search,
    /// Absolute paths of further folders that are searched, and never written.
    pub folders: Vec<String>,
    /// The workflow whose commit is taken back; for [`Graph::undo`] alone.
    ///
    /// [`Graph::undo`]: crate::Graph::undo
    pub undoes: Option<WorkflowId>,
}

/// How much the models think before they answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThoughtLevel {
    /// As their providers are configured.
    #[default]
    Default,
    /// Not at all.
    Off,
    /// Little.
    Low,
    /// As much as most questions need.
    Medium,
    /// Much.
    High,
}

/// Whether code is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Search {
    /// Yes.
    #[default]
    On,
    /// No: the models see what the plan names, and what the request says.
    Off,
}

/// Code that was found for the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// How it was searched.
    pub mode: RetrievalMode,
    /// What was packed, best first.
    pub items: Vec<ContextItem>,
    /// The packed text as it goes into prompts.
    pub packed: BlobId,
    /// Estimated tokens of the packed text.
    pub tokens: u64,
}

/// How context was searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetrievalMode {
    /// Embeddings and keywords, fused.
    Hybrid,
    /// Keywords in the vector database.
    Keyword,
    /// Keywords in memory: the vector database did not answer.
    LocalKeyword,
    /// Not at all: the person did not want it.
    Off,
}

/// One piece of context.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextItem {
    /// Path relative to the workspace.
    pub path: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, included.
    pub end_line: u32,
    /// Function, class or method.
    pub symbol: Option<String>,
    /// Larger is better, within one result.
    pub score: f64,
    /// The questions that found it, where more than the request was asked.
    pub found_by: Vec<String>,
}

/// What the planner decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// One sentence.
    pub summary: String,
    /// Steps of the implementation, in order.
    pub steps: Vec<String>,
    /// Files it expects to touch, relative to the workspace.
    pub files: Vec<String>,
    /// Its word on each optional stage.
    pub stages: Vec<StageChoice>,
    /// What the stages that follow are likely to take; those of which nothing
    /// is known, too.
    pub estimates: Vec<Estimate>,
}

/// What a stage is likely to take, by what it took in earlier workflows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// The stage.
    pub stage: StageId,
    /// Tokens that models write; none where no model wrote before.
    pub tokens: Option<Span>,
    /// Milliseconds; none where the stage has not run before.
    pub duration_ms: Option<Span>,
}

/// From the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
}

/// The planner's word on an optional stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageChoice {
    /// The stage.
    pub stage: StageId,
    /// Whether it runs.
    pub run: bool,
    /// Why.
    pub reason: String,
}

/// Changes that are proposed and not yet made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposal {
    /// What it does, one line, for the commit's subject.
    pub summary: String,
    /// The files, each path once.
    pub files: Vec<FileChange>,
    /// What the models that wrote it have read; those that were asked, not those
    /// whose answer was known.
    pub reads: Vec<ContextRead>,
}

/// How much of what a model was sent it has read, in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextRead {
    /// The provider's name in the configuration.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// The context that was asked for.
    pub requested: u32,
    /// The context that the server had loaded, if it tells.
    pub loaded: Option<u32>,
    /// The fewest tokens that were sent.
    pub sent_min: u64,
    /// Tokens that the server says it read, if it tells.
    pub used: Option<u64>,
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Path relative to the workspace, `/` between parts.
    pub path: String,
    /// Contents it had when the proposal was made; none for a new file.
    pub old: Option<BlobId>,
    /// Contents it gets; none to remove it.
    pub new: Option<BlobId>,
    /// Lines added.
    pub lines_added: u32,
    /// Lines removed.
    pub lines_removed: u32,
}

/// One check of a proposal: a piece of its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// Name, for example `syntax`.
    pub name: String,
    /// How it ended.
    pub status: CheckStatus,
    /// The command, if it was one.
    pub command: Option<String>,
    /// The status with which the command ended by itself.
    pub exit_status: Option<i32>,
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// What it said, shortened.
    pub output: String,
    /// How exactly it was run, and all that it printed; none where it ran no
    /// program of the project.
    pub log: Option<BlobId>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// Nothing to object to.
    Passed,
    /// The proposal has a problem.
    Failed,
    /// Not run; the output says why.
    Skipped,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What to do about it.
    pub class: Class,
    /// The page that explains it.
    pub code: Code,
    /// What went wrong, for a person and, on a retry, for the model.
    pub message: String,
}

/// Everything a commit is a function of, recorded before anything is written,
/// so that doing it again after a crash makes the same commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyIntent {
    /// Where the commit goes; none where the workspace has no repository.
    pub commit: Option<CommitIntent>,
    /// Paths and contents to write: the accepted part of the proposal, merged
    /// with what the person changed meanwhile.
    pub files: Vec<FileChange>,
    /// Those of them that an editor showed with changes that were not saved: their
    /// old contents are the editor's.
    pub unsaved: Vec<Unsaved>,
    /// Those of them that come back, each with the mode that it had.
    pub restored: Vec<Restored>,
}

/// A file that was gone and comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Path as in the intent's files.
    pub path: String,
    /// Whether it was executable.
    pub executable: bool,
}

/// A file that a person's editor showed otherwise than the disk had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsaved {
    /// Path as in the intent's files.
    pub path: String,
    /// Contents on the disk; none where there was no such file.
    pub disk: Option<BlobId>,
}

/// Inputs of the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitIntent {
    /// Commit that HEAD pointed at; none on an unborn branch.
    pub base: Option<String>,
    /// Branch reference that moves, for example `refs/heads/main`; none with a
    /// detached HEAD, which then moves itself.
    pub reference: Option<String>,
    /// `Name <mail>` of the author and committer.
    pub author: String,
    /// Seconds since the Unix epoch and offset, as git writes it: `1700000000 +0000`.
    pub date: String,
    /// The whole commit message.
    pub message: String,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The commit; none where the workspace has no repository.
    pub commit: Option<String>,
    /// Short name of the branch that moved.
    pub branch: Option<String>,
    /// Paths that were written or removed.
    pub paths: Vec<String>,
}

/// What a person answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Apply it, or only these parts of it.
    Accept(Selection),
    /// Drop it.
    Reject {
        /// Why, if the person said.
        feedback: Option<String>,
    },
    /// Make another one.
    Modify {
        /// What to change.
        feedback: String,
    },
}

/// One try at one provider of a model, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCall {
    /// What it was asked as, for example `code`.
    pub role: String,
    /// The provider's name in the configuration.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// From 1 over all providers; anew where an attempt is gone on with after a restart.
    pub number: u32,
    /// How it ended.
    pub ending: CallEnding,
    /// Milliseconds until the first token came; none where none did.
    pub first_token_ms: Option<u64>,
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// Tokens of the prompt, as the provider counted them.
    pub prompt_tokens: u64,
    /// Tokens of the answer, as the provider counted them.
    pub generated_tokens: u64,
    /// Millionths of a dollar; none where no price is configured.
    pub cost_microdollars: Option<u64>,
}

/// How a call of a model ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEnding {
    /// With an answer.
    Answered {
        /// Whether a limit cut it off.
        cut: bool,
    },
    /// The answer was known already: nobody was asked.
    FromCache,
    /// Without an answer.
    Failed {
        /// The page that explains it.
        code: Code,
        /// What went wrong.
        reason: String,
        /// What follows.
        next: CallNext,
    },
}

/// What follows a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallNext {
    /// The same provider is asked again.
    Retry {
        /// Milliseconds until then.
        after_ms: u64,
    },
    /// The next provider of the chain is asked.
    NextProvider,
    /// Nobody is there to ask: it waits for one.
    Wait,
    /// It is asked with a shorter prompt.
    Shrink,
    /// Nobody else is asked: the attempt fails.
    GiveUp,
}

/// A tool that a model called in the middle of its answer, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Hash of the model and of all that it was asked when it called: where the
    /// same is asked again, this is its answer and nothing is called.
    pub asked: BlobId,
    /// From 1 among the calls of that answer.
    pub number: u32,
    /// How many calls that answer has.
    pub of: u32,
    /// What the model had said before the calls; with the first one alone.
    pub said: String,
    /// Names the call in the conversation.
    pub id: String,
    /// The server that has the tool.
    pub server: String,
    /// The tool, as its server names it.
    pub tool: String,
    /// What the model calls it.
    pub name: String,
    /// What it was called with, a JSON object.
    pub arguments: String,
    /// Text that the model was given.
    pub result: BlobId,
    /// Whether the tool failed.
    pub is_error: bool,
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// Set where it is about to be made, with the whole answer that it is part
    /// of: what may change something is in the history before it is done, with
    /// what the model is told if nothing comes after.
    pub begun: Option<BlobId>,
}

/// A call of a tool that a person has to allow first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedCall {
    /// As in the [`ToolCall`] that comes of it.
    pub asked: BlobId,
    /// From 1 among the calls of that answer.
    pub number: u32,
    /// The whole answer: with it the model need not be asked again.
    pub turn: BlobId,
    /// The server that has the tool.
    pub server: String,
    /// Hash of how that server is reached: what is said for good holds for
    /// this one alone.
    pub reached: BlobId,
    /// The tool, as its server names it.
    pub tool: String,
    /// Its title for a person.
    pub title: String,
    /// What it does, by its server's word.
    pub effect: Effect,
    /// Hash of what it would be called with.
    pub arguments: BlobId,
    /// What it would be called with, for a person: without secrets, and cut
    /// where it is long.
    pub shown: String,
}

/// What a tool that may change something does, by its server's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The server does not say.
    Unknown,
    /// It only adds.
    Adds,
    /// It may destroy.
    Destroys,
}

/// Which parts of a proposal are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    All,
    /// These files, and of each all or some hunks.
    Files(Vec<FileSelection>),
}

/// The part of one file that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSelection {
    /// Path as in the proposal.
    pub path: String,
    /// Indexes of hunks from 0; all when none.
    pub hunks: Option<Vec<u32>>,
    /// The person's own text of the file, in place of the proposed one.
    pub text: Option<BlobId>,
}
