//! A condition's text as tokens with their places.

use super::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Number(u64),
    Text(String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 9] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", ","];

/// Tokens, each with its first character's place.
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, Error> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let start = at;
        if first.is_whitespace() {
            at += 1;
        } else if first == '"' || first == '\'' {
            at += 1;
            let mut text = String::new();
            loop {
                match chars.get(at) {
                    Some(&end) if end == first => break,
                    Some(&part) => text.push(part),
                    None => {
                        let message = format!("the text has no closing {first}");
                        return Err(Error {
                            offset: start,
                            message,
                        });
                    }
                }
                at += 1;
            }
            at += 1;
            tokens.push((start, Token::Text(text)));
        } else if first.is_ascii_digit() {
            while chars.get(at).is_some_and(char::is_ascii_digit) {
                at += 1;
            }
            let digits: String = chars[start..at].iter().collect();
            let number = digits.parse().map_err(|_| Error {
                offset: start,
                message: format!("the number {digits} is too large"),
            })?;
            tokens.push((start, Token::Number(number)));
        } else if first.is_ascii_alphabetic() {
            let part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            while chars.get(at).is_some_and(part) {
                at += 1;
            }
            tokens.push((start, Token::Word(chars[start..at].iter().collect())));
        } else {
            let two: String = chars[at..].iter().take(2).collect();
            let known = SYMBOLS.into_iter().find(|symbol| two.starts_with(symbol));
            let Some(symbol) = known else {
                let message = format!("`{first}` means nothing in a condition");
                return Err(Error {
                    offset: start,
                    message,
                });
            };
            at += symbol.len();
            tokens.push((start, Token::Symbol(symbol)));
        }
    }
    Ok(tokens)
}
