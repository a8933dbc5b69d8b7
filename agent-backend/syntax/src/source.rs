//! A text with its syntax, so that what becomes of it is parsed from where it
//! differs, and not from its beginning.

use tree_sitter::{InputEdit, Point, Tree};

use crate::{
    Language, Outcome,
    definitions::{Definition, Read, read},
};

/// A text and what it defines.
#[derive(Debug)]
pub struct Source {
    language: Language,
    definitions: Vec<Definition>,
    known: Known,
}

/// What was parsed, which may be an outline, and its syntax.
#[derive(Debug)]
pub(crate) struct Known {
    /// Whose grammar it was: a header may turn out to be C++.
    language: Language,
    text: String,
    tree: Tree,
}

impl Source {
    /// Parses a text. `go_on` is asked now and then meanwhile.
    ///
    /// # Errors
    /// Why there are no definitions: never [`Outcome::Parsed`].
    pub fn read(language: Language, text: &str, go_on: &mut dyn FnMut() -> bool) -> Result<Self, Outcome> {
        Self::of(language, read(language, text, None, go_on)?)
    }

    /// The same of what this text has become.
    ///
    /// # Errors
    /// As of [`Self::read`].
    pub fn changed(&self, text: &str, go_on: &mut dyn FnMut() -> bool) -> Result<Self, Outcome> {
        Self::of(
            self.language,
            read(self.language, text, Some(&self.known), go_on)?,
        )
    }

    /// In order, outer before inner.
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    fn of(language: Language, read: Read<'_>) -> Result<Self, Outcome> {
        Ok(Self {
            language,
            definitions: read.definitions(),
            known: Known {
                language: read.language,
                text: read.text.into_owned(),
                tree: read.tree,
            },
        })
    }
}

impl Known {
    /// The syntax of before, moved to where it is in `text`. A text with errors
    /// is parsed afresh: how they are overcome depends on where parsing begins.
    pub(crate) fn moved(&self, language: Language, text: &str) -> Option<Tree> {
        if self.language != language || self.tree.root_node().has_error() {
            return None;
        }
        let (old, new) = (self.text.as_bytes(), text.as_bytes());
        let prefix = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let rest = old[prefix..].iter().rev().zip(new[prefix..].iter().rev());
        let suffix = rest.take_while(|(old, new)| old == new).count();
        let (old_end, new_end) = (old.len() - suffix, new.len() - suffix);
        let mut tree = self.tree.clone();
        tree.edit(&InputEdit {
            start_byte: prefix,
            old_end_byte: old_end,
            new_end_byte: new_end,
            start_position: point(old, prefix),
            old_end_position: point(old, old_end),
            new_end_position: point(new, new_end),
        });
        Some(tree)
    }
}

/// The row and the column, in bytes, of a place in a text.
fn point(text: &[u8], at: usize) -> Point {
    let before = &text[..at];
    let line = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    Point::new(memchr::memchr_iter(b'\n', before).count(), at - line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions;

    /// What is parsed from where it differs defines what it would by itself.
    #[track_caller]
    fn check(language: Language, texts: &[&str]) {
        let mut source = Source::read(language, texts[0], &mut || true).unwrap();
        for text in texts {
            source = source.changed(text, &mut || true).unwrap();
            let Outcome::Parsed(expect) = definitions(language, text, &mut || true) else {
                panic!("{text}");
            };
            assert_eq!(source.definitions(), expect, "{text}");
        }
    }

    #[test]
    fn what_a_text_becomes_is_read_from_where_it_differs() {
        let python =
            "import a\n\nclass A:\n    def f(self):\n        return 1\n\n\ndef g():\n    return \"ü\"\n";
        check(
            Language::Python,
            &[
                python,
                &python.replace("return 1", "if a:\n            return 1\n        return 2"),
                &python.replace("class A:", "class A(B):\n    x = 1\n"),
                &python.replace("    def f", "def f"),
                "",
                python,
                &python.replace("return \"ü\"", "return \"ö"),
                &format!("{python}\n\ndef h():\n    pass\n"),
                &format!("# first\n{python}"),
            ],
        );
        let rust = "use a;\n\nimpl A {\n    fn f(&self) -> u8 {\n        1\n    }\n}\n\nfn g() {}\n";
        check(
            Language::Rust,
            &[
                rust,
                &rust.replace("fn f(&self)", "fn f(&self, n: u8)"),
                &rust.replace("}\n\nfn g", "\n\nfn g"),
                &rust.replace("fn g() {}", "fn g() {}\n\nmod m {\n    struct S;\n}"),
                rust,
            ],
        );
        let header = "struct a { int b; };\n";
        check(
            Language::C,
            &[header, "namespace n { class A { void f(); }; }\n", header],
        );
    }

    #[test]
    fn why_a_text_has_no_definitions_is_said() {
        let read = |language, go_on| Source::read(language, "x = 1\n", &mut || go_on).map(|_| ());
        assert!(matches!(read(Language::Markdown, true), Err(Outcome::NoGrammar)));
    }
}
