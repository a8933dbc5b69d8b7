//! The points of the script: made up, but the same in every run.

use qdrant_client::{
    Payload,
    qdrant::{NamedVectors, PointStruct, Vector},
};
use serde_json::json;

/// The collection of the script.
pub const NAME: &str = "conformance";

/// Points in it at first.
pub const POINTS: u64 = 24;

/// Dimensions of its dense vectors.
pub const DIMENSIONS: u64 = 8;

/// Numbers between -1 and 1, the same for the same seed.
pub fn numbers(seed: u64, count: u64) -> Vec<f32> {
    (0..count)
        .map(|index| {
            let mixed = (seed * 31 + index + 1)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(23)
                .wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let part = u16::try_from(mixed >> 48).unwrap();
            f32::from(part) / 32768.0 - 1.0
        })
        .collect()
}

/// Terms of a text, the same for the same seed.
pub fn terms(seed: u64) -> Vec<(u32, f32)> {
    let first = u32::try_from(seed % 5).unwrap();
    let weight = f32::from(u8::try_from(seed).unwrap()) / 10.0;
    vec![(first, 1.0 + weight), (first + 10, 0.5), (100, 0.25 + weight)]
}

/// One point.
pub fn point(id: u64) -> PointStruct {
    let rows = vec![numbers(id + 500, 4), numbers(id + 900, 4)];
    let vectors = NamedVectors::default()
        .add_vector("dense", Vector::new_dense(numbers(id, DIMENSIONS)))
        .add_vector("far", Vector::new_dense(numbers(id + 200, 3)))
        .add_vector("rows", Vector::new_multi(rows))
        .add_vector("terms", Vector::from(terms(id)));
    let city = ["Berlin", "London", "Paris"][usize::try_from(id % 3).unwrap()];
    let mut payload = json!({
        "city": city,
        "number": id,
        "price": id as f64 / 2.0 + 0.25,
        "even": id.is_multiple_of(2),
        "text": format!("The {city} house number {id}"),
        "at": format!("2024-01-{:02}T10:00:00Z", id),
        "uuid": format!("00000000-0000-0000-0000-{id:012}"),
        "place": {"lon": 10.0 + id as f64 / 10.0, "lat": 50.0},
        "tags": ["all", format!("t{}", id % 4)],
        "parts": [{"kind": "a", "size": id}, {"kind": "b", "size": id + 1}],
    });
    if id.is_multiple_of(5) {
        payload["nothing"] = json!(null);
        payload["empty"] = json!([]);
    }
    PointStruct::new(id, vectors, Payload::try_from(payload).unwrap())
}
