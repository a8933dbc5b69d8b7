//! Measures the retrieval on real commits: `cargo xtask eval`.
//!
//! For each repository: a work tree of the snapshot in a temporary directory
//! whose HEAD is the snapshot, an index of it, and for each query the rank of
//! the files that the commit changed. It asks the crate's own service, with the
//! vector database in memory and, if one is named, an embedding model.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "its output, times among it, is what it is run for"
)]

mod checkout;
mod compare;
mod make;
mod measure;
mod models;
mod options;
mod score;
mod set;
mod show;
mod sweep;

fn main() -> std::process::ExitCode {
    match measure::run(std::env::args().skip(1)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
