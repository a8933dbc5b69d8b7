//! Payload indexes, both ways.
//!
//! Their parameters go through the engine's own reading of Qdrant's REST form,
//! so that the meaning of each is written down in one place only.

use qdrant_client::qdrant::{
    self as grpc, payload_index_params::IndexParams, stemming_algorithm::StemmingParams,
};
use qdrant_edge::{PayloadFieldSchema, PayloadIndexInfo, PayloadSchemaParams, PayloadSchemaType};
use serde_json::{Map, Value, json};

use super::point::{to_u64, to_usize};
use crate::embedded::error::{Error, Result};

/// The index a request asks for.
pub fn schema(
    field_type: Option<i32>,
    params: Option<grpc::PayloadIndexParams>,
) -> Result<PayloadFieldSchema> {
    let Some(field_type) = field_type else {
        return Err(Error::Malformed("cannot convert field_type".to_owned()));
    };
    if let Some(params) = params.and_then(|params| params.index_params) {
        let kind = kind(&params);
        match grpc::FieldType::try_from(field_type) {
            Ok(field_type) if field_type == kind => {}
            Ok(field_type) => {
                return Err(Error::Malformed(format!(
                    "field_type ({field_type:?}) and field_index_params do not match"
                )));
            }
            Err(_) => return Err(Error::Malformed("field type is missing".to_owned())),
        }
        let value = strip(rest_form(params)?);
        return serde_json::from_value::<PayloadSchemaParams>(value)
            .map(PayloadFieldSchema::FieldParams)
            .map_err(|error| Error::Malformed(format!("Malformed payload index params: {error}")));
    }
    Ok(PayloadFieldSchema::FieldType(
        match grpc::FieldType::try_from(field_type) {
            Ok(grpc::FieldType::Keyword) => PayloadSchemaType::Keyword,
            Ok(grpc::FieldType::Integer) => PayloadSchemaType::Integer,
            Ok(grpc::FieldType::Float) => PayloadSchemaType::Float,
            Ok(grpc::FieldType::Geo) => PayloadSchemaType::Geo,
            Ok(grpc::FieldType::Text) => PayloadSchemaType::Text,
            Ok(grpc::FieldType::Bool) => PayloadSchemaType::Bool,
            Ok(grpc::FieldType::Datetime) => PayloadSchemaType::Datetime,
            Ok(grpc::FieldType::Uuid) => PayloadSchemaType::Uuid,
            Err(_) => return Err(Error::Malformed(format!("Unknown field type {field_type}"))),
        },
    ))
}

/// What the parameters are for.
fn kind(params: &IndexParams) -> grpc::FieldType {
    match params {
        IndexParams::KeywordIndexParams(_) => grpc::FieldType::Keyword,
        IndexParams::IntegerIndexParams(_) => grpc::FieldType::Integer,
        IndexParams::FloatIndexParams(_) => grpc::FieldType::Float,
        IndexParams::GeoIndexParams(_) => grpc::FieldType::Geo,
        IndexParams::TextIndexParams(_) => grpc::FieldType::Text,
        IndexParams::BoolIndexParams(_) => grpc::FieldType::Bool,
        IndexParams::DatetimeIndexParams(_) => grpc::FieldType::Datetime,
        IndexParams::UuidIndexParams(_) => grpc::FieldType::Uuid,
    }
}

/// Absent values are left out, as in REST.
fn strip(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .collect::<Map<String, Value>>(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => value,
    }
}

pub(super) fn memory(value: Option<i32>) -> Result<Option<&'static str>> {
    let Some(value) = value else { return Ok(None) };
    match grpc::Memory::try_from(value) {
        Ok(grpc::Memory::Unknown) => Ok(None),
        Ok(grpc::Memory::Cold) => Ok(Some("cold")),
        Ok(grpc::Memory::Cached) => Ok(Some("cached")),
        Ok(grpc::Memory::Pinned) => Ok(Some("pinned")),
        Err(_) => Err(Error::Malformed(format!("Unknown memory placement {value}"))),
    }
}

#[expect(deprecated, reason = "older clients send the deprecated fields")]
fn rest_form(params: IndexParams) -> Result<Value> {
    Ok(match params {
        IndexParams::KeywordIndexParams(p) => json!({
            "type": "keyword", "is_tenant": p.is_tenant, "on_disk": p.on_disk, "enable_hnsw": p.enable_hnsw,
            "prefix": p.prefix.map(|_| true), "memory": memory(p.memory)?, "nested": p.nested,
        }),
        IndexParams::IntegerIndexParams(p) => json!({
            "type": "integer", "lookup": p.lookup, "range": p.range, "is_principal": p.is_principal,
            "on_disk": p.on_disk, "enable_hnsw": p.enable_hnsw, "memory": memory(p.memory)?, "nested": p.nested,
        }),
        IndexParams::FloatIndexParams(p) => json!({
            "type": "float", "is_principal": p.is_principal, "on_disk": p.on_disk, "enable_hnsw": p.enable_hnsw,
            "memory": memory(p.memory)?, "nested": p.nested,
        }),
        IndexParams::GeoIndexParams(p) => json!({
            "type": "geo", "on_disk": p.on_disk, "enable_hnsw": p.enable_hnsw, "memory": memory(p.memory)?,
            "nested": p.nested,
        }),
        IndexParams::BoolIndexParams(p) => json!({
            "type": "bool", "on_disk": p.on_disk, "enable_hnsw": p.enable_hnsw, "memory": memory(p.memory)?,
            "nested": p.nested,
        }),
        IndexParams::DatetimeIndexParams(p) => json!({
            "type": "datetime", "is_principal": p.is_principal, "on_disk": p.on_disk,
            "enable_hnsw": p.enable_hnsw, "memory": memory(p.memory)?, "nested": p.nested,
        }),
        IndexParams::UuidIndexParams(p) => json!({
            "type": "uuid", "is_tenant": p.is_tenant, "on_disk": p.on_disk, "enable_hnsw": p.enable_hnsw,
            "memory": memory(p.memory)?, "nested": p.nested,
        }),
        IndexParams::TextIndexParams(p) => json!({
            "type": "text", "tokenizer": tokenizer(p.tokenizer)?, "lowercase": p.lowercase,
            "min_token_len": p.min_token_len.map(to_usize), "max_token_len": p.max_token_len.map(to_usize),
            "on_disk": p.on_disk, "phrase_matching": p.phrase_matching, "ascii_folding": p.ascii_folding,
            "stopwords": p.stopwords.map(|words| json!({"languages": words.languages, "custom": words.custom})),
            "stemmer": p.stemmer.and_then(|stemmer| stemmer.stemming_params).map(|stemmer| match stemmer {
                StemmingParams::Snowball(snowball) => json!({"type": "snowball", "language": snowball.language}),
                StemmingParams::Disabled(_) => json!({"type": "none"}),
            }),
            "enable_hnsw": p.enable_hnsw, "memory": memory(p.memory)?, "scoring": p.scoring.map(|_| true),
            "nested": p.nested,
        }),
    })
}

fn tokenizer(value: i32) -> Result<&'static str> {
    match grpc::TokenizerType::try_from(value) {
        Ok(grpc::TokenizerType::Unknown | grpc::TokenizerType::Word) => Ok("word"),
        Ok(grpc::TokenizerType::Prefix) => Ok("prefix"),
        Ok(grpc::TokenizerType::Whitespace) => Ok("whitespace"),
        Ok(grpc::TokenizerType::Multilingual) => Ok("multilingual"),
        Ok(grpc::TokenizerType::Code) => Ok("code"),
        Err(_) => Err(Error::Malformed(format!("Unknown tokenizer {value}"))),
    }
}

/// An existing index for the wire. Of a text index's parameters those that
/// decide what it matches are told.
pub fn wire(info: PayloadIndexInfo) -> grpc::PayloadSchemaInfo {
    let data_type = match info.data_type {
        PayloadSchemaType::Keyword => grpc::PayloadSchemaType::Keyword,
        PayloadSchemaType::Integer => grpc::PayloadSchemaType::Integer,
        PayloadSchemaType::Float => grpc::PayloadSchemaType::Float,
        PayloadSchemaType::Geo => grpc::PayloadSchemaType::Geo,
        PayloadSchemaType::Text => grpc::PayloadSchemaType::Text,
        PayloadSchemaType::Bool => grpc::PayloadSchemaType::Bool,
        PayloadSchemaType::Datetime => grpc::PayloadSchemaType::Datetime,
        PayloadSchemaType::Uuid => grpc::PayloadSchemaType::Uuid,
    };
    grpc::PayloadSchemaInfo {
        data_type: data_type.into(),
        params: info.params.map(|params| grpc::PayloadIndexParams {
            index_params: Some(wire_params(params)),
        }),
        points: Some(to_u64(info.points)),
    }
}

#[expect(deprecated, reason = "an index keeps the deprecated fields it was made with")]
fn wire_params(params: PayloadSchemaParams) -> IndexParams {
    let nested = |path: Option<qdrant_edge::JsonPath>| path.map(|path| path.to_string());
    match params {
        PayloadSchemaParams::Keyword(p) => IndexParams::KeywordIndexParams(grpc::KeywordIndexParams {
            is_tenant: p.is_tenant,
            on_disk: p.on_disk,
            enable_hnsw: p.enable_hnsw,
            prefix: p
                .prefix
                .filter(|prefix| *prefix)
                .map(|_| grpc::KeywordPrefixParams {}),
            memory: wire_memory(p.memory),
            nested: nested(p.nested),
        }),
        PayloadSchemaParams::Integer(p) => IndexParams::IntegerIndexParams(grpc::IntegerIndexParams {
            lookup: p.lookup,
            range: p.range,
            is_principal: p.is_principal,
            on_disk: p.on_disk,
            enable_hnsw: p.enable_hnsw,
            memory: wire_memory(p.memory),
            nested: nested(p.nested),
        }),
        PayloadSchemaParams::Float(p) => IndexParams::FloatIndexParams(grpc::FloatIndexParams {
            on_disk: p.on_disk,
            is_principal: p.is_principal,
            enable_hnsw: p.enable_hnsw,
            memory: wire_memory(p.memory),
            nested: nested(p.nested),
        }),
        PayloadSchemaParams::Geo(p) => IndexParams::GeoIndexParams(grpc::GeoIndexParams {
            on_disk: p.on_disk,
            enable_hnsw: p.enable_hnsw,
            memory: wire_memory(p.memory),
            nested: nested(p.nested),
        }),
        PayloadSchemaParams::Text(p) => IndexParams::TextIndexParams(grpc::TextIndexParams {
            tokenizer: wire_tokenizer(p.tokenizer).into(),
            lowercase: p.lowercase,
            min_token_len: p.min_token_len.map(to_u64),
            max_token_len: p.max_token_len.map(to_u64),
            on_disk: p.on_disk,
            phrase_matching: p.phrase_matching,
            ascii_folding: p.ascii_folding,
            enable_hnsw: p.enable_hnsw,
            memory: wire_memory(p.memory),
            scoring: p.scoring.map(|_| grpc::TextScoringParams::default()),
            nested: nested(p.nested),
            ..grpc::TextIndexParams::default()
        }),
        PayloadSchemaParams::Bool(p) => IndexParams::BoolIndexParams(grpc::BoolIndexParams {
            on_disk: p.on_disk,
            enable_hnsw: p.enable_hnsw,
            memory: wire_memory(p.memory),
            nested: nested(p.nested),
        }),
        PayloadSchemaParams::Datetime(p) => IndexParams::DatetimeIndexParams(grpc::DatetimeIndexParams {
            on_disk: p.on_disk,
            is_principal: p.is_principal,
            enable_hnsw: p.enable_hnsw,
            memory: wire_memory(p.memory),
            nested: nested(p.nested),
        }),
        PayloadSchemaParams::Uuid(p) => IndexParams::UuidIndexParams(grpc::UuidIndexParams {
            is_tenant: p.is_tenant,
            on_disk: p.on_disk,
            enable_hnsw: p.enable_hnsw,
            memory: wire_memory(p.memory),
            nested: nested(p.nested),
        }),
    }
}

fn wire_tokenizer(value: qdrant_edge::TokenizerType) -> grpc::TokenizerType {
    match value {
        qdrant_edge::TokenizerType::Prefix => grpc::TokenizerType::Prefix,
        qdrant_edge::TokenizerType::Whitespace => grpc::TokenizerType::Whitespace,
        qdrant_edge::TokenizerType::Word => grpc::TokenizerType::Word,
        qdrant_edge::TokenizerType::Multilingual => grpc::TokenizerType::Multilingual,
        qdrant_edge::TokenizerType::Code => grpc::TokenizerType::Code,
    }
}

/// A placement for the wire.
pub fn wire_memory(value: Option<qdrant_edge::Memory>) -> Option<i32> {
    let value = match value? {
        qdrant_edge::Memory::Cold => grpc::Memory::Cold,
        qdrant_edge::Memory::Cached => grpc::Memory::Cached,
        qdrant_edge::Memory::Pinned => grpc::Memory::Pinned,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better with values")]
    fn check(params: IndexParams) {
        let schema = schema(
            Some(kind(&params).into()),
            Some(grpc::PayloadIndexParams {
                index_params: Some(params.clone()),
            }),
        )
        .unwrap();
        let PayloadFieldSchema::FieldParams(read) = schema else {
            panic!("{schema:?}")
        };
        assert_eq!(wire_params(read), params);
    }

    #[test]
    fn parameters_come_back_as_they_went() {
        check(IndexParams::KeywordIndexParams(grpc::KeywordIndexParams {
            is_tenant: Some(true),
            ..Default::default()
        }));
        check(IndexParams::IntegerIndexParams(grpc::IntegerIndexParams {
            lookup: Some(true),
            range: Some(false),
            ..Default::default()
        }));
        check(IndexParams::FloatIndexParams(grpc::FloatIndexParams::default()));
        check(IndexParams::GeoIndexParams(grpc::GeoIndexParams::default()));
        check(IndexParams::BoolIndexParams(grpc::BoolIndexParams::default()));
        check(IndexParams::DatetimeIndexParams(
            grpc::DatetimeIndexParams::default(),
        ));
        check(IndexParams::UuidIndexParams(grpc::UuidIndexParams::default()));
        check(IndexParams::TextIndexParams(grpc::TextIndexParams {
            tokenizer: grpc::TokenizerType::Prefix.into(),
            lowercase: Some(true),
            min_token_len: Some(2),
            ..Default::default()
        }));
    }
}
