//! Score formulas.

use qdrant_client::qdrant::{self as grpc, expression::Variant};
use qdrant_edge::{DecayKind, Expression, Formula};

use super::filter::{condition, geo_point, path};
use crate::embedded::error::{Error, Result};

/// A whole formula.
pub fn formula(value: grpc::Formula) -> Result<Formula> {
    let root = value.expression.ok_or_else(|| missing("expression"))?;
    Ok(Formula {
        formula: expression(root)?,
        defaults: value
            .defaults
            .into_iter()
            .map(|(key, value)| (key, value.into_json()))
            .collect(),
    })
}

fn missing(what: &str) -> Error {
    Error::Malformed(format!("missing field: {what}"))
}

fn boxed(value: Option<Box<grpc::Expression>>, what: &str) -> Result<Box<Expression>> {
    Ok(Box::new(expression(*value.ok_or_else(|| missing(what))?)?))
}

fn all(list: Vec<grpc::Expression>) -> Result<Vec<Expression>> {
    list.into_iter().map(expression).collect()
}

fn expression(value: grpc::Expression) -> Result<Expression> {
    let inner = |value: Box<grpc::Expression>| Ok::<_, Error>(Box::new(expression(*value)?));
    let variant = value.variant.ok_or_else(|| missing("expression.variant"))?;
    Ok(match variant {
        Variant::Constant(number) => Expression::Constant(number),
        Variant::Variable(name) => Expression::Variable(name),
        Variant::Condition(value) => Expression::Condition(Box::new(condition(value)?)),
        Variant::GeoDistance(value) => Expression::GeoDistance {
            origin: geo_point(value.origin.ok_or_else(|| missing("geo_distance.origin"))?)?,
            to: path(&value.to)?,
        },
        Variant::Datetime(text) => Expression::Datetime(text),
        Variant::DatetimeKey(key) => Expression::DatetimeKey(path(&key)?),
        Variant::Mult(value) => Expression::Mult(all(value.mult)?),
        Variant::Sum(value) => Expression::Sum(all(value.sum)?),
        Variant::Max(value) => Expression::Max(all(value.max)?),
        Variant::Min(value) => Expression::Min(all(value.min)?),
        Variant::Div(value) => Expression::Div {
            left: boxed(value.left, "div.left")?,
            right: boxed(value.right, "div.right")?,
            by_zero_default: value.by_zero_default,
        },
        Variant::Pow(value) => Expression::Pow {
            base: boxed(value.base, "pow.base")?,
            exponent: boxed(value.exponent, "pow.exponent")?,
        },
        Variant::Neg(value) => Expression::Neg(inner(value)?),
        Variant::Abs(value) => Expression::Abs(inner(value)?),
        Variant::Sqrt(value) => Expression::Sqrt(inner(value)?),
        Variant::Exp(value) => Expression::Exp(inner(value)?),
        Variant::Log10(value) => Expression::Log10(inner(value)?),
        Variant::Ln(value) => Expression::Ln(inner(value)?),
        Variant::Acosh(value) => Expression::Acosh(inner(value)?),
        Variant::ExpDecay(value) => decay(DecayKind::Exp, *value)?,
        Variant::GaussDecay(value) => decay(DecayKind::Gauss, *value)?,
        Variant::LinDecay(value) => decay(DecayKind::Lin, *value)?,
    })
}

fn decay(kind: DecayKind, value: grpc::DecayParamsExpression) -> Result<Expression> {
    let grpc::DecayParamsExpression {
        x,
        target,
        scale,
        midpoint,
    } = value;
    Ok(Expression::Decay {
        kind,
        x: boxed(x, "decay.x")?,
        target: target
            .map(|target| boxed(Some(target), "decay.target"))
            .transpose()?,
        midpoint,
        scale,
    })
}
