//! A backend behind a certificate, that wants a token.

use std::{path::Path, sync::Arc};

use futures::StreamExt;
use gui_client::{
    Error,
    connection::{Connection, Followed, Server},
};
use scratch_certificate::Owner;
use shared::{
    error::{Class, Code},
    id::{Seq, WorkflowId},
};
use tokio_rustls::TlsAcceptor;

use crate::live::{all_events, live, server};

const TOKEN: &str = "s3cret";
const SHOWN: &str = "Bearer s3cret";

/// Decrypts for the server on `port`; the port that it does so on.
async fn proxy(folder: &Path, port: u16) -> u16 {
    let mut config = scratch_certificate::server(folder).unwrap();
    // As a proxy does that takes HTTP/2 and HTTP/1.1 on one port.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust it goes away.
                if let Ok(mut inner) = acceptor.accept(stream).await {
                    let mut outer = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let _ended = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
                }
            });
        }
    });
    own
}

#[tokio::test]
async fn everything_goes_over_tls_with_the_token() {
    let folder = tempfile::tempdir().unwrap();
    if !scratch_certificate::make(folder.path(), "localhost", Owner::Server) {
        eprintln!("skipped: there is no openssl to make a certificate with");
        return;
    }
    let (plain, asked) = server(Some(SHOWN)).await;
    let port = proxy(folder.path(), plain).await;
    let address = format!("https://localhost:{port}");
    let file = folder.path().join("cert.pem");
    let trusted = live(&address, Some(TOKEN), Some(&file)).unwrap();
    // gRPC, REST, WebSocket.
    let up = trusted.watch().next().await;
    assert!(matches!(up, Some(Server::Up(_))), "{up:?}");
    let newest = trusted.newest_unfinished().await.unwrap().unwrap();
    assert_eq!(newest.workflow_id, WorkflowId::new("w2"));
    let followed: Vec<Followed> = trusted.follow(&WorkflowId::new("w1"), Seq(0)).collect().await;
    let events = followed.into_iter().filter_map(|followed| match followed {
        Followed::Events(events) => Some(events),
        Followed::Connected | Followed::Interrupted { .. } | Followed::Lost(_) => None,
    });
    assert_eq!(
        events.flatten().map(|event| event.envelope).collect::<Vec<_>>(),
        all_events()
    );
    assert_eq!(trusted.name(), format!("localhost:{port}"));
    let before = asked.all().len();

    // Without the token nothing is answered, and that is said.
    let unknown = live(&address, Some("other"), Some(&file)).unwrap();
    let Some(Server::Down(error)) = unknown.watch().next().await else {
        panic!("it was let in")
    };
    assert_eq!(
        (error.class(), error.code()),
        (Class::User, Code::Unauthenticated)
    );
    let error = unknown.newest_unfinished().await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (Class::User, Code::Unauthenticated)
    );
    let lost = unknown.follow(&WorkflowId::new("w1"), Seq(0)).next().await;
    assert!(
        matches!(lost, Some(Followed::Lost(Error::Refused { .. }))),
        "{lost:?}"
    );

    // A certificate that is not trusted: nothing is sent, and the reason is named.
    let stranger = live(&address, Some(TOKEN), None).unwrap();
    let error = stranger.newest_unfinished().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("give that authority's certificate as `ca_file`"),
        "{error}"
    );
    let Some(Server::Down(error)) = stranger.watch().next().await else {
        panic!("it was trusted")
    };
    assert!(error.to_string().contains("as `ca_file`"), "{error}");
    let Some(Followed::Interrupted { error, .. }) =
        stranger.follow(&WorkflowId::new("w1"), Seq(0)).next().await
    else {
        panic!("it was trusted")
    };
    assert!(error.to_string().contains("as `ca_file`"), "{error}");
    assert_eq!(asked.all().len(), before);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    if !scratch_certificate::make(folder.path(), "elsewhere", Owner::Server) {
        eprintln!("skipped: there is no openssl to make a certificate with");
        return;
    }
    let (plain, asked) = server(None).await;
    let port = proxy(folder.path(), plain).await;
    let file = folder.path().join("cert.pem");
    let other = live(&format!("https://localhost:{port}"), Some(TOKEN), Some(&file)).unwrap();
    let error = other.newest_unfinished().await.unwrap_err();
    assert!(error.to_string().contains("it is for another name"), "{error}");
    assert_eq!(asked.all(), []);
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let missing = folder.path().join("missing.pem");
    let check = |address: &str, token: Option<&str>, ca_file: Option<&Path>, expect: &str| {
        let error = live(address, token, ca_file).unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
        assert_eq!(error.code(), Code::ClientConfigInvalid);
    };
    check("https://b", None, Some(&empty), "it holds no certificate");
    check("https://b", None, Some(&missing), "missing.pem");
    check("http://b", None, Some(&empty), "is for a backend at https://");
    check("https://b", Some("a\nb"), None, "`token` has characters");
}
