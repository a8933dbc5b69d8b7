//! The vocabulary that every program of Agentic IDE speaks: ids, the event
//! envelope that is streamed, error classes and codes, configuration loading,
//! commands that a request begins with, what differs between texts, redaction, logging set-up, the lock of a data
//! directory, durable writes of files, stopwatches and where programs are.
//!
//! It must never know how anything is done: no sockets, no database, no model.

pub mod clock;
pub mod command;
pub mod config;
pub mod crash;
pub mod diff;
pub mod error;
pub mod files;
pub mod id;
pub mod lock;
pub mod paths;
pub mod processes;
pub mod programs;
pub mod redact;
pub mod telemetry;
pub mod version;
pub mod wire;
