//! Reading requests: bodies, parameters and the names in paths, each refused as
//! by Qdrant: 400 for what cannot be read, 422 for a value that may not be.

use std::num::NonZeroU64;

use axum::{
    body::Bytes,
    extract::{
        FromRequestParts, Query, RawPathParams, Request,
        rejection::{BytesRejection, QueryRejection},
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, request::Parts};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use super::failed;
use crate::embedded::{
    calls::REQUEST_BYTES_MAX,
    error::{Error, Result},
};

/// Longest name of a new collection, in characters.
const NAME_LENGTH_MAX: usize = 255;

/// What no name of a collection has, and what no new one has: Qdrant makes a
/// folder of each.
const NAME_REFUSED: &[char] = &['/', '\0'];
const NEW_NAME_REFUSED: &[char] = &['<', '>', ':', '"', '/', '\\', '|', '?', '*', '\0', '\u{1F}'];

/// A request's body, as far as it arrived.
pub type Payload = std::result::Result<Bytes, BytesRejection>;

/// Reads and checks a body. Large ones take a while, so this belongs in the pool.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Invalid`].
pub fn body<T: DeserializeOwned + Validate>(bytes: Payload) -> Result<T> {
    let bytes = bytes.map_err(|rejected| {
        Error::Malformed(if rejected.status() == StatusCode::PAYLOAD_TOO_LARGE {
            format!("JSON payload has exceeded limit ({REQUEST_BYTES_MAX} bytes).")
        } else {
            format!("JSON payload cannot be read: {rejected}")
        })
    })?;
    let value: T = serde_json::from_slice(&bytes)
        .map_err(|error| Error::Malformed(format!("Format error in JSON body: {error}")))?;
    checked("JSON body", value)
}

fn checked<T: Validate>(place: &str, value: T) -> Result<T> {
    match value.validate() {
        Ok(()) => Ok(value),
        Err(errors) => {
            let mut found = Vec::new();
            describe(&errors, "", &mut found);
            // In a map they have no order.
            found.sort();
            Err(invalid(place, &found.join("; ")))
        }
    }
}

fn invalid(place: &str, what: &str) -> Error {
    Error::Invalid(format!("Validation error in {place}: [{what}]"))
}

/// Each fault with the way to it.
fn describe(errors: &ValidationErrors, way: &str, found: &mut Vec<String>) {
    for (name, kind) in errors.errors() {
        match kind {
            ValidationErrorsKind::Struct(errors) => describe(errors, &format!("{way}{name}."), found),
            ValidationErrorsKind::List(list) => {
                for (index, errors) in list {
                    describe(errors, &format!("{way}{name}[{index}]."), found);
                }
            }
            ValidationErrorsKind::Field(errors) => {
                found.extend(
                    errors
                        .iter()
                        .map(|error| format!("{way}{name}: {}", fault(error))),
                );
            }
        }
    }
}

/// In Qdrant's words.
fn fault(error: &ValidationError) -> String {
    let param = |name: &str| error.params.get(name);
    if let Some(message) = &error.message {
        return message.to_string();
    }
    let bounds = match (&*error.code, param("min"), param("max")) {
        ("range", Some(min), None) => format!("must be {min} or larger"),
        ("range", None, Some(max)) => format!("must be {max} or smaller"),
        ("range", Some(min), Some(max)) => format!("must be from {min} to {max}"),
        ("length", Some(min), None) => format!("must be at least {min} characters"),
        ("length", Some(min), Some(max)) => format!("must be from {min} to {max} characters"),
        _ => {
            return match param("message").and_then(|message| message.as_str()) {
                Some(message) => message.to_owned(),
                None => error.to_string(),
            };
        }
    };
    match param("value") {
        Some(value) => format!("value {value} invalid, {bounds}"),
        None => bounds,
    }
}

/// A refusal that is a sentence.
pub fn sentence(code: &'static str, text: String) -> ValidationError {
    ValidationError::new(code).with_message(text.into())
}

/// Checks the name of a collection in the path. Those that no collection can
/// have are refused before anything else.
pub async fn check_name(params: RawPathParams, request: Request, next: Next) -> Response {
    let name = params.iter().find(|(key, _)| *key == "name");
    match name.map_or(Ok(()), |(_, name)| without(name, NAME_REFUSED)) {
        Ok(()) => next.run(request).await,
        Err(error) => refused(&error),
    }
}

/// Checks the name of a collection that is to be.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check_new_name(name: &str) -> Result<()> {
    if name.is_empty() || name.chars().count() > NAME_LENGTH_MAX {
        let name = serde_json::json!(name);
        let words = format!("value {name} invalid, must be from 1 to {NAME_LENGTH_MAX} characters");
        return Err(invalid("path parameters", &format!("collection_name: {words}")));
    }
    without(name, NEW_NAME_REFUSED)
}

fn without(name: &str, refused: &[char]) -> Result<()> {
    match refused.iter().find(|refused| name.contains(**refused)) {
        Some(character) => Err(invalid(
            "path parameters",
            &format!("collection_name: collection name cannot contain \"{character}\" char"),
        )),
        None => Ok(()),
    }
}

fn refused(error: &Error) -> Response {
    failed(StatusCode::from(error), &error.to_string())
}

/// The parameters behind the question mark.
#[derive(Debug)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned + Validate, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Response> {
        let read = Query::<T>::try_from_uri(&parts.uri)
            .map_err(|rejected| {
                Error::Malformed(format!(
                    "Deserialize error in query parameters: {}",
                    reason(&rejected)
                ))
            })
            .and_then(|Query(value)| checked("query parameters", value));
        read.map(Self).map_err(|error| refused(&error))
    }
}

/// What is at the bottom of it, without the words around and the parameter's name.
fn reason(rejected: &QueryRejection) -> String {
    let mut deepest: &dyn std::error::Error = rejected;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let text = deepest.to_string();
    match text.split_once(": ") {
        Some((name, rest)) if !name.contains(' ') => rest.to_owned(),
        Some(_) | None => text,
    }
}

/// The parameters of a write that have a meaning here.
#[derive(Debug, Default, Deserialize, Validate)]
#[serde(default)]
pub struct Writing {
    /// What the answer says.
    pub wait: bool,
    #[serde(rename = "ordering")]
    _ordering: Option<Ordering>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ordering {
    Weak,
    Medium,
    Strong,
}

/// The parameters of a read. None has a meaning here.
#[derive(Debug, Default, Deserialize, Validate)]
#[serde(default)]
pub struct Reading {
    #[serde(rename = "timeout")]
    _timeout: Option<NonZeroU64>,
    #[serde(rename = "consistency")]
    _consistency: Option<Consistency>,
}

#[derive(Debug)]
struct Consistency;

impl<'de> Deserialize<'de> for Consistency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let replicas = text.parse::<usize>().is_ok_and(|count| count > 0);
        if replicas || ["majority", "quorum", "all"].contains(&&*text) {
            Ok(Self)
        } else {
            Err(serde::de::Error::custom(format!(
                "failed to deserialize read consistency query parameter value '{text}'"
            )))
        }
    }
}

/// The parameters of a change of collections or aliases.
#[derive(Debug, Default, Deserialize, Validate)]
#[serde(default)]
pub struct Changing {
    #[validate(range(min = 1))]
    timeout: Option<u64>,
}

/// What Qdrant does with a path that ends in a slash.
pub fn without_slash(request: &mut Request) {
    let uri = request.uri();
    let path = uri.path().trim_end_matches('/');
    if path.is_empty() || path.len() == uri.path().len() {
        return;
    }
    let path = uri
        .query()
        .map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    if let Ok(trimmed) = path.parse() {
        *request.uri_mut() = trimmed;
    }
}

/// The answer to a path that Qdrant does not know.
pub fn unknown() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, Validate)]
    struct Sample {
        #[validate(range(min = 1))]
        limit: Option<usize>,
        #[validate(nested)]
        #[serde(default)]
        parts: Vec<Sample>,
    }

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better with values")]
    fn check(text: Value, expect: Option<&str>) {
        let read = body::<Sample>(Ok(Bytes::from(text.to_string())));
        match (read, expect) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) => assert_eq!(error.to_string(), words),
            (read, expect) => panic!("{read:?} is not {expect:?}"),
        }
    }

    #[test]
    fn faults_say_where() {
        check(json!({}), None);
        check(
            json!({"limit": 0}),
            Some("Validation error in JSON body: [limit: value 0 invalid, must be 1 or larger]"),
        );
        check(
            json!({"parts": [{}, {"limit": 0}]}),
            Some("Validation error in JSON body: [parts[1].limit: value 0 invalid, must be 1 or larger]"),
        );
        check(
            json!({"limit": "x"}),
            Some("Format error in JSON body: invalid type: string \"x\", expected usize at line 1 column 12"),
        );
    }

    #[test]
    fn paths_lose_their_last_slash() {
        let check = |path: &str, expect: &str| {
            let mut request = Request::new(axum::body::Body::empty());
            *request.uri_mut() = path.parse().unwrap();
            without_slash(&mut request);
            assert_eq!(request.uri(), expect);
        };
        check("/", "/");
        check("/collections", "/collections");
        check("/collections/?a=1", "/collections?a=1");
    }
}
