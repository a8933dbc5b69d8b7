//! What git knows about the workspace: where its repository is, what HEAD
//! names, whether something is in progress. Reads only.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use crate::{
    Error,
    git::{Git, records},
};

/// The repository of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repository {
    /// None: changes are written without a commit.
    None(NoRepository),
    /// A repository with a work tree.
    Git(GitRepository),
}

/// Why there is no repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRepository {
    /// The workspace is in no repository.
    Absent,
    /// The workspace is a directory that the repository around it ignores.
    Ignored {
        /// Root of that repository.
        top_level: PathBuf,
    },
    /// There is neither a git program nor a trace of a repository.
    GitMissing,
}

/// A repository with a work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRepository {
    /// Root of the work tree; the workspace or a directory above it.
    pub top_level: PathBuf,
    /// The work tree's own git directory.
    pub git_dir: PathBuf,
    /// The git directory that all work trees share.
    pub common_dir: PathBuf,
    /// Path of the workspace below `top_level`, with a `/` at its end, or empty.
    pub prefix: String,
    /// What HEAD names.
    pub head: Head,
    /// What has been begun and not ended.
    pub in_progress: Option<Operation>,
    /// Submodules, relative to `top_level`.
    pub submodules: BTreeSet<String>,
    /// Commit hooks that exist, by name.
    pub hooks: Vec<String>,
}

/// What HEAD names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A branch with a commit.
    Branch {
        /// For example `refs/heads/main`.
        reference: String,
        /// Its commit.
        commit: String,
    },
    /// A branch without a commit yet.
    Unborn {
        /// For example `refs/heads/main`.
        reference: String,
    },
    /// A commit without a branch.
    Detached {
        /// The commit.
        commit: String,
    },
}

impl Head {
    /// The commit, if there is one.
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Branch { commit, .. } | Self::Detached { commit } => Some(commit),
            Self::Unborn { .. } => None,
        }
    }

    /// The branch, if HEAD is on one.
    pub fn reference(&self) -> Option<&str> {
        match self {
            Self::Branch { reference, .. } | Self::Unborn { reference } => Some(reference),
            Self::Detached { .. } => None,
        }
    }
}

/// Something that git has begun and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `git merge`.
    Merge,
    /// `git rebase` or `git am`.
    Rebase,
    /// `git cherry-pick`.
    CherryPick,
    /// `git revert`.
    Revert,
    /// `git bisect`.
    Bisect,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Merge => "merge",
            Self::Rebase => "rebase",
            Self::CherryPick => "cherry-pick",
            Self::Revert => "revert",
            Self::Bisect => "bisect",
        })
    }
}

/// Files in the git directory that tell of an operation. Rebase comes first: in
/// its middle the marks of a cherry-pick exist too.
const MARKS: &[(&str, Operation)] = &[
    ("rebase-merge", Operation::Rebase),
    ("rebase-apply", Operation::Rebase),
    ("MERGE_HEAD", Operation::Merge),
    ("CHERRY_PICK_HEAD", Operation::CherryPick),
    ("REVERT_HEAD", Operation::Revert),
    ("BISECT_LOG", Operation::Bisect),
];

/// Hooks that `git commit` would run and that may change or refuse a commit.
const HOOKS: &[&str] = &["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"];

/// Looks up the repository of the directory that `git` works in.
pub(crate) fn discover(git: &Git, root: &Path) -> Result<Repository, Error> {
    let found = match git.read(&["rev-parse", "--is-bare-repository", "--is-inside-git-dir"]) {
        Ok(answer) => answer,
        Err(Error::GitMissing)
            if root
                .ancestors()
                .all(|d| d.join(".git").symlink_metadata().is_err()) =>
        {
            return Ok(Repository::None(NoRepository::GitMissing));
        }
        Err(error) => return Err(error),
    };
    if !found.success() {
        // Other complaints (an owner that git distrusts, a damaged repository)
        // must not be taken for "no repository".
        if found.complaint().contains("not a git repository") {
            return Ok(Repository::None(NoRepository::Absent));
        }
        return Err(found.into_error());
    }
    if found.line()?.lines().any(|answer| answer == "true") {
        return Err(Error::Bare {
            path: root.to_owned(),
        });
    }
    let top_level = PathBuf::from(git.read(&["rev-parse", "--show-toplevel"])?.line()?);
    let git_dir = PathBuf::from(git.read(&["rev-parse", "--absolute-git-dir"])?.line()?);
    let common_dir = canonical(&root.join(git.read(&["rev-parse", "--git-common-dir"])?.line()?));
    let prefix = git.read(&["rev-parse", "--show-prefix"])?.line()?;
    let git = git.at(&top_level);
    if !prefix.is_empty() {
        let ignored = git.ignored(std::iter::once(prefix.trim_end_matches('/')))?;
        if !ignored.is_empty() {
            return Ok(Repository::None(NoRepository::Ignored { top_level }));
        }
    }
    Ok(Repository::Git(GitRepository {
        head: head(&git)?,
        in_progress: MARKS
            .iter()
            .find(|(name, _)| git_dir.join(name).exists())
            .map(|(_, operation)| *operation),
        submodules: submodules(&git, &top_level)?,
        hooks: hooks(&git)?,
        git_dir: canonical(&git_dir),
        common_dir,
        prefix,
        top_level,
    }))
}

/// What HEAD names now.
pub(crate) fn head(git: &Git) -> Result<Head, Error> {
    let symbolic = git.read(&["symbolic-ref", "-q", "HEAD"])?;
    let reference = if symbolic.success() {
        Some(symbolic.line()?)
    } else {
        None
    };
    let commit = git.read(&["rev-parse", "-q", "--verify", "HEAD^{commit}"])?;
    let commit = if commit.success() {
        Some(commit.line()?)
    } else {
        None
    };
    match (reference, commit) {
        (Some(reference), Some(commit)) => Ok(Head::Branch { reference, commit }),
        (Some(reference), None) => Ok(Head::Unborn { reference }),
        (None, Some(commit)) => Ok(Head::Detached { commit }),
        (None, None) => Err(Error::Git {
            command: "rev-parse".to_owned(),
            complaint: "HEAD names no commit".to_owned(),
        }),
    }
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Listing the whole index costs time in a large repository, so it is done only
/// where submodules are declared; others are found by their `.git` entry.
fn submodules(git: &Git, top_level: &Path) -> Result<BTreeSet<String>, Error> {
    if !top_level.join(".gitmodules").exists() {
        return Ok(BTreeSet::new());
    }
    let listing = git.read(&["ls-files", "--stage", "-z"])?.bytes()?;
    let link = |record: String| Some(record.strip_prefix("160000 ")?.split_once('\t')?.1.to_owned());
    Ok(records(&listing).filter_map(link).collect())
}

fn hooks(git: &Git) -> Result<Vec<String>, Error> {
    use std::os::unix::fs::PermissionsExt;
    let folder = PathBuf::from(
        git.read(&["rev-parse", "--path-format=absolute", "--git-path", "hooks"])?
            .line()?,
    );
    let runs = |name: &&&str| {
        let hook = folder.join(name).metadata();
        hook.is_ok_and(|hook| hook.is_file() && hook.permissions().mode() & 0o111 != 0)
    };
    Ok(HOOKS.iter().filter(runs).map(|name| (*name).to_owned()).collect())
}
