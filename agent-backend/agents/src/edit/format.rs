//! Which edit format a model is asked for.

use serde::{Deserialize, Serialize};

use super::define;

/// How a model is asked to write edits. Answers in the other formats are read
/// just as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Every file that changes, as a whole.
    #[default]
    WholeFile,
    /// Search-and-replace blocks.
    SearchReplace,
    /// A unified diff.
    UnifiedDiff,
    /// The envelope `*** Begin Patch`.
    ApplyPatch,
    /// Every function that changes, as a whole.
    WholeFunction,
}

/// The largest file that a model may have to edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Largest<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its length, in estimated tokens.
    pub tokens: u64,
}

/// Largest file, in estimated tokens, that a model is asked to write again as
/// a whole: beyond it the answer would not fit beside the context.
pub const WHOLE_FILE_TOKENS_MAX: u64 = 6_000;

/// Beginnings of the names of models that write a format well. All others get
/// whole files: in aider's benchmark Qwen2.5-Coder-32B writes 71.6 % of its
/// search-and-replace answers in form and 99.6 % of its whole files, and solves
/// twice as much with the latter; smaller models lose more. Distilled and small
/// variants carry a size in their tag and are not meant by these names. The
/// envelope is what OpenAI trains its models on.
const KNOWN: [(&str, Format); 11] = [
    ("claude", Format::SearchReplace),
    ("deepseek-chat", Format::SearchReplace),
    ("deepseek-r1:671b", Format::SearchReplace),
    ("deepseek-v3", Format::SearchReplace),
    ("gemini-2.5-pro", Format::SearchReplace),
    ("gemini-3", Format::SearchReplace),
    ("gpt-4.1", Format::ApplyPatch),
    ("gpt-4o", Format::SearchReplace),
    ("gpt-5", Format::ApplyPatch),
    ("kimi-k2", Format::SearchReplace),
    ("qwen3-coder:480b", Format::SearchReplace),
];

impl Format {
    /// The format for the model called `name`, for example
    /// `mistral:7b-instruct` or `anthropic/claude-sonnet`.
    pub fn for_model(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let base = name.rsplit('/').next().unwrap_or(&name);
        let known = KNOWN.iter().find(|(known, _)| base.starts_with(known));
        known.map_or(Self::WholeFile, |(_, format)| *format)
    }

    /// The format for a model and the largest file that it may have to edit:
    /// the one that is configured, or else its usual one. Nobody is asked for a
    /// whole file that would not fit.
    pub fn choose(configured: Option<Self>, model: &str, largest: Option<Largest<'_>>) -> Self {
        let usual = configured.unwrap_or_else(|| Self::for_model(model));
        match (usual, largest) {
            (Self::WholeFile, Some(largest)) if largest.tokens > WHOLE_FILE_TOKENS_MAX => {
                if define::is_known(largest.path) {
                    Self::WholeFunction
                } else {
                    Self::SearchReplace
                }
            }
            (
                Self::WholeFile
                | Self::SearchReplace
                | Self::UnifiedDiff
                | Self::ApplyPatch
                | Self::WholeFunction,
                _,
            ) => usual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_and_size() {
        let check = |name, expect| assert_eq!(Format::for_model(name), expect, "{name}");
        check("mistral:7b-instruct", Format::WholeFile);
        check("qwen2.5-coder:32b", Format::WholeFile);
        check("deepseek-r1:8b", Format::WholeFile);
        check("", Format::WholeFile);
        check("anthropic/claude-sonnet-4", Format::SearchReplace);
        check("DeepSeek-V3:latest", Format::SearchReplace);
        check("openai/gpt-5-mini", Format::ApplyPatch);
    }

    #[test]
    fn by_configuration_and_size() {
        let check = |configured, model, path, tokens, expect| {
            let largest = Some(Largest { path, tokens });
            assert_eq!(
                Format::choose(configured, model, largest),
                expect,
                "{configured:?} {model} {path}"
            );
        };
        let most = WHOLE_FILE_TOKENS_MAX;
        check(None, "mistral", "a.py", most, Format::WholeFile);
        check(None, "mistral", "a.py", most + 1, Format::WholeFunction);
        check(None, "mistral", "a.css", most + 1, Format::SearchReplace);
        check(None, "claude", "a.py", most + 1, Format::SearchReplace);
        check(Some(Format::WholeFile), "claude", "a.py", 1, Format::WholeFile);
        check(
            Some(Format::WholeFile),
            "claude",
            "a.py",
            most + 1,
            Format::WholeFunction,
        );
        check(
            Some(Format::UnifiedDiff),
            "mistral",
            "a.py",
            1,
            Format::UnifiedDiff,
        );
        assert_eq!(Format::choose(None, "mistral", None), Format::WholeFile);
    }

    #[test]
    fn names_in_the_configuration() {
        let all = [
            "whole_file",
            "search_replace",
            "unified_diff",
            "apply_patch",
            "whole_function",
        ];
        for name in all {
            let format: Format = serde_json::from_value(name.into()).unwrap();
            assert_eq!(serde_json::to_value(format).unwrap(), name);
        }
        let wrong = serde_json::from_value::<Format>("diff".into())
            .unwrap_err()
            .to_string();
        for name in all {
            assert!(wrong.contains(name), "{wrong}");
        }
    }
}
