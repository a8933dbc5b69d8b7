//! One server over the life of a toolbox: connected, its tools known, started
//! again after it has ended.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, Weak},
};

use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Options, survey::Survey};
use crate::{
    Answer, Error, Server,
    connection::Connection,
    limits::{LIST_CHANGES_MAX, RESTARTS_MAX},
};

/// A server and what is known of it.
#[derive(Debug)]
pub(super) struct Host {
    server: Server,
    workspace: PathBuf,
    options: Options,
    link: Mutex<Link>,
    survey: RwLock<Arc<Survey>>,
    /// The end of the toolbox.
    end: CancellationToken,
}

#[derive(Debug, Default)]
struct Link {
    connection: Option<Arc<Connection>>,
    restarts: u32,
}

impl Host {
    /// Connects; what fails is a problem of the survey.
    pub(super) async fn open(
        server: Server,
        workspace: PathBuf,
        options: &Options,
        end: CancellationToken,
    ) -> Arc<Self> {
        let host = Arc::new(Self {
            server,
            workspace,
            options: options.clone(),
            link: Mutex::default(),
            survey: RwLock::default(),
            end,
        });
        let mut link = host.link.lock().await;
        match host.connect().await {
            Ok(connection) => link.connection = Some(connection),
            Err(error) => {
                tracing::warn!(server = %host.server.name, code = %error.code(), %error, "an MCP server cannot be used");
                host.learn(Survey::failed(&error, &host.server));
            }
        }
        drop(link);
        host
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn survey(&self) -> Arc<Survey> {
        Arc::clone(&self.survey.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Calls a tool by the server's own name.
    pub(super) async fn call(
        self: &Arc<Self>,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<Answer, Error> {
        let connection = self.live().await?;
        let answer = connection.call(tool, arguments, self.server.timeout).await;
        if connection.is_closed() {
            // What is left of it ends now, and the next call starts it again.
            let mut link = self.link.lock().await;
            if link
                .connection
                .as_ref()
                .is_some_and(|held| Arc::ptr_eq(held, &connection))
            {
                link.connection = None;
            }
        }
        answer
    }

    /// The connection, made again if it has ended.
    async fn live(self: &Arc<Self>) -> Result<Arc<Connection>, Error> {
        let mut link = self.link.lock().await;
        if let Some(connection) = &link.connection
            && !connection.is_closed()
        {
            return Ok(Arc::clone(connection));
        }
        link.connection = None;
        if link.restarts >= RESTARTS_MAX {
            return Err(Error::NotStarted {
                server: self.server.name.clone(),
                reason: format!("it has ended {RESTARTS_MAX} times and is not started again"),
            });
        }
        link.restarts += 1;
        tracing::info!(server = %self.server.name, restarts = link.restarts, "an MCP server is started again");
        let connection = self.connect().await?;
        link.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn connect(self: &Arc<Self>) -> Result<Arc<Connection>, Error> {
        let begun = Connection::begin(&self.server, &self.workspace, &self.options);
        let connection = Arc::new(Box::pin(begun).await?);
        let (tools, more) = connection.tools(self.options.start).await?;
        self.learn(Survey::of(&self.server, self.options.unlisted, tools, more));
        tokio::spawn(follow(Arc::downgrade(self), Arc::downgrade(&connection)));
        Ok(connection)
    }

    fn learn(&self, survey: Survey) {
        *self.survey.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(survey);
    }
}

/// Asks for the tools again when the server says that they have changed.
async fn follow(host: Weak<Host>, connection: Weak<Connection>) {
    let Some(mut changes) = connection.upgrade().map(|connection| connection.changes()) else {
        return;
    };
    for _ in 0..LIST_CHANGES_MAX {
        // Ends with the connection.
        if changes.changed().await.is_err() {
            return;
        }
        let (Some(host), Some(connection)) = (host.upgrade(), connection.upgrade()) else {
            return;
        };
        let listed = tokio::select! {
            listed = connection.tools(host.options.start) => listed,
            () = host.end.cancelled() => return,
        };
        match listed {
            Ok((tools, more)) => host.learn(Survey::of(&host.server, host.options.unlisted, tools, more)),
            // A call will say so.
            Err(error) => tracing::debug!(%error, "the tools could not be listed again"),
        }
    }
    if let Some(host) = host.upgrade() {
        tracing::warn!(server = %host.server.name, "its list of tools changes too often to be followed");
    }
}
