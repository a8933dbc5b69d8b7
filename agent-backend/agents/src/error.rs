//! Why an answer of a model cannot be used.

use engine::artifact::Failure;
use shared::error::{Class, Code};

/// Why an answer cannot be used. The text is written for a person and for the
/// model's next attempt alike.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing, or nothing but white space or thoughts.
    #[error("the answer is empty")]
    Empty,
    /// Text without an edit.
    #[error("the answer contains no file edits: {hint}")]
    NoEdits {
        /// What it contains instead.
        hint: String,
    },
    /// It stops in the middle.
    #[error("the answer was cut off: {place}")]
    Truncated {
        /// Where it stops.
        place: String,
    },
    /// It has a shape that could mean more than one thing, or none.
    #[error("the answer is malformed: {problem}")]
    Malformed {
        /// What is wrong.
        problem: String,
    },
    /// A path breaks a rule for paths.
    #[error("the path `{path}` is not allowed: {problem}")]
    Path {
        /// The path, control characters escaped.
        path: String,
        /// The rule.
        problem: &'static str,
    },
    /// An edit does not fit the file it is for.
    #[error("the edit of `{path}` does not apply: {problem}")]
    DoesNotApply {
        /// The file.
        path: String,
        /// The verdict on each block, with the nearest lines of the file.
        problem: String,
    },
    /// A plan that is not of the expected shape.
    #[error("the plan cannot be used: {problem}")]
    Plan {
        /// What is wrong.
        problem: String,
    },
    /// The planner asks before it plans.
    #[error("{question}")]
    Unclear {
        /// What it asks.
        question: String,
    },
    /// Search queries that are not of the expected shape.
    #[error("the search queries cannot be used: {problem}")]
    Queries {
        /// What is wrong.
        problem: String,
    },
    /// Code was left out.
    #[error("`{path}`, line {line}, leaves code out: `{text}`")]
    Placeholder {
        /// The file.
        path: String,
        /// Line of the new text, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// Applying it makes no difference.
    #[error("the answer changes nothing")]
    NoChange,
    /// The same text over and over.
    #[error("the answer repeats itself: `{sample}` {times} times")]
    Repeats {
        /// What is repeated, shortened.
        sample: String,
        /// How often it was seen in a row.
        times: usize,
    },
    /// The model says that it will not do it.
    #[error("the model declined: {text}")]
    Declined {
        /// Its words, shortened.
        text: String,
    },
    /// A call of a tool, written instead of made.
    #[error("the model wrote a call of the tool `{tool}` into its answer instead of making it")]
    WrittenCall {
        /// The tool.
        tool: String,
    },
    /// Calls of tools without end.
    #[error("the model called tools in {rounds} answers in a row and wrote nothing")]
    CallsOnly {
        /// Answers that were calls.
        rounds: u32,
    },
    /// Several files have a problem each.
    #[error("{}", join(.0))]
    Several(Vec<Error>),
}

fn join(errors: &[Error]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

impl Error {
    /// What to do about it: another attempt, told what was wrong, can succeed;
    /// a question is the person's to answer.
    pub fn class(&self) -> Class {
        match self {
            Self::Unclear { .. } => Class::User,
            Self::Empty
            | Self::NoEdits { .. }
            | Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::Path { .. }
            | Self::DoesNotApply { .. }
            | Self::Plan { .. }
            | Self::Queries { .. }
            | Self::Placeholder { .. }
            | Self::NoChange
            | Self::Repeats { .. }
            | Self::Declined { .. }
            | Self::WrittenCall { .. }
            | Self::CallsOnly { .. }
            | Self::Several(_) => Class::Transient,
        }
    }

    /// The page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::Empty => Code::AnswerEmpty,
            Self::NoEdits { .. } => Code::AnswerNoEdits,
            Self::Truncated { .. } => Code::AnswerTruncated,
            Self::Malformed { .. } => Code::AnswerMalformed,
            Self::Path { .. } => Code::EditPathInvalid,
            Self::DoesNotApply { .. } => Code::EditDoesNotApply,
            Self::Plan { .. } => Code::PlanMalformed,
            Self::Unclear { .. } => Code::RequestUnclear,
            Self::Queries { .. } => Code::QueriesMalformed,
            Self::Placeholder { .. } => Code::AnswerPlaceholder,
            Self::NoChange => Code::NoChange,
            Self::Repeats { .. } => Code::AnswerRepeats,
            Self::Declined { .. } => Code::AnswerDeclined,
            Self::WrittenCall { .. } => Code::AnswerWrittenCall,
            Self::CallsOnly { .. } => Code::AnswerCallsOnly,
            Self::Several(errors) => errors.first().map_or(Code::AnswerMalformed, Self::code),
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            class: error.class(),
            code: error.code(),
            message: error.to_string(),
        }
    }
}
