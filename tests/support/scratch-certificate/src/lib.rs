//! A certificate of a test's own, made by the `openssl` program, and a server's side
//! of TLS with it.
//!
//! It must never know what goes through.

use std::{path::Path, process::Command, sync::Arc};

use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// Whose a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A server's.
    Server,
    /// An authority's, which no server may show as its own.
    Authority,
}

/// Makes `cert.pem`, self-signed, for a host, and its `key.pem`; whether there is a
/// program to do so.
pub fn make(folder: &Path, host: &str, owner: Owner) -> bool {
    let is_authority = match owner {
        Owner::Server => "FALSE",
        Owner::Authority => "TRUE",
    };
    Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-nodes", "-days", "1", "-subj", "/CN=test"])
        .args(["-addext", &format!("subjectAltName=DNS:{host}")])
        .args(["-addext", &format!("basicConstraints=critical,CA:{is_authority}")])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .output()
        .is_ok_and(|output| output.status.success())
}

/// What a server does with the certificate of this folder.
///
/// # Errors
/// If [`make`] has not made it.
pub fn server(folder: &Path) -> anyhow::Result<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem"))?;
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(config)
}
