//! Finds lines that stand for code which the model left out.
//!
//! Taken as text they would delete the code they stand for. A line counts only
//! if it is a comment, or begins with an ellipsis, and says so; bodies that
//! are an ellipsis (Python, type stubs) are code. A line that the file already
//! has is no placeholder.

use crate::{Error, answer::shorten};

/// Longest line that can be a placeholder, in characters.
const CHARS_MAX: usize = 160;

/// What follows "rest of the" and stands behind "existing".
const THINGS: &str = " code file class function functions method methods implementation module imports import \
     script component tests test content contents body logic lines fields routes handlers definitions \
     statements struct enum program document page styles config configuration section sections stuff cases \
     implementations parts part endpoints views models helpers ";

/// The first placeholder of `text`: its line, from 1, and the line itself.
pub fn placeholder<'a>(path: &str, text: &'a str, current: Option<&str>) -> Option<(usize, &'a str)> {
    let ellipsis_is_code = !has_strict_ellipsis(path);
    let prose = is_prose(path);
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .find(|(_, line)| {
            let trimmed = line.trim();
            leaves_out(trimmed, ellipsis_is_code, prose)
                && !current.is_some_and(|old| old.lines().any(|old| old.trim() == trimmed))
        })
}

pub(super) fn refuse(path: &str, text: &str, current: Option<&str>) -> Result<(), Error> {
    match placeholder(path, text, current) {
        None => Ok(()),
        Some((line, text)) => Err(Error::Placeholder {
            path: path.to_owned(),
            line,
            text: shorten(text.trim(), CHARS_MAX),
        }),
    }
}

fn extension(path: &str) -> String {
    path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase()
}

/// Languages in which a line of three dots alone means nothing.
fn has_strict_ellipsis(path: &str) -> bool {
    matches!(
        extension(path).as_str(),
        "rs" | "js" | "jsx" | "ts" | "tsx" | "go" | "java" | "kt" | "cs" | "php"
    )
}

fn is_prose(path: &str) -> bool {
    matches!(
        extension(path).as_str(),
        "md" | "markdown" | "mdx" | "rst" | "txt" | "adoc"
    )
}

fn leaves_out(line: &str, ellipsis_is_code: bool, prose: bool) -> bool {
    if line.is_empty() || line.chars().count() > CHARS_MAX {
        return false;
    }
    let comment = comment(line);
    let said = match comment {
        Some(said) => said,
        // `... existing code ...` and `[rest of the file unchanged]`.
        None if starts_with_dots(line)
            || (line.starts_with(['[', '(', '<']) && line.ends_with([']', ')', '>'])) =>
        {
            line.trim_matches(['[', ']', '(', ')', '<', '>'])
        }
        None => return false,
    };
    let dots = said.contains("...") || said.contains('…');
    let words = words(said);
    if words.is_empty() {
        let alone = dots && said.trim().trim_matches(['.', '…']).trim().is_empty();
        return alone && !prose && (comment.is_some() || (!ellipsis_is_code && starts_with_dots(line)));
    }
    if comment.is_none() && !starts_with_dots(line) {
        return says_unchanged(&words) && names_rest(&words);
    }
    if dots {
        names_rest(&words) || says_unchanged(&words)
    } else {
        is_bare_rest(&words)
    }
}

fn starts_with_dots(line: &str) -> bool {
    line.starts_with("...") || line.starts_with('…')
}

/// What a line says if it is nothing but a comment. Documentation comments
/// show examples and do not count.
fn comment(line: &str) -> Option<&str> {
    if line.starts_with("///") || line.starts_with("//!") || line.starts_with("#!") || line.starts_with("#[")
    {
        return None;
    }
    let wrapped = [
        ("{/*", "*/}"),
        ("/*", "*/"),
        ("<!--", "-->"),
        ("{#", "#}"),
        ("(*", "*)"),
    ];
    for (open, close) in wrapped {
        if let Some(rest) = line.strip_prefix(open) {
            return Some(rest.strip_suffix(close).unwrap_or(rest));
        }
    }
    ["//", "#", "--", ";", "%"]
        .iter()
        .find_map(|leader| line.strip_prefix(leader))
}

fn words(said: &str) -> Vec<String> {
    said.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn is_thing(word: &str) -> bool {
    THINGS.split_whitespace().any(|thing| thing == word)
}

/// "rest of the …", "existing code", "other methods", "your code here".
fn names_rest(words: &[String]) -> bool {
    let pairs = words.windows(2);
    let rest_of = pairs
        .clone()
        .any(|pair| matches!(pair[0].as_str(), "rest" | "remainder") && pair[1] == "of");
    let qualified = words.iter().enumerate().any(|(index, word)| {
        let qualifies = matches!(
            word.as_str(),
            "existing"
                | "remaining"
                | "other"
                | "previous"
                | "original"
                | "unchanged"
                | "same"
                | "rest"
                | "your"
                | "omitted"
                | "above"
        );
        qualifies && words[index + 1..].iter().take(3).any(|next| is_thing(next))
    });
    rest_of || qualified
}

/// "unchanged", "remains the same", "as before", "omitted for brevity".
fn says_unchanged(words: &[String]) -> bool {
    let text = words.join(" ");
    let phrases = [
        "remains the same",
        "remain the same",
        "stays the same",
        "stay the same",
        "same as before",
        "same as above",
        "as before",
        "for brevity",
        "no changes",
        "not changed",
        "keep existing",
        "keep the existing",
        "goes here",
        "remains unchanged",
        "remain unchanged",
    ];
    words.iter().any(|word| {
        matches!(
            word.as_str(),
            "unchanged" | "omitted" | "unmodified" | "snip" | "truncated"
        )
    }) || phrases.iter().any(|phrase| text.contains(phrase))
}

/// A comment without an ellipsis that says nothing but that code is missing:
/// "rest of the code", "existing methods unchanged", "code omitted for brevity".
fn is_bare_rest(words: &[String]) -> bool {
    let filler = |word: &str| {
        is_thing(word)
            || matches!(
                word,
                "the"
                    | "of"
                    | "your"
                    | "this"
                    | "is"
                    | "are"
                    | "and"
                    | "here"
                    | "remains"
                    | "remain"
                    | "stays"
                    | "stay"
                    | "same"
                    | "as"
                    | "before"
                    | "above"
                    | "unchanged"
                    | "unmodified"
                    | "omitted"
                    | "for"
                    | "brevity"
                    | "rest"
                    | "remainder"
                    | "existing"
                    | "remaining"
                    | "other"
                    | "previous"
                    | "original"
                    | "no"
                    | "changes"
                    | "not"
                    | "changed"
                    | "keep"
                    | "all"
                    | "in"
                    | "goes"
                    | "snip"
            )
    };
    let only_filler = words.len() >= 2 && words.iter().all(|word| filler(word));
    let whole_rest = words
        .windows(2)
        .any(|pair| matches!(pair[0].as_str(), "rest" | "remainder") && pair[1] == "of")
        && words.last().is_some_and(|last| is_thing(last) || last == "here");
    let code_here = words
        .windows(2)
        .any(|pair| is_thing(&pair[0]) && pair[1] == "here")
        && names_rest(words);
    only_filler && (says_unchanged(words) || whole_rest || code_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, line: &str) -> bool {
        placeholder(
            path,
            &format!("first = 1\n{line}\nlast = 2\n"),
            Some("other = 3\n"),
        )
        .is_some()
    }

    #[test]
    fn placeholders() {
        for (path, line) in [
            ("a.py", "# ... rest of the code unchanged"),
            ("a.py", "    # ... existing code ..."),
            ("a.py", "# rest of the code remains the same"),
            ("a.py", "# Rest of the file"),
            ("a.py", "# ..."),
            ("a.py", "# … other methods …"),
            ("a.py", "# existing methods unchanged"),
            ("a.py", "... (rest of the file unchanged)"),
            ("a.py", "# ... (previous code remains unchanged) ..."),
            ("a.py", "# [unchanged code omitted for brevity]"),
            ("a.rs", "// ... existing code ..."),
            ("a.rs", "    ..."),
            ("a.ts", "/* ... rest of the component ... */"),
            ("a.tsx", "{/* ... existing code ... */}"),
            ("a.js", "// ... keep existing code"),
            ("a.html", "<!-- ... rest of the page ... -->"),
            ("a.sql", "-- ... remaining statements unchanged"),
            ("a.py", "# Your code here ..."),
            ("a.py", "# same as before"),
            ("a.go", "// Existing code here"),
            ("README.md", "<!-- rest of the document unchanged -->"),
            ("README.md", "[rest of the file remains unchanged]"),
            ("README.md", "... rest of the document unchanged ..."),
        ] {
            assert!(found(path, line), "missed in {path}: {line}");
        }
    }

    #[test]
    fn code_and_prose_that_is_no_placeholder() {
        for (path, line) in [
            ("a.py", "    ..."),
            ("a.py", "def f(): ..."),
            ("a.pyi", "..."),
            ("a.py", "x = [...]"),
            ("a.py", "a[..., 0] = 1"),
            ("a.py", "# the rest of the code expects UTC"),
            ("a.py", "# Existing code calls this with None"),
            ("a.py", "# Other methods"),
            ("a.py", "# wait for the other side ..."),
            ("a.py", "# loading..."),
            ("a.py", "# unchanged since version 1 of the protocol"),
            ("a.py", "raise NotImplementedError"),
            ("a.py", "print(\"... rest of the code unchanged\")"),
            ("a.rs", "    let b = Point { x: 1, ..a };"),
            ("a.rs", "/// ..."),
            ("a.rs", "for i in 0..n {"),
            ("a.rs", "    // The rest is handled by the caller."),
            ("a.ts", "    ...options,"),
            ("a.ts", "const [first, ...rest] = all;"),
            ("a.js", "function f(...args) {"),
            ("a.c", "int printf(const char *fmt, ...);"),
            ("a.c", "..."),
            ("README.md", "..."),
            ("README.md", "The rest of the code is unchanged."),
            ("README.md", "[existing code](src/app.py)"),
            ("README.md", "# Rest of the world"),
            ("a.py", "# Keep the original order of the fields"),
            ("a.py", "# imports"),
        ] {
            assert!(!found(path, line), "refused in {path}: {line}");
        }
    }

    #[test]
    fn a_line_that_the_file_has_stays() {
        let line = "# ... rest of the code unchanged\n";
        assert_eq!(
            placeholder("a.py", line, Some("    # ... rest of the code unchanged\n")),
            None
        );
        assert_eq!(placeholder("a.py", line, None), Some((1, line.trim_end())));
    }
}
