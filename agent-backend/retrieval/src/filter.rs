//! Which files a question is asked of. Pure, but for the size of a file, which
//! is looked up when the file's turn has come.

use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::corpus::class::Class;
use crate::error::Error;
use crate::language::Language;

/// The files wanted; every file by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Classes that are left out.
    pub without: Vec<Class>,
    /// Only these languages; all if it is empty.
    pub languages: Vec<Language>,
    /// Globs as in `.gitignore`: only what matches one, and not what matches one
    /// that begins with `!`; later ones win.
    pub globs: Vec<String>,
    /// Only files of at most so many bytes.
    pub bytes_max: Option<u64>,
}

/// A filter ready for use.
#[derive(Debug)]
pub struct Matcher {
    without: Vec<Class>,
    languages: Vec<Language>,
    globs: Gitignore,
    bytes_max: Option<u64>,
}

impl Filter {
    /// Whether it lets every file through.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the globs.
    pub fn matcher(&self) -> Result<Matcher, Error> {
        let mut builder = GitignoreBuilder::new("");
        for glob in &self.globs {
            builder
                .add_line(None, glob)
                .map_err(|error| broken(glob, &error))?;
        }
        let globs = builder.build().map_err(|error| broken("", &error))?;
        Ok(Matcher {
            without: self.without.clone(),
            languages: self.languages.clone(),
            globs,
            bytes_max: self.bytes_max,
        })
    }
}

impl Matcher {
    /// Whether the file at `path` below `root` is wanted.
    pub fn accepts(&self, root: &Path, path: &str) -> bool {
        self.accepts_path(path)
            && self.bytes_max.is_none_or(|most| {
                std::fs::metadata(root.join(path)).is_ok_and(|metadata| metadata.len() <= most)
            })
    }

    fn accepts_path(&self, path: &str) -> bool {
        (self.languages.is_empty() || self.languages.contains(&Language::of(path)))
            && !self.without.contains(&Class::of(path))
            && match self.globs.matched_path_or_any_parents(path, false) {
                Match::Ignore(_) => true,
                Match::Whitelist(_) => false,
                // With `!` globs alone, what they do not name is wanted.
                Match::None => self.globs.num_ignores() == 0,
            }
    }
}

fn broken(glob: &str, error: &ignore::Error) -> Error {
    Error::Glob {
        glob: glob.to_owned(),
        problem: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_filtered() {
        let check = |filter: &Filter, accepted: &[&str], refused: &[&str]| {
            let matcher = filter.matcher().unwrap();
            for path in accepted {
                assert!(matcher.accepts_path(path), "{path}: {filter:?}");
            }
            for path in refused {
                assert!(!matcher.accepts_path(path), "{path}: {filter:?}");
            }
        };
        check(&Filter::default(), &["a.rs", "tests/b.py", "deps/c.c"], &[]);
        let without = Filter {
            without: vec![Class::Test, Class::Vendored, Class::Generated],
            ..Filter::default()
        };
        check(
            &without,
            &["src/a.rs", "docs/a.md"],
            &["tests/b.py", "deps/c.c", "x.pb.go"],
        );
        let languages = Filter {
            languages: vec![Language::Rust, Language::Python],
            ..Filter::default()
        };
        check(&languages, &["src/a.rs", "b.py"], &["c.go", "README"]);
        let globs = |globs: &[&str]| Filter {
            globs: globs.iter().map(|glob| (*glob).to_owned()).collect(),
            ..Filter::default()
        };
        check(
            &globs(&["src"]),
            &["src/a.rs", "lib/src/deep/a.rs"],
            &["lib/a.rs"],
        );
        check(&globs(&["/src/"]), &["src/a.rs"], &["lib/src/a.rs"]);
        check(&globs(&["*.{rs,py}"]), &["src/a.rs", "b.py"], &["c.go"]);
        check(&globs(&["!src"]), &["lib/a.rs"], &["src/a.rs"]);
        check(
            &globs(&["src", "!src/gen"]),
            &["src/a.rs"],
            &["src/gen/a.rs", "lib/a.rs"],
        );
    }

    #[test]
    fn sizes_are_looked_up() {
        let dir = crate::testing::workspace(&[("a.rs", "1234"), ("b.rs", "12345")]);
        let filter = Filter {
            bytes_max: Some(4),
            ..Filter::default()
        };
        let matcher = filter.matcher().unwrap();
        let accepted = ["a.rs", "b.rs", "gone.rs"].map(|path| matcher.accepts(dir.path(), path));
        assert_eq!(accepted, [true, false, false]);
    }

    #[test]
    fn a_glob_that_is_none_is_an_error() {
        let filter = Filter {
            globs: vec!["a/{b".to_owned()],
            ..Filter::default()
        };
        let error = filter.matcher().unwrap_err();
        assert!(matches!(error, Error::Glob { glob, .. } if glob == "a/{b"));
    }
}
