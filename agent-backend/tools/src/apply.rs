//! Writes an accepted proposal and commits it, in two steps: [`plan`] decides
//! everything that the result is a function of, the caller records that, and
//! [`execute`] does it, as often as need be, with one result.
//!
//! The order, and why. Whatever kills the process between two steps, executing
//! the same intent again ends in the same tree and one commit:
//!
//! 1. *Objects*: blobs, tree and commit go into git's object store through a
//!    private index. Nobody sees them. The commit's id is known from here on.
//! 2. *Checks*: the branch is where the intent left it, every file has its old
//!    or its new contents, nothing else is staged at our paths. Until here
//!    nothing of the person's has changed.
//! 3. *Files*, each by temporary file, sync, rename. They come before the
//!    branch: a crash then leaves uncommitted changes that the person has just
//!    accepted. The other way round the tree would show the reverse of a commit
//!    as the person's own edit, and the next `commit -a` would revert it.
//! 4. *Index*: the person's index takes our paths and nothing else. Also before
//!    the branch, for the same reason: the next plain `commit` would revert it.
//! 5. *Branch*: one compare-and-swap from base to our commit.
//!
//! A file that an editor shows with changes that are not saved has two contents:
//! the editor's, which the intent has as the old ones, and the disk's, which it
//! names beside them. Such a file is written through the editor, so that what it
//! shows is what was written; whatever becomes of that, the disk has the new
//! contents afterwards, or what the editor made of them. The commit is made of
//! the recorded contents, and never of what an editor saved.
//!
//! No journal of old contents is needed: each step is idempotent, and a file is
//! only overwritten while it still has the contents that the intent names.
//!
//! A branch that somebody else moved in between is [`Error::Moved`] (transient):
//! planning again, on the new base, merges and can succeed. Lines that both
//! sides changed are [`Error::Conflict`] (the person's to decide).
//!
//! [`Error::Moved`]: crate::Error::Moved
//! [`Error::Conflict`]: crate::Error::Conflict

mod commit;
mod execute;
mod index;
mod plan;
mod undo;
mod write;

pub use execute::{Executed, execute, execute_through};
pub use plan::{Planned, accepted, plan};
pub use undo::{has_commit, plan_undo, require_commit, stands};
pub use write::{Save, Saved};

use engine::blob::BlobId;

use crate::Error;

/// Where contents are looked up.
pub type Blobs<'a> = dyn Fn(BlobId) -> Option<Vec<u8>> + 'a;

/// Every place at which [`shared::crash::point`] can end an execution.
pub const CRASH_POINTS: &[&str] = &[
    "apply:after_objects",
    "apply:temporary_written",
    "apply:after_first_file",
    "apply:after_files",
    "apply:after_index",
    "apply:after_ref",
];

/// The place after an editor has saved a file.
pub const SAVED_CRASH_POINT: &str = "apply:after_save";

fn load(blobs: &Blobs<'_>, id: Option<BlobId>, path: &str) -> Result<Option<Vec<u8>>, Error> {
    let missing = || Error::BlobMissing {
        path: path.to_owned(),
    };
    id.map(|id| blobs(id).ok_or_else(missing)).transpose()
}
