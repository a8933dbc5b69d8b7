//! Changes of points and indexes as REST writes them.

use std::collections::HashMap;

use qdrant_edge::{
    ConditionalInsertOperation, CreateIndex, DeletePayloadOp, DeleteVectorName, FieldIndexOperations, Filter,
    JsonPath, Payload, PayloadFieldSchema, PayloadOps, PointId, PointIdsList, PointInsertOperations,
    PointOperations, PointStructPersisted, PointVectorsPersisted, SetPayloadOp, SparseVector, UpdateMode,
    UpdateOperation, UpdateVectorsOp, VectorInternal, VectorNameConfig, VectorNameOperations,
    VectorOperations, VectorPersisted, VectorStructPersisted,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use validator::{Validate, ValidationError, ValidationErrors};

use super::{query::no_shard_key, request::sentence};
use crate::embedded::{
    convert::{create, point},
    error::{Error, Result},
};

/// Inserting or replacing points, as a list or in columns.
#[derive(Debug, Deserialize, Validate)]
pub struct Upsert {
    #[validate(nested)]
    points: Option<Vec<NewPoint>>,
    #[validate(nested)]
    batch: Option<Columns>,
    #[validate(nested)]
    update_filter: Option<Filter>,
    update_mode: Option<UpdateMode>,
    shard_key: Option<Value>,
}

type Checked = std::result::Result<(), ValidationErrors>;

/// A point that is to be.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct NewPoint(PointStructPersisted);

impl Validate for NewPoint {
    fn validate(&self) -> Checked {
        within("vector", not_empty(&self.0.vector))
    }
}

fn within(field: &'static str, inside: Checked) -> Checked {
    let mut errors = ValidationErrors::new();
    errors.merge_self(field, inside);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn wrong(field: &'static str, code: &'static str, text: String) -> ValidationErrors {
    let mut errors = ValidationErrors::new();
    errors.add(field, sentence(code, text));
    errors
}

/// What the engine checks, and that dense vectors hold something.
fn not_empty(vector: &VectorStructPersisted) -> Checked {
    match vector {
        VectorStructPersisted::Single(values) => holds(values),
        VectorStructPersisted::MultiDense(_) => vector.validate(),
        VectorStructPersisted::Named(named) => {
            let first = named.values().find_map(|vector| one_not_empty(vector).err());
            first.map_or(Ok(()), |errors| within("?", Err(errors)))
        }
    }
}

fn one_not_empty(vector: &VectorPersisted) -> Checked {
    match vector {
        VectorPersisted::Dense(values) => holds(values),
        VectorPersisted::Sparse(_) | VectorPersisted::MultiDense(_) => vector.validate(),
    }
}

fn holds(values: &[f32]) -> Checked {
    if values.is_empty() {
        let text = "dense vector must not be empty".to_owned();
        return Err(wrong("vector", "empty_vector", text));
    }
    Ok(())
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

impl Validate for Columns {
    fn validate(&self) -> Checked {
        let count = self.ids.len();
        let even = |what: &str, got: usize| {
            let text = format!("number of ids and {what} must be equal ({count} != {got})");
            let uneven = got != count;
            uneven
                .then(|| wrong("batch", "point_insert_operation", text))
                .map_or(Ok(()), Err)
        };
        match &self.vectors {
            VectorColumns::Single(rows) => {
                rows.iter().try_for_each(|row| holds(row))?;
                even("vectors", rows.len())?;
            }
            VectorColumns::Multi(rows) => {
                let check = |row: &Vec<Vec<f32>>| VectorPersisted::MultiDense(row.clone()).validate();
                rows.iter().try_for_each(check)?;
                even("vectors", rows.len())?;
            }
            VectorColumns::Named(columns) => {
                let first = columns.values().flatten();
                let first = first.filter_map(|vector| one_not_empty(vector).err()).next();
                first.map_or(Ok(()), |errors| within("?", Err(errors)))?;
                let mut lengths = columns.values().map(Vec::len);
                lengths.try_for_each(|length| even("vectors", length))?;
            }
        }
        let payloads = self.payloads.as_ref().map_or(count, Vec::len);
        even("payloads", payloads)
    }
}

impl Columns {
    /// Each column is as long as the ids: that was checked.
    fn points(self) -> Vec<PointStructPersisted> {
        let count = self.ids.len();
        let vectors: Vec<VectorStructPersisted> = match self.vectors {
            VectorColumns::Single(rows) => rows.into_iter().map(VectorStructPersisted::Single).collect(),
            VectorColumns::Multi(rows) => rows.into_iter().map(VectorStructPersisted::MultiDense).collect(),
            VectorColumns::Named(columns) => {
                let mut rows: Vec<HashMap<String, VectorPersisted>> = vec![HashMap::new(); count];
                for (name, column) in columns {
                    for (row, vector) in rows.iter_mut().zip(column) {
                        row.insert(name.clone(), vector);
                    }
                }
                rows.into_iter().map(VectorStructPersisted::Named).collect()
            }
        };
        let payloads = self.payloads.unwrap_or_else(|| vec![None; count]);
        let rows = self.ids.into_iter().zip(vectors).zip(payloads);
        rows.map(|((id, vector), payload)| PointStructPersisted { id, vector, payload })
            .collect()
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
        (_, Some(batch)) => batch.points(),
        (Some(points), None) => points.into_iter().map(|point| point.0).collect(),
        (None, None) => return Err(malformed("Invalid PointInsertOperations format")),
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

fn malformed(what: &str) -> Error {
    Error::Malformed(format!("Format error in JSON body: {what}"))
}

/// Points by id or by filter.
#[derive(Debug, Deserialize, Validate)]
pub struct Selector {
    points: Option<Vec<PointId>>,
    // Not checked, as in Qdrant.
    filter: Option<Filter>,
    shard_key: Option<Value>,
}

enum Selected {
    Ids(Vec<PointId>),
    Matching(Filter),
}

fn selected(points: Option<Vec<PointId>>, filter: Option<Filter>, none: Error) -> Result<Selected> {
    match (points, filter) {
        (Some(points), _) => Ok(Selected::Ids(points)),
        (None, Some(filter)) => Ok(Selected::Matching(filter)),
        (None, None) => Err(none),
    }
}

fn no_points() -> Error {
    malformed("Either list of point ids or filter must be provided")
}

impl Selector {
    fn selected(self) -> Result<Selected> {
        no_shard_key(self.shard_key.as_ref())?;
        let none = malformed("data did not match any variant of untagged enum PointsSelector");
        selected(self.points, self.filter, none)
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
#[derive(Debug, Deserialize, Validate)]
pub struct SetPayload {
    payload: Payload,
    points: Option<Vec<PointId>>,
    #[validate(nested)]
    filter: Option<Filter>,
    key: Option<JsonPath>,
    shard_key: Option<Value>,
}

impl SetPayload {
    fn operation(self) -> Result<SetPayloadOp> {
        no_shard_key(self.shard_key.as_ref())?;
        let (points, filter) = match selected(self.points, self.filter, no_points())? {
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
#[derive(Debug, Deserialize, Validate)]
pub struct DeletePayload {
    keys: Vec<JsonPath>,
    points: Option<Vec<PointId>>,
    #[validate(nested)]
    filter: Option<Filter>,
    shard_key: Option<Value>,
}

/// Removing payload keys.
pub fn delete_payload(body: DeletePayload) -> Result<UpdateOperation> {
    no_shard_key(body.shard_key.as_ref())?;
    let (points, filter) = match selected(body.points, body.filter, no_points())? {
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
#[derive(Debug, Deserialize, Validate)]
pub struct UpdateVectors {
    #[validate(nested, custom(function = "some"))]
    points: Vec<NewVectors>,
    #[validate(nested)]
    update_filter: Option<Filter>,
    shard_key: Option<Value>,
}

fn some(points: &[NewVectors]) -> std::result::Result<(), ValidationError> {
    if points.is_empty() {
        return Err(sentence("length", "must specify points to update".to_owned()));
    }
    Ok(())
}

/// Vectors that are to be of a point. A failed check keeps what it looked at.
#[derive(Debug, Deserialize, Serialize)]
#[serde(transparent)]
struct NewVectors(PointVectorsPersisted);

impl Validate for NewVectors {
    fn validate(&self) -> Checked {
        match &self.0.vector {
            VectorStructPersisted::Named(named) if named.is_empty() => {
                let text = "must specify vectors to update for point".to_owned();
                Err(wrong("vector", "length", text))
            }
            // Not below `vector`, as in Qdrant.
            vector @ (VectorStructPersisted::Single(_)
            | VectorStructPersisted::MultiDense(_)
            | VectorStructPersisted::Named(_)) => not_empty(vector),
        }
    }
}

/// Replacing vectors of points that exist.
pub fn update_vectors(body: UpdateVectors) -> Result<UpdateOperation> {
    no_shard_key(body.shard_key.as_ref())?;
    let mut points: Vec<PointVectorsPersisted> = body.points.into_iter().map(|point| point.0).collect();
    points.iter_mut().for_each(|point| sorted(&mut point.vector));
    Ok(UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(
        UpdateVectorsOp {
            points,
            update_filter: body.update_filter,
        },
    )))
}

/// Removing vectors from points.
#[derive(Debug, Deserialize, Validate)]
pub struct DeleteVectors {
    points: Option<Vec<PointId>>,
    #[validate(nested)]
    filter: Option<Filter>,
    #[serde(alias = "vectors")]
    #[validate(length(min = 1, message = "must specify vector names to delete"))]
    vector: Vec<String>,
    shard_key: Option<Value>,
}

/// Removing vectors from points.
pub fn delete_vectors(body: DeleteVectors) -> Result<UpdateOperation> {
    no_shard_key(body.shard_key.as_ref())?;
    let none = Error::BadRequest("No filter or points provided".to_owned());
    Ok(UpdateOperation::VectorOperation(
        match selected(body.points, body.filter, none)? {
            Selected::Ids(points) => VectorOperations::DeleteVectors(PointIdsList { points }, body.vector),
            Selected::Matching(filter) => VectorOperations::DeleteVectorsByFilter(filter, body.vector),
        },
    ))
}

/// Several changes, applied one after the other.
#[derive(Debug, Deserialize, Validate)]
pub struct Batch {
    #[validate(nested)]
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

impl Validate for Operation {
    fn validate(&self) -> Checked {
        match self {
            Self::Upsert(body) => body.validate(),
            Self::Delete(body) | Self::ClearPayload(body) => body.validate(),
            Self::SetPayload(body) | Self::OverwritePayload(body) => body.validate(),
            Self::DeletePayload(body) => body.validate(),
            Self::UpdateVectors(body) => body.validate(),
            Self::DeleteVectors(body) => body.validate(),
        }
    }
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
#[derive(Debug, Deserialize, Validate)]
pub struct NewIndex {
    field_name: JsonPath,
    #[serde(alias = "field_type")]
    #[validate(nested)]
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
pub fn delete_index(field: JsonPath) -> UpdateOperation {
    UpdateOperation::FieldIndexOperation(FieldIndexOperations::DeleteIndex(field))
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
