//! `gui_config.yaml`, the `AGENTIC_IDE_GUI_…` variables, and the address of
//! the backend in a checked form.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::config::{Prefix, Source};

use crate::Error;

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
    /// Workspace on the backend's machine; the backend's own one when left out.
    pub workspace: Option<String>,
    /// Workflow that a request starts.
    pub workflow_type: String,
    /// Colours.
    pub theme: ThemeChoice,
    /// Size of text, in logical pixels.
    pub font_size: u16,
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
            workspace: None,
            workflow_type: "feature_implementation".to_owned(),
            theme: ThemeChoice::Dark,
            font_size: 14,
        }
    }
}

impl Config {
    /// Reads `named`, or the usual file where none is named, then variables.
    pub fn load(named: Option<&Path>) -> Result<Self, Error> {
        let usual: PathBuf = shared::paths::config_dir().join(FILE);
        let source = named.map_or(Source::Usual(&usual), Source::Named);
        let config: Self =
            shared::config::load(source, VARIABLES).map_err(|error| Error::Config(error.to_string()))?;
        config.checked()
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
        Ok(self)
    }
}

/// Address of a backend: `http://host:port`, without a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| Err(Error::Config(format!("`{text}` is no backend address: {why}")));
        let Ok(url) = reqwest::Url::parse(text) else {
            return refuse("write it as http://host:port");
        };
        if url.scheme() == "https" {
            return refuse("TLS is not supported yet; use http:// and a tunnel");
        }
        if url.scheme() != "http" || !url.has_host() {
            return refuse("write it as http://host:port");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it must not carry a user name or password");
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return refuse("it must end after the port");
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// `http://host:port` with `path` behind it.
    pub fn http(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// `ws://host:port` with `path` behind it.
    pub fn ws(&self, path: &str) -> String {
        format!("ws{}{path}", self.0.strip_prefix("http").unwrap_or(&self.0))
    }

    /// `host:port`, for the footer.
    pub fn host(&self) -> &str {
        self.0.strip_prefix("http://").unwrap_or(&self.0)
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
        check_address("https://host", Err("TLS"));
        check_address("host:8000", Err("http://host:port"));
        check_address("http://host/api", Err("after the port"));
        check_address("http://me:secret@host", Err("user name"));
        check_address("", Err("http://host:port"));
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
        check_file("backnd: x\n", Err("backnd"));
        check_file("font_size: 3\n", Err("font_size must be 10 to 24"));
        check_file("backend: [\n", Err("not valid YAML"));
    }
}
