//! Tools for a model by the Model Context Protocol: the servers of one
//! workspace, those that come with us and those that a person has named, behind
//! one [`Toolbox`].
//!
//! Owns the protocol's client side: how a server is started, what it may cost,
//! which of its tools are offered and under which names. A server is another's
//! program: whatever it does stays with it.
//!
//! It must never know: a model, a prompt, a workflow.

mod answer;
mod builtin;
mod connection;
mod error;
pub mod limits;
mod problem;
pub mod repository;
mod server;
mod toolbox;
mod trust;
mod variables;

pub use answer::Answer;
pub use builtin::{Trying, serve};
pub use error::Error;
pub use problem::Problem;
pub use server::{BuiltIn, Server, Source, Transport};
pub use toolbox::{Offered, Options, Toolbox, Unlisted};
pub use trust::Trust;
