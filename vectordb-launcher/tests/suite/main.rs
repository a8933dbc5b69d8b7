//! The launcher as a program, driven from outside: through an unmodified
//! qdrant-client, its REST port, its control port and signals.
//!
//! Every test has its own process, data directory, ports and home.

#![cfg(feature = "embedded")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are tests to people, not to the lint"
)]

mod conformance;
mod control;
mod copies;
mod durability;
mod errors;
mod hybrid;
mod migrate;
mod points;
mod python;
mod rest;
mod supervised;
mod support;
mod tls;
