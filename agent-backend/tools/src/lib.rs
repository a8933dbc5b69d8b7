//! What touches the person's files: reading the workspace behind a fence,
//! turning a model's answer into a proposal, diffs and hunks, checks, and the
//! one place that writes: [`apply`].
//!
//! Everything here blocks; the backend calls it on a blocking thread. Git is
//! the `git` program, so that the person's filters, attributes, signing and
//! configuration count.
//!
//! It must never know: a model, a prompt, a workflow's state, how results are
//! stored or sent. It never prints and never asks.

pub mod apply;
pub mod checks;
pub mod diff;
pub mod history;
pub mod limits;
pub mod message;
pub mod proposal;
mod renames;
pub mod repository;
pub mod text;
pub mod workspace;

mod clock;
mod error;
mod fence;
mod files;
mod git;
mod machine;
mod merge;
mod overlay;
mod process;
mod project;
pub mod trial;

pub use error::Error;
pub use message::CommitMessage;
pub use repository::{Head, Operation, Repository};
pub use text::{Encoding, Eol, TextFile};
pub use workspace::{SafePath, Workspace};
