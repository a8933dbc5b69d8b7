//! A prompt's content blocks as one text.

use agent_client_protocol::v1::schema::{ContentBlock, EmbeddedResourceResource};

/// The text of a prompt: text as it is, links by their address, embedded files
/// in full. Images and audio are not offered in our capabilities; a client
/// that sends them anyway is told so by the placeholder.
pub(super) fn of(prompt: &[ContentBlock]) -> String {
    let parts: Vec<String> = prompt.iter().map(block).filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.trim().to_owned(),
        ContentBlock::ResourceLink(link) => format!("[{}]({})", link.name, link.uri),
        ContentBlock::Resource(resource) => match &resource.resource {
            EmbeddedResourceResource::TextResourceContents(text) => format!("{}:\n{}", text.uri, text.text),
            EmbeddedResourceResource::BlobResourceContents(blob) => format!("[binary file {}]", blob.uri),
            _ => String::new(),
        },
        ContentBlock::Image(_) => "[an image that cannot be read]".to_owned(),
        ContentBlock::Audio(_) => "[a recording that cannot be read]".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use agent_client_protocol::v1::schema::{ResourceLink, TextContent};

    use super::*;

    #[test]
    fn blocks_become_one_text() {
        let prompt = [
            ContentBlock::Text(TextContent::new("  add login ")),
            ContentBlock::ResourceLink(ResourceLink::new("app.py", "file:///w/app.py")),
            ContentBlock::Text(TextContent::new("")),
        ];
        assert_eq!(of(&prompt), "add login\n\n[app.py](file:///w/app.py)");
    }
}
