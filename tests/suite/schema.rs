//! JSON Schemas as tests use them.

use std::{collections::HashMap, fs, path::Path};

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::Value;

/// A document with schemas in it.
pub struct Document {
    schemas: Schemas,
    by_pointer: HashMap<String, SchemaIndex>,
}

impl Document {
    /// The document at `path`, ready to judge by the schemas at `pointers`
    /// (JSON pointers; an empty one is the whole document).
    pub fn read(path: &Path, pointers: impl IntoIterator<Item = String>) -> Self {
        Self::compile(read_json(path), pointers)
    }

    fn compile(document: Value, pointers: impl IntoIterator<Item = String>) -> Self {
        const NAME: &str = "file:///schema.json";
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.add_resource(NAME, document).unwrap();
        let mut compile = |pointer: String| {
            let index = compiler.compile(&format!("{NAME}#{pointer}"), &mut schemas);
            let index = index.unwrap_or_else(|error| panic!("{pointer}: {error:#}"));
            (pointer, index)
        };
        let by_pointer = pointers.into_iter().map(&mut compile).collect();
        Self { schemas, by_pointer }
    }

    /// Why `value` is not what the schema at `pointer` says.
    pub fn judge(&self, pointer: &str, value: &Value) -> Result<(), String> {
        let index = *self
            .by_pointer
            .get(pointer)
            .unwrap_or_else(|| panic!("{pointer} was not compiled"));
        self.schemas
            .validate(value, index)
            .map_err(|error| format!("{error:#}\n{value:#}"))
    }
}

/// A file as JSON.
pub fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_wrong_value_is_refused() {
    let document = serde_json::json!({ "$defs": { "A": { "type": "object", "required": ["a"] } } });
    let document = Document::compile(document, ["/$defs/A".to_owned()]);
    assert_eq!(document.judge("/$defs/A", &serde_json::json!({ "a": 1 })), Ok(()));
    assert!(document.judge("/$defs/A", &serde_json::json!({})).is_err());
}
