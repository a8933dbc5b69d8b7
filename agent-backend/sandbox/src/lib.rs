//! Runs what a model wrote, and what it could call, where it can do no harm:
//! a read-only system, a private `/tmp`, no network, no other process to see,
//! bounds on time, memory, processes and files.
//!
//! Three engines answer to one interface: Docker and Podman where they have an
//! image, [bubblewrap](https://github.com/containers/bubblewrap) otherwise, with
//! Landlock and seccomp as a second line inside (see [`inside`]). What an engine
//! promises is tried when it is chosen, and what does not hold is said
//! ([`Sandbox::guarantees`]). Without an engine nothing runs, unless a caller takes
//! [`Bare`], which isolates nothing, because a person said so.
//!
//! Everything here blocks; the backend calls it on a blocking thread.
//!
//! It must never know: a workflow, a model, a proposal, a language server, where
//! results are stored. It never prints and never asks.

pub mod inside;

mod bare;
mod bubblewrap;
mod cgroup;
mod container;
mod detect;
mod ended;
mod engine;
mod error;
mod etc;
mod growth;
mod guarantee;
mod images;
mod job;
mod names;
mod options;
mod output;
mod probe;
mod processes;
mod run;

pub use bare::Bare;
pub use detect::Sandbox;
pub use ended::{Ended, Ending, Recipe, Stop, Stream};
pub use error::Error;
pub use guarantee::{Guarantee, Held, Promise};
pub use job::{Access, Job, Language, Limits, Mount, Network};
pub use options::{Choice, IMAGE, Kind, Options};
