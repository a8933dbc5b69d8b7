//! The service that says who answers.
//!
//! In the place of a commit stands the store's generation: a client that keeps
//! something in mind learns from it that the server started anew.

use qdrant_client::qdrant::{HealthCheckReply, HealthCheckRequest, qdrant_server::Qdrant};
use tonic::{Request, Response, Status};

use super::Service;
use crate::embedded::API_VERSION;

#[tonic::async_trait]
impl Qdrant for Service {
    async fn health_check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckReply>, Status> {
        Ok(Response::new(HealthCheckReply {
            title: "qdrant - vector search engine".to_owned(),
            version: API_VERSION.to_owned(),
            commit: Some(self.store.generation().to_string()),
        }))
    }
}
