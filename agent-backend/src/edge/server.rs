//! One port for everything: REST, streams, gRPC (h2c) and ACP.

use std::{future::IntoFuture as _, net::SocketAddr};

use axum::{Router, extract::DefaultBodyLimit, middleware, serve::ListenerExt as _};
use shared::error::{Class, Code};
use tokio::net::TcpListener;

use super::{access, acp, grpc, index, metrics, rest, search};
use crate::{error::Error, runtime::Runtime};

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A port that is taken and not yet served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Takes the port. Refuses to listen beyond this machine without a token.
pub async fn bind(address: SocketAddr, token: Option<&str>) -> Result<Bound, Error> {
    if !address.ip().is_loopback() && token.is_none_or(str::is_empty) {
        let message = format!(
            "{address} can be reached from other machines: set `auth_token` (AGENTIC_IDE_AUTH_TOKEN), \
             or listen on 127.0.0.1"
        );
        return Err(Error::user(Code::BindRefused, message));
    }
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let message = format!("cannot listen on {address}: {error}; choose another port with --listen");
        Error {
            class: Class::User,
            code: Code::PortInUse,
            message,
        }
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(Bound { listener, address })
}

impl Bound {
    /// The address, with the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves; open streams are then cut, because clients
    /// resume from their last event anyway.
    pub async fn serve(self, app: Router, stop: impl Future<Output = ()>) -> Result<(), Error> {
        // Updates are small and many: none waits for the acknowledgement of another.
        let listener = self.listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "small packets may be late");
            }
        });
        let server = axum::serve(listener, app).into_future();
        tokio::select! {
            outcome = server => outcome.map_err(|error| Error::internal(error.to_string())),
            () = stop => Ok(()),
        }
    }
}

/// All edges over one runtime.
pub fn app(runtime: &Runtime, hub: &acp::Hub, token: Option<&str>) -> Router {
    let rest = rest::routes()
        .merge(index::routes())
        .merge(search::routes())
        .merge(metrics::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(runtime.clone());
    Router::new()
        .merge(rest)
        .merge(grpc::routes(runtime))
        .merge(acp::routes(hub))
        .layer(middleware::from_fn_with_state(
            access::Access::new(token),
            access::guard,
        ))
}
