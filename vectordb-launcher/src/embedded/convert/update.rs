//! Changes of points.

use qdrant_client::qdrant::{
    self as grpc, points_update_operation as op, points_update_operation::Operation,
};
use qdrant_edge::{
    ConditionalInsertOperation, DeletePayloadOp, Filter, PayloadOps, PointIdsList, PointInsertOperations,
    PointOperations, SetPayloadOp, UpdateMode, UpdateOperation, UpdateVectorsOp, VectorOperations,
};

use super::{
    filter::{self, Selected, path, selected},
    point::{payload, point, point_vectors},
};
use crate::embedded::{
    calls::shard_key_refused,
    error::{Error, Result},
};

/// Qdrant's words for a change of points, or of what they hold, that names none.
const NO_SELECTOR: &str = "PointSelector is missing";
const NO_POINTS_SELECTOR: &str = "points_selector is expected";

/// There is one shard, so a shard key has no meaning here, and a wrong one
/// would silently reach other points than in Qdrant.
pub fn no_shard_key(selector: Option<&grpc::ShardKeySelector>) -> Result<()> {
    match selector {
        Some(selector) if !selector.shard_keys.is_empty() => Err(shard_key_refused()),
        Some(_) | None => Ok(()),
    }
}

/// Inserting or replacing points.
pub fn upsert(
    points: Vec<grpc::PointStruct>,
    update_filter: Option<grpc::Filter>,
    update_mode: Option<i32>,
) -> Result<UpdateOperation> {
    let points = PointInsertOperations::PointsList(points.into_iter().map(point).collect::<Result<_>>()?);
    let mode = update_mode.map(mode);
    Ok(UpdateOperation::PointOperation(
        match (filter::optional(update_filter)?, mode) {
            (None, None | Some(UpdateMode::Upsert)) => PointOperations::UpsertPoints(points),
            (condition, update_mode) => {
                PointOperations::UpsertPointsConditional(ConditionalInsertOperation {
                    points_op: points,
                    condition: condition.unwrap_or_else(Filter::default),
                    update_mode,
                })
            }
        },
    ))
}

fn mode(value: i32) -> UpdateMode {
    match grpc::UpdateMode::try_from(value) {
        Ok(grpc::UpdateMode::InsertOnly) => UpdateMode::InsertOnly,
        Ok(grpc::UpdateMode::UpdateOnly) => UpdateMode::UpdateOnly,
        Ok(grpc::UpdateMode::Upsert) | Err(_) => UpdateMode::Upsert,
    }
}

/// Removing points.
pub fn delete(points: Option<grpc::PointsSelector>) -> Result<UpdateOperation> {
    Ok(UpdateOperation::PointOperation(
        match selected(points, NO_SELECTOR)? {
            Selected::Ids(ids) => PointOperations::DeletePoints { ids },
            Selected::Matching(filter) => PointOperations::DeletePointsByFilter(filter),
        },
    ))
}

/// Replacing vectors of points that exist.
pub fn update_vectors(
    points: Vec<grpc::PointVectors>,
    update_filter: Option<grpc::Filter>,
) -> Result<UpdateOperation> {
    Ok(UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(
        UpdateVectorsOp {
            points: points.into_iter().map(point_vectors).collect::<Result<_>>()?,
            update_filter: filter::optional(update_filter)?,
        },
    )))
}

/// Removing vectors from points.
pub fn delete_vectors(
    points: Option<grpc::PointsSelector>,
    vectors: Option<grpc::VectorsSelector>,
) -> Result<UpdateOperation> {
    let selected = selected(points, NO_POINTS_SELECTOR)?;
    let Some(grpc::VectorsSelector { names }) = vectors else {
        return Err(Error::Malformed("vectors is expected".to_owned()));
    };
    Ok(UpdateOperation::VectorOperation(match selected {
        Selected::Ids(points) => VectorOperations::DeleteVectors(PointIdsList { points }, names),
        Selected::Matching(filter) => VectorOperations::DeleteVectorsByFilter(filter, names),
    }))
}

/// Whether a payload's other keys stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They stay.
    Kept,
    /// They go.
    Dropped,
}

/// Writing payload values.
pub fn set_payload(
    values: std::collections::HashMap<String, grpc::Value>,
    points: Option<grpc::PointsSelector>,
    key: Option<&str>,
    others: Others,
) -> Result<UpdateOperation> {
    let key = match others {
        Others::Kept => key.map(path).transpose()?,
        // A whole payload has no place inside another.
        Others::Dropped => None,
    };
    let (points, filter) = match selected(points, NO_POINTS_SELECTOR)? {
        Selected::Ids(ids) => (Some(ids), None),
        Selected::Matching(filter) => (None, Some(filter)),
    };
    let operation = SetPayloadOp {
        payload: payload(values),
        points,
        filter,
        key,
    };
    Ok(UpdateOperation::PayloadOperation(match others {
        Others::Kept => PayloadOps::SetPayload(operation),
        Others::Dropped => PayloadOps::OverwritePayload(operation),
    }))
}

/// Removing payload keys.
pub fn delete_payload(keys: &[String], points: Option<grpc::PointsSelector>) -> Result<UpdateOperation> {
    let keys = keys.iter().map(|key| path(key)).collect::<Result<_>>()?;
    let (points, filter) = match selected(points, NO_POINTS_SELECTOR)? {
        Selected::Ids(ids) => (Some(ids), None),
        Selected::Matching(filter) => (None, Some(filter)),
    };
    Ok(UpdateOperation::PayloadOperation(PayloadOps::DeletePayload(
        DeletePayloadOp { keys, points, filter },
    )))
}

/// Removing whole payloads.
pub fn clear_payload(points: Option<grpc::PointsSelector>) -> Result<UpdateOperation> {
    Ok(UpdateOperation::PayloadOperation(
        match selected(points, NO_SELECTOR)? {
            Selected::Ids(points) => PayloadOps::ClearPayload { points },
            Selected::Matching(filter) => PayloadOps::ClearPayloadByFilter(filter),
        },
    ))
}

/// One operation of a batch.
#[expect(deprecated, reason = "older clients send the deprecated operations")]
pub fn batched(operation: grpc::PointsUpdateOperation) -> Result<UpdateOperation> {
    let Some(operation) = operation.operation else {
        return Err(Error::Malformed("Operation is missing".to_owned()));
    };
    match operation {
        Operation::Upsert(op::PointStructList {
            points,
            shard_key_selector,
            update_filter,
            update_mode,
        }) => {
            no_shard_key(shard_key_selector.as_ref())?;
            upsert(points, update_filter, update_mode)
        }
        Operation::DeleteDeprecated(points) => delete(Some(points)),
        Operation::DeletePoints(op::DeletePoints {
            points,
            shard_key_selector,
        }) => {
            no_shard_key(shard_key_selector.as_ref())?;
            delete(points)
        }
        Operation::SetPayload(op::SetPayload {
            payload,
            points_selector,
            shard_key_selector,
            key,
        }) => {
            no_shard_key(shard_key_selector.as_ref())?;
            set_payload(payload, points_selector, key.as_deref(), Others::Kept)
        }
        Operation::OverwritePayload(op::OverwritePayload {
            payload,
            points_selector,
            shard_key_selector,
            key,
        }) => {
            no_shard_key(shard_key_selector.as_ref())?;
            set_payload(payload, points_selector, key.as_deref(), Others::Dropped)
        }
        Operation::DeletePayload(op::DeletePayload {
            keys,
            points_selector,
            shard_key_selector,
        }) => {
            no_shard_key(shard_key_selector.as_ref())?;
            delete_payload(&keys, points_selector)
        }
        Operation::ClearPayloadDeprecated(points) => clear_payload(Some(points)),
        Operation::ClearPayload(op::ClearPayload {
            points,
            shard_key_selector,
        }) => {
            no_shard_key(shard_key_selector.as_ref())?;
            clear_payload(points)
        }
        Operation::UpdateVectors(op::UpdateVectors {
            points,
            shard_key_selector,
            update_filter,
        }) => {
            no_shard_key(shard_key_selector.as_ref())?;
            update_vectors(points, update_filter)
        }
        Operation::DeleteVectors(op::DeleteVectors {
            points_selector,
            vectors,
            shard_key_selector,
        }) => {
            no_shard_key(shard_key_selector.as_ref())?;
            delete_vectors(points_selector, vectors)
        }
    }
}
