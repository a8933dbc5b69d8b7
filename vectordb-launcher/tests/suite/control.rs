//! The launcher's own port.

use std::net::TcpListener;

use proto::v1::{
    BackupRequest, Collection, EndpointsRequest, EndpointsResponse, Mode, RestoreRequest, StatusRequest,
    vector_db_service_client::VectorDbServiceClient,
};
use tempfile::tempdir;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::{Launcher, PATIENCE, Start, fill, make};

#[tokio::test]
async fn status_and_endpoints() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let url = format!("http://127.0.0.1:{}", launcher.ports.control);
    let mut control = VectorDbServiceClient::connect(url).await.unwrap();

    let status = control.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.mode(), Mode::Embedded);
    assert_eq!(
        (&*status.state, &*status.version, status.pid),
        ("ready", "1.20.0", launcher.pid())
    );
    assert_eq!(
        status.collections,
        [Collection {
            name: "code".to_owned(),
            points: 5
        }]
    );
    assert!(status.disk_bytes > 0 && status.memory_bytes > 0, "{status:?}");
    assert_eq!((&*status.detail, status.generation.len()), ("", 36));
    let older = async {
        while control
            .status(StatusRequest {})
            .await
            .unwrap()
            .into_inner()
            .uptime_seconds
            == 0
        {}
    };
    tokio::time::timeout(PATIENCE, older).await.unwrap();

    let endpoints = control.endpoints(EndpointsRequest {}).await.unwrap().into_inner();
    let at = |port: u16| format!("http://127.0.0.1:{port}");
    assert_eq!(
        endpoints,
        EndpointsResponse {
            rest_url: at(launcher.ports.http),
            grpc_url: at(launcher.ports.grpc)
        }
    );

    for service in ["", "agentic_ide.v1.VectorDbService"] {
        assert_eq!(
            health(launcher.ports.control, service).await,
            ServingStatus::Serving
        );
    }
    // The database's own port has the check, too, as Qdrant's.
    assert_eq!(health(launcher.ports.grpc, "").await, ServingStatus::Serving);
}

async fn channel(port: u16) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
    let connect = async {
        loop {
            // It may only be starting.
            if let Ok(channel) = endpoint.connect().await {
                return channel;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, connect).await.unwrap()
}

async fn health(port: u16, service: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let mut client = HealthClient::new(channel(port).await);
    client.check(request).await.unwrap().into_inner().status()
}

/// A tool that knows nothing of the launcher learns from it what it offers.
#[tokio::test]
async fn reflection_describes_the_service() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let mut reflection = ServerReflectionClient::new(channel(launcher.ports.control).await);
    let ask = |message_request| {
        tokio_stream::once(ServerReflectionRequest {
            host: String::new(),
            message_request: Some(message_request),
        })
    };
    let mut answer = async |question| {
        let mut answers = reflection
            .server_reflection_info(ask(question))
            .await
            .unwrap()
            .into_inner();
        answers
            .message()
            .await
            .unwrap()
            .unwrap()
            .message_response
            .unwrap()
    };
    let MessageResponse::ListServicesResponse(list) =
        answer(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list");
    };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for name in ["agentic_ide.v1.VectorDbService", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
    let symbol = "agentic_ide.v1.VectorDbService.Backup".to_owned();
    let MessageResponse::FileDescriptorResponse(files) =
        answer(MessageRequest::FileContainingSymbol(symbol)).await
    else {
        panic!("no file");
    };
    assert_eq!(files.file_descriptor_proto.len(), 1);
}

/// While Qdrant is not there, the launcher says so and why.
#[tokio::test]
async fn what_is_not_ready_is_not_serving() {
    let folder = tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let launcher = Start::controlled_at(folder.path(), port)
        .arg("--url")
        .arg(&url)
        .running();
    launcher.wait_for("Qdrant is not ready");
    for service in ["", "agentic_ide.v1.VectorDbService"] {
        assert_eq!(health(port, service).await, ServingStatus::NotServing);
    }
    let mut control = VectorDbServiceClient::new(channel(port).await);
    let status = control.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.mode(), &*status.state), (Mode::External, "starting"));
    assert!(status.detail.contains("refused"), "{status:?}");
    assert_eq!((&*status.version, &*status.generation), ("", ""));
    let endpoints = control.endpoints(EndpointsRequest {}).await.unwrap().into_inner();
    assert_eq!(endpoints.rest_url, url);
    let directory = folder.path().join("copy").to_str().unwrap().to_owned();
    let refused = control
        .backup(BackupRequest {
            directory: directory.clone(),
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Internal, "{refused}");
    assert!(refused.message().contains("refused"), "{refused}");
    let refused = control.restore(RestoreRequest { directory }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(refused.message().contains("is no copy of a Qdrant"), "{refused}");
    // Nothing is left of the attempt.
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| !name.to_str().unwrap().contains("partial")),
        "{left:?}"
    );
}
