//! One script of calls through qdrant-client, and what must come back.
//!
//! `expected.json` holds the answers of a real Qdrant and its version: results,
//! and the codes and words of refusals. `QDRANT_BIN=/path/to/qdrant
//! UPDATE_EXPECT=1` writes it anew, and nothing else does. A real Qdrant runs the
//! script whenever `QDRANT_BIN` (a program) or `QDRANT_URL` (a gRPC address)
//! names one. The embedded engine runs it always; where it cannot answer as
//! Qdrant does, [`exceptions`] says so by name, with its own answer and the
//! reason. An exception that is none any more fails.

mod bad;
mod data;
mod exceptions;
mod reads;
mod rest;
mod writes;

use std::{collections::BTreeMap, env, fs};

use exceptions::EXCEPTIONS;
use qdrant_client::{
    Qdrant, QdrantError,
    qdrant::{PointId, RetrievedPoint, ScoredPoint, Value as Wire, point_id::PointIdOptions},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{Launcher, Real};

const EXPECTED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/suite/conformance/expected.json"
);

/// Scores of two implementations may differ by this much.
const SCORE_TOLERANCE: f64 = 1e-4;

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Expected {
    /// The version of the Qdrant that answered.
    qdrant: String,
    steps: Vec<(String, Value)>,
}

impl Expected {
    fn read() -> Self {
        serde_json::from_str(&fs::read_to_string(EXPECTED).unwrap()).unwrap()
    }

    /// One line for each step, so that a change shows as one.
    fn text(&self) -> String {
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|step| format!("    {}", json!(step)))
            .collect();
        format!(
            "{{\n  \"qdrant\": \"{}\",\n  \"steps\": [\n{}\n  ]\n}}\n",
            self.qdrant,
            steps.join(",\n")
        )
    }
}

/// What each step answered, by its name.
#[derive(Default)]
pub struct Record {
    steps: Vec<(String, Value)>,
}

impl Record {
    /// Notes what a step answered: its result in a form without times and
    /// versions, or the code and the words of its refusal.
    pub fn note<T>(&mut self, step: &str, answer: Result<T, QdrantError>, form: impl FnOnce(T) -> Value) {
        let outcome = match answer {
            Ok(result) => form(result),
            Err(QdrantError::ResponseError { status }) => {
                json!({"refused": format!("{:?}", status.code()), "message": status.message()})
            }
            Err(other) => panic!("{step}: {other}"),
        };
        let known = self.steps.iter().any(|(name, _)| name == step);
        assert!(!known, "two steps are called {step}");
        self.steps.push((step.to_owned(), outcome));
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
    bad::all(client, &mut record).await;
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

/// What differs, in words; nothing if nothing does.
fn differences(expected: &[(String, Value)], got: &[(String, Value)]) -> Vec<String> {
    let names = |steps: &[(String, Value)]| steps.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(
        names(got),
        names(expected),
        "the script and the file have the same steps"
    );
    expected
        .iter()
        .zip(got)
        .filter(|((_, wanted), (_, got))| !same(wanted, got))
        .map(|((step, wanted), (_, got))| format!("{step}\n  expected {wanted}\n  got      {got}"))
        .collect()
}

/// `steps` of Qdrant with what the embedded engine answers instead.
fn with_exceptions(mut steps: Vec<(String, Value)>) -> Vec<(String, Value)> {
    for exception in EXCEPTIONS {
        let (_, answer) = steps
            .iter_mut()
            .find(|(name, _)| name == exception.step)
            .unwrap_or_else(|| panic!("no step is called {}", exception.step));
        let own = serde_json::from_str(exception.answer).unwrap();
        assert!(!same(answer, &own), "{} is no exception any more", exception.step);
        *answer = own;
    }
    steps
}

#[tokio::test]
async fn the_embedded_engine_conforms() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let record = run(&launcher.client()).await;
    let expected = with_exceptions(Expected::read().steps);
    let differences = differences(&expected, &record.steps);
    assert!(differences.is_empty(), "embedded:\n{}", differences.join("\n"));
}

#[tokio::test]
async fn a_real_qdrant_conforms() {
    let Some(real) = Real::start() else { return };
    let client = real.client();
    let version = client.health_check().await.unwrap().version;
    let record = run(&client).await;
    if env::var_os("UPDATE_EXPECT").is_some() {
        let expected = Expected {
            qdrant: version.clone(),
            steps: record.steps.clone(),
        };
        fs::write(EXPECTED, expected.text()).unwrap();
    }
    let expected = Expected::read();
    let differences = differences(&expected.steps, &record.steps);
    assert!(
        differences.is_empty(),
        "Qdrant {version}, and the file is of {}:\n{}",
        expected.qdrant,
        differences.join("\n")
    );
}

#[test]
fn comparing_forgives_scores_only() {
    let check = |a: Value, b: Value, expect: bool| assert_eq!(same(&a, &b), expect, "{a} {b}");
    check(json!([[1, 0.50004]]), json!([[1, 0.5]]), true);
    check(json!([[1, 0.51]]), json!([[1, 0.5]]), false);
    check(json!([1, 2]), json!([2, 1]), false);
    check(json!({"a": 1}), json!({"a": 1, "b": 2}), false);
}
