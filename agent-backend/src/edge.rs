//! The edges: the only place that knows HTTP, WebSocket, gRPC, ACP and
//! MCP.

mod access;
pub mod acp;
mod convert;
mod grpc;
mod index;
pub mod mcp;
pub(crate) mod metrics;
mod rest;
pub(crate) mod search;
pub mod server;
mod stream;

pub use server::{Bound, bind};
