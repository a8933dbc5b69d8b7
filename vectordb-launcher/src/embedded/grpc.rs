//! Qdrant's gRPC services over the store.
//!
//! Each method reads its message, runs the work in the pool and answers; what
//! messages mean is in [`convert`](super::convert).

mod check;
mod collections;
mod health;
mod points;
mod reads;
mod snapshots;

use std::sync::Arc;

use qdrant_client::qdrant::{
    self as grpc, collections_server::CollectionsServer, points_server::PointsServer,
    qdrant_server::QdrantServer, snapshots_server::SnapshotsServer,
};
use qdrant_edge::UpdateOperation;
use tokio::time::Instant;
use tonic::{
    Status,
    codec::CompressionEncoding,
    service::{InterceptorLayer, Routes},
};
use tower::Layer as _;

use super::{calls::Calls, error::Result, store::Store};
use crate::auth::Guard;

/// Largest message, in bytes. Qdrant has no limit of its own here; this one is
/// for the memory of a machine that runs more than a database.
const MESSAGE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// All of Qdrant's services on one store; clones share it.
#[derive(Debug, Clone)]
pub struct Service {
    store: Arc<Store>,
    calls: Calls,
}

/// The routes of Qdrant's gRPC port. The health check needs no key, as in
/// Qdrant; everything else passes `guard`.
pub fn routes(store: Arc<Store>, guard: Guard) -> Routes {
    let calls = Calls::new(Arc::clone(&store));
    let service = Service { store, calls };
    macro_rules! tuned {
        ($server:ident) => {
            $server::new(service.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(usize::MAX)
                .accept_compressed(CompressionEncoding::Gzip)
                .send_compressed(CompressionEncoding::Gzip)
        };
    }
    let guarded = InterceptorLayer::new(guard);
    // The standard health check, beside Qdrant's own, as in Qdrant. It serves as
    // soon as it listens.
    let (_, health) = tonic_health::server::health_reporter();
    Routes::new(tuned!(QdrantServer))
        .add_service(health)
        .add_service(guarded.layer(tuned!(CollectionsServer)))
        .add_service(guarded.layer(tuned!(PointsServer)))
        .add_service(guarded.layer(tuned!(SnapshotsServer)))
}

impl Service {
    /// Runs blocking work on the store in the pool.
    async fn run<T, F>(&self, work: F) -> std::result::Result<T, Status>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T> + Send + 'static,
    {
        Ok(self.calls.run(work).await?)
    }

    /// Applies what `convert` makes of a message. It is always applied before
    /// the answer; `wait` only decides what the answer is called.
    async fn write<F>(
        &self,
        name: String,
        wait: Option<bool>,
        convert: F,
    ) -> std::result::Result<grpc::UpdateResult, Status>
    where
        F: FnOnce() -> Result<UpdateOperation> + Send + 'static,
    {
        let number = self.calls.write(&name, convert).await?;
        let status = if wait == Some(true) {
            grpc::UpdateStatus::Completed
        } else {
            grpc::UpdateStatus::Acknowledged
        };
        Ok(grpc::UpdateResult {
            operation_id: Some(number),
            status: status.into(),
        })
    }
}

/// Seconds since `started`, for the answers' `time`.
fn seconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64()
}

/// A call that Qdrant has and this server has not.
fn unimplemented(call: &str) -> Status {
    super::Error::unsupported(call).into()
}
