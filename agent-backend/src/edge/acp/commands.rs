//! What a prompt can begin with. Everything else, also with a slash in front, is
//! said to a workflow.

use agent_client_protocol::v1::schema::{
    AvailableCommand, AvailableCommandInput, AvailableCommandsUpdate, SessionUpdate, UnstructuredCommandInput,
};
use shared::{command, error::Code};

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

/// A command that begins no workflow: its name, what it does, and what follows it.
const OF_SESSIONS: [(&str, &str, Option<&str>); 5] = [
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
    let command = |name: &str, about: &str, hint: Option<&str>| {
        let input = hint.map(|hint| AvailableCommandInput::Unstructured(UnstructuredCommandInput::new(hint)));
        AvailableCommand::new(name, about).input(input)
    };
    let works = command::ALL.iter();
    let works = works.map(|work| command(work.name, work.about, Some(work.hint)));
    let others = OF_SESSIONS
        .iter()
        .map(|(name, about, hint)| command(name, about, *hint));
    SessionUpdate::AvailableCommandsUpdate(AvailableCommandsUpdate::new(works.chain(others).collect()))
}

/// What `prompt` asks for. A command that needs words and has none is refused.
pub(super) fn parse(prompt: &str) -> Result<Asked, Error> {
    let lacking =
        |name: &str, hint: &str| Error::user(Code::QueryEmpty, format!("/{name} needs to know {hint}"));
    match command::parse(prompt) {
        command::Asked::Work { definition, query } => return Ok(Asked::Work { definition, query }),
        command::Asked::Incomplete(command) => return Err(lacking(command.name, command.hint)),
        command::Asked::Words => {}
    }
    let Some((name, words)) = command::split(prompt) else {
        return Ok(Asked::Words);
    };
    let Some((_, _, hint)) = OF_SESSIONS.iter().find(|(known, ..)| *known == name) else {
        return Ok(Asked::Words);
    };
    if let Some(hint) = hint
        && words.is_empty()
    {
        return Err(lacking(name, hint));
    }
    Ok(match name {
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
