//! Bounds on what servers may cost, each with its reason.

use std::time::Duration;

/// Most servers of one toolbox. A model chooses worse among more tools, and
/// each server is a process.
pub const SERVERS_MAX: usize = 32;

/// Most tools of one server that are looked at; the largest public servers have
/// about a hundred.
pub const TOOLS_MAX: usize = 128;

/// Pages of a list of tools that are read.
pub(crate) const PAGES_MAX: usize = 32;

/// Longest name of a tool as it is offered, in characters: what the interfaces
/// of model providers take.
pub const NAME_CHARS_MAX: usize = 64;

/// Longest name of a server, in characters: half of a tool's.
pub const SERVER_NAME_CHARS_MAX: usize = 32;

/// Longest title that is offered, in characters.
pub const TITLE_CHARS_MAX: usize = 100;

/// Longest description that is offered, in characters. Each request to a model
/// carries all of them.
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// Largest input schema that is offered, as JSON, in bytes.
pub const SCHEMA_BYTES_MAX: usize = 16 * 1024;

/// Largest arguments of one call, as JSON, in bytes: a whole file fits.
pub const ARGUMENTS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Longest text of an answer, in bytes: about 16 000 tokens.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Longest line, or event of a stream, that a server may send, in bytes. Texts
/// beyond [`ANSWER_BYTES_MAX`] are cut; this is what may be read to cut them.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a program may write between the beginnings and ends of requests, in
/// bytes.
pub(crate) const UNASKED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Lines of that: each is a message, and looked at.
pub(crate) const UNASKED_LINES_MAX: u64 = 100_000;

/// The end of standard error that is kept for the message of an error, in bytes.
pub(crate) const STDERR_TAIL_BYTES_MAX: usize = 1024;

/// Lines of standard error of one process that reach the log.
pub(crate) const STDERR_LINES_MAX: usize = 500;

/// Longest such line, in bytes.
pub(crate) const STDERR_LINE_BYTES_MAX: usize = 1024;

/// How long a server may take until its tools are known. A package manager may
/// have to fetch it first.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one call may take, unless the server's definition says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest that a definition may say.
pub const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// How long a connection over HTTP may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls in a row that may go without an answer before the server counts as
/// hung and is ended.
pub(crate) const SILENT_CALLS_MAX: u32 = 2;

/// How often one server is started again in the life of a toolbox.
pub(crate) const RESTARTS_MAX: u32 = 5;

/// How often a server may change its list of tools in one connection.
pub(crate) const LIST_CHANGES_MAX: u32 = 50;

/// How long a process may take to end by itself when it is told to.
pub(crate) const END_PATIENCE: Duration = Duration::from_secs(2);

/// Problems that are kept of one server.
pub(crate) const PROBLEMS_MAX: usize = 16;

/// Longest message of a server that is passed on, in bytes.
pub(crate) const COMPLAINT_BYTES_MAX: usize = 1024;
