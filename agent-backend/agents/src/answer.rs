//! What every reader of answers does first: line ends, thoughts, shortening.

/// Tags that models put their thoughts into.
const THOUGHT_TAGS: [&str; 4] = ["think", "thinking", "thought", "reasoning"];

/// The answer without the thoughts before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken<'a> {
    /// What was said.
    Text(&'a str),
    /// The thoughts never ended.
    OnlyThoughts,
}

/// Takes thoughts off the beginning. Tags anywhere else are part of the
/// answer: a file may well contain them.
pub(crate) fn spoken(answer: &str) -> Spoken<'_> {
    let mut rest = answer.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    'again: loop {
        for tag in THOUGHT_TAGS {
            let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
            if let Some(inner) = rest.strip_prefix(open.as_str()) {
                match inner.find(&close) {
                    Some(at) => {
                        rest = inner[at + close.len()..].trim_start();
                        continue 'again;
                    }
                    None => return Spoken::OnlyThoughts,
                }
            }
            // Some chat templates give the opening tag to the prompt, so that
            // the answer holds the closing one alone.
            if let Some(at) = rest.find(&close) {
                let before = &rest[..at];
                let plain = !before.contains("```") && !before.contains("~~~") && !before.contains(&open);
                if plain && !before.contains("<<<<<") && !before.trim_start().starts_with('{') {
                    rest = rest[at + close.len()..].trim_start();
                    continue 'again;
                }
            }
        }
        return Spoken::Text(rest);
    }
}

/// `text` with line feeds alone.
pub(crate) fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// One line of at most `chars_max` characters: control characters become
/// spaces, runs of white space one space, what is cut off an ellipsis.
pub(crate) fn one_line(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.retain(|c| !is_invisible(c));
    shorten(&line, chars_max)
}

/// At most `chars_max` characters, the last of them an ellipsis if cut.
pub(crate) fn shorten(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// Characters that change how a line is shown without being seen: zero width
/// and direction marks.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{00ad}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, expect: Spoken<'_>) {
        assert_eq!(spoken(answer), expect, "{answer:?}");
    }

    #[test]
    fn thoughts() {
        check("hello", Spoken::Text("hello"));
        check("<think>a\nb</think>\n\nhello", Spoken::Text("hello"));
        check("\n <thinking>a</thinking><think>b</think>x", Spoken::Text("x"));
        check("<think>never ends", Spoken::OnlyThoughts);
        check("so I think\n</think>\nhello", Spoken::Text("hello"));
        check(
            "a.md\n```\n</think>\n```",
            Spoken::Text("a.md\n```\n</think>\n```"),
        );
        check(
            "{\"summary\":\"</think>\"}",
            Spoken::Text("{\"summary\":\"</think>\"}"),
        );
        check("<think></think>", Spoken::Text(""));
    }

    #[test]
    fn lines() {
        assert_eq!(one_line("a\n\tb\u{0}c  d\u{202e}", 80), "a b c d");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }
}
