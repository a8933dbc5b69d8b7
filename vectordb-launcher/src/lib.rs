//! The vector database of Agentic IDE: starts and watches a Qdrant, or serves
//! Qdrant's API from the engine embedded in this process.
//!
//! [`launcher`] puts the parts together. [`supervisor`] decides and [`qdrant`]
//! does; `embedded` is the engine; [`control`] tells the outside about either.
//! [`migrate`] stands beside all that and knows two addresses only.

pub mod auth;
pub mod clock;
pub mod config;
pub mod control;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod error;
pub mod files;
pub mod launcher;
pub mod migrate;
pub mod observe;
pub mod ports;
pub mod qdrant;
pub mod supervisor;
pub mod tls;

pub use error::Error;
