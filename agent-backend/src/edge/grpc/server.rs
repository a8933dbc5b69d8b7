//! `ServerService`.

use std::{collections::BTreeMap, path::Path};

use futures::{StreamExt as _, stream::BoxStream};
use proto::v1::{self, server_service_server::ServerService};
use shared::{
    error::Code,
    version::{self, Compatibility},
    wire::{MemoryDevice, MemoryProblem},
};
use tonic::{Request, Response, Status};

use crate::{
    edge::index::Feed,
    error::Error,
    indexing::{Command, Described},
    present,
    runtime::Runtime,
    status,
};

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
        let view = present::memory(self.0.memory().await);
        let device = |device: MemoryDevice| v1::MemoryDevice {
            kind: device.kind,
            name: device.name,
            total_mb: device.total_mb,
            used_mb: device.used_mb,
        };
        let problem = |problem: MemoryProblem| v1::MemoryProblem {
            provider: problem.provider,
            code: problem.code,
            message: problem.message,
        };
        let server = |(server, models): (String, BTreeMap<String, u64>)| {
            let models = models.into_iter().collect();
            (server, v1::ServerModels { models })
        };
        Ok(Response::new(v1::VramResponse {
            vram_used_mb: view.vram_used_mb,
            vram_available_mb: view.vram_available_mb.unwrap_or_default(),
            percentage: view.percentage.unwrap_or_default(),
            peak_mb: view.peak_mb,
            components: view.components.into_iter().collect(),
            kind: view.kind,
            vram_total_mb: view.vram_total_mb,
            level: view.level,
            elsewhere: view.elsewhere.into_iter().map(server).collect(),
            devices: view.devices.into_iter().map(device).collect(),
            problems: view.problems.into_iter().map(problem).collect(),
        }))
    }

    async fn index_status(
        &self,
        request: Request<v1::IndexStatusRequest>,
    ) -> Result<Response<v1::IndexStatusResponse>, Status> {
        let workspace = request.into_inner().workspace;
        let described = self.0.services().indexing.status(Path::new(&workspace)).await?;
        Ok(Response::new(index(&described)))
    }

    type WatchIndexStream = BoxStream<'static, Result<v1::IndexStatusResponse, Status>>;

    async fn watch_index(
        &self,
        request: Request<v1::WatchIndexRequest>,
    ) -> Result<Response<Self::WatchIndexStream>, Status> {
        let workspace = request.into_inner().workspace;
        let mut feed = Feed::open(&self.0, Path::new(&workspace)).await?;
        let stream = async_stream::stream! {
            while let Some(described) = feed.next().await {
                yield Ok(index(&described));
            }
        };
        Ok(Response::new(stream.boxed()))
    }

    async fn list_indexes(
        &self,
        _: Request<v1::ListIndexesRequest>,
    ) -> Result<Response<v1::ListIndexesResponse>, Status> {
        let indexes = self.0.services().indexing.list();
        Ok(Response::new(v1::ListIndexesResponse {
            indexes: indexes.iter().map(index).collect(),
        }))
    }

    async fn control_index(
        &self,
        request: Request<v1::ControlIndexRequest>,
    ) -> Result<Response<v1::IndexStatusResponse>, Status> {
        let request = request.into_inner();
        let command = match request.command() {
            v1::IndexCommand::Open => Command::Open,
            v1::IndexCommand::Pause => Command::Pause,
            v1::IndexCommand::Resume => Command::Resume,
            v1::IndexCommand::Cancel => Command::Cancel,
            v1::IndexCommand::Rescan => Command::Rescan,
            v1::IndexCommand::Delete => Command::Delete,
            v1::IndexCommand::Unspecified => {
                return Err(Error::user(Code::InvalidRequest, "the request names no command").into());
            }
        };
        let indexing = &self.0.services().indexing;
        let described = indexing.command(Path::new(&request.workspace), command).await?;
        Ok(Response::new(index(&described)))
    }
}

fn index(described: &Described) -> v1::IndexStatusResponse {
    let view = present::index(described);
    v1::IndexStatusResponse {
        state: view.state.as_str().to_owned(),
        files: view.files,
        chunks: view.chunks,
        detail: view.detail,
        workspace: view.workspace,
        code: view.code.unwrap_or_default(),
        progress: view.progress.map(|now| v1::IndexProgress {
            files_done: now.files_done,
            files_total: now.files_total,
            chunks_done: now.chunks_done,
            files_per_second: now.files_per_second,
            seconds_left: now.seconds_left,
        }),
    }
}
