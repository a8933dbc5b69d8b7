//! Filters.

use qdrant_client::qdrant::{
    self as grpc, condition::ConditionOneOf, r#match::MatchValue as Wire,
    points_selector::PointsSelectorOneOf,
};
use qdrant_edge::{
    AnyVariants, Condition, DateTimeWrapper, FieldCondition, Filter, GeoBoundingBox, GeoLineString, GeoPoint,
    GeoPolygon, GeoRadius, HasIdCondition, HasVectorCondition, IsEmptyCondition, IsNullCondition, JsonPath,
    Match, MatchPhrase, MatchTextAny, MinShould, Nested, NestedCondition, PointId, Range, RangeInterface,
    Slice, SliceCondition, ValueVariants, ValuesCount, external::ordered_float::OrderedFloat,
};

use super::point::{point_id, to_usize};
use crate::embedded::error::{Error, Result};

/// Nanoseconds in the engine's unit of time.
const NANOS_PER_MICRO: i64 = 1000;

/// Microseconds in a second.
const MICROS_PER_SECOND: i64 = 1_000_000;

/// The path of a payload field.
pub fn path(key: &str) -> Result<JsonPath> {
    key.parse()
        .map_err(|()| Error::Malformed(format!("Invalid json path: '{key}'")))
}

/// A whole filter.
pub fn filter(filter: grpc::Filter) -> Result<Filter> {
    let grpc::Filter {
        should,
        must,
        must_not,
        min_should,
    } = filter;
    Ok(Filter {
        should: conditions(should)?,
        must: conditions(must)?,
        must_not: conditions(must_not)?,
        min_should: min_should.map(at_least).transpose()?,
    })
}

/// A filter that may be absent.
pub fn optional(value: Option<grpc::Filter>) -> Result<Option<Filter>> {
    value.map(filter).transpose()
}

/// Points by id or by filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Selected {
    /// These points.
    Ids(Vec<PointId>),
    /// The points that match.
    Matching(Filter),
}

/// Which points a change is for; `missing` are Qdrant's words when nothing says.
pub fn selected(selector: Option<grpc::PointsSelector>, missing: &str) -> Result<Selected> {
    let Some(selector) = selector else {
        return Err(Error::Malformed(missing.to_owned()));
    };
    match selector.points_selector_one_of {
        Some(PointsSelectorOneOf::Points(list)) => Ok(Selected::Ids(
            list.ids
                .into_iter()
                .map(|id| point_id(Some(id)))
                .collect::<Result<_>>()?,
        )),
        Some(PointsSelectorOneOf::Filter(value)) => Ok(Selected::Matching(filter(value)?)),
        None => Err(Error::Malformed("Malformed PointsSelector type".to_owned())),
    }
}

fn at_least(value: grpc::MinShould) -> Result<MinShould> {
    if value.min_count == 0 {
        return Err(Error::Malformed("min_count must be greater than 0".to_owned()));
    }
    let conditions = value
        .conditions
        .into_iter()
        .map(condition)
        .collect::<Result<_>>()?;
    Ok(MinShould {
        conditions,
        min_count: to_usize(value.min_count),
    })
}

fn conditions(list: Vec<grpc::Condition>) -> Result<Option<Vec<Condition>>> {
    // An empty condition restricts nothing, as in Qdrant.
    let list = list
        .into_iter()
        .filter(|one| one.condition_one_of.is_some())
        .map(condition)
        .collect::<Result<Vec<_>>>()?;
    Ok(Some(list).filter(|list| !list.is_empty()))
}

/// One condition.
pub fn condition(value: grpc::Condition) -> Result<Condition> {
    let Some(one) = value.condition_one_of else {
        return Err(Error::Malformed("Malformed Condition type".to_owned()));
    };
    Ok(match one {
        ConditionOneOf::Field(value) => Condition::Field(field(value)?),
        ConditionOneOf::IsEmpty(value) => Condition::IsEmpty(IsEmptyCondition::from(path(&value.key)?)),
        ConditionOneOf::IsNull(value) => Condition::IsNull(IsNullCondition::from(path(&value.key)?)),
        ConditionOneOf::HasId(value) => {
            let ids = value
                .has_id
                .into_iter()
                .map(|id| point_id(Some(id)))
                .collect::<Result<Vec<_>>>()?;
            Condition::HasId(ids.into_iter().collect::<HasIdCondition>())
        }
        ConditionOneOf::Filter(value) => Condition::Filter(filter(value)?),
        ConditionOneOf::Nested(value) => {
            let key = path(&value.key)?;
            let inner = value
                .filter
                .ok_or_else(|| Error::Malformed("Nested condition must have a filter".to_owned()))?;
            Condition::Nested(NestedCondition::new(Nested {
                key,
                filter: filter(inner)?,
            }))
        }
        ConditionOneOf::HasVector(value) => Condition::HasVector(HasVectorCondition::from(value.has_vector)),
        ConditionOneOf::Slice(value) => Condition::Slice(SliceCondition { slice: slice(value)? }),
    })
}

fn slice(value: grpc::SliceCondition) -> Result<Slice> {
    match value.total.try_into() {
        Ok(total) if value.index < value.total => Ok(Slice {
            total,
            index: value.index,
        }),
        _ => Err(Error::Malformed(
            "Slice index must be less than the total number of slices".to_owned(),
        )),
    }
}

fn field(value: grpc::FieldCondition) -> Result<FieldCondition> {
    let grpc::FieldCondition {
        key,
        r#match,
        range,
        geo_bounding_box,
        geo_radius,
        values_count,
        geo_polygon,
        datetime_range,
        is_empty,
        is_null,
    } = value;
    let range = match (range, datetime_range) {
        (Some(range), _) => Some(RangeInterface::Float(Range {
            lt: range.lt.map(OrderedFloat),
            gt: range.gt.map(OrderedFloat),
            gte: range.gte.map(OrderedFloat),
            lte: range.lte.map(OrderedFloat),
        })),
        (None, Some(range)) => Some(RangeInterface::DateTime(Range {
            lt: range.lt.map(instant).transpose()?,
            gt: range.gt.map(instant).transpose()?,
            gte: range.gte.map(instant).transpose()?,
            lte: range.lte.map(instant).transpose()?,
        })),
        (None, None) => None,
    };
    Ok(FieldCondition {
        key: path(&key)?,
        r#match: r#match.map(matching).transpose()?,
        range,
        geo_bounding_box: geo_bounding_box.map(bounding_box).transpose()?,
        geo_radius: geo_radius.map(radius).transpose()?,
        geo_polygon: geo_polygon.map(polygon).transpose()?,
        values_count: values_count.map(|count| ValuesCount {
            lt: count.lt.map(to_usize),
            gt: count.gt.map(to_usize),
            gte: count.gte.map(to_usize),
            lte: count.lte.map(to_usize),
        }),
        is_empty,
        is_null,
    })
}

/// A moment as the engine counts it.
pub fn instant(value: prost_types::Timestamp) -> Result<DateTimeWrapper> {
    value
        .seconds
        .checked_mul(MICROS_PER_SECOND)
        .and_then(|micros| micros.checked_add(i64::from(value.nanos) / NANOS_PER_MICRO))
        .and_then(DateTimeWrapper::from_timestamp)
        .ok_or_else(|| Error::Malformed("Unable to convert timestamp".to_owned()))
}

fn matching(value: grpc::Match) -> Result<Match> {
    let Some(wire) = value.match_value else {
        return Err(Error::Malformed("Malformed Match condition".to_owned()));
    };
    Ok(match wire {
        Wire::Keyword(text) => Match::new_value(ValueVariants::String(text)),
        Wire::Integer(number) => Match::new_value(ValueVariants::Integer(number)),
        Wire::Boolean(flag) => Match::new_value(ValueVariants::Bool(flag)),
        Wire::Text(text) => Match::new_text(&text),
        Wire::Phrase(phrase) => Match::Phrase(MatchPhrase { phrase }),
        Wire::TextAny(text_any) => Match::TextAny(MatchTextAny { text_any }),
        Wire::Prefix(prefix) => Match::new_prefix(&prefix),
        Wire::Substring(part) => Match::new_substring(&part),
        Wire::Keywords(list) => Match::new_any(AnyVariants::Strings(list.strings.into_iter().collect())),
        Wire::Integers(list) => Match::new_any(AnyVariants::Integers(list.integers.into_iter().collect())),
        Wire::ExceptKeywords(list) => {
            Match::new_except(AnyVariants::Strings(list.strings.into_iter().collect()))
        }
        Wire::ExceptIntegers(list) => {
            Match::new_except(AnyVariants::Integers(list.integers.into_iter().collect()))
        }
    })
}

/// A point on the globe.
pub fn geo_point(value: grpc::GeoPoint) -> Result<GeoPoint> {
    GeoPoint::validate(value.lon, value.lat).map_err(|error| Error::Malformed(error.to_string()))?;
    Ok(GeoPoint {
        lon: OrderedFloat(value.lon),
        lat: OrderedFloat(value.lat),
    })
}

fn needed<T>(value: Option<T>, what: &str) -> Result<T> {
    value.ok_or_else(|| Error::Malformed(format!("Malformed {what}")))
}

fn bounding_box(value: grpc::GeoBoundingBox) -> Result<GeoBoundingBox> {
    Ok(GeoBoundingBox {
        top_left: geo_point(needed(value.top_left, "GeoBoundingBox type")?)?,
        bottom_right: geo_point(needed(value.bottom_right, "GeoBoundingBox type")?)?,
    })
}

fn radius(value: grpc::GeoRadius) -> Result<GeoRadius> {
    Ok(GeoRadius {
        center: geo_point(needed(value.center, "GeoRadius type")?)?,
        radius: OrderedFloat(f64::from(value.radius)),
    })
}

fn polygon(value: grpc::GeoPolygon) -> Result<GeoPolygon> {
    let exterior = line(needed(
        value.exterior,
        "GeoPolygon type - field `exterior` is required",
    )?)?;
    let interiors = value
        .interiors
        .into_iter()
        .map(line)
        .collect::<Result<Vec<_>>>()?;
    Ok(GeoPolygon {
        exterior,
        interiors: Some(interiors).filter(|lines| !lines.is_empty()),
    })
}

fn line(value: grpc::GeoLineString) -> Result<GeoLineString> {
    let line = GeoLineString {
        points: value.points.into_iter().map(geo_point).collect::<Result<_>>()?,
    };
    GeoPolygon::validate_line_string(&line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The engine reads Qdrant's REST filters itself: both ways must agree.
    fn check(input: grpc::Filter, expect: serde_json::Value) {
        assert_eq!(
            filter(input).unwrap(),
            serde_json::from_value::<Filter>(expect).unwrap()
        );
    }

    #[test]
    fn filters_mean_what_their_rest_form_means() {
        check(grpc::Filter::default(), json!({}));
        check(
            grpc::Filter::must([grpc::Condition::matches("workspace", "a".to_owned())]),
            json!({"must": [{"key": "workspace", "match": {"value": "a"}}]}),
        );
        check(
            grpc::Filter {
                should: vec![grpc::Condition::matches("n", vec![1, 2])],
                must_not: vec![grpc::Condition::is_empty("a.b[]"), grpc::Condition::has_id([7])],
                ..grpc::Filter::default()
            },
            json!({"should": [{"key": "n", "match": {"any": [1, 2]}}],
                   "must_not": [{"is_empty": {"key": "a.b[]"}}, {"has_id": [7]}]}),
        );
        check(
            grpc::Filter::must([grpc::Condition::range(
                "n",
                grpc::Range {
                    gte: Some(1.0),
                    ..Default::default()
                },
            )]),
            json!({"must": [{"key": "n", "range": {"gte": 1.0}}]}),
        );
        check(
            grpc::Filter::min_should(1, [grpc::Condition::is_null("x")]),
            json!({"min_should": {"conditions": [{"is_null": {"key": "x"}}], "min_count": 1}}),
        );
    }

    #[test]
    fn malformed_filters_are_refused() {
        let path = filter(grpc::Filter::must([grpc::Condition::is_null("a[")]));
        assert_eq!(path, Err(Error::Malformed("Invalid json path: 'a['".to_owned())));
        let half = filter(grpc::Filter::must([grpc::Condition::geo_radius(
            "place",
            grpc::GeoRadius::default(),
        )]));
        assert_eq!(half, Err(Error::Malformed("Malformed GeoRadius type".to_owned())));
    }
}
