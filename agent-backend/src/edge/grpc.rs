//! The gRPC interface: the same contract as REST, for clients that want types.

mod server;
mod workflow;

use axum::Router;
use proto::v1::{server_service_server::ServerServiceServer, workflow_service_server::WorkflowServiceServer};
use tonic::service::Routes;

use super::rest::SUBMIT_BYTES_MAX;
use crate::runtime::Runtime;

pub(super) fn routes(runtime: &Runtime) -> Router {
    let (reporter, health) = tonic_health::server::health_reporter();
    let mut routes = Routes::default();
    routes = routes
        .add_service(
            WorkflowServiceServer::new(workflow::Service(runtime.clone()))
                .max_decoding_message_size(SUBMIT_BYTES_MAX),
        )
        .add_service(ServerServiceServer::new(server::Service(runtime.clone())))
        .add_service(health);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    match reflection.build_v1() {
        Ok(reflection) => routes = routes.add_service(reflection),
        // Only tools for people use it; everything else goes on without.
        Err(error) => tracing::error!(%error, "gRPC reflection is not available"),
    }
    tokio::spawn(async move {
        reporter
            .set_serving::<WorkflowServiceServer<workflow::Service>>()
            .await;
        reporter
            .set_serving::<ServerServiceServer<server::Service>>()
            .await;
    });
    // Without this, tonic's own 404 would shadow the REST one.
    routes.into_axum_router().reset_fallback()
}
