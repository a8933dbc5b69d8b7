//! Which edit format a model is asked for.

/// How a model is asked to write edits. Answers in the other format are read
/// just as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// Every file that changes, as a whole.
    #[default]
    WholeFile,
    /// Search-and-replace blocks.
    SearchReplace,
}

/// Largest file, in estimated tokens, that a model is asked to write again as
/// a whole: beyond it the answer would not fit beside the context.
pub const WHOLE_FILE_TOKENS_MAX: u64 = 6_000;

/// Beginnings of the names of models that write search-and-replace blocks
/// well. All others get whole files: in aider's benchmark Qwen2.5-Coder-32B
/// writes 71.6 % of its search-and-replace answers in form and 99.6 % of its
/// whole files, and solves twice as much with the latter; smaller models lose
/// more. Distilled and small variants carry a size in their tag and are not
/// meant by these names.
const SEARCH_REPLACE: [&str; 11] = [
    "claude",
    "deepseek-chat",
    "deepseek-r1:671b",
    "deepseek-v3",
    "gemini-2.5-pro",
    "gemini-3",
    "gpt-4.1",
    "gpt-4o",
    "gpt-5",
    "kimi-k2",
    "qwen3-coder:480b",
];

impl Format {
    /// The format for the model called `name`, for example
    /// `mistral:7b-instruct` or `anthropic/claude-sonnet`.
    pub fn for_model(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let base = name.rsplit('/').next().unwrap_or(&name);
        if SEARCH_REPLACE.iter().any(|known| base.starts_with(known)) {
            Self::SearchReplace
        } else {
            Self::WholeFile
        }
    }

    /// The format for a model and the largest file that it may have to edit,
    /// in estimated tokens.
    pub fn choose(model: &str, largest_file_tokens: u64) -> Self {
        if largest_file_tokens > WHOLE_FILE_TOKENS_MAX {
            Self::SearchReplace
        } else {
            Self::for_model(model)
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
        assert_eq!(
            Format::choose("mistral", WHOLE_FILE_TOKENS_MAX + 1),
            Format::SearchReplace
        );
        assert_eq!(
            Format::choose("mistral", WHOLE_FILE_TOKENS_MAX),
            Format::WholeFile
        );
    }
}
