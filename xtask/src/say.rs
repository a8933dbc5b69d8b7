//! How the commands speak to a person: headings, notes, tables.

use std::{
    env,
    io::{IsTerminal as _, stdout},
    time::Duration,
};

/// Whether colours are wanted and can be shown.
fn coloured() -> bool {
    stdout().is_terminal() && env::var_os("NO_COLOR").is_none()
}

/// Begins a new step.
pub fn step(text: &str) {
    if coloured() {
        println!("\n\x1b[1;36m==>\x1b[0m \x1b[1m{text}\x1b[0m");
    } else {
        println!("\n==> {text}");
    }
}

/// Something the person should know.
pub fn note(text: &str) {
    println!("    {}", text.replace('\n', "\n    "));
}

/// Rows in aligned columns, the first row being the heads; what begins with a
/// digit is aligned to the right, except in the first column.
pub fn table(rows: &[Vec<String>]) {
    print!("{}", layout(rows));
}

fn layout(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                let numeric = column > 0 && cell.starts_with(|c: char| c.is_ascii_digit());
                if numeric {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        text.push_str(format!("    {}", cells.join("  ")).trim_end());
        text.push('\n');
    }
    text
}

/// A time as a person reads it: `340 ms`, `12.3 s`, `4 min 5 s`.
pub fn duration(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..1_000 => format!("{ms} ms"),
        1_000..100_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        fn check(ms: u64, expect: &str) {
            assert_eq!(duration(Duration::from_millis(ms)), expect);
        }
        check(0, "0 ms");
        check(999, "999 ms");
        check(12_340, "12.3 s");
        check(245_000, "4 min 5 s");
    }

    #[test]
    fn columns_line_up() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let text = layout(&[
            row(&["what", "time"]),
            row(&["build", "9 ms"]),
            row(&["é", "120 ms"]),
        ]);
        assert_eq!(text, "    what   time\n    build    9 ms\n    é      120 ms\n");
    }
}
