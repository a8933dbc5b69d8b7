//! Newtype ids, so that one kind of id cannot be passed for another.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest id text that is accepted from outside, in bytes.
pub const ID_BYTES_MAX: usize = 128;

/// An id text from outside that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` cannot be used as an id: it must have 1 to {ID_BYTES_MAX} characters from A-Z a-z 0-9 . _ : -"
)]
pub struct InvalidId {
    /// The refused text, shortened.
    pub text: String,
}

fn check(text: &str) -> Result<(), InvalidId> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    if text.is_empty() || text.len() > ID_BYTES_MAX || !text.bytes().all(allowed) {
        let text = text.chars().take(40).collect();
        return Err(InvalidId { text });
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// An id made from text of ours, which is known to be valid.
            pub fn new(text: impl Into<String>) -> Self {
                let text = text.into();
                debug_assert!(check(&text).is_ok(), "not an id: {text}");
                Self(text)
            }

            /// An id from text of somebody else's.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// One run of a workflow.
    WorkflowId
}
text_id! {
    /// The client's own name for a request; one correlation id means one workflow.
    CorrelationId
}
text_id! {
    /// A thread of requests, which outlives the connections it is spoken over.
    SessionId
}
text_id! {
    /// A stage of a workflow's graph, for example `code_generation`.
    StageId
}

/// Position of an event in its workflow: 1, 2, 3 … without a gap. Zero means
/// "before the first event".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_parse(text: &str, ok: bool) {
        assert_eq!(CorrelationId::parse(text).is_ok(), ok, "{text:?}");
    }

    #[test]
    fn ids_from_outside() {
        check_parse("req_xyz", true);
        check_parse("0191e9a4-7b1c-7cc3-98c4-dc0c0c07398f", true);
        check_parse("", false);
        check_parse("a/b", false);
        check_parse("../x", false);
        check_parse(&"x".repeat(ID_BYTES_MAX), true);
        check_parse(&"x".repeat(ID_BYTES_MAX + 1), false);
    }
}
