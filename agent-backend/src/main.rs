//! `agentic-ide-backend`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent_backend::cli::main()
}
