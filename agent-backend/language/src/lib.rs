//! Language servers as a library call: start one, show it texts, and hear what
//! it has to say of them. [`check()`] does the whole: what a change of some files
//! brings of new diagnostics.
//!
//! The caller brings the command, already put into whatever sandbox there is,
//! and the texts. This crate must never know a sandbox, a proposal, a workflow
//! or what is done about a diagnostic. It writes no file.

mod check;
mod client;
mod clock;
mod compare;
mod connection;
mod diagnostic;
mod error;
mod find;
mod limits;
mod server;
mod stop;
mod uris;

pub use check::check;
pub use client::{Client, FileDiagnostics, Location, Timeouts};
pub use compare::new_ones;
pub use diagnostic::{Diagnostic, Position, Range, Severity};
pub use error::Error;
pub use find::{Installed, Places, Trust, find};
pub use server::{ALL, Server};
pub use stop::Stop;
