//! Tokens to a typed condition.

use shared::id::StageId;

use super::{
    Compare, Error, List, Node, Number, Operand, Text,
    lex::{self, Token},
};
use crate::limits::{CONDITION_BYTES_MAX, CONDITION_DEPTH_MAX};

pub(super) fn parse(source: &str) -> Result<Node, Error> {
    if source.len() > CONDITION_BYTES_MAX {
        let message = format!(
            "the condition has {} bytes; at most {CONDITION_BYTES_MAX} are possible",
            source.len()
        );
        return Err(Error { offset: 0, message });
    }
    let tokens = lex::tokens(source)?;
    let mut parser = Parser {
        end: source.chars().count(),
        tokens,
        at: 0,
        depth: 0,
    };
    let node = parser.or()?;
    match parser.tokens.get(parser.at) {
        None => Ok(node),
        Some(_) => Err(parser.error("`and`, `or` or the end was expected here")),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    depth: usize,
}

/// An operand before its use says what type it has to have.
enum Value {
    Truth(bool),
    Number(Operand),
    Text(Operand),
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn offset(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(offset, _)| *offset)
    }

    fn error(&self, message: impl Into<String>) -> Error {
        Error {
            offset: self.offset(),
            message: message.into(),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(here);
        here
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.at += usize::from(here);
        here
    }

    fn need(&mut self, symbol: &str) -> Result<(), Error> {
        if self.symbol(symbol) {
            Ok(())
        } else {
            Err(self.error(format!("`{symbol}` was expected here")))
        }
    }

    fn or(&mut self) -> Result<Node, Error> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Node::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Node, Error> {
        let mut left = self.not()?;
        while self.word("and") {
            left = Node::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Node, Error> {
        self.depth += 1;
        if self.depth > CONDITION_DEPTH_MAX {
            return Err(self.error(format!(
                "parentheses and `not` are nested deeper than {CONDITION_DEPTH_MAX}"
            )));
        }
        let node = if self.word("not") {
            Node::Not(Box::new(self.not()?))
        } else if self.symbol("(") {
            let inner = self.or()?;
            self.need(")")?;
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Result<Node, Error> {
        if self.word("any") {
            let (list, pattern) = self.list_and_pattern()?;
            return Ok(Node::Any { list, pattern });
        }
        if self.word("all") {
            let (list, pattern) = self.list_and_pattern()?;
            return Ok(Node::All { list, pattern });
        }
        if self.word("matches") {
            self.need("(")?;
            let at = self.offset();
            let Value::Text(text) = self.operand()? else {
                let message = "`matches` needs a text, for example `query`".to_owned();
                return Err(Error { offset: at, message });
            };
            self.need(",")?;
            let pattern = self.pattern()?;
            self.need(")")?;
            return Ok(Node::Matches { text, pattern });
        }
        self.comparison()
    }

    fn list_and_pattern(&mut self) -> Result<(List, String), Error> {
        self.need("(")?;
        let known = || {
            let names: Vec<&str> = List::ALL.iter().map(|list| list.as_str()).collect();
            format!("a list was expected here: {}", names.join(", "))
        };
        let Some(Token::Word(name)) = self.peek() else {
            return Err(self.error(known()));
        };
        let Some(list) = List::from_name(name) else {
            return Err(self.error(known()));
        };
        self.at += 1;
        self.need(",")?;
        let pattern = self.pattern()?;
        self.need(")")?;
        Ok((list, pattern))
    }

    fn pattern(&mut self) -> Result<String, Error> {
        let Some(Token::Text(pattern)) = self.peek() else {
            return Err(self.error("a pattern in quotes was expected here, for example \"*.py\""));
        };
        let pattern = pattern.clone();
        self.at += 1;
        Ok(pattern)
    }

    fn comparison(&mut self) -> Result<Node, Error> {
        let left_at = self.offset();
        let left = self.operand()?;
        let Some(compare) = self.compare() else {
            return match left {
                Value::Truth(value) => Ok(Node::Always(value)),
                Value::Number(_) | Value::Text(_) => {
                    Err(self.error("a comparison was expected here, for example `> 0`"))
                }
            };
        };
        let right_at = self.offset();
        let right = self.operand()?;
        match (left, right) {
            (Value::Number(left), Value::Number(right)) => Ok(Node::Numbers(compare, left, right)),
            (Value::Text(left), Value::Text(right)) => match compare {
                Compare::Equal | Compare::Unequal => Ok(Node::Texts {
                    equal: compare == Compare::Equal,
                    left,
                    right,
                }),
                Compare::Less | Compare::LessOrEqual | Compare::Greater | Compare::GreaterOrEqual => {
                    let message = "texts are equal or not; they have no order".to_owned();
                    Err(Error {
                        offset: left_at,
                        message,
                    })
                }
            },
            (Value::Truth(_), _) | (_, Value::Truth(_)) => {
                let message = "`true` and `false` are not compared; use the condition itself, or `not`";
                Err(Error {
                    offset: left_at,
                    message: message.to_owned(),
                })
            }
            (Value::Number(_), Value::Text(_)) | (Value::Text(_), Value::Number(_)) => {
                let message = "a number and a text are never equal: compare like with like".to_owned();
                Err(Error {
                    offset: right_at,
                    message,
                })
            }
        }
    }

    fn compare(&mut self) -> Option<Compare> {
        let compare = match self.peek()? {
            Token::Symbol("==") => Compare::Equal,
            Token::Symbol("!=") => Compare::Unequal,
            Token::Symbol("<") => Compare::Less,
            Token::Symbol("<=") => Compare::LessOrEqual,
            Token::Symbol(">") => Compare::Greater,
            Token::Symbol(">=") => Compare::GreaterOrEqual,
            Token::Symbol(_) | Token::Word(_) | Token::Number(_) | Token::Text(_) => return None,
        };
        self.at += 1;
        Some(compare)
    }

    fn operand(&mut self) -> Result<Value, Error> {
        let value = match self.peek() {
            Some(Token::Number(number)) => Value::Number(Operand::Count(*number)),
            Some(Token::Text(text)) => Value::Text(Operand::Literal(text.clone())),
            Some(Token::Word(name)) => match fact(name) {
                Some(value) => value,
                None => return Err(self.error(unknown(name))),
            },
            Some(Token::Symbol(_)) | None => return Err(self.error("a value was expected here")),
        };
        self.at += 1;
        Ok(value)
    }
}

fn fact(name: &str) -> Option<Value> {
    let text = |text| Some(Value::Text(Operand::Text(text)));
    match name {
        "true" => Some(Value::Truth(true)),
        "false" => Some(Value::Truth(false)),
        "query" => text(Text::Query),
        "plan.summary" => text(Text::PlanSummary),
        "context.mode" => text(Text::ContextMode),
        "item" => text(Text::Item),
        _ => match name.strip_prefix("stage.") {
            Some(stage) => text(Text::Stage(StageId::parse(stage).ok()?)),
            None => Number::from_name(name).map(|number| Value::Number(Operand::Number(number))),
        },
    }
}

fn unknown(name: &str) -> String {
    if let Some(list) = List::from_name(name) {
        return format!(
            "`{}` is a list: use `{0}.count`, any({0}, \"*\") or all({0}, \"*\")",
            list.as_str()
        );
    }
    let numbers: Vec<&str> = Number::ALL.iter().map(|number| number.as_str()).collect();
    format!(
        "`{name}` is not known; there is: query, plan.summary, context.mode, item, stage.NAME, {}",
        numbers.join(", ")
    )
}
