//! What an answer that is none means: status and body of each kind of server,
//! before an answer and in the middle of one. Pure.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use super::Speaks;
use crate::Error;

/// Most of a server's words that an error repeats, in characters.
const SERVER_TEXT_CHARS_MAX: usize = 500;

/// Words with which servers say that more was sent than the model can read.
const OVERFLOWS: [&str; 8] = [
    "prompt is too long",
    "maximum context length",
    "maximum number of tokens allowed",
    "exceeds the available context size",
    "exceed context limit",
    "context length exceeded",
    "exceeds the context window",
    "reduce the length of the messages",
];

/// A refusal as it came.
#[derive(Debug)]
pub(super) struct Refusal<'a> {
    pub(super) speaks: Speaks,
    /// The address as errors show it.
    pub(super) url: &'a str,
    pub(super) model: &'a str,
    pub(super) status: u16,
    /// What the headers say, if they do.
    pub(super) retry_after: Option<Duration>,
    pub(super) said: Option<Said>,
    /// The body, for servers that do not speak as expected, without secrets.
    pub(super) body: String,
}

/// What a server says about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    pub(super) message: String,
    /// The words of the interface for it: codes, types, reasons, lower case.
    kinds: Vec<String>,
    /// The status that the body itself names, or that its words stand for.
    status: Option<u16>,
    retry_after: Option<Duration>,
}

/// Reads a body, in any of the forms that servers use: a text, an object with
/// a text, or a list of what is wrong.
pub(super) fn said(body: &[u8]) -> Option<Said> {
    let value: Value = serde_json::from_slice(body).ok()?;
    said_value(&value)
}

pub(super) fn said_value(value: &Value) -> Option<Said> {
    // Google answers with a list of one where a stream was expected.
    let value = value.get(0).unwrap_or(value);
    if value.get("object").and_then(Value::as_str) == Some("error") {
        return Some(read(value));
    }
    let error = value.get("error").or_else(|| value.get("detail"))?;
    if let Some(text) = error.as_str() {
        return Some(Said {
            message: text.to_owned(),
            ..Said::default()
        });
    }
    if let Some(faults) = error.as_array() {
        let message = Value::from(faults.iter().take(3).cloned().collect::<Vec<_>>()).to_string();
        return Some(Said {
            message,
            ..Said::default()
        });
    }
    error.get("message")?.as_str()?;
    Some(read(error))
}

fn read(error: &Value) -> Said {
    let text = |value: &Value| value.as_str().map(str::to_ascii_lowercase);
    let mut kinds: Vec<String> = ["code", "type", "status", "param"]
        .iter()
        .filter_map(|name| text(error.get(name)?))
        .collect();
    let details = error.get("details").and_then(Value::as_array);
    kinds.extend(
        details
            .into_iter()
            .flatten()
            .filter_map(|detail| text(detail.get("reason")?)),
    );
    let retry_after = details
        .into_iter()
        .flatten()
        .filter_map(|detail| {
            detail
                .get("retryDelay")?
                .as_str()?
                .strip_suffix('s')?
                .parse()
                .ok()
        })
        .find_map(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    let status = error
        .get("code")
        .and_then(Value::as_u64)
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (400..600).contains(code))
        .or_else(|| kinds.iter().find_map(|kind| status_of(kind)));
    Said {
        message: error
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        kinds,
        status,
        retry_after,
    }
}

/// The status that a word of the interfaces stands for.
fn status_of(kind: &str) -> Option<u16> {
    Some(match kind {
        "overloaded_error" => 529,
        "unavailable" | "service_unavailable" => 503,
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" | "resource_exhausted" => 429,
        "authentication_error" | "invalid_api_key" | "unauthenticated" => 401,
        "permission_error" | "permission_denied" => 403,
        "not_found_error" | "model_not_found" | "not_found" => 404,
        "billing_error" => 402,
        "invalid_request_error" | "invalid_argument" | "context_length_exceeded" => 400,
        "request_too_large" => 413,
        "api_error" | "server_error" | "internal" => 500,
        _ => return None,
    })
}

impl Said {
    fn is(&self, kinds: &[&str]) -> bool {
        self.kinds.iter().any(|kind| kinds.contains(&kind.as_str()))
    }

    fn overflows(&self) -> bool {
        let message = self.message.to_lowercase();
        self.is(&["context_length_exceeded", "exceed_context_size_error"])
            || OVERFLOWS.iter().any(|words| message.contains(words))
    }
}

/// What a failure in the middle of an answer means.
pub(super) fn in_the_middle(speaks: Speaks, url: &str, model: &str, said: Said) -> Error {
    let broken = Error::StreamBroken {
        reason: server_text(&said.message),
    };
    let Some(status) = said.status else {
        return broken;
    };
    if status == 500 {
        return broken;
    }
    let error = refusal(Refusal {
        speaks,
        url,
        model,
        status,
        retry_after: None,
        said: Some(said),
        body: String::new(),
    });
    // What began as an answer was understood.
    if matches!(
        error,
        Error::Refused { .. } | Error::Failed { .. } | Error::NotAServer { .. }
    ) {
        return broken;
    }
    error
}

/// What a refusal means.
pub(super) fn refusal(refusal: Refusal<'_>) -> Error {
    let Refusal {
        speaks,
        url,
        model,
        status,
        retry_after,
        said,
        body,
    } = refusal;
    let hosted = speaks != Speaks::Ollama;
    let understood = said.is_some();
    let retry_after = retry_after.or_else(|| said.as_ref()?.retry_after);
    let said = said.unwrap_or_else(|| Said {
        message: body,
        ..Said::default()
    });
    let message = server_text(&said.message);
    let (url_text, model) = (|| url.to_owned(), || model.to_owned());
    let spent = said.is(&["insufficient_quota", "billing_error"])
        || status == 402
        || (status == 400 && message.contains("credit balance is too low"));
    match status {
        _ if hosted && spent => Error::QuotaSpent {
            url: url_text(),
            message,
        },
        400 | 413 | 422 | 429 | 500 if understood && said.overflows() => Error::ContextOverflow {
            model: model(),
            message,
        },
        413 if hosted && understood => Error::ContextOverflow {
            model: model(),
            message,
        },
        429 | 502 | 503 | 504 | 529 => Error::Overloaded {
            status,
            message,
            retry_after,
        },
        404 if understood && !hosted && message.contains("not found") => {
            Error::ModelMissing { model: model() }
        }
        // Of a path that is not there the message says nothing about models.
        404 if understood && hosted && message.contains("model") => Error::ModelUnknown {
            model: model(),
            url: url_text(),
        },
        404 if understood && hosted => stranger(
            speaks,
            url,
            &format!("it answers with status 404 ({message}); is its path right?"),
        ),
        400 if hosted && said.is(&["model_not_found", "model_decommissioned"]) => Error::ModelUnknown {
            model: model(),
            url: url_text(),
        },
        // The server's words may repeat the key.
        401 | 403 if hosted => Error::KeyRefused {
            url: url_text(),
            status,
        },
        // Google's status for a wrong key.
        400 if hosted && said.is(&["api_key_invalid"]) => Error::KeyRefused {
            url: url_text(),
            status,
        },
        // A proxy's word about who we are, in whatever form.
        401 | 403 | 407 => Error::Refused { status, message },
        400..=499 if understood => Error::Refused { status, message },
        // Ollama's word for a model that cannot do what is asked.
        501 if understood => Error::Refused { status, message },
        500 | 505..=599 => Error::Failed { status, message },
        _ => stranger(speaks, url, &format!("it answers with status {status}")),
    }
}

/// Something answers, but not as it should.
pub(super) fn stranger(speaks: Speaks, url: &str, reason: &str) -> Error {
    let (url, reason) = (url.to_owned(), server_text(reason));
    if speaks == Speaks::Ollama {
        Error::NotOllama { url, reason }
    } else {
        Error::NotAServer { url, reason }
    }
}

/// How long a server asks to wait: milliseconds, seconds, or a moment, which
/// is compared with the server's own clock.
pub(super) fn retry_after(header: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let millis = header("retry-after-ms").and_then(|text| text.trim().parse().ok());
    if let Some(millis) = millis.filter(|millis: &f64| *millis >= 0.0) {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    let text = header("retry-after")?;
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let moment = httpdate::parse_http_date(text.trim()).ok()?;
    let now = httpdate::parse_http_date(header("date")?.trim()).unwrap_or(UNIX_EPOCH);
    moment.duration_since(now).ok().filter(|_| now > UNIX_EPOCH)
}

/// A server's words as errors repeat them: bounded, and without secrets that a
/// proxy may have echoed.
pub(crate) fn server_text(text: &str) -> String {
    let text = shared::redact::redact(text.trim());
    match text.char_indices().nth(SERVER_TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests;
