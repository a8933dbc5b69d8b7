//! The settings and what they amount to.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use shared::{
    config::{Prefix, Source},
    paths,
    telemetry::LogFormat,
};

use crate::{
    auth::Secret,
    error::{Error, Result},
    tls::{Tls, Trust},
};

/// The variables: keys, and those that only the command line has.
const VARIABLES: Prefix<'_> = Prefix::Own {
    prefix: "AGENTIC_IDE_VECTORDB_",
    beside: &["CONFIG", "FROM_API_KEY", "TO_API_KEY"],
};

/// The configuration file below the configuration directory.
const FILE: &str = "vectordb.yaml";

/// Folder below the data directory.
const FOLDER: &str = "vectordb";

/// Qdrant's own ports, and ours beside them.
const HTTP_PORT: u16 = 6333;
const GRPC_PORT: u16 = 6334;
const CONTROL_PORT: u16 = 6336;

/// All settings. Port 0 means any free one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address all ports listen on.
    pub host: IpAddr,
    /// Qdrant's REST API.
    pub http_port: u16,
    /// Qdrant's gRPC API.
    pub grpc_port: u16,
    /// The launcher's own gRPC service.
    pub control_port: u16,
    /// Where everything is kept; below the user's data directory if not set.
    pub data_dir: Option<PathBuf>,
    /// The qdrant program; searched on PATH and in nix profiles if not set.
    pub qdrant: Option<PathBuf>,
    /// Never look for a qdrant program.
    pub embedded: bool,
    /// REST address of a Qdrant that somebody else runs.
    pub url: Option<String>,
    /// Key that clients must send.
    pub api_key: Option<Secret>,
    /// Certificate chain of all ports, a child's too, PEM.
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Authorities to believe about `url`, PEM; the public ones if not set.
    pub tls_ca: Option<PathBuf>,
    /// File to write the ports to once they are known, as JSON.
    pub ports_file: Option<PathBuf>,
    /// Log filter.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            http_port: HTTP_PORT,
            grpc_port: GRPC_PORT,
            control_port: CONTROL_PORT,
            data_dir: None,
            qdrant: None,
            embedded: false,
            url: None,
            api_key: None,
            tls_cert: None,
            tls_key: None,
            tls_ca: None,
            ports_file: None,
            log: "info".to_owned(),
            log_format: LogFormat::default(),
        }
    }
}

/// How the API comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// The embedded engine.
    Embedded,
    /// This program as a child.
    Qdrant(PathBuf),
    /// Somebody else's Qdrant at this address.
    External(String),
}

impl Config {
    /// Reads the file, which must exist if it is named, and the variables.
    ///
    /// # Errors
    /// [`Error::Load`] with line and column, or the key.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let usual = paths::config_dir().join(FILE);
        let source = file.map_or(Source::Usual(&usual), Source::Named);
        Ok(shared::config::load(source, VARIABLES)?)
    }

    /// Where everything is kept, as an absolute path: a child has another
    /// working directory.
    pub fn data_dir(&self) -> PathBuf {
        let folder = self
            .data_dir
            .clone()
            .unwrap_or_else(|| paths::data_dir().join(FOLDER));
        std::path::absolute(&folder).unwrap_or(folder)
    }

    /// Refuses what cannot work or must not.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::BindRefused`].
    pub fn check(&self) -> Result<()> {
        let named = [self.embedded, self.url.is_some(), self.qdrant.is_some()];
        if named.iter().filter(|set| **set).count() > 1 {
            return Err(Error::Config("choose one of embedded, qdrant and url".to_owned()));
        }
        let ports = [self.http_port, self.grpc_port, self.control_port];
        let clash = |a: u16, b: u16| a != 0 && a == b;
        if clash(ports[0], ports[1]) || clash(ports[1], ports[2]) || clash(ports[0], ports[2]) {
            return Err(Error::Config(format!(
                "http_port, grpc_port and control_port must differ, they are {}, {} and {}",
                ports[0], ports[1], ports[2]
            )));
        }
        if let Some(url) = &self.url
            && !["http://", "https://"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
        {
            return Err(Error::Config(format!(
                "url must begin with http:// or https://, it is {url}"
            )));
        }
        let encrypted = self.url.as_ref().is_some_and(|url| url.starts_with("https://"));
        if self.tls_ca.is_some() && !encrypted {
            return Err(Error::Config("tls_ca is for a url with https://".to_owned()));
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(Error::Config("tls_cert and tls_key belong together".to_owned()));
        }
        let has_key = self.api_key.as_ref().is_some_and(|key| !key.reveal().is_empty());
        if !self.host.is_loopback() && !has_key {
            return Err(Error::BindRefused { host: self.host });
        }
        Ok(())
    }

    /// The certificate, if there is one.
    ///
    /// # Errors
    /// [`Error::Config`] if it cannot be used.
    pub fn tls(&self) -> Result<Option<Tls>> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Tls::load(certificate, key).map(Some),
            (None, _) | (_, None) => Ok(None),
        }
    }

    /// Whom the probe of a Qdrant believes.
    pub fn trust(&self) -> Trust {
        match (&self.url, &self.tls_ca, &self.tls_cert) {
            (Some(_), Some(authorities), _) => Trust::Authorities(authorities.clone()),
            (None, _, Some(certificate)) => Trust::Pinned(certificate.clone()),
            (Some(_), None, _) | (None, _, None) => Trust::Public,
        }
    }

    /// Decides the mode; `find` looks for a program of that name.
    ///
    /// # Errors
    /// [`Error::Qdrant`] if a program was named that is not there, or if there
    /// is none and this build has no engine of its own.
    pub fn mode(&self, find: impl FnOnce(&str) -> Option<PathBuf>) -> Result<Mode> {
        if let Some(url) = &self.url {
            return Ok(Mode::External(url.trim_end_matches('/').to_owned()));
        }
        if let Some(program) = &self.qdrant {
            let at = program.display();
            return match fs::metadata(program) {
                Ok(data) if data.is_file() && data.permissions().mode() & 0o111 != 0 => {
                    Ok(Mode::Qdrant(program.clone()))
                }
                Ok(_) => Err(Error::Qdrant(format!("{at} is no program that can be run"))),
                Err(error) => Err(Error::Qdrant(format!(
                    "there is no qdrant program at {at}: {error}"
                ))),
            };
        }
        let found = if self.embedded { None } else { find("qdrant") };
        match found {
            Some(program) => Ok(Mode::Qdrant(program)),
            None if cfg!(feature = "embedded") => Ok(Mode::Embedded),
            None => Err(Error::Qdrant(
                "there is no qdrant program on PATH and this build has no embedded engine; install Qdrant or name it \
                 with --qdrant"
                    .to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Config), expect: std::result::Result<(), &str>) {
        let mut config = Config::default();
        change(&mut config);
        match (config.check(), expect) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (result, expect) => panic!("{result:?} is not {expect:?}"),
        }
    }

    #[test]
    fn settings() {
        check(|_| {}, Ok(()));
        check(|c| c.grpc_port = HTTP_PORT, Err("must differ"));
        check(|c| (c.http_port, c.grpc_port, c.control_port) = (0, 0, 0), Ok(()));
        check(|c| c.host = IpAddr::from([0, 0, 0, 0]), Err("no API key"));
        check(
            |c| (c.host, c.api_key) = (IpAddr::from([0, 0, 0, 0]), Some(Secret::new(" "))),
            Err("no API key"),
        );
        check(
            |c| (c.host, c.api_key) = (IpAddr::from([0, 0, 0, 0]), Some(Secret::new("key"))),
            Ok(()),
        );
        check(
            |c| (c.embedded, c.url) = (true, Some("http://h".to_owned())),
            Err("choose one"),
        );
        check(|c| c.url = Some("h:6333".to_owned()), Err("begin with http"));
        check(|c| c.url = Some("https://h:6333".to_owned()), Ok(()));
        check(|c| c.tls_ca = Some("ca.pem".into()), Err("https"));
        check(
            |c| (c.url, c.tls_ca) = (Some("http://h".to_owned()), Some("ca.pem".into())),
            Err("https"),
        );
        check(
            |c| (c.url, c.tls_ca) = (Some("https://h".to_owned()), Some("ca.pem".into())),
            Ok(()),
        );
        check(|c| c.tls_cert = Some("cert.pem".into()), Err("belong together"));
        // In every mode.
        let open = IpAddr::from([0, 0, 0, 0]);
        check(|c| (c.host, c.embedded) = (open, true), Err("no API key"));
        check(
            |c| (c.host, c.qdrant) = (open, Some("/usr/bin/qdrant".into())),
            Err("no API key"),
        );
        check(
            |c| (c.host, c.url) = (open, Some("http://h".to_owned())),
            Err("no API key"),
        );
    }

    #[test]
    fn modes() {
        let found = |name: &str| Some(PathBuf::from("/usr/bin").join(name));
        let embedded = Config {
            embedded: true,
            ..Config::default()
        };
        let external = Config {
            url: Some("http://h:6333/".to_owned()),
            ..Config::default()
        };
        let missing = Config {
            qdrant: Some("/no/such/file".into()),
            ..Config::default()
        };
        assert_eq!(
            Config::default().mode(found).unwrap(),
            Mode::Qdrant("/usr/bin/qdrant".into())
        );
        assert_eq!(
            external.mode(found).unwrap(),
            Mode::External("http://h:6333".to_owned())
        );
        assert!(matches!(missing.mode(found), Err(Error::Qdrant(_))));
        if cfg!(feature = "embedded") {
            assert_eq!(embedded.mode(found).unwrap(), Mode::Embedded);
            assert_eq!(Config::default().mode(|_| None).unwrap(), Mode::Embedded);
        } else {
            assert!(matches!(Config::default().mode(|_| None), Err(Error::Qdrant(_))));
        }
    }
}
