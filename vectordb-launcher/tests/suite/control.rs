//! The launcher's own port.

use proto::v1::{
    Collection, EndpointsRequest, EndpointsResponse, Mode, StatusRequest,
    vector_db_service_client::VectorDbServiceClient,
};
use tempfile::tempdir;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{Launcher, fill, make};

#[tokio::test]
async fn status_and_endpoints() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let url = format!("http://127.0.0.1:{}", launcher.ports.control);
    let mut control = VectorDbServiceClient::connect(url.clone()).await.unwrap();

    let status = control.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.mode(), Mode::Embedded);
    assert_eq!(
        (&*status.state, &*status.version, status.pid),
        ("ready", "1.20.0", 0)
    );
    assert_eq!(
        status.collections,
        [Collection {
            name: "code".to_owned(),
            points: 5
        }]
    );
    assert!(status.disk_bytes > 0 && status.memory_bytes > 0, "{status:?}");

    let endpoints = control.endpoints(EndpointsRequest {}).await.unwrap().into_inner();
    let at = |port: u16| format!("http://127.0.0.1:{port}");
    assert_eq!(
        endpoints,
        EndpointsResponse {
            rest_url: at(launcher.ports.http),
            grpc_url: at(launcher.ports.grpc)
        }
    );

    let channel = tonic::transport::Endpoint::from_shared(url)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut health = HealthClient::new(channel);
    for service in ["", "agentic_ide.v1.VectorDbService"] {
        let answer = health
            .check(HealthCheckRequest {
                service: service.to_owned(),
            })
            .await
            .unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }
}
