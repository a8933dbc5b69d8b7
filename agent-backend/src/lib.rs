//! The backend: runs workflows and serves them to clients.
//!
//! [`runtime`] runs the pure engine over durable history; [`edge`] speaks REST,
//! streams, gRPC and ACP; [`present`] turns the domain into what crosses the
//! wire; [`cli`] is the command line.

pub mod cli;
mod clock;
pub mod config;
pub mod consents;
pub mod edge;
pub mod error;
pub mod images;
pub mod indexing;
mod keys;
pub mod memory;
pub mod present;
pub mod providers;
pub mod runtime;
pub mod search;
mod sizes;
mod spool;
pub mod status;
pub mod toolboxes;
pub mod trials;
pub mod wiring;
pub mod workflows;
