//! Checks a whole batch before any of it reaches the engine.
//!
//! The engine applies points one after the other and keeps those before a bad
//! one; Qdrant rejects the batch. So everything the engine would refuse is
//! refused here first.

use std::collections::HashMap;

use qdrant_edge::{
    EdgeConfig, PointStructPersisted, PointVectorsPersisted, SparseVector, VectorInternal, VectorPersisted,
    VectorStructPersisted,
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

/// Checks points that are to be inserted.
///
/// # Errors
/// [`Error::BadInput`] for the first vector that does not fit.
pub fn points(schema: &EdgeConfig, points: &[PointStructPersisted]) -> Result<()> {
    points.iter().try_for_each(|point| vectors(schema, &point.vector))
}

/// Checks vectors that are to replace those of existing points.
///
/// # Errors
/// [`Error::BadInput`] for the first vector that does not fit.
pub fn point_vectors(schema: &EdgeConfig, points: &[PointVectorsPersisted]) -> Result<()> {
    points.iter().try_for_each(|point| vectors(schema, &point.vector))
}

fn vectors(schema: &EdgeConfig, vectors: &VectorStructPersisted) -> Result<()> {
    match vectors {
        VectorStructPersisted::Single(vector) => dense(kind(schema, UNNAMED)?, vector),
        VectorStructPersisted::MultiDense(rows) => multi(kind(schema, UNNAMED)?, rows),
        VectorStructPersisted::Named(named) => by_name(schema, named),
    }
}

fn by_name(schema: &EdgeConfig, named: &HashMap<String, VectorPersisted>) -> Result<()> {
    for (name, vector) in named {
        let kind = kind(schema, name)?;
        match vector {
            VectorPersisted::Dense(vector) => dense(kind, vector)?,
            VectorPersisted::MultiDense(rows) => multi(kind, rows)?,
            VectorPersisted::Sparse(vector) => sparse(kind, vector)?,
        }
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
            Kind::Multi(size) | Kind::Dense(size) => dimension(size, row),
            Kind::Sparse => Err(expected("sparse", "multi-dense")),
        }),
    }
}

fn dense(kind: Kind, vector: &[f32]) -> Result<()> {
    match kind {
        // A single row is a multi-vector of one row, as in Qdrant.
        Kind::Dense(size) | Kind::Multi(size) => dimension(size, vector),
        Kind::Sparse => Err(expected("sparse", "dense")),
    }
}

fn multi(kind: Kind, rows: &[Vec<f32>]) -> Result<()> {
    match kind {
        Kind::Multi(_) if rows.is_empty() => {
            Err(Error::BadInput("multi-vectors must not be empty".to_owned()))
        }
        Kind::Multi(size) => rows.iter().try_for_each(|row| dimension(size, row)),
        Kind::Dense(_) => Err(Error::BadInput("Wrong usage of multi vectors".to_owned())),
        Kind::Sparse => Err(expected("sparse", "multi-dense")),
    }
}

fn sparse(kind: Kind, vector: &SparseVector) -> Result<()> {
    match kind {
        Kind::Sparse => {}
        Kind::Dense(_) => return Err(expected("dense", "sparse")),
        Kind::Multi(_) => return Err(expected("multi-dense", "sparse")),
    }
    if vector.indices.len() != vector.values.len() {
        return Err(Error::BadInput(
            "values: must be the same length as indices".to_owned(),
        ));
    }
    if !vector.is_sorted() {
        return Err(Error::BadInput("indices: must be unique".to_owned()));
    }
    finite(&vector.values)
}

fn expected(wanted: &str, got: &str) -> Error {
    Error::BadInput(format!(
        "Conversion between {got} and {wanted} vectors failed: expected a {wanted} vector"
    ))
}

fn dimension(size: usize, vector: &[f32]) -> Result<()> {
    if vector.len() == size {
        finite(vector)
    } else {
        Err(Error::BadInput(format!(
            "Vector dimension error: expected dim: {size}, got {}",
            vector.len()
        )))
    }
}

/// A NaN in one stored vector spoils every later comparison with it, so it is
/// refused at the door.
fn finite(values: &[f32]) -> Result<()> {
    if values.iter().all(|value| value.is_finite()) {
        Ok(())
    } else {
        Err(Error::BadInput(
            "Vector contains a value that is not a finite number".to_owned(),
        ))
    }
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
        let not_finite = "Vector contains a value that is not a finite number";
        check("dense", VectorPersisted::Dense(vec![1.0, 2.0]), Ok(()));
        check(
            "dense",
            VectorPersisted::Dense(vec![1.0]),
            bad("Vector dimension error: expected dim: 2, got 1"),
        );
        check(
            "dense",
            VectorPersisted::Dense(vec![1.0, f32::NAN]),
            bad(not_finite),
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
        check("bm25", sparse_of(vec![1], vec![f32::INFINITY]), bad(not_finite));
        check(
            "dense",
            VectorPersisted::MultiDense(vec![vec![1.0, 2.0]]),
            bad("Wrong usage of multi vectors"),
        );
        check(
            "bm25",
            VectorPersisted::Dense(vec![1.0, 2.0]),
            bad("Conversion between dense and sparse vectors failed: expected a sparse vector"),
        );
    }
}
