//! REST requests that are wrong or odd, and how they are answered: the status and
//! the words of a refusal.
//!
//! `rest.json` holds each request with a real Qdrant's answer, written like
//! `expected.json`. Words are compared without the place in the body: Qdrant tells
//! it for some bodies and not for others.

use std::{env, fs};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{Launcher, Real};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/conformance/rest.json");

/// How the words about a place begin.
const PLACE: &str = " at line ";

/// A request and its answer: method, path, body, status, words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Case(String, String, Option<String>, u16, String);

/// What the embedded engine answers otherwise, with the reason.
struct Exception {
    method: &'static str,
    /// Below the collection.
    path: &'static str,
    body: Option<&'static str>,
    status: u16,
    words: &'static str,
}

const C: &str = "/collections/rest";

/// Calls of Qdrant's that only gRPC has.
const MISSING: &str = "(gRPC has it) is not supported by the embedded engine";

const EXCEPTIONS: &[Exception] = &[
    // The engine reads these by itself and calls its types otherwise.
    Exception {
        method: "PUT",
        path: "/points?wait=true",
        body: Some(r#"{"points": [{"id": 9, "vector": {"a": [1, "x"]}}]}"#),
        status: 400,
        words: "Format error in JSON body: data did not match any variant of untagged enum VectorStructPersisted",
    },
    // Says more than Qdrant does.
    Exception {
        method: "POST",
        path: "/points/delete?wait=true",
        body: Some(r#"{"points": [-1]}"#),
        status: 400,
        words: "Format error in JSON body: value -1 is not a valid point ID, valid values are either an unsigned integer or a \
                UUID",
    },
    Exception {
        method: "POST",
        path: "/points/batch?wait=true",
        body: Some(r#"{"operations": [{"what": {}}]}"#),
        status: 400,
        words: "Format error in JSON body: unknown variant `what`, expected one of `upsert`, `delete`, `set_payload`, \
                `overwrite_payload`, `delete_payload`, `clear_payload`, `update_vectors`, `delete_vectors`",
    },
    Exception {
        method: "POST",
        path: "/points/batch?wait=true",
        body: Some(r#"{"operations": [{"delete": {}}]}"#),
        status: 400,
        words: "Format error in JSON body: data did not match any variant of untagged enum PointsSelector",
    },
    Exception {
        method: "POST",
        path: "/points/recommend",
        body: Some("{}"),
        status: 501,
        words: MISSING,
    },
    Exception {
        method: "POST",
        path: "/points/discover",
        body: Some("{}"),
        status: 501,
        words: MISSING,
    },
];

fn read() -> Vec<Case> {
    serde_json::from_str(&fs::read_to_string(FILE).unwrap()).unwrap()
}

fn write(cases: &[Case]) {
    let lines: Vec<String> = cases.iter().map(|case| format!("  {}", json!(case))).collect();
    fs::write(FILE, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
}

fn words(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(answer) => match answer["status"]["error"].as_str() {
            Some(error) => in_order(error.split(PLACE).next().unwrap_or_default()),
            None => "ok".to_owned(),
        },
        Err(_) => text.to_owned(),
    }
}

/// Several faults come in any order.
fn in_order(text: &str) -> String {
    match text
        .split_once(": [")
        .and_then(|(place, rest)| Some((place, rest.strip_suffix(']')?)))
    {
        Some((place, faults)) => {
            let mut faults: Vec<&str> = faults.split("; ").collect();
            faults.sort_unstable();
            format!("{place}: [{}]", faults.join("; "))
        }
        // What a missing call is called stands before it.
        None => match text.find("(gRPC has it)") {
            Some(at) => text[at..].to_owned(),
            None => text.to_owned(),
        },
    }
}

/// Asks all of it, on a collection of its own.
async fn run(launcher: &Launcher) -> Vec<Case> {
    let new = json!({
        "vectors": {"a": {"size": 2, "distance": "Cosine"}, "b": {"size": 3, "distance": "Dot"}},
        "sparse_vectors": {"s": {}},
    });
    let points: Vec<Value> = (1..5)
        .map(|id| json!({"id": id, "vector": {"a": [1, id], "b": [id, 0.5, 1]}, "payload": {"n": id, "word": "x"}}))
        .collect();
    let points = json!({ "points": points });
    let path = format!("{C}/points?wait=true");
    for (path, body) in [(C, new), (&path, points)] {
        let (status, text) = launcher.rest("PUT", path, body.to_string()).await;
        assert_eq!(status, 200, "{text}");
    }
    let mut answered = Vec::new();
    for Case(method, path, body, ..) in read() {
        let (status, text) = launcher
            .rest(&method, &path, body.clone().unwrap_or_default())
            .await;
        answered.push(Case(method, path, body, status, words(&text)));
    }
    answered
}

fn differences(expected: &[Case], answered: &[Case]) -> Vec<String> {
    let pairs = expected.iter().zip(answered);
    pairs
        .filter(|(expected, answered)| expected != answered)
        .map(|(expected, answered)| format!("{expected:?}\n  answered {} {}", answered.3, answered.4))
        .collect()
}

#[tokio::test]
async fn the_embedded_engine_conforms_over_rest() {
    let folder = tempdir().unwrap();
    let mut expected = read();
    for exception in EXCEPTIONS {
        let case = expected
            .iter_mut()
            .find(|case| {
                let path = case.1.strip_prefix(C);
                (&*case.0, path, case.2.as_deref())
                    == (exception.method, Some(exception.path), exception.body)
            })
            .unwrap_or_else(|| panic!("no case is {} {}", exception.method, exception.path));
        let own = (exception.status, exception.words.to_owned());
        assert_ne!((case.3, case.4.clone()), own, "{case:?} is no exception any more");
        (case.3, case.4) = own;
    }
    let answered = run(&Launcher::embedded(folder.path())).await;
    let differences = differences(&expected, &answered);
    assert!(
        differences.is_empty(),
        "{}:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[tokio::test]
async fn a_real_qdrant_conforms_over_rest() {
    let Some(program) = Real::program() else { return };
    let folder = tempdir().unwrap();
    let answered = run(&Launcher::supervising(folder.path(), &program)).await;
    if env::var_os("UPDATE_EXPECT").is_some() {
        write(&answered);
    }
    let differences = differences(&read(), &answered);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
