//! The sandbox of this machine, for real.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that meets an error has failed; who runs it learns what was left out"
)]

mod bare;
mod command;
mod containers;
mod detect;
mod escapes;
mod jobs;
mod support;
