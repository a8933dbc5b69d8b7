//! Scores of a ranking of files, as the set defines them.

/// Sums over the queries.
#[derive(Debug, Clone, Default)]
pub struct Score {
    queries: u32,
    sums: [f64; 6],
}

impl Score {
    /// Adds a query: the ranking, the files whose code was packed, and the
    /// files that the commit changed.
    pub fn add(&mut self, ranked: &[&str], packed: &[&str], gold: &[String]) {
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
        let values = [
            dcg / ideal,
            first.map_or(0.0, |rank| ratio(1, rank + 1)),
            recall(5),
            recall(10),
            recall(50),
            if packed.iter().any(is_gold) { 1.0 } else { 0.0 },
        ];
        self.queries += 1;
        for (sum, value) in self.sums.iter_mut().zip(values) {
            *sum += value;
        }
    }

    /// nDCG@10, MRR@10, recall@5, recall@10, recall@50 and the share of the
    /// queries of which a gold file's code was packed.
    pub fn means(&self) -> [f64; 6] {
        self.sums.map(|sum| sum / f64::from(self.queries.max(1)))
    }
}

/// Whether the name is that of source code, for the variant that looks at
/// nothing else.
pub fn is_source(path: &str) -> bool {
    use retrieval::corpus::class::Class;
    match Class::of(path) {
        Class::Source | Class::Foreign => true,
        Class::Test | Class::Example | Class::Documentation | Class::Data => false,
    }
}

fn gain(rank: usize) -> f64 {
    1.0 / f64::from(u32::try_from(rank + 2).unwrap_or(u32::MAX)).log2()
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(part) / number(whole.max(1))
}
