//! Filters.

use qdrant_client::qdrant::{self as grpc, condition::ConditionOneOf};

use super::{Check, Faults};

/// Points of a line that encloses something.
const LINE_POINTS_MIN: usize = 4;

impl Check for grpc::Filter {
    fn check(&self, faults: &mut Faults) {
        faults.each("should", &self.should);
        faults.each("must", &self.must);
        faults.each("must_not", &self.must_not);
        faults.part("min_should", self.min_should.as_ref());
    }
}

impl Check for grpc::MinShould {
    fn check(&self, faults: &mut Faults) {
        faults.each("conditions", &self.conditions);
        if self.min_count == 0 {
            faults.add("min_count", "min_count must be greater than 0");
        }
    }
}

impl Check for grpc::Condition {
    fn check(&self, faults: &mut Faults) {
        match &self.condition_one_of {
            Some(ConditionOneOf::Field(field)) => faults.part("condition_one_of", Some(field)),
            Some(ConditionOneOf::Filter(filter)) => faults.part("condition_one_of", Some(filter)),
            Some(ConditionOneOf::Nested(nested)) => faults.within("condition_one_of".to_owned(), |faults| {
                faults.part("filter", nested.filter.as_ref());
            }),
            Some(ConditionOneOf::Slice(slice)) => faults.part("condition_one_of", Some(slice)),
            Some(
                ConditionOneOf::IsEmpty(_)
                | ConditionOneOf::HasId(_)
                | ConditionOneOf::IsNull(_)
                | ConditionOneOf::HasVector(_),
            )
            | None => {}
        }
    }
}

impl Check for grpc::SliceCondition {
    fn check(&self, faults: &mut Faults) {
        if self.total == 0 {
            faults.broken("total", "must be greater than 0");
        } else if self.index >= self.total {
            faults.broken("index", "must be less than the total number of slices");
        }
    }
}

impl Check for grpc::FieldCondition {
    fn check(&self, faults: &mut Faults) {
        let Self {
            key: _,
            r#match,
            range,
            geo_bounding_box,
            geo_radius,
            values_count,
            geo_polygon,
            datetime_range,
            is_empty,
            is_null,
        } = self;
        let says_something = r#match.is_some()
            || range.is_some()
            || geo_bounding_box.is_some()
            || geo_radius.is_some()
            || values_count.is_some()
            || geo_polygon.is_some()
            || datetime_range.is_some()
            || is_empty.is_some()
            || is_null.is_some();
        if !says_something {
            faults.broken("match", "At least one field condition must be specified");
        }
        if let Some(rectangle) = geo_bounding_box {
            faults.within("geo_bounding_box".to_owned(), |faults| {
                faults.part("bottom_right", rectangle.bottom_right.as_ref());
                faults.part("top_left", rectangle.top_left.as_ref());
            });
        }
        if let Some(radius) = geo_radius {
            faults.within("geo_radius".to_owned(), |faults| {
                faults.part("center", radius.center.as_ref());
            });
        }
        faults.part("geo_polygon", geo_polygon.as_ref());
    }
}

impl Check for grpc::GeoPoint {
    fn check(&self, faults: &mut Faults) {
        if let Err(error) = qdrant_edge::GeoPoint::validate(self.lon, self.lat) {
            faults.add("geo", error);
        }
    }
}

impl Check for grpc::GeoPolygon {
    fn check(&self, faults: &mut Faults) {
        if let Some(exterior) = &self.exterior {
            if exterior.points.is_empty() {
                faults.add("exterior", "value invalid, must not be empty");
            } else {
                line("exterior", exterior, faults);
            }
            faults.part("exterior", Some(exterior));
        }
        for interior in &self.interiors {
            line("interiors", interior, faults);
        }
        faults.each("interiors", &self.interiors);
    }
}

impl Check for grpc::GeoLineString {
    fn check(&self, faults: &mut Faults) {
        faults.each("points", &self.points);
    }
}

fn line(field: &str, line: &grpc::GeoLineString, faults: &mut Faults) {
    let length = line.points.len();
    if length < LINE_POINTS_MIN {
        let words = format!("value invalid, the size must be at least {LINE_POINTS_MIN}, got {length}");
        faults.add(field, words);
    } else if line.points.first() != line.points.last() {
        faults.add(
            field,
            "value invalid, the first and the last points should be same to form a closed line",
        );
    }
}
