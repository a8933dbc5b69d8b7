//! How far a picture reaches along a chain. It brings those forward that see it, and none
//! that runs farther away than the one that the person put first: where code goes is said by
//! the configuration, and not by what comes with a request.

use models::Locality;

use super::Sight;

/// What a picture changes on the way along a chain. Places are those of the chain, in its
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Whether any sees it that runs no farther away than the first.
    pub sight: Sight,
    /// Those of them that are asked before the others: who sees, or else who may.
    pub first: Vec<usize>,
    /// Those that do not see, wherever they run.
    pub blind: Vec<usize>,
    /// Those that see, and run farther away than the first. They are asked where the
    /// configuration has them, and not for the picture.
    pub beyond: Vec<usize>,
}

impl Reach {
    /// That along a chain of these.
    pub fn along(chain: &[(Locality, Sight)]) -> Self {
        let nearest = chain.first().map(|(locality, _)| *locality);
        let is_near = |locality: Locality| nearest.is_some_and(|nearest| locality <= nearest);
        let places = |wanted: &dyn Fn(Locality, Sight) -> bool| -> Vec<usize> {
            let all = chain.iter().enumerate();
            all.filter(|(_, (locality, sight))| wanted(*locality, *sight))
                .map(|(at, _)| at)
                .collect()
        };
        let near = chain.iter().filter(|(locality, _)| is_near(*locality));
        let best = near.map(|(_, sight)| *sight).max().unwrap_or(Sight::Unknown);
        Self {
            sight: best,
            first: match best {
                Sight::Sees | Sight::Unknown => places(&|locality, sight| is_near(locality) && sight == best),
                Sight::Blind => Vec::new(),
            },
            blind: places(&|_, sight| sight == Sight::Blind),
            beyond: places(&|locality, sight| !is_near(locality) && sight == Sight::Sees),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain, one letter for each: `b` is blind, `u` unknown, `s` sees, on this machine;
    /// behind `~` on the network, behind `!` elsewhere.
    fn chain(text: &str) -> Vec<(Locality, Sight)> {
        let one = |word: &str| {
            let (locality, sight) = match word.split_at(word.len() - 1) {
                ("", sight) => (Locality::Machine, sight),
                ("~", sight) => (Locality::Network, sight),
                ("!", sight) => (Locality::Elsewhere, sight),
                other => panic!("{other:?}"),
            };
            let sight = match sight {
                "b" => Sight::Blind,
                "u" => Sight::Unknown,
                "s" => Sight::Sees,
                other => panic!("{other:?}"),
            };
            (locality, sight)
        };
        text.split_whitespace().map(one).collect()
    }

    /// What a request with a picture comes to, and who is asked in which order unless it is
    /// refused.
    fn check(text: &str, sight: Sight, order: &[usize], beyond: &[usize]) {
        let chain = chain(text);
        let reach = Reach::along(&chain);
        let mut asked: Vec<usize> = (0..chain.len()).collect();
        asked.sort_by_key(|at| !reach.first.contains(at));
        assert_eq!(
            (reach.sight, &asked[..], &reach.beyond[..]),
            (sight, order, beyond),
            "{text}"
        );
    }

    #[test]
    fn who_is_asked_first() {
        use Sight::{Blind, Sees, Unknown};
        // One alone, wherever it runs: it was chosen, or nobody else is configured.
        for one in ["s", "~s", "!s"] {
            check(one, Sees, &[0], &[]);
        }
        for one in ["b", "~b", "!b"] {
            check(one, Blind, &[0], &[]);
        }
        for one in ["u", "~u", "!u"] {
            check(one, Unknown, &[0], &[]);
        }
        // Of those that run equally near, the ones that see are first, in their order.
        check("b s", Sees, &[1, 0], &[]);
        check("!b !s", Sees, &[1, 0], &[]);
        check("b s u s", Sees, &[1, 3, 0, 2], &[]);
        check("u s", Sees, &[1, 0], &[]);
        // One that runs nearer than the first is near enough.
        check("!b s", Sees, &[1, 0], &[]);
        check("~b s !s", Sees, &[1, 0, 2], &[2]);
        check("!b ~s !s s", Sees, &[1, 2, 3, 0], &[]);
        // One farther away is not asked for the picture.
        check("b !s", Blind, &[0, 1], &[1]);
        check("b ~s", Blind, &[0, 1], &[1]);
        check("~b !s", Blind, &[0, 1], &[1]);
        check("b b !s", Blind, &[0, 1, 2], &[2]);
        check("b !s b ~s", Blind, &[0, 1, 2, 3], &[1, 3]);
        check("b !b", Blind, &[0, 1], &[]);
        check("b !u", Blind, &[0, 1], &[]);
        // Where one that is near sees, the others stand in as they are configured.
        check("s !s", Sees, &[0, 1], &[1]);
        check("s !s b", Sees, &[0, 1, 2], &[1]);
        check("b !s s", Sees, &[2, 0, 1], &[1]);
        // One that may see is asked before those that do not, and before those farther away.
        check("u !s", Unknown, &[0, 1], &[1]);
        check("b u !s", Unknown, &[1, 0, 2], &[2]);
        check("u b !s", Unknown, &[0, 1, 2], &[2]);
        check("!s b", Sees, &[0, 1], &[]);
        check("~u !s b", Unknown, &[0, 1, 2], &[1]);
        check("b !s u", Unknown, &[2, 0, 1], &[1]);
    }

    #[test]
    fn who_does_not_see_is_named() {
        assert_eq!(Reach::along(&chain("b s !b u !u ~b")).blind, [0, 2, 5]);
    }
}
