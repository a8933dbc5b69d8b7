//! Text of many events, told as one piece. A model's words are in the journal as
//! they came, a few letters each; whoever is told of them later needs not be told
//! letter by letter.

use agent_client_protocol::v1::schema::{ContentBlock, ContentChunk, SessionUpdate};
use shared::id::Seq;

/// Text of one piece, in bytes.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// Where an update comes from: an event, and which update of it. A piece comes from
/// where it begins, because its message is named after that.
pub(super) type From = (Seq, u32);

/// The update that was not told yet, because more may belong to it.
#[derive(Debug, Default)]
pub(super) struct Held(Option<(SessionUpdate, From)>);

impl Held {
    /// Takes an update; the one that is to be told before it, if any.
    pub(super) fn hold(&mut self, update: SessionUpdate, from: From) -> Option<(SessionUpdate, From)> {
        if let Some((held, _)) = &mut self.0
            && append(held, &update)
        {
            return None;
        }
        self.0.replace((update, from))
    }

    pub(super) fn take(&mut self) -> Option<(SessionUpdate, From)> {
        self.0.take()
    }

    /// Whether more text could belong to it.
    pub(super) fn may_grow(&self) -> bool {
        matches!(
            &self.0,
            Some((
                SessionUpdate::AgentMessageChunk(_) | SessionUpdate::AgentThoughtChunk(_),
                _
            ))
        )
    }
}

/// Adds the text of `more`, if it goes on in the same way.
fn append(held: &mut SessionUpdate, more: &SessionUpdate) -> bool {
    match (held, more) {
        (SessionUpdate::AgentMessageChunk(held), SessionUpdate::AgentMessageChunk(more))
        | (SessionUpdate::AgentThoughtChunk(held), SessionUpdate::AgentThoughtChunk(more)) => {
            append_text(held, more)
        }
        _ => false,
    }
}

fn append_text(held: &mut ContentChunk, more: &ContentChunk) -> bool {
    let (ContentBlock::Text(held), ContentBlock::Text(more)) = (&mut held.content, &more.content) else {
        return false;
    };
    let fits = held.text.len() + more.text.len() <= PIECE_BYTES_MAX;
    if fits {
        held.text.push_str(&more.text);
    }
    fits
}

#[cfg(test)]
mod tests {
    use agent_client_protocol::v1::schema::{TextContent, ToolCall};

    use super::*;

    fn say(text: &str) -> SessionUpdate {
        let content = ContentBlock::Text(TextContent::new(text));
        SessionUpdate::AgentMessageChunk(ContentChunk::new(content))
    }

    fn think(text: &str) -> SessionUpdate {
        let content = ContentBlock::Text(TextContent::new(text));
        SessionUpdate::AgentThoughtChunk(ContentChunk::new(content))
    }

    fn check(updates: Vec<SessionUpdate>, expect: &[(SessionUpdate, u64)]) {
        let (mut held, mut told) = (Held::default(), Vec::new());
        for (seq, update) in (1..).zip(updates) {
            told.extend(held.hold(update, (Seq(seq), 1)));
        }
        told.extend(held.take());
        let told: Vec<_> = told
            .into_iter()
            .map(|(update, (seq, _))| (update, seq.0))
            .collect();
        assert_eq!(told, expect);
    }

    #[test]
    fn text_of_one_kind_is_one_piece() {
        check(vec![], &[]);
        check(vec![say("a"), say("b"), say("c")], &[(say("abc"), 1)]);
        check(
            vec![say("a"), think("b"), think("c"), say("d")],
            &[(say("a"), 1), (think("bc"), 2), (say("d"), 4)],
        );
        let call = || SessionUpdate::ToolCall(ToolCall::new("1", "Write code"));
        check(
            vec![say("a"), call(), call(), say("b")],
            &[(say("a"), 1), (call(), 2), (call(), 3), (say("b"), 4)],
        );
        let long = "x".repeat(PIECE_BYTES_MAX - 1);
        check(
            vec![say(&long), say("y"), say("z")],
            &[(say(&format!("{long}y")), 1), (say("z"), 3)],
        );
    }
}
