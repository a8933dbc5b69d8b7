//! Certificates: one that is trusted, and each way of failing.

use std::{path::Path, process::Command, sync::Arc};

use models::{Error, Hosted, HostedKind, HostedOptions, Trouble};
use shared::error::{Class, Code};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use super::{answer, ask, options, whole};
use crate::responder::Responder;

/// A self-made certificate for `name`, made for this test.
fn certificate(folder: &Path, name: &str, is_authority: &str) -> bool {
    Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "1", "-subj", "/CN=test"])
        .args(["-addext", &format!("subjectAltName=DNS:{name}")])
        .args(["-addext", &format!("basicConstraints=critical,CA:{is_authority}")])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .output()
        .is_ok_and(|output| output.status.success())
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn certificates() {
    let kind = HostedKind::OpenAi;
    for (name, is_authority, is_trusted, expect) in [
        ("localhost", "FALSE", true, None),
        (
            "localhost",
            "FALSE",
            false,
            Some("an authority signed it that is not known; give that authority's certificate as `ca_file`"),
        ),
        (
            "elsewhere",
            "FALSE",
            true,
            Some("it is for another name; use the name that is in it"),
        ),
        // What `openssl req -x509` makes of itself.
        (
            "localhost",
            "TRUE",
            true,
            Some("it is an authority's own; the server needs one for itself, signed by it"),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        if !certificate(folder.path(), name, is_authority) {
            eprintln!("skipped: there is no openssl to make a certificate with");
            return;
        }
        let answers = vec![whole(kind, "a")];
        let server = Responder::start_with(answers, Some(acceptor(folder.path()))).await;
        let url = format!("https://localhost:{}/v1", server.port());
        let hosted = Hosted::new(HostedOptions {
            ca_file: is_trusted.then(|| folder.path().join("cert.pem")),
            ..options(kind, &url)
        })
        .unwrap();
        let (words, ended) = answer(&hosted, ask("x")).await;
        match expect {
            None => assert_eq!((words.as_str(), ended.is_ok()), ("a", true), "{ended:?}"),
            Some(reason) => {
                let error = ended.unwrap_err();
                let expect = Error::CertificateRefused {
                    url,
                    reason: reason.to_owned(),
                };
                assert_eq!(error, expect);
                assert_eq!(
                    (error.code(), error.class(), error.trouble()),
                    (Code::CertificateRefused, Class::User, Trouble::Unfit)
                );
                // The key was not sent to whoever that is.
                assert_eq!(server.asked(), []);
            }
        }
    }
}
