//! The repository: a branch that somebody else moves, too.

use engine::artifact::{Applied, ApplyIntent};

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id: a function of its inputs.
    pub id: String,
    /// The one before.
    pub base: String,
    /// Its message, which names the workflow; empty for a person's.
    pub message: String,
}

/// A branch and its commits, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// Commits on the branch.
    pub commits: Vec<Commit>,
}

/// The branch is not where the intent says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved;

impl Repository {
    /// Where the branch is.
    pub fn head(&self) -> String {
        self.commits
            .last()
            .map_or_else(|| "root".to_owned(), |commit| commit.id.clone())
    }

    /// A person commits.
    pub fn commit_by_hand(&mut self, number: u64) {
        let base = self.head();
        self.commits.push(Commit {
            id: format!("hand-{number}"),
            base,
            message: String::new(),
        });
    }

    /// Does what an intent says, as often as it is told to, with one commit.
    pub fn apply(&mut self, intent: &ApplyIntent, compares: bool) -> Result<Applied, Moved> {
        let Some(commit) = &intent.commit else {
            return Err(Moved);
        };
        let landed = self.commits.iter().find(|known| known.message == commit.message);
        let base = commit.base.clone().unwrap_or_default();
        let id = match landed {
            Some(landed) if compares => landed.id.clone(),
            Some(_) | None if compares && self.head() != base => return Err(Moved),
            Some(_) | None => {
                let id = format!("{base}+{}@{}", commit.message, commit.date);
                self.commits.push(Commit {
                    id: id.clone(),
                    base,
                    message: commit.message.clone(),
                });
                id
            }
        };
        Ok(Applied {
            commit: Some(id),
            branch: Some("main".to_owned()),
            paths: intent.files.iter().map(|file| file.path.clone()).collect(),
        })
    }
}
