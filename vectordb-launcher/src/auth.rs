//! The API key: how it is kept and how a request shows that it has it.
//!
//! Knows headers, not transports; the edges turn a refusal into their own kind
//! of answer.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tonic::{Request, Status, metadata::MetadataMap, service::Interceptor};

/// The header that carries the key, as in Qdrant.
pub const KEY_HEADER: &str = "api-key";

/// A key that never shows in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A key; blanks around it come from files and are no part of it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The key itself, for the one who has to send it on.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in a time that tells nothing about where they differ.
    fn matches(&self, other: &str) -> bool {
        self.0.len() == other.len()
            && self
                .0
                .bytes()
                .zip(other.bytes())
                .fold(0, |differs, (a, b)| differs | (a ^ b))
                == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(shared::redact::REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// From a variable a key of digits arrives as a number.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Number(u64),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Text(text) => Self::new(&text),
            Form::Number(number) => Self(number.to_string()),
        })
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No key at all.
    #[error("Must provide an API key or an Authorization bearer token")]
    Missing,
    /// Another key.
    #[error("Invalid API key or JWT")]
    Wrong,
}

/// Lets requests pass that have the key, or all if there is none.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    key: Option<Secret>,
}

impl Guard {
    /// A guard for `key`.
    pub fn new(key: Option<Secret>) -> Self {
        Self {
            key: key.filter(|key| !key.0.is_empty()),
        }
    }

    /// Judges the two headers in which a key may come.
    ///
    /// # Errors
    /// [`Refusal`] if there is a key and the request has it not.
    pub fn check(&self, api_key: Option<&str>, authorization: Option<&str>) -> Result<(), Refusal> {
        let Some(key) = &self.key else { return Ok(()) };
        let bearer = authorization.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        match api_key.or(bearer) {
            None => Err(Refusal::Missing),
            Some(given) if key.matches(given) => Ok(()),
            Some(_) => Err(Refusal::Wrong),
        }
    }
}

impl Interceptor for Guard {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
            metadata.get(name).and_then(|value| value.to_str().ok())
        }
        let metadata = request.metadata();
        match self.check(text(metadata, KEY_HEADER), text(metadata, "authorization")) {
            Ok(()) => Ok(request),
            Err(refusal) => Err(Status::unauthenticated(refusal.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        key: Option<&str>,
        api_key: Option<&str>,
        authorization: Option<&str>,
        expect: Result<(), Refusal>,
    ) {
        assert_eq!(
            Guard::new(key.map(Secret::new)).check(api_key, authorization),
            expect
        );
    }

    #[test]
    fn keys() {
        check(None, None, None, Ok(()));
        check(Some(""), None, None, Ok(()));
        check(Some("k1"), Some("k1"), None, Ok(()));
        check(Some("k1"), None, Some("Bearer k1"), Ok(()));
        check(Some("k1"), None, None, Err(Refusal::Missing));
        check(Some("k1"), Some("k2"), None, Err(Refusal::Wrong));
        check(Some("k1"), Some("k11"), None, Err(Refusal::Wrong));
        check(Some("k1"), None, Some("Basic k1"), Err(Refusal::Missing));
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(
            format!("{:?}", Guard::new(Some(Secret::new("hidden")))),
            "Guard { key: Some([redacted]) }"
        );
    }

    #[test]
    fn a_key_of_digits_is_a_key() {
        assert_eq!(
            serde_json::from_str::<Secret>("1234").unwrap(),
            Secret::new("1234")
        );
    }
}
