//! Changes of points and indexes as REST writes them.

use std::collections::HashMap;

use qdrant_edge::{
    ConditionalInsertOperation, CreateIndex, DeletePayloadOp, DeleteVectorName, FieldIndexOperations, Filter,
    JsonPath, Payload, PayloadFieldSchema, PayloadOps, PointId, PointIdsList, PointInsertOperations,
    PointOperations, PointStructPersisted, PointVectorsPersisted, SetPayloadOp, SparseVector, UpdateMode,
    UpdateOperation, UpdateVectorsOp, VectorInternal, VectorNameConfig, VectorNameOperations,
    VectorOperations, VectorPersisted, VectorStructPersisted,
};
use serde::Deserialize;
use serde_json::Value;

use super::query::no_shard_key;
use crate::embedded::{
    convert::{create, filter::path, point},
    error::{Error, Result},
};

/// Inserting or replacing points, as a list or in columns.
#[derive(Debug, Deserialize)]
pub struct Upsert {
    points: Option<Vec<PointStructPersisted>>,
    batch: Option<Columns>,
    update_filter: Option<Filter>,
    update_mode: Option<UpdateMode>,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Columns {
    ids: Vec<PointId>,
    vectors: VectorColumns,
    payloads: Option<Vec<Option<Payload>>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum VectorColumns {
    Single(Vec<Vec<f32>>),
    Multi(Vec<Vec<Vec<f32>>>),
    Named(HashMap<String, Vec<VectorPersisted>>),
}

impl Columns {
    fn points(self) -> Result<Vec<PointStructPersisted>> {
        let count = self.ids.len();
        let uneven = |what: &str, got: usize| {
            Error::BadInput(format!(
                "number of ids and {what} must be equal ({count} != {got})"
            ))
        };
        let check = |what: &str, got: usize| {
            if got == count {
                Ok(())
            } else {
                Err(uneven(what, got))
            }
        };
        let vectors: Vec<VectorStructPersisted> = match self.vectors {
            VectorColumns::Single(rows) => rows.into_iter().map(VectorStructPersisted::Single).collect(),
            VectorColumns::Multi(rows) => rows.into_iter().map(VectorStructPersisted::MultiDense).collect(),
            VectorColumns::Named(columns) => {
                let mut rows: Vec<HashMap<String, VectorPersisted>> = vec![HashMap::new(); count];
                for (name, column) in columns {
                    check("vectors", column.len())?;
                    for (row, vector) in rows.iter_mut().zip(column) {
                        row.insert(name.clone(), vector);
                    }
                }
                rows.into_iter().map(VectorStructPersisted::Named).collect()
            }
        };
        check("vectors", vectors.len())?;
        let payloads = self.payloads.unwrap_or_else(|| vec![None; count]);
        check("payloads", payloads.len())?;
        let rows = self.ids.into_iter().zip(vectors).zip(payloads);
        Ok(rows
            .map(|((id, vector), payload)| PointStructPersisted { id, vector, payload })
            .collect())
    }
}

/// Sparse vectors come in any order and are kept sorted.
fn sorted(vectors: &mut VectorStructPersisted) {
    let VectorStructPersisted::Named(named) = vectors else {
        return;
    };
    for vector in named.values_mut() {
        if let VectorPersisted::Sparse(SparseVector { indices, values }) = vector
            && let VectorInternal::Sparse(in_order) =
                point::sparse(std::mem::take(indices), std::mem::take(values))
        {
            *vector = VectorPersisted::Sparse(in_order);
        }
    }
}

/// Inserting or replacing points.
pub fn upsert(body: Upsert) -> Result<UpdateOperation> {
    no_shard_key(body.shard_key.as_ref())?;
    let mut points = match (body.points, body.batch) {
        (Some(points), None) => points,
        (None, Some(batch)) => batch.points()?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(Error::Malformed(
                "Format error in JSON body: expected either `points` or `batch`".to_owned(),
            ));
        }
    };
    points.iter_mut().for_each(|point| sorted(&mut point.vector));
    let points = PointInsertOperations::PointsList(points);
    Ok(UpdateOperation::PointOperation(
        match (body.update_filter, body.update_mode) {
            (None, None | Some(UpdateMode::Upsert)) => PointOperations::UpsertPoints(points),
            (condition, update_mode) => {
                PointOperations::UpsertPointsConditional(ConditionalInsertOperation {
                    points_op: points,
                    condition: condition.unwrap_or_default(),
                    update_mode,
                })
            }
        },
    ))
}

/// Points by id or by filter.
#[derive(Debug, Deserialize)]
pub struct Selector {
    points: Option<Vec<PointId>>,
    filter: Option<Filter>,
    shard_key: Option<Value>,
}

enum Selected {
    Ids(Vec<PointId>),
    Matching(Filter),
}

fn selected(points: Option<Vec<PointId>>, filter: Option<Filter>) -> Result<Selected> {
    match (points, filter) {
        (Some(points), _) => Ok(Selected::Ids(points)),
        (None, Some(filter)) => Ok(Selected::Matching(filter)),
        (None, None) => Err(Error::Malformed(
            "Either list of point ids or filter must be provided".to_owned(),
        )),
    }
}

impl Selector {
    fn selected(self) -> Result<Selected> {
        no_shard_key(self.shard_key.as_ref())?;
        selected(self.points, self.filter)
    }
}

/// Removing points.
pub fn delete(body: Selector) -> Result<UpdateOperation> {
    Ok(UpdateOperation::PointOperation(match body.selected()? {
        Selected::Ids(ids) => PointOperations::DeletePoints { ids },
        Selected::Matching(filter) => PointOperations::DeletePointsByFilter(filter),
    }))
}

/// Removing whole payloads.
pub fn clear_payload(body: Selector) -> Result<UpdateOperation> {
    Ok(UpdateOperation::PayloadOperation(match body.selected()? {
        Selected::Ids(points) => PayloadOps::ClearPayload { points },
        Selected::Matching(filter) => PayloadOps::ClearPayloadByFilter(filter),
    }))
}

/// Writing payload values.
#[derive(Debug, Deserialize)]
pub struct SetPayload {
    payload: Payload,
    points: Option<Vec<PointId>>,
    filter: Option<Filter>,
    key: Option<JsonPath>,
    shard_key: Option<Value>,
}

impl SetPayload {
    fn operation(self) -> Result<SetPayloadOp> {
        no_shard_key(self.shard_key.as_ref())?;
        let (points, filter) = match selected(self.points, self.filter)? {
            Selected::Ids(ids) => (Some(ids), None),
            Selected::Matching(filter) => (None, Some(filter)),
        };
        Ok(SetPayloadOp {
            payload: self.payload,
            points,
            filter,
            key: self.key,
        })
    }
}

/// Writing payload values; the others stay.
pub fn set_payload(body: SetPayload) -> Result<UpdateOperation> {
    Ok(UpdateOperation::PayloadOperation(PayloadOps::SetPayload(
        body.operation()?,
    )))
}

/// Writing payload values; the others go.
pub fn overwrite_payload(body: SetPayload) -> Result<UpdateOperation> {
    Ok(UpdateOperation::PayloadOperation(PayloadOps::OverwritePayload(
        body.operation()?,
    )))
}

/// Removing payload keys.
#[derive(Debug, Deserialize)]
pub struct DeletePayload {
    keys: Vec<JsonPath>,
    points: Option<Vec<PointId>>,
    filter: Option<Filter>,
    shard_key: Option<Value>,
}

/// Removing payload keys.
pub fn delete_payload(body: DeletePayload) -> Result<UpdateOperation> {
    no_shard_key(body.shard_key.as_ref())?;
    let (points, filter) = match selected(body.points, body.filter)? {
        Selected::Ids(ids) => (Some(ids), None),
        Selected::Matching(filter) => (None, Some(filter)),
    };
    Ok(UpdateOperation::PayloadOperation(PayloadOps::DeletePayload(
        DeletePayloadOp {
            keys: body.keys,
            points,
            filter,
        },
    )))
}

/// Replacing vectors of points that exist.
#[derive(Debug, Deserialize)]
pub struct UpdateVectors {
    points: Vec<PointVectorsPersisted>,
    update_filter: Option<Filter>,
    shard_key: Option<Value>,
}

/// Replacing vectors of points that exist.
pub fn update_vectors(mut body: UpdateVectors) -> Result<UpdateOperation> {
    no_shard_key(body.shard_key.as_ref())?;
    body.points.iter_mut().for_each(|point| sorted(&mut point.vector));
    Ok(UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(
        UpdateVectorsOp {
            points: body.points,
            update_filter: body.update_filter,
        },
    )))
}

/// Removing vectors from points.
#[derive(Debug, Deserialize)]
pub struct DeleteVectors {
    points: Option<Vec<PointId>>,
    filter: Option<Filter>,
    vector: Vec<String>,
    shard_key: Option<Value>,
}

/// Removing vectors from points.
pub fn delete_vectors(body: DeleteVectors) -> Result<UpdateOperation> {
    no_shard_key(body.shard_key.as_ref())?;
    if body.vector.is_empty() {
        return Err(Error::Malformed("No vectors provided".to_owned()));
    }
    Ok(UpdateOperation::VectorOperation(
        match selected(body.points, body.filter)? {
            Selected::Ids(points) => VectorOperations::DeleteVectors(PointIdsList { points }, body.vector),
            Selected::Matching(filter) => VectorOperations::DeleteVectorsByFilter(filter, body.vector),
        },
    ))
}

/// Several changes, applied one after the other.
#[derive(Debug, Deserialize)]
pub struct Batch {
    pub(super) operations: Vec<Operation>,
}

/// One change of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Inserting or replacing points.
    Upsert(Upsert),
    /// Removing points.
    Delete(Selector),
    /// Writing payload values; the others stay.
    SetPayload(SetPayload),
    /// Writing payload values; the others go.
    OverwritePayload(SetPayload),
    /// Removing payload keys.
    DeletePayload(DeletePayload),
    /// Removing whole payloads.
    ClearPayload(Selector),
    /// Replacing vectors.
    UpdateVectors(UpdateVectors),
    /// Removing vectors.
    DeleteVectors(DeleteVectors),
}

/// One change of a batch.
pub fn operation(operation: Operation) -> Result<UpdateOperation> {
    match operation {
        Operation::Upsert(body) => upsert(body),
        Operation::Delete(body) => delete(body),
        Operation::SetPayload(body) => set_payload(body),
        Operation::OverwritePayload(body) => overwrite_payload(body),
        Operation::DeletePayload(body) => delete_payload(body),
        Operation::ClearPayload(body) => clear_payload(body),
        Operation::UpdateVectors(body) => update_vectors(body),
        Operation::DeleteVectors(body) => delete_vectors(body),
    }
}

/// A new payload index.
#[derive(Debug, Deserialize)]
pub struct NewIndex {
    field_name: JsonPath,
    #[serde(alias = "field_type")]
    field_schema: Option<PayloadFieldSchema>,
}

/// A new payload index.
pub fn create_index(body: NewIndex) -> Result<UpdateOperation> {
    if body.field_schema.is_none() {
        return Err(Error::BadRequest(
            "Can't auto-detect field type, please specify `field_schema` in the request".to_owned(),
        ));
    }
    Ok(UpdateOperation::FieldIndexOperation(
        FieldIndexOperations::CreateIndex(CreateIndex {
            field_name: body.field_name,
            field_schema: body.field_schema,
        }),
    ))
}

/// A payload index that goes.
pub fn delete_index(field: &str) -> Result<UpdateOperation> {
    Ok(UpdateOperation::FieldIndexOperation(
        FieldIndexOperations::DeleteIndex(path(field)?),
    ))
}

/// A new vector name; its parameters are the engine's own form.
pub fn create_vector(vector_name: String, config: VectorNameConfig) -> Result<UpdateOperation> {
    let operation = create::new_vector_name(vector_name, config)?;
    Ok(UpdateOperation::VectorNameOperation(
        VectorNameOperations::CreateVectorName(operation),
    ))
}

/// A vector name that goes.
pub fn delete_vector(vector_name: String) -> UpdateOperation {
    UpdateOperation::VectorNameOperation(VectorNameOperations::DeleteVectorName(DeleteVectorName {
        vector_name,
    }))
}
