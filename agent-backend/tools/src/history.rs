//! What git knows of the workspace, as text to be read: what is changed, what
//! was, by whom. Reads only; files that hold secrets stay out, and credentials
//! in others are replaced.

use shared::redact::redact;

use crate::{Error, Repository, Workspace, fence, git::Git};

/// Most commits of one log.
pub const COMMITS_MAX: u32 = 200;

/// Most lines of one blame.
pub const BLAME_LINES_MAX: u32 = 500;

/// Longest name of a revision, in bytes.
const REVISION_BYTES_MAX: usize = 200;

/// Whatever the person has configured to run, or to look different, for a
/// person's eyes.
const PLAIN: &[&str] = &["--no-color", "--no-ext-diff", "--no-textconv"];

/// What a difference is taken between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between<'a> {
    /// What is staged, and the files.
    IndexAndFiles,
    /// The last commit, and what is staged.
    CommitAndIndex,
    /// A revision, and the files.
    RevisionAndFiles(&'a str),
    /// Two revisions.
    Revisions(&'a str, &'a str),
}

impl Workspace {
    /// The branch and the changed files, as `git status --short --branch`.
    ///
    /// # Errors
    /// E1210 if there is no repository or git fails.
    pub fn git_status(&self) -> Result<String, Error> {
        let mut arguments = words(&["status", "--porcelain=v1", "--branch", "--untracked-files=all"]);
        self.limit_to(None, &mut arguments)?;
        self.told("status", &arguments)
    }

    /// A unified diff; of one file, or of all.
    ///
    /// # Errors
    /// E1205 and E1206 for a path that may not be read, E1210 if there is no such
    /// revision, no repository, or git fails.
    pub fn git_diff(&self, between: Between<'_>, path: Option<&str>) -> Result<String, Error> {
        let mut arguments = words(&["diff"]);
        arguments.extend(words(PLAIN));
        match between {
            Between::IndexAndFiles => {}
            Between::CommitAndIndex => arguments.push("--cached".to_owned()),
            Between::RevisionAndFiles(revision) => arguments.push(self.commit(revision)?),
            Between::Revisions(from, to) => arguments.extend([self.commit(from)?, self.commit(to)?]),
        }
        self.limit_to(path, &mut arguments)?;
        self.told("diff", &arguments)
    }

    /// Commits, the newest first, each with its number, day, author and subject;
    /// of a file, also from before it was renamed. At most [`COMMITS_MAX`].
    ///
    /// # Errors
    /// As [`Self::git_diff`].
    pub fn git_log(&self, revision: Option<&str>, path: Option<&str>, top: u32) -> Result<String, Error> {
        let mut arguments = words(&["log", "--no-show-signature", "--no-color", "--date=short"]);
        arguments.push("--format=%h %ad %an: %s".to_owned());
        arguments.push(format!("--max-count={}", top.clamp(1, COMMITS_MAX)));
        arguments.push(self.commit(revision.unwrap_or("HEAD"))?);
        match path {
            // Following takes one plain path.
            Some(path) => {
                arguments.extend(["--follow".to_owned(), "--".to_owned(), self.in_repository(path)?]);
                self.told_literally("log", &arguments)
            }
            None => {
                self.limit_to(None, &mut arguments)?;
                self.told("log", &arguments)
            }
        }
    }

    /// A commit: its message, and what it changed.
    ///
    /// # Errors
    /// As [`Self::git_diff`].
    pub fn git_show(&self, revision: &str, path: Option<&str>) -> Result<String, Error> {
        let mut arguments = words(&["show", "--no-show-signature", "--stat", "--patch"]);
        arguments.extend(words(PLAIN));
        arguments.push(self.commit(revision)?);
        self.limit_to(path, &mut arguments)?;
        self.told("show", &arguments)
    }

    /// The commit that each of these lines is from, counted from 1. At most
    /// [`BLAME_LINES_MAX`] lines.
    ///
    /// # Errors
    /// As [`Self::git_diff`].
    pub fn git_blame(&self, path: &str, first: u32, last: u32) -> Result<String, Error> {
        let first = first.max(1);
        let last = last.clamp(first, first.saturating_add(BLAME_LINES_MAX - 1));
        let mut arguments = words(&["blame", "--date=short"]);
        arguments.extend([
            format!("-L{first},{last}"),
            "--".to_owned(),
            self.in_repository(path)?,
        ]);
        self.told_literally("blame", &arguments)
    }

    /// The number of the commit that a person or a model calls so. Options and
    /// paths in the name of a revision are refused.
    fn commit(&self, revision: &str) -> Result<String, Error> {
        let refuse = |complaint: String| Error::Git {
            command: "rev-parse".to_owned(),
            complaint,
        };
        let is_plain = |c: char| c.is_ascii_graphic() && c != ':';
        if revision.is_empty()
            || revision.len() > REVISION_BYTES_MAX
            || revision.starts_with('-')
            || !revision.chars().all(is_plain)
        {
            return Err(refuse("this is no name of a commit".to_owned()));
        }
        let peeled = format!("{revision}^{{commit}}");
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &peeled];
        let answer = self.repository_git("rev-parse")?.read(&arguments)?;
        if !answer.success() {
            return Err(refuse(format!("there is no commit `{revision}`")));
        }
        answer.line()
    }

    /// Adds what limits a command to a path, or to the workspace without what
    /// holds secrets.
    fn limit_to(&self, path: Option<&str>, arguments: &mut Vec<String>) -> Result<(), Error> {
        arguments.push("--".to_owned());
        match path {
            Some(path) => arguments.push(format!(":(top,literal){}", self.in_repository(path)?)),
            None => {
                let prefix = self.prefix();
                arguments.push(match prefix {
                    "" => ":(top)".to_owned(),
                    prefix => format!(":(top,literal){}", prefix.trim_end_matches('/')),
                });
                let secrets = fence::secret_globs();
                arguments.extend(secrets.map(|glob| format!(":(top,exclude,icase,glob)**/{glob}")));
            }
        }
        Ok(())
    }

    /// A path of the workspace that may be read, as the repository names it.
    fn in_repository(&self, path: &str) -> Result<String, Error> {
        let path = self.resolve(path)?;
        Ok(format!("{}{}", self.prefix(), path.relative()))
    }

    fn prefix(&self) -> &str {
        match self.repository() {
            Repository::Git(repository) => &repository.prefix,
            Repository::None(_) => "",
        }
    }

    fn repository_git(&self, command: &str) -> Result<Git, Error> {
        match self.repository() {
            Repository::Git(_) => Ok(self.git()),
            Repository::None(_) => Err(Error::Git {
                command: command.to_owned(),
                complaint: "the workspace is in no git repository".to_owned(),
            }),
        }
    }

    /// With pathspecs that say what they are.
    fn told(&self, command: &str, arguments: &[String]) -> Result<String, Error> {
        let git = self.repository_git(command)?.with("GIT_LITERAL_PATHSPECS", "0");
        text(&git, arguments)
    }

    /// With paths that are paths.
    fn told_literally(&self, command: &str, arguments: &[String]) -> Result<String, Error> {
        text(&self.repository_git(command)?, arguments)
    }
}

fn text(git: &Git, arguments: &[String]) -> Result<String, Error> {
    let bytes = git.read(arguments)?.bytes()?;
    Ok(redact(&String::from_utf8_lossy(&bytes)).into_owned())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
