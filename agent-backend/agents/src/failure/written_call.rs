//! Calls of tools that a model writes instead of making them: in the markup of
//! its training, or as the JSON of a call. Looked for only where tools were
//! offered, for a file may well contain either.

use serde_json::Value;

/// Begin a call in the markup of some family of models. Nobody means anything
/// else by them at the beginning of a line.
const MARKUP: [&str; 13] = [
    "<tool_call>",
    "<tool_calls>",
    "<function_call>",
    "<function_calls>",
    "<function=",
    "<invoke name=",
    "<|tool_call",
    "<|python_tag|>",
    "<|channel|>commentary to=",
    "<start_function_call>",
    "[TOOL_CALLS]",
    "<\u{ff5c}tool\u{2581}call",
    "```tool_code",
];

/// Names of a call's arguments in JSON.
const ARGUMENTS: [&str; 5] = ["arguments", "parameters", "args", "input", "tool_input"];

/// The tool that `text`, thoughts taken off, calls in words.
pub(super) fn written_call<'a>(text: &str, tools: &[&'a str]) -> Option<&'a str> {
    let first = *tools.first()?;
    let text = text.trim();
    if let Some(at) = markup(text) {
        // Some markup has the name far inside; any of the tools will do then.
        let named = tools.iter().find(|tool| text[at..].contains(**tool));
        return Some(named.copied().unwrap_or(first));
    }
    let bare = tools.iter().find(|tool| {
        let rest = text.strip_prefix(**tool).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with('(')) && text.ends_with(')')
    });
    bare.copied().or_else(|| written_json(text, tools))
}

/// Where markup begins a line outside of fences.
fn markup(text: &str) -> Option<usize> {
    let mut is_code = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let begin = line.trim_start();
        if !is_code && MARKUP.iter().any(|markup| begin.starts_with(markup)) {
            return Some(at);
        }
        is_code ^= begin.starts_with("```");
        at += line.len();
    }
    None
}

/// A call as JSON, alone, in the only fence, or after some words.
fn written_json<'a>(text: &str, tools: &[&'a str]) -> Option<&'a str> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let begin = line.trim_start();
        if begin.starts_with(['{', '[']) {
            let from = &text[at..];
            let value = serde_json::Deserializer::from_str(from)
                .into_iter::<Value>()
                .next();
            // What else begins so is data or code, and all that follows is inside of it.
            return called(&value?.ok()?, tools);
        }
        at += line.len();
    }
    None
}

fn called<'a>(value: &Value, tools: &[&'a str]) -> Option<&'a str> {
    let value = value.get("tool_calls").unwrap_or(value);
    let value = value.get(0).unwrap_or(value);
    let call = value.get("function").filter(|it| it.is_object()).unwrap_or(value);
    ARGUMENTS.iter().find_map(|name| call.get(name))?;
    let name = ["name", "function", "tool", "tool_name"]
        .iter()
        .find_map(|name| call.get(name)?.as_str())?;
    tools.iter().find(|tool| **tool == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_words() {
        fn check(text: &str, expect: Option<&str>) {
            assert_eq!(written_call(text, &["list", "read"]), expect, "{text}");
            assert_eq!(written_call(text, &[]), None, "{text}");
        }
        let read = Some("read");
        for text in [
            r#"{"name": "read", "arguments": {"path": "a"}}"#,
            r#"{"name": "read", "parameters": {}}"#,
            r#"{"type": "function", "function": {"name": "read", "arguments": "{}"}}"#,
            r#"{"tool": "read", "args": {}}"#,
            r#"[{"name": "read", "arguments": {}}]"#,
            r#"{"tool_calls": [{"function": {"name": "read", "arguments": {}}}]}"#,
            "```json\n{\"name\": \"read\", \"arguments\": {}}\n```",
            "I will read it:\n{\"name\": \"read\", \"arguments\": {}}\nand then go on.",
            "<tool_call>\n{\"name\": \"read\"",
            "Let me see.\n<tool_call>{\"name\": \"read\", \"arguments\": {}}</tool_call>",
            "<function=read>{\"path\": \"a\"}</function>",
            "<invoke name=\"read\">",
            "<|python_tag|>read.call(path=\"a\")",
            "[TOOL_CALLS] [{\"name\": \"read\", \"arguments\": {}}]",
            "<|channel|>commentary to=functions.read <|constrain|>json<|message|>{}",
            "```tool_code\nread(path=\"a\")\n```",
            "read(path=\"a\")",
        ] {
            check(text, read);
        }
        check("<tool_call>\n", Some("list"));
        for text in [
            "",
            "read the file",
            "I called read(path=\"a\") before.",
            r#"{"name": "write", "arguments": {}}"#,
            r#"{"name": "read"}"#,
            r#"{"name": "read", "arguments": {}"#,
            r#"{"steps": [{"name": "read", "arguments": {}}]}"#,
            "parser.py\n```\n<tool_call>\n```",
            "The model writes `<tool_call>` there.",
        ] {
            check(text, None);
        }
    }
}
