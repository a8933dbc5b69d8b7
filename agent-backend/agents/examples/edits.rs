//! Measures how long it takes to read an answer and to apply it to a file of
//! 5,000 lines, in every format. `docs/edits.md` has the figures.
//!
//! ```text
//! cargo run --release -p agents --example edits
//! ```
//!
//! It prints JSON: milliseconds of each sample by format.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program prints times"
)]

use std::{collections::BTreeMap, time::Instant};

use agents::edit;

const LINES: usize = 5_000;
const SAMPLES: usize = 21;
const PATH: &str = "src/big.py";

/// Functions of five lines.
fn file() -> String {
    let function = |n: usize| {
        format!(
            "def step_{n}(order, customer):\n    total = order.total + {n}\n    if customer.is_known(total):\n        \
             return order.discounted(total, {n})\n\n"
        )
    };
    (0..LINES / 5).map(function).collect()
}

/// An answer in each format that changes one function near the end.
fn answers() -> Vec<(&'static str, String)> {
    let n = LINES / 5 - 10;
    let (old, new) = (
        format!("    total = order.total + {n}\n"),
        format!("    total = order.sum() + {n}\n"),
    );
    let head = format!("def step_{n}(order, customer):\n");
    let rest = format!("    if customer.is_known(total):\n        return order.discounted(total, {n})\n");
    let hunk = format!(" {head}-{old}+{new}     if customer.is_known(total):\n");
    let misremembered = format!(
        " {}-{old}+{new}     if customer.is_known(totals):\n",
        head.replace("order,", "orders,")
    );
    vec![
        (
            "whole file",
            format!("{PATH}\n```python\n{}```\n", file().replace(&old, &new)),
        ),
        (
            "search and replace",
            format!("{PATH}\n<<<<<<< SEARCH\n{head}{old}=======\n{head}{new}>>>>>>> REPLACE\n"),
        ),
        (
            "unified diff",
            format!("```diff\n--- a/{PATH}\n+++ b/{PATH}\n@@ -1,3 +1,3 @@\n{hunk}```\n"),
        ),
        (
            "unified diff, misremembered",
            format!("```diff\n--- a/{PATH}\n+++ b/{PATH}\n@@ -1,3 +1,3 @@\n{misremembered}```\n"),
        ),
        (
            "apply_patch",
            format!("*** Begin Patch\n*** Update File: {PATH}\n@@\n{hunk}*** End Patch\n"),
        ),
        (
            "whole function",
            format!("{PATH}::step_{n}\n```python\n{head}{new}{rest}```\n"),
        ),
    ]
}

fn main() -> Result<(), agents::Error> {
    let file = file();
    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (format, answer) in answers() {
        for _ in 0..SAMPLES {
            let started = Instant::now();
            let edits = edit::parse(&answer)?;
            let changed = edit::apply_all(&edits, |path| (path == PATH).then_some(file.as_str()))?;
            figures
                .entry(format)
                .or_default()
                .push(started.elapsed().as_secs_f64() * 1_000.0);
            let text = changed
                .first()
                .and_then(|file| file.text.as_deref())
                .unwrap_or_default();
            assert!(
                text.contains("order.sum()") && text.lines().count() == LINES,
                "{format}"
            );
        }
    }
    println!("{}", serde_json::json!(figures));
    Ok(())
}
