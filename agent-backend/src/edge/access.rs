//! Who may ask: a bearer token where one is configured, and no web page of
//! somebody else's, because a browser would send it to a local port unasked.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use shared::error::Code;
use tonic::Status;

use crate::error::Error;

/// Subprotocol prefix under which a browser's WebSocket carries the token.
const SUBPROTOCOL: &str = "agentic-ide.token.";

/// Content type of gRPC, before what it carries.
const GRPC: &str = "application/grpc";

/// What a request must show.
#[derive(Clone, Default)]
pub(super) struct Access {
    token: Option<[u8; 32]>,
}

impl Access {
    pub(super) fn new(token: Option<&str>) -> Self {
        Self {
            token: token.map(digest),
        }
    }

    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Error> {
        if let Some(origin) = headers.get(header::ORIGIN)
            && !origin.to_str().is_ok_and(is_local)
        {
            let message = "requests from web pages of another host are refused";
            return Err(Error::user(Code::OriginRefused, message));
        }
        let Some(expected) = &self.token else {
            return Ok(());
        };
        // A browser asks whether it may ask, and shows nothing with that.
        if method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            return Ok(());
        }
        // Hashes are compared, so that the time taken tells nothing of the token.
        if presented(headers).map(digest).as_ref() == Some(expected) {
            return Ok(());
        }
        let message = "send the backend's token as `Authorization: Bearer …`";
        Err(Error::user(Code::Unauthenticated, message))
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
    bearer.or_else(|| subprotocol(headers)?.strip_prefix(SUBPROTOCOL))
}

/// The subprotocol with a token, if one is offered.
fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    offered
        .split(',')
        .map(str::trim)
        .find(|protocol| protocol.starts_with(SUBPROTOCOL))
}

/// Takes the subprotocol up: a browser ends a WebSocket that takes none of those
/// it offered.
fn take_up(offered: Option<HeaderValue>, response: &mut Response) {
    let has_one = response.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL);
    if let Some(offered) = offered
        && response.status() == StatusCode::SWITCHING_PROTOCOLS
        && !has_one
    {
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, offered);
    }
}

/// Whether a browser's origin is this machine.
fn is_local(origin: &str) -> bool {
    let Some((_, rest)) = origin.split_once("://") else {
        return false;
    };
    let host = match rest.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => rest.split(':').next().unwrap_or_default(),
    };
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

/// Refuses requests that may not pass.
pub(super) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    match access.check(request.method(), request.headers()) {
        Ok(()) => {
            let offered = subprotocol(request.headers()).and_then(|protocol| protocol.parse().ok());
            let mut response = next.run(request).await;
            take_up(offered, &mut response);
            response
        }
        Err(error) if speaks_grpc(request.headers()) => Status::from(error).into_http(),
        Err(error) => error.into_response(),
    }
}

/// Whether the client reads its answer as gRPC, with the error in the trailers.
fn speaks_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with(GRPC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: Option<&str>, headers: &[(&'static str, &str)], expect: Option<Code>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let method = match map.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            true => Method::OPTIONS,
            false => Method::GET,
        };
        let got = Access::new(token)
            .check(&method, &map)
            .err()
            .map(|error| error.code);
        assert_eq!(got, expect, "{headers:?}");
    }

    #[test]
    fn who_may_ask() {
        check(None, &[], None);
        check(None, &[("origin", "http://localhost:3000")], None);
        check(None, &[("origin", "http://[::1]:3000")], None);
        check(
            None,
            &[("origin", "https://evil.example")],
            Some(Code::OriginRefused),
        );
        check(
            None,
            &[("origin", "http://localhost.evil.example")],
            Some(Code::OriginRefused),
        );
        check(None, &[("origin", "null")], Some(Code::OriginRefused));
        check(Some("s3cret"), &[], Some(Code::Unauthenticated));
        check(
            Some("s3cret"),
            &[("authorization", "Bearer nope")],
            Some(Code::Unauthenticated),
        );
        check(Some("s3cret"), &[("authorization", "Bearer s3cret")], None);
        check(
            Some("s3cret"),
            &[("sec-websocket-protocol", "x, agentic-ide.token.s3cret")],
            None,
        );
        let asks = ("access-control-request-method", "POST");
        check(Some("s3cret"), &[("origin", "http://localhost:3000"), asks], None);
        check(
            Some("s3cret"),
            &[("origin", "https://evil.example"), asks],
            Some(Code::OriginRefused),
        );
    }
}
