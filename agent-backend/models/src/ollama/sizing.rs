//! How large a context a session is given: as much as the model can read and
//! the memory holds. Pure; what is asked of whom is in [`super::settle`].

use std::fmt;

/// The context where nobody says how much memory there is.
const USUAL: u32 = 16_384;

/// Contexts are multiples of this: a number that a person can recognise.
const STEP: u32 = 1_024;

const GIB: u64 = 1 << 30;

/// A part of a GPU's memory is left alone, and no less than this: the server's
/// own buffers, an embedding model, the desktop.
const GPU_SPARED_PERCENT: u64 = 10;
const GPU_SPARED_MIN: u64 = GIB;

/// The same of main memory, in which all other programs are.
const SYSTEM_SPARED_PERCENT: u64 = 30;
const SYSTEM_SPARED_MIN: u64 = 2 * GIB;

/// The context of a session with Ollama, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumCtx {
    /// What a person says.
    Fixed(u32),
    /// What fits, found when the server first answers.
    Auto {
        /// The least that is of use, as far as the model can read it.
        min: u32,
        /// The most.
        max: u32,
    },
}

impl NumCtx {
    /// The number before the server was asked.
    pub(super) fn guess(self) -> u32 {
        match self {
            Self::Fixed(num_ctx) => num_ctx,
            Self::Auto { max, .. } => max.min(USUAL),
        }
    }

    /// The number for servers that cannot be asked alike.
    #[must_use]
    pub fn fixed(self) -> Self {
        Self::Fixed(self.guess())
    }
}

/// Memory of the machine that a server runs on, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// Of all GPUs; 0 without one.
    pub gpu: u64,
    /// Main memory; 0 if it is not known.
    pub system: u64,
}

/// What a server says of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ModelFacts {
    /// Names its contents.
    pub digest: String,
    /// Size of its file, in bytes, which is about what it takes in memory
    /// without a context.
    pub weights: Option<u64>,
    /// The largest context it was trained for, in tokens.
    pub context_length: Option<u64>,
    /// What a token of the context takes, in bytes.
    pub token_bytes: Option<u64>,
}

/// A context and why it is that large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sized {
    pub num_ctx: u32,
    pub reason: String,
    /// Whether memory was looked at.
    pub is_measured: bool,
}

/// Sizes a context.
pub(super) fn size(facts: &ModelFacts, room: Option<Room>, min: u32, max: u32) -> Sized {
    let trained = facts
        .context_length
        .map_or(u32::MAX, |tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
    let most = max.min(trained).max(1);
    let capped = || {
        if trained <= max {
            format!("what the model was trained for ({trained})")
        } else {
            format!("the most that is configured ({max})")
        }
    };
    let (Some(room), Some(token), Some(weights)) =
        (room.filter(Room::is_known), facts.token_bytes, facts.weights)
    else {
        let why = match room.filter(Room::is_known) {
            None => "nobody says how much memory the server has",
            Some(_) => "the server does not say what the model takes",
        };
        let (num_ctx, reason) = if most < USUAL {
            (most, capped())
        } else {
            (USUAL, "as usual".to_owned())
        };
        return Sized {
            num_ctx,
            reason: format!("{reason}; {why}"),
            is_measured: false,
        };
    };
    let least = min.min(most);
    let (place, tokens) = room.tokens(weights, token, least);
    let holds = Holds {
        place,
        weights,
        token,
        tokens,
    };
    let fits = u32::try_from(tokens).unwrap_or(u32::MAX) / STEP * STEP;
    let (num_ctx, reason) = if fits >= most {
        (most, format!("{}; {holds}", capped()))
    } else if fits >= least {
        (fits, holds.to_string())
    } else {
        (least, format!("the least that is of use; {holds}"))
    };
    Sized {
        num_ctx,
        reason,
        is_measured: true,
    }
}

/// What is wrong with a context that a person has chosen, if it does not fit.
pub(super) fn misfit(facts: &ModelFacts, room: Option<Room>, num_ctx: u32) -> Option<String> {
    let room = room.filter(Room::is_known)?;
    let need = facts.weights? + facts.token_bytes? * u64::from(num_ctx);
    let (have, what, follows) = if room.gpu > 0 {
        (
            room.gpu,
            "of GPU memory",
            "a part of it will be in main memory, which is slow",
        )
    } else {
        (
            room.system,
            "of main memory",
            "the server will refuse it, or the machine will swap",
        )
    };
    (need > have).then(|| {
        format!(
            "with `num_ctx` {num_ctx} the model takes {}, and there are {} {what}: {follows}; choose a smaller one or `auto`",
            gib(need),
            gib(have)
        )
    })
}

impl Room {
    fn is_known(&self) -> bool {
        self.gpu > 0 || self.system > 0
    }

    /// How many tokens it holds beside the weights, and where: in the GPU's
    /// memory if that is enough, else in main memory as well.
    fn tokens(&self, weights: u64, token: u64, least: u32) -> (&'static str, u64) {
        let spared = |all: u64, percent: u64, min: u64| all.saturating_sub((all * percent / 100).max(min));
        let gpu = spared(self.gpu, GPU_SPARED_PERCENT, GPU_SPARED_MIN);
        let system = spared(self.system, SYSTEM_SPARED_PERCENT, SYSTEM_SPARED_MIN);
        let held = |room: u64| room.saturating_sub(weights) / token.max(1);
        if self.gpu > 0 && held(gpu) >= u64::from(least) {
            ("the GPU's memory", held(gpu))
        } else if self.gpu > 0 {
            ("the GPU's and main memory together", held(gpu + system))
        } else {
            ("main memory", held(system))
        }
    }
}

/// What memory holds, for a person.
struct Holds {
    place: &'static str,
    weights: u64,
    token: u64,
    tokens: u64,
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            weights,
            token,
            tokens,
        } = self;
        write!(
            f,
            "{place} holds {tokens} tokens of {} KiB beside the model's {}",
            token.div_ceil(1024),
            gib(*weights)
        )
    }
}

/// Bytes with one decimal, rounded up.
fn gib(bytes: u64) -> String {
    let tenths = (bytes * 10).div_ceil(GIB);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mistral 7B with four bits: 32 layers of 8 heads of 128 + 128 numbers.
    fn mistral() -> ModelFacts {
        ModelFacts {
            digest: "d".to_owned(),
            weights: Some(4_372_824_384),
            context_length: Some(32_768),
            token_bytes: Some(131_072),
        }
    }

    fn room(gpu_gib: u64, system_gib: u64) -> Option<Room> {
        Some(Room {
            gpu: gpu_gib * GIB,
            system: system_gib * GIB,
        })
    }

    #[test]
    fn contexts() {
        fn check(facts: &ModelFacts, room: Option<Room>, max: u32, num_ctx: u32, reason: &str) {
            let found = size(facts, room, 4_096, max);
            assert_eq!((found.num_ctx, found.reason.as_str()), (num_ctx, reason));
        }
        let long = || ModelFacts {
            context_length: Some(131_072),
            ..mistral()
        };
        check(
            &mistral(),
            room(24, 32),
            65_536,
            32_768,
            "what the model was trained for (32768); the GPU's memory holds 143585 tokens of 128 KiB beside the model's 4.1 GiB",
        );
        check(
            &long(),
            room(24, 32),
            65_536,
            65_536,
            "the most that is configured (65536); the GPU's memory holds 143585 tokens of 128 KiB beside the model's 4.1 GiB",
        );
        check(
            &long(),
            room(8, 32),
            65_536,
            23_552,
            "the GPU's memory holds 23981 tokens of 128 KiB beside the model's 4.1 GiB",
        );
        // The model does not fit into the GPU's memory.
        check(
            &long(),
            room(4, 16),
            65_536,
            65_536,
            "the most that is configured (65536); the GPU's and main memory together holds 82964 tokens of 128 KiB beside the model's 4.1 GiB",
        );
        check(
            &long(),
            room(0, 8),
            65_536,
            12_288,
            "main memory holds 12513 tokens of 128 KiB beside the model's 4.1 GiB",
        );
        check(
            &long(),
            room(0, 4),
            65_536,
            4_096,
            "the least that is of use; main memory holds 0 tokens of 128 KiB beside the model's 4.1 GiB",
        );
        let short = ModelFacts {
            context_length: Some(2_048),
            ..mistral()
        };
        check(
            &short,
            room(0, 4),
            65_536,
            2_048,
            "the least that is of use; main memory holds 0 tokens of 128 KiB beside the model's 4.1 GiB",
        );
        let unknown = "as usual; nobody says how much memory the server has";
        check(&long(), None, 65_536, 16_384, unknown);
        check(&long(), room(0, 0), 65_536, 16_384, unknown);
        check(
            &long(),
            None,
            8_000,
            8_000,
            "the most that is configured (8000); nobody says how much memory the server has",
        );
        check(
            &ModelFacts::default(),
            room(24, 32),
            65_536,
            16_384,
            "as usual; the server does not say what the model takes",
        );
    }

    #[test]
    fn contexts_that_do_not_fit() {
        fn check(room: Option<Room>, num_ctx: u32, expect: Option<&str>) {
            assert_eq!(misfit(&mistral(), room, num_ctx).as_deref(), expect);
        }
        check(room(8, 32), 16_384, None);
        check(
            room(8, 32),
            32_768,
            Some(
                "with `num_ctx` 32768 the model takes 8.1 GiB, and there are 8.0 GiB of GPU memory: a part of it will \
                 be in main memory, which is slow; choose a smaller one or `auto`",
            ),
        );
        check(room(0, 9), 32_768, None);
        check(
            room(0, 8),
            32_768,
            Some(
                "with `num_ctx` 32768 the model takes 8.1 GiB, and there are 8.0 GiB of main memory: the server will \
                 refuse it, or the machine will swap; choose a smaller one or `auto`",
            ),
        );
        check(None, 1_000_000, None);
    }
}
