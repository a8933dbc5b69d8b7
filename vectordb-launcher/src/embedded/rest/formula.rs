//! Score formulas as REST writes them: numbers, variable names, conditions and
//! one-key objects.

use qdrant_edge::{Condition, DecayKind, Expression, GeoPoint, JsonPath};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::embedded::error::{Error, Result};

/// A formula that was read.
#[derive(Debug)]
pub struct Written(pub Expression);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        expression(value).map(Self).map_err(serde::de::Error::custom)
    }
}

fn malformed(what: &dyn std::fmt::Display) -> Error {
    Error::Malformed(format!("Format error in JSON body: formula: {what}"))
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| malformed(&error))
}

fn boxed(value: Value) -> Result<Box<Expression>> {
    Ok(Box::new(expression(value)?))
}

fn all(value: Value) -> Result<Vec<Expression>> {
    read::<Vec<Value>>(value)?.into_iter().map(expression).collect()
}

fn expression(value: Value) -> Result<Expression> {
    match value {
        Value::Number(_) => Ok(Expression::Constant(read(value)?)),
        Value::String(name) => Ok(Expression::Variable(name)),
        Value::Object(map) => object(map),
        Value::Null | Value::Bool(_) | Value::Array(_) => {
            Err(malformed(&"expected a number, a variable or an object"))
        }
    }
}

fn object(map: Map<String, Value>) -> Result<Expression> {
    // Every expression has exactly one key; conditions may have more.
    let mut entries = map.clone().into_iter();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        return condition(map);
    };
    Ok(match key.as_str() {
        "geo_distance" => {
            let Distance { origin, to } = read(value)?;
            Expression::GeoDistance { origin, to }
        }
        "datetime" => Expression::Datetime(read(value)?),
        "datetime_key" => Expression::DatetimeKey(read(value)?),
        "mult" => Expression::Mult(all(value)?),
        "sum" => Expression::Sum(all(value)?),
        "max" => Expression::Max(all(value)?),
        "min" => Expression::Min(all(value)?),
        "neg" => Expression::Neg(boxed(value)?),
        "abs" => Expression::Abs(boxed(value)?),
        "sqrt" => Expression::Sqrt(boxed(value)?),
        "exp" => Expression::Exp(boxed(value)?),
        "log10" => Expression::Log10(boxed(value)?),
        "ln" => Expression::Ln(boxed(value)?),
        "acosh" => Expression::Acosh(boxed(value)?),
        "div" => {
            let Div {
                left,
                right,
                by_zero_default,
            } = read(value)?;
            Expression::Div {
                left: boxed(left)?,
                right: boxed(right)?,
                by_zero_default,
            }
        }
        "pow" => {
            let Pow { base, exponent } = read(value)?;
            Expression::Pow {
                base: boxed(base)?,
                exponent: boxed(exponent)?,
            }
        }
        "lin_decay" => decay(DecayKind::Lin, value)?,
        "exp_decay" => decay(DecayKind::Exp, value)?,
        "gauss_decay" => decay(DecayKind::Gauss, value)?,
        _ => return condition(map),
    })
}

fn condition(map: Map<String, Value>) -> Result<Expression> {
    read::<Condition>(Value::Object(map)).map(|condition| Expression::Condition(Box::new(condition)))
}

#[derive(Deserialize)]
struct Distance {
    origin: GeoPoint,
    to: JsonPath,
}

#[derive(Deserialize)]
struct Div {
    left: Value,
    right: Value,
    by_zero_default: Option<f32>,
}

#[derive(Deserialize)]
struct Pow {
    base: Value,
    exponent: Value,
}

#[derive(Deserialize)]
struct Decay {
    x: Value,
    target: Option<Value>,
    midpoint: Option<f32>,
    scale: Option<f32>,
}

fn decay(kind: DecayKind, value: Value) -> Result<Expression> {
    let Decay {
        x,
        target,
        midpoint,
        scale,
    } = read(value)?;
    Ok(Expression::Decay {
        kind,
        x: boxed(x)?,
        target: target.map(boxed).transpose()?,
        midpoint,
        scale,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_nested_formula() {
        let form = json!({"sum": ["$score", {"mult": [0.5, {"key": "tag", "match": {"value": "h1"}}]}]});
        let condition = read(json!({"key": "tag", "match": {"value": "h1"}})).unwrap();
        assert_eq!(
            expression(form).unwrap(),
            Expression::Sum(vec![
                Expression::Variable("$score".to_owned()),
                Expression::Mult(vec![
                    Expression::Constant(0.5),
                    Expression::Condition(Box::new(condition)),
                ]),
            ])
        );
        assert!(expression(json!({"what": 1})).is_err());
    }
}
