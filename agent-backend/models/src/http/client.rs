//! The client of one server: address, headers, certificates, proxy.

use std::{error::Error as _, path::Path};

use reqwest::{
    Certificate, Client, Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use tokio_rustls::rustls;

use super::{Address, Speaks};
use crate::{Error, Locality};

/// Largest file of certificates, in bytes: the whole web's fit in 300 KB.
const CA_BYTES_MAX: u64 = 1 << 20;

/// The version of Anthropic's interface that is spoken.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// The client and the address below which it calls, ending in a slash.
pub(super) fn build(address: &Address<'_>) -> Result<(Client, Url), Error> {
    let whose = address.whose;
    let invalid = |reason: &str| Error::Invalid {
        reason: format!("the address of {whose} {reason}"),
    };
    let mut base = Url::parse(address.url).map_err(|error| invalid(&format!("is no URL: {error}")))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(invalid("must begin with http:// or https://"));
    }
    if base.host_str().is_none() {
        return Err(invalid("names no host"));
    }
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    base.set_query(None);
    base.set_fragment(None);
    let mut client = Client::builder()
        .default_headers(headers(address)?)
        .connect_timeout(address.connect_timeout)
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true);
    if Locality::of(&base) == Locality::Machine {
        // A proxy set for the web cannot reach our own loopback.
        client = client.no_proxy();
    }
    if let Some(file) = address.ca_file {
        for certificate in certificates(whose, file)? {
            client = client.add_root_certificate(certificate);
        }
    }
    let client = client
        .build()
        .map_err(|error| invalid(&format!("cannot be used: {error}")))?;
    Ok((client, base))
}

/// What goes with each request. All of it is kept out of logs: a header of the
/// configuration may well be a secret.
fn headers(address: &Address<'_>) -> Result<HeaderMap, Error> {
    let whose = address.whose;
    let mut headers = HeaderMap::new();
    if address.speaks == Speaks::Anthropic {
        headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC_VERSION));
    }
    // The values must not reach a message: not even why they are refused.
    let secret = |text: &str, what: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| Error::Invalid {
            reason: format!("the {what} of {whose} holds characters that none has"),
        })?;
        value.set_sensitive(true);
        Ok::<_, Error>(value)
    };
    if let Some(key) = address.key {
        let key = key.expose();
        let (name, text) = match address.speaks {
            Speaks::Ollama | Speaks::OpenAi => (header::AUTHORIZATION, format!("Bearer {key}")),
            Speaks::Anthropic => (HeaderName::from_static("x-api-key"), key.to_owned()),
            Speaks::Gemini => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
        };
        headers.insert(name, secret(&text, "key")?);
    }
    for (name, value) in address.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::Invalid {
            reason: format!("`{name}`, a header of {whose}, is no name of a header"),
        })?;
        headers.insert(header, secret(value.expose(), &format!("header {name}"))?);
    }
    Ok(headers)
}

fn certificates(whose: &str, file: &Path) -> Result<Vec<Certificate>, Error> {
    let invalid = |reason: &dyn std::fmt::Display| Error::Invalid {
        reason: format!("the ca_file of {whose}, {}: {reason}", file.display()),
    };
    let size = std::fs::metadata(file).map_err(|error| invalid(&error))?.len();
    if size > CA_BYTES_MAX {
        return Err(invalid(&format!("it is larger than {CA_BYTES_MAX} bytes")));
    }
    let pem = std::fs::read(file).map_err(|error| invalid(&error))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| invalid(&error))?;
    if found.is_empty() {
        return Err(invalid(&"it holds no certificate (PEM)"));
    }
    Ok(found)
}

/// The address without user and password.
pub(super) fn shown(base: &Url) -> String {
    let mut url = base.clone();
    // Fails only for URLs without a host, which `build` has refused.
    let _no_host = url.set_username("").and_then(|()| url.set_password(None));
    url.as_str().trim_end_matches('/').to_owned()
}

/// The innermost reason: "connection refused" rather than "error sending request".
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    reason
}

/// What is wrong with the server's certificate, and what to do; `None` if the
/// failure is none of its certificate.
pub(super) fn certificate_fault(error: &reqwest::Error) -> Option<String> {
    if let rustls::Error::InvalidCertificate(fault) = tls_error(error)? {
        return Some(certificate_words(fault));
    }
    None
}

fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    // An I/O error hides what it wraps from `source`.
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(|error| tls_error(error.get_ref()?));
    wrapped.or_else(|| tls_error(error.source()?))
}

fn certificate_words(fault: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Fault;
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum that grows with every release"
    )]
    match fault {
        Fault::UnknownIssuer => {
            "an authority signed it that is not known; give that authority's certificate as `ca_file`"
                .to_owned()
        }
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            "it is for another name; use the name that is in it".to_owned()
        }
        Fault::Expired | Fault::ExpiredContext { .. } => {
            "it has expired; renew it, and look at this machine's clock".to_owned()
        }
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => {
            "it is not valid yet; look at this machine's clock".to_owned()
        }
        Fault::Revoked => "it was revoked; the server needs a new one".to_owned(),
        // What rustls says of a self-made certificate without an authority.
        Fault::Other(_) if fault.to_string().contains("CaUsedAsEndEntity") => {
            "it is an authority's own; the server needs one for itself, signed by it".to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_fail() {
        use rustls::CertificateError as Fault;
        fn check(fault: &Fault, expect: &str) {
            let words = certificate_words(fault);
            assert!(words.starts_with(expect), "{words}");
        }
        check(&Fault::UnknownIssuer, "an authority signed it that is not known");
        check(&Fault::NotValidForName, "it is for another name");
        check(&Fault::Expired, "it has expired");
        check(&Fault::NotValidYet, "it is not valid yet");
        check(&Fault::Revoked, "it was revoked");
        check(&Fault::BadSignature, "BadSignature");
    }
}
