//! The JSON Schemas in `docs/protocol` are those of the wire types.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests stop the test, as the tests themselves do"
)]

use std::{env, fs, path::PathBuf};

use schemars::{
    JsonSchema,
    generate::{SchemaGenerator, SchemaSettings},
};
use serde_json::Value;
use shared::wire::{
    CodeAnswer, CodeRequest, DecisionRequest, Envelope, ErrorBody, IndexPage, IndexRequest, IndexView,
    MemoryView, RemarkRequest, SandboxView, SearchAnswer, SearchRequest, SessionPosition,
    SessionReplayRequest, SubmitRequest, SubmitResponse, UndoResponse, WorkflowDecideRequest,
    WorkflowGetRequest, WorkflowListRequest, WorkflowPage, WorkflowView,
};

/// Writes the files instead of comparing them.
const UPDATE: &str = "UPDATE_SCHEMAS";

/// What the backend reads: a field with a default may be left out.
fn read<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// What the backend writes: a field that is always there is required.
fn written<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn schema<T: JsonSchema>(settings: SchemaSettings) -> Value {
    SchemaGenerator::new(settings).into_root_schema_for::<T>().into()
}

fn check(name: &str, schema: &Value) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol");
    let path = folder.join(format!("{name}.schema.json"));
    let committed = fs::read_to_string(&path).unwrap_or_default();
    // Values, not text: the order of keys is no part of a schema.
    let same = serde_json::from_str::<Value>(&committed).is_ok_and(|committed| committed == *schema);
    if env::var_os(UPDATE).is_some() {
        if !same {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, format!("{schema:#}\n")).unwrap();
        }
        return;
    }
    assert!(
        same,
        "docs/protocol/{name}.schema.json is not what the wire type says; write it again with \
         `{UPDATE}=1 cargo test -p shared --test schemas`. It should be:\n{schema:#}"
    );
}

#[test]
fn the_committed_schemas_are_those_of_the_wire_types() {
    check("envelope", &written::<Envelope>());
    check("index-view", &written::<IndexView>());
    check("index-request", &read::<IndexRequest>());
    check("index-page", &written::<IndexPage>());
    check("memory-view", &written::<MemoryView>());
    check("sandbox-view", &written::<SandboxView>());
    check("search-request", &read::<SearchRequest>());
    check("search-answer", &written::<SearchAnswer>());
    check("code-request", &read::<CodeRequest>());
    check("code-answer", &written::<CodeAnswer>());
    check("submit-request", &read::<SubmitRequest>());
    check("submit-response", &written::<SubmitResponse>());
    check("undo-response", &written::<UndoResponse>());
    check("decision-request", &read::<DecisionRequest>());
    check("remark-request", &read::<RemarkRequest>());
    check("workflow-view", &written::<WorkflowView>());
    check("workflow-page", &written::<WorkflowPage>());
    check("workflow-get-request", &read::<WorkflowGetRequest>());
    check("workflow-list-request", &read::<WorkflowListRequest>());
    check("workflow-decide-request", &read::<WorkflowDecideRequest>());
    check("session-replay-request", &read::<SessionReplayRequest>());
    check("session-position", &read::<SessionPosition>());
    check("error-body", &written::<ErrorBody>());
}
