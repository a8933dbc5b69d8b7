//! The requests of Ollama's API, checked as the real server checks them.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Message, Refused, refuse};

/// `num_ctx` if neither the request nor the model gives one.
pub(crate) const NUM_CTX_DEFAULT: u32 = 4096;

/// How long a model stays loaded if the request does not say.
const KEEP_ALIVE_DEFAULT: Duration = Duration::from_secs(300);

/// A call of `/api/chat` or `/api/generate`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Generation {
    #[serde(default)]
    pub(crate) model: String,
    #[serde(default)]
    pub(crate) messages: Option<Vec<ChatMessage>>,
    #[serde(default)]
    pub(crate) prompt: String,
    #[serde(default)]
    pub(crate) images: Vec<Value>,
    #[serde(default)]
    pub(crate) system: String,
    #[serde(default)]
    pub(crate) stream: Option<bool>,
    #[serde(default)]
    pub(crate) format: Option<Value>,
    #[serde(default)]
    pub(crate) keep_alive: Option<Value>,
    #[serde(default)]
    pub(crate) options: Option<Map<String, Value>>,
    #[serde(default)]
    pub(crate) think: Option<Value>,
    #[serde(default)]
    pub(crate) tools: Vec<ToolSpec>,
}

/// A message of `/api/chat`.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatMessage {
    #[serde(flatten)]
    pub(crate) message: Message,
    #[serde(default)]
    pub(crate) images: Vec<Value>,
}

/// A tool of `/api/chat`.
#[derive(Debug, Deserialize)]
pub(crate) struct ToolSpec {
    pub(crate) function: FunctionSpec,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FunctionSpec {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) parameters: Option<Value>,
}

/// A call of `/api/embed`.
#[derive(Debug, Deserialize)]
pub(crate) struct Embed {
    #[serde(default)]
    pub(crate) model: String,
    #[serde(default)]
    pub(crate) input: Value,
    #[serde(default)]
    pub(crate) truncate: Option<bool>,
    #[serde(default)]
    pub(crate) dimensions: Option<usize>,
    #[serde(default)]
    pub(crate) keep_alive: Option<Value>,
    #[serde(default)]
    pub(crate) options: Option<Map<String, Value>>,
}

/// A call that names a model: `/api/show`, `/api/pull`.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    #[serde(default)]
    pub(crate) model: String,
    /// The older name of `model`.
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) stream: Option<bool>,
}

impl Named {
    pub(crate) fn model(&self) -> Result<&str, Refused> {
        match (self.model.as_str(), self.name.as_str()) {
            ("", "") => refuse(400, "model is required"),
            ("", name) => Ok(name),
            (model, _) => Ok(model),
        }
    }
}

/// Reads a body; null values count as absent, as in Go.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    if body.trim_ascii().is_empty() {
        return refuse(400, "missing request body");
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| bad(&error))?;
    let value = match value {
        Value::Object(object) => {
            Value::Object(object.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            other
        }
    };
    serde_json::from_value(value).map_err(|error| bad(&error))
}

fn bad(error: &serde_json::Error) -> Refused {
    Refused::new(400, error.to_string())
}

/// How long to keep a model: `None` for ever.
pub(crate) fn keep_alive(value: Option<&Value>) -> Result<Option<Duration>, Refused> {
    match value {
        None => Ok(Some(KEEP_ALIVE_DEFAULT)),
        Some(Value::Number(number)) => {
            let seconds = number.as_f64().unwrap_or_default();
            Ok((seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
        }
        Some(Value::String(text)) => go_duration(text),
        Some(other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_))) => {
            refuse(400, format!("Unsupported type: '{other}'"))
        }
    }
}

/// A duration as Go writes it: numbers with units; negative for ever.
fn go_duration(text: &str) -> Result<Option<Duration>, Refused> {
    let invalid = |why: &str| Refused::new(400, format!("time: {why} {text:?}"));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Some(Duration::ZERO));
    }
    if rest.is_empty() {
        return Err(invalid("invalid duration"));
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, tail) = rest.split_at(digits.unwrap_or(rest.len()));
        let number: f64 = number
            .parse()
            .map_err(|_not_a_number| invalid("invalid duration"))?;
        if tail.is_empty() {
            return Err(invalid("missing unit in duration"));
        }
        let end = tail.find(|character: char| character.is_ascii_digit() || character == '.');
        let (unit, tail) = tail.split_at(end.unwrap_or(tail.len()));
        seconds += number
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(invalid("unknown unit in duration")),
            };
        rest = tail;
    }
    Ok((!negative).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
}

/// An integer option; the real server refuses other types.
pub(crate) fn integer(options: Option<&Map<String, Value>>, name: &str) -> Result<Option<i64>, Refused> {
    match options.and_then(|options| options.get(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value
            .as_i64()
            .or_else(|| value.as_f64().map(|number| number as i64))
        {
            Some(number) => Ok(Some(number)),
            None => refuse(500, format!("option {name:?} must be of type integer")),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keep_alives() {
        fn check(value: &Value, expect: Result<Option<u64>, &str>) {
            let found = keep_alive(Some(value)).map_err(|refused| refused.message);
            let expect = expect
                .map(|seconds| seconds.map(Duration::from_secs))
                .map_err(str::to_owned);
            assert_eq!(found, expect, "{value}");
        }
        check(&json!(-1), Ok(None));
        check(&json!(0), Ok(Some(0)));
        check(&json!(90), Ok(Some(90)));
        check(&json!("5m"), Ok(Some(300)));
        check(&json!("1h30m"), Ok(Some(5400)));
        check(&json!("-1m"), Ok(None));
        check(&json!("0"), Ok(Some(0)));
        check(&json!("-1"), Err("time: missing unit in duration \"-1\""));
        check(&json!("5x"), Err("time: unknown unit in duration \"5x\""));
        check(&json!("soon"), Err("time: invalid duration \"soon\""));
        check(&json!(true), Err("Unsupported type: 'true'"));
    }

    #[test]
    fn bodies() {
        fn check(body: &str, expect: Result<&str, &str>) {
            let found = parse::<Named>(body.as_bytes()).and_then(|named| named.model().map(str::to_owned));
            let found = found.map_err(|refused| refused.message);
            assert_eq!(found, expect.map(str::to_owned).map_err(str::to_owned));
        }
        check(r#"{"model":"m"}"#, Ok("m"));
        check(r#"{"name":"m","model":null}"#, Ok("m"));
        check("{}", Err("model is required"));
        check("", Err("missing request body"));
        check("{", Err("EOF while parsing an object at line 1 column 1"));
    }
}
