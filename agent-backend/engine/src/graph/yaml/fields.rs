//! The entries of one mapping: each is taken once, and what is left over is a
//! problem.

use shared::id::StageId;

use super::tree::{Key, Node, Value};
use crate::graph::{At, NUMBER_MARK, Problem};

pub(super) struct Fields<'a> {
    entries: &'a [(Key, Node)],
    /// Keys that were asked for, for the message about those that were not.
    known: Vec<&'static str>,
    pub at: At,
}

impl<'a> Fields<'a> {
    /// The entries of a node that has to be a mapping.
    pub fn of(node: &'a Node, what: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            problems.push(Problem {
                at: node.at,
                message: format!("{what} is a mapping, not {}", node.what()),
                advice: "write `key: value` lines".to_owned(),
            });
            return None;
        };
        for (index, (key, _)) in entries.iter().enumerate() {
            if entries[..index].iter().any(|(before, _)| before.text == key.text) {
                problems.push(Problem {
                    at: key.at,
                    message: format!("`{}` is there twice", key.text),
                    advice: "keep one of them".to_owned(),
                });
            }
        }
        Some(Self {
            entries,
            known: Vec::new(),
            at: node.at,
        })
    }

    /// The value of a key, and that the key is possible here.
    pub fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.entries
            .iter()
            .find(|(found, _)| found.text == key)
            .map(|(_, node)| node)
    }

    /// The value of a key that has to be there.
    pub fn need(&mut self, key: &'static str, what: &str, problems: &mut Vec<Problem>) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() {
            problems.push(Problem {
                at: self.at,
                message: format!("{what} has no `{key}`"),
                advice: format!("add `{key}:`"),
            });
        }
        found
    }

    /// Says which keys mean nothing here.
    pub fn finish(self, what: &str, problems: &mut Vec<Problem>) {
        for (key, _) in self.entries {
            if !self.known.contains(&key.text.as_str()) {
                problems.push(Problem {
                    at: key.at,
                    message: format!("`{}` is no key of {what}", key.text),
                    advice: format!("remove it, or use one of: {}", self.known.join(", ")),
                });
            }
        }
    }
}

/// What a single value has to be.
pub(super) trait Scalar: Sized {
    /// In words, with an example.
    const WHAT: &'static str;

    fn read(text: &str) -> Option<Self>;
}

/// The value of a node, or a problem.
pub(super) fn scalar<T: Scalar>(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let read = match &node.value {
        Value::Scalar(text) => T::read(text),
        Value::List(_) | Value::Map(_) => None,
    };
    if read.is_none() {
        problems.push(Problem {
            at: node.at,
            message: format!("`{key}` cannot be {}", node.what()),
            advice: format!("write {}", T::WHAT),
        });
    }
    read
}

impl Scalar for String {
    const WHAT: &'static str = "a text";

    fn read(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| text.to_owned())
    }
}

impl Scalar for u32 {
    const WHAT: &'static str = "a whole number, for example 3";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Scalar for bool {
    const WHAT: &'static str = "`true` or `false`";

    fn read(text: &str) -> Option<Self> {
        match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

/// A name of a stage or branch.
impl Scalar for StageId {
    const WHAT: &'static str = "a name of 1 to 100 characters from A-Z a-z 0-9 . _ -";

    fn read(text: &str) -> Option<Self> {
        // Items of loops get a mark and their number behind it.
        if text.contains(NUMBER_MARK) || text.len() > 100 {
            return None;
        }
        Self::parse(text).ok()
    }
}

/// A span of time, in milliseconds.
pub(super) struct Milliseconds(pub u64);

impl Scalar for Milliseconds {
    const WHAT: &'static str = "a number and ms, s, m, h or d, for example 500ms, 30s or 2h";

    fn read(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let unit: u64 = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(unit).map(Self)
    }
}
