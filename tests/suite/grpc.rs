//! The gRPC interface does what REST does.

use proto::v1::{
    self, server_service_client::ServerServiceClient, workflow_service_client::WorkflowServiceClient,
};

use crate::world::{SCRIPT, World};

#[tokio::test]
async fn the_grpc_interface_does_the_same() {
    let world = World::new().await;
    let mut workflows = WorkflowServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let request = v1::SubmitRequest {
        workflow_type: "feature_implementation".into(),
        user_query: "Add greetings".into(),
        correlation_id: "grpc_1".into(),
        workspace: world.repo().display().to_string(),
        ..v1::SubmitRequest::default()
    };
    let submitted = workflows.submit(request.clone()).await.unwrap().into_inner();
    let id = submitted.workflow_id.clone();
    assert_eq!(
        workflows.submit(request.clone()).await.unwrap().into_inner(),
        submitted
    );
    let other = v1::SubmitRequest {
        user_query: "Else".into(),
        ..request
    };
    let conflict = workflows.submit(other).await.unwrap_err();
    assert_eq!(conflict.code(), tonic::Code::AlreadyExists);
    assert!(conflict.message().starts_with("E1004"), "{conflict}");

    let watch = v1::WatchRequest {
        workflow_id: id.clone(),
        after: 0,
        delta_only: false,
    };
    let mut events = workflows.watch(watch).await.unwrap().into_inner();
    let mut seqs = Vec::new();
    while let Some(event) = events.message().await.unwrap() {
        seqs.push(event.seq);
        assert_eq!(event.update.is_some(), event.r#type == "agent_streaming_update");
        if event.r#type == "decision_needed" {
            let decide = v1::DecideRequest {
                workflow_id: id.clone(),
                decision: v1::Decision::Accept.into(),
                feedback: String::new(),
                selection: None,
                remember: false,
            };
            workflows.decide(decide).await.unwrap();
        }
    }
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let view = workflows
        .get(v1::GetRequest {
            workflow_id: id.clone(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        view.summary.as_ref().unwrap().state(),
        v1::WorkflowState::Completed
    );
    assert_eq!(view.commit, world.git(&["rev-parse", "HEAD"]));
    assert_eq!(view.diff.len(), 2);
    let list = workflows
        .list(v1::ListRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(list.workflows.len(), 1);
    let missing = workflows
        .get(v1::GetRequest {
            workflow_id: "nope".into(),
        })
        .await
        .unwrap_err();
    assert_eq!(missing.code(), tonic::Code::NotFound);
    let cancel = workflows
        .cancel(v1::CancelRequest { workflow_id: id })
        .await
        .unwrap_err();
    assert_eq!(cancel.code(), tonic::Code::FailedPrecondition);

    let mut server = ServerServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let info = |version: &str| v1::InfoRequest {
        client_version: version.into(),
        client_name: "test".into(),
    };
    let ours = server
        .info(info(shared::version::VERSION))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ours.compatibility(), v1::Compatibility::Full);
    assert_eq!(
        ours.workflow_types,
        ["feature_implementation", "modules", "plan_first", "tests"]
    );
    let other = server.info(info("99.0.0")).await.unwrap().into_inner();
    assert_eq!(other.compatibility(), v1::Compatibility::None);
    let vram = server.vram(v1::VramRequest {}).await.unwrap().into_inner();
    assert_eq!(vram.vram_used_mb, 4500);
}

#[tokio::test]
async fn parts_and_own_texts_are_accepted_over_grpc() {
    let world = World::new().await;
    let id = world.submit("Add greetings").await;
    world.to_review(&id).await;
    let mut workflows = WorkflowServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let get = v1::GetRequest {
        workflow_id: id.clone(),
    };
    let view = workflows.get(get).await.unwrap().into_inner();
    let mut hunks: Vec<_> = view
        .diff
        .iter()
        .map(|file| (file.path.as_str(), file.hunks.len()))
        .collect();
    hunks.sort_unstable();
    assert_eq!(hunks, [("app.py", 1), ("greeting.py", 1)]);
    let decide = |files: Vec<(&str, v1::file_choice::Part)>| v1::DecideRequest {
        workflow_id: id.clone(),
        decision: v1::Decision::Accept.into(),
        feedback: String::new(),
        selection: Some(v1::Selection {
            files: files
                .into_iter()
                .map(|(path, part)| v1::FileChoice {
                    path: path.to_owned(),
                    part: Some(part),
                })
                .collect(),
        }),
        remember: false,
    };
    let hunks = |indexes: &[u32]| {
        v1::file_choice::Part::Hunks(v1::HunkIndexes {
            indexes: indexes.to_vec(),
        })
    };
    let nothing = workflows
        .decide(decide(vec![("app.py", hunks(&[]))]))
        .await
        .unwrap_err();
    assert_eq!(nothing.code(), tonic::Code::InvalidArgument);
    let own = v1::file_choice::Part::Text("def greet(name):\n    return name\n".to_owned());
    let parts = decide(vec![("app.py", hunks(&[0])), ("greeting.py", own)]);
    workflows.decide(parts).await.unwrap();
    world.to_end(&id).await;
    assert_eq!(world.read("greeting.py"), "def greet(name):\n    return name\n");
    assert_eq!(
        world.git(&["show", "--format=", "--name-only", "HEAD"]),
        "app.py\ngreeting.py"
    );
}

#[tokio::test]
async fn who_may_not_ask_is_told_as_grpc_tells_it() {
    let mut world = World::prepared(SCRIPT).await;
    world.configure("auth_token: s3cret\n");
    world.start().await;
    let channel = tonic::transport::Endpoint::from_shared(world.url().to_owned())
        .unwrap()
        .connect_lazy();
    let check = async |token: Option<&'static str>, expect: Result<(), &str>| {
        let authorize = move |mut request: tonic::Request<()>| {
            if let Some(token) = token {
                let token = format!("Bearer {token}").parse().unwrap();
                request.metadata_mut().insert("authorization", token);
            }
            Ok(request)
        };
        let mut server = ServerServiceClient::with_interceptor(channel.clone(), authorize);
        let answered = server.health(v1::HealthRequest {}).await;
        let told = answered.map(|_| ()).map_err(|status| {
            assert_eq!(status.code(), tonic::Code::Unauthenticated);
            status.message().to_owned()
        });
        assert_eq!(told, expect.map_err(str::to_owned), "{token:?}");
    };
    let refused = "E1010: send the backend's token as `Authorization: Bearer …`";
    check(None, Err(refused)).await;
    check(Some("wrong"), Err(refused)).await;
    check(Some("s3cret"), Ok(())).await;
    // The status is gRPC's own, and not one that a client makes of HTTP's.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("{}/agentic_ide.v1.ServerService/Health", world.url()))
        .header("content-type", "application/grpc")
        .send()
        .await
        .unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (
            answer.status().as_u16(),
            header("grpc-status"),
            header("content-type")
        ),
        (200, "16".to_owned(), "application/grpc".to_owned())
    );
}
