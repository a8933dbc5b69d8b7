//! The launcher's own gRPC service, with the standard health and reflection
//! services beside it.

use std::{net::IpAddr, path::PathBuf};

use proto::v1::{
    BackupRequest, BackupResponse, Collection, EndpointsRequest, EndpointsResponse, RestoreRequest,
    RestoreResponse, StatusRequest, StatusResponse,
    vector_db_service_server::{VectorDbService, VectorDbServiceServer},
};
use tokio::time::Instant;
use tonic::{
    Request, Response, Status,
    service::{InterceptorLayer, Routes},
};
use tonic_health::server::HealthReporter;
use tower::Layer as _;

use crate::{auth::Guard, error::Error, observe::Observed};

/// Where clients find Qdrant's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The REST API.
    pub rest_url: String,
    /// The gRPC API.
    pub grpc_url: String,
}

impl Endpoints {
    /// Addresses on this machine. Whoever came from another machine knows the
    /// host it came to better than we do.
    pub fn local(scheme: &str, host: IpAddr, http_port: u16, grpc_port: u16) -> Self {
        let host = match host {
            IpAddr::V4(host) if host.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V6(host) if host.is_unspecified() => "[::1]".to_owned(),
            IpAddr::V4(host) => host.to_string(),
            IpAddr::V6(host) => format!("[{host}]"),
        };
        Self {
            rest_url: format!("{scheme}://{host}:{http_port}"),
            grpc_url: format!("{scheme}://{host}:{grpc_port}"),
        }
    }
}

/// The service.
#[derive(Debug, Clone)]
pub struct Control {
    observed: Observed,
    endpoints: Endpoints,
    started: Instant,
}

impl Control {
    /// A service that tells about `observed`.
    pub fn new(observed: Observed, endpoints: Endpoints) -> Self {
        Self {
            observed,
            endpoints,
            started: Instant::now(),
        }
    }
}

/// The routes of the control port and the handle that says whether the
/// database is ready. Health needs no key.
///
/// # Errors
/// [`Error::Serve`] if the descriptors of this build are damaged.
pub fn routes(control: Control, guard: Guard) -> Result<(Routes, HealthReporter), Error> {
    let broken = |error: tonic_reflection::server::Error| Error::Serve {
        service: "control",
        reason: error.to_string(),
    };
    let describe = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (reporter, health) = tonic_health::server::health_reporter();
    let guarded = InterceptorLayer::new(guard);
    let routes = Routes::new(health)
        .add_service(guarded.layer(VectorDbServiceServer::new(control)))
        .add_service(guarded.layer(describe().build_v1().map_err(broken)?))
        .add_service(guarded.layer(describe().build_v1alpha().map_err(broken)?));
    Ok((routes, reporter))
}

/// Tells the health service whether the database can be used.
pub async fn report(reporter: &HealthReporter, ready: Ready) {
    let status = match ready {
        Ready::Yes => tonic_health::ServingStatus::Serving,
        Ready::No => tonic_health::ServingStatus::NotServing,
    };
    for service in ["", "agentic_ide.v1.VectorDbService"] {
        reporter.set_service_status(service, status).await;
    }
}

/// Whether the database can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// It can.
    Yes,
    /// Not now.
    No,
}

#[tonic::async_trait]
impl VectorDbService for Control {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let seen = self.observed.look().await;
        Ok(Response::new(StatusResponse {
            mode: seen.mode.into(),
            state: seen.state,
            version: seen.version,
            pid: seen.pid.unwrap_or_default(),
            uptime_seconds: self.started.elapsed().as_secs(),
            collections: seen
                .collections
                .into_iter()
                .map(|(name, points)| Collection { name, points })
                .collect(),
            disk_bytes: seen.disk_bytes,
            memory_bytes: seen.memory_bytes,
            detail: seen.detail,
            generation: seen.generation,
        }))
    }

    async fn endpoints(&self, _: Request<EndpointsRequest>) -> Result<Response<EndpointsResponse>, Status> {
        let Endpoints { rest_url, grpc_url } = self.endpoints.clone();
        Ok(Response::new(EndpointsResponse { rest_url, grpc_url }))
    }

    async fn backup(&self, request: Request<BackupRequest>) -> Result<Response<BackupResponse>, Status> {
        let directory = absolute(request.into_inner().directory)?;
        let bytes = self.observed.backup(directory).await?;
        Ok(Response::new(BackupResponse { bytes }))
    }

    async fn restore(&self, request: Request<RestoreRequest>) -> Result<Response<RestoreResponse>, Status> {
        let directory = absolute(request.into_inner().directory)?;
        let points = self.observed.restore(directory).await?;
        Ok(Response::new(RestoreResponse { points }))
    }
}

/// A caller does not know the folder in which the launcher was started.
fn absolute(directory: String) -> Result<PathBuf, Status> {
    let path = PathBuf::from(directory);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(Status::invalid_argument("directory must be an absolute path"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, expect: &str) {
        assert_eq!(
            Endpoints::local("http", host.parse().unwrap(), 1, 2).rest_url,
            expect
        );
    }

    #[test]
    fn endpoints_can_be_dialled() {
        check("127.0.0.1", "http://127.0.0.1:1");
        check("0.0.0.0", "http://127.0.0.1:1");
        check("::", "http://[::1]:1");
        check("::1", "http://[::1]:1");
    }
}
