//! The best chunks as one text within a token budget.
//!
//! Pure. Best first; lines that are already in the text are not repeated; the
//! text never holds more than the budget, header lines included.

use std::collections::BTreeMap;

use crate::report::Item;

/// Characters per token of code, on average.
const CHARS_PER_TOKEN: usize = 4;
/// A chunk that has room for fewer lines is left out.
const LINES_MIN: usize = 3;
/// With less room than this nothing more is tried; tokens.
const ROOM_MIN: usize = 4;

/// Counts tokens as the model that will read the text does.
pub trait TokenCounter: Send + Sync {
    /// Tokens of `text`. Must not shrink when text is added.
    fn tokens(&self, text: &str) -> usize;
}

/// Counts [`tokens`] for models whose tokenizer is not known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Estimate;

impl TokenCounter for Estimate {
    fn tokens(&self, text: &str) -> usize {
        tokens(text)
    }
}

/// Estimated tokens of a text.
pub fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(CHARS_PER_TOKEN)
}

/// What was packed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Packed {
    /// The pieces of `text`, best first.
    pub items: Vec<Item>,
    /// Each piece under a line `=== path:first-last symbol ===`.
    pub text: String,
    /// Tokens of `text`.
    pub tokens: usize,
}

/// Packs `ranked` (best first) into `budget` estimated tokens.
pub fn pack(ranked: &[Item], budget: usize) -> Packed {
    pack_counted(ranked, budget, &Estimate)
}

/// Packs `ranked` (best first) into `budget` tokens as `counter` counts them.
pub fn pack_counted(ranked: &[Item], budget: usize, counter: &dyn TokenCounter) -> Packed {
    let mut taken: BTreeMap<&str, Vec<(u32, u32)>> = BTreeMap::new();
    let mut blocks: Vec<(Item, String)> = Vec::new();
    let mut used = 0;
    for item in ranked {
        let spans = taken.entry(&item.path).or_default();
        for fresh in without(item, spans) {
            let room = budget.saturating_sub(used);
            if room < ROOM_MIN {
                break;
            }
            let Some((fitted, block, tokens)) = fit(fresh, room, counter) else {
                continue;
            };
            spans.push((fitted.start_line, fitted.end_line));
            used += tokens;
            blocks.push((fitted, block));
        }
    }
    // Counted piece by piece; a tokenizer may count the whole otherwise.
    loop {
        let text: String = blocks.iter().map(|(_, block)| block.as_str()).collect();
        let tokens = counter.tokens(&text);
        if tokens <= budget || blocks.pop().is_none() {
            let items = blocks.into_iter().map(|(item, _)| item).collect();
            return Packed { items, text, tokens };
        }
    }
}

/// The parts of `item` whose lines are not in `spans`.
fn without(item: &Item, spans: &[(u32, u32)]) -> Vec<Item> {
    let is_taken = |line: u32| spans.iter().any(|(first, last)| (*first..=*last).contains(&line));
    if !(item.start_line..=item.end_line).any(is_taken) {
        return vec![item.clone()];
    }
    let mut parts: Vec<Item> = Vec::new();
    for (line, text) in (item.start_line..=item.end_line).zip(item.text.split('\n')) {
        if is_taken(line) {
            continue;
        }
        match parts.last_mut().filter(|part| part.end_line + 1 == line) {
            Some(part) => {
                part.end_line = line;
                part.text.push('\n');
                part.text.push_str(text);
            }
            None => parts.push(Item {
                start_line: line,
                end_line: line,
                text: text.to_owned(),
                ..item.clone()
            }),
        }
    }
    parts.retain(|part| part.text.chars().any(char::is_alphanumeric));
    parts
}

/// As many of the item's first lines as fit into `room` tokens, how they look
/// and their tokens; nothing if that would be a useless scrap.
fn fit(item: Item, room: usize, counter: &dyn TokenCounter) -> Option<(Item, String, usize)> {
    let whole = block(&item);
    let tokens = counter.tokens(&whole);
    if tokens <= room {
        return Some((item, whole, tokens));
    }
    let lines: Vec<&str> = item.text.split('\n').collect();
    let cut = |kept: usize| {
        let last = u32::try_from(kept.saturating_sub(1)).unwrap_or(u32::MAX);
        let cut = Item {
            end_line: item.end_line.min(item.start_line.saturating_add(last)),
            text: lines[..kept].join("\n"),
            ..item.clone()
        };
        let block = block(&cut);
        let tokens = counter.tokens(&block);
        (cut, block, tokens)
    };
    // The most lines that fit, between `kept`, which do, and `over`, which do not.
    let (mut kept, mut over) = (0, lines.len());
    while over - kept > 1 {
        let middle = kept.midpoint(over);
        if cut(middle).2 <= room {
            kept = middle;
        } else {
            over = middle;
        }
    }
    if kept < LINES_MIN {
        return None;
    }
    let (item, block, tokens) = cut(kept);
    (tokens <= room).then_some((item, block, tokens))
}

fn block(item: &Item) -> String {
    let symbol = item
        .symbol
        .as_deref()
        .map(|symbol| format!(" {symbol}"))
        .unwrap_or_default();
    format!(
        "=== {}:{}-{}{symbol} ===\n{}\n\n",
        item.path, item.start_line, item.end_line, item.text
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(path: &str, start_line: u32, text: &str) -> Item {
        let end_line = start_line + u32::try_from(text.split('\n').count()).unwrap() - 1;
        Item {
            path: path.into(),
            start_line,
            end_line,
            score: 1.0,
            text: text.into(),
            ..Item::default()
        }
    }

    #[test]
    fn tokens_are_rounded_up() {
        let check = |text: &str, expect: usize| assert_eq!(tokens(text), expect, "{text}");
        check("", 0);
        check("a", 1);
        check("abcd", 1);
        check("abcde", 2);
        check("äöüß", 1);
    }

    #[test]
    fn packed_text() {
        let check = |items: &[Item], budget: usize, expect: &str| {
            let packed = pack(items, budget);
            assert_eq!(packed.text, expect);
            assert_eq!(packed.tokens, tokens(expect));
        };
        check(&[], 100, "");
        check(&[item("a.py", 1, "x = 1")], 0, "");
        let with_symbol = Item {
            symbol: Some("A.f".into()),
            ..item("a.py", 3, "def f():\n  pass")
        };
        check(
            &[with_symbol, item("b.py", 1, "y")],
            100,
            "=== a.py:3-4 A.f ===\ndef f():\n  pass\n\n=== b.py:1-1 ===\ny\n\n",
        );
        // Lines 2 and 3 are there already.
        check(
            &[item("a.py", 2, "b\nc"), item("a.py", 1, "a\nb\nc\nd")],
            100,
            "=== a.py:2-3 ===\nb\nc\n\n=== a.py:1-1 ===\na\n\n=== a.py:4-4 ===\nd\n\n",
        );
        // The first is cut, the second fits whole.
        check(
            &[item("a.py", 1, &["abcdefg"; 9].join("\n")), item("b.py", 1, "y")],
            16,
            "=== a.py:1-5 ===\nabcdefg\nabcdefg\nabcdefg\nabcdefg\nabcdefg\n\n",
        );
        check(
            &[item("a.py", 1, &["abcdefg"; 9].join("\n")), item("b.py", 1, "y")],
            6,
            "=== b.py:1-1 ===\ny\n\n",
        );
    }

    /// A tokenizer of whole words, to which line ends are words.
    struct Words;

    impl TokenCounter for Words {
        fn tokens(&self, text: &str) -> usize {
            text.split([' ', '\n']).count()
        }
    }

    #[test]
    fn a_models_own_tokens_count() {
        let items = [
            item("a.py", 1, "a b c\nd e f\ng h i\nj k l"),
            item("b.py", 1, "x"),
        ];
        let check = |budget: usize, expect: &[(&str, u32)], tokens: usize| {
            let packed = pack_counted(&items, budget, &Words);
            let got: Vec<(&str, u32)> = packed
                .items
                .iter()
                .map(|item| (item.path.as_str(), item.end_line))
                .collect();
            assert_eq!(
                (got.as_slice(), packed.tokens),
                (expect, tokens),
                "{}",
                packed.text
            );
        };
        check(3, &[], 1);
        check(6, &[("b.py", 1)], 6);
        check(14, &[("a.py", 3)], 14);
        check(17, &[("a.py", 4)], 17);
        check(100, &[("a.py", 4), ("b.py", 1)], 22);
    }

    proptest! {
        #[test]
        fn the_budget_holds_and_no_line_is_there_twice(
            pieces in prop::collection::vec((0..3_usize, 1..60_u32, prop::collection::vec("[a-zä ]{0,30}", 1..20)), 0..20),
            budget in 0..400_usize,
        ) {
            let items: Vec<Item> =
                pieces.iter().map(|(file, start, lines)| item(&format!("{file}.py"), *start, &lines.join("\n"))).collect();
            let packed = pack(&items, budget);
            prop_assert!(packed.tokens <= budget);
            prop_assert_eq!(packed.tokens, tokens(&packed.text));
            let mut seen = std::collections::BTreeSet::new();
            for item in &packed.items {
                prop_assert!(item.start_line <= item.end_line);
                let lines = usize::try_from(item.end_line - item.start_line + 1).unwrap();
                prop_assert_eq!(item.text.split('\n').count(), lines);
                for line in item.start_line..=item.end_line {
                    prop_assert!(seen.insert((item.path.clone(), line)));
                }
            }
        }
    }
}
