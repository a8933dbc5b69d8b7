//! Two runs on the same queries: the mean of the differences and how sure it is.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::score::{self, NAMES, Values};

type Failure = Box<dyn std::error::Error>;

/// The scores of each query, by repository.
pub type Queries = BTreeMap<String, Vec<Values>>;

/// Reads what an earlier run printed with `--json`.
pub fn read(path: &Path) -> Result<Queries, Failure> {
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(path)?)?;
    let mut queries = Queries::new();
    for row in rows {
        let name = row["repository"]
            .as_str()
            .ok_or("no repository in the baseline")?;
        let scores: Vec<Values> = serde_json::from_value(row["queries"].clone())?;
        queries.insert(name.to_owned(), scores);
    }
    Ok(queries)
}

/// Prints, for each measure, this run minus the baseline: the mean over all
/// queries of the repositories that both have, its standard error, and how many
/// queries got better and worse.
pub fn table(now: &Queries, baseline: &Queries) {
    println!("\n| difference | mean | standard error | better | worse | by repository |");
    println!("|---|---|---|---|---|---|");
    for (at, name) in NAMES.iter().enumerate() {
        let (mut all, mut by_repository) = (Vec::new(), Vec::new());
        for (repository, scores) in now {
            let Some(before) = baseline
                .get(repository)
                .filter(|before| before.len() == scores.len())
            else {
                continue;
            };
            let differences: Vec<f64> = scores.iter().zip(before).map(|(a, b)| a[at] - b[at]).collect();
            let (mean, _) = mean_and_error(&differences);
            by_repository.push(format!("{mean:+.3}"));
            all.extend(differences);
        }
        let (mean, error) = mean_and_error(&all);
        let count = |wanted: fn(f64) -> bool| all.iter().filter(|value| wanted(**value)).count();
        println!(
            "| {name} | {mean:+.4} | {error:.4} | {} | {} | {} |",
            count(|value| value > 1e-9),
            count(|value| value < -1e-9),
            by_repository.join(" "),
        );
    }
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = score::number(values.len().max(1));
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0) / count).sqrt())
}
