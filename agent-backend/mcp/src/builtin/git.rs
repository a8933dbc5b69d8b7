//! What git knows: status, differences, commits, and who wrote a line.

use ::tools::history::Between;
use sandbox::Stop;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use shared::error::Code;

use super::{Described, Refusal, Surroundings, arguments, schema};

pub(super) const TOOLS: &[Described] = &[
    Described {
        name: "status",
        title: "Status",
        description: "Lists the branch and the changed, staged and untracked files, as `git status --short` does.",
        schema: schema::<Status>,
        run: status,
    },
    Described {
        name: "diff",
        title: "Differences",
        description: "Shows what is changed as a unified diff: by default what is not staged; with `staged` what is; \
                      with `from` since that commit; with `from` and `to` between two commits. Name a `path` to see one \
                      file.",
        schema: schema::<Diff>,
        run: diff,
    },
    Described {
        name: "log",
        title: "Commits",
        description: "Lists commits, the newest first: number, day, author, subject. Name a `path` for those that \
                      changed a file, also from before it was renamed.",
        schema: schema::<Log>,
        run: log,
    },
    Described {
        name: "show",
        title: "One commit",
        description: "Shows a commit: author, message, and its changes as a unified diff. Use it on numbers that `log` \
                      or `blame` gave, to learn why code is as it is.",
        schema: schema::<Show>,
        run: show,
    },
    Described {
        name: "blame",
        title: "Who wrote a line",
        description: "Shows, for a range of lines of a file, the commit, author and day of each line.",
        schema: schema::<Blame>,
        run: blame,
    },
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Status {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Diff {
    /// A file, relative to the workspace.
    path: Option<String>,
    /// Whether to show what is staged.
    #[serde(default)]
    staged: bool,
    /// A commit, branch or tag to compare with.
    from: Option<String>,
    /// A second one, in place of the files as they are.
    to: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Log {
    /// A file, relative to the workspace.
    path: Option<String>,
    /// The commit, branch or tag to begin with; `HEAD` by default.
    revision: Option<String>,
    /// How many commits, 1 to 200; 20 by default.
    top: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Show {
    /// A commit, branch or tag.
    revision: String,
    /// A file, relative to the workspace; all by default.
    path: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Blame {
    /// A file, relative to the workspace.
    path: String,
    /// The first line, from 1.
    first_line: u32,
    /// The last line; at most 500 lines are shown.
    last_line: u32,
}

/// Commits of a log that names no number.
const COMMITS: u32 = 20;

fn status(surroundings: &Surroundings, given: Value, _stop: &Stop) -> Result<String, Refusal> {
    let Status {} = arguments(given)?;
    Ok(surroundings.workspace()?.git_status()?)
}

fn diff(surroundings: &Surroundings, given: Value, _stop: &Stop) -> Result<String, Refusal> {
    let Diff {
        path,
        staged,
        from,
        to,
    } = arguments(given)?;
    let between = match (staged, from.as_deref(), to.as_deref()) {
        (false, None, None) => Between::IndexAndFiles,
        (true, None, None) => Between::CommitAndIndex,
        (false, Some(from), None) => Between::RevisionAndFiles(from),
        (false, Some(from), Some(to)) => Between::Revisions(from, to),
        (true, _, Some(_)) | (true, Some(_), None) | (false, None, Some(_)) => {
            let message = "use either `staged`, or `from`, or `from` and `to`";
            return Err(Refusal::new(Code::InvalidRequest, message));
        }
    };
    let text = surroundings.workspace()?.git_diff(between, path.as_deref())?;
    Ok(or_none(text, "there is no difference"))
}

fn log(surroundings: &Surroundings, given: Value, _stop: &Stop) -> Result<String, Refusal> {
    let Log { path, revision, top } = arguments(given)?;
    let workspace = surroundings.workspace()?;
    let text = workspace.git_log(revision.as_deref(), path.as_deref(), top.unwrap_or(COMMITS))?;
    Ok(or_none(text, "there is no such commit"))
}

fn show(surroundings: &Surroundings, given: Value, _stop: &Stop) -> Result<String, Refusal> {
    let Show { revision, path } = arguments(given)?;
    let text = surroundings.workspace()?.git_show(&revision, path.as_deref())?;
    Ok(or_none(text, "the commit does not change this file"))
}

fn blame(surroundings: &Surroundings, given: Value, _stop: &Stop) -> Result<String, Refusal> {
    let Blame {
        path,
        first_line,
        last_line,
    } = arguments(given)?;
    Ok(surroundings
        .workspace()?
        .git_blame(&path, first_line, last_line)?)
}

/// An empty text would look like a failure.
fn or_none(text: String, none: &str) -> String {
    match text.trim() {
        "" => none.to_owned(),
        _ => text,
    }
}
