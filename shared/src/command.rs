//! Commands that a request may begin with, as `/plan add login`: which workflow
//! is wanted, in one table for every client.

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Its name, without the slash.
    pub name: &'static str,
    /// What it does, for a person.
    pub about: &'static str,
    /// What follows it.
    pub hint: &'static str,
    definition: &'static str,
    preface: &'static str,
}

/// Every command, in the order in which they are offered.
pub const ALL: [Command; 5] = [
    Command {
        name: "feature",
        about: "Implement something: plan, code, tests, review, commit",
        hint: "what to implement",
        definition: "feature_implementation",
        preface: "",
    },
    Command {
        name: "plan",
        about: "The same, and the plan is put to you before any code is written",
        hint: "what to plan",
        definition: "plan_first",
        preface: "",
    },
    Command {
        name: "modules",
        about: "The same, each folder of the plan written by itself",
        hint: "what to implement",
        definition: "modules",
        preface: "",
    },
    Command {
        name: "fix",
        about: "Find the cause of a problem and remove it",
        hint: "what is wrong",
        definition: "feature_implementation",
        preface: "Find the cause of this problem and remove it: ",
    },
    Command {
        name: "test",
        about: "Write tests, always, and whatever code they need",
        hint: "what to test",
        definition: "tests",
        preface: "Write tests: ",
    },
];

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It begins with no command of these.
    Words,
    /// A workflow.
    Work {
        /// Name of its definition.
        definition: &'static str,
        /// What it is to do.
        query: String,
    },
    /// The command lacks what it is about.
    Incomplete(Command),
}

/// Reads a request.
pub fn parse(request: &str) -> Asked {
    let Some((name, words)) = split(request) else {
        return Asked::Words;
    };
    let Some(command) = ALL.into_iter().find(|command| command.name == name) else {
        return Asked::Words;
    };
    if words.is_empty() {
        return Asked::Incomplete(command);
    }
    Asked::Work {
        definition: command.definition,
        query: format!("{}{words}", command.preface),
    }
}

/// The name of the command that a text begins with, known or not, and what
/// follows it.
pub fn split(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim_start().strip_prefix('/')?;
    let (name, words) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    Some((name, words.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let check = |request: &str, expect: Asked| assert_eq!(parse(request), expect, "{request:?}");
        let work = |definition, query: &str| Asked::Work {
            definition,
            query: query.to_owned(),
        };
        check("", Asked::Words);
        check("add login", Asked::Words);
        check("/usr/bin/env is missing", Asked::Words);
        check("/featured", Asked::Words);
        check("/feature add login", work("feature_implementation", "add login"));
        check(" /plan\n add\nlogin ", work("plan_first", "add\nlogin"));
        check("/modules split it", work("modules", "split it"));
        check("/test the cart", work("tests", "Write tests: the cart"));
        let fix = "Find the cause of this problem and remove it: it hangs";
        check("/fix it hangs", work("feature_implementation", fix));
        check("/feature \n", Asked::Incomplete(ALL[0]));
    }
}
