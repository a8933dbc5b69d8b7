//! Faults sorted by where they happen.

use super::{Count, ErrorAfter, Fault, Point, RawAnswer, RefusalAnswer};

/// What happens in place of an answer, or before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Before {
    /// Milliseconds; without, for ever.
    Stall(Option<u64>),
    Status(RefusalAnswer),
    Raw(RawAnswer),
}

/// What happens between two tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Within {
    /// Milliseconds; without, for ever.
    Stall(Option<u64>),
    Garbage(String),
    Error(ErrorAfter),
    Cut,
    End,
}

/// What happens to the bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) cut_bytes: Option<usize>,
    pub(crate) write_bytes: Option<usize>,
    pub(crate) splits_characters: bool,
    pub(crate) buffers: bool,
}

/// Everything that faults do.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Effects {
    pub(crate) before: Vec<Before>,
    /// After how many tokens what happens.
    pub(crate) within: Vec<(usize, Within)>,
    pub(crate) damage: Damage,
    pub(crate) tokens_per_second: Option<f64>,
    pub(crate) prompt_count: Option<Count>,
    pub(crate) num_ctx: Option<u32>,
    pub(crate) model: Option<String>,
    pub(crate) duplicates_end: bool,
    pub(crate) is_old: bool,
}

impl Effects {
    /// Of two faults of a kind that happens once, the last counts.
    pub(crate) fn of(faults: &[Fault]) -> Self {
        let mut effects = Self::default();
        let (before, within) = (&mut effects.before, &mut effects.within);
        let damage = &mut effects.damage;
        for fault in faults {
            match fault.clone() {
                Fault::Stall(stall) if stall.tokens == 0 => before.push(Before::Stall(stall.ms)),
                Fault::Stall(stall) => within.push((stall.tokens, Within::Stall(stall.ms))),
                Fault::Cut(Point::Tokens(tokens)) => within.push((tokens, Within::Cut)),
                Fault::Cut(Point::Bytes(bytes)) => damage.cut_bytes = Some(bytes),
                Fault::End(end) => within.push((end.tokens, Within::End)),
                Fault::Error(error) => within.push((error.tokens, Within::Error(error))),
                Fault::Garbage(garbage) => within.push((garbage.tokens, Within::Garbage(garbage.text))),
                Fault::Status(refusal) => before.push(Before::Status(refusal)),
                Fault::Raw(raw) => before.push(Before::Raw(raw)),
                Fault::Slow(rate) => effects.tokens_per_second = Some(rate.tokens_per_second),
                Fault::PromptCount(count) => effects.prompt_count = Some(count),
                Fault::SmallContext(context) => effects.num_ctx = Some(context.num_ctx),
                Fault::WrongModel(model) => effects.model = Some(model.name),
                Fault::Torn(size) => damage.write_bytes = Some(size.bytes).filter(|bytes| *bytes > 0),
                Fault::SplitCharacters => damage.splits_characters = true,
                Fault::DuplicateEnd => effects.duplicates_end = true,
                Fault::Buffered => damage.buffers = true,
                Fault::OldServer => effects.is_old = true,
            }
        }
        effects
    }
}
