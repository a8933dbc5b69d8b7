//! What OpenAI asks of a schema that is to be followed strictly.

use serde_json::Value;

/// What a strict schema must not do: leave an object open, or a key optional.
pub(super) fn not_strict(schema: &Value, at: &mut Vec<String>) -> Option<String> {
    let context = |at: &[String]| match at {
        [] => "In context=()".to_owned(),
        [one] => format!("In context=('{one}',)"),
        more => format!("In context=('{}')", more.join("', '")),
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    if properties.is_some() || schema.get("type") == Some(&Value::String("object".to_owned())) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            let place = context(at);
            return Some(format!(
                "{place}, 'additionalProperties' is required to be supplied and to be false."
            ));
        }
        let required = schema.get("required").and_then(Value::as_array);
        for (key, inner) in properties.into_iter().flatten() {
            if !required.is_some_and(|required| required.iter().any(|name| name == key)) {
                let place = context(at);
                return Some(format!(
                    "{place}, 'required' is required to be supplied and to be an array including every key in \
                     properties. Missing '{key}'."
                ));
            }
            at.extend(["properties".to_owned(), key.clone()]);
            if let Some(problem) = not_strict(inner, at) {
                return Some(problem);
            }
            at.truncate(at.len() - 2);
        }
    }
    let mut inside = |name: &str, key: String, inner: &Value| {
        at.extend([name.to_owned(), key]);
        let problem = not_strict(inner, at);
        at.truncate(at.len() - 2);
        problem
    };
    for name in ["$defs", "definitions"] {
        for (key, inner) in schema.get(name).and_then(Value::as_object).into_iter().flatten() {
            if let Some(problem) = inside(name, key.clone(), inner) {
                return Some(problem);
            }
        }
    }
    let choices = schema
        .get("anyOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for (index, inner) in choices.enumerate() {
        if let Some(problem) = inside("anyOf", index.to_string(), inner) {
            return Some(problem);
        }
    }
    let items = schema.get("items")?;
    at.push("items".to_owned());
    let problem = not_strict(items, at);
    at.pop();
    problem
}
