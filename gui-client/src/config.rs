//! `gui_config.yaml`, the `AGENTIC_IDE_GUI_…` variables, and the address of
//! the backend in a checked form.

mod agents;
pub mod edit;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use shared::config::{Prefix, Source};

use crate::{Error, connection::dial::Dialer};

pub use agents::{Agent, AgentAt};

/// Name of the file in the configuration folder.
pub const FILE: &str = "gui_config.yaml";
/// `AGENTIC_IDE_GUI_BACKEND` sets `backend`.
const VARIABLES: Prefix<'_> = Prefix::Own {
    prefix: "AGENTIC_IDE_GUI_",
    beside: &[],
};
/// Smallest and largest text size, in logical pixels.
pub const FONT_SIZE: std::ops::RangeInclusive<u16> = 10..=24;

/// Settings of the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of the backend.
    pub backend: String,
    /// What the backend wants to be shown, where it has a token.
    pub token: Option<Token>,
    /// A file of certificates (PEM) to trust beside this machine's.
    pub ca_file: Option<PathBuf>,
    /// Workspace on the backend's machine; the backend's own one when left out.
    pub workspace: Option<String>,
    /// Workflow that a request starts.
    pub workflow_type: String,
    /// Colours.
    pub theme: ThemeChoice,
    /// Size of text, in logical pixels.
    pub font_size: u16,
    /// Whether the desktop tells a person who looks elsewhere that they are asked.
    pub notifications: bool,
    /// Other agents that can be talked with, by the name they are shown under.
    pub agents: BTreeMap<String, Agent>,
}

/// Which colours the window has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// Light text on dark.
    #[default]
    Dark,
    /// Dark text on light.
    Light,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backend: "http://127.0.0.1:8000".to_owned(),
            token: None,
            ca_file: None,
            workspace: None,
            workflow_type: "feature_implementation".to_owned(),
            theme: ThemeChoice::Dark,
            font_size: 14,
            notifications: true,
            agents: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Reads `named`, or the usual file where none is named, then variables.
    pub fn load(named: Option<&Path>) -> Result<Self, Error> {
        let usual = Self::file(None);
        let source = named.map_or(Source::Usual(&usual), Source::Named);
        let config: Self =
            shared::config::load(source, VARIABLES).map_err(|error| Error::Config(error.to_string()))?;
        config.checked()
    }

    /// The file that is read: `named`, or the usual one.
    pub fn file(named: Option<&Path>) -> PathBuf {
        named.map_or_else(|| shared::paths::config_dir().join(FILE), Path::to_owned)
    }

    /// How the backend is reached.
    pub fn dialer(&self) -> Result<Dialer, Error> {
        let address = Address::parse(&self.backend)?;
        Dialer::new(address, self.token.as_ref(), self.ca_file.as_deref())
    }

    /// Refuses values that no part of the window could use.
    pub fn checked(self) -> Result<Self, Error> {
        Address::parse(&self.backend)?;
        if !FONT_SIZE.contains(&self.font_size) {
            let (least, most) = (FONT_SIZE.start(), FONT_SIZE.end());
            return Err(Error::Config(format!(
                "font_size must be {least} to {most}, not {}",
                self.font_size
            )));
        }
        agents::check(&self.agents)?;
        Ok(self)
    }
}

/// A secret that shows who asks. No log and no debug output shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The token itself, to be sent.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Address of a backend: `http://host:port` or `https://host:port`, without a
/// path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(reqwest::Url);

impl Address {
    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| Err(Error::Config(format!("`{text}` is no backend address: {why}")));
        let form = "write it as http://host:port or https://host:port";
        let Ok(url) = reqwest::Url::parse(text) else {
            return refuse(form);
        };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return refuse(form);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it must not carry a user name or password");
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return refuse("it must end after the port");
        }
        Ok(Self(url))
    }

    fn text(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Whether it is reached over TLS.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether it is this machine.
    pub fn is_here(&self) -> bool {
        let (host, _) = self.place();
        let is_loopback = |address: std::net::IpAddr| address.is_loopback();
        host == "localhost" || host.parse().is_ok_and(is_loopback)
    }

    /// Name or number of the host, and the port.
    pub fn place(&self) -> (String, u16) {
        let host = self.0.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (
            host.to_owned(),
            self.0.port_or_known_default().unwrap_or_default(),
        )
    }

    /// `http://host:port` with `path` behind it.
    pub fn http(&self, path: &str) -> String {
        format!("{}{path}", self.text())
    }

    /// The same with a path of these parts, whatever they contain.
    pub fn below(&self, parts: &[&str]) -> String {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(parts);
        }
        url.to_string()
    }

    /// `ws://host:port`, or `wss://` where it is encrypted, with `path` behind it.
    pub fn ws(&self, path: &str) -> String {
        let text = self.text();
        format!("ws{}{path}", text.strip_prefix("http").unwrap_or(text))
    }

    /// `host:port`, for the footer.
    pub fn host(&self) -> &str {
        let text = self.text();
        text.split_once("://").map_or(text, |(_, host)| host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_address(text: &str, expect: Result<&str, &str>) {
        match (Address::parse(text), expect) {
            (Ok(address), Ok(expect)) => assert_eq!(address.ws("/x"), expect),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, expect) => panic!("{text}: {got:?} is not {expect:?}"),
        }
    }

    #[test]
    fn addresses() {
        check_address("http://127.0.0.1:8000", Ok("ws://127.0.0.1:8000/x"));
        check_address("http://[::1]:8000/", Ok("ws://[::1]:8000/x"));
        check_address("https://host", Ok("wss://host/x"));
        check_address("https://host:8443", Ok("wss://host:8443/x"));
        check_address("ftp://host", Err("https://host:port"));
        check_address("host:8000", Err("http://host:port"));
        check_address("http://host/api", Err("after the port"));
        check_address("http://me:secret@host", Err("user name"));
        check_address("", Err("http://host:port"));
    }

    #[test]
    fn places() {
        let check = |text: &str, expect: (&str, u16), is_here: bool| {
            let address = Address::parse(text).unwrap();
            let (host, port) = address.place();
            assert_eq!(
                (host.as_str(), port, address.is_here()),
                (expect.0, expect.1, is_here)
            );
        };
        check("https://host", ("host", 443), false);
        check("http://[::1]:8000", ("::1", 8000), true);
        check("http://127.0.0.1", ("127.0.0.1", 80), true);
        check("http://localhost:1", ("localhost", 1), true);
    }

    #[test]
    fn a_token_is_not_shown() {
        let config = Config {
            token: Some(Token::from("s3cret")),
            ..Config::default()
        };
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn parts_of_a_path_are_escaped() {
        let address = Address::parse("http://host:8000").unwrap();
        let path = address.below(&["checks", "a/b c?", "log"]);
        assert_eq!(path, "http://host:8000/checks/a%2Fb%20c%3F/log");
    }

    fn check_file(text: &str, expect: Result<Config, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, text).unwrap();
        match (Config::load(Some(&path)), expect) {
            (Ok(config), Ok(expect)) => assert_eq!(config, expect),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, expect) => panic!("{got:?} is not {expect:?}"),
        }
    }

    #[test]
    fn files() {
        check_file("", Ok(Config::default()));
        check_file(
            "backend: http://10.0.0.5:8000\ntheme: light\n",
            Ok(Config {
                backend: "http://10.0.0.5:8000".to_owned(),
                theme: ThemeChoice::Light,
                ..Config::default()
            }),
        );
        let agents = "agents:\n  Gemini:\n    command: gemini\n    args: [--acp]\n    env: { A: b }\n  Far:\n    url: ws://h/acp\n";
        let gemini = Agent {
            command: Some("gemini".to_owned()),
            args: vec!["--acp".to_owned()],
            env: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            ..Agent::default()
        };
        let far = Agent {
            url: Some("ws://h/acp".to_owned()),
            ..Agent::default()
        };
        check_file(
            agents,
            Ok(Config {
                agents: BTreeMap::from([("Gemini".to_owned(), gemini), ("Far".to_owned(), far)]),
                ..Config::default()
            }),
        );
        check_file("agents:\n  Far: {}\n", Err("needs a `command` or a `url`"));
        check_file("agents:\n  Far: { adress: x }\n", Err("adress"));
        check_file("backnd: x\n", Err("backnd"));
        check_file("font_size: 3\n", Err("font_size must be 10 to 24"));
        check_file("backend: [\n", Err("not valid YAML"));
        check_file("backend: [\n", Err("line 1 column 10"));
        check_file("theme: dark\nfont_size: large\n", Err("line 2 column 12"));
    }
}
