//! Checks a whole batch before any of it reaches the engine.
//!
//! The engine applies points one after the other and keeps those before a bad
//! one; Qdrant rejects the batch. So everything the engine would refuse is
//! refused here first.

use std::collections::HashMap;

use qdrant_edge::{
    EdgeConfig, PointStructPersisted, PointVectorsPersisted, SparseVector, UpdateOperation, VectorInternal,
    VectorPersisted, VectorStructPersisted,
};

use super::error::{Error, Result};

/// Name of the vector of a point that was given without a name.
pub const UNNAMED: &str = "";

/// What a vector name stands for in a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One dense vector of this many dimensions.
    Dense(usize),
    /// Several dense vectors of this many dimensions.
    Multi(usize),
    /// A sparse vector.
    Sparse,
}

/// What `name` stands for.
///
/// # Errors
/// [`Error::BadInput`] if the collection has no such vector.
pub fn kind(schema: &EdgeConfig, name: &str) -> Result<Kind> {
    if let Some(params) = schema.vectors.get(name) {
        return Ok(match params.multivector_config {
            Some(_) => Kind::Multi(params.size),
            None => Kind::Dense(params.size),
        });
    }
    if schema.sparse_vectors.contains_key(name) {
        return Ok(Kind::Sparse);
    }
    Err(Error::no_vector(name))
}

/// Whether `name` can be compared with itself, point by point.
///
/// # Errors
/// [`Error::BadInput`] with the names that can.
pub fn configured(schema: &EdgeConfig, name: &str) -> Result<()> {
    if kind(schema, name).is_ok() {
        return Ok(());
    }
    let mut names: Vec<&str> = schema.vectors.keys().map(String::as_str).collect();
    let mut sparse: Vec<&str> = schema.sparse_vectors.keys().map(String::as_str).collect();
    names.sort_unstable();
    sparse.sort_unstable();
    names.extend(sparse);
    Err(Error::BadInput(match (&*names, name) {
        ([], _) => "Vectors are not configured in this collection".to_owned(),
        ([UNNAMED], _) => format!("Vector with name {name} is not configured in this collection"),
        (_, UNNAMED) => format!(
            "Collection requires specified vector name in the request, available names: {}",
            names.join(", ")
        ),
        _ => format!(
            "Vector with name `{name}` is not configured in this collection, available names: {}",
            names.join(", ")
        ),
    }))
}

/// Whether an operation names its points and names none.
pub fn is_for_nobody(operation: &UpdateOperation) -> bool {
    operation.point_ids().is_some_and(|ids| ids.is_empty())
}

/// Checks points that are to be inserted.
///
/// # Errors
/// [`Error::BadInput`] for the first vector that does not fit.
pub fn points(schema: &EdgeConfig, points: &[PointStructPersisted]) -> Result<()> {
    for (index, point) in points.iter().enumerate() {
        not_empty(index, &point.vector)?;
    }
    points
        .iter()
        .try_for_each(|point| vectors(schema, &point.vector, Words::WithName))
}

/// Checks vectors that are to replace those of existing points.
///
/// # Errors
/// [`Error::BadInput`] for the first vector that does not fit.
pub fn point_vectors(schema: &EdgeConfig, points: &[PointVectorsPersisted]) -> Result<()> {
    points
        .iter()
        .try_for_each(|point| vectors(schema, &point.vector, Words::Bare))
}

/// Whether a wrong dimension is told with the name of the vector. Qdrant does so
/// in an upsert and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    WithName,
    Bare,
}

/// What Qdrant refuses before it looks at the collection.
fn not_empty(index: usize, vectors: &VectorStructPersisted) -> Result<()> {
    let place = match vectors {
        VectorStructPersisted::Single(vector) if vector.is_empty() => "vector",
        VectorStructPersisted::Named(named) if named.values().any(is_empty) => "?.vector",
        VectorStructPersisted::Single(_)
        | VectorStructPersisted::MultiDense(_)
        | VectorStructPersisted::Named(_) => return Ok(()),
    };
    Err(Error::BadInput(format!(
        "points[{index}].vector.{place}: dense vector must not be empty"
    )))
}

fn is_empty(vector: &VectorPersisted) -> bool {
    match vector {
        VectorPersisted::Dense(values) => values.is_empty(),
        VectorPersisted::Sparse(_) | VectorPersisted::MultiDense(_) => false,
    }
}

fn vectors(schema: &EdgeConfig, vectors: &VectorStructPersisted, words: Words) -> Result<()> {
    match vectors {
        VectorStructPersisted::Single(vector) => dense(kind(schema, UNNAMED)?, vector),
        VectorStructPersisted::MultiDense(rows) => multi(kind(schema, UNNAMED)?, rows),
        VectorStructPersisted::Named(named) => by_name(schema, named, words),
    }
}

fn by_name(schema: &EdgeConfig, named: &HashMap<String, VectorPersisted>, words: Words) -> Result<()> {
    for (name, vector) in named {
        let kind = kind(schema, name)?;
        let fits = match vector {
            VectorPersisted::Dense(vector) => dense(kind, vector),
            VectorPersisted::MultiDense(rows) => multi(kind, rows),
            VectorPersisted::Sparse(vector) => sparse(kind, vector),
        };
        fits.map_err(|error| match (error, words) {
            (Error::BadInput(text), Words::WithName) if text.starts_with(DIMENSION) => {
                Error::BadInput(format!("{text} for vector '{name}'"))
            }
            (error, Words::WithName | Words::Bare) => error,
        })?;
    }
    Ok(())
}

/// Checks a vector that is searched for.
///
/// # Errors
/// [`Error::BadInput`] if it does not fit the vectors called `name`.
pub fn query_vector(schema: &EdgeConfig, name: &str, vector: &VectorInternal) -> Result<()> {
    let kind = kind(schema, name)?;
    match vector {
        VectorInternal::Dense(vector) => dense(kind, vector),
        VectorInternal::Sparse(vector) => sparse(kind, vector),
        VectorInternal::MultiDense(rows) => rows.multi_vectors().try_for_each(|row| match kind {
            Kind::Multi(size) => dimension(size, row),
            Kind::Dense(_) => Err(Error::wrong_multi()),
            Kind::Sparse => Err(Error::wrong_sparse()),
        }),
    }
}

fn dense(kind: Kind, vector: &[f32]) -> Result<()> {
    match kind {
        // A single row is a multi-vector of one row, as in Qdrant.
        Kind::Dense(size) | Kind::Multi(size) => dimension(size, vector),
        Kind::Sparse => Err(Error::wrong_sparse()),
    }
}

fn multi(kind: Kind, rows: &[Vec<f32>]) -> Result<()> {
    match kind {
        Kind::Multi(_) if rows.is_empty() => {
            Err(Error::BadInput("multi-vectors must not be empty".to_owned()))
        }
        Kind::Multi(size) => rows.iter().try_for_each(|row| dimension(size, row)),
        Kind::Dense(size) => {
            rows.iter().try_for_each(|row| dimension(size, row))?;
            Err(Error::wrong_multi())
        }
        Kind::Sparse => Err(Error::wrong_sparse()),
    }
}

fn sparse(kind: Kind, vector: &SparseVector) -> Result<()> {
    match kind {
        Kind::Sparse => {}
        Kind::Dense(_) | Kind::Multi(_) => return Err(Error::wrong_sparse()),
    }
    if vector.indices.len() != vector.values.len() {
        return Err(Error::BadInput(
            "values: must be the same length as indices".to_owned(),
        ));
    }
    if vector.is_sorted() {
        Ok(())
    } else {
        Err(Error::BadInput("indices: must be unique".to_owned()))
    }
}

/// The beginning of Qdrant's words for a wrong dimension.
const DIMENSION: &str = "Vector dimension error";

fn dimension(size: usize, vector: &[f32]) -> Result<()> {
    if vector.len() == size {
        return Ok(());
    }
    let got = vector.len();
    Err(Error::BadInput(format!(
        "{DIMENSION}: expected dim: {size}, got {got}"
    )))
}

#[cfg(test)]
mod tests {
    use qdrant_edge::{Distance, EdgeConfig, EdgeSparseVectorParams, EdgeVectorParams, PointId};

    use super::*;

    fn schema() -> EdgeConfig {
        EdgeConfig {
            vectors: [(
                "dense".to_owned(),
                EdgeVectorParams::builder(2, Distance::Cosine).build(),
            )]
            .into(),
            sparse_vectors: [("bm25".to_owned(), EdgeSparseVectorParams::builder().build())].into(),
            ..EdgeConfig::default()
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better with values")]
    fn check(name: &str, vector: VectorPersisted, expect: Result<()>) {
        let point = PointStructPersisted {
            id: PointId::NumId(1),
            vector: VectorStructPersisted::Named([(name.to_owned(), vector)].into()),
            payload: None,
        };
        assert_eq!(points(&schema(), &[point]), expect);
    }

    fn bad(text: &str) -> Result<()> {
        Err(Error::BadInput(text.to_owned()))
    }

    fn sparse_of(indices: Vec<u32>, values: Vec<f32>) -> VectorPersisted {
        VectorPersisted::Sparse(SparseVector { indices, values })
    }

    #[test]
    fn vectors_that_do_not_fit_are_refused() {
        check("dense", VectorPersisted::Dense(vec![1.0, 2.0]), Ok(()));
        check(
            "dense",
            VectorPersisted::Dense(vec![1.0]),
            bad("Vector dimension error: expected dim: 2, got 1 for vector 'dense'"),
        );
        // Stored and never found again, as in Qdrant.
        check("dense", VectorPersisted::Dense(vec![1.0, f32::NAN]), Ok(()));
        check(
            "dense",
            VectorPersisted::Dense(Vec::new()),
            bad("points[0].vector.?.vector: dense vector must not be empty"),
        );
        check(
            "other",
            VectorPersisted::Dense(vec![1.0, 2.0]),
            bad("Not existing vector name error: other"),
        );
        check("bm25", sparse_of(vec![1, 2], vec![1.0, 2.0]), Ok(()));
        check(
            "bm25",
            sparse_of(vec![1, 1], vec![1.0, 2.0]),
            bad("indices: must be unique"),
        );
        check(
            "bm25",
            sparse_of(vec![1], vec![1.0, 2.0]),
            bad("values: must be the same length as indices"),
        );
        check("bm25", sparse_of(vec![1], vec![f32::INFINITY]), Ok(()));
        check(
            "dense",
            VectorPersisted::MultiDense(vec![vec![1.0, 2.0]]),
            bad("Conversion between multi and regular vectors failed"),
        );
        check(
            "bm25",
            VectorPersisted::Dense(vec![1.0, 2.0]),
            bad("Conversion between sparse and regular vectors failed"),
        );
    }
}
