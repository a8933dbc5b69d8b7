//! A tool's answer as text for a model: bounded, and printable.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

use crate::limits::ANSWER_BYTES_MAX;

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The text; what was cut off is said at its end.
    pub text: String,
    /// Whether the tool says that it failed. The text says why, and a model may
    /// put it right.
    pub is_error: bool,
}

impl Answer {
    pub(crate) fn of(result: &CallToolResult) -> Self {
        let blocks: Vec<String> = result.content.iter().map(words).collect();
        let mut text = blocks.join("\n");
        // Servers should repeat structured content as text; some do not.
        if text.trim().is_empty()
            && let Some(structured) = &result.structured_content
        {
            text = structured.to_string();
        }
        Self {
            text: cut(&printable(&text), ANSWER_BYTES_MAX),
            is_error: result.is_error == Some(true),
        }
    }
}

/// A block in words. What is no text is named and left out.
fn words(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => left_out("image", &image.mime_type, image.data.len()),
        ContentBlock::Audio(audio) => left_out("audio", &audio.mime_type, audio.data.len()),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            ResourceContents::BlobResourceContents {
                uri, mime_type, blob, ..
            } => {
                let kind = mime_type.as_deref().unwrap_or("unknown type");
                left_out(uri, kind, blob.len())
            }
            _ => "[a resource of an unknown kind, left out]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => format!("[{}: {}]", link.name, link.uri),
        _ => "[something of an unknown kind, left out]".to_owned(),
    }
}

/// `characters` are of base64.
fn left_out(what: &str, kind: &str, characters: usize) -> String {
    format!("[{what}, {kind}, {} bytes, left out]", characters / 4 * 3)
}

/// Without characters that a terminal or a prompt could take for more than text.
pub(crate) fn printable(text: &str) -> String {
    let keep = |c: char| match c {
        '\n' | '\t' => Some(c),
        '\r' => None,
        c if c.is_control() => Some('\u{fffd}'),
        c => Some(c),
    };
    text.chars().filter_map(keep).collect()
}

/// The beginning, with a word on what is missing.
pub(crate) fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max);
    format!("{}\n[cut: {end} of {} bytes]", &text[..end], text.len())
}

/// A complaint on one line, without a word on what is missing.
pub(crate) fn complaint(text: &str, bytes_max: usize) -> String {
    let text = printable(text.trim()).replace('\n', " ");
    match text.len() > bytes_max {
        true => format!("{}…", &text[..text.floor_char_boundary(bytes_max)]),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(result: serde_json::Value, expect: &str, is_error: bool) {
        let result: CallToolResult = serde_json::from_value(result).unwrap();
        let expect = Answer {
            text: expect.to_owned(),
            is_error,
        };
        assert_eq!(Answer::of(&result), expect);
    }

    #[test]
    fn every_kind_of_block_becomes_text() {
        let content = json!([
            {"type": "text", "text": "a\u{1b}[31m\r\nb"},
            {"type": "image", "data": "AAAABBBB", "mimeType": "image/png"},
            {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"},
            {"type": "resource", "resource": {"uri": "file:///x", "text": "x"}},
            {"type": "resource", "resource": {"uri": "file:///y", "blob": "AAAA"}},
            {"type": "resource_link", "uri": "file:///z", "name": "z"},
        ]);
        let expect = "a\u{fffd}[31m\nb\n[image, image/png, 6 bytes, left out]\n\
                      [audio, audio/wav, 3 bytes, left out]\nx\n\
                      [file:///y, unknown type, 3 bytes, left out]\n[z: file:///z]";
        check(json!({"content": content}), expect, false);
    }

    #[test]
    fn structured_content_counts_where_there_is_no_text() {
        check(
            json!({"content": [], "structuredContent": {"a": 1}}),
            "{\"a\":1}",
            false,
        );
        let both = json!({"content": [{"type": "text", "text": "one"}], "structuredContent": {"a": 1}});
        check(both, "one", false);
        check(json!({"content": [], "isError": true}), "", true);
    }

    #[test]
    fn long_texts_are_cut_where_a_character_ends() {
        assert_eq!(cut("aüb", 2), "a\n[cut: 1 of 4 bytes]");
        assert_eq!(cut("aüb", 4), "aüb");
        assert_eq!(complaint(" a\nb ", 2), "a …");
    }
}
