//! `GET /debug/metrics`: Prometheus text.

use std::sync::OnceLock;

use axum::{Router, http::header, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::runtime::Runtime;

/// One recorder serves the whole process, however many servers it runs.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| PrometheusBuilder::new().install_recorder().ok())
        .as_ref()
}

/// Counts from here on: before, what is counted is lost.
pub(crate) fn install() {
    let _installed = recorder();
}

pub(super) fn routes() -> Router<Runtime> {
    install();
    Router::new().route("/debug/metrics", get(text))
}

async fn text() -> impl IntoResponse {
    let text = recorder().map(PrometheusHandle::render).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
