//! Logging for the three programs: to standard error, because standard output
//! belongs to results and, under ACP, to the protocol.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One line for a person.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging; `filter` is a `tracing` directive list such as `info` or
/// `agent_backend=debug`. `AGENTIC_IDE_LOG` wins over it. A second call does
/// nothing.
pub fn init(filter: &str, format: LogFormat) {
    let filter = EnvFilter::try_from_env("AGENTIC_IDE_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
    let registry = tracing_subscriber::registry().with(filter);
    // A subscriber that is already there stays: only tests start logging twice.
    let _already_set = match format {
        LogFormat::Text => {
            // A log file is no terminal: colours would only be noise in it.
            let ansi = std::io::stderr().is_terminal();
            let lines = fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(ansi)
                .with_target(false);
            registry.with(lines).try_init()
        }
        LogFormat::Json => registry
            .with(fmt::layer().json().with_writer(std::io::stderr))
            .try_init(),
    };
}
