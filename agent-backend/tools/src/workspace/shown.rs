//! Files as an editor shows them, which may be otherwise than the disk has them:
//! somebody works on them and has not saved. Knows no editor; what one answered
//! comes in as text, and is believed only where it can be the text of that file.

use super::Workspace;
use crate::{
    Error, SafePath,
    files::{self, Contents},
    limits::FILE_BYTES_MAX,
    text::{self, BOM},
};

/// Permission bits of a file that is not on the disk.
const MODE: u32 = 0o644;

/// A file as an editor shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// As the editor gave it.
    text: String,
    /// As it is on the disk when it is saved.
    pub(crate) bytes: Vec<u8>,
    state: State,
}

/// Whether the disk has what an editor shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Saved,
    Unsaved,
}

impl Shown {
    /// Many editors know neither byte-order marks nor `\r\n` in their texts, and
    /// some leave out the last line's end: read in the conventions of the file,
    /// such a text is what the disk has.
    fn of(path: &SafePath, disk: Option<Contents>, text: String) -> Option<Self> {
        // Many answer nothing where they know nothing.
        if text.contains('\0') || text.is_empty() {
            return None;
        }
        let (bytes, before) = match disk {
            Some(Contents { bytes, mode }) => {
                let file = text::parse(path.relative(), bytes, mode).ok()?;
                (file.encode(&text), Some(file.bytes))
            }
            None => (text::encode_new(&text), None),
        };
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return None;
        }
        let state = match before.as_ref() == Some(&bytes) {
            true => State::Saved,
            false => State::Unsaved,
        };
        Some(Self { text, bytes, state })
    }

    /// These bytes as a text for the editor that showed this one: with the marks
    /// and line ends that it knows. None where they are no text.
    pub(crate) fn speak(&self, bytes: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(bytes).ok()?;
        let text = match self.text.starts_with(BOM) {
            true => text,
            false => text.strip_prefix(BOM).unwrap_or(text),
        };
        let knows_lf_alone = self.text.contains('\n') && !self.text.contains("\r\n");
        Some(match knows_lf_alone {
            true => text.replace("\r\n", "\n"),
            false => text.to_owned(),
        })
    }
}

impl Workspace {
    /// The same workspace as an editor shows it: where the text that it gave of a
    /// file is not what the disk has, it stands for the file wherever one is
    /// read. Texts that are too large, that are empty or binary, and those of
    /// paths and files that may not be touched count for nothing.
    #[must_use]
    pub fn as_shown(mut self, texts: impl IntoIterator<Item = (String, String)>) -> Self {
        for (path, text) in texts {
            let Ok(path) = self.resolve(&path) else { continue };
            let Ok(disk) = files::read(&self.root, &path) else {
                continue;
            };
            if let Some(shown) = Shown::of(&path, disk, text) {
                self.shown.insert(path.relative, shown);
            }
        }
        self
    }

    /// Files that the editor shows with changes that are not saved.
    pub fn unsaved(&self) -> impl Iterator<Item = &str> {
        let shown = self.shown.iter();
        shown
            .filter(|(_, shown)| shown.state == State::Unsaved)
            .map(|(path, _)| path.as_str())
    }

    /// What the editor shows of a file; none where it shows nothing of it.
    pub(crate) fn shown(&self, path: &SafePath) -> Option<&Shown> {
        self.shown.get(path.relative())
    }

    /// Reads a file as the editor shows it, and as the disk has it where it shows
    /// nothing of it.
    ///
    /// # Errors
    /// As [`Workspace::read_text`].
    pub(crate) fn read(&self, path: &SafePath) -> Result<Option<Contents>, Error> {
        let disk = files::read(&self.root, path)?;
        Ok(match self.shown(path) {
            Some(Shown {
                bytes,
                state: State::Unsaved,
                ..
            }) => Some(Contents {
                bytes: bytes.clone(),
                mode: disk.map_or(MODE, |file| file.mode),
            }),
            Some(Shown {
                state: State::Saved, ..
            })
            | None => disk,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(dir: &tempfile::TempDir) -> Workspace {
        Workspace::open(dir.path()).unwrap()
    }

    /// What is read of a file with `disk` in it that an editor shows as `text`,
    /// and whether it counts as unsaved.
    fn check(disk: Option<&[u8]>, text: &str, expect: Option<&[u8]>, is_unsaved: bool) {
        let dir = tempfile::tempdir().unwrap();
        if let Some(disk) = disk {
            std::fs::write(dir.path().join("f"), disk).unwrap();
        }
        let shown = workspace(&dir).as_shown([("f".to_owned(), text.to_owned())]);
        let path = shown.resolve("f").unwrap();
        let read = shown.read(&path).unwrap().map(|file| file.bytes);
        assert_eq!(read.as_deref(), expect, "{disk:?} {text:?}");
        let unsaved: Vec<&str> = shown.unsaved().collect();
        assert_eq!(unsaved.contains(&"f"), is_unsaved, "{disk:?} {text:?}");
    }

    #[test]
    fn what_is_not_saved_counts_in_the_conventions_of_the_file() {
        check(Some(b"a\nb\n"), "a\nX\n", Some(b"a\nX\n"), true);
        check(Some(b"a\r\nb\r\n"), "a\nX\n", Some(b"a\r\nX\r\n"), true);
        check(Some(b"\xef\xbb\xbfa\n"), "b\n", Some(b"\xef\xbb\xbfb\n"), true);
        check(Some(b"a\nb"), "a\nc", Some(b"a\nc"), true);
        check(None, "new\n", Some(b"new\n"), true);
    }

    #[test]
    fn what_differs_in_conventions_alone_is_saved() {
        check(Some(b"a\r\nb\r\n"), "a\nb\n", Some(b"a\r\nb\r\n"), false);
        check(Some(b"a\r\nb\n"), "a\nb\n", Some(b"a\r\nb\n"), false);
        check(Some(b"\xef\xbb\xbfa\n"), "a\n", Some(b"\xef\xbb\xbfa\n"), false);
        check(Some(b"a\nb\n"), "a\nb", Some(b"a\nb\n"), false);
    }

    #[test]
    fn what_cannot_be_the_text_of_the_file_counts_for_nothing() {
        check(Some(b"a\n"), "", Some(b"a\n"), false);
        check(Some(b"a\n"), "a\0", Some(b"a\n"), false);
        check(Some(b"a\0b"), "a\n", Some(b"a\0b"), false);
        check(None, "", None, false);
        let long = "x".repeat(FILE_BYTES_MAX as usize + 1);
        check(Some(b"a\n"), &long, Some(b"a\n"), false);
    }

    #[test]
    fn what_may_not_be_touched_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let texts =
            [".env", "../x", ".git/config", "/etc/passwd"].map(|path| (path.to_owned(), "x\n".to_owned()));
        let shown = workspace(&dir).as_shown(texts);
        assert_eq!(shown.unsaved().count(), 0);
    }

    #[test]
    fn an_editor_is_given_what_it_knows() {
        let check = |shown: &str, bytes: &str, expect: &str| {
            let shown = Shown {
                text: shown.to_owned(),
                bytes: Vec::new(),
                state: State::Unsaved,
            };
            assert_eq!(
                shown.speak(bytes.as_bytes()).as_deref(),
                Some(expect),
                "{shown:?}"
            );
        };
        check("a\n", "b\n", "b\n");
        check("a\n", "b\r\nc\r\n", "b\nc\n");
        check("a\r\n", "b\r\nc\r\n", "b\r\nc\r\n");
        check("a", "b\r\nc\r\n", "b\r\nc\r\n");
        check("a\n", "\u{feff}b\n", "b\n");
        check("\u{feff}a\n", "\u{feff}b\n", "\u{feff}b\n");
    }
}
