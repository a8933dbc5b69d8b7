//! Google's own schema, a part of OpenAPI's.

use serde_json::{Map, Value};

use super::known;
use crate::wire::{Refused, refuse};

/// Fields of the schema that is not JSON Schema.
const SCHEMA_FIELDS: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "items",
    "minimum",
    "maximum",
];

/// The service's own schema as JSON Schema.
pub(super) fn translated(schema: &Value, at: &str) -> Result<Value, Refused> {
    let Value::Object(fields) = schema else {
        return refuse(400, format!("Invalid value at '{at}'"));
    };
    known(fields, SCHEMA_FIELDS, at)?;
    let mut result = Map::new();
    for (key, value) in fields {
        let value = match (key.as_str(), value) {
            ("type", Value::String(name)) => name.to_ascii_lowercase().into(),
            ("items", items) => translated(items, &format!("{at}.items"))?,
            ("properties", Value::Object(properties)) => {
                let inner = properties.iter().enumerate().map(|(index, (name, inner))| {
                    let at = format!("{at}.properties[{index}].value");
                    Ok((name.clone(), translated(inner, &at)?))
                });
                Value::Object(inner.collect::<Result<_, Refused>>()?)
            }
            ("anyOf" | "any_of", Value::Array(choices)) => {
                let inner = choices
                    .iter()
                    .enumerate()
                    .map(|(index, inner)| translated(inner, &format!("{at}.any_of[{index}]")));
                Value::Array(inner.collect::<Result<_, _>>()?)
            }
            (_, other) => other.clone(),
        };
        result.insert(
            if key == "any_of" {
                "anyOf".to_owned()
            } else {
                key.clone()
            },
            value,
        );
    }
    if fields.get("nullable") == Some(&Value::Bool(true))
        && let Some(Value::String(kind)) = result.get("type").cloned()
    {
        result.insert("type".to_owned(), vec![kind, "null".to_owned()].into());
    }
    Ok(Value::Object(result))
}
