//! What a request says of thinking, checked as each service checks it.

use serde_json::{Map, Value};

use super::{Refused, gemini, given, openai, refuse, type_name};

/// Fewest tokens to think with, at Anthropic.
const BUDGET_MIN: u64 = 1_024;

/// OpenAI's levels.
const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

/// Anthropic's levels.
const ANTHROPIC_EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];

/// Google's levels.
const LEVELS: [&str; 4] = ["minimal", "low", "medium", "high"];

/// What is said of thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Not to think.
    Off,
    /// To think, as much as a name says, or as seems right.
    Level,
    /// To think with so many tokens.
    Tokens,
}

/// Of `reasoning_effort`.
pub(crate) fn of_openai(body: &Map<String, Value>) -> Result<Option<Wish>, Refused> {
    match given(body, "reasoning_effort") {
        None => Ok(None),
        Some(Value::String(effort)) if effort == "none" => Ok(Some(Wish::Off)),
        Some(Value::String(effort)) if EFFORTS.contains(&effort.as_str()) => Ok(Some(Wish::Level)),
        Some(Value::String(effort)) => {
            let supported = EFFORTS.map(|effort| format!("'{effort}'")).join(", ");
            Err(openai::wrong_value("reasoning_effort", effort, &supported))
        }
        Some(other) => Err(openai::wrong_type(
            "reasoning_effort",
            "one of the efforts",
            other,
        )),
    }
}

/// Of `thinking` and `output_config.effort`, beside a limit of the answer.
pub(crate) fn of_anthropic(body: &Map<String, Value>, limit: u64) -> Result<Option<Wish>, Refused> {
    let effort = body.get("output_config").and_then(|config| config.get("effort"));
    if let Some(effort) = effort.filter(|effort| !effort.is_null())
        && !effort
            .as_str()
            .is_some_and(|effort| ANTHROPIC_EFFORTS.contains(&effort))
    {
        return refuse(
            400,
            "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
        );
    }
    let Some(thinking) = given(body, "thinking") else {
        return Ok(None);
    };
    let wish = match thinking.get("type").and_then(Value::as_str) {
        Some("disabled") => return Ok(Some(Wish::Off)),
        Some("adaptive") => Wish::Level,
        Some("enabled") => match thinking.get("budget_tokens").and_then(Value::as_u64) {
            None => return refuse(400, "thinking.enabled.budget_tokens: Field required"),
            Some(budget) if budget < BUDGET_MIN => {
                let message = format!(
                    "thinking.enabled.budget_tokens: Input should be greater than or equal to {BUDGET_MIN}"
                );
                return refuse(400, message);
            }
            Some(budget) if budget >= limit => {
                return refuse(400, "`max_tokens` must be greater than `thinking.budget_tokens`.");
            }
            Some(_) => Wish::Tokens,
        },
        None | Some(_) => {
            return refuse(
                400,
                "thinking: Input tag found using 'type' does not match any of the expected tags: 'adaptive', \
                 'disabled', 'enabled'",
            );
        }
    };
    let temperature = given(body, "temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|temperature| temperature < 1.0) {
        return refuse(
            400,
            "`temperature` may only be set to 1 when thinking is enabled.",
        );
    }
    Ok(Some(wish))
}

/// Of `generationConfig.thinkingConfig`.
pub(crate) fn of_gemini(config: &Map<String, Value>) -> Result<Option<Wish>, Refused> {
    let thinking = match gemini::get(config, "thinkingConfig") {
        None => return Ok(None),
        Some(Value::Object(thinking)) => thinking,
        Some(_) => return refuse(400, "Invalid value at 'generation_config.thinking_config'"),
    };
    let at = "generation_config.thinking_config";
    gemini::known(
        thinking,
        &["includeThoughts", "thinkingBudget", "thinkingLevel"],
        at,
    )?;
    let budget = gemini::get(thinking, "thinkingBudget");
    let level = gemini::get(thinking, "thinkingLevel");
    match (budget, level) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => refuse(
            400,
            "You can only set only one of thinking budget and thinking level.",
        ),
        (Some(budget), None) => match budget.as_i64() {
            Some(0) => Ok(Some(Wish::Off)),
            Some(-1 | 1..) => Ok(Some(Wish::Tokens)),
            Some(_) | None => refuse(400, format!("Invalid value at '{at}.thinking_budget'")),
        },
        (None, Some(level)) => match level.as_str().map(str::to_lowercase) {
            Some(level) if LEVELS.contains(&level.as_str()) => Ok(Some(Wish::Level)),
            Some(_) | None => refuse(400, format!("Invalid value at '{at}.thinking_level'")),
        },
    }
}

/// Of Ollama's `think`.
pub(crate) fn of_ollama(think: Option<&Value>) -> Result<Option<Wish>, Refused> {
    match think {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(false)) => Ok(Some(Wish::Off)),
        Some(Value::Bool(true)) => Ok(Some(Wish::Level)),
        Some(Value::String(level)) if ["low", "medium", "high"].contains(&level.as_str()) => {
            Ok(Some(Wish::Level))
        }
        Some(Value::String(other)) => refuse(
            400,
            format!("invalid think value: {other:?} (must be \"high\", \"medium\", \"low\", true, or false)"),
        ),
        Some(other @ (Value::Number(_) | Value::Array(_) | Value::Object(_))) => refuse(
            400,
            format!("think must be a boolean or string, not {}", type_name(other)),
        ),
    }
}
