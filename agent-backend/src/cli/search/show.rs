//! An answer for a person at a terminal: results on standard output, notes on
//! standard error.

use std::{collections::HashSet, fmt::Write as _};

use console::{Style, Term};
use retrieval::tokenize;
use shared::wire::{SearchAnswer, SearchExplanation, SearchItem, SearchReranking, SearchSignal};
use tools::diff::printable;

use crate::{cli::print, error::Error};

/// Characters of a line that are shown.
const LINE_CHARS_MAX: usize = 160;

/// What made the answer worse than it could be.
pub(super) fn notices(found: &SearchAnswer) -> Result<(), Error> {
    let head = Style::new().yellow().for_stderr();
    for notice in &found.notices {
        let head = head.apply_to(format!("note[{}]", notice.code));
        note(&format!("{head}: {}", printable(&notice.message)))?;
    }
    match found.reranking {
        SearchReranking::Done { reranked, candidates } if reranked < candidates => {
            note(&format!(
                "{reranked} of {candidates} candidates were reranked in the time for it"
            ))?;
        }
        SearchReranking::Done { .. } | SearchReranking::Off | SearchReranking::NoModel => {}
    }
    if found.items.is_empty() {
        note("nothing was found")?;
    }
    Ok(())
}

fn note(line: &str) -> Result<(), Error> {
    Term::stderr()
        .write_line(line)
        .map_err(|error| Error::internal(format!("cannot write to standard error: {error}")))
}

/// The results, best first, each with the lines that say most; at once, so that
/// a pipe that is closed after the first lines is no error.
pub(super) fn results(found: &SearchAnswer, query: &str, lines: usize) -> Result<(), Error> {
    let asked: HashSet<String> = tokenize::terms(query).into_iter().collect();
    let blocks = found.items.iter().map(|item| {
        let mut block = vec![heading(item)];
        block.extend(chosen(item, &asked, lines));
        block.extend(item.explanation.as_ref().map(explained));
        block
    });
    let blocks: Vec<Vec<String>> = blocks.collect();
    let between = if blocks.iter().any(|block| block.len() > 1) {
        "\n\n"
    } else {
        "\n"
    };
    let blocks: Vec<String> = blocks.iter().map(|block| block.join("\n")).collect();
    if blocks.is_empty() {
        return Ok(());
    }
    print(&blocks.join(between))
}

fn heading(item: &SearchItem) -> String {
    let (path, line) = (Style::new().magenta(), Style::new().green());
    let place = line.apply_to(format!("{}-{}", item.start_line, item.end_line));
    let score = Style::new().dim().apply_to(format!("{:.3}", item.score));
    let symbol = item.symbol.as_deref().map(printable).unwrap_or_default();
    let symbol = Style::new().bold().apply_to(symbol);
    format!(
        "{}:{place}  {symbol}  {score}",
        path.apply_to(printable(&item.path))
    )
}

/// The line that begins the definition and those with most of the question's
/// words, as many as `wanted`, in order.
fn chosen(item: &SearchItem, asked: &HashSet<String>, wanted: usize) -> Vec<String> {
    let lines: Vec<&str> = item.text.split('\n').collect();
    let name = item
        .symbol
        .as_deref()
        .and_then(|symbol| symbol.rsplit(['.', ':']).next());
    let head = name.and_then(|name| lines.iter().position(|line| line.contains(name)));
    let head = head.or_else(|| lines.iter().position(|line| !line.trim().is_empty()));
    let mut order: Vec<usize> = (0..lines.len())
        .filter(|at| !lines[*at].trim().is_empty())
        .collect();
    let matches = |at: usize| {
        let terms: HashSet<String> = tokenize::terms(lines[at]).into_iter().collect();
        terms.intersection(asked).count()
    };
    order.sort_by_cached_key(|at| (Some(*at) != head, std::cmp::Reverse(matches(*at))));
    order.truncate(wanted);
    order.sort_unstable();
    let number = Style::new().dim();
    let shown = order.into_iter().map(|at| {
        let line = item
            .start_line
            .saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        let number = number.apply_to(format!("{line:>6}"));
        format!("{number}  {}", highlighted(&shortened(lines[at]), asked))
    });
    shown.collect()
}

fn shortened(line: &str) -> String {
    let line = printable(line).replace('\t', "    ");
    match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The line with the question's words made to stand out.
fn highlighted(line: &str, asked: &HashSet<String>) -> String {
    let style = Style::new().red().bold();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| is_word(c) == is_word(first);
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if is_word(first) && tokenize::terms(run).iter().any(|term| asked.contains(term)) {
            out.push_str(&style.apply_to(run).to_string());
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out
}

fn explained(why: &SearchExplanation) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let _infallible = writeln!(out, "        {text}");
    };
    line(format!(
        "file #{}: {:.3}, {} files count {}",
        why.file.rank, why.file.score, why.file.class, why.file.class_weight
    ));
    let counts = |component: &&SearchSignal| component.value > 0.0 && component.weight > 0.0;
    for component in why.file.signals.iter().filter(counts) {
        let rank = component.rank.map(|rank| format!("#{rank}")).unwrap_or_default();
        line(format!(
            "  {:<9} {:.3} x {:<4} = {:.3}  {rank}",
            component.name,
            component.value,
            component.weight,
            component.value * component.weight
        ));
    }
    let shown = |component: &SearchSignal| {
        format!("{} {:.2} x {}", component.name, component.value, component.weight)
    };
    let found = why.part.signals.iter().filter(|component| component.value > 0.0);
    let part: Vec<String> = found.map(shown).collect();
    line(format!(
        "part #{}: {:.3} ({})",
        why.part.rank,
        why.part.score,
        part.join(", ")
    ));
    if let Some(rerank) = why.rerank {
        line(format!("reranked #{}: {:.3}", rerank.rank, rerank.score));
    }
    for duplicate in &why.duplicates {
        line(format!(
            "same as {}:{} ({:.2} by {})",
            printable(&duplicate.path),
            duplicate.start_line,
            duplicate.likeness,
            duplicate.by
        ));
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, text: &str, symbol: Option<&str>, wanted: usize, expect: &[&str]) {
        let item = SearchItem {
            path: String::new(),
            start_line: 9,
            end_line: 9,
            symbol: symbol.map(str::to_owned),
            score: 0.0,
            text: text.to_owned(),
            explanation: None,
        };
        let asked = tokenize::terms(query).into_iter().collect();
        console::set_colors_enabled(false);
        assert_eq!(chosen(&item, &asked, wanted), expect);
    }

    #[test]
    fn the_lines_that_say_most_are_shown() {
        let text = "# Notes.\ndef load_users(path):\n    x = 1\n\n    return open(path)\n";
        check(
            "open the file",
            text,
            Some("load_users"),
            2,
            &["    10  def load_users(path):", "    13      return open(path)"],
        );
        check(
            "open",
            text,
            Some("load_users"),
            1,
            &["    10  def load_users(path):"],
        );
        check("open", text, None, 1, &["     9  # Notes."]);
        check("open", text, None, 0, &[]);
        check("open", "", None, 3, &[]);
        // What could move the cursor is shown as a picture.
        check("x", "x\u{1b}[2J", None, 3, &["     9  x\u{241b}[2J"]);
    }
}
