//! Checks a scripted answer against the JSON schema of a request, as far as the
//! real server's grammar would force it: types, required keys, items, enums.

use serde_json::Value;

/// The first way in which `value` breaks `schema`, with its place.
pub(crate) fn violation(schema: &Value, value: &Value) -> Option<String> {
    check(schema, schema, value, "$")
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    let schema = resolve(root, schema);
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        return Some(format!("{at} is not one of {}", Value::Array(allowed.clone())));
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return Some(format!("{at} is not {constant}"));
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(key).and_then(Value::as_array)
            && choices
                .iter()
                .all(|choice| check(root, choice, value, at).is_some())
        {
            return Some(format!("{at} fits no choice of {key}"));
        }
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array)
        && let Some(error) = all.iter().find_map(|part| check(root, part, value, at))
    {
        return Some(error);
    }
    if let Some(error) = wrong_type(schema, value, at) {
        return Some(error);
    }
    match value {
        Value::Object(object) => {
            let required = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            for key in required.filter_map(Value::as_str) {
                if !object.contains_key(key) {
                    return Some(format!("{at} lacks the key {key:?}"));
                }
            }
            let properties = schema.get("properties").and_then(Value::as_object);
            object.iter().find_map(|(key, value)| {
                match properties.and_then(|properties| properties.get(key)) {
                    Some(schema) => check(root, schema, value, &format!("{at}.{key}")),
                    None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => Some(format!(
                        "{at} has the key {key:?}, which the schema does not allow"
                    )),
                    None => None,
                }
            })
        }
        Value::Array(items) => {
            let schema = schema.get("items")?;
            items
                .iter()
                .enumerate()
                .find_map(|(index, item)| check(root, schema, item, &format!("{at}[{index}]")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|path| path.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn wrong_type(schema: &Value, value: &Value, at: &str) -> Option<String> {
    let names: Vec<&str> = match schema.get("type")? {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    let fits = names.iter().any(|name| match *name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    });
    (!fits).then(|| format!("{at} is no {}", names.join(" or ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: &Value, expect: Option<&str>) {
        let schema = json!({
            "type": "object",
            "required": ["steps"],
            "additionalProperties": false,
            "properties": {
                "steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}},
                "note": {"type": ["string", "null"]},
                "size": {"anyOf": [{"type": "integer"}, {"const": "all"}]},
            },
            "$defs": {"Step": {"type": "string", "enum": ["plan", "code"]}},
        });
        assert_eq!(violation(&schema, value).as_deref(), expect);
    }

    #[test]
    fn violations() {
        check(&json!({"steps": ["plan"], "note": null, "size": 3}), None);
        check(&json!({"steps": [], "size": "all"}), None);
        check(&json!([]), Some("$ is no object"));
        check(&json!({}), Some("$ lacks the key \"steps\""));
        check(&json!({"steps": "plan"}), Some("$.steps is no array"));
        check(
            &json!({"steps": ["run"]}),
            Some("$.steps[0] is not one of [\"plan\",\"code\"]"),
        );
        check(
            &json!({"steps": [], "note": 1}),
            Some("$.note is no string or null"),
        );
        check(
            &json!({"steps": [], "size": 1.5}),
            Some("$.size fits no choice of anyOf"),
        );
        check(
            &json!({"steps": [], "x": 1}),
            Some("$ has the key \"x\", which the schema does not allow"),
        );
    }
}
