//! Seeds pass with the engine as it is, repeat themselves, and fail with an
//! engine that is broken.

use engine::{Action, Command, Ctx, Event, Recorded, Reject, State};
use simulation::{Brain, Real, live};

/// Seeds of a test run; `cargo xtask sim` lives as many as one wants.
const SEEDS: u64 = 40;

/// Seeds within which a broken engine is found.
const FOUND_WITHIN: u64 = 300;

#[test]
fn whatever_goes_wrong_the_invariants_hold() {
    for seed in 1..=SEEDS {
        live(&Real, seed).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
}

#[test]
fn what_was_once_broken_is_not_again() {
    let seeds = include_str!("seeds.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    for seed in seeds.map(|line| line.parse().unwrap()) {
        live(&Real, seed).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
}

#[test]
fn a_seed_repeats_itself() {
    for seed in [1, 7, 1 << 40] {
        assert_eq!(live(&Real, seed), live(&Real, seed));
    }
    assert_ne!(live(&Real, 1), live(&Real, 2));
}

/// Ways to break what is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    ToldBeforeWritten,
    NotFenced,
    LateResultsCount,
    NoIntent,
    AttemptsRepeat,
    TextSurvivesARestart,
    TimersAreEarly,
    MemoryDiffers,
    SwapsWithoutComparing,
    RestartsWithoutWork,
}

impl Brain for Wrong {
    fn decide(&self, state: &State, command: Command, ctx: &Ctx) -> Result<Vec<Event>, Reject> {
        let command = match (self, command) {
            (
                Self::LateResultsCount,
                Command::CompleteStage {
                    stage,
                    attempt,
                    output,
                },
            ) => {
                let working = state.working();
                let running = working.iter().find(|(_, running)| running.stage == stage);
                let attempt = running.map_or(attempt, |(_, running)| running.attempt);
                Command::CompleteStage {
                    stage,
                    attempt,
                    output,
                }
            }
            (_, command) => command,
        };
        let early = *self == Self::TimersAreEarly && command == Command::Tick;
        let asked = Ctx {
            now_ms: ctx.now_ms + if early { 60_000 } else { 0 },
            random: ctx.random,
        };
        let mut events = engine::decide(state, command, &asked)?;
        match self {
            Self::NoIntent => {
                events.retain(|event| !matches!(event, Event::ApplyIntended(_)) || state.intent.is_some())
            }
            Self::AttemptsRepeat => {
                for event in &mut events {
                    if let Event::StageStarted { attempt, .. } = event {
                        *attempt = 1;
                    }
                }
            }
            Self::TextSurvivesARestart => events.retain(|event| {
                !matches!(
                    event,
                    Event::AttemptDiscarded { .. } | Event::StageStarted { attempt: 2.., .. }
                )
            }),
            Self::ToldBeforeWritten
            | Self::NotFenced
            | Self::LateResultsCount
            | Self::TimersAreEarly
            | Self::MemoryDiffers
            | Self::SwapsWithoutComparing
            | Self::RestartsWithoutWork => {}
        }
        Ok(events)
    }

    fn advance(&self, state: &mut State, recorded: &Recorded) {
        engine::advance(state, recorded);
        if *self == Self::MemoryDiffers && matches!(recorded.event, Event::Checked(_)) {
            state.iteration += 1;
        }
    }

    fn react(&self, state: &State, event: &Event) -> Vec<Action> {
        if *self == Self::RestartsWithoutWork && *event == Event::Resumed {
            return Vec::new();
        }
        engine::react(state, event)
    }

    fn waits_for_the_disk(&self) -> bool {
        *self != Self::ToldBeforeWritten
    }

    fn is_fenced(&self) -> bool {
        *self != Self::NotFenced
    }

    fn compares_before_it_swaps(&self) -> bool {
        *self != Self::SwapsWithoutComparing
    }
}

#[test]
fn a_broken_engine_is_found() {
    let check = |wrong: Wrong, expect: &[u8]| {
        let found = (1..=FOUND_WITHIN).find_map(|seed| live(&wrong, seed).err());
        let found = found.unwrap_or_else(|| panic!("{wrong:?} was not found"));
        assert!(expect.contains(&found.invariant), "{wrong:?}: {found}");
    };
    check(Wrong::ToldBeforeWritten, &[1]);
    check(Wrong::NotFenced, &[3]);
    check(Wrong::LateResultsCount, &[4]);
    check(Wrong::NoIntent, &[5, 13]);
    check(Wrong::AttemptsRepeat, &[4]);
    check(Wrong::TextSurvivesARestart, &[4, 9, 13]);
    check(Wrong::TimersAreEarly, &[10]);
    check(Wrong::MemoryDiffers, &[6]);
    check(Wrong::SwapsWithoutComparing, &[15]);
    check(Wrong::RestartsWithoutWork, &[13]);
}
