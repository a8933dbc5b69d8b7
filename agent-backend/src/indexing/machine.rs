//! What happens to the index of one workspace, as a table: an input and what
//! is known give what is known next and what must be done.
//!
//! Two things go on side by side. The keyword index follows the files within
//! milliseconds and is never held back. The vectors follow it, may take hours,
//! need a model and a database, and are what can be paused. No clock, no files
//! and no network here; time comes in with an input.

mod status;

use std::time::Duration;

use retrieval::{CaughtUp, Change, Embedding, Progress, Touch, Touched};
use shared::error::{Class, Code};

pub use self::status::{State, Status};
use super::pace::Pace;

/// Wait after a first problem that may pass, doubled with each further one.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// Longest such wait.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Wait after a problem that a person has to put right.
const WAIT_FOR_PERSON: Duration = Duration::from_secs(60);
/// How often an index that is complete is compared with the database, which
/// somebody may have emptied.
const CHECK_EVERY: Duration = Duration::from_secs(300);

/// What somebody wants done with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Keep it up to date from now on.
    Open,
    /// Embed nothing until told to go on, also after a restart.
    Pause,
    /// Go on.
    Resume,
    /// Stop, and do not keep it up to date. What is stored stays.
    Cancel,
    /// Look at all files again and compare with the database.
    Rescan,
    /// Remove what is stored.
    Delete,
}

/// What a restart must not forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Keep the index up to date.
    Run,
    /// The same, and embed nothing.
    Pause,
}

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What may be done about it.
    pub class: Class,
    /// Its page.
    pub code: Code,
    /// One sentence.
    pub message: String,
}

/// How a run over the vectors ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedded {
    /// All are there.
    Complete,
    /// No embedding model is configured.
    NoModel,
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// From a person or a program.
    Command(Command),
    /// From the watch.
    Changed(Change),
    /// The workspace is watched, or cannot be: then every question looks for itself.
    Watched(Result<(), Problem>),
    /// The keyword index is up to date with what was looked at.
    Looked(Result<CaughtUp, Problem>),
    /// The vectors get on.
    Progress {
        /// How far.
        progress: Progress,
        /// When, in milliseconds of any clock that only goes forward.
        at_ms: u64,
    },
    /// The run over the vectors ended.
    Embedded(Result<Embedded, Problem>),
    /// What was stored is removed, or not.
    Forgotten(Result<(), Problem>),
    /// The time of the last [`Effect::Wait`] is over.
    Due,
}

/// What must be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Bring the keyword index up to date; ends with [`Input::Looked`].
    Look(Change),
    /// Bring the vectors up to date; ends with [`Input::Embedded`].
    Embed,
    /// Drop the run over the vectors; nothing comes of it.
    StopEmbedding,
    /// Remove what is stored; ends with [`Input::Forgotten`].
    Forget,
    /// Send [`Input::Due`] after this time, instead of what was asked before.
    Wait(Duration),
    /// Write down for the next start; none: forget it.
    Remember(Option<Wish>),
    /// Stop watching and free the memory.
    Close,
}

/// The index of one workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    wish: Wish,
    keywords: Keywords,
    vectors: Vectors,
    /// Whether the vectors may be behind the keyword index.
    behind: Touch,
    held: CaughtUp,
    /// Files without vectors or with old ones, once that is known.
    missing: Option<usize>,
    progress: Option<Progress>,
    pace: Pace,
    unwatched: Option<Problem>,
}

#[derive(Debug, Clone, PartialEq)]
enum Keywords {
    /// Nobody wants it kept; why, if it was not what was asked for.
    Closed(Option<Problem>),
    /// The first look is going on.
    Opening { next: Change },
    /// It answers; another look may be going on.
    Open { look: Look },
    /// The workspace cannot be read.
    Failed(Problem),
    /// What is stored is being removed.
    Deleting,
}

#[derive(Debug, Clone, PartialEq)]
enum Look {
    No,
    /// One is going on, and after it one at what has changed since.
    GoingOn {
        next: Change,
    },
}

#[derive(Debug, Clone, PartialEq)]
enum Vectors {
    /// Not looked at yet, or stopped on the way.
    Unknown,
    Embedding {
        /// What was known of them when it began.
        before: Before,
    },
    Complete,
    /// A problem, for the so-many-th time.
    Waiting {
        problem: Problem,
        times: u32,
    },
    NoModel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// They were complete, and it is looked whether they still are.
    Complete,
    /// They were not; problems there were, one after the other.
    Incomplete { times: u32 },
}

impl Machine {
    /// An index that nobody wants kept yet.
    pub fn new(wish: Wish) -> Self {
        Self {
            wish,
            keywords: Keywords::Closed(None),
            vectors: Vectors::Unknown,
            behind: Touch::Changed,
            held: CaughtUp::default(),
            missing: None,
            progress: None,
            pace: Pace::default(),
            unwatched: None,
        }
    }

    /// Whether anybody may embed.
    pub fn embedding(&self) -> Embedding {
        match self.wish {
            Wish::Run => Embedding::Allowed,
            Wish::Pause => Embedding::Paused,
        }
    }

    /// Whether questions are answered from it.
    pub fn is_open(&self) -> bool {
        matches!(self.keywords, Keywords::Open { .. })
    }

    /// Whether nobody wants it kept.
    pub fn is_closed(&self) -> bool {
        matches!(self.keywords, Keywords::Closed(_))
    }

    /// Whether the keyword index is as the files were when it was last told.
    pub fn is_settled(&self) -> bool {
        match &self.keywords {
            Keywords::Open { look } => *look == Look::No,
            Keywords::Closed(_) | Keywords::Failed(_) => true,
            Keywords::Opening { .. } | Keywords::Deleting => false,
        }
    }

    /// Takes an input; says what must be done, in this order.
    pub fn take(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Command(command) => self.obey(command),
            Input::Changed(change) => self.look(change),
            Input::Watched(outcome) => {
                self.unwatched = outcome.err();
                Vec::new()
            }
            Input::Looked(outcome) => self.looked(outcome),
            Input::Progress { progress, at_ms } => {
                self.progress = Some(progress);
                self.missing = Some(progress.files_total.saturating_sub(progress.files_done));
                self.pace.note(at_ms, progress.files_done, progress.files_total);
                Vec::new()
            }
            Input::Embedded(outcome) => self.embedded(outcome),
            Input::Forgotten(outcome) => self.forgotten(outcome),
            Input::Due => self.due(),
        }
    }

    fn obey(&mut self, command: Command) -> Vec<Effect> {
        if self.keywords == Keywords::Deleting {
            // What is asked of it is asked again once it is gone.
            return Vec::new();
        }
        match command {
            Command::Open => self.open(),
            Command::Pause => {
                self.wish = Wish::Pause;
                let mut effects = self.open();
                effects.extend(self.stop());
                effects.push(Effect::Remember(Some(self.wish)));
                effects
            }
            Command::Resume => {
                self.wish = Wish::Run;
                let mut effects = self.open();
                if let Vectors::Waiting { .. } = self.vectors {
                    self.vectors = Vectors::Unknown;
                }
                effects.push(Effect::Remember(Some(self.wish)));
                effects.extend(self.embed());
                effects
            }
            Command::Rescan => {
                self.behind = Touch::Changed;
                let mut effects = self.open();
                if effects.is_empty() {
                    effects = self.look(Change::everything());
                }
                effects
            }
            Command::Cancel => self.close(None),
            Command::Delete => {
                let mut effects = self.stop();
                self.keywords = Keywords::Deleting;
                effects.push(Effect::Forget);
                effects
            }
        }
    }

    fn open(&mut self) -> Vec<Effect> {
        match &self.keywords {
            Keywords::Closed(_) => {
                self.keywords = Keywords::Opening {
                    next: Change::default(),
                };
                let change = Change::everything();
                vec![Effect::Remember(Some(self.wish)), Effect::Look(change)]
            }
            Keywords::Failed(_) => {
                self.keywords = Keywords::Opening {
                    next: Change::default(),
                };
                vec![Effect::Look(Change::everything())]
            }
            Keywords::Opening { .. } | Keywords::Open { .. } | Keywords::Deleting => Vec::new(),
        }
    }

    fn look(&mut self, change: Change) -> Vec<Effect> {
        match &mut self.keywords {
            Keywords::Opening { next }
            | Keywords::Open {
                look: Look::GoingOn { next },
            } => {
                merge(next, change);
                Vec::new()
            }
            Keywords::Open { look } => {
                *look = Look::GoingOn {
                    next: Change::default(),
                };
                vec![Effect::Look(change)]
            }
            Keywords::Closed(_) | Keywords::Failed(_) | Keywords::Deleting => Vec::new(),
        }
    }

    fn looked(&mut self, outcome: Result<CaughtUp, Problem>) -> Vec<Effect> {
        let next = match &mut self.keywords {
            Keywords::Opening { next }
            | Keywords::Open {
                look: Look::GoingOn { next },
            } => std::mem::take(next),
            // It was closed or is being deleted meanwhile.
            Keywords::Open { look: Look::No }
            | Keywords::Closed(_)
            | Keywords::Failed(_)
            | Keywords::Deleting => return Vec::new(),
        };
        let held = match outcome {
            Ok(held) => held,
            Err(problem) => {
                let mut effects = self.stop();
                self.keywords = Keywords::Failed(problem);
                effects.push(Effect::Wait(WAIT_FOR_PERSON));
                return effects;
            }
        };
        if held.indexed + held.removed > 0 {
            self.behind = Touch::Changed;
            self.missing = self.missing.map(|missing| missing + held.indexed);
        }
        self.held = held;
        self.keywords = Keywords::Open { look: Look::No };
        let mut effects = Vec::new();
        if next != Change::default() {
            effects = self.look(next);
        }
        effects.extend(self.embed());
        effects
    }

    /// Starts on the vectors if that is what is wanted and not going on.
    fn embed(&mut self) -> Vec<Effect> {
        let before = match &self.vectors {
            Vectors::Unknown => Before::Incomplete { times: 0 },
            Vectors::Complete if self.behind == Touch::Changed => Before::Incomplete { times: 0 },
            // A problem is waited for, and a run that goes on comes back here.
            Vectors::Complete | Vectors::Embedding { .. } | Vectors::Waiting { .. } | Vectors::NoModel => {
                return Vec::new();
            }
        };
        self.begin(before)
    }

    fn begin(&mut self, before: Before) -> Vec<Effect> {
        if self.wish == Wish::Pause || !self.is_open() {
            return Vec::new();
        }
        self.behind = Touch::Same;
        self.vectors = Vectors::Embedding { before };
        self.progress = None;
        self.pace = Pace::default();
        vec![Effect::Embed]
    }

    /// Drops the run over the vectors, or the wait for one.
    fn stop(&mut self) -> Vec<Effect> {
        self.progress = None;
        match self.vectors {
            Vectors::Embedding { .. } => {
                self.vectors = Vectors::Unknown;
                vec![Effect::StopEmbedding]
            }
            Vectors::Waiting { .. } => {
                self.vectors = Vectors::Unknown;
                Vec::new()
            }
            Vectors::Unknown | Vectors::Complete | Vectors::NoModel => Vec::new(),
        }
    }

    fn embedded(&mut self, outcome: Result<Embedded, Problem>) -> Vec<Effect> {
        let Vectors::Embedding { before } = self.vectors else {
            // It was stopped when this was on its way.
            return Vec::new();
        };
        self.progress = None;
        match outcome {
            Ok(Embedded::NoModel) => {
                self.vectors = Vectors::NoModel;
                Vec::new()
            }
            Ok(Embedded::Complete) => {
                self.vectors = Vectors::Complete;
                if self.behind == Touch::Same {
                    self.missing = Some(0);
                }
                let effects = self.embed();
                if effects.is_empty() {
                    return vec![Effect::Wait(CHECK_EVERY)];
                }
                effects
            }
            Err(problem) => {
                let times = match before {
                    Before::Complete => 0,
                    Before::Incomplete { times } => times,
                };
                let wait = wait(problem.class, times);
                self.vectors = Vectors::Waiting {
                    problem,
                    times: times.saturating_add(1),
                };
                vec![Effect::Wait(wait)]
            }
        }
    }

    fn forgotten(&mut self, outcome: Result<(), Problem>) -> Vec<Effect> {
        if self.keywords != Keywords::Deleting {
            return Vec::new();
        }
        self.close(outcome.err())
    }

    fn close(&mut self, problem: Option<Problem>) -> Vec<Effect> {
        let mut effects = self.stop();
        if self.is_closed() {
            effects.push(Effect::Remember(None));
            return effects;
        }
        *self = Self::new(Wish::Run);
        self.keywords = Keywords::Closed(problem);
        effects.extend([Effect::Remember(None), Effect::Close]);
        effects
    }

    fn due(&mut self) -> Vec<Effect> {
        if let Keywords::Failed(_) = self.keywords {
            return self.open();
        }
        match self.vectors {
            Vectors::Waiting { times, .. } => self.begin(Before::Incomplete { times }),
            Vectors::Complete => self.begin(Before::Complete),
            Vectors::Unknown | Vectors::Embedding { .. } | Vectors::NoModel => Vec::new(),
        }
    }
}

fn wait(class: Class, times: u32) -> Duration {
    match class {
        Class::Transient => WAIT_MIN.saturating_mul(1 << times.min(10)).min(WAIT_MAX),
        Class::Permanent | Class::Fatal | Class::User => WAIT_FOR_PERSON,
    }
}

/// Adds `more` to what has changed.
pub(super) fn merge(change: &mut Change, more: Change) {
    if more.history == Touch::Changed {
        change.history = Touch::Changed;
    }
    match (&mut change.files, more.files) {
        (_, Touched::Nothing) | (Touched::Everything, _) => {}
        (Touched::Paths(paths), Touched::Paths(more)) => paths.extend(more),
        (files, more) => *files = more,
    }
}

#[cfg(test)]
mod tests;
