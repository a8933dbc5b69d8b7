//! Qdrant's API over the embedded engine, in this process.
//!
//! Owns the store on disk (collections, aliases, their lock), the engine's
//! upkeep (flush, optimizer) and the translation of Qdrant's gRPC and REST
//! messages. It must never know about child processes, the launcher's control
//! port or the command line.
//!
//! The layers, each knowing only the ones above it in this list:
//! [`error`], [`niced`], [`pool`], [`precedence`] and [`space`]; [`shard`], [`query`], [`validate`] and
//! [`collection`], which speak the engine's types; [`store`], which owns collections by name;
//! [`convert`], from Qdrant's messages to those types; [`calls`], what a call
//! does; [`grpc`] and [`rest`], the edges.

pub mod calls;
pub mod collection;
pub mod convert;
pub mod error;
pub mod grpc;
pub mod maintenance;
pub mod niced;
pub mod pool;
pub mod precedence;
pub mod query;
pub mod rest;
pub mod shard;
pub mod space;
pub mod store;
pub mod validate;

pub use error::Error;
pub use store::Store;

/// The Qdrant version whose API is served, as clients see it.
pub const API_VERSION: &str = "1.20.0";

/// The engine behind it.
pub const ENGINE: &str = "qdrant-edge 0.9.0";
