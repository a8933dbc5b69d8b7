//! The real connection against a small server of our own on a local port.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{
        self, Path, Query, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures::StreamExt;
use gui_client::{
    Error,
    config::{Address, Token},
    connection::{
        Component, Connection, Followed, Index, IndexState, Memory, MemoryKind, Server, ServerInfo,
        backoff::Backoff, dial::Dialer, live::Live,
    },
};
use proto::v1;
use serde_json::{Value, json};
use shared::{
    error::{Class, Code},
    id::{Seq, WorkflowId},
    version::{Compatibility, VERSION},
    wire::{Decision, DecisionRequest, Envelope, SubmitRequest, UndoResponse, WorkflowPage, WorkflowState},
};
use tonic::{Request, Response as Reply, Status};

use crate::support::{event, state, text};

/// What the server was asked, in order.
#[derive(Clone, Default)]
pub struct Asked(Arc<Mutex<Vec<(String, Value)>>>);

impl Asked {
    fn note(&self, what: String, with: Value) {
        self.0.lock().unwrap().push((what, with));
    }

    pub fn all(&self) -> Vec<(String, Value)> {
        self.0.lock().unwrap().clone()
    }
}

struct Info;

#[tonic::async_trait]
impl v1::server_service_server::ServerService for Info {
    async fn info(&self, request: Request<v1::InfoRequest>) -> Result<Reply<v1::InfoResponse>, Status> {
        assert_eq!(request.into_inner().client_version, VERSION);
        Ok(Reply::new(v1::InfoResponse {
            version: VERSION.to_owned(),
            compatibility: v1::Compatibility::Full.into(),
            workflow_types: vec![],
            default_workspace: "/src".to_owned(),
        }))
    }

    async fn health(&self, _: Request<v1::HealthRequest>) -> Result<Reply<v1::HealthResponse>, Status> {
        let model = v1::Component {
            name: "model".to_owned(),
            ok: false,
            detail: "no Ollama".to_owned(),
        };
        Ok(Reply::new(v1::HealthResponse {
            ready: false,
            components: vec![model],
        }))
    }

    async fn vram(&self, _: Request<v1::VramRequest>) -> Result<Reply<v1::VramResponse>, Status> {
        Ok(Reply::new(v1::VramResponse {
            vram_used_mb: 900,
            vram_total_mb: Some(8_192),
            kind: "gpu".to_owned(),
            level: "warning".to_owned(),
            ..v1::VramResponse::default()
        }))
    }

    async fn index_status(
        &self,
        request: Request<v1::IndexStatusRequest>,
    ) -> Result<Reply<v1::IndexStatusResponse>, Status> {
        let workspace = request.into_inner().workspace;
        assert_eq!(workspace, "/src");
        Ok(Reply::new(v1::IndexStatusResponse {
            state: "indexing".to_owned(),
            files: 12,
            workspace,
            progress: Some(v1::IndexProgress {
                files_done: 3,
                files_total: 4,
                seconds_left: Some(9),
                ..v1::IndexProgress::default()
            }),
            ..v1::IndexStatusResponse::default()
        }))
    }

    type WatchIndexStream = futures::stream::Empty<Result<v1::IndexStatusResponse, Status>>;

    async fn watch_index(
        &self,
        _: Request<v1::WatchIndexRequest>,
    ) -> Result<Reply<Self::WatchIndexStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_indexes(
        &self,
        _: Request<v1::ListIndexesRequest>,
    ) -> Result<Reply<v1::ListIndexesResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn control_index(
        &self,
        _: Request<v1::ControlIndexRequest>,
    ) -> Result<Reply<v1::IndexStatusResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

/// Sends the events after `after`, three a connection, then breaks off.
async fn stream(
    State(asked): State<Asked>,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    asked.note(format!("stream {id}"), json!(query));
    let after: u64 = query
        .iter()
        .find(|(key, _)| key == "after")
        .unwrap()
        .1
        .parse()
        .unwrap();
    upgrade.on_upgrade(move |mut socket: WebSocket| async move {
        for event in all_events().iter().filter(|event| event.seq.0 > after).take(3) {
            let frame = Message::Text(serde_json::to_string(event).unwrap().into());
            socket.send(frame).await.unwrap();
        }
    })
}

pub fn all_events() -> Vec<Envelope> {
    let words = (1..=7).map(|seq| event(seq, 1, text("x", seq - 1, seq)));
    words
        .chain([event(8, 1, state(WorkflowState::Completed, 1))])
        .collect()
}

fn summary(id: &str, state: &str) -> Value {
    json!({
        "workflow_id": id, "correlation_id": "c1", "workflow_type": "feature_implementation", "user_query": "q",
        "workspace": "/src", "state": state, "head": 3, "created_at": 1, "updated_at": 2,
    })
}

/// Lets through who shows the token, if one is wanted.
async fn guard(State(token): State<Option<&'static str>>, request: extract::Request, next: Next) -> Response {
    let shown = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if token.is_none() || shown == token {
        return next.run(request).await;
    }
    let refusal = json!({"code": "E1010", "message": "no token"});
    (StatusCode::UNAUTHORIZED, Json(refusal)).into_response()
}

/// A server that wants to be shown `token` as authorization, on this port.
pub async fn server(token: Option<&'static str>) -> (u16, Asked) {
    let asked = Asked::default();
    let rest = Router::new()
        .route(
            "/api/workflow/submit",
            post(async |State(asked): State<Asked>, Json(body): Json<Value>| {
                asked.note("submit".to_owned(), body);
                (StatusCode::ACCEPTED, Json(json!({"workflow_id": "w1", "correlation_id": "c1"})))
            }),
        )
        .route(
            "/api/workflow/{id}/checks/{name}/log",
            get(async |Path((id, name)): Path<(String, String)>| {
                let refusal = json!({"code": "E1001", "message": format!("{name} has no log")});
                if name == "test/a b" {
                    Ok(format!("{id} {name}: 3 passed\n"))
                } else {
                    Err((StatusCode::BAD_REQUEST, Json(refusal)))
                }
            }),
        )
        .route(
            "/api/workflow/{id}/decision",
            post(async |State(asked): State<Asked>, Path(id): Path<String>, Json(body): Json<Value>| {
                asked.note(format!("decision {id}"), body);
                let refusal = json!({"code": "E1007", "message": "it is not waiting"});
                if id == "w1" { (StatusCode::OK, Json(json!({}))) } else { (StatusCode::CONFLICT, Json(refusal)) }
            }),
        )
        .route(
            "/api/workflow/{id}/fork",
            post(async |State(asked): State<Asked>, Path(id): Path<String>, Json(body): Json<Value>| {
                asked.note(format!("fork {id}"), body);
                (StatusCode::ACCEPTED, Json(json!({"workflow_id": "w4", "correlation_id": "c4"})))
            }),
        )
        .route("/api/workflow/{id}/cancel", post(async || StatusCode::NO_CONTENT))
        .route(
            "/api/workflow/{id}/undo",
            post(async || Json(json!({ "workflow_id": "w3", "commit": "1f7a7a4", "branch": null }))),
        )
        .route(
            "/api/workflows",
            get(async |Query(query): Query<HashMap<String, String>>| match query.get("cursor") {
                None => Json(json!({"next_cursor": "w1", "workflows": [summary("w3", "completed"), summary("w2", "running"), summary("w1", "running")]})),
                Some(cursor) => Json(json!({"workflows": [summary(&format!("older than {cursor}"), "failed")]})),
            }),
        )
        .route("/api/workflow/{id}/stream", get(stream))
        .with_state(asked.clone());
    let grpc = tonic::service::Routes::new(v1::server_service_server::ServerServiceServer::new(Info));
    let app = rest.merge(grpc.into_axum_router());
    let app = app.layer(middleware::from_fn_with_state(token, guard));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (port, asked)
}

/// A connection to a server of our own, and what that was asked.
async fn serve() -> (Live, Asked) {
    let (port, asked) = server(None).await;
    (
        live(&format!("http://127.0.0.1:{port}"), None, None).unwrap(),
        asked,
    )
}

/// A connection that does not wait long before it tries again.
pub fn live(address: &str, token: Option<&str>, ca_file: Option<&std::path::Path>) -> Result<Live, Error> {
    let token = token.map(Token::from);
    let dialer = Dialer::new(Address::parse(address)?, token.as_ref(), ca_file)?;
    let backoff = Backoff {
        first_ms: 1,
        max_ms: 1,
    };
    Live::new(dialer, backoff)
}

#[tokio::test]
async fn events_come_once_and_in_order_over_connections_that_break() {
    let (live, asked) = serve().await;
    let followed: Vec<Followed> = live.follow(&WorkflowId::new("w1"), Seq(0)).collect().await;
    let events: Vec<Envelope> = followed
        .iter()
        .flat_map(|followed| {
            if let Followed::Events(events) = followed {
                events.clone()
            } else {
                Vec::new()
            }
        })
        .map(|event| event.envelope)
        .collect();
    assert_eq!(events, all_events());
    let ask = |after: u64| {
        (
            "stream w1".to_owned(),
            json!([["after", after.to_string()], ["mode", "delta"]]),
        )
    };
    assert_eq!(asked.all(), [ask(0), ask(3), ask(6)]);
}

#[tokio::test]
async fn requests_as_the_contract_says() {
    let (live, asked) = serve().await;
    let id = WorkflowId::new("w1");
    let request = SubmitRequest {
        workflow_type: "feature_implementation".to_owned(),
        user_query: "add a lock".to_owned(),
        correlation_id: Some("c1".to_owned()),
        workspace: None,
        model: None,
        thought_level: None,
        retrieval: None,
        folders: Vec::new(),
        images: Vec::new(),
    };
    let decision = DecisionRequest {
        decision: Decision::Modify,
        feedback: Some("shorter".to_owned()),
        hunks: None,
        remember: false,
    };
    assert_eq!(live.submit(request).await, Ok(id.clone()));
    assert_eq!(live.decide(&id, decision.clone()).await, Ok(()));
    assert_eq!(live.cancel(&id).await, Ok(()));
    let undone = UndoResponse {
        workflow_id: WorkflowId::new("w3"),
        commit: Some("1f7a7a4".to_owned()),
        branch: None,
    };
    assert_eq!(live.undo(&id).await, Ok(undone));
    let newest = live.newest_unfinished().await.unwrap().unwrap();
    assert_eq!(newest.workflow_id, WorkflowId::new("w2"));
    assert_eq!(
        live.log(&id, "test/a b").await,
        Ok("w1 test/a b: 3 passed\n".to_owned())
    );
    let missing = live.log(&id, "format").await.unwrap_err();
    assert_eq!(missing.to_string(), "format has no log");
    let page = live.page(None).await.unwrap();
    let older = live.page(page.next_cursor.as_deref()).await.unwrap();
    let ids = |page: &WorkflowPage| -> Vec<String> {
        let all = page.workflows.iter();
        all.map(|workflow| workflow.workflow_id.to_string()).collect()
    };
    assert_eq!(
        (ids(&page), ids(&older)),
        (
            vec!["w3".to_owned(), "w2".to_owned(), "w1".to_owned()],
            vec!["older than w1".to_owned()],
        )
    );
    assert_eq!(live.fork(&id, Seq(4)).await, Ok(WorkflowId::new("w4")));
    let refused = live.decide(&WorkflowId::new("w9"), decision).await.unwrap_err();
    assert_eq!(
        refused,
        Error::Refused {
            code: "E1007".to_owned(),
            message: "it is not waiting".to_owned(),
            class: Class::User
        }
    );
    assert_eq!(
        (refused.class(), refused.code()),
        (Class::User, Code::DecisionNotPending)
    );
    let submit = json!({"workflow_type": "feature_implementation", "user_query": "add a lock", "correlation_id": "c1"});
    let decide = |id: &str| {
        (
            format!("decision {id}"),
            json!({"decision": "modify", "feedback": "shorter"}),
        )
    };
    assert_eq!(
        asked.all(),
        [
            ("submit".to_owned(), submit),
            decide("w1"),
            ("fork w1".to_owned(), json!({"at": 4})),
            decide("w9")
        ]
    );
}

#[tokio::test]
async fn version_and_health_over_grpc_on_the_same_port() {
    let (live, _asked) = serve().await;
    let model = Component {
        name: "model".to_owned(),
        ok: false,
        detail: "no Ollama".to_owned(),
    };
    let info = ServerInfo {
        version: VERSION.to_owned(),
        compatibility: Compatibility::Full,
        default_workspace: "/src".to_owned(),
        components: vec![model],
        index: Some(Index {
            state: IndexState::Indexing,
            files: 12,
            progress: Some((3, 4)),
            seconds_left: Some(9),
            code: String::new(),
        }),
        memory: Some(Memory {
            kind: MemoryKind::Gpu,
            used_mb: 900,
            total_mb: 8_192,
            is_tight: true,
        }),
    };
    assert_eq!(live.watch().next().await, Some(Server::Up(info)));
}

#[tokio::test]
async fn nobody_there() {
    // Port 1 is reserved and has no listener.
    let live = live("http://127.0.0.1:1", None, None).unwrap();
    let error = live.newest_unfinished().await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (Class::Transient, Code::BackendUnreachable)
    );
    assert!(matches!(
        live.watch().next().await,
        Some(Server::Down(Error::Unreachable { .. }))
    ));
    assert!(matches!(
        live.follow(&WorkflowId::new("w1"), Seq(0)).next().await,
        Some(Followed::Interrupted {
            error: Error::Unreachable { .. },
            ..
        })
    ));
}
