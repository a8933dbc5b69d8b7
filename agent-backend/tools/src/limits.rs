//! Every bound of this crate, in one place.

use std::time::Duration;

/// Largest file that is read for editing or written, in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Longest path relative to the workspace, in bytes.
pub const PATH_BYTES_MAX: usize = 1024;

/// Files of one proposal.
pub const PROPOSAL_FILES_MAX: usize = 200;

/// Unchanged lines shown around a change.
pub const DIFF_CONTEXT_LINES: usize = 3;

/// Columns of a commit's subject.
pub const SUBJECT_COLUMNS_MAX: usize = 72;

/// Paths listed in a commit's body.
pub const BODY_PATHS_MAX: usize = 50;

/// Longest wait for one git command. Filters and signing run inside it.
pub const GIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Output kept of one git command, in bytes. Enough for the paths and blobs
/// that are asked for.
pub const GIT_OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Text of a program's complaint that is kept for a message, in bytes.
pub const COMPLAINT_BYTES_MAX: usize = 2000;

/// How often a held `index.lock` is tried again before the caller is told.
pub const INDEX_LOCK_TRIES: u32 = 20;

/// Wait between two such tries.
pub const INDEX_LOCK_WAIT: Duration = Duration::from_millis(100);

/// Commits of the branch that are searched for one that is already ours.
pub const LANDED_SCAN_COMMITS: u32 = 256;

/// Longest wait for one checking program on one file.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait for all checks of one proposal together.
pub const CHECKS_TIMEOUT: Duration = Duration::from_secs(120);

/// Output of one check that is kept, in bytes.
pub const CHECK_OUTPUT_BYTES_MAX: usize = 4000;

/// Problems that one check reports.
pub const CHECK_PROBLEMS_MAX: usize = 20;

/// Files of a workspace that is copied to be built and tested.
pub const OVERLAY_FILES_MAX: usize = 50_000;

/// Bytes of them together.
pub const OVERLAY_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Longest build of a proposal.
pub const BUILD_TIMEOUT: Duration = Duration::from_secs(600);

/// Longest run of its tests.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(600);

/// Longest wait for each answer of a language server that reads a project.
pub const DIAGNOSTICS_TIMEOUT: Duration = Duration::from_secs(120);

/// Output of a build or of tests that is read for what fails, in bytes.
pub const TRIAL_OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest file that a build or tests may write, in bytes: a program with what
/// a debugger needs.
pub const TRIAL_FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes that they may write in all.
pub const TRIAL_WRITTEN_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;

/// End of such an output that is kept as evidence, in bytes.
pub const TRIAL_EVIDENCE_BYTES_MAX: usize = 3000;

/// End of such an output that is kept as its log, in bytes.
pub const TRIAL_LOG_BYTES_MAX: usize = 256 * 1024;

/// What builds of one workspace leave for the next one, in bytes; beyond it the
/// next one begins from nothing.
pub const BUILDS_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;

/// After so long without a trial, what is kept for a workspace is removed.
pub const PLACE_UNUSED_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Outcomes without the change that are kept for each workspace.
pub const BASELINES_MAX: usize = 32;
