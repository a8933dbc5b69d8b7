//! The edges: the only place that knows HTTP, WebSocket, gRPC and ACP.

mod access;
pub mod acp;
mod convert;
mod grpc;
mod index;
mod metrics;
mod rest;
pub mod server;
mod stream;

pub use server::{Bound, bind};
