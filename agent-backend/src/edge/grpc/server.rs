//! `ServerService`.

use proto::v1::{self, server_service_server::ServerService};
use shared::version::{self, Compatibility};
use tonic::{Request, Response, Status};

use crate::{runtime::Runtime, status};

pub(super) struct Service(pub(super) Runtime);

#[tonic::async_trait]
impl ServerService for Service {
    async fn info(&self, request: Request<v1::InfoRequest>) -> Result<Response<v1::InfoResponse>, Status> {
        let compatibility =
            match version::compatibility(&request.into_inner().client_version, version::VERSION) {
                Compatibility::Full => v1::Compatibility::Full,
                Compatibility::Degraded => v1::Compatibility::Degraded,
                Compatibility::None => v1::Compatibility::None,
            };
        let workspace = self.0.services().default_workspace.as_ref();
        Ok(Response::new(v1::InfoResponse {
            version: version::VERSION.to_owned(),
            compatibility: compatibility.into(),
            workflow_types: self.0.workflow_types(),
            default_workspace: workspace
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
        }))
    }

    async fn health(&self, _: Request<v1::HealthRequest>) -> Result<Response<v1::HealthResponse>, Status> {
        let health = status::health(self.0.services()).await;
        let ready = health.ready();
        let component = |component: status::Component| v1::Component {
            name: component.name.to_owned(),
            ok: component.ok,
            detail: component.detail,
        };
        let components = health.components.into_iter().map(component).collect();
        Ok(Response::new(v1::HealthResponse { ready, components }))
    }

    async fn vram(&self, _: Request<v1::VramRequest>) -> Result<Response<v1::VramResponse>, Status> {
        let vram = status::vram(self.0.services()).await?;
        Ok(Response::new(v1::VramResponse {
            vram_used_mb: vram.used_mb,
            // The total is not known without asking the GPU itself.
            vram_available_mb: 0,
            percentage: 0.0,
            peak_mb: vram.peak_mb,
            components: vram.components.into_iter().collect(),
        }))
    }

    async fn index_status(
        &self,
        request: Request<v1::IndexStatusRequest>,
    ) -> Result<Response<v1::IndexStatusResponse>, Status> {
        let status = self
            .0
            .services()
            .search
            .index_status(&request.into_inner().workspace)
            .await?;
        Ok(Response::new(v1::IndexStatusResponse {
            state: status.state.to_owned(),
            files: status.files,
            chunks: status.chunks,
            detail: status.detail,
        }))
    }
}
