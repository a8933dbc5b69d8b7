//! One script of calls through qdrant-client, and what must come back.
//!
//! The embedded engine runs it always and is compared with `expected.json`. A
//! real Qdrant runs it too when `QDRANT_BIN` (a program) or `QDRANT_URL` (a gRPC
//! address) names one, and is compared with the same file: what both answer is
//! what the file says, so neither can drift unseen. `UPDATE_EXPECT=1` writes the
//! file anew, from the embedded engine.

mod data;
mod reads;
mod writes;

use std::{collections::BTreeMap, env, fs};

use qdrant_client::{
    Qdrant, QdrantError,
    qdrant::{PointId, RetrievedPoint, ScoredPoint, Value as Wire, point_id::PointIdOptions},
};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{Launcher, PATIENCE, Start};

const EXPECTED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/suite/conformance/expected.json"
);

/// Scores of two implementations may differ by this much.
const SCORE_TOLERANCE: f64 = 1e-4;

/// What each step answered, by its name.
#[derive(Default)]
pub struct Record {
    steps: Vec<(String, Value)>,
}

impl Record {
    /// Notes what a step answered: its result in a form without times and
    /// versions, or the code of its refusal.
    pub fn note<T>(&mut self, step: &str, answer: Result<T, QdrantError>, form: impl FnOnce(T) -> Value) {
        let outcome = match answer {
            Ok(result) => form(result),
            Err(QdrantError::ResponseError { status }) => json!({"refused": format!("{:?}", status.code())}),
            Err(other) => panic!("{step}: {other}"),
        };
        self.steps.push((step.to_owned(), outcome));
    }

    /// Steps by name, in the order they ran.
    fn lines(&self) -> String {
        let mut text = String::from("[\n");
        for (index, (step, outcome)) in self.steps.iter().enumerate() {
            let comma = if index + 1 == self.steps.len() { "" } else { "," };
            text += &format!("  {}{comma}\n", json!([step, outcome]));
        }
        text + "]\n"
    }
}

/// The id of a point.
pub fn id(id: Option<PointId>) -> Value {
    match id.unwrap().point_id_options.unwrap() {
        PointIdOptions::Num(number) => json!(number),
        PointIdOptions::Uuid(uuid) => json!(uuid),
    }
}

/// Found points with their scores, highest first, ties by id.
#[expect(clippy::cast_possible_truncation, reason = "scores are small")]
pub fn found(points: Vec<ScoredPoint>) -> Value {
    let mut rows: Vec<(i64, String, Value, f32)> = points
        .into_iter()
        .map(|point| {
            let rank = -(f64::from(point.score) / SCORE_TOLERANCE).round() as i64;
            let id = id(point.id);
            (rank, format!("{:>40}", id.to_string()), id, point.score)
        })
        .collect();
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    rows.into_iter()
        .map(|(_, _, id, score)| json!([id, (f64::from(score) * 1e6).round() / 1e6]))
        .collect()
}

/// Only the ids, in order.
pub fn ids(points: Vec<RetrievedPoint>) -> Value {
    points.into_iter().map(|point| id(point.id)).collect()
}

/// A payload as JSON.
pub fn payload(values: std::collections::HashMap<String, Wire>) -> Value {
    let values: BTreeMap<_, _> = values
        .into_iter()
        .map(|(key, value)| (key, value.into_json()))
        .collect();
    json!(values)
}

async fn run(client: &Qdrant) -> Record {
    let mut record = Record::default();
    // A server of somebody's may have it from an interrupted run.
    let _absent = client.delete_collection(data::NAME).await;
    writes::create(client, &mut record).await;
    reads::all(client, &mut record).await;
    writes::change(client, &mut record).await;
    record
}

/// Whether two answers are the same up to the tolerance of scores.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= SCORE_TOLERANCE
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (a, b) => a == b,
    }
}

fn compare(who: &str, record: &Record) {
    let expected: Vec<(String, Value)> =
        serde_json::from_str(&fs::read_to_string(EXPECTED).unwrap()).unwrap();
    let differences: Vec<String> = expected
        .iter()
        .zip(&record.steps)
        .filter(|((step, wanted), (got_step, got))| step != got_step || !same(wanted, got))
        .map(|((step, wanted), (_, got))| format!("{step}\n  expected {wanted}\n  got      {got}"))
        .collect();
    assert!(differences.is_empty(), "{who}:\n{}", differences.join("\n"));
    assert_eq!(record.steps.len(), expected.len(), "{who}: number of steps");
}

#[tokio::test]
async fn the_embedded_engine_conforms() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let record = run(&launcher.client()).await;
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(EXPECTED, record.lines()).unwrap();
    }
    compare("embedded", &record);
}

#[tokio::test]
async fn a_real_qdrant_conforms() {
    if let Ok(url) = env::var("QDRANT_URL") {
        let client = Qdrant::from_url(&url).timeout(PATIENCE).build().unwrap();
        compare(&url, &run(&client).await);
    } else if let Some(program) = env::var_os("QDRANT_BIN") {
        let folder = tempdir().unwrap();
        let launcher = Start::new(folder.path()).arg("--qdrant").arg(&program).ready();
        compare("qdrant", &run(&launcher.client()).await);
    } else {
        eprintln!("skipped: neither QDRANT_BIN nor QDRANT_URL names a Qdrant to compare with");
    }
}

#[test]
fn comparing_forgives_scores_only() {
    let check = |a: Value, b: Value, expect: bool| assert_eq!(same(&a, &b), expect, "{a} {b}");
    check(json!([[1, 0.50004]]), json!([[1, 0.5]]), true);
    check(json!([[1, 0.51]]), json!([[1, 0.5]]), false);
    check(json!([1, 2]), json!([2, 1]), false);
    check(json!({"a": 1}), json!({"a": 1, "b": 2}), false);
}
