//! The arguments of `search` and the request that they make.

use std::path::Path;

use clap::{Args, ValueEnum};
use retrieval::{corpus::class::Class, language::Language};
use shared::wire::SearchRequest;

/// Results that are shown.
const RESULTS: usize = 10;

const HELP: &str = "\
Examples:
  search where are sessions expired
  search 'retry with backoff' --lang rust,go --no-tests --top 5
  search 'parse the header' --path src --path '!src/generated' --explain
  search 'rate limit' --json | jq -r '.items[].path'

Nothing has to run: without an embedding model or the vector database, keywords
and the git history are searched. Notes on standard error say what is missing.

Exit codes: 0 something was found, 1 nothing was found, 2 the request cannot be
used (a folder that is none, a broken glob, an unknown profile).";

/// Search the code of the workspace.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Arguments {
    /// What to look for, in your own words, an error message or a name
    #[arg(required = true, num_args = 1..)]
    query: Vec<String>,
    /// As JSON, with the reasons for each result
    #[arg(long)]
    pub(super) json: bool,
    /// As the one text that a model would be given
    #[arg(long, conflicts_with = "json")]
    pub(super) packed: bool,
    /// Why each result is where it is
    #[arg(long)]
    explain: bool,
    /// How to search: `best`, `flow6` or one of the configuration [default:
    /// the configuration's]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Results shown
    #[arg(long, value_name = "N", default_value_t = RESULTS, value_parser = count)]
    top: usize,
    /// Lines of code shown of each result
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(super) lines: usize,
    /// Only these languages, by name or file extension
    #[arg(long, value_name = "LANGUAGE", value_delimiter = ',', value_parser = language)]
    lang: Vec<Language>,
    /// Only files that match the glob, as in .gitignore; with `!` in front,
    /// not those
    #[arg(long, value_name = "GLOB")]
    path: Vec<String>,
    /// Only files up to this size, for example 40k
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    max_size: Option<u64>,
    /// Leave tests out
    #[arg(long)]
    no_tests: bool,
    /// Leave documentation and examples out
    #[arg(long)]
    no_docs: bool,
    /// Leave generated files out
    #[arg(long)]
    no_generated: bool,
    /// Leave files of other projects out
    #[arg(long)]
    no_vendored: bool,
    /// Ask neither the embedding model nor the vector database
    #[arg(long)]
    local: bool,
    /// Colours [default: where standard output is a terminal, unless NO_COLOR is set]
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Arguments {
    pub(super) fn set_colours(&self) {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self.color {
            Color::Auto if is_refused => colours(false),
            Color::Auto => {}
            Color::Always => colours(true),
            Color::Never => colours(false),
        }
    }

    /// What is asked of the workspace at `root`.
    pub(super) fn request(&self, root: &Path) -> SearchRequest {
        let without = [
            (self.no_tests, &[Class::Test][..]),
            (self.no_docs, &[Class::Documentation, Class::Example]),
            (self.no_generated, &[Class::Generated]),
            (self.no_vendored, &[Class::Vendored]),
        ];
        let without = without.iter().filter(|(given, _)| *given);
        let names = without
            .flat_map(|(_, classes)| *classes)
            .map(|class| class.as_str());
        SearchRequest {
            workspace: root.display().to_string(),
            query: self.query.join(" "),
            profile: self.profile.clone(),
            top: Some(self.top),
            languages: self
                .lang
                .iter()
                .map(|language| language.as_str().to_owned())
                .collect(),
            paths: self.path.clone(),
            without: names.map(str::to_owned).collect(),
            max_size: self.max_size,
            explain: self.explain || self.json,
            local: self.local,
        }
    }
}

fn colours(wanted: bool) {
    console::set_colors_enabled(wanted);
    console::set_colors_enabled_stderr(wanted);
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=1_000).contains(&count) => Ok(count),
        _ => Err("a number from 1 to 1000 is wanted".to_owned()),
    }
}

/// A language by its name or by a file extension.
fn language(text: &str) -> Result<Language, String> {
    let name = text.trim().trim_start_matches('.').to_ascii_lowercase();
    let by_extension = Language::of(&format!("x.{name}"));
    let known = Language::parse(&name).or((by_extension != Language::Other).then_some(by_extension));
    known.ok_or_else(|| {
        let names: Vec<&str> = Language::ALL.iter().map(|language| language.as_str()).collect();
        format!("the languages are {}", names.join(", "))
    })
}

/// `500`, `40k`, `2M`.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.to_ascii_lowercase() {
        text if text.ends_with('k') => (text[..text.len() - 1].to_owned(), 1_000),
        text if text.ends_with('m') => (text[..text.len() - 1].to_owned(), 1_000_000),
        text => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok();
    let wanted = "a number of bytes is wanted, such as 500, 40k or 2M";
    number
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, expect: Option<u64>| assert_eq!(bytes(text).ok(), expect, "{text}");
        check("0", Some(0));
        check("500", Some(500));
        check("40k", Some(40_000));
        check("2M", Some(2_000_000));
        check("", None);
        check("k", None);
        check("-1", None);
        check("99999999999999999999k", None);
    }

    #[test]
    fn languages() {
        let check = |text: &str, expect: Option<Language>| assert_eq!(language(text).ok(), expect, "{text}");
        check("rust", Some(Language::Rust));
        check("rs", Some(Language::Rust));
        check(".PY", Some(Language::Python));
        check("h", Some(Language::C));
        check("other", Some(Language::Other));
        check("klingon", None);
        check("", None);
    }
}
