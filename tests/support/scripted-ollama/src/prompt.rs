//! What the model gets to see: the prompt, cut to `num_ctx` as the real server
//! cuts it, without a word.

use crate::{tokens, wire::Message};

/// Tokens that a chat template adds to each message.
const TEMPLATE_TOKENS: usize = 3;

/// A prompt as the model sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) messages: Vec<Message>,
    pub(crate) tokens: usize,
    pub(crate) dropped: usize,
}

impl Prompt {
    /// A prompt that is not cut: other services refuse what is too long.
    pub(crate) fn whole(messages: Vec<Message>) -> Self {
        Self {
            tokens: messages.iter().map(size).sum(),
            messages,
            dropped: 0,
        }
    }
}

/// Drops the oldest messages until the rest fits into `num_ctx` tokens; system
/// messages and the last message stay. If they alone are too many, the
/// beginning of the text goes.
pub(crate) fn fit(messages: Vec<Message>, num_ctx: usize) -> Prompt {
    let sizes: Vec<usize> = messages.iter().map(size).collect();
    let system: Vec<bool> = messages.iter().map(|message| message.role == "system").collect();
    let last = messages.len().saturating_sub(1);
    let total_from = |start: usize| -> usize {
        (0..sizes.len())
            .filter(|index| *index >= start || system[*index])
            .map(|index| sizes[index])
            .sum()
    };
    let start = (0..last)
        .find(|start| total_from(*start) <= num_ctx)
        .unwrap_or(last);
    let all = messages.len();
    let mut kept: Vec<Message> = messages
        .into_iter()
        .enumerate()
        .filter(|(index, message)| *index >= start || message.role == "system")
        .map(|(_, message)| message)
        .collect();
    let dropped = all - kept.len();
    let mut tokens: usize = kept.iter().map(size).sum();
    for message in &mut kept {
        if tokens <= num_ctx {
            break;
        }
        let pieces = tokens::split(&message.content);
        let cut = pieces.len().min(tokens - num_ctx);
        message.content = pieces[cut..].concat();
        tokens -= cut;
    }
    Prompt {
        messages: kept,
        tokens: tokens.min(num_ctx),
        dropped,
    }
}

fn size(message: &Message) -> usize {
    tokens::count(&message.content) + TEMPLATE_TOKENS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(list: &[(&str, &str)]) -> Vec<Message> {
        list.iter()
            .map(|(role, text)| Message {
                role: (*role).to_owned(),
                content: (*text).to_owned(),
            })
            .collect()
    }

    fn check(list: &[(&str, &str)], num_ctx: usize, expect: (&[(&str, &str)], usize, usize)) {
        let (kept, tokens, dropped) = expect;
        let expect = Prompt {
            messages: messages(kept),
            tokens,
            dropped,
        };
        assert_eq!(fit(messages(list), num_ctx), expect);
    }

    #[test]
    fn cut_to_the_context() {
        let all = [
            ("system", "be"),
            ("user", "one two"),
            ("assistant", "ok"),
            ("user", "three four"),
        ];
        check(&all, 100, (&all, 20, 0));
        check(&all, 20, (&all, 20, 0));
        check(&all, 19, (&[all[0], all[2], all[3]], 15, 1));
        check(&all, 14, (&[all[0], all[3]], 11, 2));
        check(&[("user", "one two three")], 5, (&[("user", " three")], 5, 0));
        check(&[], 5, (&[], 0, 0));
    }
}
