//! Certificates: one that is trusted, and each way of failing.

use std::sync::Arc;

use models::{Error, Hosted, HostedKind, HostedOptions, Trouble};
use scratch_certificate::Owner;
use shared::error::{Class, Code};
use tokio_rustls::TlsAcceptor;

use super::{answer, ask, options, whole};
use crate::responder::Responder;

#[tokio::test]
async fn certificates() {
    let kind = HostedKind::OpenAi;
    for (name, owner, is_trusted, expect) in [
        ("localhost", Owner::Server, true, None),
        (
            "localhost",
            Owner::Server,
            false,
            Some("an authority signed it that is not known; give that authority's certificate as `ca_file`"),
        ),
        (
            "elsewhere",
            Owner::Server,
            true,
            Some("it is for another name; use the name that is in it"),
        ),
        // What `openssl req -x509` makes of itself.
        (
            "localhost",
            Owner::Authority,
            true,
            Some("it is an authority's own; the server needs one for itself, signed by it"),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        if !scratch_certificate::make(folder.path(), name, owner) {
            eprintln!("skipped: there is no openssl to make a certificate with");
            return;
        }
        let answers = vec![whole(kind, "a")];
        let config = scratch_certificate::server(folder.path()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = Responder::start_with(answers, Some(acceptor)).await;
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
