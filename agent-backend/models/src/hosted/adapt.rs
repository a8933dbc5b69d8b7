//! What a server turned out not to take. Servers that copy OpenAI's interface
//! leave parts of it out, and newer models refuse what older ones wanted; each
//! says so with status 400 or 422 and the field's name. Such a field is left
//! out from then on: the call is made once more, which no retry is, for the
//! server has done nothing. Pure.

use std::sync::atomic::{AtomicU16, Ordering};

use super::thinking::{self, Wish};
use crate::{ChatRequest, Error};

/// Words of a server that does not know a field.
const UNKNOWN: [&str; 10] = [
    "unsupported",
    "not support",
    "extra_forbidden",
    "not permitted",
    "unknown",
    "unrecognized",
    "unexpected",
    "deprecated",
    "not allowed",
    "cannot be used",
];

/// Names of the field for answers by a schema, and of what servers make of it.
const SCHEMA: [&str; 6] = [
    "response_format",
    "json_schema",
    "responsejsonschema",
    "response_schema",
    "structured output",
    "grammar",
];

/// Fields that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Without {
    pub(super) temperature: bool,
    pub(super) seed: bool,
    /// `max_completion_tokens` stands for it.
    pub(super) max_tokens: bool,
    pub(super) stream_options: bool,
    /// JSON of any shape is asked for.
    pub(super) json_schema: bool,
    /// Nothing is asked for; the prompt says what the answer should be.
    pub(super) json_object: bool,
    /// It is not asked not to think.
    pub(super) thinking_off: bool,
    /// It is not told a level of thinking.
    pub(super) thinking_level: bool,
    /// It is not told a number of tokens for it.
    pub(super) thinking_tokens: bool,
}

/// What is known of a server, shared by its calls.
#[derive(Debug, Default)]
pub(super) struct Known(AtomicU16);

impl Known {
    pub(super) fn get(&self) -> Without {
        let bits = self.0.load(Ordering::Relaxed);
        let has = |bit: u16| bits & (1 << bit) != 0;
        Without {
            temperature: has(0),
            seed: has(1),
            max_tokens: has(2),
            stream_options: has(3),
            json_schema: has(4),
            json_object: has(5),
            thinking_off: has(6),
            thinking_level: has(7),
            thinking_tokens: has(8),
        }
    }

    /// Adds what `without` leaves out; another call may have found more.
    pub(super) fn add(&self, without: Without) {
        let fields = [
            without.temperature,
            without.seed,
            without.max_tokens,
            without.stream_options,
            without.json_schema,
            without.json_object,
            without.thinking_off,
            without.thinking_level,
            without.thinking_tokens,
        ];
        let bits = fields
            .iter()
            .rev()
            .fold(0, |bits, field| bits << 1 | u16::from(*field));
        self.0.fetch_or(bits, Ordering::Relaxed);
    }
}

/// What to leave out beside `without` after this refusal of a request that said
/// so much of thinking; `None` if the refusal is of nothing that can be left out.
pub(super) fn adapt(without: Without, request: &ChatRequest, wish: Wish, error: &Error) -> Option<Without> {
    let Error::Refused {
        status: 400 | 422,
        message,
    } = error
    else {
        return None;
    };
    let message = message.to_lowercase();
    if request.format.is_some() && SCHEMA.iter().any(|name| message.contains(name)) {
        return if !without.json_schema {
            Some(Without {
                json_schema: true,
                ..without
            })
        } else if !without.json_object {
            Some(Without {
                json_object: true,
                ..without
            })
        } else {
            None
        };
    }
    let is_unknown = UNKNOWN.iter().any(|words| message.contains(words));
    // Last, because a model that thinks refuses other fields for thinking.
    field(without, request, &message)
        .filter(|_| is_unknown)
        .or_else(|| thinking::less(without, wish, &message))
}

/// A field whose name the refusal has.
fn field(without: Without, request: &ChatRequest, message: &str) -> Option<Without> {
    let mut more = without;
    let fields = [
        (
            "temperature",
            request.temperature.is_some(),
            &mut more.temperature,
        ),
        ("seed", request.seed.is_some(), &mut more.seed),
        ("max_tokens", request.tokens_max.is_some(), &mut more.max_tokens),
        ("stream_options", true, &mut more.stream_options),
    ];
    let (_, _, left_out) = fields
        .into_iter()
        .find(|(name, is_sent, left_out)| *is_sent && !**left_out && message.contains(name))?;
    *left_out = true;
    Some(more)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Message, thinking::Level};

    #[test]
    fn refused_fields() {
        fn check(status: u16, message: &str, without: Without, expect: Option<Without>) {
            let request = ChatRequest {
                messages: vec![Message::user("x")],
                format: Some(json!({})),
                temperature: Some(0.2),
                tokens_max: Some(9),
                ..ChatRequest::default()
            };
            let error = Error::Refused {
                status,
                message: message.to_owned(),
            };
            assert_eq!(
                adapt(without, &request, Wish::Unsaid, &error),
                expect,
                "{message}"
            );
        }
        let none = Without::default();
        let temperature = Without {
            temperature: true,
            ..none
        };
        let schema = Without {
            json_schema: true,
            ..none
        };
        let object = Without {
            json_object: true,
            ..schema
        };
        let cold = "Unsupported value: 'temperature' does not support 0.2 with this model.";
        check(400, cold, none, Some(temperature));
        check(400, cold, temperature, None);
        check(401, cold, none, None);
        check(400, "temperature: must be at most 1", none, None);
        check(
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model.",
            none,
            Some(Without {
                max_tokens: true,
                ..none
            }),
        );
        check(
            422,
            r#"[{"loc":["body","stream_options"],"type":"extra_forbidden"}]"#,
            none,
            Some(Without {
                stream_options: true,
                ..none
            }),
        );
        // It was not sent.
        check(
            422,
            r#"[{"loc":["body","seed"],"type":"extra_forbidden"}]"#,
            none,
            None,
        );
        let format = "This model does not support response format `json_schema`.";
        check(400, format, none, Some(schema));
        check(400, format, schema, Some(object));
        check(400, format, object, None);
        check(400, "no such user", none, None);
    }

    #[test]
    fn a_refused_wish_about_thinking() {
        let check = |wish: Wish, message: &str, expect: Option<Without>| {
            let request = ChatRequest {
                temperature: Some(0.2),
                ..ChatRequest::default()
            };
            let error = Error::Refused {
                status: 400,
                message: message.to_owned(),
            };
            assert_eq!(
                adapt(Without::default(), &request, wish, &error),
                expect,
                "{message}"
            );
        };
        let level = Without {
            thinking_level: true,
            ..Without::default()
        };
        let tokens = Without {
            thinking_tokens: true,
            ..Without::default()
        };
        let off = Without {
            thinking_off: true,
            ..Without::default()
        };
        let (low, some) = (Wish::Level(Level::Low), Wish::Tokens(Level::Low));
        check(
            low,
            "Unrecognized request argument supplied: reasoning_effort",
            Some(level),
        );
        check(
            low,
            "reasoning_effort must be one of none or default",
            Some(level),
        );
        check(
            low,
            "adaptive thinking is not supported on this model",
            Some(level),
        );
        check(
            low,
            "Thinking level is not supported for this model.",
            Some(level),
        );
        check(
            low,
            "This model does not support the effort parameter.",
            Some(level),
        );
        check(some, "thinking_config is not supported", Some(tokens));
        check(
            Wish::Off,
            "Budget 0 is invalid. This model only works in thinking mode.",
            Some(off),
        );
        check(
            Wish::Off,
            "'none' is not supported with the model; reasoning_effort: low",
            Some(off),
        );
        check(low, "no such user", None);
        check(Wish::Unsaid, "thinking is broken", None);
        // What is refused because it thinks.
        check(
            low,
            "Unsupported parameter: 'temperature' is not supported with reasoning models.",
            Some(Without {
                temperature: true,
                ..Without::default()
            }),
        );
    }

    #[test]
    fn what_is_known_adds_up() {
        let known = Known::default();
        assert_eq!(known.get(), Without::default());
        let (seed, object) = (
            Without {
                seed: true,
                ..Without::default()
            },
            Without {
                json_object: true,
                ..Without::default()
            },
        );
        known.add(seed);
        assert_eq!(known.get(), seed);
        known.add(object);
        assert_eq!(known.get(), Without { seed: true, ..object });
    }
}
