//! A prompt's content blocks as one text.

use std::path::Path;

use agent_client_protocol::v1::schema::{ContentBlock, EmbeddedResource, EmbeddedResourceResource};
use engine::limits::QUERY_BYTES_MAX;
use shared::error::Code;

use crate::error::Error;

/// One block.
struct Part {
    /// What the model is told.
    text: String,
    /// The same without the contents of a file that is in the folder anyway.
    short: Option<String>,
}

/// The text of a prompt about `cwd`: text as it is, files by their place in the
/// folder, those of further ones by their whole path, embedded ones in full. Where that is too long, the largest embedded
/// ones that are in the folder are only named, because they are read there
/// anyway. Pictures and recordings are refused: no capability offers them.
pub(super) fn of(prompt: &[ContentBlock], cwd: &Path, folders: &[String]) -> Result<String, Error> {
    let mut parts = Vec::new();
    for block in prompt {
        let part = part(block, cwd, folders)?;
        if !part.text.is_empty() {
            parts.push(part);
        }
    }
    while parts.iter().map(|part| part.text.len() + 2).sum::<usize>() > QUERY_BYTES_MAX {
        let longest = parts.iter_mut().filter(|part| part.short.is_some());
        match longest.max_by_key(|part| part.text.len()) {
            Some(longest) => longest.text = longest.short.take().unwrap_or_default(),
            // Whoever begins the work says that it is too long.
            None => break,
        }
    }
    let texts: Vec<String> = parts.into_iter().map(|part| part.text).collect();
    Ok(texts.join("\n\n"))
}

fn part(block: &ContentBlock, cwd: &Path, folders: &[String]) -> Result<Part, Error> {
    let plain = |text: String| Part { text, short: None };
    let refuse = |what: &str| {
        let message = format!("the prompt has {what}, which is not among `promptCapabilities`");
        Error::user(Code::InvalidRequest, message)
    };
    match block {
        ContentBlock::Text(text) => Ok(plain(text.text.trim().to_owned())),
        ContentBlock::ResourceLink(link) => Ok(plain(match within(&link.uri, cwd, folders) {
            Some(path) => format!("`{path}`"),
            None => format!("[{}]({})", link.name, link.uri),
        })),
        ContentBlock::Resource(resource) => Ok(embedded(resource, cwd, folders)),
        ContentBlock::Image(_) => Err(refuse("an image")),
        ContentBlock::Audio(_) => Err(refuse("audio")),
        _ => Err(refuse("content of an unknown kind")),
    }
}

fn embedded(resource: &EmbeddedResource, cwd: &Path, folders: &[String]) -> Part {
    match &resource.resource {
        EmbeddedResourceResource::TextResourceContents(text) => match within(&text.uri, cwd, folders) {
            Some(path) => Part {
                text: format!("`{path}`:\n{}", text.text),
                short: Some(format!("`{path}`")),
            },
            None => Part {
                text: format!("{}:\n{}", text.uri, text.text),
                short: None,
            },
        },
        EmbeddedResourceResource::BlobResourceContents(blob) => Part {
            text: format!("[binary file {}]", blob.uri),
            short: None,
        },
        _ => Part {
            text: String::new(),
            short: None,
        },
    }
}

/// The path within the folder that an address names, or the whole path where it
/// is within a further one, with the lines that it names behind it.
fn within(uri: &str, cwd: &Path, folders: &[String]) -> Option<String> {
    let path = uri.strip_prefix("file://")?;
    let (path, lines) = path.split_once('#').unwrap_or((path, ""));
    let whole = Path::new(path);
    let is_in = |folder: &String| whole != Path::new(folder) && whole.starts_with(folder);
    let path = match whole.strip_prefix(cwd) {
        Ok(path) => path.to_str()?,
        Err(_) if folders.iter().any(is_in) => path,
        Err(_) => return None,
    };
    // What is escaped, or leads out again, is left as it came.
    let is_plain = !path.is_empty() && !path.contains('%') && !path.split('/').any(|part| part == "..");
    is_plain.then(|| match lines {
        "" => path.to_owned(),
        lines => format!("{path}#{lines}"),
    })
}

#[cfg(test)]
mod tests {
    use agent_client_protocol::v1::schema::{ImageContent, ResourceLink, TextContent, TextResourceContents};

    use super::*;

    fn file(uri: &str, text: String) -> ContentBlock {
        let contents = EmbeddedResourceResource::TextResourceContents(TextResourceContents::new(text, uri));
        ContentBlock::Resource(EmbeddedResource::new(contents))
    }

    fn check(prompt: &[ContentBlock], expect: Option<&str>) {
        assert_eq!(
            of(prompt, Path::new("/w"), &["/lib".to_owned()]).ok().as_deref(),
            expect
        );
    }

    #[test]
    fn blocks_become_one_text() {
        let text = |text: &str| ContentBlock::Text(TextContent::new(text));
        let link = |uri: &str| ContentBlock::ResourceLink(ResourceLink::new("app.py", uri));
        check(
            &[text("  add login "), link("file:///w/src/app.py"), text("")],
            Some("add login\n\n`src/app.py`"),
        );
        check(&[link("file:///w/app.py#L3:9")], Some("`app.py#L3:9`"));
        check(&[link("file:///lib/a/b.py#L3")], Some("`/lib/a/b.py#L3`"));
        for elsewhere in [
            "file:///x/app.py",
            "https://w/app.py",
            "file:///w/../x",
            "file:///w/a%20b",
            "file:///w",
            "file:///lib",
            "file:///library/a.py",
            "file:///lib/../a.py",
        ] {
            check(&[link(elsewhere)], Some(&format!("[app.py]({elsewhere})")));
        }
        check(
            &[file("file:///w/a.py", "x = 1".to_owned())],
            Some("`a.py`:\nx = 1"),
        );
        check(&[file("db://a", "x".to_owned())], Some("db://a:\nx"));
        check(
            &[ContentBlock::Image(ImageContent::new("AAAA", "image/png"))],
            None,
        );
        check(&[], Some(""));
    }

    #[test]
    fn what_is_too_long_is_named_where_it_can_be_read() {
        let long = "x".repeat(QUERY_BYTES_MAX);
        let small = "y".repeat(100);
        let prompt = [
            file("file:///w/small.py", small.clone()),
            file("file:///w/long.py", long.clone()),
        ];
        check(&prompt, Some(&format!("`small.py`:\n{small}\n\n`long.py`")));
        // One that is nowhere else is not left out.
        let got = of(&[file("db://a", long)], Path::new("/w"), &[]).unwrap();
        assert!(got.len() > QUERY_BYTES_MAX);
    }
}
