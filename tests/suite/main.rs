//! The end-to-end tests, one binary: what holds across crates and programs.

mod architecture;
mod demo_repo;
mod documents;
mod support;
