//! What a failed attempt says about the code that the next one needs: the kind
//! of failure and its details become questions, files that count more, and
//! files that must be there (adaptive retrieval).
//!
//! Pure. Knows the messages of the compilers, interpreters and test runners of
//! the languages that are read here; must never know workflows or prompts.

mod messages;

use std::collections::BTreeSet;

use shared::error::Code;

use crate::queries::{Merged, Origin, SubQuery, sort};
use crate::related;

/// Findings that one failure gives.
pub const FINDINGS_MAX: usize = 8;
/// Bytes of a message that are read, from each end.
const MESSAGE_BYTES_MAX: usize = 16_000;

macro_rules! kinds {
    ($($name:ident = $text:literal, $what:literal;)*) => {
        /// Kinds of failures.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureKind { $(#[doc = $what] $name,)* }

        impl FailureKind {
            /// Every kind.
            pub const ALL: &'static [FailureKind] = &[$(FailureKind::$name,)*];

            /// The word used in notices.
            pub fn as_str(self) -> &'static str {
                match self { $(FailureKind::$name => $text,)* }
            }
        }
    };
}

kinds! {
    UnresolvedImport = "unresolved_import", "A module or a name of it is not there.";
    UndefinedName = "undefined_name", "A name is used that nothing defines.";
    NoSuchMember = "no_such_member", "A type or object has no such member.";
    WrongType = "wrong_type", "Types or arguments do not fit.";
    SyntaxError = "syntax_error", "A file cannot be parsed.";
    FailingTest = "failing_test", "A test does not pass.";
    EditMismatch = "edit_mismatch", "An edit does not fit the file it is for.";
    MissingFile = "missing_file", "A file that is named does not exist.";
    Unusable = "unusable_answer", "The answer cannot be used, whatever the code: nothing more is looked for.";
    Other = "other", "Something else about the code.";
}

/// One thing that a failure says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FailureKind,
    /// The module, name, test or message that it is about.
    pub subject: String,
    /// The file that it names, relative to the workspace if the message says so.
    pub path: Option<String>,
    /// Its line, from 1.
    pub line: Option<u32>,
}

/// What the next retrieval does differently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adaptation {
    /// Further questions.
    pub queries: Vec<SubQuery>,
    /// Files that count more.
    pub boosts: Vec<Boost>,
    /// Files that the model must see whole, whatever else is found.
    pub keep: Vec<String>,
}

/// Files that count more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boost {
    /// Which files.
    pub of: Boosted,
    /// Why.
    pub because: FailureKind,
}

/// Which files count more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boosted {
    /// The file at this path, or whose path ends with it.
    Path(String),
    /// The files of this module: `a.b.c`, `a::b`, `./a/b`.
    Module(String),
    /// What a test file is about, and the test file itself.
    SubjectOf(String),
}

/// How much more a boosted file counts.
const BOOST: f64 = 3.0;

impl Boosted {
    fn fits(&self, path: &str) -> bool {
        match self {
            Self::Path(wanted) => same_file(path, wanted),
            Self::Module(module) => is_of_module(path, module),
            Self::SubjectOf(test) => same_file(path, test) || related::is_pair(path, test),
        }
    }
}

/// Whether `path` is what a message calls `named`: tools print absolute paths
/// and paths relative to other directories.
fn same_file(path: &str, named: &str) -> bool {
    let named = named.trim_start_matches("./");
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    !named.is_empty() && (ends(path, named) || ends(named, path))
}

/// Whether the last parts of the path are those of the module.
fn is_of_module(path: &str, module: &str) -> bool {
    let parts: Vec<&str> = module
        .split(['.', ':', '/'])
        .filter(|part| !part.is_empty() && !matches!(*part, "crate" | "self" | "super" | "@"))
        .collect();
    let Some((last, before)) = parts.split_last() else {
        return false;
    };
    let mut path_parts: Vec<&str> = path.split('/').collect();
    let name = path_parts.pop().unwrap_or_default();
    let stem = name.split('.').next().unwrap_or(name);
    // A package is its directory.
    let own = if matches!(stem, "__init__" | "mod" | "index" | "lib") {
        path_parts.pop().unwrap_or(stem)
    } else {
        stem
    };
    let names = |own: &str, last: &str, before: &[&str], dirs: &[&str]| {
        let near = before.iter().rev().zip(dirs.iter().rev()).take(1);
        own == last && near.into_iter().all(|(a, b)| a == b)
    };
    // `from a.b import c` may name a member `c` of the module `b`.
    names(own, last, before, &path_parts)
        || before
            .split_last()
            .is_some_and(|(module, before)| names(own, module, before, &path_parts))
}

/// What a failure says, in the order of its message; at most [`FINDINGS_MAX`].
/// Never empty: what is not understood is one finding of kind `Other`, or
/// `Unusable` if it is not about code.
pub fn diagnose(code: Code, message: &str) -> Vec<Finding> {
    let message = ends(message);
    let mut findings = match kind_of(code) {
        Verdict::Unusable => {
            return vec![Finding {
                kind: FailureKind::Unusable,
                subject: String::new(),
                path: None,
                line: None,
            }];
        }
        Verdict::Kind(kind) => messages::quoted_path(&message, kind),
        Verdict::Read => messages::read(&message),
    };
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert((finding.kind, finding.subject.clone(), finding.path.clone())));
    findings.truncate(FINDINGS_MAX);
    if findings.is_empty() {
        let first = message
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        findings.push(Finding {
            kind: FailureKind::Other,
            subject: messages::shorten(first),
            path: None,
            line: None,
        });
    }
    findings
}

/// The beginning and the end of a long message: tools name the cause in the one
/// and the sum in the other.
fn ends(message: &str) -> String {
    if message.len() <= 2 * MESSAGE_BYTES_MAX {
        return message.to_owned();
    }
    let head = &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)];
    let tail = &message[message.ceil_char_boundary(message.len() - MESSAGE_BYTES_MAX)..];
    format!("{head}\n{tail}")
}

enum Verdict {
    /// Not about code.
    Unusable,
    /// The code says it all.
    Kind(FailureKind),
    /// The message says it.
    Read,
}

fn kind_of(code: Code) -> Verdict {
    let unusable = [
        Code::AnswerEmpty,
        Code::AnswerNoEdits,
        Code::AnswerTruncated,
        Code::AnswerMalformed,
        Code::AnswerPlaceholder,
        Code::AnswerRepeats,
        Code::AnswerDeclined,
        Code::PlanMalformed,
        Code::NoChange,
        Code::EditPathInvalid,
    ];
    if code == Code::EditDoesNotApply {
        Verdict::Kind(FailureKind::EditMismatch)
    } else if unusable.contains(&code) || code.as_str().starts_with("E14") || code.as_str().starts_with("E11")
    {
        Verdict::Unusable
    } else {
        Verdict::Read
    }
}

/// What to do about findings.
pub fn adapt(findings: &[Finding]) -> Adaptation {
    let mut adaptation = Adaptation::default();
    for finding in findings {
        let kind = finding.kind;
        let path = finding.path.clone();
        let mut keep = false;
        let mut asks = true;
        match kind {
            FailureKind::UnresolvedImport => {
                adaptation.boost(Boosted::Module(finding.subject.clone()), kind);
                keep = true;
            }
            FailureKind::UndefinedName | FailureKind::NoSuchMember | FailureKind::WrongType => {
                keep = true;
            }
            // The file is all that is needed.
            FailureKind::SyntaxError | FailureKind::EditMismatch => {
                keep = true;
                asks = false;
            }
            FailureKind::FailingTest => {
                if let Some(path) = path.clone() {
                    adaptation.boost(Boosted::SubjectOf(path), kind);
                }
            }
            FailureKind::MissingFile => {}
            FailureKind::Unusable => asks = false,
            FailureKind::Other => {}
        }
        if let Some(path) = path {
            if keep && !adaptation.keep.contains(&path) {
                adaptation.keep.push(path.clone());
            }
            adaptation.boost(Boosted::Path(path), kind);
        }
        if asks && !finding.subject.is_empty() {
            adaptation.queries.push(SubQuery {
                text: question(finding),
                origin: Origin::Failure(kind),
            });
        }
    }
    adaptation
}

impl Adaptation {
    /// Files count more once, for the first reason.
    fn boost(&mut self, of: Boosted, because: FailureKind) {
        if !self.boosts.iter().any(|boost| boost.of == of) {
            self.boosts.push(Boost { of, because });
        }
    }
}

/// What is asked about a finding: its subject, and of a file its name.
fn question(finding: &Finding) -> String {
    match finding.kind {
        FailureKind::FailingTest => {
            let file = finding.path.as_deref().unwrap_or_default();
            format!("{} {file}", finding.subject).trim().to_owned()
        }
        FailureKind::UnresolvedImport
        | FailureKind::UndefinedName
        | FailureKind::NoSuchMember
        | FailureKind::WrongType
        | FailureKind::SyntaxError
        | FailureKind::EditMismatch
        | FailureKind::MissingFile
        | FailureKind::Unusable
        | FailureKind::Other => finding.subject.clone(),
    }
}

/// Makes the files that count more count more; each piece once, however many
/// boosts fit it.
pub fn boost(merged: &mut [Merged], boosts: &[Boost]) {
    let mut fitted = false;
    for one in merged.iter_mut() {
        if boosts.iter().any(|boost| boost.of.fits(&one.item.path)) {
            one.item.score *= BOOST;
            fitted = true;
        }
    }
    if fitted {
        sort(merged);
    }
}

/// The files of a workspace that are meant by the paths of messages, each once.
pub fn resolve(named: &[String], files: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in named {
        let name = name.trim_start_matches("./");
        // Of a path that is longer than those of the workspace, the file that has
        // most of it; otherwise the one that adds least.
        let fit = |path: &&String| {
            if path.len() <= name.len() {
                (1, path.len())
            } else {
                (0, usize::MAX - path.len())
            }
        };
        let best = files.iter().filter(|path| same_file(path, name)).max_by_key(fit);
        if let Some(path) = best.filter(|path| !found.contains(path)) {
            found.push(path.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests;
