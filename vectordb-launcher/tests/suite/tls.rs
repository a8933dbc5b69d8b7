//! The ports behind a certificate.

use std::{path::Path, process::Command, sync::Arc};

use proto::v1::{EndpointsRequest, vector_db_service_client::VectorDbServiceClient};
use qdrant_client::qdrant::{ListCollectionsRequest, collections_client::CollectionsClient};
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

use crate::support::Start;

/// A certificate for localhost and its key, made for this test.
fn certificate(folder: &Path) -> bool {
    Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "1", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .output()
        .is_ok_and(|output| output.status.success())
}

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
    if !certificate(folder.path()) {
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
}
