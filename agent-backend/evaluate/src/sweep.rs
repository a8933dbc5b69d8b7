//! One weight chosen by leaving one repository out: for each, the value that is
//! best on the others.

use crate::score;

/// nDCG@10 of one repository for each weight that was tried.
pub struct Swept {
    pub name: String,
    pub ndcg: Vec<f64>,
}

/// Prints nDCG@10 by repository and weight, and what leaving one out chooses.
pub fn table(weights: &[f32], rows: &[Swept]) {
    let heads: Vec<String> = weights.iter().map(|weight| format!("{weight}")).collect();
    println!(
        "| nDCG@10 at | {} | chosen on the others | there |",
        heads.join(" | ")
    );
    println!("|---|{}---|---|", "---|".repeat(weights.len()));
    let mean = |at: usize, skip: Option<usize>| {
        let others = rows.iter().enumerate().filter(|(row, _)| Some(*row) != skip);
        let values: Vec<f64> = others.map(|(_, row)| row.ndcg[at]).collect();
        values.iter().sum::<f64>() / score::number(values.len().max(1))
    };
    let best = |skip: Option<usize>| {
        (0..weights.len())
            .max_by(|a, b| mean(*a, skip).total_cmp(&mean(*b, skip)))
            .unwrap_or_default()
    };
    let numbers = |values: Vec<f64>| -> String {
        let texts: Vec<String> = values.iter().map(|value| format!("{value:.3}")).collect();
        texts.join(" | ")
    };
    let mut there = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let chosen = best(Some(number));
        there.push(row.ndcg[chosen]);
        println!(
            "| {} | {} | {} | {:.3} |",
            row.name.replace('+', "/"),
            numbers(row.ndcg.clone()),
            weights[chosen],
            row.ndcg[chosen],
        );
    }
    let means = (0..weights.len()).map(|at| mean(at, None)).collect();
    let there = there.iter().sum::<f64>() / score::number(there.len().max(1));
    let all = weights.get(best(None)).copied().unwrap_or_default();
    println!("| **mean** | {} | {all} on all | {there:.3} |", numbers(means));
}
