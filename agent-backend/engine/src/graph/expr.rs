//! Conditions of stages: a closed language over what a workflow knows. It has
//! comparisons, `and`, `or`, `not` and three tests; no variables, no calls
//! into anything, no way to run for long.
//!
//! ```text
//! or      = and { "or" and }
//! and     = not { "and" not }
//! not     = "not" not | "(" or ")" | test | operand [ compare operand ]
//! test    = ("any" | "all") "(" list "," text ")" | "matches" "(" operand "," text ")"
//! compare = "==" | "!=" | "<" | "<=" | ">" | ">="
//! operand = number | text | "true" | "false" | fact
//! ```
//!
//! Types are checked when a condition is read, so that evaluating one cannot
//! fail. In a pattern `*` stands for any characters and `?` for one.

mod lex;
mod parse;

use std::fmt;

use shared::id::StageId;

/// A condition, with its text as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    source: String,
    root: Node,
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Where, in characters from 0.
    pub offset: usize,
    /// What is wrong and what is possible.
    pub message: String,
}

impl Expr {
    /// Reads and types a condition.
    pub fn parse(source: &str) -> Result<Self, Error> {
        parse::parse(source).map(|root| Self {
            source: source.to_owned(),
            root,
        })
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it holds, given what the workflow knows.
    pub fn holds(&self, facts: &impl Facts) -> bool {
        self.root.holds(facts)
    }

    /// The stages it asks about.
    pub fn stages(&self) -> Vec<&StageId> {
        let mut found = Vec::new();
        self.root.visit(&mut |operand| {
            if let Operand::Text(Text::Stage(stage)) = operand {
                found.push(stage);
            }
        });
        found
    }

    /// Whether it asks for the item of a loop.
    pub fn asks_for_item(&self) -> bool {
        let mut found = false;
        self.root
            .visit(&mut |operand| found |= matches!(operand, Operand::Text(Text::Item)));
        found
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// What a workflow knows. What is not known yet is 0, empty, or `""`.
pub trait Facts {
    /// A number.
    fn number(&self, number: Number) -> u64;
    /// A text.
    fn text(&self, text: &Text) -> String;
    /// A list.
    fn list(&self, list: List) -> Vec<String>;
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in definitions.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The one that is called so.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == name)
            }
        }
    };
}

names! {
    /// A fact that is a number.
    Number {
        /// The iteration, from 1.
        Iteration = "iteration",
        /// Files that the plan names.
        PlanFiles = "plan.files.count",
        /// Steps of the plan.
        PlanSteps = "plan.steps.count",
        /// Folders of the files that the plan names.
        PlanModules = "plan.modules.count",
        /// Pieces of found code.
        ContextItems = "context.items.count",
        /// Estimated tokens of the found code.
        ContextTokens = "context.tokens",
        /// Files of the proposal.
        ProposalFiles = "proposal.files.count",
        /// Lines that the proposal adds.
        LinesAdded = "proposal.lines_added",
        /// Lines that the proposal removes.
        LinesRemoved = "proposal.lines_removed",
        /// Checks that passed.
        ChecksPassed = "checks.passed",
        /// Checks that failed.
        ChecksFailed = "checks.failed",
        /// Attempts that failed in this iteration.
        Failures = "failures.count",
        /// Times the person gave feedback.
        Feedback = "feedback.count",
    }
}

names! {
    /// A fact that is a list of texts.
    List {
        /// Files that the plan names.
        PlanFiles = "plan.files",
        /// Steps of the plan.
        PlanSteps = "plan.steps",
        /// Folders of the files that the plan names, each once.
        PlanModules = "plan.modules",
        /// Files of the found code, each once.
        ContextFiles = "context.files",
        /// Files of the proposal.
        ProposalFiles = "proposal.files",
    }
}

/// A fact that is a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// `query`: what was asked for.
    Query,
    /// `plan.summary`.
    PlanSummary,
    /// `context.mode`: `hybrid`, `keyword` or `local_keyword`.
    ContextMode,
    /// `item`: what this run of a loop is about.
    Item,
    /// `stage.NAME`: `pending`, `running`, `succeeded`, `skipped` or `failed`.
    Stage(StageId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Always(bool),
    Numbers(Compare, Operand, Operand),
    Texts {
        equal: bool,
        left: Operand,
        right: Operand,
    },
    Any {
        list: List,
        pattern: String,
    },
    All {
        list: List,
        pattern: String,
    },
    Matches {
        text: Operand,
        pattern: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Count(u64),
    Literal(String),
    Number(Number),
    Text(Text),
}

impl Operand {
    fn number(&self, facts: &impl Facts) -> u64 {
        match self {
            Self::Count(count) => *count,
            Self::Number(number) => facts.number(*number),
            // Types were checked when the condition was read.
            Self::Literal(_) | Self::Text(_) => 0,
        }
    }

    fn text(&self, facts: &impl Facts) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Text(text) => facts.text(text),
            Self::Count(_) | Self::Number(_) => String::new(),
        }
    }
}

impl Node {
    fn holds(&self, facts: &impl Facts) -> bool {
        match self {
            Self::Or(left, right) => left.holds(facts) || right.holds(facts),
            Self::And(left, right) => left.holds(facts) && right.holds(facts),
            Self::Not(inner) => !inner.holds(facts),
            Self::Always(value) => *value,
            Self::Numbers(compare, left, right) => {
                let (left, right) = (left.number(facts), right.number(facts));
                match compare {
                    Compare::Equal => left == right,
                    Compare::Unequal => left != right,
                    Compare::Less => left < right,
                    Compare::LessOrEqual => left <= right,
                    Compare::Greater => left > right,
                    Compare::GreaterOrEqual => left >= right,
                }
            }
            Self::Texts { equal, left, right } => (left.text(facts) == right.text(facts)) == *equal,
            Self::Any { list, pattern } => facts.list(*list).iter().any(|text| matches(pattern, text)),
            Self::All { list, pattern } => facts.list(*list).iter().all(|text| matches(pattern, text)),
            Self::Matches { text, pattern } => matches(pattern, &text.text(facts)),
        }
    }

    fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Operand)) {
        match self {
            Self::Or(left, right) | Self::And(left, right) => {
                left.visit(see);
                right.visit(see);
            }
            Self::Not(inner) => inner.visit(see),
            Self::Numbers(_, left, right) | Self::Texts { left, right, .. } => {
                see(left);
                see(right);
            }
            Self::Matches { text, .. } => see(text),
            Self::Always(_) | Self::Any { .. } | Self::All { .. } => {}
        }
    }
}

/// Whether `text` fits `pattern`, in time of the product of their lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut here) = (0, 0);
    // Where the last star was, and what it was last taken to stand for.
    let mut star: Option<(usize, usize)> = None;
    while here < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[here] => {
                at += 1;
                here += 1;
            }
            Some(_) | None => match star {
                Some((back, taken)) => {
                    star = Some((back, taken + 1));
                    at = back + 1;
                    here = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests;
