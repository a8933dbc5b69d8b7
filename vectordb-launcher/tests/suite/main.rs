//! The launcher as a program, driven from outside: through an unmodified
//! qdrant-client, its REST port, its control port and signals.
//!
//! Every test has its own process, data directory, ports and home.

#![cfg(feature = "embedded")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are tests to people, not to the lint"
)]

mod bad_input;
mod conformance;
mod control;
mod copies;
mod damage;
mod durability;
mod errors;
mod full_disk;
mod hybrid;
mod kills;
mod migrate;
mod newcomer;
mod points;
mod python;
mod rest;
mod supervised;
mod support;
mod tls;
