//! A model server for tests and demos that speaks Ollama's own wire API and
//! answers from a script.
//!
//! Owns: the shapes and refusals of the real server, its silent truncation at
//! `num_ctx`, and a record of every request, so that tests assert what was
//! really sent. A request that no rule of the script fits is answered with a
//! clear error and recorded; nothing is made up.
//!
//! Must never know: anything of the programs that are tested with it.

mod clock;
mod embedding;
mod gate;
mod handle;
mod prompt;
mod record;
mod schema;
mod script;
mod server;
mod tokens;
mod wire;

pub use embedding::{DIMENSIONS_DEFAULT, embed};
pub use gate::Gate;
pub use handle::{Builder, Error, ScriptedOllama};
pub use record::{Outcome, Record};
pub use script::{
    Endpoint, ErrorAfter, FormatMatch, GarbageAfter, Kind, Match, ModelSpec, RawAnswer, RefusalAnswer,
    Respond, Rule, Scope, Script, ScriptSource, Texts,
};
pub use tokens::{count as count_tokens, split as split_tokens};
