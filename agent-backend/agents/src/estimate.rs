//! What the stages that follow a plan are likely to take, by what the same stages
//! took in earlier workflows. Ranges and no guesses: where nothing was measured,
//! there is no figure.

use std::collections::BTreeMap;

use engine::{
    Event,
    artifact::{Estimate, Plan, Span},
};
use shared::id::StageId;

/// What an earlier workflow took in its first iteration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// Files that its plan named.
    files: usize,
    stages: BTreeMap<StageId, Spent>,
}

/// What one stage took, all attempts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Spent {
    /// None where no model wrote.
    tokens: Option<u64>,
    /// None where the stage did not end.
    duration_ms: Option<u64>,
}

/// What the time and the tokens of a stage grow with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// The files that the plan names.
    Files,
    /// Nothing that is known beforehand.
    Nothing,
}

impl Past {
    /// What the history of a workflow tells.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Self {
        let mut past = Self::default();
        for event in events {
            // What a person had changed is another task.
            if let Event::IterationStarted { .. } = event {
                break;
            }
            if let Event::Planned(plan) = event {
                past.files = plan.files.len();
            }
            if let Event::Streamed(streamed) = event
                && let Some(total) = streamed.total
            {
                let spent = past.stages.entry(streamed.stage.clone()).or_default();
                spent.tokens = Some(spent.tokens.unwrap_or(0) + total.generated_tokens);
            }
            if let Event::StageFinished {
                stage,
                attempt: 1..,
                ending: _,
                duration_ms,
            } = event
            {
                let spent = past.stages.entry(stage.clone()).or_default();
                spent.duration_ms = Some(spent.duration_ms.unwrap_or(0) + duration_ms);
            }
        }
        past
    }
}

/// What each of these stages is likely to take for this plan, in their order.
pub fn estimates(plan: &Plan, stages: &[(StageId, Growth)], past: &[Past]) -> Vec<Estimate> {
    let estimate = |(stage, growth): &(StageId, Growth)| {
        let scaled = |past: &Past, figure: u64| match growth {
            Growth::Files => figure * count(plan.files.len()) / count(past.files),
            Growth::Nothing => figure,
        };
        let figures = |of: fn(&Spent) -> Option<u64>| {
            let known = past
                .iter()
                .filter_map(|past| Some((past, of(past.stages.get(stage)?)?)));
            span(known.map(|(past, figure)| scaled(past, figure)))
        };
        Estimate {
            stage: stage.clone(),
            tokens: figures(|spent| spent.tokens),
            duration_ms: figures(|spent| spent.duration_ms),
        }
    };
    stages.iter().map(estimate).collect()
}

/// A plan that names no file is taken as one that names one.
fn count(files: usize) -> u64 {
    u64::try_from(files).unwrap_or(u64::MAX).max(1)
}

fn span(figures: impl Iterator<Item = u64>) -> Option<Span> {
    figures.fold(None, |span: Option<Span>, figure| {
        let Span { least, most } = span.unwrap_or(Span {
            least: figure,
            most: figure,
        });
        Some(Span {
            least: least.min(figure),
            most: most.max(figure),
        })
    })
}

#[cfg(test)]
mod tests {
    use engine::event::{Ending, GenerationTotal, Streamed};

    use super::*;

    fn planned(files: usize) -> Plan {
        Plan {
            files: (0..files).map(|number| format!("{number}.py")).collect(),
            ..Plan::default()
        }
    }

    fn wrote(stage: &str, tokens: u64) -> Event {
        Event::Streamed(Streamed {
            stage: StageId::new(stage),
            attempt: 1,
            offset: 0,
            delta: String::new(),
            tokens,
            total: Some(GenerationTotal {
                duration_ms: 1,
                prompt_tokens: 1,
                generated_tokens: tokens,
                cut: false,
            }),
            origin: None,
        })
    }

    fn ended(stage: &str, attempt: u32, duration_ms: u64) -> Event {
        Event::StageFinished {
            stage: StageId::new(stage),
            attempt,
            ending: Ending::Succeeded,
            duration_ms,
        }
    }

    /// The least and the most.
    type Pair = Option<(u64, u64)>;

    /// The tokens and the milliseconds of the stages `code` and `checks`.
    #[track_caller]
    fn check(files: usize, past: &[Vec<Event>], expect: [(Pair, Pair); 2]) {
        let past: Vec<Past> = past.iter().map(Past::of).collect();
        let stages = [
            (StageId::new("code"), Growth::Files),
            (StageId::new("checks"), Growth::Nothing),
        ];
        let found = estimates(&planned(files), &stages, &past);
        let pair = |span: Option<Span>| span.map(|span| (span.least, span.most));
        let found: Vec<_> = found
            .iter()
            .map(|estimate| (pair(estimate.tokens), pair(estimate.duration_ms)))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn stages_take_what_they_took_before() {
        let workflow = |files: usize, tokens: u64, code_ms: u64, checks_ms: u64| {
            vec![
                Event::Planned(planned(files)),
                wrote("code", tokens),
                ended("code", 1, code_ms),
                ended("checks", 1, checks_ms),
            ]
        };
        check(1, &[], [(None, None), (None, None)]);
        check(
            1,
            &[workflow(1, 300, 4000, 900), workflow(1, 500, 2000, 1100)],
            [(Some((300, 500)), Some((2000, 4000))), (None, Some((900, 1100)))],
        );
        // Twice the files, twice the text; the checks are of the whole project.
        check(
            4,
            &[workflow(2, 300, 4000, 900)],
            [(Some((600, 600)), Some((8000, 8000))), (None, Some((900, 900)))],
        );
        check(
            0,
            &[workflow(0, 300, 4000, 900)],
            [(Some((300, 300)), Some((4000, 4000))), (None, Some((900, 900)))],
        );
    }

    #[test]
    fn all_attempts_of_the_first_iteration_count() {
        let history = vec![
            Event::Planned(planned(1)),
            wrote("code", 100),
            ended("code", 1, 1000),
            wrote("code", 200),
            ended("code", 2, 3000),
            // It was left out.
            ended("checks", 0, 0),
            Event::IterationStarted { iteration: 2 },
            ended("code", 1, 50_000),
        ];
        check(
            1,
            &[history],
            [(Some((300, 300)), Some((4000, 4000))), (None, None)],
        );
    }
}
