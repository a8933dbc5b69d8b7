//! What is chosen for one workflow in a submit, over REST and over gRPC: the
//! model, whether code is searched for, and further folders.

use std::fs;

use proto::v1::{self, workflow_service_client::WorkflowServiceClient};
use scripted_ollama::Record;
use serde_json::{Value, json};

use crate::{
    acp_options::{FOUND, LOCAL, is_shown, models, with_two_models},
    world::World,
};

const SUBMIT: &str = "/api/workflow/submit";

/// What the models were asked until the review of this workflow, and what the
/// search gave; the proposal is rejected.
async fn until_review(world: &World, before: usize, id: &str) -> (Vec<Record>, Value) {
    let events = world.to_review(id).await;
    assert_eq!(world.decide(id, &json!({ "decision": "reject" })).await, 204);
    let found = events
        .into_iter()
        .find(|event| event["type"] == "retrieval_result");
    let records = world.ollama.requests().split_off(before);
    let asked = records
        .into_iter()
        // A model that is only loaded is asked nothing.
        .filter(|record| {
            record.body["messages"]
                .as_array()
                .is_some_and(|said| !said.is_empty())
        });
    (asked.collect(), found.unwrap())
}

/// A submit over REST with these fields too.
fn request(world: &World, correlation: &str, fields: &Value) -> Value {
    let mut request = world.request("Add greetings");
    request["correlation_id"] = json!(correlation);
    for (key, value) in fields.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

#[tokio::test]
async fn a_submit_over_rest_chooses() {
    let world = with_two_models().await;
    let lib = world.path("lib");
    fs::create_dir_all(&lib).unwrap();
    fs::write(lib.join("salutation.py"), FOUND).unwrap();

    let work = async |correlation: &str, fields: Value| {
        let before = world.ollama.requests().len();
        let request = request(&world, correlation, &fields);
        let (status, body) = world.post(SUBMIT, &request).await;
        assert_eq!(status, 202, "{body}");
        until_review(&world, before, body["workflow_id"].as_str().unwrap()).await
    };
    let (asked, found) = work("all", json!({ "model": "other/gpt-other", "folders": [lib] })).await;
    assert_eq!(models(&asked), ["gpt-other", "gpt-other"]);
    assert!(is_shown(&asked, "SALUTE_42"), "{found}");
    let (asked, found) = work("off", json!({ "retrieval": "off", "folders": [lib] })).await;
    assert_eq!(models(&asked), [LOCAL, "gpt-other"]);
    assert_eq!((&found["mode"], &found["items"]), (&json!("off"), &json!([])));
    assert!(!is_shown(&asked, "SALUTE_42"));
    let (asked, found) = work("configured", json!({ "model": "configured", "retrieval": "on" })).await;
    assert_eq!(models(&asked), [LOCAL, "gpt-other"]);
    assert_ne!(found["mode"], "off");
    assert!(!is_shown(&asked, "SALUTE_42"));

    // Another choice is another request; the same one is answered whatever
    // became of its folder.
    let again = request(
        &world,
        "off",
        &json!({ "retrieval": "off", "folders": [lib, lib] }),
    );
    fs::remove_dir_all(&lib).unwrap();
    assert_eq!(world.post(SUBMIT, &again).await.0, 202);
    let other = request(&world, "off", &json!({ "folders": [lib] }));
    let (status, body) = world.post(SUBMIT, &other).await;
    assert_eq!((status, &body["code"]), (409, &json!("E1004")));

    let file = world.repo().join("app.py");
    let many: Vec<String> = (0..17).map(|at| format!("/w/{at}")).collect();
    let there = format!("there is: configured, other/gpt-other, local/{LOCAL}");
    for (fields, why) in [
        (json!({ "model": "none/gpt-other" }), there.as_str()),
        (json!({ "model": "other/none" }), &there),
        (json!({ "model": "gpt-other" }), &there),
        (json!({ "model": 7 }), "the request body cannot be used"),
        (json!({ "retrieval": "perhaps" }), "expected `on` or `off`"),
        (json!({ "retrieval": true }), "the request body cannot be used"),
        (json!({ "folders": ["lib"] }), "`lib` is not an absolute path"),
        (json!({ "folders": [lib] }), "is not a directory"),
        (json!({ "folders": [file] }), "is not a directory"),
        (json!({ "folders": many }), "16 are allowed: name fewer"),
        (json!({ "folders": "/w" }), "the request body cannot be used"),
    ] {
        let (status, body) = world.post(SUBMIT, &request(&world, "wrong", &fields)).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("E1001")),
            "{fields}: {body}"
        );
        let message = body["message"].as_str().unwrap();
        assert!(message.contains(why), "{fields}: {message}");
    }
    let (_, page) = world.get("/api/workflows").await;
    assert_eq!(
        page["workflows"].as_array().unwrap().len(),
        3,
        "nothing was begun"
    );
}

#[tokio::test]
async fn a_submit_over_grpc_chooses() {
    let world = with_two_models().await;
    let lib = world.path("lib");
    fs::create_dir_all(&lib).unwrap();
    fs::write(lib.join("salutation.py"), FOUND).unwrap();
    let mut workflows = WorkflowServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let plain = v1::SubmitRequest {
        workflow_type: "feature_implementation".into(),
        user_query: "Add greetings".into(),
        workspace: world.repo().display().to_string(),
        ..v1::SubmitRequest::default()
    };
    let folders = vec![lib.display().to_string()];
    let chosen = v1::SubmitRequest {
        model: "other/gpt-other".into(),
        folders: folders.clone(),
        ..plain.clone()
    };
    let off = v1::SubmitRequest {
        model: "configured".into(),
        retrieval: v1::Retrieval::Off.into(),
        folders,
        ..plain.clone()
    };
    for (request, expect, is_searched) in [
        (chosen, ["gpt-other", "gpt-other"], true),
        (off, [LOCAL, "gpt-other"], false),
    ] {
        let before = world.ollama.requests().len();
        let submitted = workflows.submit(request).await.unwrap().into_inner();
        let (asked, found) = until_review(&world, before, &submitted.workflow_id).await;
        assert_eq!(models(&asked), expect);
        assert_eq!(is_shown(&asked, "SALUTE_42"), is_searched);
        assert_eq!(found["mode"] != "off", is_searched, "{found}");
    }

    let wrong = |change: fn(&mut v1::SubmitRequest)| {
        let mut request = plain.clone();
        change(&mut request);
        request
    };
    for (request, why) in [
        (
            wrong(|request| request.model = "other/none".into()),
            "there is no model `other/none`",
        ),
        (
            wrong(|request| request.retrieval = 9),
            "retrieval: 9 is none of its values",
        ),
        (
            wrong(|request| request.folders = vec!["lib".into()]),
            "is not an absolute path",
        ),
        (
            wrong(|request| request.folders = vec!["/nowhere/at/all".into()]),
            "is not a directory",
        ),
    ] {
        let refused = workflows.submit(request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
        assert!(
            refused.message().starts_with("E1001") && refused.message().contains(why),
            "{refused}"
        );
    }
    let list = workflows
        .list(v1::ListRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(list.workflows.len(), 2, "nothing was begun");
}
