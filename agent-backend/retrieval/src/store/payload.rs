//! Records as payloads of the vector database and back.

use std::collections::HashMap;

use qdrant_client::qdrant::Value;
use qdrant_client::qdrant::value::Kind as Scalar;

use super::Record;
use crate::chunk::Kind;
use crate::corpus::class::Class;
use crate::identity::{ContentHash, WorkspaceId};
use crate::language::Language;

pub(super) const WORKSPACE: &str = "workspace";
pub(super) const PATH: &str = "path";
pub(super) const CONTENT_HASH: &str = "content_hash";
pub(super) const CHUNKS: &str = "chunks";
pub(super) const LANGUAGE: &str = "language";
/// Written to be filtered by; it follows from the path.
pub(super) const CLASS: &str = "class";
const KIND: &str = "kind";
const SYMBOL: &str = "symbol";
const START_LINE: &str = "start_line";
const END_LINE: &str = "end_line";
const TEXT: &str = "text";

pub(super) type Payload = HashMap<String, Value>;

pub(super) fn write(record: &Record) -> Payload {
    let mut payload: Payload = [
        (WORKSPACE, text(record.workspace.as_str())),
        (PATH, text(&record.path)),
        (LANGUAGE, text(record.language.as_str())),
        (CLASS, text(Class::of(&record.path).as_str())),
        (KIND, text(record.kind.as_str())),
        (START_LINE, number(record.start_line)),
        (END_LINE, number(record.end_line)),
        (CONTENT_HASH, text(&record.content.to_string())),
        (CHUNKS, number(record.chunks)),
        (TEXT, text(&record.text)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    if let Some(symbol) = &record.symbol {
        payload.insert(SYMBOL.to_owned(), text(symbol));
    }
    payload
}

/// The record, or the name of the field that is missing or malformed.
pub(super) fn read(payload: &Payload) -> Result<Record, &'static str> {
    Ok(Record {
        workspace: WorkspaceId::parse(get_text(payload, WORKSPACE)?),
        path: get_text(payload, PATH)?.to_owned(),
        language: Language::parse(get_text(payload, LANGUAGE)?).ok_or(LANGUAGE)?,
        kind: Kind::parse(get_text(payload, KIND)?).ok_or(KIND)?,
        symbol: get_text(payload, SYMBOL).ok().map(str::to_owned),
        start_line: get_number(payload, START_LINE)?,
        end_line: get_number(payload, END_LINE)?,
        content: get_hash(payload)?,
        chunks: get_number(payload, CHUNKS)?,
        text: get_text(payload, TEXT)?.to_owned(),
    })
}

pub(super) fn get_hash(payload: &Payload) -> Result<ContentHash, &'static str> {
    ContentHash::parse(get_text(payload, CONTENT_HASH)?).ok_or(CONTENT_HASH)
}

pub(super) fn get_text<'a>(payload: &'a Payload, key: &'static str) -> Result<&'a str, &'static str> {
    match payload.get(key).and_then(|value| value.kind.as_ref()) {
        Some(Scalar::StringValue(text)) => Ok(text),
        _ => Err(key),
    }
}

pub(super) fn get_number(payload: &Payload, key: &'static str) -> Result<u32, &'static str> {
    match payload.get(key).and_then(|value| value.kind.as_ref()) {
        Some(Scalar::IntegerValue(number)) => u32::try_from(*number).map_err(|_| key),
        _ => Err(key),
    }
}

fn text(text: &str) -> Value {
    Value {
        kind: Some(Scalar::StringValue(text.to_owned())),
    }
}

fn number(number: u32) -> Value {
    Value {
        kind: Some(Scalar::IntegerValue(i64::from(number))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;

    #[test]
    fn records_read_back() {
        let check = |record: Record| assert_eq!(read(&write(&record)), Ok(record));
        check(record("a.py", 1, 3, Some("f")));
        check(record("b/ü.md", 7, 7, None));
    }

    #[test]
    fn a_payload_of_somebody_else_is_refused() {
        assert_eq!(read(&Payload::new()), Err(WORKSPACE));
        let mut payload = write(&record("a.py", 1, 3, None));
        payload.insert(KIND.to_owned(), text("poem"));
        assert_eq!(read(&payload), Err(KIND));
        payload.insert(KIND.to_owned(), number(1));
        assert_eq!(read(&payload), Err(KIND));
    }
}
