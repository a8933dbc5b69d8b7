//! The port: what the rest of the backend asks of a model, whoever serves it.
//! Nothing here names a product or a wire format.

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{Context, Error};

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
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// The text, sent unchanged.
    pub content: String,
}

impl Message {
    /// A message of the person.
    pub fn user(content: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            content: content.into(),
        }
    }

    /// A message of the model.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            content: content.into(),
        }
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
    /// Sampling temperature; the model's own default if absent.
    pub temperature: Option<f32>,
    /// Most tokens to generate; an answer cut there ends with
    /// [`Finish::Length`].
    pub tokens_max: Option<u32>,
    /// Seed of the sampling, for answers that can be reproduced.
    pub seed: Option<i64>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// A limit cut it off: `tokens_max`, or the context was full. Not a success
    /// for anything that must be whole.
    Length,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Text to append; never empty. Not necessarily one token of the model.
    Token {
        /// The text.
        text: String,
    },
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

/// A server of one model. Cheap to share behind an `Arc`.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Name for logs and metrics, for example `ollama`.
    fn name(&self) -> &str;

    /// Asks the model. Returns when the answer begins; dropping the future
    /// before that cancels the call as dropping the stream does after it.
    async fn chat(&self, request: ChatRequest) -> Result<ChunkStream, Error>;

    /// Whether the model goes on with a beginning of its own, given as the last
    /// message: one that thinks first does not, for its thoughts are lost.
    async fn continues(&self) -> Result<bool, Error>;

    /// Loads the model and keeps it loaded.
    async fn preload(&self) -> Result<Loaded, Error>;

    /// Whether the server answers and has the model. Loads nothing.
    async fn health(&self) -> Result<Health, Error>;

    /// The models the server holds in memory, of all its clients.
    async fn vram(&self) -> Result<Vec<LoadedModel>, Error>;
}
