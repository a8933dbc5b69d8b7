//! Between Qdrant's gRPC messages and the engine's types.
//!
//! Pure functions, no state. What a message can say and the engine cannot do is
//! refused as [`Error::Unsupported`](super::Error), never left out silently.

pub mod create;
pub mod filter;
pub mod formula;
pub mod index;
pub mod info;
pub mod point;
pub mod search;
pub mod update;
