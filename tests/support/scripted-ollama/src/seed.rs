//! Faults drawn from a seed: the same seed and the same order of calls give
//! the same faults.
//!
//! Owns: the draw. It is SplitMix64 (Steele, Lea and Flood, "Fast splittable
//! pseudorandom number generators", 2014), so a seed means the same in every
//! version of every library.
//! Must never know: the calls. A plan is a list of faults by the index of the
//! call, whatever is called.

use crate::fault::{
    AfterTokens, Context, Count, ErrorAfter, Fault, GarbageAfter, Name, Point, Rate, RawAnswer,
    RefusalAnswer, Size, Stall,
};

/// Most faults in a row if nobody says otherwise: a client that asks three
/// times gets through.
pub const IN_A_ROW_MAX_DEFAULT: u32 = 2;

/// What a proxy says about a server that is not there.
const PROXY_PAGE: &str = "<html><body><h1>502 Bad Gateway</h1></body></html>";

/// Which faults may be drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// Those that a client gets through by reading well or by asking again.
    #[default]
    Transient,
    /// All, also those that need another server, key, model or context.
    All,
}

/// A seed, and what may be drawn from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    /// The number.
    pub seed: u64,
    /// Most calls in a row with a fault; 0 is none at all.
    pub in_a_row_max: u32,
    /// Which faults.
    pub reach: Reach,
}

impl Seed {
    /// A seed of faults that pass, two in a row at most.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            in_a_row_max: IN_A_ROW_MAX_DEFAULT,
            reach: Reach::default(),
        }
    }

    /// The faults of the calls, in their order, without an end.
    pub fn plan(self) -> Plan {
        Plan {
            seed: self,
            index: 0,
            in_a_row: 0,
        }
    }
}

/// The faults of the calls, in their order.
#[derive(Debug, Clone)]
pub struct Plan {
    seed: Seed,
    index: u64,
    in_a_row: u32,
}

impl Iterator for Plan {
    type Item = Option<Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut numbers = Numbers::new(self.seed.seed, self.index);
        self.index += 1;
        // Half of the calls go well, and all after too many that did not.
        let goes_well = numbers.below(2) == 0 || self.in_a_row >= self.seed.in_a_row_max;
        if goes_well {
            self.in_a_row = 0;
            return Some(None);
        }
        self.in_a_row += 1;
        Some(Some(draw(&mut numbers, self.seed.reach)))
    }
}

/// SplitMix64, begun anew for each call: what one call draws does not depend on
/// how much the calls before it drew.
struct Numbers {
    state: u64,
}

/// The golden ratio, as the paper has it.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Numbers {
    fn new(seed: u64, index: u64) -> Self {
        let mut first = Self { state: seed };
        let state = first.next() ^ index.wrapping_mul(GAMMA);
        Self { state }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`. The bias of a remainder is too small to matter.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn from(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    fn tokens(&mut self) -> usize {
        self.from(1, 8) as usize
    }
}

/// How many kinds pass by themselves; the rest comes after them.
const TRANSIENT: u64 = 15;
const ALL: u64 = 23;

fn draw(numbers: &mut Numbers, reach: Reach) -> Fault {
    let kinds = match reach {
        Reach::Transient => TRANSIENT,
        Reach::All => ALL,
    };
    match numbers.below(kinds) {
        0 => Fault::stall(Some(numbers.from(1, 200))),
        1 => Fault::Stall(Stall {
            tokens: numbers.tokens(),
            ms: Some(numbers.from(1, 200)),
        }),
        2 => Fault::Cut(Point::Bytes(numbers.from(1, 100) as usize)),
        3 => Fault::Cut(Point::Tokens(numbers.below(9) as usize)),
        4 => Fault::End(AfterTokens {
            tokens: numbers.tokens(),
        }),
        5 => Fault::Error(ErrorAfter {
            tokens: numbers.tokens(),
            message: "The server had an error while processing your request.".to_owned(),
            status: [500, 503][numbers.below(2) as usize],
        }),
        6 => Fault::Status(RefusalAnswer {
            status: 429,
            message: "Rate limit reached.".to_owned(),
            code: None,
            retry_after_secs: Some(numbers.below(2)),
        }),
        7 => Fault::status(500, "Internal server error."),
        8 => Fault::status(503, "The server is overloaded."),
        9 => Fault::Raw(RawAnswer {
            status: 502,
            content_type: "text/html".to_owned(),
            body: PROXY_PAGE.to_owned(),
        }),
        10 => Fault::Slow(Rate {
            tokens_per_second: numbers.from(50, 200) as f64,
        }),
        11 => Fault::Torn(Size {
            bytes: numbers.from(1, 16) as usize,
        }),
        12 => Fault::SplitCharacters,
        13 => Fault::DuplicateEnd,
        14 => Fault::Buffered,
        15 => Fault::Garbage(GarbageAfter {
            tokens: numbers.tokens(),
            text: "<!-- not JSON -->".to_owned(),
        }),
        16 => Fault::status(401, "The key was refused."),
        17 => Fault::status(404, "The model does not exist."),
        18 => Fault::stall(None),
        19 => Fault::Stall(Stall {
            tokens: numbers.tokens(),
            ms: None,
        }),
        20 => Fault::PromptCount(Count {
            tokens: Some(numbers.from(1, 8)),
        }),
        21 => Fault::SmallContext(Context {
            num_ctx: numbers.from(8, 64) as u32,
        }),
        _ => Fault::WrongModel(Name {
            name: "another-model:latest".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The name of a fault without what it carries.
    fn kind(fault: &Fault) -> String {
        let text = format!("{fault:?}");
        let end = text.find(|character: char| !character.is_alphanumeric());
        text[..end.unwrap_or(text.len())].to_owned()
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // The first numbers of the reference implementation for this seed.
        let mut numbers = Numbers { state: 1_234_567 };
        let found = [numbers.next(), numbers.next(), numbers.next()];
        assert_eq!(
            found,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_seed_is_a_plan() {
        let first = |seed: u64| -> Vec<Option<Fault>> { Seed::new(seed).plan().take(100).collect() };
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }

    #[test]
    fn never_too_many_in_a_row() {
        fn check(in_a_row_max: u32, expect: usize) {
            let longest = |seed: u64| {
                let seed = Seed {
                    in_a_row_max,
                    ..Seed::new(seed)
                };
                let plan: Vec<bool> = seed.plan().take(500).map(|fault| fault.is_some()).collect();
                let runs = plan.chunk_by(|left, right| left == right);
                runs.filter(|run| run[0]).map(<[bool]>::len).max().unwrap_or(0)
            };
            assert_eq!((0..20).map(longest).max(), Some(expect));
        }
        check(0, 0);
        check(1, 1);
        check(2, 2);
        check(3, 3);
    }

    #[test]
    fn every_kind_is_drawn() {
        let kinds = |reach: Reach| -> BTreeSet<String> {
            let seed = Seed {
                reach,
                ..Seed::new(1)
            };
            seed.plan()
                .take(5_000)
                .flatten()
                .map(|fault| kind(&fault))
                .collect()
        };
        let transient = [
            "Buffered",
            "Cut",
            "DuplicateEnd",
            "End",
            "Error",
            "Raw",
            "Slow",
            "SplitCharacters",
            "Stall",
            "Status",
            "Torn",
        ];
        let expect: BTreeSet<String> = transient.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(kinds(Reach::Transient), expect);
        let lasting = ["Garbage", "PromptCount", "SmallContext", "WrongModel"];
        let all: BTreeSet<String> = expect
            .into_iter()
            .chain(lasting.iter().map(|name| (*name).to_owned()))
            .collect();
        assert_eq!(kinds(Reach::All), all);
        // What passes by itself passes in time.
        let lasts = |fault: &Fault| match fault {
            Fault::Stall(stall) => stall.ms.is_none(),
            Fault::Status(refusal) => matches!(refusal.status, 401 | 404),
            Fault::Cut(_)
            | Fault::End(_)
            | Fault::Error(_)
            | Fault::Raw(_)
            | Fault::Slow(_)
            | Fault::Torn(_)
            | Fault::SplitCharacters
            | Fault::DuplicateEnd
            | Fault::Buffered => false,
            Fault::Garbage(_)
            | Fault::PromptCount(_)
            | Fault::SmallContext(_)
            | Fault::WrongModel(_)
            | Fault::OldServer => true,
        };
        assert!(
            !Seed::new(1)
                .plan()
                .take(5_000)
                .flatten()
                .any(|fault| lasts(&fault))
        );
    }
}
