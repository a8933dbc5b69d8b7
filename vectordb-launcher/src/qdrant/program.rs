//! The qdrant program and its configuration.

use std::{
    env,
    ffi::OsStr,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde_json::json;
use shared::{files, programs};

use crate::auth::Secret;

/// The configuration inside the child's folder. YAML contains JSON, and JSON
/// needs no quoting rules of ours.
pub const CONFIG_FILE: &str = "config.yaml";

/// The folder of snapshots inside the child's folder.
pub const SNAPSHOTS_FOLDER: &str = "snapshots";

/// Where nix puts programs, for whoever was not started from a shell of it:
/// the profiles of the person, the system and the machine.
const NIX_PROFILES: &[&str] = &["/run/current-system/sw", "/nix/var/nix/profiles/default"];

/// The first executable file called `name` on PATH, or else in a profile of nix.
pub fn find(name: &str) -> Option<PathBuf> {
    let own = env::home_dir().map(|home| home.join(".nix-profile"));
    let profiles = own.into_iter().chain(NIX_PROFILES.iter().map(PathBuf::from));
    let folders = profiles.map(|profile| profile.join("bin"));
    let nix = env::join_paths(folders).unwrap_or_default();
    let path = env::var_os("PATH").unwrap_or_default();
    let first = |path: &OsStr| programs::on_path(path, OsStr::new(name)).next();
    first(&path).or_else(|| first(&nix))
}

/// What the launcher decides for its child; the rest is Qdrant's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Address to listen on.
    pub host: IpAddr,
    /// REST port.
    pub http_port: u16,
    /// gRPC port.
    pub grpc_port: u16,
    /// Key that clients must send.
    pub api_key: Option<Secret>,
    /// Files of the certificate chain and its key, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl Settings {
    fn text(&self, folder: &Path) -> String {
        let mut service = json!({
            "host": self.host.to_string(),
            "http_port": self.http_port,
            "grpc_port": self.grpc_port,
            "enable_cors": false,
        });
        if let Some(key) = &self.api_key {
            service["api_key"] = json!(key.reveal());
        }
        if self.tls.is_some() {
            service["enable_tls"] = json!(true);
        }
        let mut config = json!({
            "log_level": "INFO",
            "telemetry_disabled": true,
            "storage": {
                "storage_path": folder.join("storage"),
                "snapshots_path": folder.join(SNAPSHOTS_FOLDER),
            },
            "service": service,
        });
        if let Some((certificate, key)) = &self.tls {
            // The child has another working directory.
            let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            config["tls"] = json!({"cert": absolute(certificate), "key": absolute(key)});
        }
        format!("{config:#}\n")
    }

    /// Writes the configuration, readable by its owner alone: it may hold the key.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        files::write_atomically(&folder.join(CONFIG_FILE), self.text(folder).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn the_configuration_is_what_qdrant_reads() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            host: IpAddr::from([127, 0, 0, 1]),
            http_port: 6333,
            grpc_port: 6334,
            api_key: Some(Secret::new("a\"b: c")),
            tls: Some(("/tls/cert.pem".into(), "/tls/key.pem".into())),
        };
        settings.write(folder.path()).unwrap();
        let file = folder.path().join(CONFIG_FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let read: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(
            read,
            json!({
                "log_level": "INFO",
                "telemetry_disabled": true,
                "storage": {
                    "storage_path": folder.path().join("storage"),
                    "snapshots_path": folder.path().join("snapshots"),
                },
                "service": {
                    "host": "127.0.0.1", "http_port": 6333, "grpc_port": 6334, "enable_cors": false,
                    "api_key": "a\"b: c", "enable_tls": true,
                },
                "tls": {"cert": "/tls/cert.pem", "key": "/tls/key.pem"},
            })
        );
    }
}
