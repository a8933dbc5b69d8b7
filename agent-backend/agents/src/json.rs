//! Reads an answer that was asked for as one JSON object.
//!
//! JSON that ends too early is refused and never completed: what is missing
//! cannot be known.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Error,
    answer::{Spoken, spoken},
    failure::declined,
};

/// The one object of an answer, in the shape of `T`. `what` names it in
/// errors; `bad` makes the error of another shape.
///
/// # Errors
/// `Empty`, `Truncated`, `Declined`, and what `bad` makes.
pub(crate) fn object<T: DeserializeOwned>(
    answer: &str,
    what: &str,
    bad: impl Fn(String) -> Error,
) -> Result<T, Error> {
    let text = match spoken(answer) {
        Spoken::Text(text) => text,
        Spoken::OnlyThoughts => {
            return Err(Error::Truncated {
                place: "it ends within the thoughts".into(),
            });
        }
    };
    if text.trim().is_empty() {
        return Err(Error::Empty);
    }
    let none = || match declined(text) {
        Some(text) => Error::Declined { text },
        None => bad("the answer holds no JSON object".into()),
    };
    let text = &text[text.find('{').ok_or_else(none)?..];
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) if error.is_eof() => {
            let place = format!("{what}'s JSON ends too early, at line {}", error.line());
            return Err(Error::Truncated { place });
        }
        Some(Err(error)) => return Err(bad(error.to_string())),
        None => return Err(none()),
    };
    let rest = text.get(values.byte_offset()..).unwrap_or_default();
    if rest.contains('{') {
        return Err(bad("the answer holds more than one JSON object".into()));
    }
    serde_json::from_value(value).map_err(|error| bad(error.to_string()))
}
