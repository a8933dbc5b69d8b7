//! Every bound of the engine, in one place.

/// Longest request text, in bytes.
pub const QUERY_BYTES_MAX: usize = 16 * 1024;

/// Pictures of one request.
pub const IMAGES_MAX: usize = 8;

/// Largest picture, in bytes. Its base64 is the most that Anthropic takes of one, 5 MB;
/// the other providers take more.
pub const IMAGE_BYTES_MAX: usize = 3_750_000;

/// All pictures of one request together, in bytes: their base64 fits into one message
/// of every way to begin a workflow, which is 16 MiB.
pub const IMAGES_BYTES_MAX: usize = 10_000_000;

/// Longest feedback text, in bytes.
pub const FEEDBACK_BYTES_MAX: usize = 16 * 1024;

/// Longest remark, in bytes.
pub const REMARK_BYTES_MAX: usize = 16 * 1024;

/// Remarks on one workflow: all of them are in every later prompt.
pub const REMARKS_MAX: usize = 20;

/// Questions of one stage about calls of tools: what is called beyond them is
/// refused, so that a model cannot ask for ever.
pub const PERMISSIONS_MAX: usize = 64;

/// Iterations (first try and `modify` rounds) of one workflow.
pub const ITERATIONS_MAX: u32 = 20;

/// Restarts of the backend in the middle of one stage before the run is given
/// up: a run that takes the process down each time must not do so for ever.
pub const RESUMES_MAX: u32 = 30;

/// Bytes of one definition file.
pub const DEFINITION_BYTES_MAX: usize = 256 * 1024;

/// Problems of one definition that are listed.
pub const PROBLEMS_MAX: usize = 50;

/// Stages of one graph, those of branches and loops included.
pub const STAGES_MAX: usize = 64;

/// Groups within groups, sub-workflows included.
pub const GROUP_DEPTH_MAX: usize = 3;

/// Branches of one group, and items of one loop that a definition may ask for.
pub const LANES_MAX: usize = 32;

/// Items of one loop where a definition says nothing.
pub const ITEMS_DEFAULT: usize = 16;

/// Lanes of one group that may run at once.
pub const PARALLEL_MAX: usize = 8;

/// Lanes of one group that run at once where a definition says nothing.
pub const PARALLEL_DEFAULT: usize = 2;

/// Runs of one lane: the first, and those on top of what other lanes changed
/// in the same files meanwhile.
pub const LANE_RUNS_MAX: u32 = 4;

/// Failed attempts at one stage that a definition may ask for.
pub const ATTEMPTS_MAX: u32 = 10;

/// Attempts at one stage after which nobody can ask for another one.
pub const HELP_ATTEMPTS_MAX: u32 = 50;

/// First wait before a stage is tried again, doubled each time, where a
/// definition says nothing.
pub const RETRY_DELAY_MS: u64 = 500;

/// Longest wait before a stage is tried again, where a definition says nothing.
pub const RETRY_DELAY_MS_MAX: u64 = 30_000;

/// Hundredths of a wait that chance takes off it, where a definition says
/// nothing, so that many workflows do not come back at the same moment.
pub const RETRY_JITTER_PERCENT: u8 = 20;

/// Longest wait that a definition may ask for: one hour.
pub const BACKOFF_MS_MAX: u64 = 60 * 60 * 1_000;

/// Longest time-out of a stage: one week.
pub const TIMEOUT_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Longest deadline of a question: ninety days.
pub const DEADLINE_MS_MAX: u64 = 90 * 24 * 60 * 60 * 1_000;

/// Characters of the name of a role.
pub const ROLE_CHARS_MAX: usize = 64;

/// Bytes of one condition.
pub const CONDITION_BYTES_MAX: usize = 1_000;

/// Parentheses and `not` within each other in one condition.
pub const CONDITION_DEPTH_MAX: usize = 32;

/// Timers that one command fires; further ones fire with the next.
pub const TIMERS_FIRED_MAX: usize = 64;

/// Events after which a history is continued from a shorter one.
pub const HISTORY_EVENTS_MAX: u64 = 10_000;
