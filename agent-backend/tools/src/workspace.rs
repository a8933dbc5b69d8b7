//! The opened workspace: where it is, what its repository is, and which paths
//! in it may be touched. Knows nothing of proposals.

mod notices;
mod shown;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

pub(crate) use self::shown::Shown;
use crate::{
    Error, Repository, TextFile, fence,
    git::Git,
    repository::{self, GitRepository},
    text,
};

/// An opened directory in which files may be read and changed.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    git: Git,
    repository: Repository,
    /// What an editor shows, by path.
    shown: BTreeMap<String, Shown>,
}

/// A path that has passed the fence. The check is repeated, without following
/// symlinks, by every read and write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafePath {
    relative: String,
}

impl SafePath {
    /// Relative to the workspace, normalised, `/` between parts.
    pub fn relative(&self) -> &str {
        &self.relative
    }

    /// Its parts; there is at least one.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.relative.split('/')
    }
}

impl Workspace {
    /// Opens the directory at `path` and looks up its repository.
    ///
    /// # Errors
    /// E1201 if it is no directory, E1202 if it cannot be read, E1203 if it is
    /// a bare repository, E1210 if git refuses the repository.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, Vec::new())
    }

    /// Like [`Self::open`], with variables added to git's environment.
    pub fn open_with(path: &Path, environment: Vec<(OsString, OsString)>) -> Result<Self, Error> {
        let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
        let unreadable = |source| Error::Unreadable {
            path: path.to_owned(),
            source,
        };
        let root = path.canonicalize().map_err(|source| {
            if absent.contains(&source.kind()) {
                Error::NotADirectory {
                    path: path.to_owned(),
                }
            } else {
                unreadable(source)
            }
        })?;
        if !root.metadata().map_err(unreadable)?.is_dir() {
            return Err(Error::NotADirectory {
                path: path.to_owned(),
            });
        }
        root.read_dir().map_err(unreadable)?;
        let git = Git::new(&root, environment);
        let repository = repository::discover(&git, &root)?;
        Ok(Self {
            root,
            git,
            repository,
            shown: BTreeMap::new(),
        })
    }

    /// The canonical root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The repository, as it was at the last [`Self::refresh`].
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Reads the repository's state again.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn refresh(&mut self) -> Result<(), Error> {
        self.repository = repository::discover(&self.git, &self.root)?;
        Ok(())
    }

    /// What the person should know before a workflow begins here.
    pub fn notices(&self) -> Vec<engine::event::Notice> {
        notices::of(&self.repository)
    }

    /// Checks that `relative` may be touched; it need not exist.
    ///
    /// # Errors
    /// E1205 if it leads out of the workspace, also through a symlink; E1206 if
    /// it is protected: git's and our own data, submodules and other nested
    /// repositories, files that hold secrets, anything through a symlink.
    pub fn resolve(&self, relative: &str) -> Result<SafePath, Error> {
        let relative = fence::normalise(relative)?;
        let protected = |reason| Error::Protected {
            path: relative.clone(),
            reason,
        };
        let mut at = self.root.clone();
        let mut parts = relative.split('/').peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            if self.is_git_data(&at) {
                return Err(protected("git keeps its data there"));
            }
            let Ok(entry) = at.symlink_metadata() else { break };
            if entry.is_symlink() {
                return Err(self.through_symlink(&relative, &at));
            }
            let last = parts.peek().is_none();
            if entry.is_dir() && at.join(".git").symlink_metadata().is_ok() {
                return Err(protected("it belongs to another repository inside the workspace"));
            }
            match (entry.is_dir(), last) {
                (true, true) => {
                    return Err(Error::Outside {
                        path: relative.clone(),
                        reason: "it names a directory",
                    });
                }
                (false, false) => {
                    return Err(Error::Outside {
                        path: relative.clone(),
                        reason: "it goes through a file",
                    });
                }
                (true, false) | (false, true) => {}
            }
        }
        if let Repository::Git(git) = &self.repository
            && is_in_submodule(git, &relative)
        {
            return Err(protected("it belongs to a submodule"));
        }
        Ok(SafePath { relative })
    }

    /// Reads a text file for editing; none if there is no such file.
    ///
    /// # Errors
    /// E1205 and E1206 as [`Self::resolve`]; E1202 if it cannot be read; E1207
    /// if it is not UTF-8 text or no regular file; E1208 if it is too large.
    pub fn read_text(&self, relative: &str) -> Result<Option<TextFile>, Error> {
        let path = self.resolve(relative)?;
        match self.read(&path)? {
            Some(file) => text::parse(path.relative(), file.bytes, file.mode).map(Some),
            None => Ok(None),
        }
    }

    /// Git in the root of the work tree, or in the workspace where there is no
    /// repository.
    pub(crate) fn git(&self) -> Git {
        match &self.repository {
            Repository::Git(repository) => self.git.at(&repository.top_level),
            Repository::None(_) => self.git.clone(),
        }
    }

    /// Git's directory can lie anywhere (`--separate-git-dir`), also here.
    fn is_git_data(&self, path: &Path) -> bool {
        match &self.repository {
            Repository::Git(git) => path == git.git_dir || path == git.common_dir,
            Repository::None(_) => false,
        }
    }

    fn through_symlink(&self, relative: &str, link: &Path) -> Error {
        let inside = link
            .canonicalize()
            .is_ok_and(|target| target.starts_with(&self.root));
        if inside {
            Error::Protected {
                path: relative.to_owned(),
                reason: "it goes through a symbolic link; name the file itself",
            }
        } else {
            Error::Outside {
                path: relative.to_owned(),
                reason: "it goes through a symbolic link that leads out of the workspace",
            }
        }
    }
}

fn is_in_submodule(git: &GitRepository, relative: &str) -> bool {
    let path = format!("{}{relative}", git.prefix);
    let mut prefixes = path.match_indices('/').map(|(at, _)| &path[..at]);
    git.submodules.contains(&path) || prefixes.any(|prefix| git.submodules.contains(prefix))
}
