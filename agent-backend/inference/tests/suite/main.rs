//! Real models against their references in Python.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests are tests to people, not to the lint"
)]

mod behaviour;
mod environment;
mod parity;
