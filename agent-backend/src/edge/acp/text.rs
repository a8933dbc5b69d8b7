//! A prompt's content blocks as one text and the pictures beside it.

use std::path::Path;

use agent_client_protocol::v1::schema::{
    ContentBlock, EmbeddedResource, EmbeddedResourceResource, ImageContent,
};
use engine::limits::QUERY_BYTES_MAX;
use shared::error::Code;

use crate::{
    error::Error,
    images::{self, Picture},
};

/// Characters of an address that are repeated.
const SHOWN_CHARS_MAX: usize = 80;

/// One block.
struct Part {
    /// What the model is told.
    text: String,
    /// The same without the contents of a file that is in the folder anyway.
    short: Option<String>,
}

/// What a prompt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) images: Vec<Picture>,
}

/// What a prompt about `cwd` says: text as it is, files by their place in the
/// folder, those of further ones by their whole path, embedded ones in full. Where that is too long, the largest embedded
/// ones that are in the folder are only named, because they are read there
/// anyway. Recordings are refused: no capability offers them.
pub(super) fn of(prompt: &[ContentBlock], cwd: &Path, folders: &[String]) -> Result<Said, Error> {
    let (mut parts, mut images) = (Vec::new(), Vec::new());
    for block in prompt {
        if let ContentBlock::Image(image) = block {
            images.push(picture(image)?);
        }
        let part = part(block, cwd, folders)?;
        if !part.text.is_empty() {
            parts.push(part);
        }
    }
    images::check(&images)?;
    while parts.iter().map(|part| part.text.len() + 2).sum::<usize>() > QUERY_BYTES_MAX {
        let longest = parts.iter_mut().filter(|part| part.short.is_some());
        match longest.max_by_key(|part| part.text.len()) {
            Some(longest) => longest.text = longest.short.take().unwrap_or_default(),
            // Whoever begins the work says that it is too long.
            None => break,
        }
    }
    let texts: Vec<String> = parts.into_iter().map(|part| part.text).collect();
    Ok(Said {
        text: texts.join("\n\n"),
        images,
    })
}

/// One that is only named is not fetched: its address may mean something else here.
fn picture(image: &ImageContent) -> Result<Picture, Error> {
    if image.data.is_empty()
        && let Some(uri) = &image.uri
    {
        let shown: String = uri.chars().take(SHOWN_CHARS_MAX).collect();
        let message = format!("an image is only named (`{shown}`), and is not fetched: send its data");
        return Err(Error::user(Code::ImageRefused, message));
    }
    Picture::of_base64(Some(&image.mime_type), &image.data)
}

/// Refuses what cannot be used.
pub(super) fn usable(said: Said) -> Result<Said, Error> {
    if said.text.trim().is_empty() {
        let message = "the prompt has no text: say what should be implemented";
        return Err(Error::user(Code::QueryEmpty, message));
    }
    Ok(said)
}

/// The text of what is said to work that runs, where pictures have no place.
pub(super) fn words(said: Said) -> Result<String, Error> {
    if said.images.is_empty() {
        return Ok(said.text);
    }
    let message = "images belong to a request that begins work: send them with the next one, or say in words \
                   what they show";
    Err(Error::user(Code::ImageRefused, message))
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
        ContentBlock::Audio(_) => Err(refuse("audio")),
        // It goes beside the text.
        ContentBlock::Image(_) => Ok(plain(String::new())),
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
    use agent_client_protocol::v1::schema::{AudioContent, ResourceLink, TextContent, TextResourceContents};

    use super::*;

    fn file(uri: &str, text: String) -> ContentBlock {
        let contents = EmbeddedResourceResource::TextResourceContents(TextResourceContents::new(text, uri));
        ContentBlock::Resource(EmbeddedResource::new(contents))
    }

    fn check(prompt: &[ContentBlock], expect: Option<&str>) {
        let said = of(prompt, Path::new("/w"), &["/lib".to_owned()]).ok();
        assert_eq!(said.map(|said| said.text).as_deref(), expect);
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
            &[ContentBlock::Audio(AudioContent::new("AAAA", "audio/wav"))],
            None,
        );
        check(&[], Some(""));
    }

    #[test]
    fn pictures_go_beside_the_text() {
        let gif = || Picture::of(None, b"GIF89a\x01".to_vec()).unwrap();
        let image = |data: &str, kind: &str| ContentBlock::Image(ImageContent::new(data, kind));
        let text = || ContentBlock::Text(TextContent::new("as here"));
        let check = |prompt: &[ContentBlock], expect: Result<usize, &str>| {
            let said = of(prompt, Path::new("/w"), &[]).map_err(|error| error.message);
            match (said, expect) {
                (Ok(said), Ok(count)) => assert_eq!(
                    said,
                    Said {
                        text: "as here".to_owned(),
                        images: vec![gif(); count],
                    }
                ),
                (Err(told), Err(part)) => assert!(told.contains(part), "{told}"),
                (said, expect) => panic!("{said:?} {expect:?}"),
            }
        };
        let fine = || image("R0lGODlhAQ==", "image/gif");
        check(&[fine(), text(), fine()], Ok(2));
        check(
            &[text(), image("R0lGODlhAQ==", "image/svg+xml")],
            Err("convert it"),
        );
        check(
            &[text(), image("R0lGODlhAQ==", "image/png")],
            Err("those of image/gif"),
        );
        check(&[text(), image("!", "image/png")], Err("is no base64"));
        check(&[text(), image("", "image/png")], Err("has no data"));
        let named = ImageContent::new("", "image/png").uri("file:///w/a.png".to_owned());
        check(
            &[text(), ContentBlock::Image(named)],
            Err("is only named (`file:///w/a.png`)"),
        );
        check(&vec![fine(); 9], Err("9 images"));
    }

    #[test]
    fn words_for_what_runs_have_no_pictures() {
        let said = |images| Said {
            text: "a".to_owned(),
            images,
        };
        assert_eq!(words(said(Vec::new())).unwrap(), "a");
        let gif = Picture::of(None, b"GIF89a".to_vec()).unwrap();
        assert_eq!(words(said(vec![gif])).unwrap_err().code, Code::ImageRefused);
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
        assert!(got.text.len() > QUERY_BYTES_MAX);
    }
}
