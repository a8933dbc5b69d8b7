//! What is said to a model and what is made of its answers.
//!
//! Owns the prompts, the token budget, the reading of plans and edits, the
//! application of edits to texts, the detection of useless answers and the
//! wording of commits. Everything here is a function of strings.
//!
//! It must never know: a clock, randomness, I/O, an async runtime, a model
//! server, or where a file is stored. Paths are checked as text alone; the
//! fence that resolves symbolic links stands where files are written.

pub mod budget;
pub mod commit;
pub mod continuation;
pub mod edit;
pub mod estimate;
pub mod failure;
pub mod plan;
pub mod prompt;
pub mod queries;

mod answer;
mod error;
mod json;

pub use error::Error;
