//! What a prompt can begin with. Everything else, also with a slash in front, is
//! said to a workflow.

use agent_client_protocol::v1::schema::{
    AvailableCommand, AvailableCommandInput, AvailableCommandsUpdate, SessionUpdate, UnstructuredCommandInput,
};
use shared::error::Code;

use crate::error::Error;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The words alone.
    Words,
    /// A workflow of this definition about this.
    Work {
        /// Name of the definition.
        definition: &'static str,
        /// What it is to do.
        query: String,
    },
    /// Code about this.
    Search(String),
    /// The index of the folder, brought up to date.
    Index,
    /// The open question, once more.
    Review,
    /// What is not over.
    Resume,
    /// The commit of this workflow taken back; of the session's last without one.
    Undo(Option<String>),
}

/// A command: its name, what it does, and what follows it.
const ALL: [(&str, &str, Option<&str>); 10] = [
    (
        "feature",
        "Implement something: plan, code, tests, review, commit",
        Some("what to implement"),
    ),
    (
        "plan",
        "The same, and the plan is put to you before any code is written",
        Some("what to plan"),
    ),
    (
        "modules",
        "The same, each folder of the plan written by itself",
        Some("what to implement"),
    ),
    (
        "fix",
        "Find the cause of a problem and remove it",
        Some("what is wrong"),
    ),
    (
        "test",
        "Write tests, always, and whatever code they need",
        Some("what to test"),
    ),
    ("review", "Ask about the open proposal once more", None),
    ("resume", "Go on with what is not over in this session", None),
    (
        "undo",
        "Take back the last commit of this session, or that of the workflow whose id follows",
        None,
    ),
    (
        "search",
        "Find code by words and by meaning",
        Some("what to find"),
    ),
    ("index", "Bring the index of this folder up to date", None),
];

/// What clients are told there is.
pub(super) fn available() -> SessionUpdate {
    let command = |(name, what, input): &(&str, &str, Option<&str>)| {
        let input =
            input.map(|hint| AvailableCommandInput::Unstructured(UnstructuredCommandInput::new(hint)));
        AvailableCommand::new(*name, *what).input(input)
    };
    SessionUpdate::AvailableCommandsUpdate(AvailableCommandsUpdate::new(ALL.iter().map(command).collect()))
}

/// What `prompt` asks for. A command that needs words and has none is refused.
pub(super) fn parse(prompt: &str) -> Result<Asked, Error> {
    let Some(rest) = prompt.trim_start().strip_prefix('/') else {
        return Ok(Asked::Words);
    };
    let (name, words) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let Some((name, _, input)) = ALL.iter().find(|(known, ..)| *known == name) else {
        return Ok(Asked::Words);
    };
    let words = words.trim();
    if let Some(hint) = input
        && words.is_empty()
    {
        return Err(Error::user(
            Code::QueryEmpty,
            format!("/{name} needs to know {hint}"),
        ));
    }
    let work = |definition, query: String| Asked::Work { definition, query };
    Ok(match *name {
        "feature" => work("feature_implementation", words.to_owned()),
        "plan" => work("plan_first", words.to_owned()),
        "modules" => work("modules", words.to_owned()),
        "fix" => work(
            "feature_implementation",
            format!("Find the cause of this problem and remove it: {words}"),
        ),
        "test" => work("tests", format!("Write tests: {words}")),
        "review" => Asked::Review,
        "resume" => Asked::Resume,
        "undo" => Asked::Undo(Some(words.to_owned()).filter(|id| !id.is_empty())),
        "search" => Asked::Search(words.to_owned()),
        "index" => Asked::Index,
        _ => Asked::Words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_command_and_what_is_not() {
        let work = |definition, query: &str| {
            Some(Asked::Work {
                definition,
                query: query.to_owned(),
            })
        };
        let check =
            |prompt: &str, expect: Option<Asked>| assert_eq!(parse(prompt).ok(), expect, "{prompt:?}");
        check("add login", Some(Asked::Words));
        check("/feature add login", work("feature_implementation", "add login"));
        check(" /plan\n add\nlogin ", work("plan_first", "add\nlogin"));
        check("/test the cart", work("tests", "Write tests: the cart"));
        check(
            "/fix it hangs",
            work(
                "feature_implementation",
                "Find the cause of this problem and remove it: it hangs",
            ),
        );
        check("/search  where", Some(Asked::Search("where".to_owned())));
        check("/search", None);
        check("/feature \n", None);
        check("/index now", Some(Asked::Index));
        check("/review", Some(Asked::Review));
        check("/undo", Some(Asked::Undo(None)));
        check("/undo  w1 ", Some(Asked::Undo(Some("w1".to_owned()))));
        check("/usr/bin/env is missing", Some(Asked::Words));
        check("/featured", Some(Asked::Words));
        check("", Some(Asked::Words));
    }
}
