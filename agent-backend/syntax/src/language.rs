//! Which language a file is in, told from its name.

use std::path::Path;

/// What files of a language are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Programs, and what else people write for machines to run or draw.
    Source,
    /// Commands: code that is rarely what is looked for.
    Script,
    /// Text for people.
    Document,
    /// Everything else.
    Data,
}

macro_rules! languages {
    ($($name:ident = $text:literal, $form:ident, $separator:literal, [$($extension:literal),*];)*) => {
        /// The languages the crate tells apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Language { $(#[doc = $text] $name,)* }

        impl Language {
            /// Every language.
            pub const ALL: &'static [Language] = &[$(Language::$name,)*];

            /// The name used in payloads and events.
            pub fn as_str(self) -> &'static str {
                match self { $(Language::$name => $text,)* }
            }

            /// What it is for.
            pub fn form(self) -> Form {
                match self { $(Language::$name => Form::$form,)* }
            }

            /// What stands between a type and its member in a symbol.
            pub fn separator(self) -> &'static str {
                match self { $(Language::$name => $separator,)* }
            }

            fn from_extension(extension: &str) -> Option<Self> {
                match extension { $($($extension => Some(Language::$name),)*)* _ => None }
            }
        }
    };
}

languages! {
    Python = "python", Source, ".", ["py", "pyi", "pyw"];
    Rust = "rust", Source, "::", ["rs"];
    JavaScript = "javascript", Source, ".", ["js", "jsx", "mjs", "cjs"];
    TypeScript = "typescript", Source, ".", ["ts", "mts", "cts"];
    Tsx = "tsx", Source, ".", ["tsx"];
    Go = "go", Source, ".", ["go"];
    Java = "java", Source, ".", ["java"];
    C = "c", Source, "::", ["c", "h"];
    Cpp = "cpp", Source, "::", ["cc", "cpp", "cxx", "c++", "hh", "hpp", "hxx", "h++", "ipp", "inl"];
    Markdown = "markdown", Document, ".", ["md", "markdown", "rst", "adoc", "txt"];
    Data = "data", Data, ".", ["json", "jsonc", "json5", "yaml", "yml", "toml", "ini", "cfg", "xml", "csv"];
    Web = "web", Source, ".", ["html", "htm", "css", "scss", "less", "vue", "svelte", "jinja", "jinja2", "j2"];
    Shell = "shell", Script, ".", ["sh", "bash", "zsh", "fish", "ps1"];
    Sql = "sql", Source, ".", ["sql"];
    Proto = "proto", Source, ".", ["proto"];
    Other = "other", Data, ".", [];
}

impl Language {
    /// The language of the file at `path`.
    pub fn of(path: &str) -> Self {
        let extension = Path::new(path)
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or("");
        Self::from_extension(&extension.to_ascii_lowercase()).unwrap_or(Self::Other)
    }

    /// The language that `as_str` named.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|language| language.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_by_path() {
        let check = |path: &str, expect: Language| assert_eq!(Language::of(path), expect, "{path}");
        check("a/b.py", Language::Python);
        check("a/B.PY", Language::Python);
        check("x.rs", Language::Rust);
        check("x.tsx", Language::Tsx);
        check("x.d.ts", Language::TypeScript);
        check("x.h", Language::C);
        check("x.hpp", Language::Cpp);
        check("README.md", Language::Markdown);
        check("Makefile", Language::Other);
        check("x.py/Makefile", Language::Other);
        check("", Language::Other);
    }

    #[test]
    fn names_read_back() {
        for language in Language::ALL {
            assert_eq!(Language::parse(language.as_str()), Some(*language));
        }
    }
}
