//! Room on the disk, looked at before it is needed.
//!
//! The engine maps its files sparsely: to write where the disk has no room left
//! ends the whole process with SIGBUS, and no call returns an error. So a write
//! is refused while there is still some room, with Qdrant's words, and the room
//! is Qdrant's too: twice a segment of the log.

use std::path::Path;

use nix::sys::statvfs::statvfs;
use qdrant_edge::{
    EdgeConfig, PointInsertOperations, PointOperations, PointStructPersisted, UpdateOperation,
    VectorPersisted, VectorStructPersisted,
};
use serde_json::Value;

use super::{
    convert::point::to_u64,
    error::{Error, Result},
};

/// Free bytes without which a store is not opened: the logs are applied then.
pub const OPENING_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// Bytes that a value takes beside its text, roughly.
const NODE_BYTES: u64 = 16;

/// Each written byte goes into the log and into a segment.
const COPIES: u64 = 2;

/// Free bytes for this user on the disk of `path`; none if the system does not tell.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let disk = statvfs(path).ok()?;
    #[allow(clippy::useless_conversion, reason = "another width on other systems")]
    let (blocks, size): (u64, u64) = (disk.blocks_available().into(), disk.fragment_size().into());
    Some(blocks.saturating_mul(size))
}

/// Refuses when the disk of `path` has less than `needed` bytes left.
///
/// # Errors
/// [`Error::Internal`] in Qdrant's words.
pub fn check(path: &Path, needed: u64) -> Result<()> {
    match free_bytes(path) {
        Some(free) if free < needed => Err(Error::Internal(
            "No space left on device: WAL buffer size exceeds available disk space".to_owned(),
        )),
        Some(_) | None => Ok(()),
    }
}

/// What has to be free before any write.
pub fn reserve(config: &EdgeConfig) -> u64 {
    let log = config.wal_options.clone().unwrap_or_default();
    to_u64(log.segment_capacity).saturating_mul(2)
}

/// What `operation` adds to that, roughly.
pub fn weight(operation: &UpdateOperation) -> u64 {
    let UpdateOperation::PointOperation(operation) = operation else {
        return 0;
    };
    let inserted = match operation {
        PointOperations::UpsertPoints(points) => points,
        PointOperations::UpsertPointsConditional(conditional) => &conditional.points_op,
        PointOperations::DeletePoints { .. }
        | PointOperations::DeletePointsByFilter(_)
        | PointOperations::SyncPoints(_)
        | PointOperations::UpsertPointsRaw(_)
        | PointOperations::SyncPointsRaw(_) => return 0,
    };
    match inserted {
        PointInsertOperations::PointsList(points) => COPIES * points.iter().map(point).sum::<u64>(),
        PointInsertOperations::PointsBatch(_) => 0,
    }
}

fn point(point: &PointStructPersisted) -> u64 {
    let vectors = match &point.vector {
        VectorStructPersisted::Single(values) => floats(values),
        VectorStructPersisted::MultiDense(rows) => rows.iter().map(|row| floats(row)).sum(),
        VectorStructPersisted::Named(named) => named
            .values()
            .map(|vector| match vector {
                VectorPersisted::Dense(values) => floats(values),
                // An index beside each value.
                VectorPersisted::Sparse(sparse) => 2 * floats(&sparse.values),
                VectorPersisted::MultiDense(rows) => rows.iter().map(|row| floats(row)).sum(),
            })
            .sum(),
    };
    let payload = point.payload.iter().flat_map(|payload| &payload.0);
    NODE_BYTES
        + vectors
        + payload
            .map(|(key, value)| to_u64(key.len()) + json(value))
            .sum::<u64>()
}

fn floats(values: &[f32]) -> u64 {
    to_u64(size_of_val(values))
}

fn json(value: &Value) -> u64 {
    NODE_BYTES
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => to_u64(text.len()),
            Value::Array(items) => items.iter().map(json).sum(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| to_u64(key.len()) + json(value))
                .sum(),
        }
}

#[cfg(test)]
mod tests {
    use qdrant_edge::{Payload, PointId};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_disk_is_asked_for_more_than_any_has() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).unwrap() > 0);
        assert_eq!(check(folder.path(), 0), Ok(()));
        assert_eq!(
            check(folder.path(), u64::MAX).unwrap_err().to_string(),
            "Service internal error: No space left on device: WAL buffer size exceeds available disk space"
        );
    }

    #[test]
    fn points_weigh_their_numbers_and_texts() {
        let Value::Object(payload) = json!({"text": "abcd"}) else {
            panic!()
        };
        let one = PointStructPersisted {
            id: PointId::NumId(1),
            vector: VectorStructPersisted::Single(vec![0.0; 4]),
            payload: Some(Payload(payload)),
        };
        let points = PointInsertOperations::PointsList(vec![one.clone(), one]);
        let operation = UpdateOperation::PointOperation(PointOperations::UpsertPoints(points));
        let each = NODE_BYTES + 16 + 4 + NODE_BYTES + 4;
        assert_eq!(weight(&operation), COPIES * 2 * each);
    }
}
