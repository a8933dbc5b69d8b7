//! How a backend is reached: its address, the token that it wants, and the
//! certificates that are trusted. One way for all of REST, WebSocket and gRPC.

use std::{io, path::Path, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use tonic::transport::{Channel, Endpoint, Uri};

use crate::{
    Error,
    config::{Address, Token},
};

/// A connection, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What is spoken on a connection, for whoever decrypts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: WebSocket.
    Http1,
    /// HTTP/2: gRPC.
    Http2,
}

/// Reaches one backend. Cheap to clone; says nothing of the token.
#[derive(Debug, Clone)]
pub struct Dialer {
    address: Address,
    authorization: Option<HeaderValue>,
    tls: Option<Arc<ClientConfig>>,
}

impl Dialer {
    /// For this backend. Nothing is sent yet.
    ///
    /// # Errors
    /// E1703 if the token cannot be sent, or the certificates cannot be used.
    pub fn new(address: Address, token: Option<&Token>, ca_file: Option<&Path>) -> Result<Self, Error> {
        let tls = match (address.is_encrypted(), ca_file) {
            (true, ca_file) => Some(Arc::new(trust(ca_file)?)),
            (false, Some(_)) => {
                let reason = "`ca_file` is for a backend at https://";
                return Err(Error::Config(reason.to_owned()));
            }
            (false, None) => None,
        };
        let authorization = token.map(bearer).transpose()?;
        if authorization.is_some() && !address.is_encrypted() && !address.is_here() {
            tracing::warn!("the token goes over the network as it is: use https:// or a tunnel");
        }
        Ok(Self {
            address,
            authorization,
            tls,
        })
    }

    /// Where.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What to send as `authorization`.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// A client for REST, without a limit of time.
    ///
    /// # Errors
    /// E1703 if it cannot start.
    pub fn http(&self) -> Result<reqwest::ClientBuilder, Error> {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        // A proxy of the environment is for the internet, not for a backend.
        let client = reqwest::Client::builder().no_proxy().default_headers(headers);
        Ok(match &self.tls {
            Some(tls) => client.use_preconfigured_tls(ClientConfig::clone(tls)),
            None => client,
        })
    }

    /// Connects. The name in the certificate must be that of the address.
    ///
    /// # Errors
    /// What the system says, or why the certificate is refused.
    pub async fn connect(&self, protocol: Protocol) -> io::Result<Box<dyn Stream>> {
        let (host, port) = self.address.place();
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let mut tls = ClientConfig::clone(tls);
        tls.alpn_protocols = vec![match protocol {
            Protocol::Http1 => b"http/1.1".to_vec(),
            Protocol::Http2 => b"h2".to_vec(),
        }];
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await?;
        Ok(Box::new(stream))
    }

    /// A channel for gRPC, which connects when it is used; connecting and each
    /// call may take `limit`.
    ///
    /// # Errors
    /// E1703 if the address is none for gRPC.
    pub fn channel(&self, limit: Duration) -> Result<Channel, Error> {
        let refuse = |reason: String| Error::Config(format!("the address cannot be used: {reason}"));
        // Whether it is encrypted is the dialer's business; requests name the real address.
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address.host()))
            .map_err(|error| refuse(error.to_string()))?;
        let origin = Uri::try_from(self.address.http("")).map_err(|error| refuse(error.to_string()))?;
        let endpoint = endpoint.origin(origin).connect_timeout(limit).timeout(limit);
        let dialer = self.clone();
        Ok(
            endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
                let dialer = dialer.clone();
                async move { dialer.connect(Protocol::Http2).await.map(TokioIo::new) }
            })),
        )
    }
}

fn bearer(token: &Token) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
        let reason = "`token` has characters that cannot be sent: visible ASCII is what it is made of";
        Error::Config(reason.to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Trusts what this machine trusts, and the certificates of a file.
fn trust(ca_file: Option<&Path>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::debug!(%error, "a certificate of this machine cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    if let Some(path) = ca_file {
        let refuse = |reason: &dyn std::fmt::Display| {
            Error::Config(format!(
                "the `ca_file` {} cannot be used: {reason}",
                path.display()
            ))
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refuse(&error))?;
        let mut count = 0;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| refuse(&error))?;
            roots.add(certificate).map_err(|error| refuse(&error))?;
            count += 1;
        }
        if count == 0 {
            return Err(refuse(&"it holds no certificate (PEM)"));
        }
    }
    Ok(
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Config(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

/// Why a connection failed, with what to do about its certificate.
pub fn advised(reason: String) -> String {
    let advice = [
        (
            "UnknownIssuer",
            "an authority signed it that is not known; give that authority's certificate as `ca_file`",
        ),
        (
            "not valid for name",
            "it is for another name; use the name that is in it",
        ),
        ("certificate expired", "it has expired"),
        (
            "CaUsedAsEndEntity",
            "it is an authority's own; the server needs one for itself, signed by it",
        ),
    ];
    match advice.iter().find(|(word, _)| reason.contains(word)) {
        Some((_, advice)) => format!("its certificate is refused: {advice}"),
        None => reason,
    }
}
