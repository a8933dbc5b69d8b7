//! The four wire formats, and how each writes an error.
//!
//! Owns: the form of an error body, and the names a status has in each format.
//! Must never know: why something was refused.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::wire::Refused;

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Ollama's own API, under `/api`.
    Ollama,
    /// OpenAI's, which many servers speak, under `/v1`.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's, under `/v1/messages`.
    Anthropic,
    /// Google's, under `/v1beta`.
    Gemini,
}

impl Format {
    /// The body of a refusal. `request` counts requests; Anthropic names it.
    pub(crate) fn error(self, refused: &Refused, request: u64) -> Value {
        let Refused { status, message, .. } = refused;
        match self {
            Self::Ollama => json!({ "error": message }),
            Self::OpenAi => {
                let (kind, code) = openai(refused);
                json!({ "error": { "message": message, "type": kind, "param": refused.param, "code": code } })
            }
            Self::Anthropic => {
                let kind = refused.code.as_deref().unwrap_or_else(|| anthropic(*status));
                json!({
                    "type": "error",
                    "error": { "type": kind, "message": message },
                    "request_id": format!("req_{request:06}"),
                })
            }
            Self::Gemini => {
                let mut error = json!({ "code": status, "message": message, "status": gemini(*status) });
                let details = gemini_details(refused);
                if !details.is_empty() {
                    error["details"] = details.into();
                }
                json!({ "error": error })
            }
        }
    }
}

/// Type and code of an error of OpenAI's.
fn openai(refused: &Refused) -> (&str, Option<&str>) {
    let (kind, usual) = match refused.status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    match refused.code.as_deref() {
        None => (kind, usual),
        Some("") => (kind, None),
        Some(quota @ "insufficient_quota") => (quota, Some(quota)),
        Some(code) => (kind, Some(code)),
    }
}

/// Type of an error of Anthropic's.
fn anthropic(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// Name of a status as Google's APIs have it.
fn gemini(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

fn gemini_details(refused: &Refused) -> Vec<Value> {
    let reason = refused.code.as_deref().map(|reason| {
        json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": { "service": "generativelanguage.googleapis.com" },
        })
    });
    let field = refused.param.as_deref().map(|field| {
        let mut violation = json!({ "description": refused.message });
        if !field.is_empty() {
            violation["field"] = field.into();
        }
        json!({ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation] })
    });
    let retry = refused.retry_after_secs.map(|seconds| {
        json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s") })
    });
    reason.into_iter().chain(field).chain(retry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors() {
        fn check(format: Format, refused: &Refused, expect: &Value) {
            assert_eq!(&format.error(refused, 7), expect);
        }
        let busy = Refused::new(429, "slow down").retry_after(Some(3));
        check(Format::Ollama, &busy, &json!({"error": "slow down"}));
        let openai = json!({"error": {
            "message": "slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded",
        }});
        check(Format::OpenAi, &busy, &openai);
        let anthropic = json!({
            "type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}, "request_id": "req_000007",
        });
        check(Format::Anthropic, &busy, &anthropic);
        let gemini = json!({"error": {
            "code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}],
        }});
        check(Format::Gemini, &busy, &gemini);
        let quota = Refused::new(429, "pay").code("insufficient_quota");
        let expect = json!({"error": {
            "message": "pay", "type": "insufficient_quota", "param": null, "code": "insufficient_quota",
        }});
        check(Format::OpenAi, &quota, &expect);
        let expect = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"},
                            "request_id": "req_000007"});
        check(Format::Anthropic, &Refused::new(529, "Overloaded"), &expect);
    }
}
