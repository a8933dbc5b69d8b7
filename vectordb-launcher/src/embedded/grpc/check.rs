//! What Qdrant refuses by looking at a message alone, before it looks at the
//! collection, in Qdrant's words: where in the message, and what is wrong there.
//!
//! It knows messages and nothing else. The rest is refused when a message is
//! read ([`convert`](crate::embedded::convert)) or meets the collection.

mod collections;
mod filters;
mod points;
mod searches;

use serde::Serialize;
use serde_json::json;
use tonic::{Request, Status};

use crate::embedded::error::Error;

/// Longest collection name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A message with rules.
pub(super) trait Check {
    /// Tells `faults` what is wrong.
    fn check(&self, faults: &mut Faults);
}

/// The message of `request`.
///
/// # Errors
/// `INVALID_ARGUMENT` with all that is wrong with it.
pub(super) fn checked<T: Check>(request: Request<T>) -> Result<T, Status> {
    let message = request.into_inner();
    let mut faults = Faults::default();
    message.check(&mut faults);
    faults.into_result()?;
    Ok(message)
}

/// What is wrong so far, and where in the message the check is.
#[derive(Debug, Default)]
pub(super) struct Faults {
    path: Vec<String>,
    found: Vec<String>,
}

impl Faults {
    fn into_result(self) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        let found = self.found.join("; ");
        Err(Error::Malformed(format!("Validation error in body: [{found}]")))
    }

    /// Notes that `field` is wrong.
    fn add(&mut self, field: &str, what: impl std::fmt::Display) {
        let mut path = self.path.join(".");
        if !path.is_empty() {
            path.push('.');
        }
        self.found.push(format!("{path}{field}: {what}"));
    }

    /// Notes a rule that has a name and no sentence.
    fn broken(&mut self, field: &str, rule: &str) {
        self.add(field, format_args!("Validation error: {rule} [{{}}]"));
    }

    fn within(&mut self, field: String, check: impl FnOnce(&mut Self)) {
        self.path.push(field);
        check(self);
        self.path.pop();
    }

    /// Checks a part, if it is there.
    fn part<T: Check>(&mut self, field: &str, part: Option<&T>) {
        if let Some(part) = part {
            self.within(field.to_owned(), |faults| part.check(faults));
        }
    }

    /// Checks each part of a list.
    fn each<T: Check>(&mut self, field: &str, parts: &[T]) {
        for (index, part) in parts.iter().enumerate() {
            self.within(format!("{field}[{index}]"), |faults| part.check(faults));
        }
    }

    /// Checks the parts of a map; one fault is enough.
    fn any<'a, T: Check + 'a>(&mut self, field: &str, parts: impl Iterator<Item = &'a T>) {
        for part in parts {
            let before = self.found.len();
            self.within(format!("{field}.[]"), |faults| part.check(faults));
            if self.found.len() > before {
                return;
            }
        }
    }

    /// A number that must not be less.
    fn least<T: Serialize + PartialOrd + Copy>(
        &mut self,
        field: &str,
        value: impl Into<Option<T>>,
        least: T,
    ) {
        if let Some(value) = value.into()
            && value < least
        {
            let words = format!(
                "value {} invalid, must be {} or larger",
                json!(value),
                json!(least)
            );
            self.add(field, words);
        }
    }

    /// A number between two others.
    fn range<T: Serialize + PartialOrd + Copy>(
        &mut self,
        field: &str,
        value: impl Into<Option<T>>,
        (least, most): (T, T),
    ) {
        if let Some(value) = value.into()
            && !(value >= least && value <= most)
        {
            let (least, most) = (json!(least), json!(most));
            self.add(
                field,
                format_args!("value {} invalid, must be from {least} to {most}", json!(value)),
            );
        }
    }

    /// A time-out of the request.
    fn timeout(&mut self, value: Option<u64>) {
        self.least("timeout", value, 1);
    }

    /// A text or a list that must hold something.
    fn not_empty<T: Serialize>(&mut self, field: &str, value: &T, length: usize) {
        if length == 0 {
            let words = format!("value {} invalid, must be at least 1 characters", json!(value));
            self.add(field, words);
        }
    }

    /// The name of a collection that exists or not.
    fn name(&mut self, name: &str) {
        self.name_without(name, &['/', '\0']);
    }

    /// The name of a collection that is to be.
    fn new_name(&mut self, name: &str) {
        self.name_without(
            name,
            &['<', '>', ':', '"', '/', '\\', '|', '?', '*', '\0', '\u{1F}'],
        );
    }

    fn name_without(&mut self, name: &str, refused: &[char]) {
        if name.is_empty() || name.chars().count() > NAME_BYTES_MAX {
            let words = format!(
                "value {} invalid, must be from 1 to {NAME_BYTES_MAX} characters",
                json!(name)
            );
            self.add("collection_name", words);
        }
        if let Some(character) = refused.iter().find(|refused| name.contains(**refused)) {
            let words = format!("collection name cannot contain \"{character}\" char");
            self.add("collection_name", words);
        }
    }
}

#[cfg(test)]
mod tests {
    use qdrant_client::qdrant as grpc;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better with values")]
    fn check(message: impl Check, expect: &str) {
        let mut faults = Faults::default();
        message.check(&mut faults);
        assert_eq!(faults.found.join("; "), expect);
    }

    #[test]
    fn faults_say_where() {
        let good = grpc::QueryPoints {
            collection_name: "a".to_owned(),
            ..grpc::QueryPoints::default()
        };
        check(good.clone(), "");
        let inside = grpc::PrefetchQuery {
            limit: Some(0),
            ..grpc::PrefetchQuery::default()
        };
        check(
            grpc::QueryPoints {
                prefetch: vec![grpc::PrefetchQuery::default(), inside],
                ..good.clone()
            },
            "prefetch[1].limit: value 0 invalid, must be 1 or larger",
        );
        check(
            grpc::QueryPoints {
                collection_name: "a/b".to_owned(),
                timeout: Some(0),
                ..good
            },
            "collection_name: collection name cannot contain \"/\" char; \
             timeout: value 0 invalid, must be 1 or larger",
        );
    }
}
