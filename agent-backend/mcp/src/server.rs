//! A server as it is defined: where it is, whom it is for, what of it may be
//! used. Knows no connection.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::limits::CALL_TIMEOUT;

/// The definition of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, unique in a toolbox, the beginning of its tools' names.
    pub name: String,
    /// How it is reached.
    pub transport: Transport,
    /// Who has named it.
    pub source: Source,
    /// The languages or frameworks that it is for, for example `python`; empty
    /// for all.
    pub languages: Vec<String>,
    /// Tools that are offered although they are not said to be read-only; `*`
    /// stands for all.
    pub allow: Vec<String>,
    /// How long one call may take.
    pub timeout: Duration,
}

impl Server {
    /// A server for all languages, of which read-only tools are offered.
    pub fn new(name: impl Into<String>, transport: Transport, source: Source) -> Self {
        Self {
            name: name.into(),
            transport,
            source,
            languages: Vec::new(),
            allow: Vec::new(),
            timeout: CALL_TIMEOUT,
        }
    }

    /// One that comes with us.
    pub fn built_in(built_in: BuiltIn) -> Self {
        Self::new(built_in.name(), Transport::BuiltIn(built_in), Source::BuiltIn)
    }

    /// Whether it is for one of these languages. Without any nothing is known,
    /// and nothing ruled out.
    pub fn is_for(&self, languages: &[&str]) -> bool {
        let named = |own: &String| {
            languages
                .iter()
                .any(|language| own.eq_ignore_ascii_case(language))
        };
        self.languages.is_empty() || languages.is_empty() || self.languages.iter().any(named)
    }

    /// Whether a tool is offered although it is not said to be read-only.
    pub(crate) fn allows(&self, tool: &str) -> bool {
        self.allow.iter().any(|allowed| allowed == "*" || allowed == tool)
    }
}

/// How a server is reached.
#[derive(Clone, PartialEq, Eq)]
pub enum Transport {
    /// It is part of this program.
    BuiltIn(BuiltIn),
    /// A program that speaks on standard input and output.
    Stdio {
        /// The program, a path or a name on `PATH`.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Variables on top of the few that every server sees.
        env: BTreeMap<String, String>,
    },
    /// Streamable HTTP.
    Http {
        /// Its address.
        url: String,
        /// Headers of every request.
        headers: BTreeMap<String, String>,
    },
}

/// The values of variables and headers may be secrets.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(built_in) => f.debug_tuple("BuiltIn").field(built_in).finish(),
            Self::Stdio { command, args, env } => f
                .debug_struct("Stdio")
                .field("command", command)
                .field("args", args)
                .field("env", &env.keys().collect::<Vec<_>>())
                .finish(),
            Self::Http { url, headers } => f
                .debug_struct("Http")
                .field("url", &shown(url))
                .field("headers", &headers.keys().collect::<Vec<_>>())
                .finish(),
        }
    }
}

/// What is started or called, for a person: no variables, no headers, no
/// password or query of an address.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(built_in) => write!(f, "built in ({})", built_in.name()),
            Self::Stdio {
                command,
                args,
                env: _,
            } => {
                write!(f, "{command}")?;
                args.iter().try_for_each(|argument| write!(f, " {argument}"))
            }
            Self::Http { url, headers: _ } => f.write_str(&shown(url)),
        }
    }
}

/// An address without what may be a secret in it.
pub(crate) fn shown(url: &str) -> String {
    let (address, rest) = match url.find(['?', '#']) {
        Some(at) => (&url[..at], "?…"),
        None => (url, ""),
    };
    let without = match address.split_once("://") {
        Some((scheme, address)) => {
            let end = address.find('/').unwrap_or(address.len());
            let host = address[..end].rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{}", &address[end..])
        }
        None => address.to_owned(),
    };
    format!("{without}{rest}")
}

/// A server that comes with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuiltIn {
    /// Reads the repository's history.
    Git,
    /// Formats a text.
    Format,
    /// Asks language servers.
    Language,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Git, Self::Format, Self::Language];

    /// Its name as a server.
    pub fn name(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Format => "format",
            Self::Language => "language",
        }
    }
}

/// Who has named a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// It comes with us.
    BuiltIn,
    /// The person's configuration.
    Configuration,
    /// The client of a session, an editor.
    Client,
    /// The repository; the person trusts this definition.
    Repository,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let secret = || BTreeMap::from([("KEY".to_owned(), "hunter2".to_owned())]);
        let all = [
            Transport::Stdio {
                command: "npx".to_owned(),
                args: vec!["server".to_owned()],
                env: secret(),
            },
            Transport::Http {
                url: "https://me:hunter2@example.org/mcp?key=hunter2#hunter2".to_owned(),
                headers: secret(),
            },
        ];
        let text: String = all.iter().map(|one| format!("{one} {one:?} ")).collect();
        assert_eq!(
            text,
            "npx server Stdio { command: \"npx\", args: [\"server\"], env: [\"KEY\"] } \
             https://example.org/mcp?… Http { url: \"https://example.org/mcp?…\", headers: [\"KEY\"] } "
        );
    }

    #[test]
    fn a_server_is_for_its_languages() {
        #[track_caller]
        fn check(own: &[&str], asked: &[&str], expect: bool) {
            let mut server = Server::built_in(BuiltIn::Git);
            server.languages = own.iter().map(|own| (*own).to_owned()).collect();
            assert_eq!(server.is_for(asked), expect, "{own:?} {asked:?}");
        }
        check(&[], &["rust"], true);
        check(&["Python", "django"], &["rust", "python"], true);
        check(&["python"], &["rust"], false);
        check(&["python"], &[], true);
    }
}
