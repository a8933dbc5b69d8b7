//! The port: what the rest of the backend asks of a model, whoever serves it.
//! Nothing here names a product or a wire format.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{Context, Error, Finding, Locality, Residence, Thinking, examine};

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions in the middle of a conversation; the leading ones are
    /// [`ChatRequest::system`].
    System,
    /// The person, or the program on their behalf.
    User,
    /// The model. As the last message it is a beginning that the model goes on
    /// with.
    Assistant,
    /// A tool, with what came of a call.
    Tool,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// For example `image/png`.
    pub media_type: String,
    /// The file's contents.
    pub bytes: Bytes,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name, of letters, digits and `_`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// JSON Schema of its arguments, an object.
    pub parameters: serde_json::Value,
}

/// A call of a tool, complete.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Names the call in its answer. Made up where the server gives none.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is called with, an object.
    pub arguments: serde_json::Value,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// The text, sent unchanged.
    pub content: String,
    /// Pictures beside the text; of the person's messages alone.
    pub images: Vec<Image>,
    /// What the model called; of its own messages alone.
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool answers; of [`Role::Tool`] alone.
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A message of text alone.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            images: Vec::new(),
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }

    /// A message of the person.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }

    /// A message of the model.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content)
    }
}

/// One call. Which model answers and how large its context is are the
/// provider's, fixed for a session, so that no call makes a server load the
/// model anew.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChatRequest {
    /// Leading instructions; empty for none. Kept byte-stable by callers, so
    /// that the server's prefix cache holds.
    pub system: String,
    /// The conversation, oldest first. Not empty.
    pub messages: Vec<Message>,
    /// JSON Schema that the answer must follow.
    pub format: Option<serde_json::Value>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Sampling temperature; the model's own default if absent.
    pub temperature: Option<f32>,
    /// Most tokens to generate; an answer cut there ends with
    /// [`Finish::Length`]. Those of thoughts that were asked for come on top,
    /// [`Thinking::tokens_max`] of them.
    pub tokens_max: Option<u32>,
    /// Seed of the sampling, for answers that can be reproduced.
    pub seed: Option<i64>,
    /// How much the model is to think first. One that cannot is asked without:
    /// [`Provider::grants`].
    pub thinking: Thinking,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// A limit cut it off: `tokens_max`, or the context was full. Not a success
    /// for anything that must be whole.
    Length,
    /// It waits for what its calls of tools come to.
    ToolCalls,
    /// The server would not let it go on, for what it is about.
    Refused,
}

/// What an answer took, as the server reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt that the server evaluated; 0 if it does not say.
    pub prompt_tokens: u64,
    /// Tokens generated, thinking included.
    pub generated_tokens: u64,
    /// Bytes of thinking that were left out of the tokens.
    pub thinking_bytes: u64,
    /// From the request's arrival to the end of the answer.
    pub duration_ms: u64,
    /// The part of it in which the model was loaded.
    pub load_ms: u64,
    /// Why it ended.
    pub finish: Finish,
    /// Asked for, loaded and used; [`Context::check`] tells whether the model
    /// saw less than it was sent.
    pub context: Context,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Chunk {
    /// Text to append; never empty. Not necessarily one token of the model.
    Token {
        /// The text.
        text: String,
    },
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// The end; comes exactly once, last, unless the stream ends in an error.
    Done(Usage),
}

/// The answer as it comes. Ends after [`Chunk::Done`] or the first error.
/// Dropping it closes the connection, which stops the generation.
pub type ChunkStream = BoxStream<'static, Result<Chunk, Error>>;

/// A model made ready by [`Provider::preload`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The model's name as the provider was configured with.
    pub model: String,
    /// The context that was asked for, in tokens.
    pub num_ctx: u32,
    /// The largest context the model was trained for, in tokens, if known.
    pub context_length_max: Option<u64>,
    /// Video memory the model takes, in MiB; 0 on the CPU.
    pub vram_mb: u64,
    /// How long loading took, in milliseconds.
    pub load_ms: u64,
    /// Asked for and loaded; [`Context::check`] is the E1407 of a mismatch.
    pub context: Context,
}

/// A model that the server holds in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedModel {
    /// Name with tag, as the server spells it.
    pub name: String,
    /// Video memory, in MiB; 0 on the CPU.
    pub vram_mb: u64,
    /// All memory, video memory included, in MiB.
    pub size_mb: u64,
    /// Context it is loaded with, in tokens; older servers do not say.
    pub context_length: Option<u32>,
}

/// What one server of a provider holds in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMemory {
    /// Its address, without a login.
    pub server: String,
    /// Whether it runs on this machine, as far as its address tells.
    pub is_here: bool,
    /// The models, of all its clients.
    pub models: Result<Vec<LoadedModel>, Error>,
}

/// A server that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Version of the server.
    pub version: String,
    /// The configured model.
    pub model: String,
    /// Whether the server has it.
    pub model_available: bool,
    /// Names of all models it has, sorted.
    pub models: Vec<String>,
}

/// What a provider is, as it was configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name in the configuration, for example `ollama` or `groq`.
    pub provider: String,
    /// The model that answers.
    pub model: String,
    /// Its context in tokens, prompt and answer together.
    pub context_tokens: u32,
}

/// A server of one model. Cheap to share behind an `Arc`.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Who answers. The name is for logs, metrics and events.
    fn identity(&self) -> &Identity;

    /// Where the model runs: what is asked of it is sent there. Known without asking.
    fn locality(&self) -> Locality;

    /// Finds out what is fixed for the session, once, so that
    /// [`Provider::identity`] says what calls carry. Until it has succeeded, the
    /// identity is a guess.
    async fn settle(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Why the context is as large as it is, where nobody said so.
    fn reason(&self) -> Option<&str> {
        None
    }

    /// The memory that its model shares with others; none where that is no
    /// concern of ours.
    fn residence(&self) -> Option<&Residence> {
        None
    }

    /// Asks the model. Returns when the answer begins; dropping the future
    /// before that cancels the call as dropping the stream does after it.
    async fn chat(&self, request: ChatRequest) -> Result<ChunkStream, Error>;

    /// Whether the model goes on with a beginning of its own, given as the last
    /// message: one that thinks first does not, for its thoughts are lost.
    async fn continues(&self) -> Result<bool, Error>;

    /// Whether the model can be given tools to call.
    async fn takes_tools(&self) -> Result<bool, Error> {
        Ok(true)
    }

    /// Whether the model sees pictures, as its server says or its kind is.
    async fn sees_images(&self) -> Result<bool, Error>;

    /// What comes of a wish about thinking, as far as is known: the wish;
    /// [`Thinking::Off`] from a model that cannot think; [`Thinking::Low`] in
    /// place of `Off` from one that always does; or
    /// [`Thinking::ProviderDefault`] where its server would not hear of it.
    async fn grants(&self, wanted: Thinking) -> Thinking {
        wanted
    }

    /// Loads the model and keeps it loaded.
    async fn preload(&self) -> Result<Loaded, Error>;

    /// Whether the server answers and has the model. Loads nothing.
    async fn health(&self) -> Result<Health, Error>;

    /// What its servers hold in memory; nothing where servers do not tell.
    async fn memory(&self) -> Vec<ServerMemory> {
        Vec::new()
    }

    /// What is wrong with it, before it is used. Generates and loads nothing.
    async fn examine(&self) -> Vec<Finding> {
        examine::by_health(&self.health().await)
    }
}
