//! The ports behind a certificate.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::sys::signal::Signal;
use proto::v1::{
    EndpointsRequest, Mode, StatusRequest, StatusResponse, vector_db_service_client::VectorDbServiceClient,
};
use qdrant_client::qdrant::{ListCollectionsRequest, collections_client::CollectionsClient};
use scratch_certificate::Owner;
use shared::processes::lives;
use tempfile::tempdir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use tonic::transport::{Channel, Endpoint, Uri};

use crate::{
    supervised::{gone, script},
    support::{Launcher, PROGRAM, Start},
};

async fn connect(port: u16, certificate: &Path, protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn channel(port: u16, certificate: &Path) -> Channel {
    let certificate = certificate.to_owned();
    let connector = tower::service_fn(move |_: Uri| {
        let certificate = certificate.clone();
        async move {
            let stream = connect(port, &certificate, b"h2").await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://localhost")
        .connect_with_connector(connector)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_port_is_encrypted() {
    let folder = tempdir().unwrap();
    if !scratch_certificate::make(folder.path(), "localhost", Owner::Server) {
        eprintln!("skipped: there is no openssl to make a certificate with");
        return;
    }
    let file = folder.path().join("cert.pem");
    let launcher = Start::new(folder.path())
        .arg("--embedded")
        .arg("--tls-cert")
        .arg(&file)
        .arg("--tls-key")
        .arg(folder.path().join("key.pem"))
        .ready();
    // A peer that says nothing holds up nobody.
    let _silent = TcpStream::connect(("127.0.0.1", launcher.ports.http))
        .await
        .unwrap();

    let mut collections = CollectionsClient::new(channel(launcher.ports.grpc, &file).await);
    let list = collections
        .list(ListCollectionsRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(list.collections, []);
    let mut control = VectorDbServiceClient::new(channel(launcher.ports.control, &file).await);
    let endpoints = control.endpoints(EndpointsRequest {}).await.unwrap().into_inner();
    assert_eq!(
        endpoints.grpc_url,
        format!("https://127.0.0.1:{}", launcher.ports.grpc)
    );

    let mut stream = connect(launcher.ports.http, &file, b"http/1.1").await.unwrap();
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    let _no_farewell = stream.read_to_string(&mut answer).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("all shards are ready"),
        "{answer}"
    );

    // In clear text there is nothing to be had.
    assert!(launcher.client().list_collections().await.is_err());
}

/// A Qdrant that takes its certificate from the configuration it was given.
fn encrypted_stand_in(folder: &Path) -> PathBuf {
    let text = format!(
        r#"value() {{ sed -n "s/.*\"$1\": \"\{{0,1\}}\([^\",]*\).*/\1/p" "$2"; }}
[ "$(value enable_tls "$2")" = true ] || exit 9
exec '{PROGRAM}' --embedded --data-dir ./storage --control-port 0 \
    --tls-cert "$(value cert "$2")" --tls-key "$(value key "$2")" \
    --http-port "$(value http_port "$2")" --grpc-port "$(value grpc_port "$2")"
"#
    );
    script(folder, &text)
}

async fn status(launcher: &Launcher, certificate: &Path) -> StatusResponse {
    let mut control = VectorDbServiceClient::new(channel(launcher.ports.control, certificate).await);
    control.status(StatusRequest {}).await.unwrap().into_inner()
}

/// The probe believes the certificate that the launcher itself handed on, though
/// it is for another name and nobody vouches for it.
#[tokio::test]
async fn a_child_is_encrypted_too() {
    let folder = tempdir().unwrap();
    if !scratch_certificate::make(folder.path(), "localhost", Owner::Server) {
        eprintln!("skipped: there is no openssl to make a certificate with");
        return;
    }
    let file = folder.path().join("cert.pem");
    let launcher = Start::new(folder.path())
        .arg("--qdrant")
        .arg(encrypted_stand_in(folder.path()))
        .arg("--tls-cert")
        .arg(&file)
        .arg("--tls-key")
        .arg(folder.path().join("key.pem"))
        .ready();
    let seen = status(&launcher, &file).await;
    assert_eq!((&*seen.state, &*seen.version), ("ready", "1.20.0"));
    assert!(lives(seen.pid));
    let mut control = VectorDbServiceClient::new(channel(launcher.ports.control, &file).await);
    let endpoints = control.endpoints(EndpointsRequest {}).await.unwrap().into_inner();
    let at = |port: u16| format!("https://127.0.0.1:{port}");
    assert_eq!(
        (endpoints.rest_url, endpoints.grpc_url),
        (at(launcher.ports.http), at(launcher.ports.grpc))
    );
    let mut collections = CollectionsClient::new(channel(launcher.ports.grpc, &file).await);
    collections.list(ListCollectionsRequest {}).await.unwrap();
    assert!(launcher.client().list_collections().await.is_err());
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
    gone(seen.pid).await;
}

/// Somebody else's is believed if an authority of the given file signed for it,
/// and under the name in its certificate.
#[tokio::test]
async fn somebody_elses_is_watched_through_tls() {
    let (theirs, own) = (tempdir().unwrap(), tempdir().unwrap());
    if !scratch_certificate::make(theirs.path(), "localhost", Owner::Server) {
        eprintln!("skipped: there is no openssl to make a certificate with");
        return;
    }
    let file = theirs.path().join("cert.pem");
    let watched = Start::new(theirs.path())
        .arg("--embedded")
        .arg("--tls-cert")
        .arg(&file)
        .arg("--tls-key")
        .arg(theirs.path().join("key.pem"))
        .ready();
    let watch = |host: &str| {
        let url = format!("https://{host}:{}", watched.ports.http);
        Start::new(own.path()).arg("--url").arg(url)
    };
    let launcher = watch("localhost").arg("--tls-ca").arg(&file).ready();
    let mut control = launcher.control().await;
    let seen = control.status(StatusRequest {}).await.unwrap().into_inner();
    let theirs = status(&watched, &file).await;
    assert_eq!((seen.mode(), &*seen.state), (Mode::External, "ready"));
    assert_eq!(seen.generation, theirs.generation);
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));

    let doubted = |start: Start, words: &str| {
        let line = start.running().wait_for("Qdrant is not ready");
        assert!(line.contains(words), "{line}");
    };
    doubted(watch("localhost"), "UnknownIssuer");
    doubted(
        watch("127.0.0.1").arg("--tls-ca").arg(&file),
        "not valid for name",
    );
}

#[tokio::test]
async fn what_cannot_be_used_is_refused() {
    let folder = tempdir().unwrap();
    let (status, text) = Start::new(folder.path())
        .arg("--embedded")
        .arg("--tls-cert")
        .arg("/no/such/cert.pem")
        .fails();
    assert_eq!(status, 2);
    assert!(
        text.contains("E1604") && text.contains("belong together"),
        "{text}"
    );
    let (status, text) = Start::new(folder.path())
        .arg("--embedded")
        .arg("--tls-cert")
        .arg("/no/such/cert.pem")
        .arg("--tls-key")
        .arg("/no/such/key.pem")
        .fails();
    assert_eq!(status, 2);
    assert!(
        text.contains("E1604") && text.contains("/no/such/cert.pem"),
        "{text}"
    );
    let (status, text) = Start::new(folder.path())
        .arg("--url")
        .arg("https://localhost:1")
        .arg("--tls-ca")
        .arg("/no/such/ca.pem")
        .fails();
    assert_eq!(status, 2);
    assert!(
        text.contains("E1604") && text.contains("/no/such/ca.pem"),
        "{text}"
    );
}
