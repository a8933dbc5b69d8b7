//! Scores of a ranking of files, as the set defines them.

/// The numbers of one query, or their means.
pub type Values = [f64; 6];

/// Their names.
pub const NAMES: [&str; 6] = [
    "nDCG@10",
    "MRR@10",
    "recall@5",
    "recall@10",
    "recall@50",
    "packed",
];

/// What a query scored: the ranking, the files whose code was packed, and the
/// files that the commit changed.
pub fn of(ranked: &[&str], packed: &[&str], gold: &[String]) -> Values {
    let is_gold = |path: &&str| gold.iter().any(|wanted| wanted == path);
    let recall = |cut: usize| {
        let found = ranked.iter().take(cut).filter(|path| is_gold(path)).count();
        ratio(found, gold.len())
    };
    let first = ranked.iter().take(10).position(&is_gold);
    let gains = ranked
        .iter()
        .take(10)
        .enumerate()
        .filter(|(_, path)| is_gold(path));
    let dcg: f64 = gains.map(|(rank, _)| gain(rank)).sum();
    let ideal: f64 = (0..gold.len().min(10)).map(gain).sum();
    [
        dcg / ideal,
        first.map_or(0.0, |rank| ratio(1, rank + 1)),
        recall(5),
        recall(10),
        recall(50),
        if packed.iter().any(is_gold) { 1.0 } else { 0.0 },
    ]
}

/// The means of several.
pub fn mean(all: &[Values]) -> Values {
    let mut sums = [0.0; 6];
    for values in all {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
    sums.map(|sum| sum / number(all.len().max(1)))
}

/// Whether the name is that of source code, for the variant that looks at
/// nothing else.
pub fn is_source(path: &str) -> bool {
    use retrieval::corpus::class::Class;
    match Class::of(path) {
        Class::Source | Class::Vendored | Class::Generated => true,
        Class::Test | Class::Example | Class::Documentation | Class::Data => false,
    }
}

/// A count as a number.
pub fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn gain(rank: usize) -> f64 {
    1.0 / number(rank + 2).log2()
}

fn ratio(part: usize, whole: usize) -> f64 {
    number(part) / number(whole.max(1))
}
