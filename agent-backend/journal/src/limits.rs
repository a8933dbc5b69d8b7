//! Every bound of the journal, in one place.

/// Longest text of one stored event, in bytes. What is larger is a blob.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Events of one append.
pub const APPEND_EVENTS_MAX: usize = 1024;

/// Events and blobs of one append together, in bytes.
pub const APPEND_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Jobs that wait for the writer; more of them wait outside.
pub const QUEUE_JOBS_MAX: usize = 1024;

/// Bytes that wait for the writer, in KiB; more of them wait outside. At least
/// one append of the largest size fits.
pub const QUEUE_KIB_MAX: usize = 256 * 1024;

/// Jobs of one commit.
pub const GROUP_JOBS_MAX: usize = 256;

/// Bytes of one commit after which no further job joins it.
pub const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Free pages of the database that are kept for later, and that are given back at
/// a time: 4 MiB.
pub const FREE_PAGES_MAX: i64 = 1_024;

/// Bytes that must find room before a full disk is believed to have some again.
pub const PROBE_BYTES: usize = 1024 * 1024;

/// Threads that read, each with its own connection.
pub const READERS: usize = 3;

/// Queries that wait for a reader; more of them wait outside.
pub const READ_QUEUE_MAX: usize = 256;

/// Milliseconds that a connection waits for a lock of another one. Only one
/// connection writes, so this is waited out only when the process lock was
/// bypassed.
pub const BUSY_TIMEOUT_MS: u64 = 5_000;

/// Milliseconds that the writer waits for readers when the log must be
/// restarted.
pub const CHECKPOINT_BUSY_TIMEOUT_MS: u64 = 100;

/// Frames (pages of 4 KiB) in the write-ahead log from which it is copied into
/// the database after a commit.
pub const CHECKPOINT_FRAMES: i64 = 1_000;

/// Frames from which the writer waits for readers, so that the log can begin
/// again instead of growing: 64 MiB.
pub const LOG_FRAMES_MAX: i64 = 16_384;

/// Connections to Postgres that read.
pub const POSTGRES_READERS: usize = 2;

/// Milliseconds until a connection to Postgres must be there.
pub const POSTGRES_CONNECT_TIMEOUT_MS: u64 = 5_000;
