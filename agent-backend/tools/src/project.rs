//! What a project is built and tested with, read from its files alone: the
//! steps that a change calls for, and what their output says.
//!
//! Pure: it must never know where programs are, what a sandbox is, or what is
//! done about a failure.

mod cargo;
mod failure;
mod go;
mod node;
mod outcome;
mod python;

use std::collections::BTreeSet;

use syntax::Language;

use self::failure::Failure;
pub(crate) use self::outcome::{Ending, Ran, Verdict, judge};

/// Most folders in which one ecosystem's steps run for one change.
const FOLDERS_MAX: usize = 4;

/// Tools that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ecosystem {
    /// Rust with Cargo.
    Cargo,
    /// Python with pytest or unittest.
    Python,
    /// JavaScript and TypeScript with npm's scripts.
    Node,
    /// Go.
    Go,
}

impl Ecosystem {
    /// What a sandbox calls it.
    pub(crate) fn language(self) -> sandbox::Language {
        match self {
            Self::Cargo => sandbox::Language::Rust,
            Self::Python => sandbox::Language::Python,
            Self::Node => sandbox::Language::JavaScript,
            Self::Go => sandbox::Language::Go,
        }
    }
}

/// What a step shows when it succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Goal {
    /// The code builds, or at least its types fit.
    Build,
    /// The tests pass.
    Test,
}

/// One command of a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Step {
    /// For example `test-pytest`, with the folder where it is not the root.
    pub(crate) name: String,
    pub(crate) goal: Goal,
    pub(crate) ecosystem: Ecosystem,
    /// Relative to the workspace; empty for its root.
    pub(crate) folder: String,
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
}

/// A step, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Planned {
    /// It can be tried.
    Run(Step),
    /// It would be, were it not for this.
    Skip { name: String, reason: String },
}

/// The files of a workspace, as far as a plan looks at them.
pub(crate) struct Tree<'a> {
    /// Relative paths of all files.
    pub(crate) paths: &'a BTreeSet<String>,
    /// The text of one of them.
    pub(crate) read: &'a dyn Fn(&str) -> Option<String>,
    /// Whether something that git ignores is there, as installed dependencies
    /// are.
    pub(crate) installed: &'a dyn Fn(&str) -> bool,
}

impl Tree<'_> {
    fn has(&self, folder: &str, name: &str) -> bool {
        self.paths.contains(&join(folder, name))
    }

    fn text(&self, folder: &str, name: &str) -> Option<String> {
        let path = join(folder, name);
        self.paths.contains(&path).then(|| (self.read)(&path)).flatten()
    }

    /// Paths below a folder.
    fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        let paths = self.paths.iter().map(String::as_str);
        paths.filter(move |path| is_below(path, folder))
    }
}

/// The steps that a change of these files calls for, builds before tests.
pub(crate) fn plan(tree: &Tree<'_>, changed: &[String]) -> Vec<Planned> {
    let mut planned = Vec::new();
    for ecosystem in Ecosystem::ALL {
        let folders: BTreeSet<String> = changed
            .iter()
            .filter(|path| !is_prose(path))
            .filter_map(|path| ecosystem.folder(tree, path))
            .collect();
        for folder in folders.iter().take(FOLDERS_MAX) {
            planned.extend(ecosystem.steps(tree, folder));
        }
        let name = |folder: &String| named(ecosystem.as_str(), folder);
        planned.extend(folders.iter().skip(FOLDERS_MAX).map(|folder| Planned::Skip {
            name: name(folder),
            reason: format!("{FOLDERS_MAX} folders of the change are tried; this is one more"),
        }));
    }
    planned.sort_by_key(|planned| match planned {
        Planned::Run(step) => step.goal,
        Planned::Skip { .. } => Goal::Test,
    });
    planned
}

impl Ecosystem {
    pub(crate) const ALL: [Self; 4] = [Self::Cargo, Self::Python, Self::Node, Self::Go];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Python => "python",
            Self::Node => "node",
            Self::Go => "go",
        }
    }

    /// The folder whose commands a change of `path` calls for.
    fn folder(self, tree: &Tree<'_>, path: &str) -> Option<String> {
        match self {
            Self::Cargo => cargo::folder(tree, path),
            Self::Python => python::folder(tree, path),
            Self::Node => nearest(tree, path, &["package.json"]),
            Self::Go => nearest(tree, path, &["go.mod"]),
        }
    }

    fn steps(self, tree: &Tree<'_>, folder: &str) -> Vec<Planned> {
        match self {
            Self::Cargo => cargo::steps(folder),
            Self::Python => python::steps(tree, folder),
            Self::Node => node::steps(tree, folder),
            Self::Go => go::steps(folder),
        }
    }

    /// Whether a file holds tests and no code that others use.
    pub(crate) fn is_test(self, path: &str) -> bool {
        let in_language = |language| Language::of(path) == language && syntax::is_test(language, path);
        match self {
            Self::Cargo => in_language(Language::Rust),
            Self::Python => in_language(Language::Python),
            // What tests read lies beside them, and may be anything.
            Self::Node => syntax::is_test(Language::JavaScript, path),
            Self::Go => in_language(Language::Go),
        }
    }

    /// What fails by this output, each once.
    fn failures(self, output: &str) -> BTreeSet<Failure> {
        match self {
            Self::Cargo => cargo::failures(output),
            Self::Python => python::failures(output),
            Self::Node => node::failures(output),
            Self::Go => go::failures(output),
        }
    }

    /// Why the output says nothing about the code: something is missing that
    /// the sandbox cannot get.
    fn lacks(self, output: &str) -> Option<&'static str> {
        let signs: &[(&str, &'static str)] = match self {
            Self::Cargo => cargo::LACKS,
            Self::Python => python::LACKS,
            Self::Node => node::LACKS,
            Self::Go => go::LACKS,
        };
        let found = signs.iter().find(|(sign, _)| output.contains(sign));
        found.map(|(_, reason)| *reason)
    }
}

/// The nearest folder above a path that has one of these files.
fn nearest(tree: &Tree<'_>, path: &str, names: &[&str]) -> Option<String> {
    above(path)
        .find(|folder| names.iter().any(|name| tree.has(folder, name)))
        .map(str::to_owned)
}

/// The folders above a path, the nearest first, the root last.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(parent(path)), |folder| {
        (!folder.is_empty()).then(|| parent(folder))
    })
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// The name of a step, with its folder where that is not the root.
fn named(name: &str, folder: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{name} ({folder})")
    }
}

/// Files that no build reads and no test runs.
fn is_prose(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    [".md", ".rst", ".adoc"]
        .iter()
        .any(|ending| lower.ends_with(ending))
        || lower.ends_with("license")
}

fn step(
    name: &str,
    folder: &str,
    (ecosystem, goal): (Ecosystem, Goal),
    (program, arguments): (&str, &[&str]),
) -> Planned {
    Planned::Run(Step {
        name: named(name, folder),
        goal,
        ecosystem,
        folder: folder.to_owned(),
        program: program.to_owned(),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
    })
}

/// A word with a number behind it that moves with every change, taken off:
/// `12ms`, `(0.00s)`, `(5.2 s)`.
fn without_time(text: &str) -> &str {
    let text = text.trim_end();
    if let Some((head, number)) = text.strip_suffix(" s)").and_then(|rest| rest.rsplit_once(" ("))
        && number.parse::<f64>().is_ok()
    {
        return head;
    }
    let Some((head, last)) = text.rsplit_once(' ') else {
        return text;
    };
    let bare = last.trim_matches(['(', ')']);
    let is_time = bare
        .strip_suffix("ms")
        .or_else(|| bare.strip_suffix('s'))
        .is_some_and(|number| number.parse::<f64>().is_ok());
    if is_time { head.trim_end() } else { text }
}

#[cfg(test)]
mod tests;
