//! The agents of `gui_config.yaml`: programs on this machine, and addresses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Token;
use crate::Error;

/// Most agents of a configuration.
const AGENTS_MAX: usize = 50;
/// Longest name of one, in characters.
const NAME_CHARS_MAX: usize = 60;

/// An agent as it is written down: a program, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// A program on this machine that speaks the protocol on its standard input
    /// and output.
    pub command: Option<String>,
    /// What it is started with.
    pub args: Vec<String>,
    /// Variables of it, beside the window's own.
    pub env: BTreeMap<String, String>,
    /// `ws://host:port/path`, or `wss://` where it is encrypted.
    pub url: Option<String>,
    /// Sent to the address as `Authorization: Bearer`.
    pub token: Option<Token>,
}

/// An agent as it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentAt {
    /// A program on this machine.
    Program {
        /// What is started.
        command: String,
        /// With what.
        args: Vec<String>,
        /// Variables of it.
        env: BTreeMap<String, String>,
    },
    /// An address.
    Url {
        /// `ws://host:port/path`.
        url: String,
        /// What opens it.
        token: Option<Token>,
    },
}

impl Agent {
    /// What was written down for the agent `name`, checked.
    ///
    /// # Errors
    /// Neither a program nor an address, or both, or an address that cannot be one.
    pub fn at(&self, name: &str) -> Result<AgentAt, Error> {
        let refuse = |why: &str| Err(Error::Config(format!("agents: `{name}`: {why}")));
        if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
            return refuse("a name has 1 to 60 characters");
        }
        match (&self.command, &self.url) {
            (Some(command), None) if command.trim().is_empty() => refuse("`command` is empty"),
            (Some(_), None) if self.token.is_some() => refuse("`token` belongs to a `url`"),
            (Some(command), None) => Ok(AgentAt::Program {
                command: command.clone(),
                args: self.args.clone(),
                env: self.env.clone(),
            }),
            (None, Some(_)) if !self.args.is_empty() || !self.env.is_empty() => {
                refuse("`args` and `env` belong to a `command`")
            }
            (None, Some(url)) => match check_url(url) {
                Ok(()) => Ok(AgentAt::Url {
                    url: url.clone(),
                    token: self.token.clone(),
                }),
                Err(why) => refuse(why),
            },
            (Some(_), Some(_)) => refuse("it has both `command` and `url`; keep one"),
            (None, None) => refuse("it needs a `command` or a `url`"),
        }
    }
}

/// Refuses what no part of the window could use.
///
/// # Errors
/// The first agent that cannot be reached as it is written down.
pub fn check(agents: &BTreeMap<String, Agent>) -> Result<(), Error> {
    if agents.len() > AGENTS_MAX {
        return Err(Error::Config(format!(
            "agents: there may be {AGENTS_MAX} at most"
        )));
    }
    agents
        .iter()
        .try_for_each(|(name, agent)| agent.at(name).map(drop))
}

fn check_url(text: &str) -> Result<(), &'static str> {
    let Ok(url) = reqwest::Url::parse(text) else {
        return Err("write its `url` as ws://host:port/path");
    };
    if !matches!(url.scheme(), "ws" | "wss") || !url.has_host() {
        return Err("write its `url` as ws://host:port/path");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its `url` must not carry a user name or password; use `token`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, agent: &Agent, expect: Result<AgentAt, &str>) {
        match (agent.at(name), expect) {
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, expect) => assert_eq!(got.ok(), expect.ok(), "{name}"),
        }
    }

    fn program(command: &str) -> Agent {
        Agent {
            command: Some(command.to_owned()),
            args: vec!["--acp".to_owned()],
            ..Agent::default()
        }
    }

    fn remote(url: &str) -> Agent {
        Agent {
            url: Some(url.to_owned()),
            token: Some(Token::from("secret")),
            ..Agent::default()
        }
    }

    #[test]
    fn programs_and_addresses() {
        let expect = AgentAt::Program {
            command: "gemini".to_owned(),
            args: vec!["--acp".to_owned()],
            env: BTreeMap::new(),
        };
        check("a", &program("gemini"), Ok(expect));
        let expect = AgentAt::Url {
            url: "ws://10.0.0.5:8000/acp".to_owned(),
            token: Some(Token::from("secret")),
        };
        check("a", &remote("ws://10.0.0.5:8000/acp"), Ok(expect));
        check("a", &Agent::default(), Err("needs a `command` or a `url`"));
        check("", &program("gemini"), Err("1 to 60 characters"));
        check("a", &program(" "), Err("`command` is empty"));
        let both = Agent {
            url: Some("ws://h".to_owned()),
            ..program("gemini")
        };
        check("a", &both, Err("keep one"));
        let token = Agent {
            token: Some(Token::from("t")),
            ..program("gemini")
        };
        check("a", &token, Err("`token` belongs to a `url`"));
        let args = Agent {
            args: vec!["x".to_owned()],
            ..remote("ws://h")
        };
        check("a", &args, Err("belong to a `command`"));
        check("a", &remote("http://h"), Err("ws://host:port/path"));
        check("a", &remote("h"), Err("ws://host:port/path"));
        check("a", &remote("ws://me:x@h"), Err("use `token`"));
    }

    #[test]
    fn no_debug_shows_a_token() {
        assert!(!format!("{:?}", remote("ws://h")).contains("secret"));
    }
}
