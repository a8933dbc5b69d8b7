//! What is noticed about an answer, for counting, and what becomes of it.

use super::{Finish, LoopDetector, declined, written_call::written_call};
use crate::answer::{Spoken, spoken};

/// Something about an answer that should not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing, or white space.
    Empty,
    /// Thoughts in front of it, in its text.
    Thoughts,
    /// Thoughts that never end.
    OnlyThoughts,
    /// A limit of output or context cut it off.
    Cut,
    /// The same text over and over.
    Repeats,
    /// The model says that it will not do it.
    Declined,
    /// A filter of the provider ended it.
    Filtered,
    /// A call of a tool, written instead of made.
    CallAsText,
    /// Words around the JSON that was asked for.
    Prose,
    /// JSON that ends too early.
    JsonCut,
    /// No JSON at all where it was asked for.
    NoJson,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It is taken off, and the rest is used.
    TakeOff,
    /// The answer is dropped whole, and the next attempt is told why.
    Again,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// One JSON object.
    Json,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Kind; 11] = [
        Self::Empty,
        Self::Thoughts,
        Self::OnlyThoughts,
        Self::Cut,
        Self::Repeats,
        Self::Declined,
        Self::Filtered,
        Self::CallAsText,
        Self::Prose,
        Self::JsonCut,
        Self::NoJson,
    ];

    /// The label of a metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Thoughts => "thoughts",
            Self::OnlyThoughts => "only_thoughts",
            Self::Cut => "cut",
            Self::Repeats => "repeats",
            Self::Declined => "declined",
            Self::Filtered => "filtered",
            Self::CallAsText => "call_as_text",
            Self::Prose => "prose",
            Self::JsonCut => "json_cut",
            Self::NoJson => "no_json",
        }
    }

    /// What becomes of an answer of this kind. Nothing is ever completed:
    /// what is missing cannot be known.
    pub fn policy(self) -> Policy {
        match self {
            Self::Thoughts | Self::Prose => Policy::TakeOff,
            Self::Empty
            | Self::OnlyThoughts
            | Self::Cut
            | Self::Repeats
            | Self::Declined
            | Self::Filtered
            | Self::CallAsText
            | Self::JsonCut
            | Self::NoJson => Policy::Again,
        }
    }
}

/// All that is noticed about an answer that was asked for in a shape, with
/// these tools offered. Empty for one that is as it should be.
pub fn noticed(answer: &str, finish: Finish, shape: Shape, tools: &[&str]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    match finish {
        Finish::Length => kinds.push(Kind::Cut),
        Finish::Refused => kinds.push(Kind::Filtered),
        Finish::Stop => {}
    }
    if LoopDetector::new().push(answer).is_some() {
        kinds.push(Kind::Repeats);
    }
    let text = match spoken(answer) {
        Spoken::OnlyThoughts => {
            kinds.push(Kind::OnlyThoughts);
            return kinds;
        }
        Spoken::Text(text) => text.trim(),
    };
    let begins = answer.trim_start_matches('\u{feff}').trim();
    if text.len() < begins.len() {
        kinds.push(Kind::Thoughts);
    }
    if text.is_empty() {
        kinds.push(Kind::Empty);
    } else if written_call(text, tools).is_some() {
        kinds.push(Kind::CallAsText);
    } else if declined(text).is_some() {
        kinds.push(Kind::Declined);
    } else if shape == Shape::Json {
        kinds.extend(about_json(text));
    }
    kinds
}

fn about_json(text: &str) -> Option<Kind> {
    let Some(at) = text.find('{') else {
        return Some(Kind::NoJson);
    };
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<serde::de::IgnoredAny>();
    match values.next() {
        Some(Ok(_)) if at == 0 && values.byte_offset() == text.len() => None,
        Some(Ok(_)) => Some(Kind::Prose),
        Some(Err(error)) if error.is_eof() => Some(Kind::JsonCut),
        Some(Err(_)) | None => Some(Kind::NoJson),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noticed() {
        fn check(answer: &str, finish: Finish, shape: Shape, expect: &[Kind]) {
            assert_eq!(noticed(answer, finish, shape, &["read"]), expect, "{answer:.80}");
        }
        use Finish::{Length, Refused, Stop};
        use Shape::{Json, Text};
        check("fine", Stop, Text, &[]);
        check(" \n", Stop, Text, &[Kind::Empty]);
        check("<think>hm</think>fine", Stop, Text, &[Kind::Thoughts]);
        check("hm</think>\nfine", Stop, Text, &[Kind::Thoughts]);
        check("<think>hm</think>", Stop, Text, &[Kind::Thoughts, Kind::Empty]);
        check("<think>hm", Stop, Text, &[Kind::OnlyThoughts]);
        check("<think>hm", Length, Text, &[Kind::Cut, Kind::OnlyThoughts]);
        check("fi", Length, Text, &[Kind::Cut]);
        check(&"and so on ".repeat(500), Stop, Text, &[Kind::Repeats]);
        check("I'm sorry, but no.", Stop, Json, &[Kind::Declined]);
        check("", Refused, Text, &[Kind::Filtered, Kind::Empty]);
        check("a", Refused, Text, &[Kind::Filtered]);
        check(
            r#"{"name":"read","arguments":{}}"#,
            Stop,
            Text,
            &[Kind::CallAsText],
        );
        check(
            r#"{"name":"read","arguments":{}}"#,
            Stop,
            Json,
            &[Kind::CallAsText],
        );
        check(r#"{"a":1}"#, Stop, Json, &[]);
        check("Here:\n```json\n{\"a\":1}\n```", Stop, Json, &[Kind::Prose]);
        check("Here:\n```json\n{\"a\":1}\n```", Stop, Text, &[]);
        check(r#"{"a":"#, Stop, Json, &[Kind::JsonCut]);
        check(r#"{"a":"#, Length, Json, &[Kind::Cut, Kind::JsonCut]);
        check("fine", Stop, Json, &[Kind::NoJson]);
        check("{a}", Stop, Json, &[Kind::NoJson]);
    }

    #[test]
    fn labels_are_one_each() {
        let labels: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(labels.len(), Kind::ALL.len());
    }

    #[test]
    fn what_is_used_all_the_same() {
        let used: Vec<_> = Kind::ALL
            .into_iter()
            .filter(|kind| kind.policy() == Policy::TakeOff)
            .collect();
        assert_eq!(used, [Kind::Thoughts, Kind::Prose]);
    }
}
