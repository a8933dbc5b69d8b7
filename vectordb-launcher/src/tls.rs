//! TLS for the ports: an accept loop of our own, for gRPC and REST alike; and
//! whom the probe of a Qdrant believes.
//!
//! Handshakes run beside each other and have a time limit, so that a silent
//! peer holds up nobody.

mod client;

use std::{
    io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};
use tonic::transport::server::Connected;

pub use client::Trust;

use crate::error::{Error, Result};

/// Longest handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Handshakes under way at once; more wait in the system's queue.
const HANDSHAKES_MAX: usize = 256;

/// Wait after a failed accept: mostly there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Config(format!("{} cannot be used for TLS: {reason}", path.display()))
}

/// What a port speaks inside TLS, in the order it prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC.
    Http2,
    /// REST.
    Http,
}

/// A certificate and its key, read once.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads a certificate chain and a private key, both PEM.
    ///
    /// # Errors
    /// [`Error::Config`] with the file that cannot be used.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self> {
        let chain = client::certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error: rustls::Error| unusable(certificate, &error))?;
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// Accepts connections of `listener` until the result is dropped.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen(&self, listener: std::net::TcpListener, protocol: Protocol) -> io::Result<Incoming> {
        let mut config = (*self.config).clone();
        config.alpn_protocols = match protocol {
            Protocol::Http2 => vec![b"h2".to_vec()],
            Protocol::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let (sender, streams) = mpsc::channel(1);
        tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), sender));
        Ok(Incoming { streams, address })
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, sender: mpsc::Sender<Encrypted>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = tokio::select! {
            () = sender.closed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            let _slower_without = stream.set_nodelay(true);
            let handshake = tokio::time::timeout(HANDSHAKE_TIME_MAX, acceptor.accept(stream)).await;
            drop(place);
            match handshake {
                Ok(Ok(stream)) => {
                    let _server_is_gone = sender.send(Encrypted(stream)).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        });
    }
}

/// Encrypted connections, as tonic and as axum take them.
#[derive(Debug)]
pub struct Incoming {
    streams: mpsc::Receiver<Encrypted>,
    address: SocketAddr,
}

impl tokio_stream::Stream for Incoming {
    type Item = io::Result<Encrypted>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.streams.poll_recv(context).map(|stream| stream.map(Ok))
    }
}

impl axum::serve::Listener for Incoming {
    type Io = Encrypted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.streams.recv().await {
            Some(stream) => (stream, self.address),
            // The accept loop ends only when this is dropped.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

/// One encrypted connection.
#[derive(Debug)]
pub struct Encrypted(TlsStream<TcpStream>);

impl Connected for Encrypted {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
