//! Connections: made when they are needed, made again when they broke. TLS is
//! used where the URL says `sslmode=require`, and the certificate is checked
//! against those that the machine trusts (`SSL_CERT_FILE` names others).

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::Mutex;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Statement, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::{bell::Bell, schema};
use crate::{Error, limits::POSTGRES_CONNECT_TIMEOUT_MS};

/// Where connections go.
#[derive(Clone)]
pub(super) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// Rung by every notification.
    bell: Arc<Bell>,
}

impl Target {
    /// Reads the URL.
    pub(super) fn parse(url: &str, bell: &Arc<Bell>) -> Result<Self, Error> {
        // Neither the URL nor what is wrong in it may show the password.
        let refused = |reason: &str| Error::Refused {
            reason: format!("`journal.url` cannot be used: {reason}"),
        };
        let mut config: Config = url
            .parse()
            .map_err(|_| refused("it is no postgres:// URL, or has a parameter that is not known"))?;
        config
            .connect_timeout(Duration::from_millis(POSTGRES_CONNECT_TIMEOUT_MS))
            .keepalives_idle(Duration::from_secs(5))
            .tcp_user_timeout(Duration::from_secs(10))
            .application_name("agentic-ide");
        // Only where the URL asks for it: a certificate that nobody vouches for,
        // which many servers have, protects from nobody.
        let tls = if config.get_ssl_mode() == SslMode::Require {
            Some(trust()?)
        } else {
            config.ssl_mode(SslMode::Disable);
            None
        };
        Ok(Self {
            config,
            tls,
            bell: Arc::clone(bell),
        })
    }

    async fn connect(&self) -> Result<Session, Error> {
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                Ok(self.session(client, connection))
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                Ok(self.session(client, connection))
            }
        }
    }

    fn session<S, T>(&self, client: Client, mut connection: tokio_postgres::Connection<S, T>) -> Session
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let bell = Arc::clone(&self.bell);
        // Ends when the client is dropped.
        tokio::spawn(async move {
            loop {
                match std::future::poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(_))) => bell.hear(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        tracing::warn!(%error, "a connection to the journal broke");
                        return;
                    }
                    None => return,
                }
            }
        });
        Session {
            client,
            statements: Mutex::default(),
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("hosts", &self.config.get_hosts())
            .finish_non_exhaustive()
    }
}

fn trust() -> Result<MakeRustlsConnect, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::debug!(%error, "a certificate of this machine cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Refused {
            reason: error.to_string(),
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// An open connection and the statements that it knows.
pub(super) struct Session {
    pub(super) client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl Session {
    /// The statement, which is parsed once for each connection.
    pub(super) async fn prepared(&self, sql: &'static str) -> Result<Statement, Error> {
        let mut statements = self.statements.lock().await;
        if let Some(known) = statements.get(sql) {
            return Ok(known.clone());
        }
        let made = self.client.prepare(sql).await?;
        statements.insert(sql, made.clone());
        Ok(made)
    }
}

/// One connection, as long as it lasts.
pub(super) struct Link {
    target: Target,
    session: Mutex<Option<Arc<Session>>>,
    listens: bool,
}

impl Link {
    /// Connects when it is first used.
    pub(super) fn new(target: &Target) -> Self {
        Self {
            target: target.clone(),
            session: Mutex::default(),
            listens: false,
        }
    }

    /// The same, and hears what others notify.
    pub(super) fn listening(target: &Target) -> Self {
        Self {
            listens: true,
            ..Self::new(target)
        }
    }

    /// The connection.
    pub(super) async fn session(&self) -> Result<Arc<Session>, Error> {
        let mut session = self.session.lock().await;
        if let Some(open) = &*session
            && !open.client.is_closed()
        {
            return Ok(Arc::clone(open));
        }
        let open = Box::pin(self.target.connect()).await?;
        if self.listens {
            open.client
                .batch_execute(&format!("LISTEN {}", schema::CHANNEL))
                .await?;
        }
        let open = Arc::new(open);
        *session = Some(Arc::clone(&open));
        Ok(open)
    }

    /// Forgets a connection that failed, whatever state it is in.
    pub(super) async fn forget(&self) {
        *self.session.lock().await = None;
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
