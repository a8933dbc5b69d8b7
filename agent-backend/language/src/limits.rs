//! Bounds on what a server may cost, each with its reason.

use std::time::Duration;

/// Longest message of a server that is read, in bytes. The reference lists of
/// large projects have a few megabytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest header of a message, in bytes; two short lines are usual.
pub(crate) const HEADER_BYTES_MAX: u64 = 4 * 1024;

/// Messages of a server that wait to be looked at. A server that writes more
/// has to wait.
pub(crate) const MESSAGES_WAITING_MAX: usize = 16;

/// Bytes that wait for a server to read them. All texts of a large proposal
/// fit; a server that reads nothing is found out.
pub(crate) const UNREAD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The end of standard error that is kept for the message of an error, in bytes.
pub(crate) const STDERR_BYTES_MAX: usize = 2 * 1024;

/// Diagnostics of one file that are kept.
pub(crate) const DIAGNOSTICS_MAX: usize = 1000;

/// The longest message of a diagnostic that is kept, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 4 * 1024;

/// Locations of one answer that are kept.
pub(crate) const LOCATIONS_MAX: usize = 1000;

/// The longest hover text that is kept, in bytes.
pub(crate) const HOVER_BYTES_MAX: usize = 16 * 1024;

/// Progress reports that may be open at once; more are forgotten.
pub(crate) const PROGRESS_MAX: usize = 1000;

/// Longest time between two looks at whether anybody still waits.
pub(crate) const STOP_PAUSE: Duration = Duration::from_millis(50);

/// Pause before a request is repeated that the server gave up on.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// How long a server may take to end by itself when it is told to.
pub(crate) const END_PATIENCE: Duration = Duration::from_secs(1);

/// Pause between two looks at a process that should end.
pub(crate) const REAP_PAUSE: Duration = Duration::from_millis(5);

/// Largest `package.json` that is looked into, in bytes.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 256 * 1024;

/// How long the reason is waited for that a server that writes rubbish may give
/// on standard error.
pub(crate) const STDERR_PATIENCE: Duration = Duration::from_millis(100);
