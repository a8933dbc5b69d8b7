//! Every bound of the engine, in one place.

/// Longest request text, in bytes.
pub const QUERY_BYTES_MAX: usize = 16 * 1024;

/// Longest feedback text, in bytes.
pub const FEEDBACK_BYTES_MAX: usize = 16 * 1024;

/// Iterations (first try and `modify` rounds) of one workflow.
pub const ITERATIONS_MAX: u32 = 20;

/// Restarts of the backend in the middle of one stage before the run is given
/// up: a run that takes the process down each time must not do so for ever.
pub const RESUMES_MAX: u32 = 30;

/// Stages of one graph.
pub const STAGES_MAX: usize = 64;

/// Failed attempts at one stage that a definition may ask for.
pub const ATTEMPTS_MAX: u32 = 10;

/// First wait before a stage is tried again, doubled each time.
pub const RETRY_DELAY_MS: u64 = 500;

/// Longest wait before a stage is tried again.
pub const RETRY_DELAY_MS_MAX: u64 = 30_000;
