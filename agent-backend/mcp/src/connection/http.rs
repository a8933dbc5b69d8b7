//! A server over HTTP: its address, its headers, its certificate.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use http::{HeaderName, HeaderValue};
use reqwest_of_rmcp::{Client, Url, redirect};
use rmcp::transport::{
    StreamableHttpClientTransport,
    streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError},
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{
    Error,
    limits::{CONNECT_TIMEOUT, MESSAGE_BYTES_MAX},
};

/// The transport to a server; nothing is sent yet.
///
/// # Errors
/// [`Error::Invalid`], which never names a header's value.
pub(super) fn transport(
    server: &str,
    url: &str,
    headers: &BTreeMap<String, String>,
) -> Result<StreamableHttpClientTransport<Client>, Error> {
    let invalid = |reason: String| Error::Invalid {
        server: server.to_owned(),
        reason,
    };
    let address = Url::parse(url).map_err(|error| invalid(format!("its url is none: {error}")))?;
    let host = match (address.scheme(), address.host_str()) {
        ("http" | "https", Some(host)) => host,
        _ => return Err(invalid("its url must begin with http:// or https://".to_owned())),
    };
    let mut custom = HashMap::new();
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid(format!("`{name}` is no name of a header")))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| invalid(format!("the header {name} holds characters that none has")))?;
        value.set_sensitive(true);
        custom.insert(header, value);
    }
    let tls = tls().map_err(|error| invalid(format!("no certificate can be checked: {error}")))?;
    let mut client = Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIMEOUT)
        // A redirection would carry the headers to somebody else.
        .redirect(redirect::Policy::none());
    if is_this_machine(host) {
        // A proxy set for the web cannot reach our own loopback.
        client = client.no_proxy();
    }
    let client = client.build().map_err(|error| invalid(error.to_string()))?;
    let config = StreamableHttpClientTransportConfig::with_uri(url)
        .custom_headers(custom)
        .max_sse_event_size(MESSAGE_BYTES_MAX);
    Ok(StreamableHttpClientTransport::with_client(client, config))
}

/// The innermost reason of a failure: "connection refused" rather than "error
/// sending request", which would show the address.
pub(super) fn words(error: &(dyn std::error::Error + 'static)) -> String {
    type Failure = StreamableHttpError<reqwest_of_rmcp::Error>;
    let mut inner = error;
    loop {
        if let Some(Failure::Client(error)) = inner.downcast_ref::<Failure>() {
            inner = error;
        } else if let Some(source) = inner.source() {
            inner = source;
        } else {
            break;
        }
    }
    match inner.downcast_ref::<reqwest_of_rmcp::Error>() {
        Some(error) => match error.status() {
            Some(status) => format!("HTTP {status}"),
            None => "the request could not be sent".to_owned(),
        },
        None => inner.to_string(),
    }
}

/// Certificates are checked against those that the system trusts.
fn tls() -> Result<ClientConfig, tokio_rustls::rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
