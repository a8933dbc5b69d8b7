//! From bytes to text: UTF-8, UTF-16 with a byte-order mark, and what is left
//! of the Western 8-bit encodings. Pure.
//!
//! What is wrongly taken for text is noise in every search, so that a file in
//! an encoding that nothing tells is left out and counted.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::policy::SkipReason;

/// Longer runs of bytes above ASCII are another script's letters, not a word
/// with accents in a Western language.
const ACCENTS_MAX: usize = 3;

/// The text of a file, without byte-order mark.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, SkipReason> {
    match Encoding::for_bom(&bytes) {
        Some((encoding, mark)) if encoding == UTF_8 => {
            has_no_nul(&bytes)?;
            String::from_utf8(bytes[mark..].to_vec()).map_err(|_| SkipReason::NotUtf8)
        }
        Some((encoding, mark)) => {
            let (text, had_errors) = encoding.decode_without_bom_handling(&bytes[mark..]);
            // A binary file may begin with the same two bytes.
            if had_errors || text.contains('\0') {
                return Err(SkipReason::Binary);
            }
            Ok(text.into_owned())
        }
        None => {
            has_no_nul(&bytes)?;
            // Without a copy if it is UTF-8, which is nearly everything.
            String::from_utf8(bytes).or_else(|error| {
                let bytes = error.as_bytes();
                if !is_western(bytes) {
                    return Err(SkipReason::NotUtf8);
                }
                let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
                Ok(text.into_owned())
            })
        }
    }
}

fn has_no_nul(bytes: &[u8]) -> Result<(), SkipReason> {
    match memchr::memchr(0, bytes) {
        Some(_) => Err(SkipReason::Binary),
        None => Ok(()),
    }
}

/// Whether bytes that are not UTF-8 are Latin-1 or Windows-1252: no control
/// characters, and above ASCII only letters and signs, a few at a time.
fn is_western(bytes: &[u8]) -> bool {
    let mut run = 0;
    for &byte in bytes {
        match byte {
            b'\t' | b'\n' | b'\r' | 0x0c | 0x20..=0x7e => run = 0,
            // Quotation marks, dashes, the sign of the euro, and Latin-1.
            0x80 | 0x82..=0x8c | 0x8e | 0x91..=0x9c | 0x9e..=0xff => run += 1,
            _ => return false,
        }
        if run > ACCENTS_MAX {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        let check = |bytes: &[u8], expect: Result<&str, SkipReason>| {
            assert_eq!(text(bytes.to_vec()).as_deref(), expect.as_deref(), "{bytes:?}");
        };
        check(b"x = 1\n", Ok("x = 1\n"));
        check("größe 字\n".as_bytes(), Ok("größe 字\n"));
        check(b"\xef\xbb\xbfx\n", Ok("x\n"));
        check(b"\xff\xfex\0\n\0", Ok("x\n"));
        check(b"\xfe\xff\0x\x5b\x57", Ok("x字"));
        // UTF-16 that is none: half a pair, an odd byte.
        check(b"\xff\xfe\x00\xd8x\0", Err(SkipReason::Binary));
        check(b"\xff\xfex\0\n", Err(SkipReason::Binary));
        // Latin-1 and Windows-1252.
        check(b"caf\xe9 na\xefve\n", Ok("café naïve\n"));
        check(b"\x93quoted\x94 \x80 5\n", Ok("“quoted” € 5\n"));
        // Windows-1251, Shift JIS, and no text at all.
        check(b"\xef\xee\xe8\xf1\xea\n", Err(SkipReason::NotUtf8));
        check(b"\x8c\x9f\x8d\xf5\n", Err(SkipReason::NotUtf8));
        check(b"\xe9\x01\n", Err(SkipReason::NotUtf8));
        check(b"x\0y", Err(SkipReason::Binary));
        check(b"\xef\xbb\xbfx\0", Err(SkipReason::Binary));
        check(b"\xef\xbb\xbf\xe9", Err(SkipReason::NotUtf8));
    }
}
