//! How many tokens a text costs, and what is left out when not all fits.
//!
//! Nothing is dropped silently: what does not fit is returned by name.

/// Characters that count as one token. Code comes out at three to four; the
/// models crate compares the estimate with what the server counted.
pub const CHARS_PER_TOKEN: u64 = 4;

/// Tokens that count for one picture, whatever its size. Providers scale pictures down
/// and count what is left: Anthropic up to about 1,600, OpenAI about 1,100, Gemini 258
/// for each of a few tiles, models of Ollama 256 to 1,600.
pub const IMAGE_TOKENS: u64 = 1_600;

/// Fewest lines of a divisible section that are worth keeping.
const LINES_MIN: usize = 3;

/// Estimated tokens of `text`, rounded up.
pub fn estimate(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(CHARS_PER_TOKEN)
}

/// How much a section matters; the least is dropped first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Nice to have.
    Low,
    /// Context that was found by search.
    Context,
    /// A file that may matter.
    File,
    /// A file that the plan names.
    PlannedFile,
    /// What was proposed before.
    Proposal,
    /// What was wrong before.
    Failure,
    /// Kept always, even over the budget.
    Required,
}

/// What may be taken of a section that does not fit whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// All or nothing: half a file invites the model to lose the other half.
    Never,
    /// Its first lines: it is ordered best first.
    KeepFirstLines,
}

/// A piece of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name in reports, for example `src/app.py`.
    pub what: String,
    /// The text as it goes into the prompt.
    pub text: String,
    /// How much it matters.
    pub priority: Priority,
    /// What may be taken of it.
    pub cut: Cut,
}

/// Something that did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The section's name.
    pub what: String,
    /// Estimated tokens that are missing.
    pub tokens: u64,
}

/// Keeps what fits into `budget_tokens`, most important first and, among
/// equals, the first first. The kept sections stay in their order.
pub fn fit(sections: Vec<Section>, budget_tokens: u64) -> (Vec<Section>, Vec<LeftOut>) {
    let mut order: Vec<usize> = (0..sections.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(sections[index].priority), index));
    let mut free = budget_tokens;
    let mut kept: Vec<Option<Section>> = sections.into_iter().map(Some).collect();
    let mut left_out = Vec::new();
    for index in order {
        let Some(section) = kept[index].take() else {
            continue;
        };
        let tokens = estimate(&section.text);
        if tokens <= free || section.priority == Priority::Required {
            free = free.saturating_sub(tokens);
            kept[index] = Some(section);
            continue;
        }
        let part = match section.cut {
            Cut::Never => None,
            Cut::KeepFirstLines => first_lines(&section.text, free),
        };
        let part_tokens = part.as_deref().map_or(0, estimate);
        free = free.saturating_sub(part_tokens);
        left_out.push((
            index,
            LeftOut {
                what: section.what.clone(),
                tokens: tokens - part_tokens,
            },
        ));
        kept[index] = part.map(|text| Section { text, ..section });
    }
    left_out.sort_by_key(|(index, _)| *index);
    (
        kept.into_iter().flatten().collect(),
        left_out.into_iter().map(|(_, left)| left).collect(),
    )
}

/// The most lines from the beginning that cost no more than `tokens`.
fn first_lines(text: &str, tokens: u64) -> Option<String> {
    let chars_max = tokens.saturating_mul(CHARS_PER_TOKEN);
    let (mut chars, mut end, mut lines) = (0_u64, 0, 0);
    for line in text.split_inclusive('\n') {
        chars += line.chars().count() as u64;
        if chars > chars_max {
            break;
        }
        end += line.len();
        lines += 1;
    }
    (lines >= LINES_MIN).then(|| text[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(what: &str, chars: usize, priority: Priority) -> Section {
        Section {
            what: what.into(),
            text: "x".repeat(chars),
            priority,
            cut: Cut::Never,
        }
    }

    fn check(sections: &[Section], budget: u64, kept: &[&str], left_out: &[(&str, u64)]) {
        let (got, left) = fit(sections.to_vec(), budget);
        assert_eq!(got.iter().map(|s| s.what.as_str()).collect::<Vec<_>>(), kept);
        assert_eq!(
            left.iter()
                .map(|l| (l.what.as_str(), l.tokens))
                .collect::<Vec<_>>(),
            left_out
        );
    }

    #[test]
    fn tokens_round_up() {
        assert_eq!(
            [estimate(""), estimate("a"), estimate("abcd"), estimate("äöüß€")],
            [0, 1, 1, 2]
        );
    }

    #[test]
    fn the_least_important_goes_first() {
        let all = [
            section("context", 40, Priority::Context),
            section("request", 40, Priority::Required),
            section("file", 40, Priority::File),
            section("planned", 40, Priority::PlannedFile),
        ];
        check(&all, 40, &["context", "request", "file", "planned"], &[]);
        check(&all, 39, &["request", "file", "planned"], &[("context", 10)]);
        check(
            &all,
            20,
            &["request", "planned"],
            &[("context", 10), ("file", 10)],
        );
        check(
            &all,
            0,
            &["request"],
            &[("context", 10), ("file", 10), ("planned", 10)],
        );
    }

    #[test]
    fn a_smaller_one_may_take_the_place() {
        let all = [
            section("big", 400, Priority::File),
            section("small", 8, Priority::Context),
        ];
        check(&all, 10, &["small"], &[("big", 100)]);
    }

    #[test]
    fn lines_are_kept_from_the_beginning() {
        let text = "one\ntwo\nsix\nten\n".to_owned();
        let all = vec![Section {
            what: "c".into(),
            text,
            priority: Priority::Context,
            cut: Cut::KeepFirstLines,
        }];
        let (kept, left) = fit(all.clone(), 3);
        assert_eq!(kept[0].text, "one\ntwo\nsix\n");
        assert_eq!(
            left,
            [LeftOut {
                what: "c".into(),
                tokens: 1
            }]
        );
        assert_eq!(
            fit(all, 2),
            (
                vec![],
                vec![LeftOut {
                    what: "c".into(),
                    tokens: 4
                }]
            )
        );
    }
}
