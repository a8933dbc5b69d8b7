//! What a person or a program is told of an index.

use retrieval::{Progress, Touch};
use shared::error::Code;

use super::{Before, Keywords, Machine, Problem, Vectors, Wish};

/// What is going on, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody wants it kept up to date.
    Idle,
    /// The first look at the files.
    Scanning,
    /// Keywords are ready, vectors are on their way.
    Indexing,
    /// Keywords are ready, and somebody stopped the vectors.
    Paused,
    /// Keywords are ready, and vectors wait for what is missing.
    Waiting,
    /// Everything is ready.
    Ready,
    /// The workspace cannot be read.
    Failed,
    /// What is stored is being removed.
    Deleting,
}

/// What is known of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// What is going on.
    pub state: State,
    /// Files in the keyword index.
    pub files: usize,
    /// Chunks in the keyword index.
    pub chunks: usize,
    /// Files that have no vectors, or old ones.
    pub missing: usize,
    /// How far the vectors are, while they are on their way.
    pub progress: Option<Progress>,
    /// Files a second.
    pub rate: Option<f64>,
    /// Seconds until the vectors are complete, if it goes on like this.
    pub seconds_left: Option<u64>,
    /// What is in the way, or worse than it could be.
    pub problem: Option<Problem>,
}

impl Status {
    /// Nothing is known.
    pub fn idle() -> Self {
        Machine::new(Wish::Run).status()
    }

    /// For a person.
    pub fn detail(&self) -> String {
        let problem = self.problem.as_ref().map(|problem| problem.message.as_str());
        match (self.state, problem) {
            (_, Some(problem)) => problem.to_owned(),
            (State::Idle, None) => "indexed with the next request".to_owned(),
            (State::Scanning, None) => "looking at the files".to_owned(),
            (State::Indexing, None) => "embedding; keywords are searched meanwhile".to_owned(),
            (State::Paused, None) => "paused; keywords are searched".to_owned(),
            (State::Waiting | State::Failed, None) => "tried again by itself".to_owned(),
            (State::Ready, None) => "complete".to_owned(),
            (State::Deleting, None) => "removing what is stored".to_owned(),
        }
    }
}

impl Machine {
    /// What there is to tell.
    pub fn status(&self) -> Status {
        let (state, problem) = self.state();
        let progress = self.progress.filter(|_| state == State::Indexing);
        let left = progress.map_or(0, |now| now.files_total.saturating_sub(now.files_done));
        Status {
            state,
            files: self.held.files,
            chunks: self.held.parts,
            missing: self.missing.unwrap_or(self.held.files).min(self.held.files),
            progress,
            rate: progress.and(self.pace.rate()),
            seconds_left: progress.and(self.pace.seconds_for(left)),
            problem: problem.or_else(|| self.unwatched.clone()),
        }
    }

    fn state(&self) -> (State, Option<Problem>) {
        match &self.keywords {
            Keywords::Closed(problem) => return (State::Idle, problem.clone()),
            Keywords::Opening { .. } => return (State::Scanning, None),
            Keywords::Failed(problem) => return (State::Failed, Some(problem.clone())),
            Keywords::Deleting => return (State::Deleting, None),
            Keywords::Open { .. } => {}
        }
        if self.wish == Wish::Pause {
            return (State::Paused, None);
        }
        match &self.vectors {
            Vectors::Unknown => (State::Indexing, None),
            Vectors::Embedding { before } => {
                // A comparison that finds nothing to do is nothing to tell.
                let work =
                    self.progress.is_some_and(|now| now.files_total > 0) || self.behind == Touch::Changed;
                match before {
                    Before::Complete if !work => (State::Ready, None),
                    Before::Complete | Before::Incomplete { .. } => (State::Indexing, None),
                }
            }
            // Somebody asked for another look, which goes on.
            Vectors::Complete if self.behind == Touch::Changed => (State::Indexing, None),
            Vectors::Complete => (State::Ready, None),
            Vectors::NoModel => (State::Ready, Some(no_model())),
            Vectors::Waiting { problem, .. } => (State::Waiting, Some(problem.clone())),
        }
    }
}

fn no_model() -> Problem {
    Problem {
        class: shared::error::Class::User,
        code: Code::EmbeddingFailed,
        message: "no embedding model is configured: keywords and history are searched".to_owned(),
    }
}
