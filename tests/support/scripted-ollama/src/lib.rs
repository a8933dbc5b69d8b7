//! A model server for tests and demos that speaks four wire formats, Ollama's
//! own, OpenAI's, Anthropic's and Gemini's, and answers all of them from one
//! script.
//!
//! Owns: the shapes and refusals of the real services, Ollama's silent
//! truncation at `num_ctx`, and a record of every request, so that tests assert
//! what was really sent. A request that no rule of the script fits is answered
//! with a clear error and recorded; nothing is made up.
//!
//! Must never know: anything of the programs that are tested with it.

mod answer;
mod clock;
mod embedding;
mod fault;
mod format;
mod gate;
mod handle;
mod prompt;
mod proxy;
mod record;
mod replay;
mod schema;
mod script;
mod seed;
mod server;
mod tokens;
mod wire;

pub use embedding::{DIMENSIONS_DEFAULT, embed};
pub use fault::{
    AfterTokens, Context, Count, ErrorAfter, Fault, GarbageAfter, Name, Point, Rate, RawAnswer,
    RefusalAnswer, Size, Stall,
};
pub use format::Format;
pub use gate::Gate;
pub use handle::{Builder, Error, ScriptedOllama};
pub use proxy::Recording;
pub use record::{Outcome, Record};
pub use replay::{Answering, Asking, Chunk, Exchange};
pub use script::{
    Endpoint, FormatMatch, Keys, Kind, Match, ModelSpec, Respond, Rule, Scope, Script, ScriptSource, Texts,
    Thinks, ToolCallAnswer,
};
pub use seed::{IN_A_ROW_MAX_DEFAULT, Plan, Reach, Seed};
pub use tokens::{count as count_tokens, split as split_tokens};
