//! The helper alone, for the tests and measurements of this crate; a backend starts
//! itself instead.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::inside::main(std::env::args_os().skip(2))
}
