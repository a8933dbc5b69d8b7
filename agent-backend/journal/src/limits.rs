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

/// Events of one packed record.
pub const PACK_EVENTS_MAX: usize = 512;

/// Bytes that the events of one packed record took before. A larger piece of
/// text stays as it is.
pub const PACK_BYTES_MAX: usize = 128 * 1024;

/// Records that are looked at in one commit that packs: enough for a whole pack
/// and what lies before it, and few enough that nobody waits long for it.
pub const PACK_ROUND_RECORDS: usize = 2 * PACK_EVENTS_MAX;

/// Bytes of records after which no further one is looked at in the same commit.
/// More than one pack takes.
pub const PACK_ROUND_BYTES: usize = 1024 * 1024;

/// Workflows that are known to have text that is not packed. What is beyond it
/// is packed by a later opening, or never; it is read all the same.
pub const PACK_WAITING_MAX: usize = 65_536;

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

/// Frames from which the log begins again, 32 MiB, where little of it is left to
/// copy: the writer does that itself, and everybody waits. While it is written
/// without a pause it never begins again by itself.
pub const LOG_FRAMES_LONG: i64 = 8_192;

/// Frames that are little.
pub const LOG_FRAMES_LEFT: i64 = CHECKPOINT_FRAMES / 2;

/// Frames from which the log begins again however much is left to copy, and
/// readers are waited for: 64 MiB.
pub const LOG_FRAMES_MAX: i64 = 16_384;

/// Connections to Postgres that read.
pub const POSTGRES_READERS: usize = 2;

/// Milliseconds until a connection to Postgres must be there.
pub const POSTGRES_CONNECT_TIMEOUT_MS: u64 = 5_000;
