//! YAML text as a tree in which everything knows its place.

use serde_saphyr::granit_parser::{Event, Marker, Parser, Span};

use crate::graph::{At, Problem};

/// Deepest nesting of a definition.
const DEPTH_MAX: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub at: At,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub at: At,
    pub text: String,
}

impl Node {
    /// The text of its key `name`.
    pub fn name(&self) -> Option<String> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        let (_, node) = entries.iter().find(|(key, _)| key.text == "name")?;
        match &node.value {
            Value::Scalar(text) => Some(text.clone()),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// What it is, in words.
    pub fn what(&self) -> String {
        match &self.value {
            Value::Scalar(text) if text.is_empty() => "nothing".to_owned(),
            Value::Scalar(text) => format!("`{}`", text.chars().take(40).collect::<String>()),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}

fn at(marker: &Marker) -> At {
    At {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

/// The one document of `text`.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let mut events = Events {
        parser: Parser::new_from_str(text),
        depth: 0,
    };
    let mut document = None;
    loop {
        match events.next()? {
            None | Some((Event::StreamEnd, _)) => break,
            Some((Event::DocumentStart(..), span)) => {
                if document.is_some() {
                    let message = "the file has a second document".to_owned();
                    let advice = "one file is one definition: remove everything from `---`".to_owned();
                    return Err(Problem {
                        at: at(&span.start),
                        message,
                        advice,
                    });
                }
                document = Some(events.node()?);
            }
            Some(_) => {}
        }
    }
    document.ok_or_else(|| Problem {
        at: At { line: 1, column: 1 },
        message: "the file is empty".to_owned(),
        advice: "begin with `name:`, `version:` and `stages:`".to_owned(),
    })
}

struct Events<'a> {
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    depth: usize,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Problem> {
        loop {
            match self.parser.next() {
                None => return Ok(None),
                Some(Ok((event, span))) => {
                    if !is_comment(&event) {
                        return Ok(Some((event, span)));
                    }
                }
                Some(Err(error)) => {
                    return Err(Problem {
                        at: at(error.marker()),
                        message: format!("this is not YAML ({})", error.info()),
                        advice: "check indentation, colons and quotes around here".to_owned(),
                    });
                }
            }
        }
    }

    fn node(&mut self) -> Result<Node, Problem> {
        match self.next()? {
            Some((event, span)) => self.after(event, span),
            None => Err(ended()),
        }
    }

    fn after(&mut self, event: Event<'a>, span: Span) -> Result<Node, Problem> {
        let at = at(&span.start);
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Problem {
                at,
                message: format!("this is nested deeper than {DEPTH_MAX}"),
                advice: "make it flatter".to_owned(),
            });
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "whatever else the parser tells is refused"
        )]
        let value = match event {
            Event::Scalar(text, ..) => Value::Scalar(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Some((Event::SequenceEnd, _)) => break Value::List(items),
                        Some((event, span)) => items.push(self.after(event, span)?),
                        None => return Err(ended()),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                loop {
                    match self.next()? {
                        Some((Event::MappingEnd, _)) => break Value::Map(entries),
                        Some((event, span)) => {
                            let key = self.after(event, span)?;
                            let Value::Scalar(text) = key.value else {
                                return Err(Problem {
                                    at: key.at,
                                    message: "a key is a word".to_owned(),
                                    advice: "write `key: value`".to_owned(),
                                });
                            };
                            entries.push((Key { at: key.at, text }, self.node()?));
                        }
                        None => return Err(ended()),
                    }
                }
            }
            other => {
                let what = if is_alias(&other) { "an alias" } else { "this" };
                return Err(Problem {
                    at,
                    message: format!("{what} is not possible in a definition"),
                    advice: "write it out".to_owned(),
                });
            }
        };
        self.depth -= 1;
        Ok(Node { at, value })
    }
}

fn is_comment(event: &Event<'_>) -> bool {
    matches!(event, Event::Comment(..))
}

fn is_alias(event: &Event<'_>) -> bool {
    matches!(event, Event::Alias(_))
}

fn ended() -> Problem {
    Problem {
        at: At { line: 1, column: 1 },
        message: "the file ends too early".to_owned(),
        advice: "check that it was saved whole".to_owned(),
    }
}
