//! Snapshots of collections. Snapshots of the whole store are the control
//! service's backups.

use qdrant_client::qdrant::{
    CreateFullSnapshotRequest, CreateSnapshotRequest, CreateSnapshotResponse, DeleteFullSnapshotRequest,
    DeleteSnapshotRequest, DeleteSnapshotResponse, ListFullSnapshotsRequest, ListSnapshotsRequest,
    ListSnapshotsResponse, SnapshotDescription, snapshots_server::Snapshots,
};
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::{Service, check::checked, seconds, unimplemented};
use crate::embedded::{convert::info, store::snapshots::Snapshot};

fn described(snapshot: Snapshot) -> SnapshotDescription {
    SnapshotDescription {
        name: snapshot.name,
        creation_time: Some(info::timestamp(snapshot.created_at_ms)),
        size: i64::try_from(snapshot.bytes).unwrap_or(i64::MAX),
        checksum: snapshot.checksum,
    }
}

#[tonic::async_trait]
impl Snapshots for Service {
    async fn create(
        &self,
        request: Request<CreateSnapshotRequest>,
    ) -> Result<Response<CreateSnapshotResponse>, Status> {
        let started = Instant::now();
        let snapshot = self.calls.snapshot(&checked(request)?.collection_name).await?;
        Ok(Response::new(CreateSnapshotResponse {
            snapshot_description: Some(described(snapshot)),
            time: seconds(started),
        }))
    }

    async fn list(
        &self,
        request: Request<ListSnapshotsRequest>,
    ) -> Result<Response<ListSnapshotsResponse>, Status> {
        let started = Instant::now();
        let name = checked(request)?.collection_name;
        let snapshots = self.run(move |store| store.snapshots(&name)).await?;
        Ok(Response::new(ListSnapshotsResponse {
            snapshot_descriptions: snapshots.into_iter().map(described).collect(),
            time: seconds(started),
        }))
    }

    async fn delete(
        &self,
        request: Request<DeleteSnapshotRequest>,
    ) -> Result<Response<DeleteSnapshotResponse>, Status> {
        let started = Instant::now();
        let DeleteSnapshotRequest {
            collection_name,
            snapshot_name,
        } = checked(request)?;
        self.run(move |store| store.delete_snapshot(&collection_name, &snapshot_name))
            .await?;
        Ok(Response::new(DeleteSnapshotResponse {
            time: seconds(started),
        }))
    }

    async fn create_full(
        &self,
        _: Request<CreateFullSnapshotRequest>,
    ) -> Result<Response<CreateSnapshotResponse>, Status> {
        Err(unimplemented("Snapshots/CreateFull"))
    }

    async fn list_full(
        &self,
        _: Request<ListFullSnapshotsRequest>,
    ) -> Result<Response<ListSnapshotsResponse>, Status> {
        Ok(Response::new(ListSnapshotsResponse::default()))
    }

    async fn delete_full(
        &self,
        _: Request<DeleteFullSnapshotRequest>,
    ) -> Result<Response<DeleteSnapshotResponse>, Status> {
        Err(unimplemented("Snapshots/DeleteFull"))
    }
}
