//! Pictures that a client sends with a request: what is taken, and what is refused with the
//! reason. It knows neither the wire that they came over nor the model that sees them.

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use engine::{
    artifact::{self, ImageFormat},
    blob::Blob,
    limits::{IMAGE_BYTES_MAX, IMAGES_BYTES_MAX, IMAGES_MAX},
};
use shared::error::Code;

use crate::error::Error;

/// Clients write base64 with its padding and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Characters of a media type that are repeated.
const SHOWN_CHARS_MAX: usize = 80;

/// A picture whose bytes are what they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    format: ImageFormat,
    contents: Blob,
}

impl Picture {
    /// The picture of a file's contents; `named` is its media type, where the client says
    /// one.
    ///
    /// # Errors
    /// E1023 where it is empty, too large, of a kind that is not taken, or of another kind
    /// than it says.
    pub fn of(named: Option<&str>, bytes: Vec<u8>) -> Result<Self, Error> {
        let named = named.map(format).transpose()?;
        if bytes.is_empty() {
            return Err(refuse("an image has no data: send the bytes of the file"));
        }
        fits(bytes.len())?;
        let Some(format) = sniff(&bytes) else {
            return Err(refuse(format!("an image is none by its bytes: {KINDS}")));
        };
        if let Some(named) = named.filter(|named| *named != format) {
            return Err(refuse(format!(
                "an image is said to be {}, and its bytes are those of {}: send it as what it is",
                named.media_type(),
                format.media_type()
            )));
        }
        Ok(Self {
            format,
            contents: Blob::new(bytes),
        })
    }

    /// The same of base64.
    ///
    /// # Errors
    /// E1023, also where it is no base64.
    pub fn of_base64(named: Option<&str>, text: &str) -> Result<Self, Error> {
        // Before it is decoded, so that nothing large is made of what is refused.
        fits(text.len() / 4 * 3)?;
        let bytes = BASE64.decode(text).map_err(|error| {
            refuse(format!(
                "the data of an image is no base64 ({error}): send the file's bytes in base64, without \
                 `data:` and line breaks"
            ))
        })?;
        Self::of(named, bytes)
    }

    /// What kind of file it is.
    pub fn format(&self) -> ImageFormat {
        self.format
    }

    /// Its contents, with their name.
    pub fn contents(&self) -> &Blob {
        &self.contents
    }

    /// The same, where nothing else is of use any more.
    pub fn into_contents(self) -> Blob {
        self.contents
    }

    /// How a request names it.
    pub fn image(&self) -> artifact::Image {
        artifact::Image {
            blob: self.contents.id(),
            format: self.format,
            bytes: self.contents.bytes().len() as u64,
        }
    }
}

/// A picture in base64, as wires have it.
pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Refuses more pictures than one request may have.
///
/// # Errors
/// E1023.
pub fn check(pictures: &[Picture]) -> Result<(), Error> {
    if pictures.len() > IMAGES_MAX {
        return Err(refuse(format!(
            "the request has {} images; {IMAGES_MAX} are possible: send those that matter most",
            pictures.len()
        )));
    }
    let bytes: usize = pictures.iter().map(|it| it.contents.bytes().len()).sum();
    if bytes > IMAGES_BYTES_MAX {
        return Err(refuse(format!(
            "the images of the request have {bytes} bytes together; {IMAGES_BYTES_MAX} are possible: scale \
             them down, or leave some out"
        )));
    }
    Ok(())
}

/// How a person is told of a picture of a request, whose place is from 1.
pub(crate) fn named(number: usize, image: &artifact::Image) -> impl fmt::Display {
    let (kind, kib) = (image.format.media_type(), image.bytes.div_ceil(1024));
    format!("image {number} ({kind}, {kib} KiB)")
}

/// What is taken, for whoever sent something else.
const KINDS: &str = "image/png, image/jpeg, image/gif and image/webp are taken";

fn format(named: &str) -> Result<ImageFormat, Error> {
    let plain = named.split(';').next().unwrap_or_default().trim();
    let plain = plain.to_ascii_lowercase();
    if plain == "image/jpg" {
        return Ok(ImageFormat::Jpeg);
    }
    let known = ImageFormat::ALL
        .into_iter()
        .find(|format| format.media_type() == plain);
    known.ok_or_else(|| {
        let shown: String = named.chars().take(SHOWN_CHARS_MAX).collect();
        refuse(format!("an image is `{shown}`: {KINDS}; convert it"))
    })
}

fn fits(bytes: usize) -> Result<(), Error> {
    if bytes > IMAGE_BYTES_MAX {
        return Err(refuse(format!(
            "an image has about {bytes} bytes; {IMAGE_BYTES_MAX} are possible: scale it down"
        )));
    }
    Ok(())
}

/// What a file is by its first bytes.
fn sniff(bytes: &[u8]) -> Option<ImageFormat> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(ImageFormat::Png)
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some(ImageFormat::Jpeg)
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Some(ImageFormat::Gif)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(ImageFormat::Webp)
    } else {
        None
    }
}

fn refuse(message: impl Into<String>) -> Error {
    Error::user(Code::ImageRefused, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n...";

    fn told(result: Result<Picture, Error>) -> Result<ImageFormat, String> {
        result.map(|it| it.format).map_err(|error| {
            assert_eq!(error.code, Code::ImageRefused);
            error.message
        })
    }

    #[test]
    fn a_picture_is_what_its_bytes_are() {
        let check = |named: Option<&str>, bytes: &[u8], expect: Result<ImageFormat, &str>| {
            let got = told(Picture::of(named, bytes.to_vec()));
            assert_eq!(got, expect.map_err(str::to_owned), "{named:?}");
        };
        check(None, PNG, Ok(ImageFormat::Png));
        check(Some("image/png"), PNG, Ok(ImageFormat::Png));
        check(Some("Image/PNG; a=b"), PNG, Ok(ImageFormat::Png));
        check(Some("image/jpg"), b"\xff\xd8\xff\xe0", Ok(ImageFormat::Jpeg));
        check(Some("image/gif"), b"GIF89a", Ok(ImageFormat::Gif));
        check(None, b"GIF87a", Ok(ImageFormat::Gif));
        check(Some("image/webp"), b"RIFF\0\0\0\0WEBPVP8 ", Ok(ImageFormat::Webp));
        check(
            Some("image/svg+xml"),
            b"<svg/>",
            Err(
                "an image is `image/svg+xml`: image/png, image/jpeg, image/gif and image/webp are taken; convert it",
            ),
        );
        check(
            None,
            b"RIFF\0\0\0\0WAVE",
            Err("an image is none by its bytes: image/png, image/jpeg, image/gif and image/webp are taken"),
        );
        check(
            Some("image/webp"),
            PNG,
            Err(
                "an image is said to be image/webp, and its bytes are those of image/png: send it as what it is",
            ),
        );
        check(
            Some("image/png"),
            b"",
            Err("an image has no data: send the bytes of the file"),
        );
        let large = [PNG, &vec![0; IMAGE_BYTES_MAX]].concat();
        check(
            None,
            &large,
            Err("an image has about 3750011 bytes; 3750000 are possible: scale it down"),
        );
        check(None, &large[..IMAGE_BYTES_MAX], Ok(ImageFormat::Png));
    }

    #[test]
    fn base64_with_padding_and_without() {
        let check = |text: &str, expect: Result<ImageFormat, &str>| {
            let got = told(Picture::of_base64(Some("image/gif"), text));
            let matches = match (&got, expect) {
                (Ok(got), Ok(expect)) => *got == expect,
                (Err(got), Err(part)) => got.contains(part),
                (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
            };
            assert!(matches, "{text}: {got:?}");
        };
        check("R0lGODlhAQ==", Ok(ImageFormat::Gif));
        check("R0lGODlhAQ", Ok(ImageFormat::Gif));
        check("", Err("has no data"));
        check("R0lGOD!h", Err("is no base64"));
        check("data:image/gif;base64,R0lGODlhAQ==", Err("without `data:`"));
        check(&"A".repeat(IMAGE_BYTES_MAX * 4 / 3 + 8), Err("scale it down"));
    }

    #[test]
    fn a_request_has_so_many() {
        let picture = |bytes: usize| {
            let mut whole = PNG.to_vec();
            whole.resize(bytes, 0);
            Picture::of(None, whole).unwrap()
        };
        let told = |pictures: &[Picture]| check(pictures).map_err(|error| error.message);
        assert_eq!(told(&vec![picture(20); IMAGES_MAX]), Ok(()));
        assert_eq!(
            told(&vec![picture(20); IMAGES_MAX + 1]).unwrap_err(),
            "the request has 9 images; 8 are possible: send those that matter most"
        );
        assert_eq!(
            told(&vec![picture(3_500_000); 3]).unwrap_err(),
            "the images of the request have 10500000 bytes together; 10000000 are possible: scale them down, or \
             leave some out"
        );
    }
}
