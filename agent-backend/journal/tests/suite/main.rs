//! Everything that is promised of a journal, in one binary.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod concurrent;
mod conformance;
mod crash;
mod faults;
mod fence;
mod migrate;
mod pack;
#[cfg(feature = "postgres")]
mod postgres;
mod support;
mod torn;
