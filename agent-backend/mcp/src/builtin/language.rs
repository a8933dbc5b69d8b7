//! What language servers say of a file.

use ::tools::trial::question::{self, Name, Question};
use sandbox::Stop;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use shared::error::Code;

use super::{Described, Refusal, Surroundings, arguments, schema};

pub(super) const TOOLS: &[Described] = &[
    Described {
        name: "diagnostics",
        title: "What is wrong with a file",
        description: "Asks the language server (types, undefined names) what is wrong with a file: as it is, or with \
                      `text` in its place. Use it to check code before you propose it. The first question about a \
                      large project can take a minute.",
        schema: schema::<Diagnostics>,
        run: diagnostics,
    },
    Described {
        name: "hover",
        title: "Type and documentation of a name",
        description: "Says what the language server knows of a name on a line of a file: its type, its signature, its \
                      documentation.",
        schema: schema::<OfName>,
        run: hover,
    },
    Described {
        name: "definition",
        title: "Where a name is defined",
        description: "Finds where the thing that a name on a line of a file stands for is defined. Follows types and \
                      imports, which a search for the name cannot.",
        schema: schema::<OfName>,
        run: definition,
    },
    Described {
        name: "references",
        title: "Where a name is used",
        description: "Lists where the thing that a name on a line of a file stands for is named, its definition \
                      included. Other things of the same name are left out.",
        schema: schema::<OfName>,
        run: references,
    },
];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Diagnostics {
    /// The file, relative to the workspace.
    path: String,
    /// A whole text in place of what the file has.
    text: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfName {
    /// The file, relative to the workspace.
    path: String,
    /// The line on which the name stands, from 1.
    line: u32,
    /// The name, as it stands there.
    name: String,
    /// A whole text in place of what the file has.
    text: Option<String>,
}

fn diagnostics(surroundings: &Surroundings, given: Value, stop: &Stop) -> Result<String, Refusal> {
    let Diagnostics { path, text } = arguments(given)?;
    ask(surroundings, &path, text.as_deref(), &Question::Diagnostics, stop)
}

fn hover(surroundings: &Surroundings, given: Value, stop: &Stop) -> Result<String, Refusal> {
    of_name(surroundings, given, Question::Hover, stop)
}

fn definition(surroundings: &Surroundings, given: Value, stop: &Stop) -> Result<String, Refusal> {
    of_name(surroundings, given, Question::Definition, stop)
}

fn references(surroundings: &Surroundings, given: Value, stop: &Stop) -> Result<String, Refusal> {
    of_name(surroundings, given, Question::References, stop)
}

fn of_name(
    surroundings: &Surroundings,
    given: Value,
    question: fn(Name) -> Question,
    stop: &Stop,
) -> Result<String, Refusal> {
    let OfName {
        path,
        line,
        name,
        text,
    } = arguments(given)?;
    let question = question(Name { line, text: name });
    ask(surroundings, &path, text.as_deref(), &question, stop)
}

fn ask(
    surroundings: &Surroundings,
    path: &str,
    text: Option<&str>,
    question: &Question,
    stop: &Stop,
) -> Result<String, Refusal> {
    let workspace = surroundings.workspace()?;
    let none = || {
        Refusal::new(
            Code::SandboxUnavailable,
            "language servers run in a sandbox, and there is none here",
        )
    };
    let trials = surroundings.trying.as_ref().ok_or_else(none)?.trials();
    question::ask(trials, &workspace, path, text, question, stop)
        .map_err(|reason| Refusal::new(Code::LanguageServerFailed, reason))
}
