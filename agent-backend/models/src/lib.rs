//! Model providers: one port, [`Provider`], and what stands behind it.
//!
//! Owns: the request and answer types, the errors of talking to a model server
//! (E14xx), the rule that no prompt is cut without somebody hearing of it, and
//! which provider is asked when one fails ([`routing`]).
//!
//! Must never know: what a prompt means, and what is done with an answer. A
//! provider tries nothing again by itself; [`Error::trouble`] and
//! [`Error::retry_after`] say what may help.

mod context;
mod error;
pub mod examine;
mod hosted;
mod http;
mod key;
mod locality;
pub mod ndjson;
mod ollama;
mod openai;
mod provider;
mod request;
mod residence;
pub mod routing;
pub mod sse;
mod thinking;

/// Most calls of tools in one answer.
pub(crate) const CALLS_MAX: usize = 128;

pub use context::{Context, tokens_likely, tokens_min};
pub use error::{Error, Phase, Trouble};
pub use examine::Finding;
pub use hosted::{Hosted, HostedKind, HostedOptions};
pub use key::Key;
pub use locality::Locality;
pub use ollama::{ChosenFor, KeepAlive, NumCtx, Ollama, OllamaOptions, Room, Session};
pub use openai::{OpenAiEmbeddings, OpenAiOptions};
pub use provider::{
    ChatRequest, Chunk, ChunkStream, Finish, Health, Identity, Image, Loaded, LoadedModel, Message, Provider,
    Role, ServerMemory, Tool, ToolCall, Usage,
};
pub use residence::{Busy, Residence, Turn};
pub use thinking::Thinking;
